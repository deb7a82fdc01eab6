"""The ledger's part of the genesis file: first accounts, first members, the pool, the parameters.

Every micro-token that will ever exist is named here, so the bound of 2^53 - 1 on their sum holds
for ever.  Genesis is trusted less than it looks: a file with two entries for one account, a key
nobody can own, or a stake out of bounds is refused, because a chain started from it could not be
mended without a new genesis.
"""

from typing import Annotated, Literal

from msgspec import Meta

from ledger.accounts import POOL, Account, pot_credit, total_money, write_account
from ledger.codec import Record
from ledger.crypto import is_prime_order_key
from ledger.errors import Reason, Rejected
from ledger.members import (
    Member,
    Registration,
    Resources,
    write_member,
    write_registration,
)
from ledger.parameters import LedgerParameters, write_parameters
from ledger.state import Overlay
from ledger.types import MAX_INTEGER, Address, BasisPoints, Endpoint, Hex32, Micro, Name

MAX_GENESIS_ENTRIES = 1_000_000

NO_SPONSOR = "0" * 64
"""Sponsor of what genesis itself registers."""


class GenesisAccount(Record):
    """An account with money and, when its role is not empty, a name."""

    address: Address
    name: Name
    role: Literal["its", "broker", "account", ""]
    free_micro: Micro


class GenesisMember(Record):
    """A founding DT server; money for it to spend is a `GenesisAccount` of its own."""

    address: Address
    name: Name
    vrf_key: Hex32
    endpoint: Endpoint
    resources: Resources
    stake_micro: Micro
    satisfaction_bp: BasisPoints


class LedgerGenesis(Record):
    """What the ledger starts from."""

    parameters: LedgerParameters
    accounts: Annotated[tuple[GenesisAccount, ...], Meta(max_length=MAX_GENESIS_ENTRIES)]
    members: Annotated[tuple[GenesisMember, ...], Meta(min_length=1, max_length=1024)]
    pool_micro: Micro


def seed_state(overlay: Overlay, genesis: LedgerGenesis) -> None:
    """Write genesis into an empty state.

    Raises Rejected(VALIDATION_ERROR, UNACCEPTABLE_KEY or STAKE_OUT_OF_BOUNDS) for a genesis that
    contradicts itself.
    """
    write_parameters(overlay, genesis.parameters)
    _require_distinct("account", [account.address for account in genesis.accounts])
    _require_distinct("member", [member.address for member in genesis.members])
    _require_distinct("VRF key", [member.vrf_key for member in genesis.members])
    for account in genesis.accounts:
        _seed_account(overlay, account)
    for member in genesis.members:
        _seed_member(overlay, member, genesis.parameters)
    pot_credit(overlay, POOL, genesis.pool_micro)
    total = total_money(overlay)
    if total > MAX_INTEGER:
        raise Rejected(Reason.VALIDATION_ERROR, f"{total} micro-tokens are more than 2^53 - 1")


def genesis_money(genesis: LedgerGenesis) -> int:
    """Return all money there is from genesis on, micro-tokens: what `seed_state` hands out."""
    accounts = sum(account.free_micro for account in genesis.accounts)
    return accounts + sum(member.stake_micro for member in genesis.members) + genesis.pool_micro


def _seed_account(overlay: Overlay, account: GenesisAccount) -> None:
    _require_key(account.address, account.name)
    write_account(overlay, account.address, Account(free=account.free_micro))
    if account.role:
        registration = Registration(account.name, account.role, NO_SPONSOR, 0)
        write_registration(overlay, account.address, registration)


def _seed_member(overlay: Overlay, member: GenesisMember, parameters: LedgerParameters) -> None:
    _require_key(member.address, member.name)
    _require_key(member.vrf_key, f"VRF key of {member.name}")
    if member.vrf_key == member.address:
        raise Rejected(Reason.VALIDATION_ERROR, f"{member.name}: VRF and signing key must differ")
    if not parameters.stake_min_micro <= member.stake_micro <= parameters.stake_max_micro:
        raise Rejected(Reason.STAKE_OUT_OF_BOUNDS, f"{member.name}: {member.stake_micro} micro")
    record = Member(
        name=member.name,
        vrf_key=member.vrf_key,
        endpoint=member.endpoint,
        resources=member.resources,
        stake_micro=member.stake_micro,
        satisfaction_bp=member.satisfaction_bp,
    )
    write_member(overlay, member.address, record)


def _require_key(key: str, whose: str) -> None:
    if not is_prime_order_key(bytes.fromhex(key)):
        raise Rejected(Reason.UNACCEPTABLE_KEY, f"{whose}: {key} is no key anyone could hold")


def _require_distinct(what: str, keys: list[str]) -> None:
    if len(set(keys)) != len(keys):
        raise Rejected(Reason.VALIDATION_ERROR, f"the same {what} is listed twice")
