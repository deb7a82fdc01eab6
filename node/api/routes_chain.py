"""The chain itself: status, blocks, parameters, genesis, and what waits."""

import msgspec
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from auction import views
from consensus.parameters import consensus_parameters
from ledger.parameters import ledger_parameters
from node.api.backend import BlockRow
from node.api.context import (
    ApiContext,
    body_of,
    context_of,
    immutable,
    meta_of,
    names_in,
    party,
    reply,
    reply_page,
    revalidated,
)
from node.api.documents import block_document, read_full, read_page, summary_document
from node.api.params import (
    KNOWN_QUERY,
    LIMIT_DEFAULT,
    Cursor,
    Limit,
    is_hash,
    parse_height,
    parse_numbers,
)
from node.api.problems import Problem, not_found
from node.api.schemas import (
    ERRORS,
    BlockModel,
    BlockSummary,
    Document,
    Page,
    PeerModel,
    Reply,
    StatusModel,
)

router = APIRouter(prefix="/v1", tags=["chain"], dependencies=[KNOWN_QUERY])


@router.get(
    "/status", response_model=Reply[StatusModel], responses=ERRORS, operation_id="get_status"
)
async def get_status(request: Request) -> Response:
    """The node and its chain at one glance, and what a client needs to sign."""
    context = context_of(request)
    return reply(request, status_document(context), context.tip_meta())


@router.get("/peers", response_model=Page[PeerModel], responses=ERRORS, operation_id="list_peers")
async def list_peers(request: Request) -> Response:
    """The peers this node knows."""
    context = context_of(request)
    peers = [msgspec.to_builtins(peer) for peer in context.backend.peers()]
    return reply_page(request, peers, None, context.tip_meta())


@router.get(
    "/consensus", response_model=Reply[Document], responses=ERRORS, operation_id="get_consensus"
)
async def get_consensus(request: Request) -> Response:
    """Height, view and votes of the block under way, as this node sees them."""
    context = context_of(request)
    snapshot = context.backend.consensus_snapshot()
    meta = context.tip_meta()
    meta["names"] = names_in(context.backend.state(), snapshot)
    return reply(request, snapshot, meta)


@router.get(
    "/blocks", response_model=Page[BlockSummary], responses=ERRORS, operation_id="list_blocks"
)
async def list_blocks(
    request: Request, limit: Limit = LIMIT_DEFAULT, cursor: Cursor = None
) -> Response:
    """Final blocks, newest first; the cursor is the height above the next page."""
    context = context_of(request)
    before = parse_numbers(cursor, 1)
    queries = context.backend.queries
    facts = await context.read(read_page, queries, before[0] if before else None, limit)
    state = context.backend.state()
    page = [summary_document(state, block) for block in facts]
    lowest = facts[-1].row.height if facts else 0
    more = len(facts) == limit and lowest > queries.first_height
    following = str(lowest) if more else None
    return reply_page(request, page, following, context.tip_meta())


@router.get(
    "/blocks/{block}",
    response_model=Reply[BlockModel],
    responses=ERRORS,
    operation_id="get_block",
)
async def get_block(request: Request, block: str) -> Response:
    """One block by height, by hash, or `latest`."""
    context = context_of(request)
    row = await find_block(context, block)
    cached = context.cache.get(f"block/{row.height}")
    body = cached or await _render_block(context, row)
    context.cache.put(f"block/{row.height}", body)
    return revalidated(request, body) if block == "latest" else immutable(request, body)


@router.get("/params", response_model=Reply[Document], responses=ERRORS, operation_id="get_params")
async def get_params(request: Request) -> Response:
    """The parameters in force: of the ledger, of the election, of the market."""
    context = context_of(request)
    state = context.backend.state()
    document = {
        "ledger": msgspec.to_builtins(ledger_parameters(state)),
        "consensus": msgspec.to_builtins(consensus_parameters(state)),
        "market": views.parameters(state),
    }
    return reply(request, document, context.tip_meta())


@router.get(
    "/genesis", response_model=Reply[Document], responses=ERRORS, operation_id="get_genesis"
)
async def get_genesis(request: Request) -> Response:
    """The genesis file, byte for byte under `data`: its digest is the chain's identity."""
    backend = context_of(request).backend
    meta = meta_of(backend.chain, 0, backend.genesis_hash, 0)
    return immutable(request, body_of(msgspec.Raw(backend.genesis_bytes), meta))


@router.get(
    "/mempool", response_model=Reply[Document], responses=ERRORS, operation_id="get_mempool"
)
async def get_mempool(request: Request, limit: Limit = LIMIT_DEFAULT) -> Response:
    """How much waits for a block here, and the latest arrivals."""
    context = context_of(request)
    mempool, state = context.backend.mempool, context.backend.state()
    document = {
        "transactions": len(mempool),
        "bytes": mempool.total_bytes,
        "newest": [
            {**row, "from": party(state, str(row["from"]))} for row in mempool.documents(limit)
        ],
    }
    return reply(request, document, context.tip_meta())


async def find_block(context: ApiContext, text: str) -> BlockRow:
    """The row of a block named in a path.  Raises Problem."""
    queries = context.backend.queries
    if is_hash(text):
        row = await context.read(queries.block_by_hash, bytes.fromhex(text))
    else:
        tip = context.backend.tip().height
        height = tip if text == "latest" else parse_height(text, "path.block")
        row = await context.block_at(height)
    if row is None:
        raise not_found(f"block {text}")
    return row


async def _render_block(context: ApiContext, row: BlockRow) -> bytes:
    backend = context.backend
    full = await context.read(read_full, backend.queries, row, backend.genesis_hash, backend.codec)
    if full is None:
        raise Problem("pruned", f"The body of block {row.height} is not kept here.")
    document = block_document(backend.state(), full)
    meta = meta_of(backend.chain, row.height, row.hash, row.time_ms)
    meta["names"] = names_in(backend.state(), [document["events"], document["clearings"]])
    return body_of(document, meta)


def status_document(context: ApiContext) -> dict[str, object]:
    """What `/v1/status` shows."""
    backend = context.backend
    tip, facts, peers = backend.tip(), backend.node_facts(), backend.peers()
    snapshot = backend.consensus_snapshot()
    state = backend.state()
    election = backend.election()
    view = snapshot.get("view", 0)
    at = view if isinstance(view, int) and view > 0 else 1
    return {
        "chain": backend.chain,
        "genesis_hash": backend.genesis_hash.hex(),
        "version": backend.version,
        "node": {
            "name": facts.name,
            "address": facts.address,
            "validator": facts.validator_index >= 0,
            "index": facts.validator_index,
        },
        "height": tip.height,
        "hash": tip.hash.hex(),
        "block_time_ms": backend.block_time_ms,
        "view": view,
        "peers": {"connected": sum(peer.connected for peer in peers), "known": len(peers)},
        "mempool": {"transactions": len(backend.mempool), "bytes": backend.mempool.total_bytes},
        "syncing": facts.state == "syncing",
        "tip_age_ms": max(0, context.now_ms() - tip.time_ms),
        "state": facts.state,
        "stalled_on": facts.stalled_on,
        "next_leader": party(state, election.leader(at).address),
        "signing": {
            "tag": "twinchain/tx/v1",
            "chain": backend.chain,
            "genesis_hash": backend.genesis_hash.hex(),
        },
    }
