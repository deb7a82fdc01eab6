"""A simulated node: the lives of one validator, from start to crash to restart, over one disk."""

from __future__ import annotations

import errno
from collections import deque
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, replace
from typing import Protocol

from consensus.simplex.application import Application
from consensus.simplex.events import Tick
from consensus.simplex.evidence import Evidence
from consensus.simplex.types import Certificate, HeightStart, Signer, ValidatorSet
from consensus.simplex.wire import (
    decode_certificate,
    decode_message,
)
from ledger.errors import Rejected
from node.driver.driver import Driver
from node.driver.host import (
    BlockArrived,
    DriverInput,
    DriverSettings,
    FinalBlockArrived,
    MessageArrived,
)
from tests.simulator.checkers import Monitor
from tests.simulator.disk import Disk, DiskFailed, StoredBlock
from tests.simulator.host import Crashed, SimulatedHost
from tests.simulator.network import Network
from tests.simulator.world import EPOCH_MS, World

INBOX_LIMIT = 4096
BLOCKED_MS = 400


class OpenApplication(Protocol):
    """Opens the application of a node from its disk, with the start of the next height."""

    def __call__(self, key: bytes, disk: Disk) -> tuple[Application, HeightStart]: ...


def no_evidence(application: Application, evidence: Evidence) -> None:
    """What an application without offences does with evidence."""


@dataclass(frozen=True)
class Plug:
    """What the simulator needs to know of the application under it.

    fingerprint: of the committed state, equal on all nodes at equal heights.
    evidence: takes what the finality core found.  audit: looks at a finished run from outside.
    work: gives the application something to do.

    For adversaries only.  variant: another valid block of the same builder for the same turn.
    invalid: one of a kind in `invalid_kinds`, which honest nodes must not vote for.
    digest: of any bytes that are to be taken for a block.
    """

    open: OpenApplication
    validators: Callable[[int], ValidatorSet]
    fingerprint: Callable[[Application], bytes]
    variant: Callable[[bytes], bytes]
    invalid: Callable[[bytes, str], bytes]
    invalid_kinds: tuple[str, ...]
    digest: Callable[[bytes], bytes]
    evidence: Callable[[Application, Evidence], None] = no_evidence
    work: Callable[[list[SimulatedNode]], None] | None = None
    audit: Callable[[list[SimulatedNode]], None] | None = None


class SimulatedNode:
    """One validator or observer."""

    def __init__(
        self,
        world: World,
        network: Network,
        monitor: Monitor,
        plug: Plug,
        settings: DriverSettings,
        keys: tuple[bytes, ...],
        signer: Signer,
    ) -> None:
        self.world = world
        self.network = network
        self.monitor = monitor
        self.plug = plug
        self.settings = settings
        self.keys = keys
        self.signer = signer
        self.index = keys.index(signer.public_key)
        self.disk = Disk()
        self.driver: Driver | None = None
        self.application: Application | None = None
        self.host: SimulatedHost | None = None
        self.fuse: int | None = None
        self.write_fuse: int | None = None
        self.boundaries = 0
        self.tears = False
        self.skew_ms = 0
        self.drift_ppm = 0
        self.service_ms = 0
        self.is_honest = True
        self.frozen_until_ms = 0
        self.is_restored = False
        self.blocks: dict[int, StoredBlock] = {}
        self._inbox: deque[Callable[[], DriverInput | None]] = deque()
        self._busy = False
        self._life = 0
        self._timer = 0
        self._deadline: int | None = None
        self._blocked_until: dict[int, int] = {}
        network.deliver[self.index] = self.receive

    # -- life

    def make_host(self) -> SimulatedHost:
        """The host of a new life; adversaries put theirs here."""
        return SimulatedHost(self)

    def start(self) -> None:
        """Begin a life from what the disk holds."""
        self._life += 1
        self.network.lives[self.index] = self._life
        self.world.note("started", bytes((self.index,)))
        self.blocks = dict(self.disk.blocks)
        self._inbox.clear()
        self._busy = False
        self._deadline = None
        self._blocked_until.clear()
        self.application, start = self.plug.open(self.signer.public_key, self.disk)
        self.monitor.restarted(self)
        self.monitor.state(self, self.disk.tip, self.plug.fingerprint(self.application))
        settings = replace(self.settings, restored=self.is_restored)
        self.host = self.make_host()
        self.driver = Driver(self.application, self.host, settings, self.signer)
        self.run(self.driver.restore(start, self.disk.journal))

    def crash(self) -> None:
        """Lose power now."""
        self.world.note("fault: node crashed", bytes((self.index,)))
        self._lose_power()

    def _stop(self, error: DiskFailed) -> None:
        """The disk reported an error: the process ends itself, and is not asked anything again."""
        self.world.fault(f"I/O error {errno.errorcode[error.errno or errno.EIO]}")
        self.world.note("stopped by an I/O error", bytes((self.index,)))
        self._lose_power()

    def _lose_power(self) -> None:
        waiting = len(self.disk.queue)
        survivors = 0
        if waiting:
            if self.tears:
                survivors = self.world.chance.randrange(waiting + 1)
            kinds = {0: "unsynced write lost", waiting: "unsynced write kept"}
            self.world.fault(kinds.get(survivors, "write torn"))
        self.monitor.persisted(self, self.disk.crash(survivors))
        self.driver = None
        self.host = None
        self.fuse = self.write_fuse = None

    @property
    def processes(self) -> tuple[SimulatedNode, ...]:
        """What faults strike: itself, or each of several that look like one node from outside."""
        return (self,)

    @property
    def is_up(self) -> bool:
        return self.driver is not None

    @property
    def height(self) -> int:
        """Last committed height of this life, or on disk while down."""
        return self.driver.height - 1 if self.driver is not None else self.disk.tip

    def elapsed_ms(self) -> int:
        """The clock of this node's timers: it runs a little fast."""
        now = self.world.now_ms
        return now + (now - EPOCH_MS) * self.drift_ppm // 1_000_000

    def wall_ms(self) -> int:
        """This node's idea of the time of day."""
        return self.elapsed_ms() + self.skew_ms

    def run(self, step: Coroutine[None, None, None]) -> None:
        """Run one step of the driver to its end, or to the crash within it."""
        try:
            step.send(None)
        except StopIteration:
            return
        except Crashed:
            self.crash()
            return
        except DiskFailed as error:
            self._stop(error)
            return
        raise AssertionError("a step of the driver suspended")

    # -- inputs

    def receive(self, sender: int, packet: object) -> None:
        """A packet arrives at the door."""
        if not self.is_up or self.world.now_ms < self._blocked_until.get(sender, 0):
            return
        if len(self._inbox) >= INBOX_LIMIT:
            self.world.counts["inbox full"] += 1
            return
        self.enqueue(lambda: self.open_packet(sender, packet))

    def enqueue(self, work: Callable[[], DriverInput | None]) -> None:
        """One thing after another, each taking its time."""
        self._inbox.append(work)
        if not self._busy:
            self._busy = True
            self._schedule()

    def _schedule(self) -> None:
        life, frozen = self._life, self.frozen_until_ms - self.world.now_ms
        self.world.after(max(self.service_ms, frozen), lambda: self._serve(life))

    def _serve(self, life: int) -> None:
        if life != self._life or self.driver is None:
            return
        item = self._inbox.popleft()()
        if item is not None:
            self.run(self.driver.step(item))
        if life == self._life and self.driver is not None:
            self._busy = bool(self._inbox)
            if self._busy:
                self._schedule()

    def open_packet(self, sender: int, packet: object) -> DriverInput | None:
        """What the transport would make of it."""
        key = self.keys[sender]
        match packet:
            case ("message", bytes() as data):
                try:
                    return MessageArrived(key, decode_message(data))
                except Rejected as refusal:
                    self.world.note("undecodable")
                    self.block_peer(sender, str(refusal))
                    return None
            case ("block", bytes() as data):
                return BlockArrived(key, data)
            case ("get block", int() as height, bytes() as digest):
                self._serve_block(sender, height, digest)
            case ("get final", int() as height):
                self._serve_final(sender, height)
            case ("final", bytes() as data, bytes() as encoded):
                return self._final_arrived(sender, data, encoded)
        return None

    def _final_arrived(self, sender: int, data: bytes, encoded: bytes) -> DriverInput | None:
        try:
            certificate = decode_certificate(encoded)
        except Rejected as refusal:
            self.block_peer(sender, str(refusal))
            return None
        if certificate.height == self.height + 1:
            self.catch_up(sender, after=self.height + 1)
        return FinalBlockArrived(self.keys[sender], data, certificate)

    def set_deadline(self, at_ms: int | None) -> None:
        """The driver's one deadline, in this node's time."""
        if at_ms == self._deadline:
            return
        self._deadline = at_ms
        self._timer += 1
        if at_ms is not None:
            timer, life = self._timer, self._life
            wait_ms = (at_ms - self.elapsed_ms()) * 1_000_000 // (1_000_000 + self.drift_ppm)
            self.world.after(wait_ms + 1, lambda: self._ring(timer, life))

    def _ring(self, timer: int, life: int) -> None:
        if timer == self._timer and life == self._life and self.is_up:
            if self._deadline is not None and self.elapsed_ms() < self._deadline:
                at_ms, self._deadline = self._deadline, None
                self.set_deadline(at_ms)
                return
            self._deadline = None
            self.enqueue(Tick)

    # -- blocks

    def send_packet(self, receiver: int, packet: object, size: int) -> None:
        """Everything that leaves this node goes through here."""
        self.network.send(self.index, receiver, packet, size)

    def _serve_block(self, receiver: int, height: int, digest: bytes) -> None:
        data = self.driver.block(digest) if self.driver is not None else None
        stored = self.blocks.get(height)
        if data is None and stored is not None and stored.digest == digest:
            data = stored.data
        if data is not None and self.host is not None:
            self.host.serve_block(receiver, data)

    def _serve_final(self, receiver: int, height: int) -> None:
        if self.host is not None:
            self.host.serve_final(receiver, height, self.blocks.get(height))

    def catch_up(self, peer: int, after: int | None = None) -> None:
        """Ask a peer for the block after `after` (our tip by default)."""
        height = (self.height if after is None else after) + 1
        self.send_packet(peer, ("get final", height), 100)

    def decided(self, digest: bytes, data: bytes, certificate: Certificate) -> None:
        height = certificate.height
        self.blocks[height] = StoredBlock(height, digest, data, certificate)
        self.monitor.decided(self, data, certificate)
        self.monitor.state(self, height, self.plug.fingerprint(self.application))

    def block_peer(self, peer: int, why: str) -> None:
        self._blocked_until[peer] = self.world.now_ms + BLOCKED_MS
        self.monitor.blocked(self, peer, why)
