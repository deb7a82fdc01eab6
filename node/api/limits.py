"""What a request may weigh, and how many may come: checked in raw ASGI, before any route runs.

Frameworks read a body whole before the first line of a route sees it, so the wall stands in front:
content type and declared length are judged from the headers alone, a body is counted while it
arrives and has a deadline, a sender that ignores a refusal loses the connection.  Routes get the
body as one message and need no checks of their own.  Clients are told apart by network address;
whoever runs a proxy in front gives it the limits instead.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from node.api.problems import Problem, internal_error

KIBIBYTE = 1024
READING = frozenset({"GET", "HEAD", "OPTIONS", "TRACE", "CONNECT"})
LOOPBACK = frozenset({"127.0.0.1", "::1"})
CLOSE = {"Connection": "close"}


@dataclass(frozen=True, slots=True)
class RequestLimits:
    """Bounds on one request and on one client.  Bytes, seconds, counts."""

    body_bytes: int = 8 * 1024 * KIBIBYTE
    single_body_bytes: int = 256 * KIBIBYTE
    batch_items: int = 10_000
    body_seconds: float = 10.0
    uri_bytes: int = 8 * KIBIBYTE
    requests_per_second: int = 200
    burst_requests: int = 400
    items_per_second: int = 20_000
    running_requests: int = 1024
    streams: int = 256
    streams_per_client: int = 64
    tracked_clients: int = 10_000


class RateLimiter:
    """Token buckets, one per client; the table is bounded and forgets the client idle longest."""

    def __init__(self, per_second: int, burst: int, clients_max: int) -> None:
        self._per_second = per_second
        self._burst = float(burst)
        self._clients_max = clients_max
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, client: str, cost: int = 1, now: float | None = None) -> float:
        """Seconds to wait before `cost` fits; 0.0 when it did and was taken.

        A cost above the whole burst is let through on a full bucket and paid back later.
        """
        at = time.monotonic() if now is None else now
        level, seen = self._buckets.get(client, (self._burst, at))
        level = min(self._burst, level + (at - seen) * self._per_second)
        needed = min(float(cost), self._burst)
        wait = 0.0
        if level >= needed:
            level -= cost
        else:
            wait = (needed - level) / self._per_second
        self._buckets[client] = (level, at)
        self._buckets.move_to_end(client)
        if len(self._buckets) > self._clients_max:
            self._buckets.popitem(last=False)
        return wait


def client_of(scope: Scope) -> str:
    """The network address of the other side, "" when there is none (in-process calls)."""
    client = scope.get("client")
    return str(client[0]) if client else ""


def refuse_rate(wait: float) -> Problem:
    """429 with the whole seconds to wait."""
    seconds = str(max(1, int(wait) + 1))
    return Problem("rate_limited", "Too many requests.", headers={"Retry-After": seconds})


class Wall:
    """The ASGI middleware around the whole application."""

    def __init__(self, app: ASGIApp, limits: RequestLimits, height: Callable[[], int]) -> None:
        self._app = app
        self._limits = limits
        self._height = height
        self._running = 0
        self._rates = RateLimiter(
            limits.requests_per_second, limits.burst_requests, limits.tracked_clients
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        answer = _Answer(send, scope["method"] == "HEAD", self._height)
        if self._running >= self._limits.running_requests:
            problem = Problem("overloaded", "Too many requests are being answered.", headers=CLOSE)
            await problem.response()(scope, receive, answer)
            return
        self._running += 1
        try:
            await self._serve(scope, receive, answer)
        finally:
            self._running -= 1

    async def _serve(self, scope: Scope, receive: Receive, answer: "_Answer") -> None:
        try:
            self._judge_head(scope)
            if scope["method"] not in READING:
                receive = await self._read_body(receive)
            elif scope["method"] == "HEAD":
                scope = dict(scope, method="GET")
                scope["state"] = {**scope.get("state", {}), "head": True}
            await self._app(scope, receive, answer)
        except Problem as problem:
            await problem.response()(scope, receive, answer)
        except Exception as error:  # noqa: BLE001  the outermost wall: a bug becomes a logged 500
            response = internal_error(error)
            if not answer.started:
                await response(scope, receive, answer)

    def _judge_head(self, scope: Scope) -> None:
        limits = self._limits
        length = len(scope.get("raw_path") or b"") + len(scope.get("query_string", b""))
        if length > limits.uri_bytes:
            raise Problem("uri_too_long", f"At most {limits.uri_bytes} bytes.", headers=CLOSE)
        client = client_of(scope)
        wait = self._rates.take(client)
        if wait > 0:
            raise refuse_rate(wait)
        headers = Headers(scope=scope)
        has_body = "transfer-encoding" in headers or headers.get("content-length", "0") != "0"
        if scope["method"] in READING:
            if has_body:
                raise Problem(
                    "validation_error", f"A {scope['method']} has no body.", headers=CLOSE
                )
            return
        _judge_media(headers)
        declared = headers.get("content-length")
        if declared is not None:
            if not declared.isascii() or not declared.isdigit() or len(declared) > 18:
                raise Problem("validation_error", "Content-Length is no number.", headers=CLOSE)
            if int(declared) > limits.body_bytes:
                raise self._too_large()

    def _too_large(self) -> Problem:
        detail = f"At most {self._limits.body_bytes} bytes are read."
        return Problem("body_too_large", detail, headers=CLOSE)

    async def _read_body(self, receive: Receive) -> Receive:
        """The whole body as one message, within size and time.  Raises Problem."""
        chunks: list[bytes] = []
        size = 0
        try:
            async with asyncio.timeout(self._limits.body_seconds):
                more = True
                while more:
                    message = await receive()
                    if message["type"] != "http.request":
                        raise Problem("request_timeout", "The client left.", headers=CLOSE)
                    chunk = message.get("body", b"")
                    size += len(chunk)
                    if size > self._limits.body_bytes:
                        raise self._too_large()
                    chunks.append(chunk)
                    more = message.get("more_body", False)
        except TimeoutError:
            detail = f"The body took longer than {self._limits.body_seconds:g} s."
            raise Problem("request_timeout", detail, headers=CLOSE) from None
        pending: list[Message] = [
            {"type": "http.request", "body": b"".join(chunks), "more_body": False}
        ]

        async def replay() -> Message:
            return pending.pop() if pending else await receive()

        return replay


def _judge_media(headers: Headers) -> None:
    """Only `application/json`, in UTF-8, not compressed: anything a form could send is refused."""
    if headers.get("content-encoding", "identity").strip().lower() != "identity":
        raise Problem("unsupported_media_type", "Compressed bodies are not read.", headers=CLOSE)
    declared = headers.getlist("content-type")
    media, _, parameters = (declared[0] if len(declared) == 1 else "").partition(";")
    charset = parameters.strip().lower().replace('"', "")
    if media.strip().lower() != "application/json" or charset not in ("", "charset=utf-8"):
        raise Problem(
            "unsupported_media_type", "Content-Type must be application/json.", headers=CLOSE
        )


class _Answer:
    """The sending side: common headers on every answer, no body for HEAD."""

    def __init__(self, send: Send, bodiless: bool, height: Callable[[], int]) -> None:
        self._send = send
        self._bodiless = bodiless
        self._height = height
        self.started = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.started = True
            headers = MutableHeaders(raw=list(message["headers"]))
            headers["X-Chain-Height"] = str(self._height())
            headers["X-Content-Type-Options"] = "nosniff"
            message = {**message, "headers": headers.raw}
        elif message["type"] == "http.response.body" and self._bodiless:
            message = {**message, "body": b""}
        await self._send(message)
