"""What the market did, newest first: trades across blocks, and the totals of each round.

Both lists are read from the events of final blocks, so they say the same on every node.  One answer
looks at no more than SCAN_BLOCKS blocks; where trades are rarer than that the page is short and
its cursor leads on.
"""

from collections.abc import Iterator, Mapping, Sequence

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from auction import views
from ledger.state import Event, View
from node.api.backend import BlockRow, Queries
from node.api.context import context_of, names_in, reply_page
from node.api.documents import event_document
from node.api.params import KNOWN_QUERY, LIMIT_DEFAULT, Cursor, Limit, parse_numbers
from node.api.schemas import ERRORS, Document, Page

SCAN_BLOCKS = 2_000
SCAN_PAGE = 200
_SUMMED = ("paid_micro", "received_micro", "broker_micro", "fee_micro")

router = APIRouter(prefix="/v1", tags=["market"], dependencies=[KNOWN_QUERY])
Row = dict[str, object]


@router.get("/trades", response_model=Page[Document], responses=ERRORS, operation_id="list_trades")
async def list_trades(
    request: Request, limit: Limit = LIMIT_DEFAULT, cursor: Cursor = None
) -> Response:
    """Trades, newest first, each with what its agreement came to as far as the state still says."""
    context = context_of(request)
    before = parse_numbers(cursor, 2)
    place = (before[0], before[1]) if before else None
    rows, following = await context.read(_trades, context.backend.queries, place, limit)
    state = context.backend.state()
    page = [{**row, "agreement": _outcome(state, row)} for row in rows]
    meta = context.tip_meta()
    meta["names"] = names_in(state, rows)
    return reply_page(request, page, following, meta)


@router.get("/rounds", response_model=Page[Document], responses=ERRORS, operation_id="list_rounds")
async def list_rounds(
    request: Request, limit: Limit = LIMIT_DEFAULT, cursor: Cursor = None
) -> Response:
    """Rounds that traded, newest first: how many trades, at which prices, how much money."""
    context = context_of(request)
    before = parse_numbers(cursor, 1)
    height = before[0] if before else None
    rows, following = await context.read(_rounds, context.backend.queries, height, limit)
    return reply_page(request, rows, following, context.tip_meta())


def _trading_blocks(queries: Queries, before: int | None) -> Iterator[tuple[BlockRow, bool]]:
    """Blocks that traded, newest first; ends with (block, True) where the scan stopped early."""
    seen = 0
    while True:
        rows = queries.blocks(before, SCAN_PAGE)
        for row in rows:
            seen += 1
            if row.trades:
                yield row, False
            before = row.height
            if seen >= SCAN_BLOCKS:
                yield row, True
                return
        if len(rows) < SCAN_PAGE:
            return


def _made(events: Sequence[Event]) -> list[tuple[int, Event]]:
    """The trades of a block with their places in the live stream."""
    return [item for item in enumerate(events, start=1) if item[1].kind == "trade.made"]


def _trades(
    queries: Queries, before: tuple[int, int] | None, limit: int
) -> tuple[list[Row], str | None]:
    found: list[Row] = []
    for block, stopped in _trading_blocks(queries, before[0] + 1 if before else None):
        if stopped:
            return found, f"{block.height}.0"
        for index, event in reversed(_made(queries.events(block.height))):
            if before is not None and (block.height, index) >= before:
                continue
            if len(found) == limit:
                return found, f"{found[-1]['height']}.{found[-1]['index']}"
            document = event_document(block.height, index, event)
            found.append({**document, "time_ms": block.time_ms})
    return found, None


def _rounds(queries: Queries, before: int | None, limit: int) -> tuple[list[Row], str | None]:
    found: list[Row] = []
    for block, stopped in _trading_blocks(queries, before):
        if stopped or len(found) == limit:
            return found, str(block.height if stopped else found[-1]["height"])
        trades = [event.data for _, event in _made(queries.events(block.height))]
        if trades:
            found.append({**_totals(trades), "height": block.height, "time_ms": block.time_ms})
    return found, None


def _totals(trades: Sequence[Mapping[str, object]]) -> Row:
    """Sums and price range of one round; the mean price is rounded down."""
    prices = [_integer(trade, "price_micro") for trade in trades]
    return {
        "trades": len(trades),
        "price_micro": sum(prices) // len(prices),
        "low_micro": min(prices),
        "high_micro": max(prices),
        **{name: sum(_integer(trade, name) for trade in trades) for name in _SUMMED},
    }


def _integer(data: Mapping[str, object], name: str) -> int:
    value = data.get(name)
    return value if isinstance(value, int) else 0


def _outcome(view: View, row: Row) -> Mapping[str, object]:
    """Status and rating of the agreement that followed; empty once the state forgot it."""
    data = row["data"]
    name = data.get("agreement") if isinstance(data, Mapping) else None
    document = views.agreement(view, name) if isinstance(name, str) else None
    if document is None:
        return {}
    return {field: document[field] for field in ("status", "rated", "rating_bp")}
