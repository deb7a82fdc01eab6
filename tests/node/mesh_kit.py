"""Nodes made of the network, the peer server and the block exchange alone, on loopback sockets."""

import asyncio
from collections.abc import Callable

from ledger.crypto import SigningKey
from node.peers.auth import RequestVerifier
from node.peers.exchange import BlockExchange, ExchangeLimits
from node.peers.frames import Frame
from node.peers.network import Network, monotonic_ms
from node.peers.peer import Peer, PeerInfo, Role
from node.peers.server import BlockSource, PeerServer
from node.service.config import P2pSection, Settings
from node.service.connection_guard import ConnectionLimits
from node.service.listeners import Server, bind, make_server

GENESIS = b"g" * 32
MAX_BLOCK = 4096
FAST = P2pSection(reconnect_first_s=0.01, reconnect_cap_s=0.05, max_frame_bytes=65_536)


def key_of(number: int) -> SigningKey:
    return SigningKey.from_seed(bytes([number]) * 32)


async def until(condition: Callable[[], bool], timeout_s: float = 10) -> None:
    """Wait for something that happens on sockets, looking often."""
    async with asyncio.timeout(timeout_s):
        while not condition():
            await asyncio.sleep(0.002)


def log_nothing(*_: object, **__: object) -> None:
    return None


class MeshNode:
    """One listener with the peer routes; remembers frames and blocks."""

    def __init__(self, key: SigningKey, genesis_hash: bytes = GENESIS) -> None:
        self.key = key
        self.frames: list[tuple[bytes, Frame]] = []
        self.linked: list[bytes] = []
        self.pushed: list[tuple[bytes, bytes]] = []
        self.blocks: dict[bytes, bytes] = {}
        self.chain: list[tuple[bytes, bytes]] = []
        self.network = Network(key, genesis_hash, FAST, self, log_nothing)
        self.exchange = BlockExchange(
            key, ExchangeLimits(MAX_BLOCK, 4 * MAX_BLOCK, fetch_timeout_s=1, chain_timeout_s=1)
        )
        verifier = RequestVerifier(
            key.address,
            lambda address: self.network.is_known(bytes.fromhex(address)),
            lambda: monotonic_ms() / 1000,
        )
        self.lowest = 1
        source = BlockSource(self._block, self._chain, self._on_block, lambda: self.lowest)
        self.server = PeerServer(self.network, verifier, source, MAX_BLOCK)
        self.url = ""
        self.limits = ConnectionLimits(64, 64, head_timeout_s=0.3)
        self._tasks: list[asyncio.Task[None]] = []
        self._uvicorn: Server | None = None

    def info(self, role: Role = Role.MEMBER) -> PeerInfo:
        return PeerInfo(self.key.public_key, self.key.address[:6], role, self.url)

    def listen(self) -> "MeshNode":
        """Bind a free port; `start` or `stop` gives the socket to somebody who closes it."""
        self._socket = bind("127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        return self

    async def start(self) -> None:
        self._uvicorn = make_server(Settings(p2p=FAST), self.server.app, self.limits, peers=True)
        self._tasks = [
            asyncio.create_task(self._uvicorn.serve(sockets=[self._socket])),
            asyncio.create_task(self.network.run()),
        ]
        await until(lambda: self._uvicorn is not None and self._uvicorn.started)

    async def stop(self) -> None:
        await self.exchange.close()
        if self._uvicorn is not None:
            self._tasks[1].cancel()
            await asyncio.wait(self._tasks[1:])
            self._uvicorn.should_exit = True
            await self._tasks[0]

    def on_frame(self, peer: Peer, frame: Frame) -> None:
        self.frames.append((peer.key, frame))

    def on_link(self, peer: Peer) -> None:
        self.linked.append(peer.key)

    async def _block(self, digest: bytes) -> bytes | None:
        return self.blocks.get(digest)

    async def _chain(self, first: int, count: int) -> list[tuple[bytes, bytes]]:
        return self.chain[first - 1 : first - 1 + count]

    async def _on_block(self, peer: Peer, data: bytes) -> bool:
        self.pushed.append((peer.key, data))
        return True
