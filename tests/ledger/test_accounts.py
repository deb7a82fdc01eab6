"""Balances and pots: what moves where, what is refused, and what can only be a bug."""

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from ledger.accounts import (
    BURNED,
    POOL,
    Account,
    check_conservation,
    credit,
    debit,
    pot_balance,
    pot_credit,
    pot_debit,
    read_account,
    release,
    reserve,
    spend_reserved,
    total_money,
    write_account,
)
from ledger.errors import Reason, Rejected
from ledger.members import Member, Unbonding, read_member, write_member
from ledger.state import Overlay, State
from ledger.types import MAX_INTEGER
from tests.ledger.chain import MEMBERS, USERS, genesis_state

ALICE, BOB = (key.address for key in USERS[:2])


@pytest.fixture
def overlay() -> Overlay:
    overlay = Overlay(State())
    write_account(overlay, ALICE, Account(free=100, reserved=50, nonce=3))
    return overlay


@pytest.mark.parametrize(
    ("move", "free", "reserved"),
    [
        (lambda o: credit(o, ALICE, 7), 107, 50),
        (lambda o: credit(o, ALICE, 0), 100, 50),
        (lambda o: debit(o, ALICE, 100, "test"), 0, 50),
        (lambda o: reserve(o, ALICE, 100), 0, 150),
        (lambda o: release(o, ALICE, 50), 150, 0),
        (lambda o: spend_reserved(o, ALICE, 50), 100, 0),
    ],
)
def test_moves_of_money(
    overlay: Overlay, move: Callable[[Overlay], None], free: int, reserved: int
) -> None:
    move(overlay)
    assert read_account(overlay, ALICE) == Account(free, reserved, nonce=3)


@pytest.mark.parametrize(
    "move",
    [
        lambda o: debit(o, ALICE, 101, "test"),
        lambda o: reserve(o, ALICE, 101),
        lambda o: debit(o, BOB, 1, "test"),
        lambda o: pot_debit(o, POOL, 1),
    ],
)
def test_more_than_is_there_is_refused_and_changes_nothing(
    overlay: Overlay, move: Callable[[Overlay], None]
) -> None:
    before = dict(overlay.changes)
    with pytest.raises(Rejected) as caught:
        move(overlay)
    assert caught.value.reason is Reason.INSUFFICIENT_FUNDS
    assert overlay.changes == before


@pytest.mark.parametrize(
    "move",
    [
        lambda o: release(o, ALICE, 51),
        lambda o: spend_reserved(o, ALICE, 51),
        lambda o: release(o, BOB, 1),
        lambda o: credit(o, ALICE, -1),
        lambda o: debit(o, ALICE, -1, "test"),
        lambda o: reserve(o, ALICE, -1),
        lambda o: credit(o, ALICE, MAX_INTEGER + 1),
        lambda o: pot_credit(o, POOL, -1),
        lambda o: pot_debit(o, POOL, -1),
    ],
)
def test_what_only_a_bug_can_ask_for_stops_the_node(
    overlay: Overlay, move: Callable[[Overlay], None]
) -> None:
    before = dict(overlay.changes)
    with pytest.raises(AssertionError):
        move(overlay)
    assert overlay.changes == before


def test_an_account_never_seen_is_empty() -> None:
    assert read_account(State(), ALICE) == Account(0, 0, 0)


def test_pots_keep_their_balances_apart(overlay: Overlay) -> None:
    pot_credit(overlay, POOL, 30)
    pot_credit(overlay, BURNED, 5)
    pot_debit(overlay, POOL, 10)
    assert pot_balance(overlay, POOL) == 20
    assert pot_balance(overlay, BURNED) == 5


def move_stake(overlay: Overlay, field: str) -> None:
    """Move a member's free money into one of the places its record has for money."""
    address = MEMBERS[0].address
    member = read_member(overlay, address)
    assert isinstance(member, Member)
    debit(overlay, address, 9, "test")
    if field == "unbonding":
        changed = replace(member, unbonding=(Unbonding(4, 9), Unbonding(5, 9)))
    else:
        changed = replace(member, **{field: getattr(member, field) + 9})
    write_member(overlay, address, changed)


@pytest.mark.parametrize("field", ["stake_micro", "deposit_micro", "unbonding"])
def test_money_in_every_place_of_a_members_record_counts(field: str) -> None:
    state = genesis_state()
    total = total_money(state)
    overlay = Overlay(state)
    move_stake(overlay, field)
    check_conservation(overlay)
    assert total_money(overlay) == total
    credit(overlay, ALICE, 9)
    with pytest.raises(AssertionError, match="not conserved"):
        check_conservation(overlay)


def test_reserves_and_pots_count_and_other_tables_do_not() -> None:
    state = genesis_state()
    overlay = Overlay(state)
    reserve(overlay, ALICE, 40)
    spend_reserved(overlay, ALICE, 30)
    pot_credit(overlay, BURNED, 10)
    pot_credit(overlay, POOL, 20)
    overlay.put(b"order/x", b"not money")
    check_conservation(overlay)
    assert total_money(overlay) == total_money(state)
