"""Whether a vote may be signed: the predicates of the safety argument, one per rule.

Nothing here changes anything; `Core` asks and then does.  The argument, for n validators of which
at most f = (n - 1) // 3 are faulty, on any network:

1. F(v) and X(v) cannot both be certified: an honest validator in both quorums would have signed
   NULLIFY and FINALIZE for one view (`may_nullify`, `may_finalize`).
2. At most one proposal per view is notarized: one NOTARIZE per view (`may_notarize`).
3. F(v, d) implies N(v, d): honest validators finalize only what they saw notarized.
4. After F(a, d), every notarized proposal of a view above a carries d.  Its chain of parents
   either passes a, where the payload is d, or some proposal in it skipped a, which needs X(a),
   against 1.  A proposal with parent 0 skips every view below its own.

So two finalized blocks of a height are equal.  Nobody needs to agree on who leads for this.
"""

from dataclasses import dataclass
from enum import Enum

from consensus.simplex.state import HeightState, ViewRecord
from consensus.simplex.types import VoteKind, Want


class Standing(Enum):
    """What rule R7 says about the proposal of a view."""

    READY = "ready"
    WAITING = "waiting"
    INVALID = "invalid"


@dataclass(frozen=True, slots=True)
class Judgement:
    """A standing, and the certificates whose absence keeps it at WAITING."""

    standing: Standing
    missing: tuple[tuple[int, Want], ...] = ()


def may_notarize(record: ViewRecord) -> bool:
    """R6, R7: one NOTARIZE per view, none after NULLIFY, none once the leader equivocated."""
    return (
        VoteKind.NOTARIZE not in record.sent
        and VoteKind.NULLIFY not in record.sent
        and not record.equivocated
    )


def may_nullify(record: ViewRecord) -> bool:
    """R8: never beside FINALIZE, and once.  NULLIFY after NOTARIZE is legal."""
    return VoteKind.FINALIZE not in record.sent and VoteKind.NULLIFY not in record.sent


def may_finalize(state: HeightState, view: int) -> bool:
    """R10: N(view) certified, never beside NULLIFY, once, not for an equivocating leader.

    Neither an own NOTARIZE nor being in that view is needed.
    """
    record = state.record(view)
    return (
        state.certified(view) is not None
        and VoteKind.NULLIFY not in record.sent
        and VoteKind.FINALIZE not in record.sent
        and not record.equivocated
    )


def judge_proposal(state: HeightState, view: int) -> Judgement:
    """R7 (a) to (d) for the proposal recorded for `view`; WAITING when there is none.

    (a) the parent view lies below; (b) the parent is the root or its notarization is held and has
    this very payload; (c) every view between was skipped; (d) the check of the block passed, and
    a block proposed on the root names this view as its origin.  Missing data is WAITING, never
    INVALID.
    """
    proposal = state.record(view).proposal
    if proposal is None:
        return Judgement(Standing.WAITING)
    parent_view, payload = proposal
    if parent_view >= view or state.is_refused(payload):
        return Judgement(Standing.INVALID)
    missing: list[tuple[int, Want]] = []
    verdict = state.verdicts.get(payload)
    if parent_view == 0:
        if verdict is not None and verdict.origin_view != view:
            return Judgement(Standing.INVALID)
    else:
        parent = state.notarization(parent_view)
        if parent is None:
            missing.append((parent_view, Want.NOTARIZATION))
        elif parent.payload != payload:
            return Judgement(Standing.INVALID)
    missing.extend((skip, Want.NULLIFICATION) for skip in state.missing_skips(parent_view, view))
    if missing or verdict is None:
        return Judgement(Standing.WAITING, tuple(missing))
    return Judgement(Standing.READY)
