"""What comes in about a height and becomes knowledge: votes, certificates, verdicts.

Rules R2 (one slot per vote), R3 (a certificate is stored, persisted and broadcast once), R4 (a
quorum in the tally is a certificate), R6 (the leader's first NOTARIZE is the proposal, a second
one convicts it, a certificate overrides it) and R9 (every notarized block is checked, in any
view, also after the view was skipped).

Nothing is voted and no timer set in here.
"""

from collections.abc import Sequence

from consensus.simplex.certificates import assemble, votes_of
from consensus.simplex.events import (
    AskCheck,
    BlockPeer,
    Broadcast,
    Checked,
    Decide,
    ReportEvidence,
)
from consensus.simplex.evidence import accuse
from consensus.simplex.journal import HeldCertificate, Verdict
from consensus.simplex.outbox import Outbox
from consensus.simplex.state import RETENTION_VIEWS, HeightState, ViewRecord
from consensus.simplex.types import Certificate, PeerKey, Vote, VoteKind


class Intake:
    """Puts what was admitted into the state of the height."""

    def __init__(self, state: HeightState, own_index: int | None, outbox: Outbox) -> None:
        self._state = state
        self._validators = state.start.validators
        self._own_index = own_index
        self._outbox = outbox
        self._asked: dict[bytes, dict[PeerKey, None]] = {}
        self._accused: dict[int, None] = {}

    def wants_vote(self, vote: Vote) -> bool:
        """R2, before the signature is looked at: in range, and not what fills the slot already."""
        state = self._state
        if state.decided is not None or vote.height != state.start.height:
            return False
        if not max(0, state.view - RETENTION_VIEWS) < vote.view <= state.view + 1:
            return False
        record = state.views.get(vote.view)
        held = record.tally.vote(vote.kind, vote.signer) if record is not None else None
        return held is None or held.proposal != vote.proposal

    def wants_certificate(self, certificate: Certificate) -> bool:
        """R3, before signatures are looked at: of this height, any view, and not held yet."""
        if self._state.decided is not None or certificate.height != self._state.start.height:
            return False
        match certificate.kind:
            case VoteKind.NOTARIZE:
                return self._state.notarization(certificate.view) is None
            case VoteKind.NULLIFY:
                return self._state.nullification(certificate.view) is None
            case VoteKind.FINALIZE:
                return True

    def take_vote(self, vote: Vote) -> None:
        """R2, R6: count it, or convict its signer."""
        if not self.wants_vote(vote):
            return
        record = self._state.record(vote.view)
        rival = record.tally.conflict(vote)
        if rival is None:
            self.count(vote)
            return
        if vote.kind is VoteKind.NOTARIZE and vote.signer == record.leader:
            record.equivocated = True
        self._accuse(rival, vote)
        self._outbox.add(BlockPeer(self._validators.keys[vote.signer], "conflicting votes"))

    def count(self, vote: Vote) -> None:
        """R4: tally a vote without a rival; make the certificate when it completes a quorum."""
        record = self._state.record(vote.view)
        record.tally.add(vote)
        if vote.kind is VoteKind.NOTARIZE and vote.signer == record.leader:
            if record.proposal is None:
                record.proposal = vote.proposal
            elif record.proposal != vote.proposal:
                record.equivocated = True
        if record.tally.count(vote) < self._validators.quorum:
            return
        votes = record.tally.equal_votes(vote.kind, vote.proposal)
        self.take_certificate(assemble(votes, self._validators.n), None)

    def take_certificate(self, certificate: Certificate, peer: PeerKey | None) -> None:
        """R3: keep, persist, broadcast once.  peer: who handed it over, None for our own."""
        if not self.wants_certificate(certificate):
            return
        self.keep(certificate)
        if certificate.kind is not VoteKind.FINALIZE:
            self._outbox.record(HeldCertificate(certificate))
        self._outbox.add(Broadcast(certificate, () if peer is None else (peer,)))
        if certificate.kind is VoteKind.FINALIZE:
            self._outbox.add(Decide(certificate))
        elif certificate.kind is VoteKind.NOTARIZE:
            self.check_notarized(certificate, peer)

    def keep(self, certificate: Certificate) -> None:
        """Put a certificate into the record of its view, without telling anybody."""
        record = self._state.record(certificate.view)
        match certificate.kind:
            case VoteKind.NOTARIZE:
                record.notarization = certificate
                self._state.notarized_views.append(certificate.view)
                self._state.notarized_views.sort()
                self._override_proposal(record, certificate)
            case VoteKind.NULLIFY:
                record.nullification = certificate
                self._state.highest_skip = max(self._state.highest_skip, certificate.view)
            case VoteKind.FINALIZE:
                self._state.decided = certificate

    def take_verdict(self, verdict: Checked) -> None:
        """R7 (d), R9: the first verdict about a block stands, and is durable before it counts."""
        if verdict.payload in self._state.verdicts or self._state.decided is not None:
            return
        self._state.verdicts[verdict.payload] = verdict
        height = self._state.start.height
        self._outbox.record(Verdict(height, verdict.payload, verdict.valid, verdict.origin_view))

    def check_notarized(self, certificate: Certificate, peer: PeerKey | None) -> None:
        """R9: its signers have the block, and so has who handed the certificate over."""
        signers = [self._validators.keys[signer] for signer in certificate.signer_indices()]
        self.check(certificate.payload, signers if peer is None else [peer, *signers])

    def check(self, payload: bytes, sources: Sequence[PeerKey], *, expected: bool = False) -> None:
        """Have a block checked; said again only when there are new sources to fetch it from."""
        if payload in self._state.verdicts:
            return
        own_key = None if self._own_index is None else self._validators.keys[self._own_index]
        known = self._asked.get(payload)
        fresh = tuple(key for key in sources if key != own_key and key not in (known or ()))
        if fresh or known is None:
            self._asked.setdefault(payload, {}).update(dict.fromkeys(fresh))
            self._outbox.add(AskCheck(payload, fresh, expected))

    def _override_proposal(self, record: ViewRecord, certificate: Certificate) -> None:
        """R6: what a quorum notarized is the proposal; the leader who told us another is marked."""
        if record.proposal is not None and record.proposal != certificate.proposal:
            record.equivocated = True
            for vote in votes_of(certificate):
                rival = record.tally.conflict(vote)
                if rival is not None and vote.signer != self._own_index:
                    self._accuse(rival, vote)
        record.proposal = certificate.proposal

    def _accuse(self, rival: Vote, vote: Vote) -> None:
        """Report a signer once per height, however many conflicting votes it signs."""
        if vote.signer not in self._accused:
            self._accused[vote.signer] = None
            self._outbox.add(ReportEvidence(accuse(rival, vote)))
