"""Who may write the next block: validators and elections."""

import msgspec
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from auction.views import server_record
from consensus.documents import election_document, validator_documents
from node.api.context import body_of, context_of, immutable, meta_of, reply, reply_page
from node.api.params import KNOWN_QUERY, HashPath, parse_height
from node.api.problems import not_found
from node.api.schemas import ERRORS, ElectionModel, Page, Reply, ValidatorLife, ValidatorModel

router = APIRouter(prefix="/v1", tags=["consensus"], dependencies=[KNOWN_QUERY])


@router.get(
    "/validators",
    response_model=Page[ValidatorModel],
    responses=ERRORS,
    operation_id="list_validators",
)
async def list_validators(request: Request) -> Response:
    """The voting set of the next height, with tokens and the chance of the next turn."""
    context = context_of(request)
    backend = context.backend
    rows = validator_documents(backend.state(), backend.election())
    return reply_page(request, rows, None, context.tip_meta())


@router.get(
    "/validators/{address}",
    response_model=Reply[ValidatorLife],
    responses=ERRORS,
    operation_id="get_validator",
)
async def get_validator(request: Request, address: HashPath) -> Response:
    """One validator, with what it has served, been paid and been rated in its whole life."""
    context = context_of(request)
    state, election = context.backend.state(), context.backend.election()
    for row in validator_documents(state, election):
        if row["address"] == address:
            document = {**row, "service_record": server_record(state, address)}
            return reply(request, document, context.tip_meta())
    raise not_found(f"validator {address}")


@router.get(
    "/elections/{height}",
    response_model=Reply[ElectionModel],
    responses=ERRORS,
    operation_id="get_election",
)
async def get_election(request: Request, height: str) -> Response:
    """The draw of a height: weights, chances, order.  `latest` is the tip's, `next` the coming."""
    context = context_of(request)
    backend = context.backend
    tip = backend.tip().height
    number = {"latest": tip, "next": tip + 1}.get(height)
    if number is None:
        number = parse_height(height, "path.height")
    if number == tip + 1:
        return reply(request, election_document(backend.election()), context.tip_meta())
    row = await context.block_at(number)
    stored = await context.read(backend.queries.election, number) if row else None
    if stored is None or row is None:
        raise not_found(f"election {number}")
    meta = meta_of(backend.chain, row.height, row.hash, row.time_ms)
    if height == "latest":
        return reply(request, msgspec.Raw(stored), meta)
    return immutable(request, body_of(msgspec.Raw(stored), meta))
