"""The driver's host in production: disk by the writer, peers by the network, time by the clock.

Also the receiving end of the mesh: frames of peers become inputs of the driver, transactions go to
the intake, announcements of blocks we lack make us fetch them.  All that a peer sends is decoded
here; what does not decode costs that peer points and nobody else anything.

Order: the driver awaits `persist` before it performs any later effect, and every send here only
queues, so nothing leaves before the votes it reveals are on disk.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from consensus.simplex.events import Message, Status
from consensus.simplex.evidence import Evidence
from consensus.simplex.journal import JournalRecord
from consensus.simplex.types import Certificate, PeerKey, Vote
from consensus.simplex.wire import decode_message, encode_message
from ledger.errors import Reason, Rejected
from ledger.types import Digest
from node.driver.host import BlockArrived, DriverInput, MessageArrived
from node.driver.inbox import Inbox
from node.intake.intake import Intake
from node.peers.exchange import BlockExchange, ExchangeFailed
from node.peers.frames import (
    AnnounceFrame,
    ConsensusFrame,
    Frame,
    TransactionsFrame,
    announce_frame,
    consensus_frame,
)
from node.peers.network import Network
from node.peers.peer import Peer, Role
from node.service.clock import Clock

ANNOUNCE_GRACE_S = 0.15
"""Between hearing of a block and fetching it: its builder's own push is usually on the way."""
BLOCKS_QUEUED_PER_PEER = 8
"""Blocks that wait for a busy driver; what is needed and dropped is fetched again."""
FETCHES_PER_PEER = 4
FETCHES_PER_BLOCK = 3
"""A peer that lets us wait for its answers uses up its own share and not that of the others, and
holds up no block: the next source may be asked beside it."""
BAD_MESSAGE_POINTS = 20


class DriverView(Protocol):
    """What the host asks the driver."""

    @property
    def height(self) -> int: ...
    @property
    def view(self) -> int: ...
    def status(self, *, asks: bool = False) -> Status: ...
    def block(self, digest: Digest) -> bytes | None: ...


@dataclass(frozen=True, slots=True)
class HostHooks:
    """What the service wants to know or do.

    persist: make records durable.  check_signatures: see to it that the transactions of this block
    have verdicts, so that the check finds them, and say whether all hold; raises Rejected for bytes
    that are no block.
    """

    persist: Callable[[Sequence[JournalRecord]], Awaitable[None]]
    check_signatures: Callable[[bytes], Awaitable[bool]]
    behind: Callable[[PeerKey, int], None]
    decided: Callable[[int], None]
    evidence: Callable[[Evidence], None]
    heard: Callable[[Vote, PeerKey], None]


class NodeHost:
    """Implements `node.driver.host.Host` and `node.peers.network.FrameHandler`."""

    def __init__(
        self,
        own_key: PeerKey,
        clock: Clock,
        exchange: BlockExchange,
        hooks: HostHooks,
        log: Callable[..., None],
    ) -> None:
        self._own_key = own_key
        self._clock = clock
        self._exchange = exchange
        self._hooks = hooks
        self._log = log
        self._network: Network | None = None
        self._driver: DriverView | None = None
        self._intake: Intake | None = None
        self._fetching: set[tuple[Digest, PeerKey]] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self.inbox = Inbox()

    def connect(self, network: Network, driver: DriverView, intake: Intake) -> None:
        """Complete the circle: these three are built with this host in hand."""
        self._network, self._driver, self._intake = network, driver, intake

    @property
    def network(self) -> Network:
        if self._network is None:
            raise RuntimeError("the host is not connected")
        return self._network

    @property
    def driver(self) -> DriverView:
        if self._driver is None:
            raise RuntimeError("the host is not connected")
        return self._driver

    async def close(self) -> None:
        """Cancel pushes and fetches under way."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # ------------------------------------------------------------------ effects of the driver
    def now_ms(self) -> int:
        return self._clock.now_ms()

    def wall_ms(self) -> int:
        return self._clock.wall_ms()

    async def next_input(self) -> DriverInput:
        return await self.inbox.get()

    async def persist(self, records: Sequence[JournalRecord]) -> None:
        await self._hooks.persist(records)

    def set_deadline(self, at_ms: int | None) -> None:
        self.inbox.set_deadline(None if at_ms is None else at_ms - self.now_ms())

    def broadcast(self, message: Message, skip: tuple[PeerKey, ...]) -> None:
        if isinstance(message, Vote):
            self._hooks.heard(message, self._own_key)
        self.network.broadcast(consensus_frame(encode_message(message)), skip)

    def send(self, peer: PeerKey, message: Message) -> None:
        self.network.send(peer, consensus_frame(encode_message(message)))

    def publish_block(self, digest: Digest, data: bytes) -> None:
        for peer in self.network.peers():
            if peer.connected and peer.note_block(digest):
                self._start(self._push(peer, digest, data))

    def request_block(
        self,
        height: int,  # noqa: ARG002 (the protocol's signature)
        digest: Digest,
        peer: PeerKey,
    ) -> None:
        known = self.network.peer(peer)
        if known is not None and self._may_fetch(known, digest, FETCHES_PER_BLOCK):
            self._fetching.add((digest, peer))
            self._start(self._fetch(known, digest))

    def block_accepted(
        self,
        height: int,
        digest: Digest,
        data: bytes,  # noqa: ARG002 (fetched by hash from the driver)
    ) -> None:
        self._announce(height, digest)

    def own_block_refused(self, height: int, view: int, detail: str) -> None:
        self._log("own block refused by our own check", height=height, view=view, why=detail)

    def decided(
        self,
        digest: Digest,
        data: bytes,  # noqa: ARG002 (the application has it)
        certificate: Certificate,
    ) -> None:
        self._announce(certificate.height, digest)
        self._hooks.decided(certificate.height)

    def behind(self, peer: PeerKey, height: int) -> None:
        self._hooks.behind(peer, height)

    def evidence(self, evidence: Evidence) -> None:
        self._hooks.evidence(evidence)

    def block_peer(self, peer: PeerKey, why: str) -> None:
        known = self.network.peer(peer)
        if known is not None:
            known.ban()
            self._log("not listening to peer for a while", peer=known.info.name, why=why)

    # ------------------------------------------------------------------ frames of peers
    def on_link(self, peer: Peer) -> None:
        self.send(peer.key, self.driver.status(asks=True))

    def on_frame(self, peer: Peer, frame: Frame) -> None:
        match frame:
            case ConsensusFrame(data):
                self._on_message(peer, data)
            case TransactionsFrame(raws):
                if self._intake is not None:
                    relay = peer.info.role is not Role.MEMBER
                    bad = self._intake.from_peer(peer.key, raws, relay=relay)
                    if bad:
                        self.blame(peer.key, bad)
            case AnnounceFrame(height, digest):
                self._on_announce(peer, height, digest)
            case _:
                return

    def blame(self, key: PeerKey, count: int) -> None:
        """This peer sent `count` things that no honest node passes on."""
        peer = self.network.peer(key)
        if peer is not None:
            peer.penalise(min(count, BAD_MESSAGE_POINTS))

    async def on_block(self, peer: Peer, data: bytes, *, pushed: bool = True) -> bool:
        """A block pushed or fetched: check its signatures off the loop, then hand it over.

        Its builder, who pushes it, must have checked them; a holder who was asked for it, not.
        """
        try:
            if not await self._hooks.check_signatures(data) and pushed:
                raise Rejected(Reason.INVALID_SIGNATURE, "of a transaction")
        except Rejected as error:
            peer.penalise(BAD_MESSAGE_POINTS)
            self._log("bad block", peer=peer.info.name, why=str(error))
            return False
        if self.inbox.blocks_of(peer.key) >= BLOCKS_QUEUED_PER_PEER:
            return False
        self.inbox.put(peer.key, BlockArrived(peer.key, data))
        return True

    def _on_message(self, peer: Peer, data: bytes) -> None:
        try:
            message = decode_message(data)
        except Rejected as error:
            peer.bad_frames += 1
            peer.penalise(BAD_MESSAGE_POINTS)
            self._log("bad message", peer=peer.info.name, why=str(error))
            return
        if isinstance(message, Status):
            peer.height = message.height - 1
            peer.greeted = True
        elif isinstance(message, Vote):
            peer.height = message.height - 1
            self._hooks.heard(message, peer.key)
        self.inbox.put(peer.key, MessageArrived(peer.key, message))

    def _on_announce(self, peer: Peer, height: int, digest: Digest) -> None:
        peer.note_block(digest)
        if height > self.driver.height:
            self._hooks.behind(peer.key, height)
        elif height == self.driver.height and self._lacks(digest):
            if not self._may_fetch(peer, digest, 1):
                return
            self._fetching.add((digest, peer.key))
            self._start(self._fetch_later(peer, height, digest))

    # ------------------------------------------------------------------ work beside the driver
    def _announce(self, height: int, digest: Digest) -> None:
        frame = announce_frame(height, digest)
        for peer in self.network.peers():
            if peer.connected and peer.note_block(digest):
                peer.outbox.put(frame, urgent=True)

    def _lacks(self, digest: Digest) -> bool:
        return self.driver.block(digest) is None

    def _may_fetch(self, peer: Peer, digest: Digest, at_once: int) -> bool:
        """Whether one more fetch may start; `at_once` bounds those of one block, from all peers."""
        if (digest, peer.key) in self._fetching:
            return False
        of_block = sum(held == digest for held, _ in self._fetching)
        of_peer = sum(key == peer.key for _, key in self._fetching)
        return of_block < at_once and of_peer < FETCHES_PER_PEER

    async def _push(self, peer: Peer, digest: Digest, data: bytes) -> None:
        try:
            await self._exchange.push(peer.info, data)
        except ExchangeFailed as error:
            self._log("push failed", peer=peer.info.name, block=digest.hex(), why=str(error))

    async def _fetch_later(self, peer: Peer, height: int, digest: Digest) -> None:
        await asyncio.sleep(ANNOUNCE_GRACE_S)
        if self.driver.height == height and self._lacks(digest):
            await self._fetch(peer, digest)
        else:
            self._fetching.discard((digest, peer.key))

    async def _fetch(self, peer: Peer, digest: Digest) -> None:
        try:
            data = await self._exchange.fetch(peer.info, digest)
        except ExchangeFailed as error:
            if error.blame:
                peer.demote(BAD_MESSAGE_POINTS)
            self._log("fetch failed", peer=peer.info.name, block=digest.hex(), why=str(error))
        else:
            await self.on_block(peer, data, pushed=False)
        finally:
            self._fetching.discard((digest, peer.key))

    def _start(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
