"""A whole side valued at once: what pairing finds for each pair, in the order admission wants."""

import random

import numpy as np
import pytest
from msgspec.structs import replace

from auction import keys
from auction.actions import Ask, Bid, CostModel, UtilityModel
from auction.appraisal import Asks, Bids, quotes_of
from auction.book_sides import Side, pack
from auction.brokers import Tariff
from auction.orders import OpenOrder
from auction.pairing import AskSide, BidSide, evaluate
from auction.pricing import Quote
from ledger.types import Digest
from tests.auction.test_random_market import random_ask, random_bid
from tests.auction.town import KEYS, TARIFFS

DEAR_ROUNDS = replace(TARIFFS[1], lambda_micro=2**50)
FREE_ROUNDS = replace(TARIFFS[1], lambda_micro=1, sigma_ppm=1_000_000)


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


def bids_of(orders: list[BidSide], names: list[Digest]) -> Bids:
    prepared = dict(zip(names, orders, strict=True))
    rows = [(name, pack(one.order)) for name, one in prepared.items()]
    return Side(keys.BIDS, rows, prepared.__getitem__)


def asks_of(orders: list[AskSide], names: list[Digest]) -> Asks:
    prepared = dict(zip(names, orders, strict=True))
    rows = [(name, pack(one.order)) for name, one in prepared.items()]
    return Side(keys.ASKS, rows, prepared.__getitem__)


@pytest.mark.parametrize("few", [0, 40])
@pytest.mark.parametrize("tariff", [*TARIFFS, DEAR_ROUNDS, FREE_ROUNDS])
def test_a_side_at_once_is_quoted_as_pair_by_pair(
    tariff: Tariff, few: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("auction.appraisal.FEW", few)
    chance = random.Random(12)
    bids, asks = random_sides(chance)
    names: list[Digest] = [chance.randbytes(32) for _ in range(40)]
    all_bids, all_asks = bids_of(bids, names), asks_of(asks, names)
    found = 0
    for number in range(40):
        one_bid, one_ask = bids[number], asks[number]
        for buying, selling, expected in (
            (bids_of([one_bid], names[:1]), all_asks, one_by_one([one_bid], asks, tariff)),
            (all_bids, asks_of([one_ask], names[:1]), one_by_one(bids, [one_ask], tariff)),
            (
                bids_of([one_bid], names[:1]),
                asks_of([one_ask], names[:1]),
                one_by_one([one_bid], [one_ask], tariff),
            ),
        ):
            named = names[: len(expected)]
            quoted = list(quotes_of(tariff, buying, selling, named))
            wanted = [(name, q) for name, q in zip(named, expected, strict=True) if q is not None]
            wanted.sort(key=lambda entry: (-entry[1].weight, entry[0]))
            assert quoted == wanted
            found += len(quoted)
    assert found > 100 or tariff == DEAR_ROUNDS


def test_a_side_grows_and_keeps_its_rows_and_paths() -> None:
    chance = random.Random(13)
    bids, _ = random_sides(chance)
    names: list[Digest] = [chance.randbytes(32) for _ in range(40)]
    whole = bids_of(bids, names)
    prepared = dict(zip(names, bids, strict=True))
    growing: Bids = Side(keys.BIDS, [], prepared.__getitem__)
    for name, bid in zip(names[:2], bids[:2], strict=True):
        growing.append(name, pack(bid.order))
    growing.paths()
    for name, bid in zip(names[2:], bids[2:], strict=True):
        growing.append(name, pack(bid.order))
        growing.columns()
    assert growing.columns().tolist() == whole.columns().tolist()
    for field in ("admitted", "expires", "shift", "end", "factors", "coarse"):
        assert (getattr(growing.paths(), field) == getattr(whole.paths(), field)).all()
    assert growing.columns().dtype == np.int64
