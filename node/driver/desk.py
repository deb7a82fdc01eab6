"""Where messages of peers are sorted: by height, by sender, by signature; and peers are helped.

Only what this returns reaches the core.  Messages of the next height are put aside, one from
further above means that we are behind, one from below that its sender is.  Every favour to a peer
has a budget per round trip, and everything kept has a bound.
"""

from consensus.simplex.activity import Activity
from consensus.simplex.admission import CachedVerify, refuse_certificate, refuse_vote
from consensus.simplex.application import Application
from consensus.simplex.core import Core
from consensus.simplex.events import (
    CertificateReceived,
    CertificateRequested,
    GetCertificate,
    Input,
    Message,
    PeerStatus,
    Status,
    VoteReceived,
)
from consensus.simplex.types import Certificate, HeightStart, PeerKey, Vote, VoteKind
from node.driver.guard import VoteGuard
from node.driver.host import DriverSettings, Host
from node.driver.peers import EarlyMessages, Finished, PeerBudget, RecentHeights

REQUESTS_PER_ROUND_TRIP = 16
"""Twice what a correct peer asks for at a time."""


class PeerDesk:
    """What outlives a height on the side of the peers."""

    def __init__(
        self,
        application: Application,
        host: Host,
        settings: DriverSettings,
        own_key: PeerKey | None,
    ) -> None:
        self._application = application
        self._host = host
        self._genesis_hash = settings.genesis_hash
        self._round_trip_ms = settings.timing.round_trip_ms
        self._verify = CachedVerify(settings.verify)
        self.activity = Activity(settings.timing.silent_after_ms)
        self.guard = VoteGuard(
            settings.restored, settings.vote_floor, own_key, settings.drift_bound_ms
        )
        self.early = EarlyMessages()
        self.recent = RecentHeights()
        self._requests = PeerBudget(REQUESTS_PER_ROUND_TRIP, self._round_trip_ms)
        self._answers = PeerBudget(2, self._round_trip_ms)
        self._helps = PeerBudget(1, self._round_trip_ms)
        self._hints = PeerBudget(1, self._round_trip_ms)
        self._start: HeightStart | None = None
        self._core: Core | None = None

    def begin_height(self, now_ms: int, start: HeightStart, core: Core) -> None:
        """Messages are for this height from now on."""
        self._start, self._core = start, core
        self.activity.begin_height(now_ms, start.validators)

    def finish_height(self, now_ms: int, certificate: Certificate) -> None:
        """Remember how the height ended, for those who are late."""
        if self._start is not None:
            self.recent.add(Finished(certificate, self._start.validators, now_ms))

    def admit(self, peer: PeerKey, message: Message, now_ms: int) -> Input | None:
        """The input for the core, if there is one in this message."""
        if self._start is None or self._core is None:
            return None
        self.activity.heard(peer, now_ms)
        if isinstance(message, Status):
            self._hear_status(peer, message, now_ms)
        if message.height > self._start.height:
            self._from_above(peer, message, now_ms)
            return None
        if message.height < self._start.height:
            self._from_below(peer, message, now_ms)
            return None
        match message:
            case Vote():
                return self._vote(peer, message)
            case Certificate():
                if self._core.wants_certificate(message) and self.holds(peer, message):
                    return CertificateReceived(message, peer)
            case GetCertificate(_, view, want):
                if self._requests.allow(peer, now_ms):
                    return CertificateRequested(peer, view, want)
            case Status(_, view):
                if self._helps.allow(peer, now_ms):
                    return PeerStatus(peer, view)
        return None

    def _hear_status(self, peer: PeerKey, status: Status, now_ms: int) -> None:
        """Note where a peer is, and tell it where we are if it asks."""
        if self._start is None or self._core is None:
            return
        self.guard.note_status(peer, status.height, self._start.validators)
        if status.asks and self._answers.allow(peer, now_ms):
            self._host.send(peer, Status(self._start.height, self._core.view, asks=False))

    def holds(self, peer: PeerKey, certificate: Certificate) -> bool:
        """Whether a certificate of this height is valid; its bearer is blocked if not."""
        if self._start is None:
            return False
        refusal = refuse_certificate(
            certificate, self._start.validators, self._genesis_hash, self._verify
        )
        if refusal is not None:
            self._host.block_peer(peer, refusal)
        return refusal is None

    def _vote(self, peer: PeerKey, vote: Vote) -> Input | None:
        """R2: wanted, from its signer, and signed."""
        if self._start is None or self._core is None or not self._core.wants_vote(vote):
            return None
        refusal = refuse_vote(vote, peer, self._start.validators, self._genesis_hash, self._verify)
        if refusal is not None:
            self._host.block_peer(peer, refusal)
            return None
        return VoteReceived(vote)

    def _from_above(self, peer: PeerKey, message: Message, now_ms: int) -> None:
        """A peer is ahead: keep what belongs to the next height, catch up beyond that."""
        if self._start is None or self._core is None:
            return
        above = message.height - self._start.height
        if above == 1 and isinstance(message, Vote | Certificate):
            self.early.add(peer, message)
        if not self._hints.allow(peer, now_ms):
            return
        if above > 1 or isinstance(message, Status):
            self._host.behind(peer, message.height)
        else:
            self._host.send(peer, Status(self._start.height, self._core.view, asks=False))

    def _from_below(self, peer: PeerKey, message: Message, now_ms: int) -> None:
        """A peer is behind: tell it how its height ended; late FINALIZE votes still earn."""
        finished = self.recent.get(message.height)
        if isinstance(message, Vote) and finished is not None:
            self._note_late_vote(peer, message, finished)
            if now_ms - finished.at_ms < self._round_trip_ms:
                return  # merely late, and told already by our broadcast
        if isinstance(message, Certificate) or not self._helps.allow(peer, now_ms):
            return
        if self._start is None or self._core is None:
            return
        ended = self.final_certificate(message.height)
        self._host.send(peer, ended or Status(self._start.height, self._core.view, asks=False))

    def final_certificate(self, height: int) -> Certificate | None:
        """The FINALIZE certificate of one of the last heights; after a start, of the last one."""
        finished = self.recent.get(height)
        if finished is not None:
            return finished.certificate
        start = self._start
        return start.parent_certificate if start and height == start.height - 1 else None

    def _note_late_vote(self, peer: PeerKey, vote: Vote, finished: Finished) -> None:
        certificate = finished.certificate
        if vote.kind is not VoteKind.FINALIZE or vote.view != certificate.view:
            return
        if vote.proposal != certificate.proposal:
            return
        validators = finished.validators
        if refuse_vote(vote, peer, validators, self._genesis_hash, self._verify) is None:
            self._application.note_finalize_votes((vote,))
