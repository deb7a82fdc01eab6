"""Who may order what: every refusal with its code and no trace, every end with its refund."""

import pytest
from msgspec.structs import replace

from auction import keys
from auction.actions import MAX_PRICE, Cancel, CostModel, Rate, UtilityModel
from auction.agreements import blended_satisfaction
from auction.brokers import read_broker, write_broker
from auction.departures import freeze
from auction.orders import committed_resources
from auction.parameters import MarketParameters, write_parameters
from ledger.accounts import read_account, total_money
from ledger.codec import encode
from ledger.errors import Reason, Rejected
from ledger.members import Resources, Status, read_member, write_member
from ledger.state import Overlay
from ledger.transactions import Action, build_transaction
from tests.auction.invariants import check_tables
from tests.auction.town import (
    BROKERS,
    BUYERS,
    CHAIN,
    GENESIS_HASH,
    OTHERS,
    RICH,
    SERVERS,
    Town,
    ask,
    bid,
)

FEE = 7


def market_contents(town: Town) -> dict[bytes, bytes]:
    """Return everything in state but money and the queue, which may name closed orders."""
    return {
        key: value
        for key, value in town.state.scan(b"")
        if not key.startswith((b"account/", b"pot/", keys.ARRIVAL))
    }


def refusal_of(town: Town, sender: int, action: Action) -> str:
    """Return the code one action gets; the market's state stays as it was."""
    key = (*SERVERS, *BUYERS, *BROKERS, *OTHERS)[sender]
    before = market_contents(town)
    account = read_account(town.state, key.address)
    (code,) = town.block((key, action))
    assert market_contents(town) == before
    after = read_account(town.state, key.address)
    assert (after.free, after.reserved) == (account.free - FEE, account.reserved)
    return code


SERVER, BUYER, BROKER, OTHER = 0, 8, 20, 27


@pytest.mark.parametrize(
    ("sender", "action", "code"),
    [
        (SERVER, bid(), "role_not_allowed"),
        (BROKER, bid(), "role_not_allowed"),
        (OTHER, bid(), "role_not_allowed"),
        (BUYER, ask(), "role_not_allowed"),
        (BROKER, ask(), "role_not_allowed"),
        (OTHER, ask(), "role_not_allowed"),
        (BUYER, replace(bid(), broker=OTHERS[0].address), "unknown_broker"),
        (SERVER, replace(ask(), broker=OTHERS[0].address), "unknown_broker"),
        (BUYER, bid(expires=1), "order_expired"),
        (SERVER, ask(expires=1), "order_expired"),
        (BUYER, bid(expires=10_002), "order_too_long"),
        (BUYER, bid(open_ppm=1, omega_micro=1), "step_too_small"),
        (BUYER, bid(1, open_ppm=100_000, omega_micro=10_000), "step_too_small"),
        (SERVER, ask(open_ppm=10**9, omega_micro=1_000), "step_too_small"),
        (BUYER, bid(limit=MAX_PRICE), "insufficient_funds"),
        (
            BUYER,
            bid(valuation=UtilityModel(2**40, 10**9), service_blocks=2**20, theta_milli=1),
            "price_out_of_bounds",
        ),
        (BUYER, bid(valuation=UtilityModel(1, 1), theta_milli=10**6), "price_out_of_bounds"),
        (
            SERVER,
            ask(cost=CostModel(0, 10**9, 10**6, 10**9, 0, 0, 0)),
            "price_out_of_bounds",
        ),
        (
            SERVER,
            ask(cost=CostModel(10**9, 10**9, 10**9, 0, 10**12, 10**12, 10**12)),
            "price_out_of_bounds",
        ),
        (SERVER, ask(resources=Resources(0, 0, 0)), "zero_amount"),
        (SERVER, ask(resources=Resources(10_001, 1, 1)), "resources_exceeded"),
        (SERVER, ask(resources=Resources(1, 10_001, 1)), "resources_exceeded"),
        (SERVER, ask(resources=Resources(1, 1, 10_001)), "resources_exceeded"),
        (BUYER, Cancel("0" * 64), "unknown_order"),
        (BUYER, Rate("0" * 64, 1), "unknown_agreement"),
    ],
)
def test_each_refusal_has_its_code_and_leaves_nothing(
    sender: int, action: Action, code: str
) -> None:
    assert refusal_of(Town(), sender, action) == code


def decode(action: Action) -> None:
    town = Town()
    town.codec.decode(build_transaction(BUYERS[0], GENESIS_HASH, CHAIN, 0, [action]))


@pytest.mark.parametrize(
    "action",
    [
        bid(theta_milli=0),
        bid(service_blocks=0),
        bid(interval_blocks=0),
        bid(service_blocks=2**20 + 1),
        bid(limit=0),
        bid(limit=MAX_PRICE + 1),
        bid(limit=2**53),
        bid(limit=2**63),
        bid(open_ppm=0),
        bid(open_ppm=10**6 + 1),
        bid(mu=0),
        bid(mu=21),
        bid(omega_micro=0),
        bid(expires=0),
        bid(least_resource=-1),
        bid(valuation=UtilityModel(0, 1)),
        bid(valuation=UtilityModel(1, 0)),
        bid(valuation=UtilityModel(1, 10**9 + 1)),
        ask(open_ppm=10**6 - 1),
        ask(floor=0),
        ask(longest_blocks=0),
        ask(cost=CostModel(1, 1, 10**6 - 1, 1, 1, 1, 1)),
        ask(cost=CostModel(-1, 1, 10**6, 1, 1, 1, 1)),
        ask(resources=Resources(-1, 1, 1)),
        replace(bid(), broker="ff"),
        Rate("0" * 64, 10_001),
        Cancel("xyz"),
    ],
)
def test_fields_out_of_bounds_do_not_decode(action: Action) -> None:
    with pytest.raises(Rejected) as refusal:
        decode(action)
    assert refusal.value.reason is Reason.VALIDATION_ERROR


@pytest.mark.parametrize(
    "action", [bid(), ask(), bid(valuation=UtilityModel(1, 1)), Cancel("0" * 64)]
)
def test_actions_survive_their_bytes(action: Action) -> None:
    decode(action)
    assert b'"type":' in encode(action)


def test_the_largest_bid_the_bounds_allow_is_taken_and_given_back() -> None:
    market = MarketParameters(order_deposit_micro=0)
    town = Town(market=market)
    order = bid(limit=RICH - 2 * FEE)
    (opened,) = town.opened((BUYERS[0], order))
    assert read_account(town.state, BUYERS[0].address).reserved == RICH - 2 * FEE
    assert town.block((BUYERS[0], Cancel(opened))) == ["ok"]
    assert read_account(town.state, BUYERS[0].address).free == RICH - 2 * FEE


def test_only_the_owner_cancels_and_only_once() -> None:
    town = Town()
    (order,) = town.opened((BUYERS[0], bid()))
    assert refusal_of(town, BUYER + 1, Cancel(order)) == "not_owner"
    assert town.block((BUYERS[0], Cancel(order)), (BUYERS[0], Cancel(order))) == [
        "ok",
        "unknown_order",
    ]
    assert read_account(town.state, BUYERS[0].address).free == RICH - 3 * FEE
    check_tables(town.state, town.height + 1)


def test_a_transaction_with_one_bad_order_opens_none() -> None:
    town = Town()
    assert town.block((SERVERS[0], [ask(), ask(), ask(expires=1)])) == ["order_expired"]
    assert not town.events
    assert committed_resources(town.state, SERVERS[0].address) == Resources(0, 0, 0)
    assert len(town.opened((SERVERS[0], [ask()] * 50))) == 50


def test_cancel_and_bid_anew_in_one_transaction_reprices() -> None:
    town = Town()
    (old,) = town.opened((BUYERS[0], bid(limit=800)))
    (new,) = town.opened((BUYERS[0], [Cancel(old), bid(limit=900)]))
    assert new != old
    assert read_account(town.state, BUYERS[0].address).reserved == 900 + 10_000


def test_open_orders_are_capped_for_an_account_and_for_a_side() -> None:
    market = MarketParameters(orders_per_account=2, orders_per_side=3)
    town = Town(market=market)
    town.opened((BUYERS[0], [bid(), bid()]), (BUYERS[1], bid()))
    assert refusal_of(town, BUYER, bid()) == "limit_exceeded"
    assert refusal_of(town, BUYER + 2, bid()) == "limit_exceeded"
    assert town.block((BUYERS[0], bid(2)), (SERVERS[0], ask())) == ["ok", "ok"]


def test_an_order_trades_in_its_last_round_and_expires_after_it() -> None:
    town = Town()
    town.opened((BUYERS[0], bid(expires=2)), (BUYERS[1], bid(expires=2, limit=1)))
    town.opened((SERVERS[0], ask()))
    assert not town.of_kind("trade.made")
    reasons = [data["reason"] for data in town.of_kind("order.closed")]
    assert reasons == ["expired", "expired"]
    assert all(read_account(town.state, key.address).reserved == 0 for key in BUYERS)
    last = Town()
    last.opened((BUYERS[0], bid(expires=2)), (SERVERS[0], ask(expires=2)))
    last.block()
    assert len(last.of_kind("trade.made")) == 1
    assert [data["reason"] for data in last.of_kind("order.closed")] == ["matched", "matched"]


def test_an_owner_never_trades_with_itself() -> None:
    """The rule is asked of a state in which one account both buys and serves."""
    town = Town()
    overlay = Overlay(town.state)
    member = read_member(town.state, SERVERS[0].address)
    assert member is not None
    write_member(overlay, BUYERS[0].address, member)
    town.state.merge(overlay)
    town.money = total_money(town.state)
    town.opened((BUYERS[0], [bid(), ask()]))
    town.block()
    assert not town.of_kind("trade.made")
    town.opened((SERVERS[0], ask()))
    town.block()
    assert [data["seller"] for data in town.of_kind("trade.made")] == [SERVERS[0].address]


def change_member(town: Town, status: Status) -> None:
    overlay = Overlay(town.state)
    member = read_member(town.state, SERVERS[0].address)
    assert member is not None
    write_member(overlay, SERVERS[0].address, replace(member, status=status))
    town.state.merge(overlay)


@pytest.mark.parametrize("status", ["left", "ejected"])
def test_a_server_that_goes_is_paid_for_the_time_it_served(status: Status) -> None:
    town = Town()
    town.opened((BUYERS[0], bid(limit=1_000, service_blocks=10)), (SERVERS[0], ask(floor=500)))
    town.block((SERVERS[0], ask()))
    (trade,) = town.of_kind("trade.made")
    for _ in range(3):
        town.block()
    change_member(town, status)
    town.block((BUYERS[1], bid()))
    (ended,) = town.of_kind("agreement.ended")
    assert (ended["reason"], ended["paid_micro"], ended["refunded_micro"]) == (
        "server_left",
        500 * 4 // 10,
        500 - 200,
    )
    assert [data["reason"] for data in town.of_kind("order.closed")] == ["server_left"]
    assert committed_resources(town.state, SERVERS[0].address) == Resources(0, 0, 0)
    assert read_account(town.state, BUYERS[0].address).reserved == 0
    assert refusal_of(town, SERVER, ask()) == "role_not_allowed"
    rated = town.block((BUYERS[0], Rate(str(trade["agreement"]), 0)))
    assert rated == ["ok"]
    for _ in range(12):
        town.block()
        check_tables(town.state, town.height + 1)


def test_a_jailed_server_serves_on_but_asks_no_more() -> None:
    town = Town()
    town.opened((BUYERS[0], bid()), (SERVERS[0], ask()))
    town.block()
    change_member(town, "jailed")
    assert refusal_of(town, SERVER, ask()) == "role_not_allowed"
    for _ in range(4):
        town.block()
    assert [data["reason"] for data in town.of_kind("agreement.ended")] == ["served"]


def test_a_server_below_the_threshold_may_not_ask() -> None:
    town = Town(resources=Resources(99, 10_000, 10_000))
    assert refusal_of(town, SERVER, ask(resources=Resources(1, 1, 1))) == "not_compliant"


def test_orders_of_a_suspended_broker_close_with_their_money() -> None:
    town = Town()
    town.opened((BUYERS[0], bid()), (SERVERS[0], ask()), (BUYERS[1], bid(2)))
    overlay = Overlay(town.state)
    broker = read_broker(town.state, BROKERS[0].address)
    assert broker is not None
    write_broker(overlay, BROKERS[0].address, replace(broker, status="suspended"))
    freeze(overlay, BROKERS[0].address)
    town.state.merge(overlay)
    town.block()
    assert read_account(town.state, BUYERS[0].address).reserved == 0
    assert refusal_of(town, BUYER, bid()) == "broker_suspended"
    assert not list(town.state.scan(keys.DUE))
    town.block()
    check_tables(town.state, town.height + 1)


def test_a_rating_belongs_to_the_buyer_the_end_and_the_window() -> None:
    town = Town(market=MarketParameters(rating_blocks=3))
    town.opened((BUYERS[0], bid(service_blocks=2)), (SERVERS[0], ask()))
    town.block()
    (trade,) = town.of_kind("trade.made")
    agreement = str(trade["agreement"])
    assert refusal_of(town, BUYER, Rate(agreement, 1)) == "rating_closed"
    town.block()
    assert town.of_kind("agreement.ended")[0]["rating_until"] == town.height + 3
    assert refusal_of(town, BUYER + 1, Rate(agreement, 1)) == "not_owner"
    assert refusal_of(town, SERVER, Rate(agreement, 1)) == "not_owner"
    town.block((BUYERS[0], Rate(agreement, 0)))
    assert town.of_kind("satisfaction.changed")
    assert refusal_of(town, BUYER, Rate(agreement, 0)) == "unknown_agreement"
    assert not list(town.state.scan(keys.AGREEMENT))


def test_a_rating_in_the_last_block_of_the_window_counts() -> None:
    town = Town(market=MarketParameters(rating_blocks=2))
    town.opened((BUYERS[0], bid(service_blocks=1)), (SERVERS[0], ask()))
    town.block()
    agreement = str(town.of_kind("trade.made")[0]["agreement"])
    town.block()
    town.block()
    assert town.block((BUYERS[0], Rate(agreement, 10_000))) == ["ok"]
    assert not list(town.state.scan(keys.AGREEMENT_DUE))


def test_satisfaction_moves_by_money_and_stops_at_the_floor() -> None:
    market = MarketParameters(inertia_micro=1_000, satisfaction_floor_bp=500)
    assert blended_satisfaction(5_000, 10_000, 1_000, market) == 7_500
    assert blended_satisfaction(5_000, 10_000, 0, market) == 5_000
    assert blended_satisfaction(5_000, 0, 10**12, market) == 500
    assert blended_satisfaction(9_999, 10_000, 1, market) == 9_999
    small, large = (blended_satisfaction(5_000, 9_000, paid, market) for paid in (10, 10_000))
    assert small < large


def test_solving_twice_gives_the_same_bytes() -> None:
    town = Town()
    town.opened(
        *((buyer, bid(number % 5, limit=1_500)) for number, buyer in enumerate(BUYERS)),
        *((server, [ask(number % 5), ask(0)]) for number, server in enumerate(SERVERS)),
    )
    one, two = town.run(), town.run()
    assert (one.clearings, one.state_root) == (two.clearings, two.state_root)


def test_a_changed_parameter_reaches_new_orders_only() -> None:
    """Open orders keep the bounds they were made under: nothing owed changes, nothing halts."""
    town = Town(market=MarketParameters(largest_resource=1_000))
    wide = bid(valuation=UtilityModel(1_000, 10**7), open_ppm=500_000)
    town.opened((BUYERS[0], wide), (SERVERS[0], ask(floor=500, resources=Resources(*[9_000] * 3))))
    overlay = Overlay(town.state)
    tight = MarketParameters(
        largest_resource=10,
        ladder_rounds=1,
        ladder_rounds_under_round_fee=1,
        degree_cap=1,
        orders_per_side=1,
        orders_per_account=1,
        pairs_per_block=1,
        order_deposit_micro=0,
        rating_blocks=1,
    )
    write_parameters(overlay, tight)
    town.state.merge(overlay)
    town.block((BUYERS[1], wide))
    trades = len(town.of_kind("trade.made"))
    for _ in range(12):
        town.block((SERVERS[1], ask(floor=10)))
        trades += len(town.of_kind("trade.made"))
        check_tables_but_degrees(town)
    assert trades >= 1
    for _ in range(45):
        town.block()
    assert read_account(town.state, BUYERS[0].address).reserved == 0


def check_tables_but_degrees(town: Town) -> None:
    wide = Overlay(town.state)
    write_parameters(wide, MarketParameters(degree_cap=256))
    check_tables(wide, town.height + 1)
