"""Genesis: what a chain starts from, and the files no chain may start from."""

import pytest
from msgspec.structs import replace

from ledger import vrf
from ledger.accounts import POOL, pot_balance, read_account, total_money
from ledger.codec import Codec, encode
from ledger.errors import Reason, Rejected
from ledger.genesis import NO_SPONSOR, GenesisAccount, LedgerGenesis, seed_state
from ledger.members import Registration, read_member, read_registration
from ledger.parameters import ledger_parameters
from ledger.state import Overlay, State
from ledger.types import MAX_INTEGER
from tests.ledger.chain import KEYS, MEMBERS, STAKE_MAX, STAKE_MIN, USERS, genesis, genesis_state

GOOD = genesis()


def refusal(broken: LedgerGenesis) -> Reason:
    with pytest.raises(Rejected) as caught:
        seed_state(Overlay(State()), broken)
    return caught.value.reason


def test_genesis_gives_accounts_members_pool_and_parameters() -> None:
    state = genesis_state()
    assert ledger_parameters(state) == GOOD.parameters
    assert pot_balance(state, POOL) == 500_000
    assert all(read_account(state, key.address).free == 1_000_000 for key in KEYS)
    for listed in GOOD.members:
        member = read_member(state, listed.address)
        assert member is not None
        assert (member.name, member.status) == (listed.name, "active")
        assert member.stake_micro == listed.stake_micro
        assert member.vrf_key == listed.vrf_key
    assert total_money(state) == 500_000 + 10 * 1_000_000 + 4 * 10_000


def test_an_account_with_a_role_is_registered_without_a_sponsor() -> None:
    broker = GenesisAccount(USERS[0].address, "First broker", "broker", 5)
    overlay = Overlay(State())
    seed_state(overlay, replace(GOOD, accounts=(broker,)))
    expected = Registration("First broker", "broker", NO_SPONSOR, 0)
    assert read_registration(overlay, USERS[0].address) == expected
    assert read_registration(overlay, USERS[1].address) is None


def test_genesis_has_one_byte_form_and_the_order_of_entries_does_not_change_the_root() -> None:
    assert Codec(LedgerGenesis).decode(encode(GOOD)) == GOOD
    overlay = Overlay(State())
    shuffled = replace(GOOD, accounts=GOOD.accounts[::-1], members=GOOD.members[::-1])
    seed_state(overlay, shuffled)
    assert overlay.root() == genesis_state().root


def test_a_genesis_that_contradicts_itself_is_refused() -> None:
    account, member = GOOD.accounts[0], GOOD.members[0]
    rest = GOOD.members[1:]
    shared_vrf = replace(member, vrf_key=rest[0].vrf_key)
    same_keys = replace(member, vrf_key=member.address)
    cases = {
        "account twice": replace(GOOD, accounts=(account, account)),
        "member twice": replace(GOOD, members=(member, *GOOD.members)),
        "VRF key twice": replace(GOOD, members=(shared_vrf, *rest)),
        "one key for both uses": replace(GOOD, members=(same_keys, *rest)),
        "too much money": replace(GOOD, pool_micro=MAX_INTEGER),
        "parameters": replace(GOOD, parameters=replace(GOOD.parameters, alpha_ppm=0)),
    }
    for why, broken in cases.items():
        assert refusal(broken) is Reason.VALIDATION_ERROR, why


@pytest.mark.parametrize("stake", [0, STAKE_MIN - 1, STAKE_MAX + 1])
def test_a_stake_out_of_bounds_is_refused(stake: int) -> None:
    member = replace(GOOD.members[0], stake_micro=stake)
    assert refusal(replace(GOOD, members=(member,))) is Reason.STAKE_OUT_OF_BOUNDS


@pytest.mark.parametrize("key", ["00" * 32, "01" + "00" * 31, "02" + "00" * 31, "ff" * 32])
def test_keys_that_nobody_can_hold_are_refused(key: str) -> None:
    member, account = GOOD.members[0], GOOD.accounts[0]
    for broken in (
        replace(GOOD, members=(replace(member, address=key),)),
        replace(GOOD, members=(replace(member, vrf_key=key),)),
        replace(GOOD, accounts=(replace(account, address=key),)),
    ):
        assert refusal(broken) is Reason.UNACCEPTABLE_KEY


def test_a_chain_needs_a_member() -> None:
    with pytest.raises(Rejected) as caught:
        Codec(LedgerGenesis).decode(encode(replace(GOOD, members=())))
    assert caught.value.reason is Reason.VALIDATION_ERROR


def test_a_vrf_key_is_a_point_of_the_prime_order_group() -> None:
    for key in MEMBERS:
        assert vrf.verify(vrf.public_key(key.public_key), b"", vrf.prove(key.public_key, b""))
