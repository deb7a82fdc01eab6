"""Who votes at which height: the voting set is constant between boundaries.

Theory.  One admitted validator has one equal vote; tokens weigh the draw of leaders only.  The
set may change only at heights that are multiples of E_v (`boundary_blocks`), computed from the
final state of the height before.  That is safe because height h begins only with the finalize
certificate of h - 1: everybody crosses the boundary at the same place.  Certificates and late
votes of height h are always judged with set(h), never with a "current" set.

At a boundary:

- a member takes a seat if it was active, with the same VRF key, at this boundary and at the one
  before (its key is fixed before any seed it will be drawn with); a key is changed likewise;
- members who are no longer active lose theirs; the ejected first, then the departed, then the
  jailed;
- at most f = (n-1)//3 seats are lost, and the set never falls below four that way (such a member
  keeps its vote, with weight zero); at most max(1, f) seats are won, the higher stake first.
"""

from dataclasses import dataclass
from typing import Final

from consensus.history import (
    Seat,
    VotingSet,
    read_announced,
    read_sets,
    read_tip,
    write_announced,
    write_set,
)
from consensus.parameters import ConsensusParameters, consensus_parameters
from consensus.simplex.types import MAX_VALIDATORS, ValidatorSet, max_faulty
from consensus.tokens import clear, mark_live
from ledger.errors import Corrupt
from ledger.members import Member, members
from ledger.membership import unbond_all
from ledger.state import Event, Overlay, View

LEAST_VALIDATORS: Final = 4  # the smallest set that bears a faulty member
_LEAVING_RANK: Final = {"ejected": 0, "left": 1, "jailed": 2}


def voting_set(view: View, height: int) -> VotingSet:
    """set(h): the seats at `height`.  Corrupt if the state no longer or not yet knows it."""
    found: VotingSet | None = None
    for candidate in read_sets(view):
        if candidate.first > height:
            break
        found = candidate
    if found is None:
        raise Corrupt(f"the state holds no voting set for height {height}")
    return found


def knows_set(view: View, height: int) -> bool:
    """Does the state still hold set(height)?"""
    return any(candidate.first <= height for candidate in read_sets(view))


def as_validators(seats: VotingSet) -> ValidatorSet:
    """The finality core's form of a voting set."""
    return ValidatorSet(
        tuple(bytes.fromhex(seat.address) for seat in seats.seats),
        tuple(bytes.fromhex(seat.vrf_key) for seat in seats.seats),
    )


def validator_set(view: View, height: int) -> ValidatorSet:
    """set(h) in the finality core's form."""
    return as_validators(voting_set(view, height))


def next_validator_set(view: View) -> ValidatorSet:
    """The set of the height after the last closed block: its digest stands in that header."""
    return validator_set(view, read_tip(view).height + 1)


def is_active(member: Member | None) -> bool:
    """May this member hold a seat and earn?  Neither jailed, nor departed, nor ejected."""
    return member is not None and member.status == "active"


def _leaving(current: VotingSet, people: dict[str, Member]) -> list[str]:
    """Addresses of seats whose holder is not active any more, the most urgent first."""
    gone = [seat.address for seat in current.seats if not is_active(people.get(seat.address))]

    def urgency(address: str) -> tuple[int, str]:
        member = people.get(address)
        return (0 if member is None else _LEAVING_RANK.get(member.status, 3), address)

    return sorted(gone, key=urgency)


def next_seats(
    current: VotingSet, announced: tuple[Seat, ...], people: dict[str, Member]
) -> tuple[Seat, ...]:
    """The seats after a boundary, in order of address.  `people`: all members by address."""
    limit = max_faulty(len(current.seats))
    seated = {seat.address for seat in current.seats}
    confirmed = {
        seat.address: seat
        for seat in announced
        if is_active(people.get(seat.address)) and people[seat.address].vrf_key == seat.vrf_key
    }
    arriving = sorted(
        (address for address in confirmed if address not in seated),
        key=lambda address: (-people[address].stake_micro, address),
    )[: min(max(1, limit), MAX_VALIDATORS - len(seated))]
    spare = max(0, len(seated) + len(arriving) - LEAST_VALIDATORS)
    leaving = _leaving(current, people)[: min(limit, spare)]
    kept = [
        confirmed.get(seat.address, seat) for seat in current.seats if seat.address not in leaving
    ]
    arrived = [confirmed[address] for address in arriving]
    return tuple(sorted(kept + arrived, key=lambda seat: seat.address))


def next_boundary(height: int, parameters: ConsensusParameters) -> int:
    """The first height whose set is not decided yet after block `height`; E_v divides it."""
    return (height + 1) // parameters.boundary_blocks * parameters.boundary_blocks + (
        parameters.boundary_blocks
    )


@dataclass(frozen=True, slots=True)
class Boundary:
    """What the next boundary brings if nothing happens until then (rules M3, M4).

    `height` is the first that the new set votes on; `blocks_left` until it is decided.  `joining`
    win a seat, `leaving` lose theirs; `staying` are not active any more and yet keep theirs, since
    at most f seats are lost at once and four stay.  `announced` are active and wait for the
    boundary after, `interval` heights later.  All in order of address.
    """

    height: int
    interval: int
    blocks_left: int
    size_after: int
    joining: tuple[str, ...]
    leaving: tuple[str, ...]
    staying: tuple[str, ...]
    announced: tuple[str, ...]


def foresee(view: View) -> Boundary:
    """The next boundary as this state has it."""
    parameters, height = consensus_parameters(view), read_tip(view).height
    people = dict(members(view))
    current = voting_set(view, height + 1)
    before = [seat.address for seat in current.seats]
    after = [seat.address for seat in next_seats(current, read_announced(view), people)]
    active = [who for who, member in people.items() if is_active(member)]
    boundary = next_boundary(height, parameters)
    return Boundary(
        height=boundary,
        interval=parameters.boundary_blocks,
        blocks_left=boundary - 1 - height,
        size_after=len(after),
        joining=tuple(who for who in after if who not in before),
        leaving=tuple(who for who in before if who not in after),
        staying=tuple(who for who in after if who in before and who not in active),
        announced=tuple(who for who in active if who not in before and who not in after),
    )


def close_boundary(overlay: Overlay, height: int, parameters: ConsensusParameters) -> None:
    """At the end of block `height`: if the next height is a boundary, seat the next set.

    Who loses a seat loses its tokens; who wins one starts with none and counts as live (E8).
    Who left or was ejected and holds no seat any more begins to unbond its stake.
    """
    first = height + 1
    if first % parameters.boundary_blocks:
        return
    people = dict(members(overlay))
    current = voting_set(overlay, height)
    seats = next_seats(current, read_announced(overlay), people)
    announce(overlay, people)
    seated = [seat.address for seat in seats]
    for address, member in people.items():
        if member.status in ("left", "ejected") and address not in seated:
            unbond_all(overlay, address, height)
    if seats == current.seats:
        return
    write_set(overlay, VotingSet(first, seats))
    before = {seat.address for seat in current.seats}
    after = {seat.address for seat in seats}
    joined = [seat.address for seat in seats if seat.address not in before]
    left = [seat.address for seat in current.seats if seat.address not in after]
    for address in joined:
        clear(overlay, address)
        mark_live(overlay, address, height)
    for address in left:
        clear(overlay, address)
    changed = tuple(joined + left)
    overlay.emit(
        Event("validators.changed", changed, {"first": first, "joined": joined, "left": left})
    )


def announce(overlay: Overlay, people: dict[str, Member]) -> None:
    """Note who is active at this boundary, and with which VRF key."""
    active = sorted(address for address, member in people.items() if is_active(member))
    write_announced(overlay, tuple(Seat(who, people[who].vrf_key) for who in active))
