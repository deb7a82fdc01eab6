"""The finality core: one instance decides one height, as a pure state machine.

`handle(now_ms, input)` returns effects in the order in which they must be performed.  There is no
clock, no IO and no chance in here; the same inputs give the same effects.  Own signatures are made
inside, so that a vote leaves complete and a restart repeats it byte for byte.

A height goes like this.  The leader of view 1 proposes a block by voting NOTARIZE for it.  Who
finds it valid votes NOTARIZE too; a quorum is a notarization.  Who holds it, and has the checked
block on disk, votes FINALIZE and enters view 2, where the next leader would re-propose the same
block after a grace.  A quorum of FINALIZE ends the height before that.  When a view does not get
there in time its validators vote NULLIFY; a quorum skips the view, and the next leader proposes.

Rules, by the numbers that the code and the tests cite:

R1 enter a view by a certified N or an X of the view before       R8  when to vote NULLIFY
R2 one slot per kind, view and signer; bounded views              R9  certify every N, in any view
R3 certificates of any later view; stored, persisted, sent once   R10 when to vote FINALIZE
R4 a quorum in the tally is a certificate                         R11 F ends the height
R5 propose on the highest certified view, else the root           R12 X does not stop R9
R6 the leader's first NOTARIZE is the proposal; two convict       R13 say again what may be lost
R7 when to vote NOTARIZE                                          R14 one deadline for all timers

Deviations from Simplex as published: one instance per height; leaving a view by a notarization
waits for the block (R9); FINALIZE needs no own NOTARIZE (R10); a grace before re-proposing.
"""

from collections.abc import Callable, Sequence

from consensus.simplex.activity import Activity
from consensus.simplex.events import (
    AskBuild,
    Broadcast,
    Built,
    CertificateReceived,
    CertificateRequested,
    Checked,
    Effect,
    GetCertificate,
    Input,
    PeerStatus,
    PublishBlock,
    Send,
    Tick,
    VoteReceived,
)
from consensus.simplex.intake import Intake
from consensus.simplex.journal import HeldCertificate, JournalRecord, OwnVote, Verdict
from consensus.simplex.outbox import Outbox
from consensus.simplex.pace import Pacemaker, Timing
from consensus.simplex.requests import CertificateRequests
from consensus.simplex.retry import Standstill
from consensus.simplex.safety import (
    Standing,
    judge_proposal,
    may_finalize,
    may_notarize,
    may_nullify,
)
from consensus.simplex.state import RETENTION_VIEWS, HeightState, ViewRecord
from consensus.simplex.types import (
    Certificate,
    HeightStart,
    PeerKey,
    Vote,
    VoteKind,
    Want,
    vote_message,
)


class Core:
    """Decides one height.  `restore` first (with no records for a fresh start), then `handle`."""

    def __init__(
        self,
        start: HeightStart,
        own_index: int | None,
        sign: Callable[[bytes], bytes] | None,
        genesis_hash: bytes,
        timing: Timing,
        activity: Activity,
        held_until_ms: int = 0,
    ) -> None:
        """own_index: None outside the set.  sign: None while this node must not vote.

        held_until_ms: until when a leader may hold a fresh block back, whatever its wall clock
        shows; nobody is given up for it before.
        """
        self._start = start
        self._own_index = own_index
        self._sign = sign if own_index is not None else None
        self._genesis_hash = genesis_hash
        self._timing = timing
        self._activity = activity
        self._outbox = Outbox()
        self._state = HeightState(start)
        self._intake = Intake(self._state, own_index, self._outbox)
        self._pace = Pacemaker(timing)
        self._pace_until_ms = start.pace_until_ms
        self._held_until_ms = held_until_ms
        self._standstill = Standstill()
        self._requests = CertificateRequests(
            start.validators, start.height, own_index, timing.round_trip_ms
        )
        self._now_ms = 0

    # ------------------------------------------------------------ what the driver may ask

    @property
    def view(self) -> int:
        """The current view."""
        return self._state.view

    @property
    def decided(self) -> Certificate | None:
        """The FINALIZE certificate that ended the height."""
        return self._state.decided

    def wants_vote(self, vote: Vote) -> bool:
        """Whether the signature of this vote is worth a check (R2)."""
        return self._intake.wants_vote(vote)

    def wants_certificate(self, certificate: Certificate) -> bool:
        """Whether the signatures of this certificate are worth a check (R3)."""
        return self._intake.wants_certificate(certificate)

    def finalize_votes(self) -> tuple[Vote, ...]:
        """All FINALIZE votes counted for the decided proposal."""
        decided = self._state.decided
        if decided is None:
            return ()
        tally = self._state.record(decided.view).tally
        return tally.equal_votes(VoteKind.FINALIZE, decided.proposal)

    # ------------------------------------------------------------ inputs

    def restore(self, now_ms: int, records: Sequence[JournalRecord]) -> tuple[Effect, ...]:
        """Resume from the records of this height, or enter view 1 without any.

        Own votes count in the tally again and are repeated at once; the view is the highest that
        the records prove; checks without a verdict are asked for again.
        """
        self._now_ms = now_ms
        # Our clock may lag the parent's header time, but no turn is held longer than one interval.
        self._pace_until_ms = min(self._pace_until_ms, now_ms + self._timing.block_time_ms)
        own = [record for record in records if record.height == self._start.height]
        highest = max((self._replay(record) for record in own), default=1)
        self._enter(max(highest, self._state.highest_exit() + 1))
        for view in self._state.notarized_views:
            self._intake.check_notarized(self._state.views[view].held_notarization(), None)
        if own:
            self._repeat()
        return self._settle()

    def handle(self, now_ms: int, item: Input) -> tuple[Effect, ...]:
        """Take one input; the effects are to be performed in their order."""
        self._now_ms = now_ms
        match item:
            case VoteReceived(vote):
                self._intake.take_vote(vote)
            case CertificateReceived(certificate, peer):
                self._intake.take_certificate(certificate, peer)
            case Checked():
                self._intake.take_verdict(item)
            case Built(view, payload):
                self._on_built(view, payload)
            case CertificateRequested(peer, view, want):
                self._answer(peer, view, want)
            case PeerStatus(peer, view):
                self._on_peer_status(peer, view)
            case Tick():
                pass
        return self._settle()

    def _replay(self, record: JournalRecord) -> int:
        """Put one journal record back; the view it proves we were in."""
        match record:
            case OwnVote(vote):
                sent = self._state.record(vote.view).sent
                if vote.kind not in sent:
                    sent[vote.kind] = vote
                    self._intake.count(vote)
                return vote.view
            case HeldCertificate(certificate):
                if self._intake.wants_certificate(certificate):
                    self._intake.keep(certificate)
            case Verdict(_, payload, valid, origin_view):
                self._state.verdicts[payload] = Checked(payload, valid, origin_view)
            case _:
                pass
        return 1

    def _on_built(self, view: int, payload: bytes | None) -> None:
        """R5: propose the block just built, unless the height has moved on meanwhile."""
        record = self._state.record(view)
        if view != self.view or self._state.decided is not None or not may_notarize(record):
            return
        if payload is None:
            record.give_up = True
        elif self._state.best_parent(view) == 0:
            self._intake.take_verdict(Checked(payload, valid=True, origin_view=view))
            self._outbox.add(PublishBlock(payload))
            self._cast(VoteKind.NOTARIZE, view, (0, payload))
        else:
            record.build_asked = False

    def _answer(self, peer: PeerKey, view: int, want: Want) -> None:
        """Serve a certificate, or nothing if none is held."""
        certificate = self._state.answer(view, skip_first=want is Want.NULLIFICATION)
        if certificate is not None:
            self._outbox.add(Send(peer, certificate))

    def _on_peer_status(self, peer: PeerKey, view: int) -> None:
        """Help a peer that is behind into our view, or ask one that is ahead for its way in."""
        if self._state.decided is not None:
            self._outbox.add(Send(peer, self._state.decided))
        elif view < self.view:
            entering = self._state.entering_certificate()
            if entering is not None:
                self._outbox.add(Send(peer, entering))
        elif view > self.view:
            self._outbox.add(Send(peer, GetCertificate(self._start.height, view - 1, Want.ANY)))

    # ------------------------------------------------------------ rules that fire by themselves

    def _settle(self) -> tuple[Effect, ...]:
        """Apply the rules until none applies, each one bringing the height forward."""
        retry_at = self._pace.retry_at
        if self._state.decided is None and retry_at is not None and self._now_ms >= retry_at:
            self._repeat()
        while self._state.decided is None and (
            self._finalize() or self._leave() or self._propose() or self._notarize() or self._skip()
        ):
            pass
        if self._state.decided is not None:
            return self._outbox.flush(None)
        return self._outbox.flush(self._pace.next_deadline(self._now_ms, self._requests.again_at))

    def _finalize(self) -> bool:
        """R10, for any view of the height."""
        if self._sign is None:
            return False
        for view in self._state.notarized_views:
            if may_finalize(self._state, view):
                proposal = self._state.views[view].held_notarization().proposal
                self._cast(VoteKind.FINALIZE, view, proposal)
                return True
        return False

    def _leave(self) -> bool:
        """R1, R12: enter the view after the highest that is over."""
        over = self._state.highest_exit()
        if over < self.view:
            return False
        self._enter(over + 1)
        return True

    def _enter(self, view: int) -> None:
        """R1: arm the timers of a view; a leader known to be silent is not waited for."""
        for distant in range(self.view - RETENTION_VIEWS, view - RETENTION_VIEWS + 1):
            if distant in self._state.views:
                self._state.views[distant].tally.clear()
        self._state.view = view
        before = view - 1
        graced = (
            self._state.certified(before) is not None and self._state.nullification(before) is None
        )
        paces = (self._pace_until_ms, self._held_until_ms)
        self._pace.enter(self._now_ms, view, paces, graced=graced)
        self._requests.reset()
        record = self._state.current()
        if record.proposal is None and self._activity.is_silent(
            record.leader, self._own_index, self._now_ms, self._start.validators
        ):
            self._pace.expire_now(self._now_ms)
        self._arm_retry(self._pace.propose_at)

    def _propose(self) -> bool:
        """R5: our turn; re-propose the highest certified block, else have one built."""
        record = self._state.current()
        if self._sign is None or record.leader != self._own_index or not may_notarize(record):
            return False
        if self._now_ms < self._pace.propose_at or record.build_asked or record.give_up:
            return False
        parent_view = self._state.best_parent(self.view)
        gaps = self._state.missing_skips(parent_view, self.view)
        if gaps:
            self._request(tuple((view, Want.NULLIFICATION) for view in gaps))
            return False
        self._requests.reset()
        if parent_view:
            payload = self._state.views[parent_view].held_notarization().payload
            self._cast(VoteKind.NOTARIZE, self.view, (parent_view, payload))
            return True
        record.build_asked = True
        self._outbox.add(AskBuild(self.view, self._state.skips_for(self.view)))
        return False

    def _notarize(self) -> bool:
        """R6, R7: have the proposal checked, and vote for it or latch that it is invalid."""
        record = self._state.current()
        if record.proposal is None:
            return False
        parent_view, payload = record.proposal
        self._pace.proposal_seen()
        leader_key = self._start.validators.keys[record.leader]
        self._intake.check(payload, [leader_key], expected=parent_view == 0)
        if not may_notarize(record):
            return False
        judgement = judge_proposal(self._state, self.view)
        if judgement.standing is Standing.INVALID:
            changed, record.give_up = not record.give_up, True
            return changed
        if judgement.missing:
            self._request(judgement.missing)
        else:
            self._requests.reset()
        if judgement.standing is Standing.WAITING or self._sign is None:
            return False
        self._cast(VoteKind.NOTARIZE, self.view, record.proposal)
        return True

    def _skip(self) -> bool:
        """R8: NULLIFY the current view for the first reason that holds."""
        record = self._state.current()
        if not (self._pace.is_expired(self._now_ms) or self._has_reason_to_skip(record)):
            return False
        self._pace.settle()
        if self._sign is None or not may_nullify(record):
            return False
        self._cast(VoteKind.NULLIFY, self.view, (0, b""))
        return True

    def _has_reason_to_skip(self, record: ViewRecord) -> bool:
        """The reasons of R8 that need no timer: refused, declined, given up by its own leader."""
        if record.give_up or record.tally.vote(VoteKind.NULLIFY, record.leader) is not None:
            return True
        notarized = record.notarization
        return notarized is not None and self._state.is_refused(notarized.payload)

    # ------------------------------------------------------------ doing

    def _cast(self, kind: VoteKind, view: int, proposal: tuple[int, bytes]) -> None:
        """Sign a vote; it is persisted before it is sent, and counts at home."""
        if self._sign is None or self._own_index is None:
            return
        height, set_digest = self._start.height, self._start.validators.digest
        message = vote_message(self._genesis_hash, set_digest, kind, height, view, *proposal)
        vote = Vote(kind, height, view, *proposal, self._own_index, self._sign(message))
        self._state.record(view).sent[kind] = vote
        self._outbox.record(OwnVote(vote))
        self._outbox.add(Broadcast(vote))
        self._arm_retry(self._now_ms)
        self._intake.count(vote)

    def _repeat(self) -> None:
        """R13: say again what may have been lost."""
        self._outbox.add(*(Broadcast(said) for said in self._standstill.messages(self._state)))
        self._arm_retry(self._now_ms)

    def _arm_retry(self, from_ms: int) -> None:
        self._pace.arm_retry(from_ms, self._own_index or 0, self.view)

    def _request(self, missing: tuple[tuple[int, Want], ...]) -> None:
        """R7: fetch what is missing, from the leader of the view first."""
        leader = self._state.current().leader
        self._outbox.add(*self._requests.ask(self._now_ms, leader, missing))
