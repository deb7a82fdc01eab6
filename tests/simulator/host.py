"""The simulated host: the real driver's effects, on a fake network, disk and clock.

Its coroutines never suspend, so one `send(None)` runs a step to its end.  Between any two effects,
and before and after a write is synced, the node may crash.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from consensus.simplex.events import Message
from consensus.simplex.evidence import Evidence
from consensus.simplex.journal import JournalRecord
from consensus.simplex.types import Certificate, PeerKey
from consensus.simplex.wire import encode_certificate, encode_message
from node.driver.host import DriverInput
from tests.simulator.disk import StoredBlock

if TYPE_CHECKING:
    from tests.simulator.node import SimulatedNode


class Crashed(Exception):
    """The node lost power at this very point."""


class SimulatedHost:
    """Host of one life of one node."""

    def __init__(self, node: SimulatedNode) -> None:
        self.node = node

    def boundary(self) -> None:
        """A point between two effects."""
        self.node.boundaries += 1
        fuse = self.node.fuse
        if fuse is not None:
            self.node.fuse = fuse - 1
            if fuse <= 0:
                self.node.fuse = None
                raise Crashed

    def _half_written(self) -> None:
        """A write is under way."""
        if self.node.write_fuse is not None:
            self.node.write_fuse -= 1
            if self.node.write_fuse < 0:
                raise Crashed

    def now_ms(self) -> int:
        return self.node.elapsed_ms()

    def wall_ms(self) -> int:
        return self.node.wall_ms()

    async def next_input(self) -> DriverInput:
        raise NotImplementedError("the simulator calls step")

    async def persist(self, records: Sequence[JournalRecord]) -> None:
        self.boundary()
        self.node.disk.append(records)
        self.boundary()
        self._half_written()
        self.node.disk.sync()
        self.node.monitor.synced(self.node)
        self.node.monitor.persisted(self.node, records)
        self.node.world.note("synced")
        self.boundary()

    def set_deadline(self, at_ms: int | None) -> None:
        self.node.set_deadline(at_ms)

    def broadcast(self, message: Message, skip: tuple[PeerKey, ...]) -> None:
        for index, key in enumerate(self.node.keys):
            if index != self.node.index and key not in skip:
                self.post(index, message)

    def send(self, peer: PeerKey, message: Message) -> None:
        self.post(self.node.keys.index(peer), message)

    def post(self, receiver: int, message: Message) -> None:
        """One message to one node; adversaries change this."""
        self.boundary()
        data = encode_message(message)
        self.node.monitor.sent(self.node, message)
        self.node.world.note("message", data)
        self.node.send_packet(receiver, ("message", data), len(data))

    def publish_block(self, digest: bytes, data: bytes) -> None:
        for index in range(len(self.node.keys)):
            if index != self.node.index:
                self.push_block(index, data)

    def push_block(self, receiver: int, data: bytes) -> None:
        """A block to one node; adversaries change this."""
        self.boundary()
        self.node.world.note("block", data)
        self.node.send_packet(receiver, ("block", data), len(data))

    def serve_block(self, receiver: int, data: bytes) -> None:
        """A block that a node asked for; adversaries change this."""
        self.node.send_packet(receiver, ("block", data), len(data))

    def serve_final(self, receiver: int, height: int, stored: StoredBlock | None) -> None:
        """A final block for a node that catches up, if it is here; adversaries change this."""
        if stored is not None:
            packet = ("final", stored.data, encode_certificate(stored.certificate))
            self.node.send_packet(receiver, packet, len(stored.data))

    def request_block(self, height: int, digest: bytes, peer: PeerKey) -> None:
        self.boundary()
        self.node.world.note("block request", digest)
        packet = ("get block", height, digest)
        self.node.send_packet(self.node.keys.index(peer), packet, 100)

    def block_accepted(self, height: int, digest: bytes, data: bytes) -> None:
        self.node.world.note("accepted", digest)

    def own_block_refused(self, height: int, view: int, detail: str) -> None:
        self.node.world.note("own block refused")
        self.node.monitor.violation(f"node {self.node.index} built a bad block: {detail}")

    def decided(self, digest: bytes, data: bytes, certificate: Certificate) -> None:
        self.node.world.note("decided", digest + encode_certificate(certificate))
        self.node.decided(digest, data, certificate)

    def behind(self, peer: PeerKey, height: int) -> None:
        self.node.world.note("behind")
        self.node.catch_up(self.node.keys.index(peer))

    def evidence(self, evidence: Evidence) -> None:
        self.node.world.note("evidence")
        self.node.monitor.accused(self.node, evidence)
        self.node.plug.evidence(self.node.application, evidence)

    def block_peer(self, peer: PeerKey, why: str) -> None:
        self.node.world.note("blocked peer", why.encode())
        self.node.block_peer(self.node.keys.index(peer), why)
