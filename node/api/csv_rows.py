"""Lists as CSV: the same rows as the JSON, streamed, one line each, bounded in number.

Values are integers and text the chain made (ids, addresses, codes), never words of a user, so no
cell can be taken for a formula.  Columns are fixed per list and named in the first line.
"""

import csv
import io
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Annotated, Any, Literal

from fastapi import Query
from starlette.responses import StreamingResponse

CSV_TYPE = "text/csv; charset=utf-8"
CSV_ROWS_MAX = 10_000
"""Rows of one answer; `cursor` leads on from the last of them."""

Format = Annotated[
    Literal["json", "csv"],
    Query(
        alias="format",
        description=f"`csv`: up to {CSV_ROWS_MAX} rows as text; `limit` does not count then.",
    ),
]
CSV_ANSWER: dict[int | str, dict[str, Any]] = {
    200: {"description": "A page, or rows as CSV.", "content": {"text/csv": {}}}
}

Row = Mapping[str, object]
Rows = AsyncIterator[Sequence[Row]]
"""Rows as they are found, some at a time."""


def csv_response(name: str, columns: Sequence[str], rows: Rows) -> StreamingResponse:
    """Stream rows under a head line; a cell a row lacks stays empty."""
    headers = {
        "Content-Disposition": f'inline; filename="{name}.csv"',
        "Cache-Control": "no-store",
    }
    return StreamingResponse(_lines(columns, rows), headers=headers, media_type=CSV_TYPE)


async def _lines(columns: Sequence[str], rows: Rows) -> AsyncIterator[str]:
    yield _text([columns])
    left = CSV_ROWS_MAX
    async for some in rows:
        part = some[:left]
        yield _text([[_cell(row.get(column)) for column in columns] for row in part])
        left -= len(part)
        if not left:
            return


def _text(lines: Sequence[Sequence[object]]) -> str:
    place = io.StringIO()
    csv.writer(place, lineterminator="\n").writerows(lines)
    return place.getvalue()


def _cell(value: object) -> object:
    if value is None:
        return ""
    return int(value) if isinstance(value, bool) else value
