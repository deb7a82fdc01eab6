"""The member's record and the register of accounts: who may serve, vote and sponsor.

A member is an admitted DT server.  Its record is the ledger's, although the floors above write
parts of it: the auction sets the satisfaction, the election reads stake, satisfaction and
resources.  In this way two neighbours that never meet share a value through state.

The comprehensive resource of a server is what its scarcest resource allows, in units of
computation (Eq 4): R = min(computation, communication / alpha, modelling / beta), where alpha and
beta are the units of communication and modelling one unit of computation needs.
"""

from collections.abc import Iterator
from typing import Annotated, Literal

from msgspec import Meta
from msgspec.structs import replace

from ledger.codec import Codec, Record, encode
from ledger.errors import Reason, Rejected
from ledger.parameters import LedgerParameters
from ledger.state import Overlay, View
from ledger.types import (
    PPM,
    Address,
    BasisPoints,
    Endpoint,
    Height,
    Hex32,
    Micro,
    Name,
    PositiveMicro,
    ResourceUnits,
)

MEMBER_PREFIX = b"member/"
REGISTRY_PREFIX = b"registry/"

MAX_UNBONDING = 16
"""Withdrawals of stake under way at once per member; bounds the record."""

Status = Literal["active", "jailed", "left", "ejected", "admitted"]
Role = Literal["its", "broker", "account"]


class Resources(Record):
    """What a server declares: MHz of computation, kbit/s of communication, model units."""

    computation: ResourceUnits
    communication: ResourceUnits
    modelling: ResourceUnits


class Unbonding(Record):
    """Stake on its way out; free at the end of block `unlock_height`."""

    amount_micro: PositiveMicro
    unlock_height: Height


class Member(Record, kw_only=True):
    """One admitted DT server."""

    name: Name
    vrf_key: Hex32
    endpoint: Endpoint
    resources: Resources
    stake_micro: Micro
    unbonding: Annotated[tuple[Unbonding, ...], Meta(max_length=MAX_UNBONDING)] = ()
    deposit_micro: Micro = 0
    """Pledge of a leader, held until `deposit_until`."""
    deposit_until: Height = 0
    satisfaction_bp: BasisPoints
    status: Status = "active"
    jailed_until: Height = 0
    bond_until: Height = 0
    """Last height for one admitted to bond the least stake."""


class Registration(Record):
    """An account with a name and a role, admitted by a member, its sponsor."""

    name: Name
    role: Role
    sponsor: Address
    height: Height


_MEMBERS = Codec(Member)
_REGISTRATIONS = Codec(Registration)


def comprehensive_resource(resources: Resources, parameters: LedgerParameters) -> int:
    """Return R_j of Eq 4 in units of computation, rounded down."""
    return min(
        resources.computation,
        resources.communication * PPM // parameters.alpha_ppm,
        resources.modelling * PPM // parameters.beta_ppm,
    )


def is_compliant(member: Member, parameters: LedgerParameters) -> bool:
    """Say whether the member's resources reach the threshold for asking and leading."""
    return comprehensive_resource(member.resources, parameters) >= parameters.resource_threshold


def member_money(member: Member) -> int:
    """Return all money the record holds: stake, unbonding and deposit, micro-tokens."""
    unbonding = sum(entry.amount_micro for entry in member.unbonding)
    return member.stake_micro + unbonding + member.deposit_micro


def member_key(address: Address) -> bytes:
    """Return the state key of a member's record."""
    return MEMBER_PREFIX + bytes.fromhex(address)


def decode_member(stored: bytes) -> Member:
    """Return the record of stored bytes."""
    return _MEMBERS.decode_trusted(stored)


def read_member(view: View, address: Address) -> Member | None:
    """Return the member's record, None for an account that never was a member."""
    stored = view.get(member_key(address))
    return None if stored is None else _MEMBERS.decode_trusted(stored)


def write_member(overlay: Overlay, address: Address, member: Member) -> None:
    """Store the member's record."""
    overlay.put(member_key(address), encode(member))


def members(view: View) -> Iterator[tuple[Address, Member]]:
    """Yield every member, whatever its status, in ascending order of address."""
    for key, stored in view.scan(MEMBER_PREFIX):
        yield key[len(MEMBER_PREFIX) :].hex(), _MEMBERS.decode_trusted(stored)


def require_member(view: View, address: Address, *statuses: Status) -> Member:
    """Return the record of a member in one of `statuses`, else raise ROLE_NOT_ALLOWED."""
    member = read_member(view, address)
    if member is None or member.status not in statuses:
        raise Rejected(Reason.ROLE_NOT_ALLOWED, f"only a member that is {' or '.join(statuses)}")
    return member


def set_satisfaction(overlay: Overlay, address: Address, satisfaction_bp: int) -> None:
    """Set a member's satisfaction.  Raises UNKNOWN_ACCOUNT when it is no member."""
    member = read_member(overlay, address)
    if member is None:
        raise Rejected(Reason.UNKNOWN_ACCOUNT, "satisfaction belongs to members")
    write_member(overlay, address, replace(member, satisfaction_bp=satisfaction_bp))


def registry_key(address: Address) -> bytes:
    """Return the state key of an account's registration."""
    return REGISTRY_PREFIX + bytes.fromhex(address)


def read_registration(view: View, address: Address) -> Registration | None:
    """Return the account's registration, None when it has none."""
    stored = view.get(registry_key(address))
    return None if stored is None else _REGISTRATIONS.decode_trusted(stored)


def write_registration(overlay: Overlay, address: Address, registration: Registration) -> None:
    """Store an account's registration."""
    overlay.put(registry_key(address), encode(registration))


def registrations(view: View) -> Iterator[tuple[Address, Registration]]:
    """Yield every registration in ascending order of address."""
    for key, stored in view.scan(REGISTRY_PREFIX):
        yield key[len(REGISTRY_PREFIX) :].hex(), _REGISTRATIONS.decode_trusted(stored)
