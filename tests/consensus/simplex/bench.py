"""A core on a bench: stub keys, votes made to order, effects kept for inspection."""

from collections.abc import Sequence
from hashlib import sha512

from consensus.simplex.activity import Activity
from consensus.simplex.certificates import assemble
from consensus.simplex.core import Core
from consensus.simplex.events import (
    AskBuild,
    AskCheck,
    Broadcast,
    Built,
    CertificateReceived,
    Checked,
    Deadline,
    Effect,
    Input,
    Persist,
    Send,
    Tick,
    VoteReceived,
)
from consensus.simplex.journal import JournalRecord, OwnVote
from consensus.simplex.pace import Timing
from consensus.simplex.types import (
    Certificate,
    HeightStart,
    ValidatorSet,
    Vote,
    VoteKind,
    vote_message,
)

N, X, F = VoteKind.NOTARIZE, VoteKind.NULLIFY, VoteKind.FINALIZE
GENESIS = bytes(range(32))
ROOT = bytes(32)
BLOCK = b"\xaa" * 32
OTHER = b"\xbb" * 32
A, B, C, D = range(4)


def validator_keys(n: int) -> tuple[bytes, ...]:
    return tuple(bytes((index + 1,)) * 32 for index in range(n))


def validator_set(n: int) -> ValidatorSet:
    return ValidatorSet(validator_keys(n), tuple(bytes((index + 1,)) * 32 for index in range(n)))


def stub_sign(key: bytes, message: bytes) -> bytes:
    return sha512(key + message).digest()


def stub_verify(key: bytes, message: bytes, signature: bytes) -> bool:
    return stub_sign(key, message) == signature


class StubSigner:
    def __init__(self, public_key: bytes) -> None:
        self.public_key = public_key

    def sign(self, message: bytes) -> bytes:
        return stub_sign(self.public_key, message)


class Bench:
    """One core of `n`, at height 1 with root ROOT; time is `now` and moves by hand."""

    def __init__(
        self,
        node: int | None = A,
        n: int = 4,
        order: tuple[int, ...] | None = None,
        pace_until_ms: int = 0,
        records: Sequence[JournalRecord] = (),
        now: int = 0,
        *,
        votes: bool = True,
    ) -> None:
        self.validators = validator_set(n)
        self.start = HeightStart(
            1, self.validators, order or tuple(range(n)), ROOT, None, pace_until_ms
        )
        self.timing = Timing(block_time_ms=1000, round_trip_ms=400, execution_budget_ms=400)
        activity = Activity(self.timing.silent_after_ms)
        activity.begin_height(now, self.validators)
        self.activity = activity
        signer = StubSigner(self.validators.keys[node]) if node is not None and votes else None
        self.core = Core(
            self.start, node, signer.sign if signer else None, GENESIS, self.timing, activity
        )
        self.node = node
        self.now = now
        self.deadline: int | None = None
        self.effects: list[Effect] = []
        self.journal: list[JournalRecord] = []
        self._take(self.core.restore(now, records))

    # -- making things

    def vote(
        self, kind: VoteKind, view: int, signer: int, payload: bytes = BLOCK, parent: int = 0
    ) -> Vote:
        proposal = (0, b"") if kind is X else (parent, payload)
        message = vote_message(GENESIS, self.validators.digest, kind, 1, view, *proposal)
        signature = stub_sign(self.validators.keys[signer], message)
        return Vote(kind, 1, view, *proposal, signer, signature)

    def certificate(
        self,
        kind: VoteKind,
        view: int,
        payload: bytes = BLOCK,
        parent: int = 0,
        signers: Sequence[int] | None = None,
    ) -> Certificate:
        chosen = signers if signers is not None else range(self.validators.quorum)
        votes = [self.vote(kind, view, signer, payload, parent) for signer in chosen]
        return assemble(votes, self.validators.n)

    # -- driving

    def feed(self, *items: Input) -> list[Effect]:
        """The effects of these inputs."""
        before = len(self.effects)
        for item in items:
            self._take(self.core.handle(self.now, item))
        return self.effects[before:]

    def hear(self, *votes: Vote) -> list[Effect]:
        return self.feed(*(VoteReceived(vote) for vote in votes))

    def receive(self, certificate: Certificate, peer: int = B) -> list[Effect]:
        return self.feed(CertificateReceived(certificate, self.validators.keys[peer]))

    def verdict(self, payload: bytes = BLOCK, origin_view: int = 1, *, valid: bool = True):
        return self.feed(Checked(payload, valid, origin_view))

    def built(self, view: int, payload: bytes | None = BLOCK) -> list[Effect]:
        return self.feed(Built(view, payload))

    def pass_time(self, until: int) -> list[Effect]:
        """Tick at every deadline up to `until`."""
        before = len(self.effects)
        while self.deadline is not None and self.deadline <= until:
            self.now, self.deadline = self.deadline, None
            self.feed(Tick())
        self.now = until
        return self.effects[before:]

    def _take(self, effects: tuple[Effect, ...]) -> None:
        persisted = [effect for effect in effects if isinstance(effect, Persist)]
        assert len(persisted) <= 1
        assert not persisted or effects[0] is persisted[0], "Persist precedes everything"
        for effect in effects:
            if isinstance(effect, Persist):
                self.journal.extend(effect.records)
            if isinstance(effect, Deadline):
                self.deadline = effect.at_ms
        self.effects.extend(effects)

    # -- looking

    def own_votes(self) -> list[tuple[VoteKind, int, bytes]]:
        """Own votes in the order in which they became durable."""
        return [
            (record.vote.kind, record.vote.view, record.vote.payload)
            for record in self.journal
            if isinstance(record, OwnVote)
        ]


def broadcasts(effects: Sequence[Effect], kind: type) -> list:
    return [e.message for e in effects if isinstance(e, Broadcast) and isinstance(e.message, kind)]


def sends(effects: Sequence[Effect]) -> list[Send]:
    return [effect for effect in effects if isinstance(effect, Send)]


def of(effects: Sequence[Effect], kind: type) -> list:
    return [effect for effect in effects if isinstance(effect, kind)]


__all__ = ["AskBuild", "AskCheck"]
