"""Books and what became of them: brokers, curves, rounds past and coming, agreements."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Literal

import msgspec
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from auction import book_views, coming_views, views
from node.api.context import (
    body_of,
    context_of,
    immutable,
    meta_of,
    names_in,
    reply,
    reply_named,
    reply_rows,
)
from node.api.csv_rows import CSV_ANSWER, Format, csv_response
from node.api.params import (
    KNOWN_QUERY,
    LIMIT_DEFAULT,
    AddressFilter,
    Cursor,
    HashPath,
    Limit,
    parse_height,
)
from node.api.problems import not_found
from node.api.schemas import ERRORS, Document, Page, Reply
from node.api.schemas_market import ComingModel, DepthModel, RoundModel

DEPTH_COLUMNS = ("height", "tariff", "service_class", "side", "price_micro", "orders")
PAIR_COLUMNS = (
    *("broker", "tariff", "service_class", "bid", "ask", "buyer", "seller", "agreement"),
    *("label_micro", "tie", "rounds"),
    *("bid_micro", "ask_micro", "price_micro", "paid_micro", "received_micro", "broker_micro"),
    *("fee_micro", "value_micro", "cost_micro", "weight_micro"),
    *("buyer_label_micro", "seller_label_micro"),
)

router = APIRouter(prefix="/v1", tags=["market"], dependencies=[KNOWN_QUERY])
Row = Mapping[str, object]


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
    return await reply_rows(request, context, rows, cursor, limit)


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
    return reply_named(request, context, document)


@router.get(
    "/brokers", response_model=Page[Document], responses=ERRORS, operation_id="list_brokers"
)
async def list_brokers(
    request: Request, limit: Limit = LIMIT_DEFAULT, cursor: Cursor = None
) -> Response:
    """Brokers with their tariffs and books."""
    context = context_of(request)
    rows = views.brokers(context.backend.state())
    return await reply_rows(request, context, rows, cursor, limit)


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
    return reply_named(request, context, document)


@router.get(
    "/brokers/{address}/depth",
    response_model=Reply[DepthModel],
    responses=ERRORS | CSV_ANSWER,
    operation_id="get_depth",
)
async def get_depth(request: Request, address: HashPath, form: Format = "json") -> Response:
    """Supply and demand of one broker in the coming round; worked out once a block.

    Orders under another version of its tariff, or of another class, never meet: those of the tariff
    in force (its first class) stand on top, all others under `others`.
    """
    context = context_of(request)
    coming = context.backend.tip().height + 1
    document = context.depths.get(address, coming)
    if document is None:
        document = book_views.depth(context.backend.state(), address, coming)
        if document is None:
            raise not_found(f"broker {address}")
        context.depths.put(address, coming, document)
    if form == "csv":
        return csv_response("depth", DEPTH_COLUMNS, _both_sides(document))
    return reply_named(request, context, document)


@router.get(
    "/brokers/{address}/coming",
    response_model=Reply[ComingModel],
    responses=ERRORS,
    operation_id="get_coming_round",
)
async def get_coming(request: Request, address: HashPath) -> Response:
    """What would match now: a dry run of a broker's coming round; worked out once a block.

    Between pairs of equal weight the block's own draw decides, which nobody knows yet.
    """
    context = context_of(request)
    coming = context.backend.tip().height + 1
    document = context.coming_rounds.get(address, coming)
    if document is None:
        document = coming_views.coming_book(context.backend.state(), address, coming)
        if document is None:
            raise not_found(f"broker {address}")
        context.coming_rounds.put(address, coming, document)
    return reply_named(request, context, document)


@router.get(
    "/rounds/{height}",
    response_model=Reply[RoundModel],
    responses=ERRORS | CSV_ANSWER,
    operation_id="get_round",
)
async def get_round(request: Request, height: str, form: Format = "json") -> Response:
    """The round of one block: per book and class pairs, prices, labels, totals, curves, who lost.

    As CSV its pairs, one a line.
    """
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
    if form == "csv":
        return csv_response(f"round-{number}", PAIR_COLUMNS, _pairs(document))
    meta = meta_of(context.backend.chain, row.height, row.hash, row.time_ms)
    meta["names"] = names_in(context.backend.state(), document)
    body = body_of(document, meta)
    return reply(request, document, meta) if height == "latest" else immutable(request, body)


async def _both_sides(document: Row) -> AsyncIterator[Sequence[Row]]:
    """Steps of every tariff version and class, those in force first."""
    others = document["others"]
    for part in (document, *(others if isinstance(others, list) else ())):
        place = {name: part[name] for name in ("tariff", "service_class")}
        for side in ("demand", "supply"):
            shared = {**place, "side": side, "height": document["height"]}
            yield [{**step, **shared} for step in part[side]]


async def _pairs(document: Row) -> AsyncIterator[Sequence[Row]]:
    for where in ("books", "classes"):
        books = document[where]
        for book in books if isinstance(books, list) else ():
            number = 0 if where == "books" else book["number"] + 1
            shared = {"broker": book["broker"], "tariff": book["tariff"], "service_class": number}
            yield [{**shared, **pair} for pair in book["pairs"]]


def _fits(row: Row, wanted: Mapping[str, str | None]) -> bool:
    return all(value is None or row.get(name) == value for name, value in wanted.items())
