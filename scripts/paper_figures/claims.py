"""Which of the paper's sentences hold: the share of draws for which each is true, and a verdict."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass

from scripts.paper_figures.rows import Curves, Row, by_seed, mean_curves
from scripts.paper_figures.statements import STATEMENTS, Statement

Verdict = str
BOUNDS: tuple[tuple[int, Verdict], ...] = ((95, "holds"), (75, "mostly"), (25, "partly"))
"""Least percent of draws for a verdict; below them all it is "no"."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A statement judged.

    `seeds_percent`: of the seeds at the base point; `draws_percent`: of the markets or towns
    drawn around it, each by the means of its seeds, None without any.  The verdict is by the draws
    where there are some: what holds at one point only may be luck of the point.
    """

    panel: str
    sentence: str
    reading: str
    verdict: Verdict
    seeds_percent: int
    draws_percent: int | None


def verdict_of(percent: int) -> Verdict:
    """Return the word for a share of draws."""
    return next((word for least, word in BOUNDS if percent >= least), "no")


def judge(rows: Sequence[Row], draws: Sequence[Sequence[Row]]) -> list[Claim]:
    """Return a claim for each statement whose panels are among the rows of the base point."""
    there = {row.panel for row in rows}
    point = list(by_seed(rows).values())
    groups = [(mean_curves(held), list(by_seed(held).values())) for held in draws]
    claims = []
    for statement in STATEMENTS:
        if not {statement.panel, *statement.needs} <= there:
            continue
        seeds = _share(_over_seeds(statement, point))
        drawn = [
            _over_draw(statement, means, each)
            for means, each in groups
            if any(key[0] == statement.panel for key in means)
        ]
        share = _share(drawn) if drawn else None
        verdict = verdict_of(seeds if share is None else share)
        name = statement.panel, statement.sentence, statement.reading
        claims.append(Claim(*name, verdict, seeds, share))
    return claims


def _share(held: Sequence[bool]) -> int:
    return round(100 * sum(held) / len(held))


def _over_seeds(statement: Statement, seeds: Sequence[Curves]) -> list[bool]:
    if statement.whole is not None:
        return [statement.whole(seeds)]
    return [statement.test is not None and statement.test(curves) for curves in seeds]


def _over_draw(statement: Statement, means: Curves, seeds: Sequence[Curves]) -> bool:
    if statement.whole is not None:
        return statement.whole(seeds)
    return statement.test is not None and statement.test(means)


HEAD = ("panel", "claim", "reading", "verdict", "seeds %", "draws %")


def _cells(claim: Claim) -> tuple[str, ...]:
    return tuple("" if cell is None else str(cell) for cell in astuple(claim))


def table_of(claims: Iterable[Claim]) -> str:
    """Return the claims as lines in columns."""
    rows = [HEAD, *(_cells(claim) for claim in claims)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEAD))]
    lines = (
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        for row in rows
    )
    return "\n".join(line.rstrip() for line in lines)


def claims_csv_of(claims: Iterable[Claim]) -> str:
    """Return the claims as CSV."""
    held = io.StringIO()
    csv.writer(held, lineterminator="\n").writerows([HEAD, *(_cells(claim) for claim in claims)])
    return held.getvalue()


def markdown_of(claims: Iterable[Claim]) -> str:
    """Return the claims as a table for a page."""
    rows = [HEAD, ("---",) * len(HEAD), *(_cells(claim) for claim in claims)]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows) + "\n"
