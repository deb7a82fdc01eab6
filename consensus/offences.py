"""Equivocation: who may be ejected for it, once, and what it costs (rule E7, third grade).

Evidence is a pair of conflicting votes of one validator.  Whether the pair convicts is the
finality core's business; here it is decided whether this chain still acts on it:

- the votes are of a height up to this one, not older than `deposit_blocks` (so that the deposit
  of a leader of that time is still held), judged with set(height);
- the offender is a member and not ejected yet: an offence, or two, is punished once;
- offenders of one block ascend by address, so none is named twice and order is canonical.

The offender is ejected, its deposit burned and `slash_ppm` of its stake, unbonding stake included,
its tokens cleared; from the next height on it is
last in every order (E4), and it loses its seat at the boundary.
"""

from msgspec.structs import replace

from consensus.deposits import burn, slash
from consensus.parameters import consensus_parameters
from consensus.sets import knows_set, validator_set, voting_set
from consensus.simplex.evidence import Evidence, verify_evidence
from consensus.simplex.types import Verify
from consensus.tokens import clear
from ledger.errors import Reason, Rejected
from ledger.members import read_member, write_member
from ledger.state import Event, Overlay, View
from ledger.types import Address


def offender(view: View, evidence: Evidence) -> Address:
    """The account accused; the evidence has been checked."""
    return voting_set(view, evidence.height).seats[evidence.signer].address


def check_evidence(
    view: View, evidence: Evidence, height: int, genesis_hash: bytes, verify: Verify
) -> Address:
    """The offender, if block `height` may act on this evidence; else Rejected(BAD_COMMITS)."""
    oldest = height - consensus_parameters(view).deposit_blocks
    if not oldest <= evidence.height <= height or not knows_set(view, evidence.height):
        raise Rejected(Reason.BAD_COMMITS, f"evidence of height {evidence.height} is out of time")
    validators = validator_set(view, evidence.height)
    if not verify_evidence(evidence, validators, genesis_hash, verify):
        raise Rejected(Reason.BAD_COMMITS, "evidence does not convict")
    accused = offender(view, evidence)
    member = read_member(view, accused)
    if member is None or member.status == "ejected":
        raise Rejected(Reason.BAD_COMMITS, "the offender is already ejected")
    return accused


def punish(overlay: Overlay, height: int, evidence: Evidence) -> None:
    """Eject the offender, burn deposit and slashed stake.  The evidence has been checked."""
    accused = offender(overlay, evidence)
    burned = burn(overlay, accused)
    slashed = slash(overlay, accused, consensus_parameters(overlay).slash_ppm)
    clear(overlay, accused)
    member = read_member(overlay, accused)
    if member is not None:
        write_member(overlay, accused, replace(member, status="ejected", jailed_until=0))
    facts = {"height": height, "offence_height": evidence.height, "burned_micro": burned + slashed}
    overlay.emit(Event("member.ejected", (accused,), {"address": accused, **facts}))
