"""The market: open orders, rounds, agreements and brokers."""

import asyncio
from collections.abc import Iterable, Mapping
from typing import Annotated, Literal

import msgspec
from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from auction import views
from node.api.context import (
    ApiContext,
    body_of,
    context_of,
    immutable,
    meta_of,
    names_in,
    reply,
    reply_page,
)
from node.api.params import (
    KNOWN_QUERY,
    LIMIT_DEFAULT,
    Cursor,
    HashPath,
    Hex64,
    Limit,
    parse_height,
)
from node.api.problems import invalid, not_found
from node.api.schemas import ERRORS, Document, Page, Reply

YIELD_EVERY = 100
"""Documents built between two turns of the event loop."""

router = APIRouter(prefix="/v1", tags=["market"], dependencies=[KNOWN_QUERY])
Row = Mapping[str, object]
OrderStatus = Literal["open", "waiting", "closed"]
AddressFilter = Annotated[Hex64 | None, Query(description="Account, 64 hex digits.")]


@router.get("/orders", response_model=Page[Document], responses=ERRORS, operation_id="list_orders")
async def list_orders(
    request: Request,
    side: Literal["bid", "ask"] | None = None,
    broker: AddressFilter = None,
    owner: AddressFilter = None,
    status: OrderStatus | None = None,
    limit: Limit = LIMIT_DEFAULT,
    cursor: Cursor = None,
) -> Response:
    """Orders in the state by broker, side and id; `closed`: those that ended lately, latest first.

    A `waiting` order was sent in the last block and joins its book at the end of that block.
    """
    context = context_of(request)
    state, coming = context.backend.state(), context.backend.tip().height + 1
    rows: Iterable[Row]
    if status == "closed":
        wanted = {"side": side, "broker": broker, "owner": owner}
        rows = (row for row in context.closed_orders.newest() if _fits(row, wanted))
    else:
        found = views.orders(state, side=side, broker=broker, owner=owner, height=coming)
        rows = (row for row in found if _fits(row, {"status": status}))
    return await _page(request, context, rows, cursor, limit)


@router.get(
    "/orders/{order}", response_model=Reply[Document], responses=ERRORS, operation_id="get_order"
)
async def get_order(request: Request, order: HashPath) -> Response:
    """One order with its price now and ahead; a closed one as its last event tells it."""
    context = context_of(request)
    coming = context.backend.tip().height + 1
    document = views.order(context.backend.state(), order, coming)
    if document is None:
        document = context.closed_orders.get(order)
    if document is None:
        raise not_found(f"open or lately closed order {order}")
    return _named(request, context, document)


@router.get(
    "/agreements",
    response_model=Page[Document],
    responses=ERRORS,
    operation_id="list_agreements",
)
async def list_agreements(
    request: Request,
    buyer: AddressFilter = None,
    seller: AddressFilter = None,
    broker: AddressFilter = None,
    status: Literal["running", "ended"] | None = None,
    limit: Limit = LIMIT_DEFAULT,
    cursor: Cursor = None,
) -> Response:
    """Service agreements, running ones and those whose rating window is open."""
    context = context_of(request)
    wanted = {"broker": broker, "status": status}
    found = views.agreements(context.backend.state(), buyer=buyer, seller=seller)
    rows = (row for row in found if _fits(row, wanted))
    return await _page(request, context, rows, cursor, limit)


@router.get(
    "/agreements/{agreement}",
    response_model=Reply[Document],
    responses=ERRORS,
    operation_id="get_agreement",
)
async def get_agreement(request: Request, agreement: HashPath) -> Response:
    """One agreement."""
    context = context_of(request)
    document = views.agreement(context.backend.state(), agreement)
    if document is None:
        raise not_found(f"agreement {agreement}")
    return _named(request, context, document)


@router.get(
    "/brokers", response_model=Page[Document], responses=ERRORS, operation_id="list_brokers"
)
async def list_brokers(
    request: Request, limit: Limit = LIMIT_DEFAULT, cursor: Cursor = None
) -> Response:
    """Brokers with their tariffs and books."""
    context = context_of(request)
    rows = views.brokers(context.backend.state())
    return await _page(request, context, rows, cursor, limit)


@router.get(
    "/brokers/{address}",
    response_model=Reply[Document],
    responses=ERRORS,
    operation_id="get_broker",
)
async def get_broker(request: Request, address: HashPath) -> Response:
    """One broker."""
    context = context_of(request)
    document = views.broker(context.backend.state(), address)
    if document is None:
        raise not_found(f"broker {address}")
    return _named(request, context, document)


@router.get(
    "/brokers/{address}/depth",
    response_model=Reply[Document],
    responses=ERRORS,
    operation_id="get_depth",
)
async def get_depth(request: Request, address: HashPath) -> Response:
    """Supply and demand of one broker's book in the coming round; worked out once a block."""
    context = context_of(request)
    coming = context.backend.tip().height + 1
    document = context.depths.get(address, coming)
    if document is None:
        document = views.depth(context.backend.state(), address, coming)
        if document is None:
            raise not_found(f"broker {address}")
        context.depths.put(address, coming, document)
    return _named(request, context, document)


@router.get(
    "/rounds/{height}",
    response_model=Reply[Document],
    responses=ERRORS,
    operation_id="get_round",
)
async def get_round(request: Request, height: str) -> Response:
    """The round of one block: per broker the pairs, prices, labels, totals, and who lost."""
    context = context_of(request)
    tip = context.backend.tip()
    number = tip.height if height == "latest" else parse_height(height, "path.height")
    row = await context.block_at(number)
    if row is None:
        raise not_found(f"round {number}")
    stored = await context.read(context.backend.queries.round_document, number)
    document: dict[str, object] = (
        msgspec.json.decode(stored) if stored else {"books": [], "classes": []}
    )
    document["height"] = number
    meta = meta_of(context.backend.chain, row.height, row.hash, row.time_ms)
    meta["names"] = names_in(context.backend.state(), document)
    body = body_of(document, meta)
    return reply(request, document, meta) if height == "latest" else immutable(request, body)


def _fits(row: Row, wanted: Mapping[str, str | None]) -> bool:
    return all(value is None or row.get(name) == value for name, value in wanted.items())


def _row_key(row: Row) -> str:
    """The id of a row, whatever kind it is of."""
    return str(row["id"] if "id" in row else row["address"])


async def _page(
    request: Request, context: ApiContext, rows: Iterable[Row], cursor: str | None, limit: int
) -> Response:
    """One page; the cursor is the id of the last row of the page before.

    A row that has gone since makes its cursor useless, so the list says that instead of
    starting over.
    """
    page: list[Row] = []
    more = False
    reached = cursor is None
    for number, row in enumerate(rows, start=1):
        if number % YIELD_EVERY == 0:
            await asyncio.sleep(0)
        if not reached:
            reached = _row_key(row) == cursor
        elif len(page) == limit:
            more = True
            break
        else:
            page.append(row)
    if not reached:
        raise invalid("query.cursor", "is not a cursor of this list, or its entry has gone")
    meta = context.tip_meta()
    meta["names"] = names_in(context.backend.state(), page)
    return reply_page(request, page, _row_key(page[-1]) if more else None, meta)


def _named(request: Request, context: ApiContext, document: Row) -> Response:
    meta = context.tip_meta()
    meta["names"] = names_in(context.backend.state(), document)
    return reply(request, document, meta)
