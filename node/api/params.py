"""Parameters of requests: heights, hashes, limits and cursors, each with one accepted spelling.

Library defaults take `1_0`, `+5`, ` 7` and `5.0` for integers; a number has one spelling here.
Cursors are opaque to clients: hex of a few integers or a key, checked when they come back.
"""

import re
from typing import Annotated

from fastapi import Depends, Path, Query
from pydantic import AfterValidator, BeforeValidator
from starlette.requests import Request

from ledger.types import MAX_INTEGER
from node.api.problems import FieldError, Problem, invalid

LIMIT_MAX = 200
LIMIT_DEFAULT = 50
_DECIMAL = re.compile(r"(?:0|[1-9][0-9]{0,15})\Z")
_HEX64 = re.compile(r"[0-9a-f]{64}\Z")
_CURSOR = re.compile(r"[0-9]{1,16}(?:\.[0-9]{1,16}){0,2}\Z|(?:[0-9a-f]{2}){1,200}\Z")


def decimal(value: object) -> object:
    """Only `0` or digits without a leading zero; at most 16 of them."""
    if isinstance(value, str):
        if not _DECIMAL.match(value):
            raise ValueError("must be a plain decimal integer")
        return int(value)
    return value


def _hex64(value: str) -> str:
    if not _HEX64.match(value):
        raise ValueError("must be 64 lower-case hex digits")
    return value


Height = Annotated[int, BeforeValidator(decimal)]
Limit = Annotated[
    int, BeforeValidator(decimal), Query(ge=1, le=LIMIT_MAX, description="Entries per page.")
]
Hex64 = Annotated[str, AfterValidator(_hex64)]
HashPath = Annotated[Hex64, Path(description="64 lower-case hex digits.", examples=["ab" * 32])]
AddressFilter = Annotated[Hex64 | None, Query(description="Account, 64 hex digits.")]
Cursor = Annotated[
    str | None, Query(max_length=400, description="`next_cursor` of the page before.")
]


def is_hash(text: str) -> bool:
    """Whether `text` is spelt like a digest or an address."""
    return bool(_HEX64.match(text))


def parse_height(text: str, where: str) -> int:
    """A height in its one spelling, at most 2^53-1.  Raises Problem(validation_error)."""
    if not _DECIMAL.match(text) or int(text) > MAX_INTEGER:
        raise invalid(where, "must be a height, a 64-digit hash or one of the named blocks")
    return int(text)


def parse_numbers(cursor: str | None, count: int) -> tuple[int, ...] | None:
    """Integers of a dotted cursor, None when there is none.  Raises Problem."""
    if cursor is None:
        return None
    parts = cursor.split(".")
    if len(parts) != count or not all(_DECIMAL.match(part) for part in parts):
        raise invalid("query.cursor", "is not a cursor of this list")
    numbers = tuple(int(part) for part in parts)
    if max(numbers) > MAX_INTEGER:
        raise invalid("query.cursor", "is not a cursor of this list")
    return numbers


def parse_key(cursor: str | None) -> str | None:
    """A cursor that is an id of 64 hex digits, None when there is none.  Raises Problem."""
    if cursor is not None and not is_hash(cursor):
        raise invalid("query.cursor", "is not a cursor of this list")
    return cursor


async def known_query_only(request: Request) -> None:
    """Refuse query parameters that the route does not have, and ones given twice.

    A misspelt filter must not answer with an unfiltered list.
    """
    pairs = request.query_params.multi_items()
    if not pairs:
        return
    route = request.scope.get("route")
    dependant = getattr(route, "dependant", None)
    known = {field.alias for field in dependant.query_params} if dependant is not None else set()
    names = [name for name, _ in pairs]
    errors = [FieldError("query", "too many parameters")] if len(names) > 32 else []
    errors += [
        FieldError(f"query.{name[:64]}", "is not a parameter of this route")
        for name in sorted(set(names) - known)[:8]
    ]
    errors += [
        FieldError(f"query.{name[:64]}", "is given twice")
        for name in sorted({name for name in names if names.count(name) > 1})[:8]
    ]
    if errors:
        detail = "; ".join(f"{error.where} {error.message}" for error in errors)
        raise Problem("validation_error", detail, errors=errors)


KNOWN_QUERY = Depends(known_query_only)
