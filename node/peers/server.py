"""Blocks from and to peers over HTTP, and their links: the answering side, an ASGI app of its own.

It is mounted beside the public API or served alone on the port for peers.  Who is not a known peer
gets 401 before a byte of his body is read; a known peer gets a few requests at a time, bounded
bodies, and a deadline for sending them.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route, WebSocketRoute

from ledger.codec import pack
from node.peers.auth import RequestVerifier, Unauthenticated, matches_digest
from node.peers.exchange import BLOCKS_PATH, CHAIN_BLOCKS_MAX, CHAIN_PATH
from node.peers.links import LINK_PATH
from node.peers.network import Network
from node.peers.peer import Peer, Role

REQUESTS_PER_PEER = 6
BODY_TIMEOUT_S = 10.0
SLOW_BODY_POINTS = 10


@dataclass(frozen=True, slots=True)
class BlockSource:
    """What the server gives out and takes in.

    block: the bytes of a block by hash, final or of the height under way.  chain: final blocks with
    certificates.  on_block: a block a member pushed; True if it is of use here.  lowest: the first
    height `chain` can give, above 1 where the node began with a snapshot.
    """

    block: Callable[[bytes], Awaitable[bytes | None]]
    chain: Callable[[int, int], Awaitable[list[tuple[bytes, bytes]]]]
    on_block: Callable[[Peer, bytes], Awaitable[bool]]
    lowest: Callable[[], int] = lambda: 1


class PeerServer:
    """The routes under /p2p/v1."""

    def __init__(
        self,
        network: Network,
        verifier: RequestVerifier,
        source: BlockSource,
        max_block_bytes: int,
        scheme: str = "http",
    ) -> None:
        """`scheme` is that of the advertised endpoint: what peers sign as the target."""
        self._network = network
        self._verifier = verifier
        self._source = source
        self._max_block_bytes = max_block_bytes
        self._scheme = scheme
        self._in_flight: Counter[bytes] = Counter()
        self.app = Starlette(
            routes=[
                Route(BLOCKS_PATH, self._guarded(self._take_block), methods=["POST"]),
                Route(BLOCKS_PATH + "/{digest}", self._guarded(self._give_block)),
                Route(CHAIN_PATH, self._guarded(self._give_chain)),
                WebSocketRoute(LINK_PATH, self._network.accept),
            ]
        )

    def _guarded(
        self, handler: Callable[[Request, Peer], Awaitable[Response]]
    ) -> Callable[[Request], Awaitable[Response]]:
        """The handler behind authentication and the per-peer bound."""

        async def serve(request: Request) -> Response:
            try:
                peer = self._sender(request)
            except Unauthenticated as error:
                return _refusal(401, str(error))
            if peer.banned or self._in_flight[peer.key] >= REQUESTS_PER_PEER:
                return _refusal(429, "later")
            self._in_flight[peer.key] += 1
            try:
                return await handler(request, peer)
            finally:
                self._in_flight[peer.key] -= 1

        return serve

    def _sender(self, request: Request) -> Peer:
        scope = request.scope
        target = scope["raw_path"].decode("latin-1")
        if scope["query_string"]:
            target += "?" + scope["query_string"].decode("latin-1")
        url = f"{self._scheme}://{request.headers.get('host', '')}{target}"
        headers = [
            (name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]
        ]
        sender = self._verifier.sender(request.method, url, headers)
        peer = self._network.peer(bytes.fromhex(sender))
        if peer is None:
            raise Unauthenticated("unknown peer")
        return peer

    async def _take_block(self, request: Request, peer: Peer) -> Response:
        if peer.info.role is not Role.MEMBER:
            return _refusal(403, "only members push blocks")
        if request.headers.get("content-encoding", "identity") != "identity":
            return _refusal(415, "no encodings")
        length = request.headers.get("content-length", "")
        if not length.isdecimal() or len(length) > 12:
            return _refusal(411, "content-length needed")
        if int(length) > self._max_block_bytes:
            return _refusal(413, f"at most {self._max_block_bytes} bytes")
        try:
            async with asyncio.timeout(BODY_TIMEOUT_S):
                body = await request.body()
        except TimeoutError:
            peer.demote(SLOW_BODY_POINTS)
            return _refusal(408, "too slow")
        except ClientDisconnect:
            return _refusal(400, "gone")
        if not matches_digest(request.headers["content-digest"], body):
            return _refusal(401, "the body is not what was signed")
        wanted = await self._source.on_block(peer, body)
        return Response(status_code=202 if wanted else 200)

    async def _give_block(self, request: Request, _: Peer) -> Response:
        try:
            digest = bytes.fromhex(request.path_params["digest"])
        except ValueError:
            return _refusal(404, "no hash")
        data = await self._source.block(digest) if len(digest) == 32 else None
        if data is None:
            return _refusal(404, "not here")
        return Response(data, media_type="application/octet-stream")

    async def _give_chain(self, request: Request, _: Peer) -> Response:
        first, count = request.query_params.get("from", ""), request.query_params.get("count", "")
        if not (first.isdecimal() and count.isdecimal() and len(first) < 17 and len(count) < 5):
            return _refusal(400, "from and count are numbers")
        if int(first) < self._source.lowest():
            return _refusal(410, "blocks that old are not kept here")
        pairs = await self._source.chain(int(first), min(int(count), CHAIN_BLOCKS_MAX))
        body = pack([item for pair in pairs for item in pair])
        return Response(body, media_type="application/octet-stream")


def _refusal(status: int, why: str) -> Response:
    return Response(why, status_code=status, media_type="text/plain")
