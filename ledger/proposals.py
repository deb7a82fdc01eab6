"""What the members decide together: proposals, approvals, and the two-thirds rule (rules M6, M7).

A change is carried out in the very transaction whose approval makes them more than two thirds of
the electorate: the members that are active at that moment.  Approvals of others do not count, so
one who was jailed or left in between no longer weighs.  The proposer approves by proposing.

The id of a proposal is the digest of its change: what a member approves is what it says, there is
one proposal for one change, and nobody can exchange it while the vote is under way.  A change that
could not be carried out now cannot be proposed now.  After `proposal_blocks` it is void.

What a change does lies with the floor it belongs to: executors are handed in.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal

from msgspec.structs import replace

from ledger.codec import Codec, Record, encode
from ledger.crypto import digest
from ledger.errors import Reason, Rejected
from ledger.execution import ActionContext, BlockContext, Handler, require_first
from ledger.members import members, require_member
from ledger.state import Event, Overlay, View
from ledger.transactions import Action
from ledger.types import Address, Code, Digest, Height, Hex32, SignedInteger

PROPOSAL_PREFIX = b"proposal/"

MAX_OPEN_PROPOSALS = 8
"""Open proposals of one member at a time."""

Scope = Literal["ledger", "consensus", "market"]


class Change(Record, tag_field="kind"):
    """Base of what can be proposed."""


class AdmitMember(Change, tag="admit_member"):
    """Take an applicant in."""

    account: Address


class EjectMember(Change, tag="eject_member"):
    """Put a member out."""

    account: Address


class AdmitBroker(Change, tag="admit_broker"):
    """Let a broker open its book, or open it again."""

    account: Address


class SuspendBroker(Change, tag="suspend_broker"):
    """Close a broker's book."""

    account: Address


class SetParameter(Change, tag="set_parameter"):
    """Give a parameter of the chain another value."""

    scope: Scope
    name: Code
    value: SignedInteger


Changes = AdmitMember | EjectMember | AdmitBroker | SuspendBroker | SetParameter


class Propose(Action, tag="propose"):
    """Open a proposal and approve it."""

    change: Changes


class Approve(Action, tag="approve"):
    """Approve an open proposal."""

    proposal: Hex32


class Proposal(Record):
    """An open proposal; void after height `expires`.  Approvals ascend by address."""

    change: Changes
    proposer: Address
    expires: Height
    approvals: tuple[Address, ...]


Executor = Callable[[ActionContext, Overlay, Any], None]
"""Carries out a change, or raises Rejected and the transaction that decided it fails."""

Setter = Callable[[Overlay, str, int], None]
"""Gives a parameter of one floor a value, or raises Rejected(VALIDATION_ERROR)."""

_PROPOSALS = Codec(Proposal)


def proposal_id(change: Changes) -> Digest:
    """Return the id of the proposal of this change."""
    return digest("proposal", encode(change))


def read_proposal(view: View, proposal: Digest, height: int) -> Proposal | None:
    """Return an open proposal, None when there is none of this id."""
    stored = view.get(PROPOSAL_PREFIX + proposal)
    found = None if stored is None else _PROPOSALS.decode_trusted(stored)
    return None if found is None or found.expires < height else found


def is_open(view: View, change: Changes, height: int) -> bool:
    """Say whether this change is being voted on."""
    return read_proposal(view, proposal_id(change), height) is not None


def proposals(view: View) -> Iterator[tuple[Digest, Proposal]]:
    """Yield every proposal in ascending order of id."""
    for key, stored in view.scan(PROPOSAL_PREFIX):
        yield key[len(PROPOSAL_PREFIX) :], _PROPOSALS.decode_trusted(stored)


def electorate(view: View) -> tuple[Address, ...]:
    """Return who decides: the active members, in ascending order of address."""
    return tuple(address for address, member in members(view) if member.status == "active")


def needed(size: int) -> int:
    """Return how many approvals are more than two thirds of `size` members."""
    return 2 * size // 3 + 1


def governance(executors: Mapping[type[Change], Executor]) -> Mapping[type[Action], Handler]:
    """Return the handlers of `propose` and `approve`."""

    def propose(context: ActionContext, overlay: Overlay, action: Propose) -> None:
        """Open a proposal.

        Raises ROLE_NOT_ALLOWED, ALREADY_PROPOSED, LIMIT_EXCEEDED, or what the change would raise.
        """
        require_first(context)
        sender, height, change = context.sender, context.block.height, action.change
        require_member(overlay, sender, "active")
        if is_open(overlay, change, height):
            raise Rejected(Reason.ALREADY_PROPOSED, proposal_id(change).hex())
        own = sum(1 for _, held in proposals(overlay) if held.proposer == sender)
        if own >= MAX_OPEN_PROPOSALS:
            raise Rejected(Reason.LIMIT_EXCEEDED, f"{own} proposals of this member are open")
        mark = overlay.checkpoint()
        executors[type(change)](context, overlay, change)
        overlay.rollback(mark)
        expires = height + context.block.parameters.proposal_blocks
        proposal = Proposal(change, sender, expires, (sender,))
        _note(overlay, "proposal.opened", sender, change)
        _decide(context, overlay, proposal, executors)

    def approve(context: ActionContext, overlay: Overlay, action: Approve) -> None:
        """Raises ROLE_NOT_ALLOWED, UNKNOWN_PROPOSAL, ALREADY_APPROVED, or the change's own."""
        require_first(context)
        sender = context.sender
        require_member(overlay, sender, "active")
        found = read_proposal(overlay, bytes.fromhex(action.proposal), context.block.height)
        if found is None:
            raise Rejected(Reason.UNKNOWN_PROPOSAL, "no open proposal of this id")
        if sender in found.approvals:
            raise Rejected(Reason.ALREADY_APPROVED, "one member, one approval")
        approvals = tuple(sorted((*found.approvals, sender)))
        _note(overlay, "proposal.approved", sender, found.change)
        _decide(context, overlay, replace(found, approvals=approvals), executors)

    return {Propose: propose, Approve: approve}


def parameter_executor(setters: Mapping[Scope, Setter]) -> Executor:
    """Return what carries out SetParameter, with one setter for each floor."""

    def set_parameter(_context: ActionContext, overlay: Overlay, change: SetParameter) -> None:
        setters[change.scope](overlay, change.name, change.value)
        facts: dict[str, str | int | list[str] | list[int]] = {
            "scope": change.scope,
            "name": change.name,
            "value": change.value,
        }
        overlay.emit(Event("parameter.changed", (), facts))

    return set_parameter


def expire_proposals(context: BlockContext, overlay: Overlay) -> None:
    """Closing step: drop the proposals whose time is over."""
    for proposal, record in proposals(overlay):
        if record.expires <= context.height:
            overlay.delete(PROPOSAL_PREFIX + proposal)
            _note(overlay, "proposal.expired", record.proposer, record.change)


def _decide(
    context: ActionContext,
    overlay: Overlay,
    proposal: Proposal,
    executors: Mapping[type[Change], Executor],
) -> None:
    """Carry the change out if the approvals suffice, else keep the proposal."""
    change, voters = proposal.change, electorate(overlay)
    key = PROPOSAL_PREFIX + proposal_id(change)
    if sum(voter in proposal.approvals for voter in voters) < needed(len(voters)):
        overlay.put(key, encode(proposal))
        return
    overlay.delete(key)
    executors[type(change)](context, overlay, change)
    _note(overlay, "proposal.carried", context.sender, change)


def _note(overlay: Overlay, kind: str, who: Address, change: Changes) -> None:
    facts: dict[str, str | int | list[str] | list[int]] = {"proposal": proposal_id(change).hex()}
    facts["change"] = encode(change).decode("utf-8")
    about = () if isinstance(change, SetParameter) else (change.account,)
    overlay.emit(Event(kind, tuple(sorted({who, *about})), {**facts, "member": who}))


ACTIONS: tuple[type[Action], ...] = (Propose, Approve)
