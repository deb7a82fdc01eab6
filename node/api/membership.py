"""Documents about members, applicants, proposals and voting sets, from the state and from events.

The state holds what is; what was stands in the events of the few blocks that tell of membership
(`Queries.membership`).  Of those at most `BLOCKS_MAX`, the newest, are looked at for one answer.
"""

from collections.abc import Iterable, Iterator, Sequence

import msgspec

from consensus.discipline import read_conduct
from consensus.documents import voting_set_document
from consensus.history import read_tip
from consensus.sets import Boundary, foresee, next_validator_set, voting_set
from consensus.tokens import read_standing
from ledger.members import comprehensive_resource, members
from ledger.membership import applications
from ledger.parameters import ledger_parameters
from ledger.proposals import AdmitMember, electorate, needed, proposal_id, proposals
from ledger.state import Event, View

BLOCKS_MAX = 1_000
TOPICS = ("member", "validators", "proposal", "parameter", "broker")

Row = dict[str, object]
Told = Sequence[tuple[int, Sequence[tuple[int, Event]]]]
"""Blocks that tell of membership, newest first, with those events and their numbers."""


def member_documents(view: View) -> list[Row]:
    """All members in order of address."""
    parameters, conduct = ledger_parameters(view), read_conduct(view)
    seated = [key.hex() for key in next_validator_set(view).keys]
    coming = foresee(view)
    rows: list[Row] = []
    for address, member in members(view):
        entry, standing = conduct.get(address), read_standing(view, address)
        rows.append(
            {
                "address": address,
                **msgspec.to_builtins(member),
                "comprehensive_resource": comprehensive_resource(member.resources, parameters),
                "seated": address in seated,
                "seat_from": _seat_from(address, coming),
                "seat_until": coming.height if address in coming.leaving else 0,
                "votes_due": 0 if entry is None else entry.due,
                "votes_seen": 0 if entry is None else entry.votes,
                "turns_missed": 0 if entry is None else entry.skips,
                "blocks_built": standing.blocks_built,
                "turns_skipped": standing.turns_skipped,
                "last_live": standing.last_live,
            }
        )
    return rows


def _seat_from(address: str, coming: Boundary) -> int:
    """The boundary at which a seat is won as things stand, 0 when none is in view."""
    if address in coming.joining:
        return coming.height
    return coming.height + coming.interval if address in coming.announced else 0


def application_documents(view: View, height: int) -> list[Row]:
    """Who wants to become a member; `proposal` is "" until a member proposes the admission."""
    parameters = ledger_parameters(view)
    voting = {proposal.hex() for proposal, _ in proposals(view)}
    rows: list[Row] = []
    for address, application in applications(view, height):
        identity = proposal_id(AdmitMember(address)).hex()
        rows.append(
            {
                "address": address,
                **msgspec.to_builtins(application),
                "comprehensive_resource": comprehensive_resource(application.resources, parameters),
                "proposal": identity if identity in voting else "",
            }
        )
    return rows


def proposal_documents(view: View) -> list[Row]:
    """All open proposals in order of id.  Approvals of members no longer active do not count."""
    voters = electorate(view)
    rows: list[Row] = []
    for proposal, record in proposals(view):
        rows.append(
            {
                "proposal": proposal.hex(),
                "status": "open",
                **msgspec.to_builtins(record),
                "counted": sum(voter in record.approvals for voter in voters),
                "needed": needed(len(voters)),
                "electorate": len(voters),
                "missing": [voter for voter in voters if voter not in record.approvals],
            }
        )
    return rows


def decided_documents(told: Told) -> list[Row]:
    """Proposals carried or expired in these blocks, newest first, with who approved.

    `approvals` are in order of time; one opened before the oldest block looked at lacks some.
    """
    approved: dict[str, list[object]] = {}
    rows: list[Row] = []
    for height, events in reversed(told):
        for index, event in events:
            topic, _, deed = event.kind.partition(".")
            if topic != "proposal":
                continue
            proposal, member = str(event.data["proposal"]), event.data["member"]
            if deed == "opened":
                approved[proposal] = [member]
            elif deed == "approved":
                approved.setdefault(proposal, []).append(member)
            else:
                rows.append(
                    {
                        "proposal": proposal,
                        "status": deed,
                        "change": msgspec.json.decode(str(event.data["change"])),
                        "decided": height,
                        "event": f"{height}.{index}",
                        "approvals": approved.pop(proposal, []),
                    }
                )
    return rows[::-1]


def voting_addresses(view: View) -> list[str]:
    """Who votes on the block above this state, ascending."""
    return [seat.address for seat in voting_set(view, read_tip(view).height + 1).seats]


def set_documents(current: Sequence[str], told: Told, *, complete: bool) -> list[Row]:
    """Voting sets, newest first: from which height, who, and what changed.

    `current` are the `voting_addresses` above the very block `told` begins with: each older set
    is worked out from the one after it.  `complete`: `told` reaches back to the first block of the
    chain, so the oldest set is that of the genesis.
    """
    addresses = list(current)
    rows: list[Row] = []
    for event in _newest_first(told):
        if event.kind != "validators.changed":
            continue
        joined, left = _addresses(event, "joined"), _addresses(event, "left")
        rows.append(_set_row(event.data["first"], addresses, joined, left))
        stayed = [address for address in addresses if address not in joined]
        addresses = sorted([*stayed, *left])
    if complete:
        rows.append(_set_row(1, addresses, [], []))
    return rows


def _addresses(event: Event, name: str) -> list[str]:
    listed = event.data[name]
    return [str(each) for each in listed] if isinstance(listed, list | tuple) else []


def _set_row(first: object, addresses: list[str], joined: object, left: object) -> Row:
    return {
        "first": first,
        "size": len(addresses),
        "addresses": addresses,
        "joined": joined,
        "left": left,
    }


def next_set_document(view: View, height: int, block_time_ms: int) -> Row:
    """The set that votes, the next boundary, and what it would change as things stand."""
    coming = foresee(view)
    return {
        "height": height,
        "current": voting_set_document(view),
        "boundary": coming.height,
        "boundary_blocks": coming.interval,
        "blocks_left": coming.blocks_left,
        "expected_ms": coming.blocks_left * block_time_ms,
        "size_after": coming.size_after,
        "joining": coming.joining,
        "leaving": coming.leaving,
        "staying": coming.staying,
        "announced": coming.announced,
    }


def life_of(current: Sequence[str], address: str, told: Told, *, complete: bool) -> Row:
    """What events say of one member: `seat_since`, 0 without a seat or if unknown; `offence`.

    `current`, `told`, `complete` as in `set_documents`.
    """
    since = 0
    for row in set_documents(current, told, complete=complete):
        held = row["addresses"]
        if not isinstance(held, list) or address not in held:
            break
        first = row["first"]
        since = first if isinstance(first, int) else 0
    found: Row = {"seat_since": since}
    for height, events in told:
        for _, event in events:
            if event.kind == "member.ejected" and address in event.accounts:
                names = ("offence_height", "burned_micro")
                return {**found, "offence": {"height": height} | _picked(event, names)}
    return found


def _picked(event: Event, names: Iterable[str]) -> Row:
    return {name: event.data[name] for name in names}


def _newest_first(told: Told) -> Iterator[Event]:
    for _, events in told:
        yield from (event for _, event in reversed(events))
