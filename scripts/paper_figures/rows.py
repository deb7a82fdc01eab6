"""What a panel returns, and what is made of it: one row a value, points with a band, CSV text."""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any, NamedTuple


class Row(NamedTuple):
    """One value of one curve from one seed: an integer, in the unit the panel names."""

    panel: str
    reading: str
    curve: str
    x: int
    seed: int
    value: int


class Point(NamedTuple):
    """Mean of a curve at one place over the seeds, with the 10th and the 90th percentile."""

    panel: str
    reading: str
    curve: str
    x: int
    mean: float
    low: int
    high: int
    seeds: int


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much is drawn: numbers of agents, and the places on the other axes."""

    growing: tuple[int, ...]
    """Agents of the side that grows (3a, 3b)."""
    fixed: tuple[int, ...]
    """Agents of the other side, a curve each."""
    scales: tuple[int, ...]
    """Agents on each side (3c, 4a, 4b); of the side that grows (4c, 4d)."""
    omegas_micro: tuple[int, ...]
    """Price steps (3c), ascending."""
    fees_percent: tuple[int, ...]
    """Fees as parts of the fee of the terms (3d), ascending."""
    sigmas_percent: tuple[int, ...]
    """The buyer's part of the fee (5), ascending."""
    members: tuple[int, ...]
    """Servers in the election (6), ascending."""
    heights: int
    """Blocks of one election."""


Terms = Any
"""The terms of a figure: `markets.Market` for 3 to 5, `figure6.Town` for 6."""


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel of a figure: what it shows and the function that draws it for one seed."""

    name: str
    title: str
    x_label: str
    y_label: str
    scale: int
    """Values are divided by this for the picture."""
    rows: Callable[[Terms, Sizes, int], list[Row]]
    """(terms, sizes, seed) -> rows; the same arguments give the same rows, unless measured."""
    log_x: bool = False
    x_scale: int = 1
    measured: bool = False
    """It holds processor time, so that no two runs are the same."""
    unseen: tuple[str, ...] = ()
    """Curves that are in the files but would crowd the picture."""


Curve = tuple[str, str, str]
"""Panel, reading, curve."""

Curves = Mapping[Curve, Mapping[int, float]]
"""Of each curve its value at each place, ascending."""


def by_seed(rows: Iterable[Row]) -> dict[int, dict[Curve, dict[int, float]]]:
    """Return the curves of each seed."""
    found: dict[int, dict[Curve, dict[int, float]]] = defaultdict(lambda: defaultdict(dict))
    for row in rows:
        found[row.seed][row.panel, row.reading, row.curve][row.x] = row.value
    return {seed: dict(curves) for seed, curves in found.items()}


def points_of(rows: Iterable[Row]) -> list[Point]:
    """Return means and bands in the order in which curves and places first appear."""
    values: dict[tuple[str, str, str, int], list[int]] = defaultdict(list)
    for row in rows:
        values[row.panel, row.reading, row.curve, row.x].append(row.value)
    return [
        Point(*key, fmean(held), percentile(held, 10), percentile(held, 90), len(held))
        for key, held in values.items()
    ]


def mean_curves(rows: Iterable[Row]) -> dict[Curve, dict[int, float]]:
    """Return the curves of the means over all seeds."""
    found: dict[Curve, dict[int, float]] = defaultdict(dict)
    for point in points_of(rows):
        found[point.panel, point.reading, point.curve][point.x] = point.mean
    return dict(found)


def percentile(values: Sequence[int], percent: int) -> int:
    """Return the value at the nearest rank; `values` is not empty, in any order."""
    ordered = sorted(values)
    return ordered[(percent * (len(ordered) - 1) + 50) // 100]


def csv_of(rows: Sequence[Row] | Sequence[Point]) -> str:
    """Return rows or points as CSV with a head line; means with three decimals."""
    held = io.StringIO()
    writer = csv.writer(held, lineterminator="\n")
    writer.writerow(rows[0]._fields)
    for row in rows:
        writer.writerow([f"{cell:.3f}" if isinstance(cell, float) else cell for cell in row])
    return held.getvalue()
