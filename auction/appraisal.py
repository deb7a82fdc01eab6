"""One order held against a whole side of its book at once.

`values_and_costs` gives, for a new order and every order opposite, whether the two fit and what the
service is worth and costs; `quotes_of` where each pair crosses and at which prices.  They are the
integers of `auction.pairing` pair by pair, at a hundredth of the time.  Rows that arrays cannot
hold in 63 bits are worked out one by one.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from auction.book_sides import ADMITTED, EXPIRES, OWNER, TERMS, Side
from auction.brokers import Tariff, buyer_fee, seller_fee
from auction.crossing import Crossings, find_crossings, find_crossings_by_round
from auction.fixed_arrays import Integers
from auction.pairing import AskSide, BidSide, evaluate
from auction.pricing import Quote, quote_pair
from auction.valuation_arrays import Booleans, CostColumns, costs_of_service, values_of_service
from ledger.types import Digest

FEW = 40
"""Orders up to which pair by pair is faster: arrays take about a millisecond however few."""

Bids = Side[BidSide]
Asks = Side[AskSide]


def _pair(bids: Bids, asks: Asks, row: int) -> tuple[BidSide, AskSide]:
    """Return the orders of a row; the side of one order has it in every row."""
    bid = bids.prepared(row if len(bids.orders) > 1 else 0)
    return bid, asks.prepared(row if len(asks.orders) > 1 else 0)


def values_and_costs(bids: Bids, asks: Asks) -> tuple[Booleans, Integers, Integers]:
    """Return for each pair whether it fits, the value G and the cost C.

    One of the two sides is a single order, which meets every row of the other.  Value and cost of a
    pair that does not fit mean nothing.
    """
    buying, selling = bids.columns(), asks.columns()
    utility, limit, gamma, theta, blocks, interval, least, largest = buying[TERMS]
    model, floor, *shape, resource, longest = selling[TERMS]
    strangers = (buying[OWNER] != selling[OWNER]).any(axis=0)
    fits = (resource >= least) & (blocks <= longest) & strangers
    value, value_holds = values_of_service(
        limit, gamma, theta, blocks, np.minimum(resource, largest)
    )
    cost, cost_holds = costs_of_service(CostColumns(*shape), theta, blocks, interval)
    value = np.where(utility == 1, value, limit)
    cost = np.where(model == 1, cost, floor)
    holds = (value_holds | (utility == 0)) & (cost_holds | (model == 0))
    for row in np.flatnonzero(fits & ~holds).tolist():
        bid, ask = _pair(bids, asks, row)
        exact = ask.cost(bid.terms)
        value[row] = bid.value(ask.order.resource)
        cost[row] = -1 if exact is None else exact
    return fits & (cost >= 0), value, cost


def quotes_of(
    tariff: Tariff, bids: Bids, asks: Asks, orders: Sequence[Digest]
) -> Iterator[tuple[Digest, Quote]]:
    """Yield (order, terms) of every pair that fits and can cross: heaviest first, then lower id.

    One of the two sides is a single order; `orders` are those of the other side.
    """
    if len(orders) <= FEW:
        return _one_by_one(tariff, bids, asks, orders)
    return _all_at_once(tariff, bids, asks, orders)


def _one_by_one(
    tariff: Tariff, bids: Bids, asks: Asks, orders: Sequence[Digest]
) -> Iterator[tuple[Digest, Quote]]:
    found = []
    for row, order in enumerate(orders):
        quote = evaluate(*_pair(bids, asks, row), tariff)
        if quote is not None:
            found.append((order, quote))
    found.sort(key=lambda entry: (-entry[1].weight, entry[0]))
    return iter(found)


def _all_at_once(
    tariff: Tariff, bids: Bids, asks: Asks, orders: Sequence[Digest]
) -> Iterator[tuple[Digest, Quote]]:
    fits, values, costs = values_and_costs(bids, asks)
    room = values - costs - (buyer_fee(tariff, 1) + seller_fee(tariff, 1))
    rows = np.flatnonzero(fits & (room >= 0))
    worth = (values[rows], costs[rows])
    found = _crossings(tariff, rows, worth, bids, asks)
    together = np.maximum(*(_column(side, ADMITTED, rows) for side in (bids, asks)))
    weights = found.bid - found.ask
    if tariff.weights == "spread":
        counted = found.height - together if tariff.fee_basis == "round" else 1
        weights = weights + tariff.lambda_micro * counted
    for place in np.flatnonzero(~found.sure).tolist():
        row = int(rows[place])
        bid, ask = _pair(bids, asks, row)
        quote = quote_pair(tariff, int(worth[0][place]), int(worth[1][place]), bid.path, ask.path)
        found.crosses[place] = quote is not None
        if quote is not None:
            found.height[place], weights[place] = quote.crossed, quote.weight
            found.bid[place], found.ask[place] = quote.bid, quote.ask
    rounds = np.where(tariff.weights == "surplus", 1, found.height - together)
    columns = (rows, weights, found.height, found.bid, found.ask, rounds)
    live = found.crosses
    yield from _heaviest_first([column[live] for column in columns], orders)


def _heaviest_first(
    columns: Sequence[Integers], orders: Sequence[Digest]
) -> Iterator[tuple[Digest, Quote]]:
    """Yield (order, terms) by falling weight, of one weight by id.

    The columns are row, weight, height, bid, ask, rounds.
    """
    ranked = np.argsort(-columns[1], kind="stable")
    names, weights, heights, bids, asks, rounds = (column[ranked].tolist() for column in columns)
    begin, count = 0, len(names)
    while begin < count:
        end = begin + 1
        while end < count and weights[end] == weights[begin]:
            end += 1
        run = sorted((orders[names[place]], place) for place in range(begin, end))
        for order, at in run:
            yield order, Quote(weights[at], heights[at], bids[at], asks[at], rounds[at])
        begin = end


def _crossings(
    tariff: Tariff, rows: Integers, worth: tuple[Integers, Integers], bids: Bids, asks: Asks
) -> Crossings:
    """Find where all pairs cross at once, as the tariff has it."""
    values, costs = worth
    caps, floors = values - buyer_fee(tariff, 1), costs + seller_fee(tariff, 1)
    if tariff.weights == "surplus" or not rows.size:
        # No price moves: who meets at all meets in the first round both are there.
        first = np.maximum(*(_column(side, ADMITTED, rows) for side in (bids, asks))) + 1
        last = np.minimum(*(_column(side, EXPIRES, rows) for side in (bids, asks)))
        return Crossings(last >= first, first, caps, floors, np.ones(rows.size, dtype=np.bool_))
    buying, selling = bids.paths(), asks.paths()
    buying = buying.take(rows) if len(bids.orders) > 1 else buying
    selling = selling.take(rows) if len(asks.orders) > 1 else selling
    if tariff.fee_basis == "deal":
        return find_crossings((values, caps, buying), (costs, floors, selling))
    return find_crossings_by_round(tariff, (values, buying), (costs, selling))


def _column(side: Bids | Asks, field: int, rows: Integers) -> Integers:
    column: Integers = side.columns()[field]
    return column[rows] if column.size > 1 else np.broadcast_to(column, rows.shape)
