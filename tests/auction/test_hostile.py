"""Hostile and odd input to the market, item by item: each gets its stated answer, nothing breaks.

What is not here has its test elsewhere: fields out of bounds, theta = 0, eta < 1, overflow at the
bounds, unknown and suspended brokers, expiry (test_orders); altered seals (test_clearing,
test_mcafee); equal orders (test_clearing); prices past the bounds (test_valuation).
"""

import pytest

from auction import keys
from auction.actions import MAX_PRICE, Cancel, CostModel, UtilityModel
from auction.admission import ARRIVAL_PAIRS
from auction.clearing import deferred_height
from auction.edges import read_edges
from auction.orders import OpenOrder, insert, orders_of_side
from auction.parameters import MarketParameters
from auction.rounds import live_books
from ledger.accounts import read_account
from ledger.crypto import digest
from ledger.members import Resources
from ledger.state import Overlay
from tests.auction.invariants import check_tables
from tests.auction.test_reprice import to_floor, to_limit
from tests.auction.town import (
    AT_MCAFEE,
    BROKERS,
    BUYERS,
    MCAFEE,
    SERVERS,
    TARIFFS,
    Town,
    ask,
    bid,
    class_ask,
    class_bid,
)


def test_an_order_cancelled_in_the_block_that_would_clear_it_does_not_trade() -> None:
    town = Town()
    order, _ = town.opened((BUYERS[0], bid(limit=900)), (SERVERS[0], ask(floor=100)))
    assert list(live_books(town.state, town.height + 1))
    assert town.block((BUYERS[0], Cancel(order))) == ["ok"]
    assert not town.of_kind("trade.made")
    assert read_account(town.state, BUYERS[0].address).reserved == 0
    check_tables(town.state, town.height + 1)


def test_an_order_of_a_class_cancelled_in_the_block_that_would_clear_it_does_not_trade() -> None:
    town = Town()
    orders = town.opened(
        *((key, class_bid(0, 1_000 - n)) for n, key in enumerate(BUYERS[:3])),
        *((key, class_ask(0, 100 + n)) for n, key in enumerate(SERVERS[:3])),
    )
    town.block((BUYERS[0], Cancel(orders[0])))
    assert orders[0] not in {trade["bid"] for trade in town.of_kind("trade.made")}
    assert town.of_kind("trade.made")
    check_tables(town.state, town.height + 1)


def test_an_order_sent_and_cancelled_in_one_block_leaves_nothing() -> None:
    town = Town()
    (order,) = Town().opened((BUYERS[0], bid()))
    assert town.block((BUYERS[0], bid()), (BUYERS[0], Cancel(order))) == ["ok", "ok"]
    assert read_account(town.state, BUYERS[0].address).reserved == 0
    town.block((SERVERS[0], ask()))
    check_tables(town.state, town.height + 1)


@pytest.mark.parametrize("number", range(len(TARIFFS)))
def test_all_prices_equal_in_a_full_book_trade_as_many_as_can(number: int) -> None:
    town = Town()
    town.opened(
        *((key, [bid(number, limit=2_000)] * 4) for key in BUYERS),
        *((key, [ask(number, floor=500)] * 4) for key in SERVERS),
    )
    trades = 0
    for _ in range(4):
        town.block()
        trades += len(town.of_kind("trade.made"))
        check_tables(town.state, town.height + 1)
    assert trades == 4 * len(SERVERS)
    assert not list(live_books(town.state, town.height + 1))


def test_all_prices_equal_in_a_class_trade_at_that_price() -> None:
    """Limits less fee and floors plus fee are 500 for all: the price is 500, whoever wins."""
    own = MCAFEE.lambda_micro * MCAFEE.sigma_ppm // 10**6
    town = Town()
    town.opened(
        *((key, class_bid(0, 500 + own)) for key in BUYERS),
        *((key, class_ask(0, 500 - MCAFEE.lambda_micro + own)) for key in SERVERS),
    )
    town.block()
    trades = town.of_kind("trade.made")
    assert len(trades) == len(SERVERS) - 1, "the last pair sets the price and waits"
    assert {trade["price_micro"] for trade in trades} == {500}
    assert {trade["broker_micro"] for trade in trades} == {MCAFEE.lambda_micro}


def test_ten_thousand_orders_on_one_side_join_some_a_block_and_wait_for_the_other() -> None:
    """The greatest number a side holds, by record: signing them would take longer than the rest."""
    town = Town()
    overlay = Overlay(town.state)
    for number in range(10_000):
        record = OpenOrder(
            owner=BUYERS[number % 12].address,
            submitted=1,
            admitted=0,
            reserved_micro=0,
            resource=10**6,
            terms=bid(limit=1_000 + number, least_resource=200, expires=100 + number // 200),
        )
        insert(overlay, digest("test", number.to_bytes(4, "big")), record)
    town.state.merge(overlay)
    joined = town.market.pairs_per_block // ARRIVAL_PAIRS
    for _ in range(-(-10_000 // joined)):
        town.block()
    side = list(orders_of_side(town.state, bytes.fromhex(BROKERS[0].address), keys.BIDS))
    assert sum(record.admitted == 1 for _, record in side) == joined
    assert all(record.admitted for _, record in side)
    assert town.block((BUYERS[0], bid())) == ["limit_exceeded"]
    before = town.state.root
    town.block()
    assert town.state.root == before, "an idle book of ten thousand costs nothing"
    town.block((SERVERS[0], ask(floor=10)))
    town.block()
    assert not town.of_kind("trade.made"), "no slot is large enough for any of the bids"
    assert town.block((SERVERS[1], ask(floor=10, resources=Resources(300, 300, 300)))) == ["ok"]
    (live,) = live_books(town.state, town.height + 1)
    assert live.pair_count == town.market.degree_cap
    assert max(live.terms[:, 1].tolist()) == 10_999 - 50


def test_crossing_own_orders_stay_open_in_every_book() -> None:
    """Roles keep an account to one side, so an owner cannot even state both: the roles refuse."""
    town = Town()
    for number in range(AT_MCAFEE):
        assert town.block((BUYERS[0], ask(number)), (SERVERS[0], bid(number))) == [
            "role_not_allowed",
            "role_not_allowed",
        ]


def test_the_greatest_parameters_the_bounds_allow_neither_overflow_nor_halt() -> None:
    """Every field at its bound: refused for a stated reason, or taken and given back."""
    town = Town(resources=Resources(10**9, 10**9, 10**9))
    huge = CostModel(10**9, 10**9, 10**9, 10**9, 10**12, 10**12, 10**12)
    dear = UtilityModel(2**40, 10**9)
    actions = [
        (BUYERS[0], bid(valuation=dear, theta_milli=10**6, service_blocks=2**20), "price"),
        (BUYERS[0], bid(limit=MAX_PRICE), "insufficient_funds"),
        (BUYERS[0], bid(valuation=dear, theta_milli=10**6, service_blocks=1), "ok"),
        (SERVERS[0], ask(cost=huge), "price_out_of_bounds"),
        (SERVERS[0], ask(floor=MAX_PRICE), "ok"),
        (SERVERS[0], ask(open_ppm=10**9, omega_micro=2 * 10**7, mu=20), "ok"),
        (SERVERS[0], ask(longest_blocks=2**20, resources=Resources(10**8, 10**8, 10**8)), "ok"),
        (SERVERS[0], ask(cost=CostModel(10**9, 0, 10**6, 1, 10**6, 10**6, 0)), "ok"),
    ]
    for key, action, code in actions:
        (got,) = town.block((key, action))
        assert got.startswith(code), (action, got)
        check_tables(town.state, town.height + 1)
    while town.height < 55:
        town.block()
    assert read_account(town.state, BUYERS[0].address).reserved >= 0
    check_tables(town.state, town.height + 1)


def test_the_least_parameters_the_bounds_allow_trade() -> None:
    town = Town()
    least = {"theta_milli": 1, "service_blocks": 1, "interval_blocks": 1, "least_resource": 0}
    town.opened(
        (BUYERS[0], bid(limit=101, **least)),
        (BUYERS[1], bid(2, valuation=UtilityModel(2**30, 1), **least)),
        (SERVERS[0], ask(floor=1, longest_blocks=1, resources=Resources(1, 1, 1))),
        (SERVERS[1], ask(2, cost=CostModel(0, 0, 10**6, 0, 0, 0, 0), longest_blocks=1)),
    )
    town.block()
    assert len(town.of_kind("trade.made")) == 2
    town.block()
    assert {data["reason"] for data in town.of_kind("agreement.ended")} == {"served"}


def test_weights_made_to_be_slow_are_deferred_and_stall_nobody_else() -> None:
    """Weights i * j (Machol and Wien) in one book, two plain orders in another."""
    town = Town(market=MarketParameters(work_per_block=600, degree_cap=64))
    orders = []
    for at, key in enumerate(BUYERS):
        worth = UtilityModel(200 * (at + 1), 10**7)
        orders.append((key, bid(3, valuation=worth, service_blocks=1)))
    for at, key in enumerate(SERVERS):
        units = 100 * (at + 1)
        slot = Resources(units, units, units)
        orders.append((key, ask(3, floor=1, resources=slot)))
    town.opened(*orders, (BUYERS[0], bid(2, limit=900)), (SERVERS[0], ask(2, floor=100)))
    town.block()
    rounds = {data["broker"]: data for data in town.of_kind("round.cleared")}
    assert rounds[BROKERS[3].address]["deferred"] == 1
    assert rounds[BROKERS[2].address]["trades"] == 1
    assert deferred_height(town.state) == town.height
    check_tables(town.state, town.height + 1)


def test_repricing_back_and_forth_costs_fees_and_moves_nothing_else() -> None:
    town = Town()
    buyer, seller = town.opened((BUYERS[0], bid(limit=900)), (SERVERS[0], ask(floor=2_000)))
    for limit, floor in ((800, 1_900), (900, 2_000)) * 6:
        town.block((BUYERS[0], to_limit(buyer, limit)), (SERVERS[0], to_floor(seller, floor)))
        check_tables(town.state, town.height + 1)
    assert not read_edges(town.state, bytes.fromhex(buyer))
    assert read_account(town.state, BUYERS[0].address).reserved == 900 + 10_000
