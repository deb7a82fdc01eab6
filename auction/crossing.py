"""Where the prices of many pairs cross: the bisection of `auction/pricing.py` over arrays.

One side of every pair is one order, the other an order of a whole side of the book.  Prices are
first compared to about 28 binary digits, which finds a height for every pair; exact prices there
and one height before then say whether it is the one, since prices that have crossed stay crossed.
The few pairs where it is not are the caller's, by the plain function.  All integers are those of
the plain function; a product of a price and a factor takes up to 114 bits, in lanes of 40.
"""

from dataclasses import dataclass

import numpy as np

from auction.brokers import Tariff
from auction.pairs import Booleans, Integers
from auction.paths import COARSE_SHIFT, LARGEST, Paths
from auction.pricing import UNIT
from ledger.types import PPM

_LANE, _HALF = 40, 20
_LANE_MASK, _HALF_MASK = (1 << _LANE) - 1, (1 << _HALF) - 1

_COARSE_BITS = 30
_COARSE_UNIT = UNIT >> COARSE_SHIFT


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


def find_crossings_by_round(
    tariff: Tariff, buyers: tuple[Integers, Paths], sellers: tuple[Integers, Paths]
) -> Crossings:
    """Find the same where the fee counts rounds: either side is (worth, paths), value >= cost.

    As in the plain function: unclamped prices are monotone, so from where those have crossed one
    round after the other is tried, each with its fee, until the clamps have passed each other.
    """
    (values, bid_paths), (costs, ask_paths) = buyers, sellers
    start = find_crossings((values, values, bid_paths), (costs, costs, ask_paths))
    together = np.maximum(bid_paths.admitted, ask_paths.admitted) + np.zeros_like(values)
    settled = np.maximum(bid_paths.settled, ask_paths.settled)
    last = np.minimum(
        np.minimum(bid_paths.expires, ask_paths.expires), np.maximum(together + 1, settled)
    )
    height, bid, ask = start.height.copy(), start.bid.copy(), start.ask.copy()
    crosses, sure = np.zeros_like(start.crosses), start.sure.copy()
    live = np.flatnonzero(start.crosses & start.sure)
    while live.size:
        at = height[live]
        total = tariff.lambda_micro * (at - together[live])
        own = total // PPM * tariff.sigma_ppm + total % PPM * tariff.sigma_ppm // PPM
        cap, floor = values[live] - own, costs[live] + total - own
        may = (cap >= floor) & (at <= last[live])
        bids, asks, exact = _prices(
            (values[live], cap, _rows(bid_paths, live)),
            (costs[live], floor, _rows(ask_paths, live)),
            at,
        )
        meets = may & (bids >= asks)
        crosses[live], bid[live], ask[live] = meets, bids, asks
        sure[live] = exact | ~may
        live = live[may & exact & ~meets]
        height[live] += 1
    return Crossings(crosses, height, bid, ask, sure)


def _rows(paths: Paths, rows: Integers) -> Paths:
    """Return the paths of some rows; a side of one order meets every row."""
    return paths if paths.admitted.size == 1 else paths.take(rows)


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
    return np.minimum(cap, bid), np.maximum(floor, ask + part), fall < LARGEST


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
