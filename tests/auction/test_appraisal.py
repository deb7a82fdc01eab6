"""A whole side valued at once: what pairing finds for each pair, in the order admission wants."""

import random

import numpy as np
import pytest

from auction.actions import Ask, Bid, CostModel, UtilityModel
from auction.appraisal import (
    ask_columns,
    ask_row,
    bid_columns,
    bid_row,
    quotes_of,
    single,
    values_and_costs,
)
from auction.brokers import Tariff
from auction.crossing import paths_of
from auction.orders import OpenOrder
from auction.pairing import AskSide, BidSide, evaluate
from auction.pricing import Quote
from ledger.types import Digest
from tests.auction.test_random_market import random_ask, random_bid
from tests.auction.town import KEYS, TARIFFS


def random_sides(chance: random.Random) -> tuple[list[BidSide], list[AskSide]]:
    """Return orders of all kinds, admitted at different heights; some hold extreme numbers."""
    bids, asks = [], []
    for number in range(40):
        bid, ask = random_bid(chance, 20), random_ask(chance, 20)
        if number % 9 == 0:
            bid = Bid(**{**fields(bid), "valuation": UtilityModel(2**40, chance.randint(1, 9))})
            cost = CostModel(10**9, 10**8, 10**6, 0, 10**12, 0, 0)
            ask = Ask(**{**fields(ask), "cost": cost})
        bids.append(BidSide(opened(chance, bid, 400), bid))
        asks.append(AskSide(opened(chance, ask, min_of(ask)), ask))
    return bids, asks


def fields(order: Bid | Ask) -> dict[str, object]:
    return {name: getattr(order, name) for name in order.__struct_fields__}


def min_of(ask: Ask) -> int:
    parts = ask.resources
    return min(parts.computation, parts.communication, parts.modelling)


def opened(chance: random.Random, terms: Bid | Ask, resource: int) -> OpenOrder:
    return OpenOrder(
        owner=chance.choice(KEYS[:6]).address,
        submitted=1,
        admitted=chance.randint(10, 25),
        reserved_micro=0,
        resource=resource,
        terms=terms,
    )


def one_by_one(bids: list[BidSide], asks: list[AskSide], tariff: Tariff) -> list[Quote | None]:
    return [evaluate(bid, ask, tariff) for bid in bids for ask in asks]


@pytest.mark.parametrize("tariff", TARIFFS)
def test_a_side_at_once_is_quoted_as_pair_by_pair(tariff: Tariff) -> None:
    chance = random.Random(12)
    bids, asks = random_sides(chance)
    owners = {key.address: number for number, key in enumerate(KEYS)}
    names: list[Digest] = [chance.randbytes(32) for _ in range(40)]
    bid_side, ask_side = bid_columns(), ask_columns()
    for bid, ask in zip(bids, asks, strict=True):
        bid_side.append(bid_row(bid.order, bid.terms, owners[bid.order.owner]))
        ask_side.append(ask_row(ask.order, ask.terms, owners[ask.order.owner]))
    found = 0
    for number in range(40):
        one_bid, one_ask = bids[number], asks[number]
        for columns, expected, pairs, paths in (
            (
                (single(tuple(bid_side.all()[:, number].tolist())), ask_side.all()),
                one_by_one([one_bid], asks, tariff),
                lambda row, bid=one_bid: (bid, asks[row]),
                lambda rows, bid=one_bid: (
                    paths_of([bid.path]),
                    paths_of([asks[row].path for row in rows.tolist()]),
                ),
            ),
            (
                (bid_side.all(), single(tuple(ask_side.all()[:, number].tolist()))),
                one_by_one(bids, [one_ask], tariff),
                lambda row, ask=one_ask: (bids[row], ask),
                lambda rows, ask=one_ask: (
                    paths_of([bids[row].path for row in rows.tolist()]),
                    paths_of([ask.path]),
                ),
            ),
        ):
            worth = values_and_costs(*columns, pairs)
            quoted = list(quotes_of(tariff, worth, names, pairs, paths))
            wanted = [(name, q) for name, q in zip(names, expected, strict=True) if q is not None]
            wanted.sort(key=lambda entry: (-entry[1].weight, entry[0]))
            assert quoted == wanted
            found += len(quoted)
    assert found > 100


def test_columns_grow_and_keep_their_rows() -> None:
    columns = bid_columns()
    rows = [tuple(range(start, start + 9)) for start in range(50)]
    for row in rows[:20]:
        columns.append(row)
    assert columns.all().T.tolist() == [list(row) for row in rows[:20]]
    for row in rows[20:]:
        columns.append(row)
    assert columns.all().T.tolist() == [list(row) for row in rows]
    assert columns.all().dtype == np.int64
