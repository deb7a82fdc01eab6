"""A DT server's way in and out: apply, be admitted, bond, serve, change, leave (rules M1-M5).

| action | who                                | effect                                           |
| ------ | ---------------------------------- | ------------------------------------------------ |
| apply  | anyone who is no member            | an application, good for `proposal_blocks`       |
| update | member, not left or ejected        | resources (Eq 4), endpoint and VRF key, all anew |
| unjail | jailed member whose time is over   | active again                                     |
| leave  | member, not left or ejected        | gives up its seat at the next boundary           |

Admission and ejection are decided by the members (ledger/proposals.py) and carried out here.  One
admitted has `bond_blocks` to stake the least stake; then it is active, else it counts as left.  The
seat and the key it is drawn with follow by the boundary rule of consensus/sets.py.

The stake of one who left or was ejected starts to unbond when its seat is gone, so whoever can
still vote can still be fined.
"""

from collections.abc import Callable, Iterator, Mapping

from msgspec.structs import replace

from ledger.codec import Codec, Record, encode
from ledger.crypto import is_prime_order_key
from ledger.errors import Reason, Rejected
from ledger.execution import ActionContext, BlockContext, Handler, require_first
from ledger.members import (
    MAX_UNBONDING,
    Member,
    Resources,
    Unbonding,
    members,
    read_member,
    read_registration,
    require_member,
    write_member,
)
from ledger.parameters import LedgerParameters, ledger_parameters
from ledger.proposals import AdmitMember, EjectMember, Executor, electorate, is_open
from ledger.state import Event, Overlay, View
from ledger.transactions import Action
from ledger.types import Address, Endpoint, Height, Hex32, Name

APPLICATION_PREFIX = b"application/"

Committed = Callable[[View, Address], Resources]
"""What a server has promised to others and may therefore not withdraw."""


class Apply(Action, tag="apply"):
    """Ask to become a member."""

    name: Name
    vrf_key: Hex32
    endpoint: Endpoint
    resources: Resources


class Update(Action, tag="update"):
    """State resources, endpoint and VRF key anew; what does not change is repeated."""

    vrf_key: Hex32
    endpoint: Endpoint
    resources: Resources


class Unjail(Action, tag="unjail"):
    """Come back after the time in jail."""


class Leave(Action, tag="leave"):
    """Stop being a member."""


class Application(Record):
    """What an applicant said of itself; void after height `expires`, and never changed before."""

    name: Name
    vrf_key: Hex32
    endpoint: Endpoint
    resources: Resources
    expires: Height


_APPLICATIONS = Codec(Application)


def read_application(view: View, address: Address, height: int) -> Application | None:
    """Return the application that is good at `height`, None when there is none."""
    stored = view.get(APPLICATION_PREFIX + bytes.fromhex(address))
    application = None if stored is None else _APPLICATIONS.decode_trusted(stored)
    return None if application is None or application.expires < height else application


def applications(view: View, height: int) -> Iterator[tuple[Address, Application]]:
    """Yield the applications good at `height`, in ascending order of address."""
    for key, stored in view.scan(APPLICATION_PREFIX):
        application = _APPLICATIONS.decode_trusted(stored)
        if application.expires >= height:
            yield key[len(APPLICATION_PREFIX) :].hex(), application


def apply(context: ActionContext, overlay: Overlay, action: Apply) -> None:
    """Lodge an application.

    Raises ALREADY_REGISTERED (a member, another role, or an application that still stands),
    ROLE_NOT_ALLOWED for the ejected, UNACCEPTABLE_KEY, LIMIT_EXCEEDED.
    """
    require_first(context)
    sender, height = context.sender, context.block.height
    member = read_member(overlay, sender)
    if member is not None and member.status == "ejected":
        raise Rejected(Reason.ROLE_NOT_ALLOWED, "who was ejected does not come back")
    if member is not None and member.status != "left":
        raise Rejected(Reason.ALREADY_REGISTERED, "the account is a member's")
    registration = read_registration(overlay, sender)
    if registration is not None and registration.role != "account":
        raise Rejected(Reason.ALREADY_REGISTERED, f"the account is registered: {registration.role}")
    standing = read_application(overlay, sender, height)
    if standing is not None or is_open(overlay, AdmitMember(sender), height):
        raise Rejected(Reason.ALREADY_REGISTERED, "an application stands or is being voted on")
    _require_vrf_key(sender, action.vrf_key)
    application = Application(
        name=action.name,
        vrf_key=action.vrf_key,
        endpoint=action.endpoint,
        resources=action.resources,
        expires=height + context.block.parameters.proposal_blocks,
    )
    overlay.put(APPLICATION_PREFIX + bytes.fromhex(sender), encode(application))
    facts: dict[str, str | int | list[str] | list[int]] = {"address": sender, "name": action.name}
    overlay.emit(Event("member.applied", (sender,), {**facts, "expires": application.expires}))


def update_with(committed: Committed) -> Handler:
    """Return the handler of `update` under the promises `committed` knows of."""

    def update(context: ActionContext, overlay: Overlay, action: Update) -> None:
        """Change the record.  Raises ROLE_NOT_ALLOWED, RESOURCES_EXCEEDED, UNACCEPTABLE_KEY."""
        require_first(context)
        sender = context.sender
        member = require_member(overlay, sender, "active", "jailed", "admitted")
        stated = action.resources
        _require_promised(committed(overlay, sender), stated)
        if action.vrf_key != member.vrf_key:
            _require_vrf_key(sender, action.vrf_key)
        changed = replace(
            member, vrf_key=action.vrf_key, endpoint=action.endpoint, resources=stated
        )
        write_member(overlay, sender, changed)
        overlay.emit(Event("member.updated", (sender,), {"address": sender}))

    return update


def unjail(context: ActionContext, overlay: Overlay, _action: Unjail) -> None:
    """End the time in jail.  Raises ROLE_NOT_ALLOWED, STILL_JAILED, STAKE_OUT_OF_BOUNDS."""
    member = require_member(overlay, context.sender, "jailed")
    if context.block.height < member.jailed_until:
        raise Rejected(Reason.STILL_JAILED, f"until block {member.jailed_until}")
    if member.stake_micro < context.block.parameters.stake_min_micro:
        raise Rejected(Reason.STAKE_OUT_OF_BOUNDS, "fees have eaten into the least stake")
    write_member(overlay, context.sender, replace(member, status="active", jailed_until=0))
    overlay.emit(Event("member.unjailed", (context.sender,), {"address": context.sender}))


def leave(context: ActionContext, overlay: Overlay, _action: Leave) -> None:
    """Leave.  Raises ROLE_NOT_ALLOWED for who is no member in office, LIMIT_EXCEEDED."""
    member = require_member(overlay, context.sender, "active", "jailed", "admitted")
    _require_another(overlay, context.sender)
    _depart(overlay, context.sender, member, "member.left")


def admit_with(committed: Committed) -> Executor:
    """Return the executor of an admission under the promises `committed` knows of."""

    def admit_within(context: ActionContext, overlay: Overlay, change: AdmitMember) -> None:
        """Admit.  Raises what `admit` does, and RESOURCES_EXCEEDED.

        Who left and comes back may have promises that have not been ended yet.
        """
        admit(context, overlay, change)
        member = require_member(overlay, change.account, "admitted", "active")
        _require_promised(committed(overlay, change.account), member.resources)

    return admit_within


def _require_promised(promised: Resources, stated: Resources) -> None:
    if (
        stated.computation < promised.computation
        or stated.communication < promised.communication
        or stated.modelling < promised.modelling
    ):
        raise Rejected(Reason.RESOURCES_EXCEEDED, "open asks and agreements need more")


def admit(context: ActionContext, overlay: Overlay, change: AdmitMember) -> None:
    """Carry out an admission.  Raises NO_APPLICATION, ALREADY_REGISTERED, UNACCEPTABLE_KEY."""
    account, height = change.account, context.block.height
    application = read_application(overlay, account, height)
    if application is None:
        raise Rejected(Reason.NO_APPLICATION, "the account has not applied, or its time is over")
    if any(who != account and one.vrf_key == application.vrf_key for who, one in members(overlay)):
        raise Rejected(Reason.UNACCEPTABLE_KEY, "another member has this VRF key")
    registration = read_registration(overlay, account)
    if registration is not None and registration.role != "account":
        raise Rejected(Reason.ALREADY_REGISTERED, "the account has another role by now")
    parameters = context.block.parameters
    former = read_member(overlay, account)
    if former is None:
        former = Member(
            name=application.name,
            vrf_key=application.vrf_key,
            endpoint=application.endpoint,
            resources=application.resources,
            stake_micro=0,
            satisfaction_bp=parameters.initial_satisfaction_bp,
            status="left",
        )
    if former.status != "left":
        raise Rejected(Reason.ALREADY_REGISTERED, "the account is a member's")
    member = replace(
        former,
        name=application.name,
        vrf_key=application.vrf_key,
        endpoint=application.endpoint,
        resources=application.resources,
        status="admitted",
        jailed_until=0,
        bond_until=height + parameters.bond_blocks,
    )
    overlay.delete(APPLICATION_PREFIX + bytes.fromhex(account))
    facts: dict[str, str | int | list[str] | list[int]] = {"address": account, "name": member.name}
    overlay.emit(Event("member.admitted", (account,), {**facts, "bond_until": member.bond_until}))
    write_member(overlay, account, activated(overlay, account, member, parameters))


def eject(_context: ActionContext, overlay: Overlay, change: EjectMember) -> None:
    """Carry out an ejection by vote: nothing is fined.  Raises ROLE_NOT_ALLOWED, LIMIT_EXCEEDED."""
    member = require_member(overlay, change.account, "active", "jailed", "admitted")
    _require_another(overlay, change.account)
    _depart(overlay, change.account, member, "member.voted_out")


def activated(
    overlay: Overlay, address: Address, member: Member, parameters: LedgerParameters
) -> Member:
    """Return the member, active if it was admitted and its stake reaches the least stake."""
    if member.status != "admitted" or member.stake_micro < parameters.stake_min_micro:
        return member
    overlay.emit(Event("member.bonded", (address,), {"address": address}))
    return replace(member, status="active", bond_until=0)


def unbond_all(overlay: Overlay, address: Address, height: int) -> None:
    """Start the withdrawal of the whole stake of a member that holds no seat any more."""
    member = read_member(overlay, address)
    if member is None or not member.stake_micro:
        return
    kept, amount = member.unbonding, member.stake_micro
    if len(kept) == MAX_UNBONDING:  # the record is full: the newest waits with the stake
        kept, amount = kept[:-1], amount + kept[-1].amount_micro
    unlock = height + ledger_parameters(overlay).unbonding_blocks
    entries = (*kept, Unbonding(amount, unlock))
    write_member(overlay, address, replace(member, stake_micro=0, unbonding=entries))
    overlay.emit(Event("stake.changed", (address,), {"stake_micro": 0}))


def expire_bonds(context: BlockContext, overlay: Overlay) -> None:
    """Closing step: who was admitted and has not bonded in time is out again."""
    for address, member in members(overlay):
        if member.status == "admitted" and member.bond_until <= context.height:
            _depart(overlay, address, member, "member.left")


def _require_another(view: View, address: Address) -> None:
    if not any(who != address for who in electorate(view)):
        raise Rejected(Reason.LIMIT_EXCEEDED, "the last active member stays: who else would admit?")


def _depart(overlay: Overlay, address: Address, member: Member, kind: str) -> None:
    status = "ejected" if kind == "member.voted_out" else "left"
    changed = replace(member, status=status, jailed_until=0, bond_until=0)
    write_member(overlay, address, changed)
    overlay.emit(Event(kind, (address,), {"address": address}))


def _require_vrf_key(address: Address, vrf_key: Hex32) -> None:
    if vrf_key == address or not is_prime_order_key(bytes.fromhex(vrf_key)):
        raise Rejected(Reason.UNACCEPTABLE_KEY, "the VRF key is nobody's, or the account itself")


ACTIONS: tuple[type[Action], ...] = (Apply, Update, Unjail, Leave)


def handlers(committed: Committed) -> Mapping[type[Action], Handler]:
    """Return the handlers of this file's actions."""
    return {Apply: apply, Update: update_with(committed), Unjail: unjail, Leave: leave}
