"""Reads what the market did from the events of final blocks, within a bound on blocks per answer.

All of it runs in a reader thread.  Blocks without a trade cost their summary row only; where trades
are rarer than the bound the page is short and its cursor leads on.
"""

from collections.abc import Iterator, Mapping, Sequence

from ledger.state import Event
from node.api.backend import BlockRow, Queries
from node.api.documents import event_document

SCAN_BLOCKS = 2_000
SCAN_PAGE = 200
_SUMMED = (
    "paid_micro",
    "received_micro",
    "broker_micro",
    "fee_micro",
    "value_micro",
    "cost_micro",
)

Row = dict[str, object]
Found = tuple[list[Row], str | None]
"""Rows and the cursor that leads on, None at the end."""


def read_trades(
    queries: Queries, before: tuple[int, int] | None, limit: int, wanted: Mapping[str, str | None]
) -> Found:
    """Trades below a place, newest first; `wanted` may name a `broker` and an `account`."""
    found: list[Row] = []
    for block, stopped in _trading_blocks(queries, before[0] + 1 if before else None):
        if stopped:
            return found, f"{block.height}.0"
        for index, event in reversed(_made(queries.events(block.height), wanted)):
            if before is not None and (block.height, index) >= before:
                continue
            if len(found) == limit:
                return found, f"{found[-1]['height']}.{found[-1]['index']}"
            document = event_document(block.height, index, event)
            found.append({**document, "time_ms": block.time_ms})
    return found, None


def read_rounds(
    queries: Queries, before: int | None, limit: int, wanted: Mapping[str, str | None]
) -> Found:
    """Totals of the rounds below a height that traded, newest first; `wanted` as for trades."""
    found: list[Row] = []
    for block, stopped in _trading_blocks(queries, before):
        if stopped or len(found) == limit:
            return found, str(block.height if stopped else found[-1]["height"])
        trades = [event.data for _, event in _made(queries.events(block.height), wanted)]
        if trades:
            found.append({**_totals(trades), "height": block.height, "time_ms": block.time_ms})
    return found, None


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


def _made(events: Sequence[Event], wanted: Mapping[str, str | None]) -> list[tuple[int, Event]]:
    """The wanted trades of a block with their places in the live stream."""
    broker, account = wanted.get("broker"), wanted.get("account")
    return [
        (index, event)
        for index, event in enumerate(events, start=1)
        if event.kind == "trade.made"
        and broker in (None, event.data.get("broker"))
        and (account is None or account in event.accounts)
    ]


def _totals(trades: Sequence[Mapping[str, object]]) -> Row:
    """Sums and price range of one round; the mean price is rounded down."""
    prices = [integer(trade, "price_micro") for trade in trades]
    return {
        "trades": len(trades),
        "price_micro": sum(prices) // len(prices),
        "low_micro": min(prices),
        "high_micro": max(prices),
        **{name: sum(integer(trade, name) for trade in trades) for name in _SUMMED},
    }


def integer(data: Mapping[str, object], name: str) -> int:
    """A field that is an integer, 0 where it is not."""
    value = data.get(name)
    return value if isinstance(value, int) else 0
