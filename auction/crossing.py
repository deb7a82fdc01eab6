"""Where the prices of many pairs cross: the bisection of `auction/pricing.py` over arrays.

One side of every pair is one order, the other an order of a whole side of the book.  Prices are
first compared to about 28 binary digits, which finds a height for every pair; exact prices there
and one height before then say whether it is the one, since prices that have crossed stay crossed.
The few pairs where it is not are the caller's, by the plain function.  All integers are those of
the plain function; a product of a price and a factor takes up to 114 bits, in lanes of 40.
"""

from dataclasses import dataclass

import numpy as np

from auction.pairs import Booleans, Integers
from auction.pricing import UNIT, Path
from ledger.types import PPM

_LANE, _HALF = 40, 20
_LANE_MASK, _HALF_MASK = (1 << _LANE) - 1, (1 << _HALF) - 1
_LARGEST = (1 << 63) - 1
"""Stands for a factor of 2^63 and more, of an ask that opens at over eight times its cost."""

_COARSE_BITS = 30
_COARSE_SHIFT = 32
_COARSE_UNIT = UNIT >> _COARSE_SHIFT


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

    def places(self, heights: Integers) -> Integers:
        """Return where the factor of each path is at its height, which is after its admission."""
        places: Integers = np.minimum(heights + self.shift, self.end)
        return places

    @property
    def settled(self) -> Integers:
        """First heights at which prices move no more."""
        return self.end - self.shift


class PathColumns:
    """Price paths kept by column, growing at the end."""

    __slots__ = ("_fresh", "_paths", "count")

    def __init__(self) -> None:
        self._paths = paths_of([])
        self._fresh: list[Path] = []
        self.count = 0

    def append(self, path: Path) -> None:
        """Add a path."""
        self._fresh.append(path)
        self.count += 1

    def all(self) -> Paths:
        """Return the paths."""
        if self._fresh:
            old, new = self._paths, paths_of(self._fresh)
            size = old.factors.size
            columns = (
                (old.admitted, new.admitted),
                (old.expires, new.expires),
                (old.shift, new.shift + size),
                (old.end, new.end + size),
                (old.factors, new.factors),
                (old.coarse, new.coarse),
            )
            self._paths = Paths(*(np.concatenate(column) for column in columns))
            self._fresh = []
        return self._paths


def paths_of(paths: list[Path]) -> Paths:
    """Return paths in columns."""
    admitted = np.array([path.admitted for path in paths], dtype=np.int64)
    ends = np.cumsum(np.array([len(path.ladder) for path in paths], dtype=np.int64))
    begins = np.concatenate([np.zeros(1, dtype=np.int64), ends])[:-1]
    factors = np.array(
        [min(factor, _LARGEST) for path in paths for factor in path.ladder], dtype=np.int64
    )
    return Paths(
        admitted,
        np.array([path.expires for path in paths], dtype=np.int64),
        begins - admitted,
        ends - 1,
        factors,
        factors >> _COARSE_SHIFT,
    )


@dataclass(frozen=True, slots=True)
class Crossings:
    """Per pair: whether it crosses while both are open, where, at which prices, and if it is sure.

    Where `sure` does not hold the rest of the row means nothing.
    """

    crosses: Booleans
    height: Integers
    bid: Integers
    ask: Integers
    sure: Booleans


def find_crossings(
    buyers: tuple[Integers, Integers, Paths], sellers: tuple[Integers, Integers, Paths]
) -> Crossings:
    """Find the first height at which each pair's bid reaches its ask, fees by the deal.

    Either side is (worth, reservation, paths): value and cap, cost and floor, with cap >= floor;
    numbers below 2^51, rows aligned (a side of one order is broadcast).
    """
    bid_paths, ask_paths = buyers[2], sellers[2]
    first = np.maximum(bid_paths.admitted, ask_paths.admitted) + 1
    last = np.minimum(bid_paths.expires, ask_paths.expires)
    settled = np.maximum(bid_paths.settled, ask_paths.settled)
    low, high = first.copy(), np.maximum(first, np.minimum(last, settled))
    coarse = _coarse(buyers, sellers)
    while bool((low < high).any()):
        middle = (low + high) >> 1
        bids = np.minimum(coarse[0] * bid_paths.coarse[bid_paths.places(middle)], coarse[1])
        asks = np.maximum(coarse[2] * ask_paths.coarse[ask_paths.places(middle)], coarse[3])
        crossed = bids >= asks
        low = np.where(crossed | (low == high), low, middle + 1)
        high = np.where(crossed, middle, high)
    before = np.maximum(first, low - 1)
    bids, asks, exact = _prices(buyers, sellers, np.stack([low, before]))
    meets, met_before = bids >= asks
    earlier = met_before & (before < low)
    opens = last >= first
    sure = exact.all(axis=0) & ~earlier & (meets | (low == last))
    return Crossings(meets & opens, low, bids[0], asks[0], sure | ~opens)


def _coarse(
    buyers: tuple[Integers, Integers, Paths], sellers: tuple[Integers, Integers, Paths]
) -> tuple[Integers, Integers, Integers, Integers]:
    """Return value, cap, cost, floor to a common number of digits, the limits in coarse units."""
    columns = (*buyers[:2], *sellers[:2])
    top = max(int(column.max(initial=0)) for column in columns)
    shift = max(0, top.bit_length() - _COARSE_BITS)
    value, cap, cost, floor = (column >> shift for column in columns)
    return value, cap * _COARSE_UNIT, cost, floor * _COARSE_UNIT


def _prices(
    buyers: tuple[Integers, Integers, Paths],
    sellers: tuple[Integers, Integers, Paths],
    heights: Integers,
) -> tuple[Integers, Integers, Booleans]:
    """Return `pricing.bid_price` and `pricing.ask_price` of every pair, and whether they are."""
    value, cap, bid_paths = buyers
    cost, floor, ask_paths = sellers
    rise = bid_paths.factors[bid_paths.places(heights)]
    fall = ask_paths.factors[ask_paths.places(heights)]
    bid, _ = _times_factor(value, rise)
    ask, part = _times_factor(cost, fall)
    return np.minimum(cap, bid), np.maximum(floor, ask + part), fall < _LARGEST


def _times_factor(worth: Integers, factor: Integers) -> tuple[Integers, Booleans]:
    """Return worth * factor / UNIT rounded down, and whether something is left over.

    worth < 2^51, factor < 2^63.  The product is  upper * 2^80 + middle * 2^40 + lower.
    """
    one, two = worth & _HALF_MASK, worth >> _HALF
    low, mid, top = factor & _HALF_MASK, (factor >> _HALF) & _HALF_MASK, factor >> _LANE
    at_20 = two * low + one * mid
    at_60 = two * top
    lower = one * low + ((at_20 & _HALF_MASK) << _HALF)
    middle = two * mid + one * top + (at_20 >> _HALF) + (lower >> _LANE)
    middle += (at_60 & _HALF_MASK) << _HALF
    upper = (middle >> _LANE) + (at_60 >> _HALF)
    whole, rest = np.divmod(upper, PPM)
    low_whole, low_rest = np.divmod((rest << _LANE) + (middle & _LANE_MASK), PPM)
    return (whole << _LANE) + low_whole, (low_rest > 0) | ((lower & _LANE_MASK) > 0)
