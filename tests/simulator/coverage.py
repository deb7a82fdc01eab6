"""Counts how often each rule R1 to R14 acted, by watching every core from outside.

What a core was told and what it answered is enough to see which rule spoke.  Nothing is noted in
the hash of a run, so a run that is watched is the same run.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from consensus.simplex.core import Core
from consensus.simplex.events import (
    AskCheck,
    Broadcast,
    CertificateReceived,
    Checked,
    Deadline,
    Decide,
    Effect,
    GetCertificate,
    Input,
    Persist,
    PublishBlock,
    ReportEvidence,
    Send,
    Status,
    VoteReceived,
)
from consensus.simplex.journal import HeldCertificate, JournalRecord, OwnVote
from consensus.simplex.state import HeightState
from consensus.simplex.types import Certificate, Vote, VoteKind

RULES = tuple(f"R{number}" for number in range(1, 15))


class RuleWatch:
    """The counters; names start with the number of the rule."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()

    def missing(self) -> list[str]:
        """Rules that never acted."""
        seen = {name.split(" ", 1)[0] for name in self.counts}
        return [rule for rule in RULES if rule not in seen]

    def saw(self, core: Core, before: int, item: Input | None, effects: Sequence[Effect]) -> None:
        """One call of a core: its view before, the input (None: restored), its effects."""
        state = core._state
        self._views(state, before)
        self._intake(state, item)
        for effect in effects:
            match effect:
                case Persist(records):
                    for record in records:
                        self._record(core, item, record)
                case Decide():
                    self.counts["R11 height decided"] += 1
                case ReportEvidence():
                    self.counts["R2 second vote is evidence"] += 1
                case PublishBlock():
                    self.counts["R5 fresh block"] += 1
                case AskCheck():
                    self.counts["R9 block to be checked"] += 1
                case Broadcast(Status()):
                    self.counts["R13 said again"] += 1
                case Send(_, GetCertificate()):
                    self.counts["R7 missing proof fetched"] += 1
                case Deadline():
                    self.counts["R14 deadline set"] += 1

    def _views(self, state: HeightState, before: int) -> None:
        if before and state.view > before:
            skipped = state.nullification(state.view - 1) is not None
            self.counts["R12 view left by X" if skipped else "R1 view left by N"] += 1
            self.counts["R1 view entered"] += 1

    def _intake(self, state: HeightState, item: Input | None) -> None:
        match item:
            case VoteReceived(vote):
                self.counts["R2 vote taken"] += 1
                if state.record(vote.view).equivocated:
                    self.counts["R6 vote in a view of two proposals"] += 1
                elif vote.kind is VoteKind.NOTARIZE and vote.signer == state.start.leader(
                    vote.view
                ):
                    self.counts["R6 proposal"] += 1
            case Checked(payload, valid):
                views = [
                    view
                    for view in state.notarized_views
                    if state.views[view].held_notarization().payload == payload
                ]
                if not valid:
                    self.counts["R7 block refused"] += 1
                elif any(state.nullification(view) for view in views):
                    self.counts["R9 certified beside X"] += 1
                elif views:
                    self.counts["R9 certified"] += 1

    def _record(self, core: Core, item: Input | None, record: JournalRecord) -> None:
        match record:
            case HeldCertificate(certificate):
                self._certificate(item, certificate)
            case OwnVote(vote):
                self._own_vote(core, vote)

    def _certificate(self, item: Input | None, certificate: Certificate) -> None:
        if isinstance(item, CertificateReceived) and item.certificate == certificate:
            self.counts["R3 certificate taken"] += 1
        else:
            self.counts[f"R4 {certificate.kind.name} from the tally"] += 1

    def _own_vote(self, core: Core, vote: Vote) -> None:
        record = core._state.record(vote.view)
        match vote.kind:
            case VoteKind.NOTARIZE if record.leader == vote.signer:
                kind = "again" if vote.parent_view else "on the root"
                self.counts[f"R5 proposed {kind}"] += 1
            case VoteKind.NOTARIZE:
                kind = "re-proposal" if vote.parent_view else "fresh block"
                self.counts[f"R7 notarized a {kind}"] += 1
            case VoteKind.NULLIFY:
                after = "after N" if VoteKind.NOTARIZE in record.sent else "alone"
                why = "at once" if record.give_up else "in time"
                self.counts[f"R8 nullified {after}, {why}"] += 1
            case VoteKind.FINALIZE:
                own = "with" if VoteKind.NOTARIZE in record.sent else "without"
                self.counts[f"R10 finalized {own} own N"] += 1


@contextmanager
def watched() -> Iterator[RuleWatch]:
    """Watch every core of this process meanwhile."""
    watch = RuleWatch()
    handle: Callable[[Core, int, Input], tuple[Effect, ...]] = Core.handle
    restore = Core.restore

    def watched_handle(self: Core, now_ms: int, item: Input) -> tuple[Effect, ...]:
        before = self.view
        effects = handle(self, now_ms, item)
        watch.saw(self, before, item, effects)
        return effects

    def watched_restore(
        self: Core, now_ms: int, records: Sequence[JournalRecord]
    ) -> tuple[Effect, ...]:
        effects = restore(self, now_ms, records)
        watch.saw(self, 0, None, effects)
        return effects

    Core.handle = watched_handle  # type: ignore[method-assign]
    Core.restore = watched_restore  # type: ignore[method-assign]
    try:
        yield watch
    finally:
        Core.handle = handle  # type: ignore[method-assign]
        Core.restore = restore  # type: ignore[method-assign]
