"""What the market did, newest first: trades across blocks, totals of rounds, figures of accounts.

All of it is read from the events of final blocks, so it says the same on every node.  How many
blocks one answer looks at is bounded in `node/api/history.py` and `node/api/statistics.py`.
"""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BeforeValidator
from starlette.requests import Request
from starlette.responses import Response

from auction import views
from ledger.state import View
from node.api import history
from node.api.context import ApiContext, context_of, names_in, reply, reply_page
from node.api.csv_rows import CSV_ANSWER, Format, csv_response
from node.api.params import (
    KNOWN_QUERY,
    LIMIT_DEFAULT,
    AddressFilter,
    Cursor,
    HashPath,
    Limit,
    decimal,
    parse_numbers,
)
from node.api.schemas import ERRORS, Document, Page, Reply
from node.api.schemas_market import AccountMarketModel
from node.api.statistics import WINDOW_DEFAULT, WINDOW_MAX, read_statistics

CSV_PAGE = 500
CSV_SCANS_MAX = 20
"""Bounded scans behind one CSV answer, of `history.SCAN_BLOCKS` blocks each."""

TRADE_COLUMNS = ("id", "height", "index", "time_ms")
TRADE_DATA = (
    *("broker", "buyer", "seller", "bid", "ask", "agreement", "rounds", "bid_micro", "ask_micro"),
    *("price_micro", "paid_micro", "received_micro", "broker_micro", "fee_micro", "value_micro"),
    *("cost_micro", "weight_micro", "buyer_label_micro", "seller_label_micro"),
)
ROUND_COLUMNS = (
    *("height", "time_ms", "trades", "price_micro", "low_micro", "high_micro", "paid_micro"),
    *("received_micro", "broker_micro", "fee_micro", "value_micro", "cost_micro"),
)

router = APIRouter(prefix="/v1", tags=["market"], dependencies=[KNOWN_QUERY])
Row = dict[str, object]
Window = Annotated[
    int, BeforeValidator(decimal), Query(ge=1, le=WINDOW_MAX, description="Blocks to look back.")
]


@router.get(
    "/trades",
    response_model=Page[Document],
    responses=ERRORS | CSV_ANSWER,
    operation_id="list_trades",
)
async def list_trades(
    request: Request,
    broker: AddressFilter = None,
    account: AddressFilter = None,
    limit: Limit = LIMIT_DEFAULT,
    cursor: Cursor = None,
    form: Format = "json",
) -> Response:
    """Trades, newest first, each with what its agreement came to as far as the state still says."""
    context = context_of(request)
    before = parse_numbers(cursor, 2)
    place = (before[0], before[1]) if before else None
    wanted = {"broker": broker, "account": account}

    def read(at: tuple[int, ...] | None, count: int) -> history.Found:
        place = (at[0], at[1]) if at else None
        return history.read_trades(context.backend.queries, place, count, wanted)

    if form == "csv":
        rows = _all(context, read, place, 2)
        flat = ([_flat(row) for row in some] async for some in rows)
        return csv_response("trades", TRADE_COLUMNS + TRADE_DATA, flat)
    found, following = await context.read(read, place, limit)
    state = context.backend.state()
    page = [{**row, "agreement": _outcome(state, row)} for row in found]
    meta = context.tip_meta()
    meta["names"] = names_in(state, found)
    return reply_page(request, page, following, meta)


@router.get(
    "/rounds",
    response_model=Page[Document],
    responses=ERRORS | CSV_ANSWER,
    operation_id="list_rounds",
)
async def list_rounds(
    request: Request,
    broker: AddressFilter = None,
    account: AddressFilter = None,
    limit: Limit = LIMIT_DEFAULT,
    cursor: Cursor = None,
    form: Format = "json",
) -> Response:
    """Rounds that traded, newest first: how many trades, at which prices, how much money.

    With a broker or an account, the totals of their trades alone.
    """
    context = context_of(request)
    before = parse_numbers(cursor, 1)
    wanted = {"broker": broker, "account": account}

    def read(at: tuple[int, ...] | None, count: int) -> history.Found:
        return history.read_rounds(context.backend.queries, at[0] if at else None, count, wanted)

    if form == "csv":
        return csv_response("rounds", ROUND_COLUMNS, _all(context, read, before, 1))
    rows, following = await context.read(read, before, limit)
    return reply_page(request, rows, following, context.tip_meta())


@router.get(
    "/accounts/{address}/market",
    response_model=Reply[AccountMarketModel],
    responses=ERRORS,
    operation_id="get_account_market",
)
async def get_account_market(
    request: Request, address: HashPath, blocks: Window = WINDOW_DEFAULT
) -> Response:
    """What an account traded over the last blocks, as buyer, server and broker, and its ratings."""
    context = context_of(request)
    tip = context.backend.tip().height
    queries = context.backend.queries
    document = await context.read(read_statistics, queries, address, tip, blocks)
    meta = context.tip_meta()
    meta["names"] = names_in(context.backend.state(), document)
    return reply(request, document, meta)


async def _all(
    context: ApiContext,
    read: Callable[[tuple[int, ...] | None, int], history.Found],
    place: tuple[int, ...] | None,
    width: int,
) -> AsyncIterator[Sequence[Row]]:
    """Page after page, as far as a CSV answer may go; `width` numbers make a cursor."""
    for _ in range(CSV_SCANS_MAX):
        rows, following = await context.read(read, place, CSV_PAGE)
        yield rows
        if following is None:
            return
        place = parse_numbers(following, width)


def _flat(row: Row) -> Row:
    data = row["data"]
    return {**row, **data} if isinstance(data, Mapping) else row


def _outcome(view: View, row: Row) -> Mapping[str, object]:
    """Status and rating of the agreement that followed; empty once the state forgot it."""
    data = row["data"]
    name = data.get("agreement") if isinstance(data, Mapping) else None
    document = views.agreement(view, name) if isinstance(name, str) else None
    if document is None:
        return {}
    return {field: document[field] for field in ("status", "rated", "rating_bp")}
