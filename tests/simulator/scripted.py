"""One real driver over a toy chain, a host that records, and peers played by the test."""

from collections.abc import Sequence

from consensus.simplex.certificates import assemble
from consensus.simplex.events import Message, Status
from consensus.simplex.evidence import Evidence
from consensus.simplex.journal import JournalRecord
from consensus.simplex.pace import Timing
from consensus.simplex.types import Certificate, PeerKey, Vote, VoteKind, vote_message
from ledger.crypto import digest
from node.driver.driver import Driver
from node.driver.host import DriverInput, DriverSettings, MessageArrived
from tests.simulator.disk import Disk
from tests.simulator.ground import StubKey, stub_verify
from tests.simulator.toy import ToyApplication, ToyBlock, ToyChain

GENESIS = digest("genesis", b"scripted")
BEGIN_MS = 1_000_000
TIMING = Timing(block_time_ms=1000, round_trip_ms=400, execution_budget_ms=400)
KEYS = tuple(bytes((index + 1,)) * 32 for index in range(4))
OBSERVER = b"\x77" * 32


class RecordingHost:
    """Keeps every effect in `log`, in order, as (name, arguments...)."""

    def __init__(self) -> None:
        self.log: list[tuple] = []
        self.now = BEGIN_MS
        self.step_ms = 0
        self.deadline: int | None = None
        self.journal: list[JournalRecord] = []
        self.disk_error: OSError | None = None

    def now_ms(self) -> int:
        return self.now

    def wall_ms(self) -> int:
        return self.now + self.step_ms

    async def next_input(self) -> DriverInput:
        raise NotImplementedError

    async def persist(self, records: Sequence[JournalRecord]) -> None:
        if self.disk_error is not None:
            raise self.disk_error
        self.journal.extend(records)
        self.log.append(("persist", tuple(records)))

    def set_deadline(self, at_ms: int | None) -> None:
        self.deadline = at_ms

    def broadcast(self, message: Message, skip: tuple[PeerKey, ...]) -> None:
        self.log.append(("broadcast", message))

    def send(self, peer: PeerKey, message: Message) -> None:
        self.log.append(("send", peer, message))

    def publish_block(self, block_digest: bytes, data: bytes) -> None:
        self.log.append(("publish", block_digest))

    def request_block(self, height: int, block_digest: bytes, peer: PeerKey) -> None:
        self.log.append(("request", block_digest, peer))

    def block_accepted(self, height: int, block_digest: bytes, data: bytes) -> None:
        self.log.append(("accepted", block_digest))

    def own_block_refused(self, height: int, view: int, detail: str) -> None:
        self.log.append(("refused", detail))

    def decided(self, block_digest: bytes, data: bytes, certificate: Certificate) -> None:
        self.log.append(("decided", block_digest))

    def behind(self, peer: PeerKey, height: int) -> None:
        self.log.append(("behind", peer, height))

    def evidence(self, evidence: Evidence) -> None:
        self.log.append(("evidence", evidence))

    def block_peer(self, peer: PeerKey, why: str) -> None:
        self.log.append(("block peer", peer, why))


class Script:
    """The driver of `index` (None: an observer); the test speaks for everybody else."""

    def __init__(
        self,
        index: int | None = 0,
        *,
        restored: bool = False,
        disk: Disk | None = None,
        journal: Sequence[JournalRecord] = (),
        now: int = BEGIN_MS,
    ) -> None:
        self.chain = ToyChain(GENESIS, BEGIN_MS - 1000, 1000, KEYS, 4, 0, stub_verify)
        self.disk = disk or Disk()
        self.host = RecordingHost()
        self.host.now = now
        self.index = index
        key = KEYS[index] if index is not None else OBSERVER
        self.application = ToyApplication(self.chain, key, self.disk)
        settings = DriverSettings(
            GENESIS, stub_verify, TIMING, drift_bound_ms=500, restored=restored
        )
        self.driver = Driver(self.application, self.host, settings, StubKey(key))
        self.run(self.driver.restore(self.application.start(), journal))

    def run(self, coroutine) -> None:
        try:
            coroutine.send(None)
        except StopIteration:
            return
        raise AssertionError("the driver suspended")

    def step(self, item: DriverInput) -> list[tuple]:
        """The effects of one input."""
        before = len(self.host.log)
        self.run(self.driver.step(item))
        return self.host.log[before:]

    def hear(self, message: Message, peer: int | bytes | None = None) -> list[tuple]:
        if peer is None:
            assert isinstance(message, Vote)
            peer = message.signer
        key = KEYS[peer] if isinstance(peer, int) else peer
        return self.step(MessageArrived(key, message))

    def leader(self, view: int = 1) -> int:
        return self.driver.start.leader(view)

    def follower(self) -> int:
        """Some validator that is neither the leader of view 1 nor us."""
        return next(i for i in range(4) if i not in (self.leader(), self.index))

    def block(self, *, salt: int = 0, later_ms: int = 0, height: int | None = None) -> bytes:
        """A block of the leader of view 1, by default for the height worked on."""
        start = self.driver.start
        return ToyBlock(
            height or start.height,
            start.parent,
            1,
            KEYS[start.leader(1)],
            max(self.host.now, self.application.tip_time_ms + 1) + later_ms,
            self.application.count + 1,
            salt,
            (),
        ).encode()

    def vote(self, kind: VoteKind, view: int, signer: int, data: bytes, height: int = 0) -> Vote:
        payload = b"" if kind is VoteKind.NULLIFY else digest("toy", data, GENESIS)
        height = height or self.driver.height
        validators = self.chain.validators(height)
        message = vote_message(GENESIS, validators.digest, kind, height, view, 0, payload)
        signature = StubKey(KEYS[signer]).sign(message)
        return Vote(kind, height, view, 0, payload, signer, signature)

    def certificate(
        self, kind: VoteKind, view: int, data: bytes, height: int = 0, signers=(0, 1, 2)
    ) -> Certificate:
        return assemble([self.vote(kind, view, s, data, height) for s in signers], 4)

    def own_votes(self) -> list[Vote]:
        return [
            message
            for name, message, *_ in self.host.log
            if name == "broadcast" and isinstance(message, Vote)
        ]


def names(log: Sequence[tuple]) -> list[str]:
    return [entry[0] for entry in log]


def status(height: int, view: int = 1, *, asks: bool = False) -> Status:
    return Status(height, view, asks)
