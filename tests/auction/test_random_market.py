"""Thousands of random operations against the slow model, block by block."""

import random
from typing import Any

import pytest

from auction.actions import Ask, Bid, Cancel, CostModel, FlatFloor, FlatLimit, Rate, UtilityModel
from auction.orders import committed_resources
from auction.parameters import MarketParameters
from ledger.accounts import read_account
from ledger.crypto import SigningKey
from ledger.members import Resources
from tests.auction.invariants import check_tables
from tests.auction.model import TARIFF_OF, Model
from tests.auction.town import BUYERS, KEYS, RICH, SERVERS, TARIFFS, Town, ask, bid

FEE = 7
BLOCKS = 60
PER_SEED = 400
"""Operations of one seed, about."""

OPERATIONS = 10_000
"""Operations of the test; `scripts/market_campaign.py` runs a hundred times as many."""


def random_bid(chance: random.Random, height: int) -> Bid:
    """Return a bid that usually fits."""
    valuation: FlatLimit | UtilityModel = FlatLimit(chance.randint(200, 3_000))
    if chance.random() < 0.4:
        valuation = UtilityModel(chance.randint(50, 400), chance.randint(1, 10**8))
    return bid(
        chance.randrange(len(TARIFFS)),
        valuation=valuation,
        expires=height + chance.randint(0, 14),
        open_ppm=chance.choice((10**6, chance.randint(200_000, 10**6))),
        omega_micro=chance.randint(50_000, 2_000_000),
        mu=chance.choice((1, 1, 2)),
        service_blocks=chance.randint(1, 8),
        interval_blocks=chance.randint(1, 4),
        theta_milli=chance.randint(500, 3_000),
        least_resource=chance.choice((0, 0, 60, 120)),
    )


def random_ask(chance: random.Random, height: int) -> Ask:
    """Return an ask that usually fits."""
    cost: FlatFloor | CostModel = FlatFloor(chance.randint(50, 2_000))
    if chance.random() < 0.4:
        numbers = [chance.randint(0, 60) for _ in range(7)]
        numbers[2] = 10**6 + chance.randint(0, 100)
        cost = CostModel(*numbers)
    return ask(
        chance.randrange(len(TARIFFS)),
        cost=cost,
        expires=height + chance.randint(0, 14),
        open_ppm=chance.choice((10**6, chance.randint(10**6, 4 * 10**6))),
        omega_micro=chance.randint(50_000, 2_000_000),
        mu=chance.choice((1, 1, 2)),
        longest_blocks=chance.randint(3, 10),
        resources=Resources(*(chance.randint(50, 300) for _ in range(3))),
    )


def random_entries(
    chance: random.Random, model: Model, ended: list[str], height: int
) -> list[tuple[SigningKey, Any]]:
    """Return the transactions of one block, some of them sure to fail."""
    entries: list[tuple[SigningKey, Any]] = []
    for _ in range(chance.randint(0, 14)):
        kind = chance.random()
        if kind < 0.42:
            entries.append((chance.choice(BUYERS), random_bid(chance, height)))
        elif kind < 0.84:
            entries.append((chance.choice(SERVERS), random_ask(chance, height)))
        elif kind < 0.94 and model.orders:
            order = chance.choice(sorted(model.orders))
            owner = next(key for key in KEYS if key.address == model.orders[order].owner)
            entries.append((chance.choice((owner, owner, KEYS[0])), Cancel(order)))
        elif ended:
            buyer = chance.choice(BUYERS)
            entries.append((buyer, Rate(chance.choice(ended), chance.randint(0, 10_000))))
    return entries


def check_balances(town: Town, model: Model) -> None:
    for key in KEYS:
        account = read_account(town.state, key.address)
        assert account.free == model.free[key.address]
        assert account.reserved == model.reserved(key.address)
    for key in SERVERS:
        used = committed_resources(town.state, key.address)
        parts = (used.computation, used.communication, used.modelling)
        assert parts == model.committed(key.address)
        assert max(parts) <= 4_000


def follow(town: Town, model: Model, entries: list[tuple[SigningKey, Any]]) -> int:
    """Commit a block and let the model do the same; return the number of trades."""
    height = town.height + 1
    codes = town.block(*entries)
    opened = iter(town.of_kind("order.opened"))
    arrivals = []
    for (key, action), code in zip(entries, codes, strict=True):
        model.free[key.address] -= FEE
        if code == "ok" and isinstance(action, Cancel):
            model.closed(action.order)
        if code == "ok" and isinstance(action, (Bid, Ask)):
            arrivals.append((str(next(opened)["order"]), key.address, action))
    best = {broker: model.best(broker, height) for broker in TARIFF_OF}
    trades = town.of_kind("trade.made")
    made = dict.fromkeys(TARIFF_OF, (0, 0))
    for trade in trades:
        weight, count = made[trade["broker"]]
        made[trade["broker"]] = (weight + trade["weight_micro"], count + 1)
        quote = model.quote(trade["bid"], trade["ask"])
        assert quote is not None
        assert (quote.bid, quote.ask) == (trade["bid_micro"], trade["ask_micro"])
        model.traded(trade)
    assert made == best
    for order, owner, action in arrivals:
        model.opened(order, owner, action, height)
    model.pass_height(height)
    return len(trades)


def run_seed(seed: int, blocks: int) -> tuple[int, int]:
    """Follow one random market block by block; return its operations and its trades."""
    chance = random.Random(seed)
    market = MarketParameters(order_deposit_micro=11, largest_resource=400, rating_blocks=4)
    salt = seed.to_bytes(8, "big")
    town = Town(market=market, resources=Resources(4_000, 4_000, 4_000), salt=salt)
    model = Model(market, dict.fromkeys((key.address for key in KEYS), RICH))
    ended: list[str] = []
    operations = trades = 0
    for _ in range(blocks):
        entries = random_entries(chance, model, ended, town.height + 1)
        operations += len(entries)
        trades += follow(town, model, entries)
        check_balances(town, model)
        check_tables(town.state, town.height + 1)
        ended += [data["agreement"] for data in town.of_kind("agreement.ended")]
    return operations, trades


@pytest.mark.parametrize("seed", range(OPERATIONS // PER_SEED))
def test_the_market_does_what_the_slow_model_does(seed: int) -> None:
    """Reserves, resources, quotes, optimal weight and count, money: all equal, every block."""
    operations, trades = run_seed(seed, BLOCKS)
    assert operations > PER_SEED * 2 // 3
    assert trades > 40


@pytest.mark.parametrize("seed", range(3))
def test_tables_agree_when_degrees_and_work_are_tight(seed: int) -> None:
    """Replaced pairs, queued arrivals, deferred rounds: nothing dangles, no money is lost."""
    chance = random.Random(100 + seed)
    market = MarketParameters(
        order_deposit_micro=11,
        largest_resource=400,
        degree_cap=2,
        orders_per_side=6,
        orders_per_account=3,
        pairs_per_block=9,
        work_per_block=10,
    )
    town = Town(market=market, resources=Resources(4_000, 4_000, 4_000), salt=bytes([seed]))
    model = Model(market, dict.fromkeys((key.address for key in KEYS), RICH))
    traded = deferred = 0
    for _ in range(70):
        town.block(*random_entries(chance, model, [], town.height + 1))
        check_tables(town.state, town.height + 1)
        traded += len(town.of_kind("trade.made"))
        deferred += sum(data["deferred"] for data in town.of_kind("round.cleared"))
        open_now = {data["order"]: data for data in town.of_kind("order.opened")}
        for order, data in open_now.items():
            model.opened(str(order), str(data["owner"]), bid(), town.height)
        for data in town.of_kind("order.closed"):
            model.orders.pop(str(data["order"]), None)
    assert traded > 20
    for _ in range(40):
        town.block()
        check_tables(town.state, town.height + 1)
    for key in KEYS:
        assert read_account(town.state, key.address).reserved == 0
    for server in SERVERS:
        assert committed_resources(town.state, server.address) == Resources(0, 0, 0)
    assert deferred
