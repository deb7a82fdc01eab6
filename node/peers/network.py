"""The mesh: one persistent link to every known peer, kept up, authenticated and bounded.

The side with the lower key dials at once, the other only when no link came up for a while, so a
pair rarely opens two; if it does, the newest wins and the older is closed.  Lost links are dialed
again with a growing, jittered pause.  Each link has a reader, a sender and a pinger; when one ends,
all do.  Frames are handled as they arrive, by a handler that must not block: a slow consumer drops
what it cannot hold, per peer, rather than let one peer's transactions delay its own votes.
"""

import asyncio
import random
import time
from collections.abc import Callable, Iterable
from typing import Protocol

from starlette.websockets import WebSocket

from ledger.crypto import SigningKey
from node.peers.frames import (
    PING_BYTES,
    BadFrame,
    Frame,
    PingFrame,
    PongFrame,
    decode_frame,
    ping_frame,
    pong_frame,
)
from node.peers.handshake import HandshakeError
from node.peers.links import accept, dial
from node.peers.outbox import Outbox
from node.peers.peer import Link, LinkClosed, Peer, PeerInfo
from node.service.config import P2pSection

SECOND_DIALER_WAITS_S = 3.0
UNPROVEN_MAX = 64
"""Connections inside the handshake at one time: they cost an attacker nothing, us a little."""
BAD_FRAME_POINTS = 25


class FrameHandler(Protocol):
    """Who takes what arrives.  Called in the event loop; must neither block nor raise."""

    def on_frame(self, peer: Peer, frame: Frame) -> None:
        """A decoded frame other than ping and pong, of a peer that is not banned."""
        ...

    def on_link(self, peer: Peer) -> None:
        """A link is up; greet."""
        ...


def monotonic_ms() -> int:
    """The clock for everything that concerns links."""
    return time.monotonic_ns() // 1_000_000


class Network:
    """All peers and their links."""

    def __init__(
        self,
        key: SigningKey,
        genesis_hash: bytes,
        settings: P2pSection,
        handler: FrameHandler,
        log: Callable[..., None],
    ) -> None:
        self._key = key
        self._genesis_hash = genesis_hash
        self._settings = settings
        self._handler = handler
        self._log = log
        self._peers: dict[bytes, Peer] = {}
        self._dialers: dict[bytes, asyncio.Task[None]] = {}
        self._closing: set[asyncio.Task[None]] = set()
        self._unproven = 0
        self._running = False

    # ------------------------------------------------------------------ who
    def set_peers(self, infos: Iterable[PeerInfo]) -> None:
        """Make the known peers exactly these; links of others close, new ones are dialed."""
        wanted = {info.key: info for info in infos if info.key != self._key.public_key}
        for key in [key for key in self._peers if key not in wanted]:
            self._forget(self._peers.pop(key))
        for key, info in wanted.items():
            peer = self._peers.get(key)
            if peer is None:
                outbox = Outbox(self._settings.outbox_frames, self._settings.outbox_bytes)
                self._peers[key] = Peer(info, outbox, monotonic_ms)
            else:
                peer.info = info
        if self._running:
            self._start_dialers()

    def peer(self, key: bytes) -> Peer | None:
        """The known peer with this account key."""
        return self._peers.get(key)

    def peers(self) -> tuple[Peer, ...]:
        """All known peers, by account key."""
        return tuple(self._peers[key] for key in sorted(self._peers))

    def is_known(self, key: bytes) -> bool:
        """Whether this account may talk to us."""
        return key in self._peers

    @property
    def connected_count(self) -> int:
        return sum(peer.connected for peer in self._peers.values())

    # ------------------------------------------------------------------ send
    def send(self, key: bytes, frame: bytes, *, urgent: bool = True) -> None:
        """Queue a frame for one peer; dropped when it is unknown or not connected."""
        peer = self._peers.get(key)
        if peer is not None and (peer.connected or not urgent):
            peer.outbox.put(frame, urgent=urgent)

    def broadcast(self, frame: bytes, skip: Iterable[bytes] = ()) -> None:
        """Queue an urgent frame for every connected peer but `skip`."""
        skipped = set(skip)
        for key, peer in self._peers.items():
            if peer.connected and key not in skipped:
                peer.outbox.put(frame, urgent=True)

    # ------------------------------------------------------------------ run
    async def run(self) -> None:
        """Keep links up until cancelled, then close them."""
        self._running = True
        self._start_dialers()
        try:
            await asyncio.Event().wait()
        finally:
            self._running = False
            for peer in self._peers.values():
                self._forget(peer)
            tasks, self._dialers = list(self._dialers.values()), {}
            await asyncio.gather(*tasks, *self._closing, return_exceptions=True)

    async def accept(self, websocket: WebSocket) -> None:
        """Serve a WebSocket that somebody opened to us, until it ends."""
        if self._unproven >= UNPROVEN_MAX:
            await websocket.close(1013)
            return
        self._unproven += 1
        try:
            key, link = await accept(websocket, self._key, self._genesis_hash, self.is_known)
        except HandshakeError as error:
            self._log("link refused", why=str(error))
            return
        except LinkClosed:
            return
        finally:
            self._unproven -= 1
        peer = self._peers.get(key)
        if peer is not None:
            await self._serve(peer, link, dialed=False)

    def _forget(self, peer: Peer) -> None:
        task = self._dialers.pop(peer.key, None)
        if task is not None:
            task.cancel()
        if peer.link is not None:
            self._close_soon(peer.link)
            peer.link = None

    def _close_soon(self, link: Link) -> None:
        """Close without waiting: a side that is gone takes a second to be given up."""
        task = asyncio.create_task(link.close())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    def _start_dialers(self) -> None:
        for key, peer in self._peers.items():
            if key not in self._dialers and peer.info.url:
                self._dialers[key] = asyncio.create_task(self._keep_linked(peer))

    async def _keep_linked(self, peer: Peer) -> None:
        """Dial whenever there is no link, first side at once, second side after a while."""
        settings = self._settings
        pause = settings.reconnect_first_s
        first = self._key.public_key < peer.key
        while True:
            if not first:
                await asyncio.sleep(SECOND_DIALER_WAITS_S)
            if peer.connected:
                pause = settings.reconnect_first_s
                await asyncio.sleep(pause)
                continue
            try:
                link = await dial(
                    peer.info.url,
                    self._key,
                    self._genesis_hash,
                    peer.key,
                    settings.max_frame_bytes,
                )
            except HandshakeError as error:
                self._log("peer is not who it should be", peer=peer.info.name, why=str(error))
            except LinkClosed:
                pass
            else:
                pause = settings.reconnect_first_s
                await self._serve(peer, link, dialed=True)
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))
            pause = min(2 * pause, settings.reconnect_cap_s)

    # ------------------------------------------------------------------ one link
    async def _serve(self, peer: Peer, link: Link, *, dialed: bool) -> None:
        older, peer.link, peer.dialed = peer.link, link, dialed
        if older is not None:
            self._close_soon(older)
        peer.outbox.clear_urgent()
        peer.seen()
        self._log("link up", peer=peer.info.name, dialed=dialed)
        self._handler.on_link(peer)
        tasks = [
            asyncio.create_task(work)
            for work in (self._read(peer, link), self._write(peer, link), self._ping(peer, link))
        ]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            if peer.link is link:
                peer.link = None
                peer.round_trip_ms = None
                self._log("link down", peer=peer.info.name)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await link.close()

    async def _read(self, peer: Peer, link: Link) -> None:
        while True:
            try:
                data = await link.receive()
                frame = decode_frame(data, self._settings.max_frame_bytes)
            except LinkClosed:
                return
            except BadFrame as error:
                peer.bad_frames += 1
                peer.penalise(BAD_FRAME_POINTS)
                self._log("bad frame", peer=peer.info.name, why=str(error))
                return
            peer.seen()
            if isinstance(frame, PingFrame):
                peer.outbox.put(pong_frame(frame.token), urgent=True)
            elif isinstance(frame, PongFrame):
                self._on_pong(peer, frame.token)
            elif not peer.banned and peer.may_speak():
                self._handler.on_frame(peer, frame)

    async def _write(self, peer: Peer, link: Link) -> None:
        while True:
            frame = await peer.outbox.get()
            try:
                await link.send(frame)
            except LinkClosed:
                return

    async def _ping(self, peer: Peer, link: Link) -> None:
        """Measure the round trip, and end a link on which nothing arrives any more."""
        settings = self._settings
        while True:
            token = monotonic_ms().to_bytes(PING_BYTES, "big")
            peer.outbox.put(ping_frame(token), urgent=True)
            await asyncio.sleep(settings.ping_interval_s)
            silent_ms = monotonic_ms() - (peer.last_seen_ms or 0)
            if peer.link is not link or silent_ms > settings.ping_timeout_s * 1000:
                return

    def _on_pong(self, peer: Peer, token: bytes) -> None:
        elapsed = monotonic_ms() - int.from_bytes(token, "big")
        if 0 <= elapsed <= 3_600_000:
            peer.round_trip_ms = elapsed
            peer.reward()
