"""Orders: the open ones as lists, and any single one with the whole path of its price."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from typing import Annotated, Literal

import msgspec
from fastapi import APIRouter, Query
from pydantic import BeforeValidator
from starlette.requests import Request
from starlette.responses import Response

from auction import order_views
from auction.what_if import place_in_round, standing
from ledger.types import MAX_INTEGER
from node.api.backend import Queries
from node.api.context import ApiContext, context_of, reply_named, reply_rows, rows_after
from node.api.csv_rows import CSV_ANSWER, Format, csv_response
from node.api.documents import transactions_in
from node.api.history import integer
from node.api.params import (
    KNOWN_QUERY,
    LIMIT_DEFAULT,
    AddressFilter,
    Cursor,
    HashPath,
    Limit,
    decimal,
)
from node.api.problems import not_found
from node.api.schemas import ERRORS, Page, Reply
from node.api.schemas_market import OrderModel, StandingModel

ROWS_AT_ONCE = 100
"""Rows of a CSV answer between two turns of the event loop."""

REPRICED_BLOCKS = 100
"""Blocks of its owner in which the opening of a repriced order that closed is looked for."""

COLUMNS = (
    *("id", "side", "status", "owner", "broker", "tariff", "service_class", "submitted"),
    *("admitted", "expires", "reserved_micro", "resource"),
    *("opening_micro", "now_micro", "worth_micro", "settles"),
)

router = APIRouter(prefix="/v1", tags=["market"], dependencies=[KNOWN_QUERY])
Row = Mapping[str, object]
OrderStatus = Literal["open", "waiting", "closed"]
At = Annotated[
    int,
    BeforeValidator(decimal),
    Query(ge=0, le=MAX_INTEGER, description="Height at which it closed, if that is long ago."),
]


@router.get(
    "/orders",
    response_model=Page[OrderModel],
    responses=ERRORS | CSV_ANSWER,
    operation_id="list_orders",
)
async def list_orders(
    request: Request,
    side: Literal["bid", "ask"] | None = None,
    broker: AddressFilter = None,
    owner: AddressFilter = None,
    status: OrderStatus | None = None,
    limit: Limit = LIMIT_DEFAULT,
    cursor: Cursor = None,
    form: Format = "json",
) -> Response:
    """Orders in the state by broker, side and id; `closed`: those that ended lately, latest first.

    A `waiting` order has not joined its book yet: a block takes in a bounded number of them.
    """
    context = context_of(request)
    state, coming = context.backend.state(), context.backend.tip().height + 1
    rows: Iterable[Row]
    if status == "closed":
        wanted = {"side": side, "broker": broker, "owner": owner}
        rows = (row for row in context.closed_orders.newest() if _fits(row, wanted))
    else:
        found = order_views.orders(state, side=side, broker=broker, owner=owner, height=coming)
        rows = (row for row in found if _fits(row, {"status": status}))
    if form == "csv":
        return csv_response("orders", COLUMNS, _some(await rows_after(rows, cursor)))
    return await reply_rows(request, context, rows, cursor, limit)


@router.get(
    "/orders/{order}", response_model=Reply[OrderModel], responses=ERRORS, operation_id="get_order"
)
async def get_order(request: Request, order: HashPath, at: At = 0) -> Response:
    """One order with its price, past and foreseen, and why it has not traded.

    A closed one is told from the block that closed it and the one that opened it: lately closed
    ones are known by their id, for others say `at` which height that was.  `lost` is the last round
    this node saw it lose, and to whom.
    """
    context = context_of(request)
    coming = context.backend.tip().height + 1
    document = order_views.order(context.backend.state(), order, coming)
    if document is None:
        document = await _closed(context, order, at)
    if document is None:
        raise not_found(f"open or lately closed order {order}")
    lost = await _lost(context, order)
    return reply_named(request, context, {**document, "lost": lost} if lost else document)


@router.get(
    "/orders/{order}/coming",
    response_model=Reply[StandingModel],
    responses=ERRORS,
    operation_id="get_order_standing",
)
async def get_standing(request: Request, order: HashPath) -> Response:
    """How far an order is from the edge of the coming round; worked out once a block.

    What its limit lacks to trade, or what it could give up and still trade.
    """
    context = context_of(request)
    coming = context.backend.tip().height + 1
    document = context.coming_rounds.get(order, coming)
    if document is None:
        state = context.backend.state()
        if not order_views.is_open(state, order):
            raise not_found(f"open order {order}")
        place = place_in_round(state, coming, bytes.fromhex(order))
        # Solved anew for each order that is asked for: not on the event loop.
        found = {} if place is None else await context.read(standing, place)
        document = {"order": order, "height": coming, "in_round": bool(found), **found}
        context.coming_rounds.put(order, coming, document)
    return reply_named(request, context, document)


async def _closed(context: ApiContext, order: str, at: int) -> dict[str, object] | None:
    """A closed order in full where its opening can be read, else what its closing told."""
    closing = await context.closed_order(order)
    queries = context.backend.queries
    if closing is None and at:
        closing = await context.read(_closing, queries, order, at)
    if closing is None:
        return None
    height, submitted = closing["closed_height"], closing.get("submitted")
    if not isinstance(height, int) or not isinstance(submitted, int):
        return closing
    raws, worth = await context.read(_telling, queries, closing, height)
    decode = context.backend.codec.decode
    full = order_views.closed_order(
        context.backend.state(), [decode(raw) for raw in raws], closing, worth
    )
    return closing if full is None else full


def _telling(
    queries: Queries, closing: dict[str, object], closed: int
) -> tuple[list[bytes], int | None]:
    """The owner's transactions of the blocks that opened and last repriced an order, oldest first.

    With them the order's worth in the trade it made.  Of a repriced order the opening is looked for
    in at most REPRICED_BLOCKS blocks of its owner.
    """
    order, owner = str(closing["order"]), str(closing["owner"])
    worth = None
    for event in queries.events(closed):
        for side, name in (("bid", "value_micro"), ("ask", "cost_micro")):
            if event.kind == "trade.made" and event.data.get(side) == order:
                worth = integer(event.data, name)
    submitted = integer(closing, "submitted")
    heights = [submitted]
    if not _opens(queries, submitted, order):
        before = queries.activity(owner, submitted, REPRICED_BLOCKS)
        heights[:0] = [height for height in before if _opens(queries, height, order)][:1]
    return [raw for height in heights for raw in _effective(queries, height, owner)], worth


def _opens(queries: Queries, height: int, order: str) -> bool:
    events = queries.events(height)
    return any(one.kind == "order.opened" and one.data.get("order") == order for one in events)


def _effective(queries: Queries, height: int, owner: str) -> list[bytes]:
    """The transactions of a block that name an account and had an effect."""
    body = queries.body(height)
    if body is None:
        return []
    pairs = zip(transactions_in(body), queries.receipts(height), strict=True)
    return [raw for raw, receipt in pairs if receipt.code == "ok" and owner.encode() in raw]


def _closing(queries: Queries, order: str, at: int) -> dict[str, object] | None:
    """What the block of a height tells of an order it closed."""
    for event in queries.events(at):
        if event.kind == "order.closed" and event.data.get("order") == order:
            return {"id": order, "status": "closed", "closed_height": at, **event.data}
    return None


async def _lost(context: ApiContext, order: str) -> dict[str, object] | None:
    """The last round the order lost, with its winner where the round's document says."""
    height = context.lost_rounds.get(order)
    if height is None:
        return None
    stored = await context.read(context.backend.queries.round_document, height)
    whole = msgspec.json.decode(stored) if stored else {"books": [], "classes": []}
    for part in (*whole["books"], *whole["classes"]):
        for row in part.get("outbid", ()):
            if row["order"] == order:
                return {"height": height, **row}
    return {"height": height}


async def _some(rows: Iterable[Row]) -> AsyncIterator[Sequence[Row]]:
    part: list[Row] = []
    for row in rows:
        path = row.get("path")
        part.append({**row, **path} if isinstance(path, Mapping) else row)
        if len(part) == ROWS_AT_ONCE:
            yield part
            part = []
            await asyncio.sleep(0)
    yield part


def _fits(row: Row, wanted: Mapping[str, str | None]) -> bool:
    return all(value is None or row.get(name) == value for name, value in wanted.items())
