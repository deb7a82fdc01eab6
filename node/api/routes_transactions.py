"""Transactions in and their way to finality.

`POST /v1/txs` is the hot route: the bytes of each item go to the node untouched, cut out of the
array but never decoded and encoded again.  Sending the same bytes twice is harmless.
"""

import re
from collections.abc import Sequence
from typing import Annotated, Literal

import msgspec
from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from node.api.backend import SubmitResult
from node.api.codes import KINDS, REFUSED
from node.api.context import (
    JSON_TYPE,
    ApiContext,
    body_of,
    context_of,
    immutable,
    meta_of,
    names_in,
    reply,
)
from node.api.documents import transaction_document
from node.api.limits import client_of, refuse_rate
from node.api.params import KNOWN_QUERY, HashPath
from node.api.problems import Problem, invalid, not_found
from node.api.schemas import ERRORS, Reply, TransactionModel

DEPTH_MAX = 32
"""Nesting of the deepest thing anybody may send; an envelope needs six."""
DEPTH_UNSUSPECTED = 256
"""With no more opening brackets than this no nesting can exhaust the decoder's stack."""
WAIT_SECONDS_MAX = 60
COMMA_EVERY = 20
"""Bytes per comma, at least, in an array of envelopes: bounds the items before they are cut."""
COMMAS_FREE = 10_000
WHITE = b" \t\r\n"
REFUSED_STATUSES = {"rejected", "final"}
"""A replay of a final transaction is refused, and says where the first one is."""

_ITEMS = msgspec.json.Decoder(list[msgspec.Raw])
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)
_NOT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_TIMEOUT = r"^([0-9]|[1-5][0-9]|60)s?$"

router = APIRouter(prefix="/v1", tags=["transactions"], dependencies=[KNOWN_QUERY])


async def submit_transactions(request: Request) -> Response:
    """Take one signed envelope, or an array of them."""
    return await _take(request, keep=True)


async def check_transactions(request: Request) -> Response:
    """Say what `POST /v1/txs` would answer on form and signature, and keep nothing."""
    return await _take(request, keep=False)


async def _take(request: Request, *, keep: bool) -> Response:
    context = context_of(request)
    request.scope["template"] = request.url.path
    if request.query_params:
        raise invalid("query", "this route has no parameters")
    busy = context.backend.no_room() if keep else None
    if busy is not None:
        raise Problem(busy.reason.value, busy.detail)
    body = (await request.body()).strip(WHITE)
    limits = context.settings.limits
    single = not body.startswith(b"[")
    items = [body] if single else split_array(body, limits.batch_items)
    for item in items:
        if len(item) > limits.single_body_bytes:
            detail = f"One transaction has at most {limits.single_body_bytes} bytes."
            raise Problem("body_too_large", detail)
    wait = context.item_rates.take(client_of(request.scope), len(items))
    if wait > 0:
        raise refuse_rate(wait)
    refused = {index for index, item in enumerate(items) if is_too_deep(item)}
    fit = [item for index, item in enumerate(items) if index not in refused]
    backend = context.backend
    answered = iter(await (backend.submit(fit) if keep else backend.check(fit)) if fit else ())
    results = [None if index in refused else next(answered) for index in range(len(items))]
    for result in results:
        code = "not_canonical" if result is None else result.code
        context.metrics.submitted.labels(_counted(result, code)).inc()
    return _single(context, results[0]) if single else _batch(context, results)


def split_array(body: bytes, items_max: int) -> list[bytes]:
    """The raw bytes of each item of a JSON array.  Raises Problem."""
    if body.count(b",") > len(body) // COMMA_EVERY + COMMAS_FREE:
        raise Problem("body_too_large", "The array has too many items.")
    try:
        raw_items = _ITEMS.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        raise Problem("not_canonical", "The body is not a JSON array of envelopes.") from None
    if not raw_items:
        raise invalid("body", "the array is empty")
    if len(raw_items) > items_max:
        raise Problem("body_too_large", f"At most {items_max} transactions at a time.")
    return [bytes(raw).strip(WHITE) for raw in raw_items]


def is_too_deep(item: bytes) -> bool:
    """Whether brackets nest beyond DEPTH_MAX; cheap for anything with few brackets."""
    if item.count(b"[") + item.count(b"{") <= DEPTH_UNSUSPECTED:
        return False
    brackets = _STRING.sub(b"", item).translate(None, _NOT_BRACKETS)
    for _ in range(DEPTH_MAX):
        brackets = brackets.replace(b"[]", b"").replace(b"{}", b"")
        if not brackets:
            return False
    return True


def _counted(result: SubmitResult | None, code: str) -> str:
    """The label under which a result is counted: a known code or status, nothing else."""
    if result is not None and result.status != "rejected":
        return result.status
    return code if code in KINDS else "refused"


def _problem(result: SubmitResult | None) -> Problem:
    if result is None:
        return Problem("not_canonical", f"Nested deeper than {DEPTH_MAX}.")
    if result.status == "final":
        place = f"/v1/txs/{result.tx_id.hex()}"
        detail = "This very transaction is in a final block; nothing more happens."
        return Problem("already_final", detail, subject=result.tx_id, headers={"Location": place})
    return Problem(result.code, result.detail or "The transaction is refused.")


def _accepted(result: SubmitResult) -> dict[str, object]:
    return {"hash": result.tx_id.hex(), "status": "pending"}


def _single(context: ApiContext, result: SubmitResult | None) -> Response:
    if result is None or result.status in REFUSED_STATUSES:
        raise _problem(result)
    headers = {"Location": f"/v1/txs/{result.tx_id.hex()}", "Cache-Control": "no-store"}
    status = 202 if result.status == "pending" else 200
    return Response(body_of(_accepted(result), context.tip_meta()), status, headers, JSON_TYPE)


def _batch(context: ApiContext, results: Sequence[SubmitResult | None]) -> Response:
    rows: list[dict[str, object]] = []
    problems: list[Problem] = []
    for result in results:
        if result is not None and result.status not in REFUSED_STATUSES:
            rows.append(_accepted(result))
            continue
        problem = _problem(result)
        problems.append(problem)
        identity = result.tx_id.hex() if result is not None else ""
        status = "rejected" if result is None else result.status
        rows.append({"hash": identity, "status": status, "error": problem.document()})
    if len(problems) == len(results):
        return _all_refused(context, rows, problems)
    body = body_of(rows, context.tip_meta())
    return Response(body, 202, {"Cache-Control": "no-store"}, JSON_TYPE)


def _all_refused(
    context: ApiContext, rows: Sequence[dict[str, object]], problems: Sequence[Problem]
) -> Response:
    """A refusal of the whole array: a problem that carries the result of each item."""
    codes = {problem.code for problem in problems}
    code = problems[0].code if len(codes) == 1 else "validation_error"
    whole = Problem(code, f"None of the {len(rows)} transactions was accepted.")
    document = {**msgspec.to_builtins(whole.document()), "data": rows, "meta": context.tip_meta()}
    response = whole.response()
    return Response(
        msgspec.json.encode(document),
        KINDS.get(code, REFUSED).status,
        {name: value for name, value in response.headers.items() if name != "content-length"},
    )


@router.get(
    "/txs/{hash}",
    response_model=Reply[TransactionModel],
    responses=ERRORS,
    operation_id="get_transaction",
)
async def get_transaction(
    request: Request,
    hash: HashPath,  # noqa: A002  the name in the path, which clients see
    wait: Annotated[
        Literal["final"] | None, Query(description="Answer when it is final, or at the time-out.")
    ] = None,
    timeout: Annotated[
        str, Query(pattern=_TIMEOUT, description="Seconds to wait, 0 to 60.")
    ] = "20",
) -> Response:
    """Where a transaction stands.  Waiting never ends in an error: it ends in the status."""
    context = context_of(request)
    identity = bytes.fromhex(hash)
    if wait == "final":
        await _wait(context, identity, int(timeout.rstrip("s")))
    backend = context.backend
    transaction = backend.mempool.get(identity)
    place = None if transaction else await context.final_transaction(identity)
    state = backend.state()
    if place is not None:
        row = await context.read(backend.queries.block, place.height)
        if row is not None:
            document = transaction_document(state, backend.codec.decode(place.raw), place, row)
            meta = meta_of(backend.chain, row.height, row.hash, row.time_ms)
            meta["names"] = names_in(state, document["envelope"])
            return immutable(request, body_of(document, meta))
    meta = context.tip_meta()
    if transaction is not None:
        document = transaction_document(state, transaction)
        meta["names"] = names_in(state, document["envelope"])
        return reply(request, document, meta)
    if wait is None:
        raise not_found(f"transaction {hash}")
    return reply(request, {"hash": hash, "status": "unknown"}, meta)


async def _wait(context: ApiContext, identity: bytes, seconds: int) -> None:
    """Hold the request until the transaction is final or the time is over."""
    if context.waits >= context.settings.waits_max:
        detail = "Too many requests wait already."
        raise Problem("overloaded", detail, headers={"Retry-After": "2"})
    context.waits += 1
    try:
        await context.backend.wait_final(identity, min(seconds, WAIT_SECONDS_MAX))
    finally:
        context.waits -= 1
