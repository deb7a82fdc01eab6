"""The API behind a real server on a loopback port the system picks."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace

import httpx
import pytest
import uvicorn

from node.api.app import create_app
from node.api.context import ApiSettings
from node.api.limits import RequestLimits
from node.client.client import Client
from tests.node.api.small_node import SmallNode


@asynccontextmanager
async def serving(node: SmallNode, **changes: float) -> AsyncIterator[tuple[int, uvicorn.Server]]:
    limits = replace(RequestLimits(), **changes)
    app = create_app(node, ApiSettings(limits=limits), now_ms=lambda: node.now)
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        app, log_level="error", access_log=False, timeout_graceful_shutdown=5, lifespan="on"
    )
    server = uvicorn.Server(config)
    server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
    task = asyncio.create_task(server._serve([listener]))
    while not server.started:
        await asyncio.sleep(0.01)
    try:
        yield listener.getsockname()[1], server
    finally:
        app.state.hub.close()
        server.should_exit = True
        await task
        listener.close()


async def exchange(port: int, *pieces: bytes) -> tuple[bytes, int]:
    """Send pieces until the server hangs up; its answer and how many bytes it let us send."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    sent = 0
    with suppress(ConnectionError):
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            sent += len(piece)
    answer = b""
    with suppress(ConnectionError, TimeoutError):
        async with asyncio.timeout(5):
            while chunk := await reader.read(65536):
                answer += chunk
    writer.close()
    return answer, sent


HEAD = b"POST /v1/txs HTTP/1.1\r\nHost: node\r\nContent-Type: application/json\r\n"


async def test_two_hundred_megabytes_are_refused_unread(node: SmallNode) -> None:
    async with serving(node) as (port, _):
        answer, _ = await exchange(port, HEAD + b"Content-Length: 200000000\r\n\r\n", b"x" * 1000)
        assert answer.startswith(b"HTTP/1.1 413")
        assert b"body_too_large" in answer
        assert b"connection: close" in answer.lower()


async def test_a_stream_without_length_is_cut_off(node: SmallNode) -> None:
    chunk = b"10000\r\n" + b"x" * 65536 + b"\r\n"
    async with serving(node, body_bytes=256 * 1024) as (port, _):
        head = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
        answer, sent = await exchange(port, head, *[chunk] * 800)
        assert answer.startswith(b"HTTP/1.1 413") or not answer
        assert sent < 800 * len(chunk)
    assert node.submissions == 0


async def test_a_slow_body_is_given_up(node: SmallNode) -> None:
    async with serving(node, body_seconds=0.05) as (port, _):
        answer, _ = await exchange(port, HEAD + b"Content-Length: 100\r\n\r\n{")
        assert answer.startswith(b"HTTP/1.1 408")


@pytest.mark.parametrize(
    "headers",
    [
        b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n",
        b"Content-Length: 2\r\nContent-Length: 3\r\n",
        b"Content-Length: -2\r\n",
    ],
)
async def test_ambiguous_lengths_end_the_connection(node: SmallNode, headers: bytes) -> None:
    async with serving(node) as (port, _):
        answer, _ = await exchange(port, HEAD + headers + b"\r\n{}\r\n")
        assert answer.startswith(b"HTTP/1.1 4") or not answer
        assert answer.count(b"HTTP/1.1") <= 1
    assert node.submissions == 0


async def test_open_streams_do_not_hold_up_the_shutdown(node: SmallNode) -> None:
    events: list[str] = []

    async def listen(port: int) -> None:
        async with Client(f"http://127.0.0.1:{port}") as client:
            async for event in client.events():
                events.append(event.id)  # noqa: PERF401  the list is watched while it grows

    async with serving(node) as (port, server):
        listeners = [asyncio.create_task(listen(port)) for _ in range(3)]
        while server.config.loaded_app is None or len(events) < 3:
            node.advance()
            await asyncio.sleep(0.02)
        began = asyncio.get_running_loop().time()
    assert asyncio.get_running_loop().time() - began < 2.0
    done, pending = await asyncio.wait(listeners, timeout=2)
    assert not pending
    assert all(task.exception() is None for task in done)


async def test_head_on_the_stream_answers_at_once(node: SmallNode) -> None:
    async with serving(node) as (port, _), httpx.AsyncClient(trust_env=False) as http:
        answer = await http.head(f"http://127.0.0.1:{port}/v1/events")
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
