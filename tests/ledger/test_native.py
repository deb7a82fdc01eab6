"""The ledger's own actions, row by row of the authorisation matrix."""

import pytest
from msgspec.structs import replace

from ledger.accounts import BURNED, pot_balance, read_account, total_money
from ledger.errors import Reason
from ledger.members import (
    MAX_UNBONDING,
    Registration,
    Status,
    Unbonding,
    read_member,
    read_registration,
    write_member,
)
from ledger.native import Register, Stake, Transfer, Unstake, unlock_unbonding
from ledger.state import Overlay
from ledger.transactions import Action
from ledger.types import MAX_INTEGER
from tests.ledger.chain import FEE, MEMBERS, STAKE_MAX, STAKE_MIN, USERS, Chain, contents

MEMBER, OTHER_MEMBER = MEMBERS[:2]
ALICE, BOB = USERS[:2]
STRANGER = "5d" * 32
"""An account nobody has seen yet."""


@pytest.fixture
def chain() -> Chain:
    return Chain(closing=(unlock_unbonding,))


def set_status(chain: Chain, status: Status) -> None:
    overlay = Overlay(chain.state)
    member = read_member(overlay, MEMBER.address)
    assert member is not None
    write_member(overlay, MEMBER.address, replace(member, status=status))
    chain.state.merge(overlay)


def require_unchanged_but_for_the_fee(chain: Chain, key: str, before: dict[bytes, bytes]) -> None:
    after = contents(chain.state)
    allowed = {b"account/" + bytes.fromhex(key), b"pot/pool"}
    assert {name for name in before | after if before.get(name) != after.get(name)} <= allowed


@pytest.mark.parametrize("to", [BOB.address, STRANGER, MEMBER.address])
def test_a_transfer_moves_money_to_known_and_new_accounts(chain: Chain, to: str) -> None:
    before = read_account(chain.state, to).free
    assert chain.outcome(ALICE, Transfer(to, 300, "rent")) == "ok"
    assert read_account(chain.state, to).free == before + 300
    assert read_account(chain.state, ALICE.address).free == 1_000_000 - 300 - FEE


@pytest.mark.parametrize(
    ("action", "reason"),
    [
        (Transfer(BOB.address, 0), Reason.ZERO_AMOUNT),
        (Transfer(ALICE.address, 5), Reason.SELF_TRANSFER),
        (Transfer(BOB.address, 1_000_000), Reason.INSUFFICIENT_FUNDS),
        (Transfer(BOB.address, MAX_INTEGER), Reason.INSUFFICIENT_FUNDS),
        (Transfer("00" * 32, 5), Reason.UNACCEPTABLE_KEY),
        (Transfer("01" + "00" * 31, 5), Reason.UNACCEPTABLE_KEY),
        (Transfer("01" + "00" * 30 + "80", 5), Reason.UNACCEPTABLE_KEY),
        (Transfer("ee" + "ff" * 30 + "7f", 5), Reason.UNACCEPTABLE_KEY),
        (Transfer("ff" * 32, 5), Reason.UNACCEPTABLE_KEY),
        (Stake(5), Reason.ROLE_NOT_ALLOWED),
        (Unstake(5), Reason.ROLE_NOT_ALLOWED),
        (Register(STRANGER, "Bus", "its"), Reason.ROLE_NOT_ALLOWED),
    ],
)
def test_what_an_account_may_not_do_fails_and_changes_nothing(
    chain: Chain, action: Action, reason: Reason
) -> None:
    before = contents(chain.state)
    assert chain.outcome(ALICE, action) == reason
    require_unchanged_but_for_the_fee(chain, ALICE.address, before)


@pytest.mark.parametrize(
    ("status", "action", "code"),
    [
        ("active", Stake(5), "ok"),
        ("jailed", Stake(5), "ok"),
        ("left", Stake(5), "role_not_allowed"),
        ("ejected", Stake(5), "role_not_allowed"),
        ("active", Unstake(9_000), "ok"),
        ("jailed", Unstake(9_000), "ok"),
        ("active", Unstake(9_001), "stake_out_of_bounds"),
        ("jailed", Unstake(9_001), "stake_out_of_bounds"),
        ("left", Unstake(10_000), "role_not_allowed"),
        ("ejected", Unstake(10_000), "role_not_allowed"),
        ("admitted", Stake(5), "ok"),
        ("admitted", Unstake(5), "role_not_allowed"),
        ("active", Register(STRANGER, "Bus", "its"), "ok"),
        ("jailed", Register(STRANGER, "Bus", "its"), "role_not_allowed"),
        ("left", Register(STRANGER, "Bus", "its"), "role_not_allowed"),
        ("ejected", Register(STRANGER, "Bus", "its"), "role_not_allowed"),
        ("active", Register(STRANGER, "Someone", "account"), "ok"),
        ("active", Register(OTHER_MEMBER.address, "Mine", "its"), "already_registered"),
        ("active", Register("ff" * 32, "Nobody", "its"), "unacceptable_key"),
        ("active", Stake(STAKE_MAX), "stake_out_of_bounds"),
        ("active", Stake(STAKE_MAX - 10_000), "ok"),
        ("active", Stake(STAKE_MAX - 10_000 + 1), "stake_out_of_bounds"),
    ],
)
def test_what_a_member_may_do_in_each_status(
    chain: Chain, status: Status, action: Action, code: str
) -> None:
    set_status(chain, status)
    assert chain.outcome(MEMBER, action) == code


def test_staking_moves_free_money_into_the_stake(chain: Chain) -> None:
    assert chain.outcome(MEMBER, Stake(2_500)) == "ok"
    member = read_member(chain.state, MEMBER.address)
    assert member is not None
    assert member.stake_micro == 12_500
    assert read_account(chain.state, MEMBER.address).free == 1_000_000 - 2_500 - FEE


def test_unstaked_money_waits_and_is_free_at_the_end_of_its_block(chain: Chain) -> None:
    chain.commit(chain.sign(MEMBER, Unstake(4_000)))
    free = read_account(chain.state, MEMBER.address).free
    unlock = chain.height + chain.parameters.unbonding_blocks
    while chain.height < unlock - 1:
        member = read_member(chain.state, MEMBER.address)
        assert member is not None
        assert member.stake_micro == 6_000
        assert member.unbonding == (Unbonding(4_000, unlock),)
        chain.commit()
    execution = chain.commit()
    member = read_member(chain.state, MEMBER.address)
    assert member is not None
    assert member.unbonding == ()
    assert read_account(chain.state, MEMBER.address).free == free + 4_000
    assert [event.kind for event in execution.events] == ["stake.unlocked"]
    assert chain.commit().events == ()


def test_withdrawals_of_different_times_unlock_each_at_its_own(chain: Chain) -> None:
    chain.commit(chain.sign(MEMBER, Unstake(100), Unstake(100)))
    chain.commit(chain.sign(MEMBER, Unstake(300)))
    unlocked = []
    for _ in range(7):
        amounts = [event.data["amount_micro"] for event in chain.commit().events]
        unlocked += [(chain.height, amount) for amount in amounts]
    assert unlocked == [(6, 200), (7, 300)]


def test_the_number_of_withdrawals_under_way_is_bounded(chain: Chain) -> None:
    assert chain.outcome(MEMBER, *[Unstake(1)] * MAX_UNBONDING) == "ok"
    assert chain.outcome(MEMBER, Unstake(1)) == "limit_exceeded"
    for _ in range(chain.parameters.unbonding_blocks):
        chain.commit()
    assert chain.outcome(MEMBER, Unstake(1)) == "ok"


def test_a_registration_keeps_name_role_sponsor_and_height_and_cannot_be_repeated(
    chain: Chain,
) -> None:
    action = Register(ALICE.address, "Bus fleet", "its")
    assert chain.outcome(MEMBER, action) == "ok"
    expected = Registration("Bus fleet", "its", MEMBER.address, 1)
    assert read_registration(chain.state, ALICE.address) == expected
    assert chain.outcome(OTHER_MEMBER, action) == "already_registered"
    assert chain.outcome(MEMBER, replace(action, name="Other")) == "already_registered"
    assert read_registration(chain.state, ALICE.address) == expected


def test_a_member_in_office_never_falls_below_the_least_stake(chain: Chain) -> None:
    for amount in (5_000, 3_000, 1_000):
        assert chain.outcome(MEMBER, Unstake(amount)) == "ok"
    assert chain.outcome(MEMBER, Unstake(1)) == "stake_out_of_bounds"
    member = read_member(chain.state, MEMBER.address)
    assert member is not None
    assert member.stake_micro == STAKE_MIN


def test_all_or_nothing_covers_every_native_action(chain: Chain) -> None:
    total, before = total_money(chain.state), contents(chain.state)
    actions = [
        Transfer(STRANGER, 10),
        Stake(20),
        Unstake(30),
        Register(STRANGER, "Bus", "its"),
        Transfer(MEMBER.address, 1),
    ]
    assert chain.outcome(MEMBER, *actions) == "self_transfer"
    require_unchanged_but_for_the_fee(chain, MEMBER.address, before)
    assert total_money(chain.state) == total
    assert pot_balance(chain.state, BURNED) == 0
