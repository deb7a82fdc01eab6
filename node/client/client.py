"""The client side of the HTTP API: typed errors, safe retries, waiting for finality.

`Client` is asynchronous; `sync.SyncClient` beside it wraps it, `wallet.Wallet` builds and signs.
A submission may be repeated without harm, as the node knows a transaction by its bytes; so
everything here is retried when the connection fails or the node has no room, and nothing else is.
Answers are never compressed and never longer than `ANSWER_BYTES_MAX`.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import httpx
import msgspec

ANSWER_BYTES_MAX = 64 * 1024 * 1024
RETRY_STATUSES = frozenset({429, 503})
FIRST_PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 5.0
POLL_SECONDS = 20

Document = dict[str, Any]

MOST_PAGES = 5_000
"""Pages of a list that are followed, a million rows: a node may not keep a client for ever."""


class ClientError(Exception):
    """Base of everything this module raises."""


class Unreachable(ClientError):
    """No answer from the node within the time and number of tries allowed."""


class WaitTimeout(ClientError):
    """The transaction was not final in time; it may still become so.  `hash` is set."""

    def __init__(self, transaction_hash: str, status: str) -> None:
        super().__init__(f"{transaction_hash} is {status}")
        self.hash = transaction_hash
        self.status = status


class ApiError(ClientError):
    """The node refused: `code` is stable, `detail` and `hint` are for people."""

    def __init__(self, problem: Mapping[str, Any]) -> None:
        status, errors = problem.get("status"), problem.get("errors")
        self.status = status if isinstance(status, int) else 0
        self.code = str(problem.get("code", "unknown"))
        self.detail = str(problem.get("detail", ""))
        self.hint = str(problem.get("hint", ""))
        self.errors = tuple(errors) if isinstance(errors, list | tuple) else ()
        self.hash = str(problem.get("hash", ""))
        super().__init__(f"{self.code}: {self.detail}")


@dataclass(frozen=True, slots=True)
class Submitted:
    """What became of one submitted transaction; `error` is set when it was refused."""

    hash: str
    status: str
    error: ApiError | None = None


@dataclass(frozen=True, slots=True)
class StreamEvent:
    """One event of the live stream; `id` is empty for what is never replayed."""

    id: str
    topic: str
    data: Document


class Client:
    """One node's API.  Use as an async context manager, or call `close`."""

    def __init__(
        self,
        url: str = "http://127.0.0.1:8080",
        *,
        timeout_s: float = 10.0,
        tries: int = 4,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self.url = url.rstrip("/")
        self._timeout_s = timeout_s
        self._tries = max(1, tries)
        self._http = httpx.AsyncClient(
            base_url=self.url,
            timeout=timeout_s,
            transport=transport,
            trust_env=False,
            headers={"Accept-Encoding": "identity"},
        )

    async def __aenter__(self) -> "Client":
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    # ------------------------------------------------------------ reading
    async def status(self) -> Document:
        """The node and its chain at one glance."""
        return await self._object("/v1/status")

    async def account(self, address: str) -> Document:
        """Balances, nonces, roles."""
        return await self._object(f"/v1/accounts/{address}")

    async def next_nonce(self, address: str) -> int:
        """The nonce for the next transaction, counting what waits at this node."""
        return int((await self.account(address))["next_nonce"])

    async def block(self, block: int | str = "latest") -> Document:
        """One block by height, hash or `latest`."""
        return await self._object(f"/v1/blocks/{block}")

    async def blocks(self, limit: int = 50, cursor: str | None = None) -> Document:
        """One page of blocks, newest first: `data` and `next_cursor`."""
        return await self._get("/v1/blocks", {"limit": limit, "cursor": cursor})

    async def transaction(self, transaction_hash: str) -> Document | None:
        """Where a transaction stands; None when this node does not know it."""
        return await self._maybe(f"/v1/txs/{transaction_hash}")

    async def orders(self, **filters: str) -> list[Document]:
        """All open orders; filters: side, broker, owner."""
        return await self._all("/v1/orders", filters)

    async def order(self, order: str) -> Document | None:
        """One order, None when it is not known."""
        return await self._maybe(f"/v1/orders/{order}")

    async def round(self, height: int | str = "latest") -> Document:
        """The auction round of a block."""
        return await self._object(f"/v1/rounds/{height}")

    async def agreements(self, **filters: str) -> list[Document]:
        """All agreements kept in the state; filters: buyer, seller, broker, status."""
        return await self._all("/v1/agreements", filters)

    async def agreement(self, agreement: str) -> Document | None:
        """One agreement, None when it is not known."""
        return await self._maybe(f"/v1/agreements/{agreement}")

    async def brokers(self) -> list[Document]:
        """All brokers."""
        return await self._all("/v1/brokers", {})

    async def validators(self) -> list[Document]:
        """The voting set of the next height."""
        return await self._all("/v1/validators", {})

    async def election(self, height: int | str = "next") -> Document:
        """The draw of a height."""
        return await self._object(f"/v1/elections/{height}")

    async def params(self) -> Document:
        """The parameters in force."""
        return await self._object("/v1/params")

    async def mempool(self) -> Document:
        """What waits for a block."""
        return await self._object("/v1/mempool")

    async def get(self, path: str, **query: object) -> Document:
        """Any other route: the whole answer, envelope included."""
        return await self._get(path, query)

    # ------------------------------------------------------------ writing
    async def submit(self, raw: bytes) -> Submitted:
        """Submit one signed transaction.  Raises ApiError when it is refused.

        One that is final already is no failure: its status says so, and a retry is harmless.
        """
        try:
            answer = await self._request("POST", "/v1/txs", content=raw)
        except ApiError as error:
            if error.code != "already_final":
                raise
            return Submitted(error.hash, "final")
        return _submitted(answer["data"])

    async def submit_all(self, raws: Sequence[bytes]) -> list[Submitted]:
        """Submit many at once: one result each, in order; refusals are in the results."""
        if not raws:
            return []
        body = b"[" + b",".join(raws) + b"]"
        try:
            answer = await self._request("POST", "/v1/txs", content=body, refused_batch=True)
        except ApiError as error:
            return [Submitted("", "rejected", error) for _ in raws]
        return [_submitted(item) for item in answer["data"]]

    async def wait_final(self, transaction_hash: str, timeout_s: float = 30.0) -> Document:
        """The transaction once it is final.  Raises WaitTimeout, and never forgets the hash."""
        deadline = time.monotonic() + timeout_s
        status = "unknown"
        while True:
            left = deadline - time.monotonic()
            seconds = max(0, min(POLL_SECONDS, int(left)))
            answer = await self._request(
                "GET",
                f"/v1/txs/{transaction_hash}",
                query={"wait": "final", "timeout": str(seconds)},
                timeout_s=seconds + self._timeout_s,
            )
            found: Document = answer["data"]
            status = str(found["status"])
            if status == "final":
                return found
            if deadline - time.monotonic() <= 0:
                raise WaitTimeout(transaction_hash, status)
            if seconds == 0:
                await asyncio.sleep(min(0.2, max(0.0, deadline - time.monotonic())))

    async def events(
        self, topics: str = "", account: str = "", after: str = ""
    ) -> AsyncIterator[StreamEvent]:
        """The live stream; ends when the connection does.  Resume with the last `id` as `after`."""
        wanted = {"topics": topics, "account": account, "after": after}
        query = {name: value for name, value in wanted.items() if value}
        timeout = httpx.Timeout(self._timeout_s, read=60.0)
        try:
            async with self._http.stream(
                "GET", "/v1/events", params=query, timeout=timeout
            ) as answer:
                if answer.status_code != 200:
                    raise ApiError(_decoded(await answer.aread(), answer.status_code))
                fields: dict[str, str] = {}
                async for line in answer.aiter_lines():
                    name, _, value = line.partition(": ")
                    if name in ("id", "event", "data"):
                        fields[name] = value
                    elif not line and "data" in fields:
                        data = msgspec.json.decode(fields["data"])
                        yield StreamEvent(fields.get("id", ""), fields.get("event", ""), data)
                        fields = {}
        except httpx.TransportError as error:
            raise Unreachable(f"{self.url}: {error or type(error).__name__}") from error

    # ------------------------------------------------------------ plumbing
    async def _object(self, path: str) -> Document:
        data = (await self._get(path, {})).get("data")
        if not isinstance(data, dict):
            raise ClientError(f"{self.url}{path}: no data in the answer")
        return data

    async def _maybe(self, path: str) -> Document | None:
        try:
            return await self._object(path)
        except ApiError as error:
            if error.code != "not_found":
                raise
            return None

    async def _all(self, path: str, filters: Mapping[str, object]) -> list[Document]:
        rows: list[Document] = []
        paged = path != "/v1/validators"
        query: dict[str, object] = {**filters, "limit": 200} if paged else dict(filters)
        for _ in range(MOST_PAGES):
            page = await self._get(path, query)
            rows += page["data"]
            if page["next_cursor"] is None:
                return rows
            query["cursor"] = page["next_cursor"]
        raise ClientError(f"{path}: more than {MOST_PAGES} pages; narrow it with filters")

    async def _get(self, path: str, query: Mapping[str, object]) -> Document:
        given = {name: str(value) for name, value in query.items() if value is not None}
        return await self._request("GET", path, query=given)

    async def _request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        content: bytes | None = None,
        timeout_s: float | None = None,
        refused_batch: bool = False,
    ) -> Document:
        """One request, repeated while the node is out of reach or has no room."""
        pause = FIRST_PAUSE_SECONDS
        for attempt in range(1, self._tries + 1):
            last = attempt == self._tries
            try:
                status, body, retry_after = await self._once(
                    method, path, query, content, timeout_s
                )
            except httpx.TransportError as error:
                if last:
                    raise Unreachable(f"{self.url}: {error or type(error).__name__}") from error
            else:
                document = _decoded(body, status)
                if status < 400 or (refused_batch and "data" in document and not _full(status)):
                    return document
                if last or status not in RETRY_STATUSES:
                    if refused_batch and "data" in document:
                        return document
                    raise ApiError(document)
                pause = max(pause, retry_after)
            await asyncio.sleep(min(pause, LONGEST_PAUSE_SECONDS))
            pause *= 2
        raise Unreachable(self.url)

    async def _once(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None,
        content: bytes | None,
        timeout_s: float | None,
    ) -> tuple[int, bytes, float]:
        """Status, bounded body and `Retry-After` of one request within one total time."""
        headers = {"Content-Type": "application/json"} if content is not None else {}
        total = timeout_s or self._timeout_s
        request = self._http.build_request(
            method, path, params=query, content=content, headers=headers, timeout=total
        )
        try:
            async with asyncio.timeout(total):
                answer = await self._http.send(request, stream=True)
                try:
                    if answer.headers.get("content-encoding", "identity") != "identity":
                        raise ClientError(f"{path}: the answer is compressed, unasked")
                    chunks: list[bytes] = []
                    size = 0
                    async for chunk in answer.aiter_bytes():
                        size += len(chunk)
                        if size > ANSWER_BYTES_MAX:
                            raise ClientError(f"{path}: the answer is too long")
                        chunks.append(chunk)
                finally:
                    await answer.aclose()
        except TimeoutError:
            raise httpx.ReadTimeout("no answer in time", request=request) from None
        after = answer.headers.get("retry-after", "")
        return answer.status_code, b"".join(chunks), float(after) if after.isdigit() else 0.0


def _full(status: int) -> bool:
    return status in RETRY_STATUSES


def _submitted(item: Mapping[str, Any]) -> Submitted:
    error = item.get("error") if item["status"] == "rejected" else None
    return Submitted(str(item["hash"]), str(item["status"]), ApiError(error) if error else None)


def _decoded(body: bytes, status: int) -> Document:
    try:
        document = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError):  # the latter: brackets nested without end
        document = None
    if isinstance(document, dict):
        return document
    return {"status": status, "code": "unknown", "detail": f"no JSON in the answer ({status})"}
