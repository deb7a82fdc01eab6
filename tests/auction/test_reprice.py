"""An open order gets another price: same id, exact reserve, back to the end of the queue."""

from typing import Any

import pytest

from auction.actions import (
    MAX_PRICE,
    AskPrice,
    BidPrice,
    Cancel,
    CostModel,
    FlatFloor,
    FlatLimit,
    Reprice,
    UtilityModel,
)
from auction.edges import read_edges
from auction.orders import committed_resources, read_order
from auction.parameters import MarketParameters, set_parameter
from ledger.accounts import read_account
from ledger.members import Resources
from ledger.state import Overlay
from tests.auction.invariants import check_tables
from tests.auction.test_orders import BUYER, FEE, SERVER, change_member, refusal_of
from tests.auction.town import BUYERS, RICH, SERVERS, Town, ask, bid

DEPOSIT = 10_000
STEP: dict[str, Any] = {"expires": 60, "open_ppm": 10**6, "omega_micro": 500_000, "mu": 1}


def to_limit(order: str, limit: int, **changed: Any) -> Reprice:
    return Reprice(order, BidPrice(**(STEP | {"valuation": FlatLimit(limit)} | changed)))


def to_floor(order: str, floor: int, **changed: Any) -> Reprice:
    return Reprice(order, AskPrice(**(STEP | {"cost": FlatFloor(floor)} | changed)))


def reserved(town: Town, number: int = 0) -> int:
    return read_account(town.state, BUYERS[number].address).reserved


def test_a_repriced_bid_keeps_its_id_and_sets_aside_exactly_the_new_worst_case() -> None:
    town = Town()
    (order,) = town.opened((BUYERS[0], bid(limit=800)))
    for limit in (900, 200, 200, 5_000):
        assert town.block((BUYERS[0], to_limit(order, limit))) == ["ok"]
        assert [data["order"] for data in town.of_kind("order.repriced")] == [order]
        assert reserved(town) == limit + DEPOSIT
        record = read_order(town.state, bytes.fromhex(order))
        assert record is not None
        assert (record.submitted, record.admitted) == (town.height, town.height)
        check_tables(town.state, town.height + 1)
    assert town.block((BUYERS[0], Cancel(order))) == ["ok"]
    assert read_account(town.state, BUYERS[0].address).free == RICH - 6 * FEE


def test_an_order_repriced_in_a_round_takes_no_part_in_it_and_none_of_its_old_terms_stay() -> None:
    town = Town()
    buyer, seller = town.opened((BUYERS[0], bid(limit=900)), (SERVERS[0], ask(floor=100)))
    assert read_edges(town.state, bytes.fromhex(buyer))
    assert town.block((BUYERS[0], to_limit(buyer, 700))) == ["ok"]
    assert not town.of_kind("trade.made")
    (edge,) = read_edges(town.state, bytes.fromhex(buyer))
    assert (edge.other.hex(), edge.bid, edge.due) == (seller, 650, town.height + 1)
    town.block()
    (trade,) = town.of_kind("trade.made")
    assert trade["bid"] == buyer
    assert trade["value_micro"] == 700
    assert reserved(town) == trade["received_micro"]


def test_a_repriced_ask_keeps_its_slot_and_starts_its_path_anew() -> None:
    town = Town()
    (order,) = town.opened((SERVERS[0], ask(floor=900)))
    held = committed_resources(town.state, SERVERS[0].address)
    town.block((SERVERS[0], to_floor(order, 300, open_ppm=2 * 10**6, expires=40)))
    assert committed_resources(town.state, SERVERS[0].address) == held
    record = read_order(town.state, bytes.fromhex(order))
    assert record is not None
    assert record.terms.expires == 40
    assert record.reserved_micro == DEPOSIT
    check_tables(town.state, town.height + 1)
    for _ in range(40):
        town.block()
    assert committed_resources(town.state, SERVERS[0].address) == Resources(0, 0, 0)


def test_an_order_repriced_in_the_block_that_brought_it_is_admitted_once() -> None:
    (order,) = Town().opened((BUYERS[0], bid(limit=800)))
    town = Town()
    codes = town.block((BUYERS[0], bid(limit=800)), (BUYERS[0], to_limit(order, 900)))
    assert codes == ["ok", "ok"]
    check_tables(town.state, town.height + 1)
    assert reserved(town) == 900 + DEPOSIT
    town.block((SERVERS[0], ask(floor=100)))
    town.block()
    assert len(town.of_kind("trade.made")) == 1


def test_a_partner_left_alone_by_a_reprice_is_paired_anew() -> None:
    town = Town(market=MarketParameters(degree_cap=1))
    first, second, seller = town.opened(
        (BUYERS[0], bid(limit=1_900, open_ppm=200_000)),
        (BUYERS[1], bid(limit=1_880, open_ppm=200_000)),
        (SERVERS[0], ask(floor=800)),
    )
    kept = {order for order in (first, second) if read_edges(town.state, bytes.fromhex(order))}
    (taken,) = kept
    owner = BUYERS[0] if taken == first else BUYERS[1]
    town.block((owner, to_limit(taken, 10)))
    other = second if taken == first else first
    (edge,) = read_edges(town.state, bytes.fromhex(seller))
    assert edge.other.hex() == other
    check_tables(town.state, town.height + 1)


@pytest.mark.parametrize(
    ("sender", "change", "code"),
    [
        (BUYER + 1, lambda b, _a: to_limit(b, 1), "not_owner"),
        (SERVER, lambda b, _a: to_limit(b, 1), "not_owner"),
        (BUYER, lambda _b, _a: to_limit("0" * 64, 1), "unknown_order"),
        (BUYER, lambda b, _a: to_floor(b, 1), "wrong_side"),
        (SERVER, lambda _b, a: to_limit(a, 1), "wrong_side"),
        (BUYER, lambda b, _a: to_limit(b, 1, expires=2), "order_expired"),
        (BUYER, lambda b, _a: to_limit(b, 1, expires=10_003), "order_too_long"),
        (BUYER, lambda b, _a: to_limit(b, 1, open_ppm=1, omega_micro=1), "step_too_small"),
        (BUYER, lambda b, _a: to_limit(b, MAX_PRICE), "insufficient_funds"),
        (
            BUYER,
            lambda b, _a: to_limit(b, 1, valuation=UtilityModel(1, 1)),
            "price_out_of_bounds",
        ),
        (
            SERVER,
            lambda _b, a: to_floor(a, 1, cost=CostModel(0, 10**9, 10**6, 10**9, 0, 0, 0)),
            "price_out_of_bounds",
        ),
    ],
)
def test_a_reprice_that_is_refused_leaves_the_order_as_it_was(
    sender: int, change: Any, code: str
) -> None:
    town = Town()
    buyer, seller = town.opened((BUYERS[0], bid(limit=900)), (SERVERS[0], ask(floor=2_000)))
    assert refusal_of(town, sender, change(buyer, seller)) == code


def test_a_jailed_server_keeps_its_ask_but_does_not_reprice_it() -> None:
    town = Town()
    (order,) = town.opened((SERVERS[0], ask(floor=900)))
    change_member(town, "jailed")
    assert refusal_of(town, SERVER, to_floor(order, 300)) == "role_not_allowed"


def test_a_reprice_follows_a_deposit_that_changed_since() -> None:
    town = Town(market=MarketParameters(order_deposit_micro=50))
    (order,) = town.opened((BUYERS[0], bid(limit=800)))
    overlay = Overlay(town.state)
    set_parameter(overlay, "order_deposit_micro", 7)
    town.state.merge(overlay)
    town.block((BUYERS[0], to_limit(order, 700)))
    assert reserved(town) == 707


def test_a_reprice_uses_what_the_order_has_set_aside() -> None:
    """The difference is what counts: an account with little free money may still raise a limit."""
    town = Town(market=MarketParameters(order_deposit_micro=0))
    (order,) = town.opened((BUYERS[0], bid(limit=RICH - 3 * FEE)))
    assert town.block((BUYERS[0], to_limit(order, RICH - 2 * FEE))) == ["ok"]
    assert read_account(town.state, BUYERS[0].address).free == 0
