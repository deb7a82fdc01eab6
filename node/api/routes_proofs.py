"""Proofs: for clients that trust the genesis and no node.

Headers and voting sets to follow the chain by, entries of the state at the tip, transactions with
their receipts, trades.  How a client checks them is said in docs/light-client.md.
"""

from typing import Annotated

import msgspec
from fastapi import APIRouter, Path, Query
from pydantic import BeforeValidator
from starlette.requests import Request
from starlette.responses import Response

from auction import keys
from auction.agreements import read_agreement
from consensus.sets import validator_set
from consensus.simplex.types import ValidatorSet
from ledger.blocks import decode_header
from ledger.types import MAX_INTEGER
from node.api.backend import BlockRow
from node.api.context import ApiContext, body_of, context_of, immutable, meta_of, reply, reply_page
from node.api.params import (
    KNOWN_QUERY,
    LIMIT_DEFAULT,
    Cursor,
    HashPath,
    Height,
    Limit,
    decimal,
    is_hash,
    parse_height,
    parse_numbers,
)
from node.api.problems import invalid, not_found
from node.api.proofs import (
    entry_document,
    header_document,
    set_document,
    trade_proof,
    transaction_proof,
)
from node.api.routes_chain import find_block
from node.api.schemas import ERRORS, Page, Reply
from node.api.schemas_proofs import (
    HeaderModel,
    SetModel,
    StateProofModel,
    TradeProofModel,
    TransactionProofModel,
)
from node.application.genesis import from_bytes, genesis_state
from node.proofs.checks import STATE_KINDS, state_key
from node.proofs.documents import StateDocument
from node.storage.blocks import decode_set, encode_set

KEY_BYTES_MAX = 256
"""Longest key of the state anybody may ask for; the market's have at most 80 bytes."""

From = Annotated[
    int,
    BeforeValidator(decimal),
    Query(alias="from", ge=1, le=MAX_INTEGER, description="First height."),
]
Step = Annotated[
    int,
    BeforeValidator(decimal),
    Query(ge=1, le=MAX_INTEGER, description="Distance between heights."),
]
Traded = Annotated[
    Height | None,
    Query(ge=1, le=MAX_INTEGER, description="Height of the trade, once the state forgot it."),
]
KindPath = Annotated[str, Path(description="One of " + ", ".join(STATE_KINDS) + ".")]

router = APIRouter(prefix="/v1", tags=["proofs"], dependencies=[KNOWN_QUERY])


@router.get(
    "/headers", response_model=Page[HeaderModel], responses=ERRORS, operation_id="list_headers"
)
async def list_headers(
    request: Request,
    first: From = 1,
    step: Step = 1,
    limit: Limit = LIMIT_DEFAULT,
    cursor: Cursor = None,
) -> Response:
    """Raw headers with the certificates that make them final, from a height upwards."""
    context = context_of(request)
    after = parse_numbers(cursor, 1)
    start = first if after is None else max(1, after[0])
    tip = context.backend.tip().height
    heights = list(range(start, min(tip, start + step * (limit - 1)) + 1, step))
    queries = context.backend.queries
    if tip >= queries.first_height:  # else nothing came after the snapshot yet
        await context.block_at(tip)
    rows = await context.read(queries.blocks_at, heights) if heights else []
    documents = [msgspec.to_builtins(header_document(row)) for row in rows]
    following = heights[-1] + step if heights else 0
    more = str(following) if len(heights) == limit and following <= tip else None
    return reply_page(request, documents, more, context.tip_meta())


@router.get(
    "/headers/{block}",
    response_model=Reply[HeaderModel],
    responses=ERRORS,
    operation_id="get_header",
)
async def get_header(request: Request, block: str) -> Response:
    """One raw header with its certificate, by height, by hash, or `latest`."""
    context = context_of(request)
    row = await find_block(context, block)
    document = msgspec.to_builtins(header_document(row))
    if block == "latest":
        return reply(request, document, _meta(context, row))
    return immutable(request, body_of(document, _meta(context, row)))


@router.get(
    "/sets/{voting_set}", response_model=Reply[SetModel], responses=ERRORS, operation_id="get_set"
)
async def get_set(request: Request, voting_set: str) -> Response:
    """The voting set with this digest, or of this height (up to the next one)."""
    context = context_of(request)
    backend = context.backend
    if is_hash(voting_set):
        digest = bytes.fromhex(voting_set)
    else:
        digest = await _digest_at(context, parse_height(voting_set, "path.voting_set"))
    stored = await context.read(backend.queries.voting_set, digest)
    if stored is None:
        first = await _genesis_set(context)
        if first.digest != digest:
            raise not_found(f"voting set {digest.hex()}")
        stored = encode_set(first)
    meta = meta_of(backend.chain, 0, backend.genesis_hash, 0)
    return immutable(request, body_of(set_document(digest, stored), meta))


async def _digest_at(context: ApiContext, height: int) -> bytes:
    """Digest of the set that votes at a height.  Raises Problem."""
    if height == 1:
        return (await _genesis_set(context)).digest
    row = await context.block_at(height - 1)
    if row is None:
        raise not_found(f"voting set of height {height}")
    return bytes.fromhex(decode_header(row.header).validators_hash)


async def _genesis_set(context: ApiContext) -> ValidatorSet:
    """The set that votes on block 1, worked out once: a database of an older schema lacks it."""
    stored = context.cache.get("genesis-set")
    if stored is None:
        stored = await context.read(_encoded_genesis_set, context.backend.genesis_bytes)
        context.cache.put("genesis-set", stored)
    return decode_set(stored)


def _encoded_genesis_set(genesis_bytes: bytes) -> bytes:
    return encode_set(validator_set(genesis_state(from_bytes(genesis_bytes)), 1))


@router.get(
    "/proofs/{kind}/{name}",
    response_model=Reply[StateProofModel],
    responses=ERRORS,
    operation_id="get_state_proof",
)
async def get_state_proof(request: Request, kind: KindPath, name: str) -> Response:
    """What the state after the newest block says of one thing, or that it says nothing."""
    context = context_of(request)
    backend = context.backend
    if kind not in STATE_KINDS or len(name) > 2 * KEY_BYTES_MAX:
        raise invalid("path.kind", "is one of " + ", ".join(STATE_KINDS))
    try:
        key = state_key(kind, name)
    except ValueError as error:
        raise invalid("path.name", str(error)) from None
    tip, state = backend.tip(), backend.state()
    wanted = [key]
    if kind == "order" and (place := state.get(key)) is not None:
        wanted.append(keys.BOOK + place + bytes.fromhex(name))
    # Taken before anything is awaited: the state belongs to this tip and to no later one.
    entries = tuple(entry_document(each, state.get(each), backend.prove(each)) for each in wanted)
    row = await context.block_at(tip.height)
    if row is None:
        raise not_found("block yet, and so no state under a header")
    document = StateDocument(header_document(row), entries)
    return reply(request, document, _meta(context, row))


@router.get(
    "/txs/{hash}/proof",
    response_model=Reply[TransactionProofModel],
    responses=ERRORS,
    operation_id="get_transaction_proof",
)
async def get_transaction_proof(request: Request, hash: HashPath) -> Response:  # noqa: A002
    """That a transaction and its receipt stand in a final block."""
    context = context_of(request)
    backend = context.backend
    found = await context.final_transaction(bytes.fromhex(hash))
    row = None if found is None else await context.block_at(found.height)
    if found is None or row is None:
        raise not_found(f"final transaction {hash}")
    document = await context.read(
        transaction_proof, backend.queries, row, found.position, backend.genesis_hash
    )
    return immutable(request, body_of(document, _meta(context, row)))


@router.get(
    "/agreements/{agreement}/proof",
    response_model=Reply[TradeProofModel],
    responses=ERRORS,
    operation_id="get_trade_proof",
)
async def get_trade_proof(request: Request, agreement: HashPath, height: Traded = None) -> Response:
    """All that the trade behind an agreement rests on: pair, prices, and the pairs it beat."""
    context = context_of(request)
    backend = context.backend
    identity = bytes.fromhex(agreement)
    if height is None:
        record = read_agreement(backend.state(), identity)
        if record is None:
            raise not_found(f"agreement {agreement} in the state: give the `height` of its trade")
        height = record.start
    cached = context.cache.get(f"trade-proof/{height}/{agreement}")
    if cached is None:
        row = await find_block(context, str(height))
        document = await context.read(
            trade_proof, backend.queries, row, identity, backend.genesis_hash, backend.codec
        )
        cached = body_of(document, _meta(context, row))
        context.cache.put(f"trade-proof/{height}/{agreement}", cached)
    return immutable(request, cached)


def _meta(context: ApiContext, row: BlockRow) -> dict[str, object]:
    return meta_of(context.backend.chain, row.height, row.hash, row.time_ms)
