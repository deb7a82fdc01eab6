"""Price paths of many orders in columns: the ladders of `auction/pricing.py`, rung by rung at once.

Climbing one ladder takes as many steps as it has rungs; here each step is taken for all orders
together.  Factors are those of the plain functions to the unit: growth and step are multiplied in
lanes of 30 bits, and growth stays below 2^61 as a bid opens at a millionth of its value at least.
"""

from dataclasses import dataclass

import numpy as np

from auction.fixed import ONE, STEP_FRACTION_BITS
from auction.pairs import Integers
from auction.pricing import LONGEST_LADDER, UNIT, Path

LARGEST = (1 << 63) - 1
"""Stands for a factor of 2^63 and more, of an ask that opens at over eight times its cost."""

COARSE_SHIFT = 32

_LANE = STEP_FRACTION_BITS // 2
_LANE_MASK = (1 << _LANE) - 1


@dataclass(frozen=True, slots=True)
class Paths:
    """Price paths in columns: admission, last height, and the ladders one after the other."""

    admitted: Integers
    expires: Integers
    shift: Integers
    """Place of a ladder's first factor, less the admission."""
    end: Integers
    """Place of its last factor, which is UNIT."""
    factors: Integers
    coarse: Integers
    """The factors without their lower digits."""

    def take(self, rows: Integers) -> "Paths":
        """Return the paths of some rows."""
        return Paths(
            self.admitted[rows],
            self.expires[rows],
            self.shift[rows],
            self.end[rows],
            self.factors,
            self.coarse,
        )

    def joined(self, other: "Paths") -> "Paths":
        """Return these paths and, behind them, others."""
        size = self.factors.size
        return Paths(
            np.concatenate([self.admitted, other.admitted]),
            np.concatenate([self.expires, other.expires]),
            np.concatenate([self.shift, other.shift + size]),
            np.concatenate([self.end, other.end + size]),
            np.concatenate([self.factors, other.factors]),
            np.concatenate([self.coarse, other.coarse]),
        )

    def places(self, heights: Integers) -> Integers:
        """Return where the factor of each path is at its height, which is after its admission."""
        places: Integers = np.minimum(heights + self.shift, self.end)
        return places

    @property
    def settled(self) -> Integers:
        """First heights at which prices move no more."""
        return self.end - self.shift


def paths_of(paths: list[Path]) -> Paths:
    """Return paths whose ladders have been climbed in columns."""
    factors = [min(factor, LARGEST) for path in paths for factor in path.ladder]
    return _paths(
        np.array([path.admitted for path in paths], dtype=np.int64),
        np.array([path.expires for path in paths], dtype=np.int64),
        np.array([len(path.ladder) for path in paths], dtype=np.int64),
        np.array(factors, dtype=np.int64),
    )


def climbed(
    admitted: Integers, expires: Integers, opening: Integers, step: Integers, *, rising: bool
) -> Paths:
    """Return the paths of open bids (`rising`) or asks, a row for each.

    `opening` in parts per million, `step` as `fixed.poisson_step` gives it.  No ladder has more
    rungs than LONGEST_LADDER: no such order is ever open.
    """
    count = len(opening)
    limit = (UNIT - 1) // opening if rising else UNIT // opening
    live = np.flatnonzero(limit >= ONE) if rising else np.flatnonzero(limit < ONE)
    growth: Integers = np.full(live.size, ONE, dtype=np.int64)
    rungs: list[tuple[Integers, Integers]] = []
    high, low = step[live] >> _LANE, step[live] & _LANE_MASK
    most = LARGEST // opening[live]
    columns: tuple[Integers, ...] = (live, opening[live], most, limit[live], high, low)
    while live.size and len(rungs) < LONGEST_LADDER:
        live, open_at, most, bound, high, low = columns
        factor = growth * open_at
        rungs.append((live, factor if rising else np.where(growth > most, LARGEST, factor)))
        above, below = growth >> _LANE, growth & _LANE_MASK
        middle = above * low + below * high + (below * low >> _LANE)
        change = above * high + (middle >> _LANE)
        growth = growth + change if rising else growth - change
        goes_on = growth <= bound if rising else growth > bound
        if not goes_on.all():
            growth = growth[goes_on]
            columns = tuple(column[goes_on] for column in columns)
            live = columns[0]
    lengths: Integers = np.ones(count, dtype=np.int64)
    for rows, _ in rungs:
        lengths[rows] += 1
    begins = np.cumsum(lengths) - lengths
    factors: Integers = np.full(int(lengths.sum()), UNIT, dtype=np.int64)
    for number, (rows, factor) in enumerate(rungs):
        factors[begins[rows] + number] = factor
    return _paths(admitted, expires, lengths, factors)


def _paths(admitted: Integers, expires: Integers, lengths: Integers, factors: Integers) -> Paths:
    ends = np.cumsum(lengths)
    return Paths(
        admitted, expires, ends - lengths - admitted, ends - 1, factors, factors >> COARSE_SHIFT
    )
