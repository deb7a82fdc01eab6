"""The election's part of the genesis: parameters, first voting set, first seed, first accrual.

All members of the ledger's genesis who are active have a seat from height 1 on.  Each compliant
one is credited one accrual, so that block 1 is already drawn by Eq. 2; being in the genesis counts
as a sign of life (E8).  seed_0 depends on the genesis hash alone.
"""

from consensus.beacon import seed_0
from consensus.history import Seat, Tip, VotingSet, write_set, write_tip
from consensus.parameters import ConsensusParameters, consensus_parameters, write_parameters
from consensus.sets import announce, is_active
from consensus.simplex.types import MAX_VALIDATORS
from consensus.tokens import Standing, accrue, write_standing
from consensus.turns import snapshot
from ledger.codec import Record
from ledger.errors import Reason, Rejected
from ledger.members import is_compliant, members
from ledger.parameters import ledger_parameters
from ledger.state import Overlay


class ConsensusGenesis(Record):
    """What the genesis file says about the election; members are the ledger's."""

    parameters: ConsensusParameters = ConsensusParameters()


def seed_state(overlay: Overlay, genesis: ConsensusGenesis, genesis_hash: bytes) -> None:
    """Write the election's state_0; the ledger's genesis has been seeded before.

    Raises Rejected(VALIDATION_ERROR): unsafe parameters, no member to vote, or too many.
    """
    write_parameters(overlay, genesis.parameters)
    parameters = consensus_parameters(overlay)
    ledger = ledger_parameters(overlay)
    people = {address: member for address, member in members(overlay) if is_active(member)}
    if not 1 <= len(people) <= MAX_VALIDATORS:
        raise Rejected(Reason.VALIDATION_ERROR, f"{len(people)} members cannot be a voting set")
    seats = tuple(Seat(address, people[address].vrf_key) for address in sorted(people))
    write_set(overlay, VotingSet(0, seats))
    announce(overlay, people)
    for address, member in people.items():
        standing = Standing()
        if is_compliant(member, ledger):
            standing = accrue(standing, member, len(seats), parameters)
        write_standing(overlay, address, standing)
    write_tip(overlay, Tip(0, seed_0(genesis_hash).hex()))
    snapshot(overlay, 0, parameters, ledger)
