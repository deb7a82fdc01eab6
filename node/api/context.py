"""What every route works with: the node, a reader thread pool, names, and the answer envelope.

An answer is `{"data": ..., "meta": {...}}`.  `meta` names the block the answer belongs to: the
tip, or for a final object the block that made it final, so that such an answer never changes and
may be cached for ever.
"""

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import ParamSpec, TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from ledger.members import read_member, read_registration
from ledger.state import Event, View
from node.api.backend import Backend, BlockRow, StoredTransaction
from node.api.events import StreamHub
from node.api.limits import RateLimiter, RequestLimits
from node.api.memory import ClosedOrders, LostRounds, PerHeight
from node.api.metrics import Metrics
from node.api.params import is_hash
from node.api.problems import Problem, invalid

JSON_TYPE = "application/json"
FOREVER = "public, max-age=31536000, immutable"
READERS = 4
CACHE_BYTES_MAX = 32 * 1024 * 1024
CACHE_ENTRY_MAX = 4 * 1024 * 1024
READABLE_PAUSES = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.4)
"""Seconds between looks for a block that is final but not in the database yet."""
YIELD_EVERY = 100
"""Rows of a list looked at between two turns of the event loop."""
NAMES_MAX = 2000
"""Names given with one answer; the rest are shown by address."""

P = ParamSpec("P")
T = TypeVar("T")
Meta = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class ApiSettings:
    """How the API of one node is run."""

    limits: RequestLimits = field(default_factory=RequestLimits)
    explorer: bool = True
    docs: bool = True
    cors_origins: tuple[str, ...] = ()
    waits_max: int = 512


class ByteCache:
    """Rendered answers of final objects, bounded in bytes; the one used longest ago goes."""

    def __init__(self, bytes_max: int = CACHE_BYTES_MAX) -> None:
        self._bytes_max = bytes_max
        self._size = 0
        self._entries: OrderedDict[str, bytes] = OrderedDict()

    def get(self, key: str) -> bytes | None:
        """The entry, now the newest."""
        body = self._entries.get(key)
        if body is not None:
            self._entries.move_to_end(key)
        return body

    def put(self, key: str, body: bytes) -> None:
        """Keep an entry unless it is too big."""
        if len(body) > CACHE_ENTRY_MAX or key in self._entries:
            return
        self._entries[key] = body
        self._size += len(body)
        while self._size > self._bytes_max:
            _, old = self._entries.popitem(last=False)
            self._size -= len(old)


@dataclass(slots=True)
class ApiContext:
    """One per application, at `app.state.api`."""

    backend: Backend
    settings: ApiSettings
    hub: StreamHub
    metrics: Metrics
    item_rates: RateLimiter
    now_ms: Callable[[], int]
    cache: ByteCache = field(default_factory=ByteCache)
    closed_orders: ClosedOrders = field(default_factory=ClosedOrders)
    lost_rounds: LostRounds = field(default_factory=LostRounds)
    depths: PerHeight = field(default_factory=PerHeight)
    coming_rounds: PerHeight = field(default_factory=PerHeight)
    noted_height: int = 0
    """The newest block whose events `note` was told, or never will be."""
    waits: int = 0
    _readers: ThreadPoolExecutor | None = None

    async def read(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a database read in one of few threads, so that no route blocks the event loop."""
        if self._readers is None:
            self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="api-reader")
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._readers, lambda: call(*args, **kwargs))

    async def block_at(self, height: int) -> BlockRow | None:
        """The block of a height.

        A block is final in memory a moment before the database has it: then wait that moment, so
        that whatever `height` an answer named can be asked for.  Raises Problem("pruned") for one
        at or below the snapshot this node began with.
        """
        queries = self.backend.queries
        if 1 <= height < queries.first_height:
            raise Problem(
                "pruned", f"This node began with a snapshot of block {queries.first_height - 1}."
            )
        for pause in READABLE_PAUSES:
            row = await self.read(queries.block, height)
            if row is not None or not 1 <= height <= self.backend.tip().height:
                return row
            await asyncio.sleep(pause)
        return await self.read(queries.block, height)

    async def final_transaction(self, identity: bytes) -> StoredTransaction | None:
        """A final transaction.  Look into the mempool before, not after.

        One leaves the mempool when its block is final in memory, a moment before the database has
        it: so a miss counts only once the newest block can be read.
        """
        queries = self.backend.queries
        found = await self.read(queries.transaction, identity)
        tip = self.backend.tip().height
        if found is None and tip >= queries.first_height:
            await self.block_at(tip)
            found = await self.read(queries.transaction, identity)
        return found

    async def closed_order(self, order: str) -> dict[str, object] | None:
        """How an order ended, if that is remembered.  Look into the state before, not after.

        It leaves the state when its block is final in memory, a moment before the events of the
        block are noted here: so a miss counts only once those of the newest block are.
        """
        tip = self.backend.tip().height
        for pause in READABLE_PAUSES:
            found = self.closed_orders.get(order)
            if found is not None or self.noted_height >= tip:
                return found
            await asyncio.sleep(pause)
        return self.closed_orders.get(order)

    def note(self, height: int, event: Event) -> None:
        """Remember what routes tell of orders that the state has forgotten."""
        self.closed_orders.note(height, event)
        self.lost_rounds.note(height, event)

    def close(self) -> None:
        """End streams and reader threads."""
        self.hub.close()
        if self._readers is not None:
            self._readers.shutdown(wait=False, cancel_futures=True)
            self._readers = None

    def tip_meta(self) -> dict[str, object]:
        """`meta` of an answer about the newest state."""
        tip = self.backend.tip()
        return meta_of(self.backend.chain, tip.height, tip.hash, tip.time_ms)


def context_of(request: Request) -> ApiContext:
    """The context of the application that serves this request."""
    context: ApiContext = request.app.state.api
    return context


def meta_of(chain: str, height: int, digest: bytes, time_ms: int) -> dict[str, object]:
    """The block an answer belongs to."""
    return {"chain": chain, "height": height, "hash": digest.hex(), "time_ms": time_ms}


def name_of(view: View, address: str) -> str:
    """The display name of an account, "" when it has none."""
    registration = read_registration(view, address)
    if registration is not None:
        return registration.name
    member = read_member(view, address)
    return member.name if member is not None else ""


def party(view: View, address: str) -> dict[str, str]:
    """An address with its name."""
    return {"address": address, "name": name_of(view, address)}


def names_in(view: View, value: object) -> dict[str, str]:
    """Names of all named accounts whose address occurs in a JSON-able value."""
    found: dict[str, str] = {}
    for address in _hex64_strings(value):
        if len(found) < NAMES_MAX and address not in found and (name := name_of(view, address)):
            found[address] = name
    return found


def _hex64_strings(value: object) -> Iterable[str]:
    stack = [value]
    seen: set[str] = set()
    while stack:
        item = stack.pop()
        if isinstance(item, str):
            if item not in seen and is_hash(item):
                seen.add(item)
                yield item
        elif isinstance(item, Mapping):
            stack.extend(item.keys())
            stack.extend(item.values())
        elif isinstance(item, Sequence) and not isinstance(item, bytes):
            stack.extend(item)


def body_of(data: object, meta: Meta) -> bytes:
    """The envelope around one object."""
    return msgspec.json.encode({"data": data, "meta": meta})


def reply(request: Request, data: object, meta: Meta, *, status: int = 200) -> Response:
    """One object that may change with the next block."""
    return revalidated(request, body_of(data, meta), status=status)


def reply_page(
    request: Request, data: Sequence[object], cursor: str | None, meta: Meta
) -> Response:
    """One page of a list; `cursor` is None on the last page."""
    body = msgspec.json.encode({"data": data, "next_cursor": cursor, "meta": meta})
    response = revalidated(request, body)
    if cursor is not None:
        following = request.url.include_query_params(cursor=cursor)
        response.headers["Link"] = f'<{following.path}?{following.query}>; rel="next"'
    return response


def reply_named(request: Request, context: ApiContext, document: Mapping[str, object]) -> Response:
    """One object of the newest state, with the names of the accounts in it."""
    meta = context.tip_meta()
    meta["names"] = names_in(context.backend.state(), document)
    return reply(request, document, meta)


async def reply_rows(
    request: Request,
    context: ApiContext,
    rows: Iterable[Mapping[str, object]],
    cursor: str | None,
    limit: int,
) -> Response:
    """One page of rows; the cursor is the id of the last row of the page before."""
    page: list[Mapping[str, object]] = []
    more = False
    for number, row in enumerate(await rows_after(rows, cursor), start=1):
        if number % YIELD_EVERY == 0:
            await asyncio.sleep(0)
        if len(page) == limit:
            more = True
            break
        page.append(row)
    meta = context.tip_meta()
    meta["names"] = names_in(context.backend.state(), page)
    return reply_page(request, page, _row_key(page[-1]) if more else None, meta)


async def rows_after(
    rows: Iterable[Mapping[str, object]], cursor: str | None
) -> Iterator[Mapping[str, object]]:
    """The rows behind the one whose id is the cursor, all without a cursor.

    A row that has gone since makes its cursor useless, so the list says that instead of
    starting over.  Raises Problem(validation_error).
    """
    left = iter(rows)
    if cursor is None:
        return left
    for number, row in enumerate(left, start=1):
        if number % YIELD_EVERY == 0:
            await asyncio.sleep(0)
        if _row_key(row) == cursor:
            return left
    raise invalid("query.cursor", "is not a cursor of this list, or its entry has gone")


def _row_key(row: Mapping[str, object]) -> str:
    """The id of a row, whatever kind it is of."""
    return str(row["id"] if "id" in row else row["address"])


def revalidated(
    request: Request, body: bytes, *, status: int = 200, caching: str = "no-cache"
) -> Response:
    """Bytes with a strong ETag; 304 without them for a client that has them already."""
    tag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    headers = {"ETag": tag, "Cache-Control": caching}
    if tag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    return Response(body, status, headers, JSON_TYPE)


def immutable(request: Request, body: bytes) -> Response:
    """A final object: clients may keep it for ever."""
    return revalidated(request, body, caching=FOREVER)
