"""Jail: what a member that is not there loses between two boundaries (rules M8, M9).

From one boundary to the next the state counts, for every seat, the blocks whose votes are on chain
(`due`), the member's own votes among them, late ones included (`votes`), and its missed turns
(`skips`).  Blocks of an origin view above n count for nothing and against nobody: that was an
outage.

    skips > jail_skips                          jail at once
    votes < least_attendance_bp of due          jail at the boundary, if at least half of the
                                                blocks of that time counted

The jailed weigh nothing, come last in every order (E4), earn nothing and lose the seat at the
boundary; they come back by `unjail`.  At most f may be in jail at a time, so that no outage, and no
clique of builders that leaves votes out, can jail a quorum away; the worst come first.
"""

from collections.abc import Collection
from typing import Final

from msgspec.structs import replace

from consensus.commits import Commits
from consensus.history import read_turn
from consensus.parameters import ConsensusParameters
from consensus.sets import voting_set
from consensus.simplex.types import max_faulty
from consensus.tokens import clear
from ledger.codec import Codec, Record, encode
from ledger.members import members, read_member, write_member
from ledger.state import Event, Overlay, View
from ledger.types import BASIS_POINTS, Address, Count

_KEY: Final = b"election/conduct"


class Entry(Record):
    """One member since the last boundary."""

    address: Address
    due: Count = 0
    votes: Count = 0
    skips: Count = 0


class Conduct(Record):
    """All members of whom there is something to say, in order of address."""

    entries: tuple[Entry, ...] = ()


_codec: Final = Codec(Conduct)


def read_conduct(view: View) -> dict[Address, Entry]:
    """What is held of each member since the last boundary."""
    stored = view.get(_KEY)
    entries = () if stored is None else _codec.decode_trusted(stored).entries
    return {entry.address: entry for entry in entries}


def _write(overlay: Overlay, conduct: dict[Address, Entry]) -> None:
    entries = tuple(conduct[address] for address in sorted(conduct))
    overlay.put(_KEY, encode(Conduct(entries)))


def _counts(view: View, height: int, size: int) -> bool:
    """Was the block of `height` made without an outage?"""
    turn = read_turn(view, height)
    return turn is not None and turn.view <= size


def observe(overlay: Overlay, height: int, commits: Commits, skipped: Collection[Address]) -> None:
    """Count the votes that block `height` embeds and the turns it consumes as missed."""
    conduct = read_conduct(overlay)

    def entry_of(address: Address) -> Entry:
        return conduct.get(address, Entry(address))

    if commits.last_commit is not None:
        seats = voting_set(overlay, height - 1).seats
        if _counts(overlay, height - 1, len(seats)):
            signers = commits.last_commit.signer_indices()
            for index, seat in enumerate(seats):
                entry = entry_of(seat.address)
                votes = entry.votes + (index in signers)
                conduct[seat.address] = replace(entry, due=entry.due + 1, votes=votes)
    for vote in commits.late_votes:
        seats = voting_set(overlay, vote.height).seats
        if _counts(overlay, vote.height, len(seats)):
            entry = entry_of(seats[vote.signer].address)
            conduct[entry.address] = replace(entry, votes=entry.votes + 1)
    for address in skipped:
        entry = entry_of(address)
        conduct[address] = replace(entry, skips=entry.skips + 1)
    _write(overlay, conduct)


def judge(overlay: Overlay, height: int, parameters: ConsensusParameters) -> None:
    """Jail at the end of block `height` whom the rules above name; forget at a boundary."""
    at_boundary = (height + 1) % parameters.boundary_blocks == 0
    conduct = read_conduct(overlay)
    seats = voting_set(overlay, height).seats
    seated = [seat.address for seat in seats]
    accused = [
        entry
        for entry in conduct.values()
        if entry.address in seated
        and (entry.skips > parameters.jail_skips or (at_boundary and _absent(entry, parameters)))
    ]
    if accused:
        room = max_faulty(len(seats)) - _in_jail(overlay, height, seated)
        for entry in sorted(accused, key=lambda one: (-one.skips, one.votes, one.address)):
            if room > 0 and _jail(overlay, height, entry, parameters):
                conduct.pop(entry.address)
                room -= 1
    if at_boundary or accused:
        _write(overlay, {} if at_boundary else conduct)


def _absent(entry: Entry, parameters: ConsensusParameters) -> bool:
    if entry.due * 2 < parameters.boundary_blocks:
        return False
    return entry.votes * BASIS_POINTS < entry.due * parameters.least_attendance_bp


def _in_jail(view: View, height: int, seated: Collection[Address]) -> int:
    """How many are in jail: with a seat still, or with time to serve."""
    return sum(
        member.status == "jailed" and (address in seated or member.jailed_until > height)
        for address, member in members(view)
    )


def _jail(overlay: Overlay, height: int, entry: Entry, parameters: ConsensusParameters) -> bool:
    member = read_member(overlay, entry.address)
    if member is None or member.status != "active":
        return False
    until = height + parameters.jail_blocks
    write_member(overlay, entry.address, replace(member, status="jailed", jailed_until=until))
    clear(overlay, entry.address)
    numbers = {"height": height, "until": until, "due": entry.due, "votes": entry.votes}
    facts = {"address": entry.address, "skips": str(entry.skips)}
    overlay.emit(Event("member.jailed", (entry.address,), {**numbers, **facts}))
    return True
