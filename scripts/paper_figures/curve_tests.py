"""Tests of curves, from which the paper's sentences are made (`statements.py`)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from statistics import fmean, pstdev

from scripts.paper_figures.rows import Curves

Test = Callable[[Curves], bool]
WholeTest = Callable[[Sequence[Curves]], bool]
OWN = "Algorithm 4"
RIVALS = ("greedy", "annealing", "random")
SMALL_GAP = 0.2
"""A gap that "is not obvious": less than a fifth."""


def values(curves: Curves, panel: str, reading: str, curve: str) -> list[float]:
    """Return the values of a curve by ascending place."""
    return list(curves[panel, reading, curve].values())


def family(curves: Curves, panel: str, reading: str) -> dict[str, list[float]]:
    """Return the curves of one panel and reading, in their order."""
    return {
        key[2]: list(held.values()) for key, held in curves.items() if key[:2] == (panel, reading)
    }


def ascends(held: Sequence[float]) -> bool:
    """Say whether no value is below the one before."""
    return all(low <= high for low, high in pairwise(held))


def rises(panel: str, reading: str, only: str = "") -> Test:
    def test(curves: Curves) -> bool:
        lines = family(curves, panel, reading)
        return all(ascends(held) for name, held in lines.items() if only in ("", name))

    return test


def slows(panel: str, reading: str) -> Test:
    """Up to as many as stand opposite, one more is worth more than it is later."""

    def test(curves: Curves) -> bool:
        for key, held in curves.items():
            if key[:2] != (panel, reading):
                continue
            knee = int(key[2].split()[0])
            places = list(held)
            middle = max(place for place in places if place <= knee)
            first, last = places[0], places[-1]
            if middle in (first, last):
                continue
            early = (held[middle] - held[first]) / (middle - first)
            late = (held[last] - held[middle]) / (last - middle)
            if early <= late:
                return False
        return True

    return test


def ordered(panel: str, reading: str) -> Test:
    """Each curve lies nowhere below the one before it."""

    def test(curves: Curves) -> bool:
        lines = list(family(curves, panel, reading).values())
        return all(
            below <= above
            for lower, upper in pairwise(lines)
            for below, above in zip(lower, upper, strict=True)
        )

    return test


def _ends(curves: Curves, panel: str, reading: str) -> list[float]:
    """Return the last value of each curve whose step is still below its greatest (omega < mu)."""
    return [
        held[-1]
        for name, held in family(curves, panel, reading).items()
        if float(name.split()[-1]) < 1
    ]


def larger_steps(panel: str, reading: str, sign: int) -> Test:
    return lambda curves: ascends([sign * end for end in _ends(curves, panel, reading)])


def small_gaps(reading: str) -> Test:
    def test(curves: Curves) -> bool:
        ends = _ends(curves, "3c", reading)
        return all(abs(b - a) <= SMALL_GAP * a for a, b in pairwise(ends))

    return test


def rises_with_fee(reading: str, most_percent: int) -> Test:
    def test(curves: Curves) -> bool:
        return all(
            ascends([value for percent, value in held.items() if percent <= most_percent])
            for key, held in curves.items()
            if key[:2] == ("3d", reading)
        )

    return test


def best(panel: str, reading: str, rivals: Sequence[str]) -> Test:
    """At the largest scale nobody does better."""

    def test(curves: Curves) -> bool:
        lines = family(curves, panel, reading)
        return all(lines[OWN][-1] >= lines[rival][-1] for rival in rivals)

    return test


def steadiest(panel: str, reading: str) -> WholeTest:
    """At the largest scale the number of trades spreads least over the seeds."""

    def test(seeds: Sequence[Curves]) -> bool:
        spread = {
            rule: pstdev([values(curves, panel, reading, rule)[-1] for curves in seeds])
            for rule in (OWN, *RIVALS)
        }
        return all(spread[OWN] <= spread[rival] for rival in RIVALS)

    return test


def slowest(curves: Curves) -> bool:
    lines = family(curves, "4-time", "spread weights")
    return all(lines[OWN][-1] >= lines[rival][-1] for rival in RIVALS)


def textbook_slowest(curves: Curves) -> bool:
    lines = family(curves, "4-time", "spread weights")
    return all(lines["Algorithm 4, textbook"][-1] >= lines[rival][-1] for rival in RIVALS)


def better_prices(reading: str) -> Test:
    """The buyer's price is lower, the seller's higher, where its own part of the fee is least."""

    def test(curves: Curves) -> bool:
        bids = values(curves, "5-price", reading, "bid")
        asks = values(curves, "5-price", reading, "ask")
        return bids[0] < bids[-1] and asks[-1] > asks[0]

    return test


def fewer_rounds(reading: str) -> Test:
    def test(curves: Curves) -> bool:
        held = values(curves, "5-rounds", reading, "rounds")
        return ascends([-rounds for rounds in held])

    return test


def lies_above(panel: str, reading: str, high: str, low: str) -> Test:
    """One curve lies above the other in the mean over its places."""

    def test(curves: Curves) -> bool:
        above, below = (values(curves, panel, reading, curve) for curve in (high, low))
        return fmean(above) > fmean(below)

    return test


def all_of(*tests: Test) -> Test:
    return lambda curves: all(test(curves) for test in tests)
