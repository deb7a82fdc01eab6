"""Links over WebSockets: the dialed side by the `websockets` client, the accepted one by ASGI.

Both run the same handshake and end as a `Link`.  No compression (a tiny message must not grow into
a huge one), no proxies from the environment, a bound on every message before it is decoded.
"""

import asyncio
import os
from collections.abc import Callable

from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidURI

from ledger.crypto import SigningKey
from node.peers.handshake import (
    NONCE_BYTES,
    HandshakeError,
    Hello,
    check_answer,
    check_proof,
    decode_hello,
    encode_answer,
    encode_hello,
    encode_proof,
)
from node.peers.peer import LinkClosed

LINK_PATH = "/p2p/v1/link"
HANDSHAKE_TIMEOUT_S = 5.0
CLOSE_REFUSED = 4401
"""WebSocket close code for a failed handshake (4000-4999 are free for applications)."""


class DialedLink:
    """A link this node opened."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection

    async def send(self, data: bytes) -> None:
        try:
            await self._connection.send(data)
        except (ConnectionClosed, OSError):
            raise LinkClosed from None

    async def receive(self) -> bytes:
        try:
            message = await self._connection.recv(decode=False)
        except (ConnectionClosed, OSError):
            raise LinkClosed from None
        return message if isinstance(message, bytes) else bytes(message, "utf-8")

    async def close(self) -> None:
        await self._connection.close()


class AcceptedLink:
    """A link the peer opened."""

    def __init__(self, websocket: WebSocket) -> None:
        self._websocket = websocket

    async def send(self, data: bytes) -> None:
        try:
            await self._websocket.send_bytes(data)
        except (WebSocketDisconnect, RuntimeError, OSError):
            raise LinkClosed from None

    async def receive(self) -> bytes:
        try:
            return await self._websocket.receive_bytes()
        except (WebSocketDisconnect, RuntimeError, KeyError, OSError):
            raise LinkClosed from None

    async def close(self) -> None:
        if self._websocket.application_state is WebSocketState.CONNECTED:
            try:
                await self._websocket.close()
            except (WebSocketDisconnect, RuntimeError, OSError):
                return


async def dial(
    url: str, key: SigningKey, genesis_hash: bytes, expected: bytes, max_bytes: int
) -> DialedLink:
    """Open and authenticate a link to `expected` at `url` (http(s)://host:port).

    Raises LinkClosed (nobody there, or gone) or HandshakeError (somebody else).
    """
    target = "ws" + url.removeprefix("http") + LINK_PATH
    try:
        async with asyncio.timeout(HANDSHAKE_TIMEOUT_S):
            connection = await connect(
                target,
                compression=None,
                max_size=max_bytes,
                max_queue=64,
                ping_interval=None,
                close_timeout=1,
                proxy=None,
                user_agent_header=None,
            )
    except (OSError, TimeoutError, InvalidHandshake, InvalidURI):
        raise LinkClosed from None
    link = DialedLink(connection)
    try:
        async with asyncio.timeout(HANDSHAKE_TIMEOUT_S):
            dialer = Hello(key.public_key, os.urandom(NONCE_BYTES))
            await link.send(encode_hello(genesis_hash, dialer))
            acceptor = check_answer(await link.receive(), genesis_hash, dialer, expected)
            await link.send(encode_proof(genesis_hash, key, dialer, acceptor))
    except (HandshakeError, LinkClosed):
        await link.close()
        raise
    except TimeoutError:
        await link.close()
        raise LinkClosed from None
    return link


async def accept(
    websocket: WebSocket,
    key: SigningKey,
    genesis_hash: bytes,
    is_known: Callable[[bytes], bool],
) -> tuple[bytes, AcceptedLink]:
    """Authenticate the peer that opened `websocket`; its account and the link.

    Raises LinkClosed or HandshakeError, the socket then being closed.
    """
    link = AcceptedLink(websocket)
    await websocket.accept()
    try:
        async with asyncio.timeout(HANDSHAKE_TIMEOUT_S):
            dialer = decode_hello(await link.receive(), genesis_hash)
            if dialer.account == key.public_key or not is_known(dialer.account):
                raise HandshakeError(f"unknown account {dialer.account.hex()}")
            acceptor = Hello(key.public_key, os.urandom(NONCE_BYTES))
            await link.send(encode_answer(genesis_hash, key, dialer, acceptor))
            check_proof(await link.receive(), genesis_hash, dialer, acceptor)
    except HandshakeError:
        await websocket.close(CLOSE_REFUSED)
        raise
    except (LinkClosed, TimeoutError):
        await link.close()
        raise LinkClosed from None
    return dialer.account, link
