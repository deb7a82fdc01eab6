"""One order held against a whole side of its book at once.

A side keeps what valuation needs of its orders in columns.  `values_and_costs` gives, for a new
order and every order opposite, whether the two fit and what the service is worth and costs: the
integers of `auction.pairing` pair by pair, at a hundredth of the time.  Rows that arrays cannot
hold in 63 bits are valued one by one.  Prices and crossings are the caller's.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby

import numpy as np

from auction.actions import Ask, Bid, FlatFloor, UtilityModel
from auction.brokers import Tariff, buyer_fee, seller_fee
from auction.crossing import Paths, find_crossings
from auction.fixed_arrays import Integers
from auction.orders import OpenOrder
from auction.pairing import AskSide, BidSide
from auction.pricing import Quote, quote_pair
from auction.valuation_arrays import Booleans, CostColumns, costs_of_service, values_of_service
from ledger.types import PPM, Digest

_BID_FIELDS = 9
_ASK_FIELDS = 12


class Columns:
    """Rows of integers kept by column, growing at the end."""

    __slots__ = ("_columns", "_fresh")

    def __init__(self, width: int) -> None:
        self._columns = np.zeros((width, 0), dtype=np.int64)
        self._fresh: list[tuple[int, ...]] = []

    def append(self, row: tuple[int, ...]) -> None:
        """Add a row."""
        self._fresh.append(row)

    def all(self) -> Integers:
        """Return the rows, a line for each column."""
        if self._fresh:
            fresh = np.array(self._fresh, dtype=np.int64).T
            self._columns = np.concatenate([self._columns, fresh], axis=1)
            self._fresh = []
        return self._columns


def bid_columns() -> Columns:
    """Return room for bids."""
    return Columns(_BID_FIELDS)


def ask_columns() -> Columns:
    """Return room for asks."""
    return Columns(_ASK_FIELDS)


def single(row: tuple[int, ...]) -> Integers:
    """Return one row in columns, to meet every row of the other side."""
    return np.array(row, dtype=np.int64).reshape(-1, 1)


def bid_row(order: OpenOrder, bid: Bid, owner: int) -> tuple[int, ...]:
    """Return the row of a bid; `owner` is the number of its account in this book."""
    valuation = bid.valuation
    if isinstance(valuation, UtilityModel):
        terms = (1, valuation.value_micro, valuation.gamma_nano)
    else:
        terms = (0, valuation.limit_micro, 0)
    service = (bid.theta_milli, bid.service_blocks, bid.interval_blocks, bid.least_resource)
    return (owner, *terms, *service, order.resource)


def ask_row(order: OpenOrder, ask: Ask, owner: int) -> tuple[int, ...]:
    """Return the row of an ask."""
    cost = ask.cost
    if isinstance(cost, FlatFloor):
        terms = (0, cost.floor_micro, 0, 0, PPM, 0, 0, 0, 0)
    else:
        shape = (cost.r_micro, cost.d_micro, cost.eta_ppm, cost.epsilon_micro)
        terms = (1, 0, *shape, cost.a_micro, cost.b_micro, cost.c_micro)
    return (owner, *terms, order.resource, ask.longest_blocks)


def values_and_costs(
    bids: Integers, asks: Integers, pairs: Callable[[int], tuple[BidSide, AskSide]]
) -> tuple[Booleans, Integers, Integers]:
    """Return for each pair whether it fits, the value G and the cost C.

    One of the two sides is a single row, which meets every row of the other; `pairs` gives the
    orders of a row.  Value and cost of a pair that does not fit mean nothing.
    """
    bid_owner, utility, limit, gamma, theta, blocks, interval, least, largest = bids
    ask_owner, model, floor, *shape, resource, longest = asks
    fits = (resource >= least) & (blocks <= longest) & (bid_owner != ask_owner)
    value, value_holds = values_of_service(
        limit, gamma, theta, blocks, np.minimum(resource, largest)
    )
    cost, cost_holds = costs_of_service(CostColumns(*shape), theta, blocks, interval)
    value = np.where(utility == 1, value, limit)
    cost = np.where(model == 1, cost, floor)
    holds = (value_holds | (utility == 0)) & (cost_holds | (model == 0))
    for row in np.flatnonzero(fits & ~holds).tolist():
        bid, ask = pairs(row)
        exact = ask.cost(bid.terms)
        value[row] = bid.value(ask.order.resource)
        cost[row] = -1 if exact is None else exact
    return fits & (cost >= 0), value, cost


def quotes_of(
    tariff: Tariff,
    worth: tuple[Booleans, Integers, Integers],
    orders: Sequence[Digest],
    pairs: Callable[[int], tuple[BidSide, AskSide]],
    paths: Callable[[Integers], tuple[Paths, Paths]],
) -> Iterator[tuple[Digest, Quote]]:
    """Yield (order, terms) of every pair that fits and can cross: heaviest first, then lower id.

    Under `surplus` the weight is what value leaves over cost and fee, so pairs are put in order
    first and quoted as they are asked for.  Under `spread` it depends on where prices cross: found
    for all at once where the fee counts deals, pair by pair where it counts rounds.
    """
    fits, values, costs = worth
    room = values - costs - (buyer_fee(tariff, 1) + seller_fee(tariff, 1))
    rows = np.flatnonzero(fits & (room >= 0))
    if tariff.weights == "surplus":
        for place in _heaviest_first(rows, room[rows], orders):
            row = int(rows[place])
            quote = _quote(tariff, int(values[row]), int(costs[row]), pairs(row))
            if quote is not None:
                yield orders[row], quote
        return
    if tariff.fee_basis == "deal":
        yield from _quotes_by_deal(tariff, rows, (values[rows], costs[rows]), orders, pairs, paths)
        return
    found = []
    columns = (rows.tolist(), values[rows].tolist(), costs[rows].tolist())
    for row, value, cost in zip(*columns, strict=True):
        quote = _quote(tariff, value, cost, pairs(row))
        if quote is not None:
            found.append((orders[row], quote))
    found.sort(key=lambda entry: (-entry[1].weight, entry[0]))
    yield from found


def _quotes_by_deal(
    tariff: Tariff,
    rows: Integers,
    worth: tuple[Integers, Integers],
    orders: Sequence[Digest],
    pairs: Callable[[int], tuple[BidSide, AskSide]],
    paths: Callable[[Integers], tuple[Paths, Paths]],
) -> Iterator[tuple[Digest, Quote]]:
    """Find all crossings at once; yield the quotes, made as they are asked for."""
    values, costs = worth
    bids, asks = paths(rows)
    found = find_crossings(
        (values, values - buyer_fee(tariff, 1), bids),
        (costs, costs + seller_fee(tariff, 1), asks),
    )
    for place in np.flatnonzero(~found.sure).tolist():
        row = int(rows[place])
        quote = _quote(tariff, int(values[place]), int(costs[place]), pairs(row))
        found.crosses[place] = quote is not None
        if quote is not None:
            found.height[place] = quote.crossed
            found.bid[place], found.ask[place] = quote.bid, quote.ask
    live = np.flatnonzero(found.crosses)
    weights = found.bid - found.ask + tariff.lambda_micro
    together = np.maximum(bids.admitted, asks.admitted)
    for index in _heaviest_first(rows[live], weights[live], orders):
        place = int(live[index])
        height = int(found.height[place])
        terms = (int(found.bid[place]), int(found.ask[place]))
        since = int(together[place])
        yield orders[rows[place]], Quote(int(weights[place]), height, *terms, height - since)


def _quote(tariff: Tariff, value: int, cost: int, pair: tuple[BidSide, AskSide]) -> Quote | None:
    bid, ask = pair
    return quote_pair(tariff, value, cost, bid.path, ask.path)


def _heaviest_first(rows: Integers, weights: Integers, orders: Sequence[Digest]) -> Iterator[int]:
    """Yield places of rows by falling weight; rows of one weight by the id of their order."""
    ranked = np.argsort(-weights, kind="stable")
    names: list[int] = rows.tolist()
    by_weight = zip(ranked.tolist(), weights[ranked].tolist(), strict=True)
    for _, run in groupby(by_weight, key=lambda entry: entry[1]):
        yield from sorted((place for place, _ in run), key=lambda place: orders[names[place]])
