"""Bounds on HTTP connections that no application code can set, since they act before it runs.

uvicorn has no deadline for receiving a request head: a client that sends a byte a minute holds its
socket for ever, and some hundreds of those shut everybody else out.  This protocol class adds

- a deadline for the head of each request, from the first byte (or the accept) to the empty line,
- a bound on the bytes of a head,
- a bound on connections in all and per remote address (loopback too: it is one address),
- a deadline for a client that does not read its answer,
- the usual form of a refusal for what is no HTTP at all.

Bodies are bounded by the application: how long and how fast depends on the route.
"""

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from typing import ClassVar

import msgspec
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from node.api.problems import PROBLEM_TYPE, Problem

HEAD_BYTES_MAX = 32 * 1024
STALLED_WRITE_S = 30.0

_TOO_LARGE = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\n"
    b"content-length: 0\r\nconnection: close\r\n\r\n"
)


@dataclass(slots=True)
class ConnectionLimits:
    """Bounds of one listener, and its open connections by address."""

    max_connections: int
    per_address: int
    head_timeout_s: float
    open: Counter[str] = field(default_factory=Counter)
    total: int = 0
    refused: int = 0
    timed_out: int = 0

    def enter(self, address: str) -> bool:
        """Count a new connection; False if it is one too many."""
        if self.total >= self.max_connections or self.open[address] >= self.per_address:
            self.refused += 1
            return False
        self.total += 1
        self.open[address] += 1
        return True

    def leave(self, address: str) -> None:
        """A counted connection is gone."""
        self.total -= 1
        self.open[address] -= 1
        if not self.open[address]:
            del self.open[address]


class GuardedProtocol(HttpToolsProtocol):
    """One HTTP connection within the bounds of its listener."""

    limits: ClassVar[ConnectionLimits]
    _counted: str | None = None
    _head_deadline: asyncio.TimerHandle | None = None
    _write_deadline: asyncio.TimerHandle | None = None
    _head_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        peername = transport.get_extra_info("peername")
        address = str(peername[0]) if peername else "local"
        if not self.limits.enter(address):
            transport.abort()
            return
        self._counted = address
        super().connection_made(transport)
        self._arm()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._counted is None:
            return
        self._leave()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._counted is None:
            return
        if self.cycle is None or self.cycle.response_complete:
            self._arm()
        super().data_received(data)
        if self._head_deadline is not None:
            self._head_bytes += len(data)
            if self._head_bytes > HEAD_BYTES_MAX and not self.transport.is_closing():
                self.transport.write(_TOO_LARGE)
                self.transport.close()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no HTTP in the form of every other refusal, then close."""
        body = msgspec.json.encode(Problem("validation_error", msg).document())
        head = (
            f"HTTP/1.1 400 Bad Request\r\ncontent-type: {PROBLEM_TYPE}\r\n"
            f"content-length: {len(body)}\r\ncache-control: no-store\r\nconnection: close\r\n\r\n"
        )
        self.transport.write(head.encode("ascii") + body)
        self.transport.close()

    def handle_websocket_upgrade(self) -> None:
        """The connection goes to another protocol, which has bounds of its own."""
        self._leave()
        super().handle_websocket_upgrade()

    def on_headers_complete(self) -> None:
        self._disarm()
        super().on_headers_complete()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._write_deadline = self.loop.call_later(STALLED_WRITE_S, self.transport.abort)

    def resume_writing(self) -> None:
        if self._write_deadline is not None:
            self._write_deadline.cancel()
            self._write_deadline = None
        super().resume_writing()

    def _arm(self) -> None:
        if self._head_deadline is None:
            self._head_deadline = self.loop.call_later(self.limits.head_timeout_s, self._too_late)

    def _disarm(self) -> None:
        if self._head_deadline is not None:
            self._head_deadline.cancel()
            self._head_deadline = None
        self._head_bytes = 0

    def _too_late(self) -> None:
        self.limits.timed_out += 1
        self.transport.abort()

    def _leave(self) -> None:
        self._disarm()
        if self._write_deadline is not None:
            self._write_deadline.cancel()
            self._write_deadline = None
        if self._counted is not None:
            self.limits.leave(self._counted)
            self._counted = None


def guarded_protocol(limits: ConnectionLimits) -> type[GuardedProtocol]:
    """The protocol class of one listener, to be given to `uvicorn.Config(http=...)`."""
    return type("ListenerProtocol", (GuardedProtocol,), {"limits": limits})
