"""Blocks from and to peers over HTTP: the asking side.

One client per peer, kept alive, at most a few requests at a time.  Nothing is taken from the
environment, nothing compressed is accepted; every answer has a byte cap and a total deadline,
because a per-read timeout alone lets a peer drip for ever.
"""

import asyncio
import ssl
from dataclasses import dataclass
from functools import cache
from http.cookiejar import CookieJar, DefaultCookiePolicy

import httpx

from ledger.codec import unpack
from ledger.crypto import SigningKey
from ledger.errors import Rejected
from node.peers.auth import RequestSigner
from node.peers.peer import PeerInfo

BLOCKS_PATH = "/p2p/v1/blocks"
CHAIN_PATH = "/p2p/v1/chain"
CHAIN_BLOCKS_MAX = 128
CONNECT_TIMEOUT_S = 2.0
CONNECTIONS_PER_PEER = 4


class ExchangeFailed(Exception):
    """The peer did not give what was asked for; `blame` if that is its fault and not the net's."""

    def __init__(self, why: str, *, blame: bool) -> None:
        super().__init__(why)
        self.blame = blame


@dataclass(frozen=True, slots=True)
class ExchangeLimits:
    """max_block_bytes: one encoded block; max_chain_bytes: one answer of many.

    `chain_timeout_s` lets a slow link carry a large answer; nobody waits for it idly, see
    `node/peers/sync.py`.
    """

    max_block_bytes: int
    max_chain_bytes: int
    push_timeout_s: float = 5.0
    fetch_timeout_s: float = 3.0
    chain_timeout_s: float = 15.0


@cache
def _tls() -> ssl.SSLContext:
    return ssl.create_default_context()


class BlockExchange:
    """Pushes and fetches blocks."""

    def __init__(self, key: SigningKey, limits: ExchangeLimits) -> None:
        self._signer = RequestSigner(key)
        self._limits = limits
        self._clients: dict[str, httpx.AsyncClient] = {}

    async def push(self, peer: PeerInfo, data: bytes) -> None:
        """Hand a block to a peer.  Raises ExchangeFailed, also when the peer refuses it."""
        await self._request(peer, "POST", BLOCKS_PATH, data, 1024, self._limits.push_timeout_s)

    async def fetch(self, peer: PeerInfo, digest: bytes) -> bytes:
        """The block with this hash, unchecked.  Raises ExchangeFailed."""
        limits = self._limits
        path = f"{BLOCKS_PATH}/{digest.hex()}"
        return await self._request(
            peer, "GET", path, b"", limits.max_block_bytes, limits.fetch_timeout_s
        )

    async def chain(self, peer: PeerInfo, first: int, count: int) -> list[tuple[bytes, bytes]]:
        """Up to `count` final blocks from `first` on with their certificates, all unchecked.

        Raises ExchangeFailed.
        """
        limits, count = self._limits, min(count, CHAIN_BLOCKS_MAX)
        path = f"{CHAIN_PATH}?from={first}&count={count}"
        body = await self._request(
            peer, "GET", path, b"", limits.max_chain_bytes, limits.chain_timeout_s
        )
        try:
            items = unpack(body, 2 * count, limits.max_chain_bytes)
        except Rejected as error:
            raise ExchangeFailed(str(error), blame=True) from None
        if len(items) % 2:
            raise ExchangeFailed("a block without certificate", blame=True)
        return list(zip(items[::2], items[1::2], strict=True))

    async def close(self) -> None:
        """Close all connections."""
        clients, self._clients = list(self._clients.values()), {}
        for client in clients:
            await client.aclose()

    async def _request(
        self, peer: PeerInfo, method: str, path: str, body: bytes, cap: int, timeout_s: float
    ) -> bytes:
        if not peer.url:
            raise ExchangeFailed("no known endpoint", blame=False)
        url = peer.url + path
        headers = self._signer.headers(method, url, peer.address, body)
        try:
            async with (
                asyncio.timeout(timeout_s),
                self._client(peer).stream(
                    method, url, content=body or None, headers=dict(headers)
                ) as response,
            ):
                return await _read(response, cap)
        except ExchangeFailed:
            raise
        except TimeoutError:
            raise ExchangeFailed(f"no answer within {timeout_s} s", blame=True) from None
        except Exception as error:  # noqa: BLE001
            # Not only httpx.HTTPError and OSError: a connection that is reset while it opens makes
            # the layers below stumble over a socket that is gone (AttributeError).  Whatever they
            # raise, the other side brought it about, and it must not end this node.
            raise ExchangeFailed(type(error).__name__, blame=False) from None

    def _client(self, peer: PeerInfo) -> httpx.AsyncClient:
        client = self._clients.get(peer.url)
        if client is None:
            client = httpx.AsyncClient(
                headers={"accept-encoding": "identity", "user-agent": "twinchain"},
                limits=httpx.Limits(
                    max_connections=CONNECTIONS_PER_PEER,
                    max_keepalive_connections=CONNECTIONS_PER_PEER,
                    keepalive_expiry=20,
                ),
                timeout=httpx.Timeout(None, connect=CONNECT_TIMEOUT_S),
                # What a peer sets is not kept: it would grow, and go out with every request.
                cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
                trust_env=False,
                follow_redirects=False,
                verify=_tls() if peer.url.startswith("https") else False,
            )
            self._clients[peer.url] = client
        return client


async def _read(response: httpx.Response, cap: int) -> bytes:
    if response.status_code == httpx.codes.GONE:
        raise ExchangeFailed("keeps no blocks that old", blame=False)
    if not 200 <= response.status_code < 300:
        # Refused or not there: an honest peer that is busy or late answers so too.
        raise ExchangeFailed(f"status {response.status_code}", blame=False)
    if response.headers.get("content-encoding", "identity") != "identity":
        raise ExchangeFailed("compressed answer", blame=True)
    parts, size = [], 0
    async for chunk in response.aiter_raw():
        size += len(chunk)
        if size > cap:
            raise ExchangeFailed(f"answer above {cap} bytes", blame=True)
        parts.append(chunk)
    return b"".join(parts)
