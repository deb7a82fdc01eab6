"""McAfee's rule per class: who is let in, what a round comes to, and that altered seals fail."""

import random
from collections.abc import Callable

import pytest
from msgspec.structs import replace

from auction.actions import CostModel, UtilityModel
from auction.clearing import deferred_height
from auction.mcafee import ClassPair, SealedClass, live_classes, reduce_trades
from auction.orders import read_order
from auction.parameters import MarketParameters
from auction.sealed import Clearing, decode_clearing
from ledger.codec import encode
from ledger.errors import Reason, Rejected
from ledger.members import Resources
from tests.auction.invariants import check_tables
from tests.auction.test_orders import BUYER, SERVER, refusal_of
from tests.auction.test_reprice import to_limit
from tests.auction.town import (
    AT_MCAFEE,
    BROKERS,
    BUYERS,
    MCAFEE,
    SERVERS,
    Town,
    ask,
    bid,
    class_ask,
    class_bid,
)

FEES = (12, 18)
"""Own fees of buyer and seller under MCAFEE."""


def busy_town(
    limits: tuple[int, ...],
    floors: tuple[int, ...],
    salt: bytes = b"",
    market: MarketParameters | None = None,
) -> Town:
    """A town whose next round has a class with these orders."""
    town = Town(market or MarketParameters(), salt=salt)
    bids = [(key, class_bid(0, limit)) for key, limit in zip(BUYERS, limits, strict=False)]
    asks = [(key, class_ask(0, floor)) for key, floor in zip(SERVERS, floors, strict=False)]
    town.opened(*bids, *asks)
    return town


def slow_rule(caps: list[int], floors: list[int]) -> tuple[int, tuple[int, int]]:
    """The rule as McAfee states it, without an index trick."""
    caps, floors = sorted(caps, reverse=True), sorted(floors)
    efficient = [
        i for i in range(1, min(len(caps), len(floors)) + 1) if caps[i - 1] >= floors[i - 1]
    ]
    if not efficient:
        return 0, (0, 0)
    k = max(efficient)
    rest_caps, rest_floors = caps[k:], floors[k:]
    if rest_caps and rest_floors:
        price = (max(rest_caps) + min(rest_floors)) // 2
        if floors[k - 1] <= price <= caps[k - 1]:
            return k, (price, price)
    return k - 1, ((caps[k - 1], floors[k - 1]) if k > 1 else (0, 0))


def test_the_reduction_is_the_rule_as_it_is_stated() -> None:
    chance = random.Random(3)
    full = reduced = 0
    for _ in range(4_000):
        wide = chance.choice((4, 30, 1_000))
        caps = [chance.randint(-5, wide) for _ in range(chance.randint(0, 8))]
        floors = [chance.randint(1, wide) for _ in range(chance.randint(0, 8))]
        caps.sort(reverse=True)
        floors.sort()
        count, prices = reduce_trades(caps, floors)
        assert (count, prices) == slow_rule(caps, floors)
        if count:
            assert caps[count - 1] >= prices[0] >= prices[1] >= floors[count - 1]
            full += prices[0] == prices[1]
            reduced += prices[0] > prices[1]
    assert full > 500
    assert reduced > 500


def test_what_reduction_leaves_open_gives_no_trade_when_it_is_looked_at_again() -> None:
    chance = random.Random(4)
    for _ in range(2_000):
        caps = sorted((chance.randint(1, 50) for _ in range(chance.randint(1, 9))), reverse=True)
        floors = sorted(chance.randint(1, 50) for _ in range(chance.randint(1, 9)))
        count, _ = reduce_trades(caps, floors)
        assert reduce_trades(caps[count:], floors[count:])[0] == 0


def test_one_price_for_all_when_the_next_pair_sets_it() -> None:
    town = busy_town((1_000, 900, 500), (300, 400, 700))
    town.block()
    trades = town.of_kind("trade.made")
    price = (500 - 12 + 700 + 18) // 2
    assert {trade["price_micro"] for trade in trades} == {price}
    assert {trade["paid_micro"] for trade in trades} == {price + 12}
    assert {trade["received_micro"] for trade in trades} == {price - 18}
    assert [trade["broker_micro"] for trade in trades] == [30, 30]
    (cleared,) = town.of_kind("round.cleared")
    assert (cleared["service_class"], cleared["trades"], cleared["unmatched"]) == (1, 2, [])
    assert (cleared["bids"], cleared["asks"], cleared["unmatched_count"]) == (3, 3, 0)
    check_tables(town.state, town.height + 1)


def test_two_prices_and_one_trade_less_when_it_does_not() -> None:
    town = busy_town((1_000, 900), (300, 400))
    town.block()
    (trade,) = town.of_kind("trade.made")
    assert (trade["value_micro"], trade["cost_micro"]) == (1_000, 300)
    assert (trade["paid_micro"], trade["received_micro"]) == (900, 400)
    assert trade["broker_micro"] == 500
    assert trade["fee_micro"] == 30
    for _ in range(3):
        town.block()
        assert not town.of_kind("trade.made")


def test_a_lone_pair_waits_until_somebody_else_can_set_its_price() -> None:
    town = busy_town((1_000,), (300,))
    town.block()
    assert not town.of_kind("trade.made")
    town.block((BUYERS[1], class_bid(0, 500)), (SERVERS[1], class_ask(0, 700)))
    town.block()
    (trade,) = town.of_kind("trade.made")
    assert trade["price_micro"] == (500 - 12 + 700 + 18) // 2
    check_tables(town.state, town.height + 1)


def test_an_idle_class_is_not_looked_at() -> None:
    town = busy_town((1_000, 900), (300, 400))
    town.block()
    assert len(decode_clearing(town.sealed).classes) == 1
    town.block()
    assert town.sealed == b'{"books":[],"classes":[]}'
    town.block((BUYERS[5], class_bid(0, 950)))
    town.block()
    assert len(decode_clearing(town.sealed).classes) == 1


def test_classes_of_one_book_do_not_meet() -> None:
    town = Town()
    town.opened(
        *((key, class_bid(0, 1_000)) for key in BUYERS[:3]),
        *((key, class_ask(2, 100)) for key in SERVERS[:3]),
    )
    for _ in range(3):
        town.block()
        assert not town.of_kind("trade.made")
    town.block(*((key, class_bid(2, 1_000 + n)) for n, key in enumerate(BUYERS[3:6])))
    town.block()
    assert [data["service_class"] for data in town.of_kind("round.cleared")] == [3]
    assert len(town.of_kind("trade.made")) == 2


def test_an_ask_stands_in_the_richest_class_its_slot_reaches() -> None:
    """Class 1 asks for 100 units of the same service time as class 0."""
    for units, number in ((99, 1), (100, 2), (300, 2)):
        town = Town()
        slot = Resources(units, units, units)
        asks = [(key, class_ask(0, 100 + n, resources=slot)) for n, key in enumerate(SERVERS[:3])]
        bids = [(key, class_bid(n % 2, 900)) for n, key in enumerate(BUYERS[:6])]
        town.opened(*asks, *bids)
        town.block()
        assert [data["service_class"] for data in town.of_kind("round.cleared")] == [number]
        assert town.of_kind("trade.made")


@pytest.mark.parametrize(
    ("sender", "action"),
    [
        (BUYER, replace(class_bid(0, 500), valuation=UtilityModel(500, 10**6))),
        (BUYER, class_bid(0, 500, open_ppm=999_999)),
        (BUYER, class_bid(0, 500, service_blocks=5)),
        (BUYER, class_bid(0, 500, interval_blocks=1)),
        (BUYER, class_bid(0, 500, theta_milli=1_001)),
        (BUYER, class_bid(0, 500, least_resource=1)),
        (SERVER, replace(class_ask(0, 500), cost=CostModel(1, 1, 10**6, 1, 1, 1, 1))),
        (SERVER, class_ask(0, 500, open_ppm=1_000_001)),
        (SERVER, class_ask(0, 500, longest_blocks=5)),
    ],
)
def test_an_order_that_fits_no_class_is_refused(sender: int, action: object) -> None:
    assert refusal_of(Town(), sender, action) == "unfit_for_class"  # type: ignore[arg-type]


def test_an_account_has_one_order_in_such_a_book() -> None:
    town = Town()
    (order,) = town.opened((BUYERS[0], class_bid(0, 500)))
    town.block()
    assert refusal_of(town, BUYER, class_bid(0, 400)) == "unfit_for_class"
    assert refusal_of(town, BUYER, class_bid(2, 400)) == "unfit_for_class"
    assert town.block((BUYERS[0], to_limit(order, 600))) == ["ok"]
    check_tables(town.state, town.height + 1)
    assert town.block((BUYERS[0], bid(0, limit=400)), (SERVERS[0], ask(0))) == ["ok", "ok"]


def test_a_repriced_order_ranks_by_its_new_limit_in_the_next_round_only() -> None:
    town = busy_town((1_000, 900, 500), (300, 400, 700))
    orders = [order for order, _ in class_bids(town)]
    poor = next(o for o in orders if limit_of(town, o) == 500)
    town.block((BUYERS[2], to_limit(poor, 2_000)))
    assert len(town.of_kind("trade.made")) == 1, "without the repriced one two pairs are reduced"
    check_tables(town.state, town.height + 1)


def class_bids(town: Town) -> list[tuple[str, int]]:
    (live,) = live_classes(town.state, town.height + 1)
    return [(order.hex(), limit) for order, limit in live.bids]


def limit_of(town: Town, order: str) -> int:
    record = read_order(town.state, bytes.fromhex(order))
    assert record is not None
    return int(record.terms.valuation.limit_micro)  # type: ignore[union-attr]


def test_of_equal_bids_the_seed_picks_the_winners() -> None:
    wins = [0] * 6
    for salt in range(40):
        town = busy_town((500,) * 6, (100, 100, 100), salt=bytes([salt]))
        town.block()
        trades = town.of_kind("trade.made")
        assert len(trades) == 2
        for trade in trades:
            wins[[key.address for key in BUYERS].index(str(trade["buyer"]))] += 1
    assert min(wins) >= 5
    assert max(wins) <= 24


def refused(town: Town, part: SealedClass | tuple[SealedClass, ...]) -> str:
    parts = part if isinstance(part, tuple) else (part,)
    with pytest.raises(Rejected) as refusal:
        town.run(sealed=encode(Clearing((), parts)))
    assert refusal.value.reason is Reason.BAD_CLEARING
    return refusal.value.detail


def test_every_altered_seal_of_a_class_is_refused_with_its_reason() -> None:
    town = busy_town((1_000, 900, 800, 500), (300, 400, 450, 700))
    (good,) = decode_clearing(town.run().clearings).classes
    assert len(good.pairs) == 3
    first, second, third = good.pairs

    def reason(change: Callable[[SealedClass], SealedClass]) -> str:
        return refused(town, change(good))

    loser = next(o for o, limit in class_bids(town) if limit == 500)
    swapped = (ClassPair(second.ask, first.bid), ClassPair(first.ask, second.bid), third)
    for step in (1, -1):
        price = good.buyer_price_micro + step
        assert "buyer_price_micro" in reason(lambda g, p=price: replace(g, buyer_price_micro=p))  # type: ignore[misc]
        assert "seller_price_micro" in reason(lambda g, p=price: replace(g, seller_price_micro=p))  # type: ignore[misc]
    assert "1 missing, 0 wrong" in reason(lambda g: replace(g, pairs=(first, second)))
    assert "2 missing, 2 wrong" in reason(lambda g: replace(g, pairs=swapped))
    extra = ClassPair(first.ask, loser)
    assert "0 missing, 1 wrong" in reason(lambda g: replace(g, pairs=(*g.pairs, extra)))
    assert "doubled or out of order" in reason(lambda g: replace(g, pairs=(first, *g.pairs)))
    assert "doubled or out of order" in reason(lambda g: replace(g, pairs=(second, first, third)))
    assert "classes" in reason(lambda g: replace(g, number=1))
    assert "classes" in reason(lambda g: replace(g, tariff=2))
    assert "classes" in reason(lambda g: replace(g, broker=BROKERS[0].address))
    assert "classes" in refused(town, ())
    assert "classes" in refused(town, (good, good))
    assert "deferred" in reason(lambda g: replace(g, deferred=True))
    assert town.run(sealed=encode(Clearing((), (good,)))).clearings


def test_a_class_too_large_for_the_work_of_a_block_is_deferred_and_looked_at_again() -> None:
    town = Town(market=MarketParameters(work_per_block=5))
    town.opened(
        *((key, class_bid(0, 1_000 + n)) for n, key in enumerate(BUYERS[:3])),
        *((key, class_ask(0, 300 + n)) for n, key in enumerate(SERVERS[:3])),
    )
    for k in range(4):
        town.block()
        (part,) = decode_clearing(town.sealed).classes
        assert part.deferred == (deferred_height(town.state) == town.height)
        assert part.deferred or k
        assert not town.of_kind("trade.made")
        check_tables(town.state, town.height + 1)
    town.block((BUYERS[0], to_limit(class_bids(town)[0][0], 1)))
    while town.height < 60:
        town.block()
    check_tables(town.state, town.height + 1)


def test_fees_are_inside_the_limits_of_a_class() -> None:
    """A bid that cannot even pay its own fee ranks last and never trades."""
    assert MCAFEE.lambda_micro == sum(FEES)
    town = busy_town((1_000, 900, 1), (300, 400, 700))
    town.block()
    assert len(town.of_kind("trade.made")) == 1
    assert AT_MCAFEE == 6
