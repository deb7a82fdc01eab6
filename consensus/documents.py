"""Elections and validators as plain documents, for whoever shows them (JSON-able, integers only).

Tokens and weights may pass 2^53, so they are decimal strings.
"""

from typing import TypeAlias

from consensus.election import Election, Entry
from consensus.history import read_tip
from consensus.sets import as_validators, voting_set
from consensus.tokens import read_standing
from ledger.members import read_member
from ledger.state import View

Plain: TypeAlias = str | int | bool
Document: TypeAlias = dict[str, Plain]


def role_name(position: int) -> str:
    """The paper's name of a place in the order: "V*", "V^b_1", "V^b_2", ..."""
    return "V*" if position == 0 else f"V^b_{position}"


def _entry(entry: Entry) -> Document:
    return {
        "index": entry.index,
        "address": entry.address,
        "name": entry.name,
        "stake_micro": entry.stake_micro,
        "satisfaction_bp": entry.satisfaction_bp,
        "resource": entry.resource,
        "compliant": entry.compliant,
        "status": entry.status,
        "tokens": str(entry.tokens),
        "weight": str(entry.weight),
        "consumed": entry.consumed,
        "chance_ppm": entry.chance_ppm,
        "position": entry.position,
        "role": role_name(entry.position),
    }


def election_document(election: Election) -> dict[str, Plain | list[Document]]:
    """The election as the API shows it; keep it with its block, old states are not kept."""
    leaders = [election.entries[index] for index in election.order]
    return {
        "height": election.height,
        "seed": election.seed.hex(),
        "lookback": election.lookback,
        "weights_height": election.weights_height,
        "entries": [_entry(entry) for entry in election.entries],
        "order": [
            {
                "position": entry.position,
                "role": role_name(entry.position),
                "address": entry.address,
                "name": entry.name,
            }
            for entry in leaders
        ],
    }


def leaders_document(election: Election, view: int) -> list[Document]:
    """What became of each leader of the order in a block of origin view `view`.

    "built"; "skipped" (voted out, turn consumed); "not_needed"; "missed" for a leader passed over
    without being charged (jailed or ejected, or view > n).
    """
    size = len(election.order)
    builder = election.leader(view)
    charged = {entry.address for entry in election.skipped(view)}
    listed: list[Document] = []
    for place in range(1, size + 1):
        entry = election.leader(place)
        if entry.address == builder.address:
            outcome = "built"
        elif entry.address in charged:
            outcome = "skipped"
        else:
            outcome = "missed" if place < view else "not_needed"
        listed.append(
            {
                "address": entry.address,
                "name": entry.name,
                "role": role_name(entry.position),
                "outcome": outcome,
            }
        )
    return listed


def validator_documents(view: View, election: Election) -> list[Document]:
    """The voting set of the next height; `view` is the state `election` was made from."""
    listed: list[Document] = []
    for entry in election.entries:
        member = read_member(view, entry.address)
        standing = read_standing(view, entry.address)
        document = _entry(entry) | {
            "endpoint": "" if member is None else member.endpoint,
            "deposit_micro": 0 if member is None else member.deposit_micro,
            "deposit_until": 0 if member is None else member.deposit_until,
            "jailed_until": 0 if member is None else member.jailed_until,
            "blocks_built": standing.blocks_built,
            "turns_skipped": standing.turns_skipped,
            "last_live": standing.last_live,
            "last_turn": standing.last_turn,
        }
        listed.append(document)
    return listed


def voting_set_document(view: View) -> dict[str, Plain | list[Document]]:
    """The set that votes on the next height; `first`: since which height it has been voting."""
    seats = voting_set(view, read_tip(view).height + 1)
    validators = as_validators(seats)
    listed: list[Document] = [
        {"index": index, "address": seat.address, "vrf_key": seat.vrf_key}
        for index, seat in enumerate(seats.seats)
    ]
    return {
        "first": seats.first,
        "size": validators.n,
        "faulty": validators.f,
        "quorum": validators.quorum,
        "digest": validators.digest.hex(),
        "seats": listed,
    }
