"""One box for everything: a height, a hash, an address, or a name."""

import asyncio
from itertools import chain
from typing import Annotated

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from auction import views
from auction.order_views import is_open
from ledger.members import members, registrations
from node.api.context import ApiContext, context_of, name_of, reply
from node.api.params import KNOWN_QUERY, is_hash
from node.api.routes_accounts import account_document
from node.api.schemas import ERRORS, Reply, SearchHit

HITS_MAX = 20
YIELD_EVERY = 500

router = APIRouter(prefix="/v1", tags=["search"], dependencies=[KNOWN_QUERY])
Hit = dict[str, object]


@router.get(
    "/search", response_model=Reply[list[SearchHit]], responses=ERRORS, operation_id="search"
)
async def search(
    request: Request, q: Annotated[str, Query(min_length=1, max_length=80)]
) -> Response:
    """What `q` may mean, with the route of each; names match by part, whatever their case."""
    context = context_of(request)
    text = q.strip()
    if text.isascii() and text.isdigit() and len(text) <= 16:
        hits = _height(context, int(text))
    elif is_hash(text.lower()):
        hits = await _by_hash(context, text.lower())
    else:
        hits = await _by_name(context, text.casefold())
    return reply(request, hits, context.tip_meta())


def _hit(kind: str, identity: str, name: str, route: str) -> Hit:
    return {"kind": kind, "id": identity, "name": name, "route": route}


def _height(context: ApiContext, height: int) -> list[Hit]:
    known = 1 <= height <= context.backend.tip().height
    return [_hit("block", str(height), "", f"/v1/blocks/{height}")] if known else []


async def _by_hash(context: ApiContext, text: str) -> list[Hit]:
    backend, digest = context.backend, bytes.fromhex(text)
    hits: list[Hit] = []
    if await context.read(backend.queries.block_by_hash, digest):
        hits.append(_hit("block", text, "", f"/v1/blocks/{text}"))
    final = await context.read(backend.queries.transaction, digest)
    if final is not None or backend.mempool.get(digest) is not None:
        hits.append(_hit("transaction", text, "", f"/v1/txs/{text}"))
    state = backend.state()
    if is_open(state, text) or await context.closed_order(text):
        hits.append(_hit("order", text, "", f"/v1/orders/{text}"))
    if views.agreement(state, text):
        hits.append(_hit("agreement", text, "", f"/v1/agreements/{text}"))
    if views.broker(state, text):
        hits.append(_hit("broker", text, name_of(state, text), f"/v1/brokers/{text}"))
    if account_document(state, text)["known"]:
        hits.append(_hit("account", text, name_of(state, text), f"/v1/accounts/{text}"))
    return hits


async def _by_name(context: ApiContext, text: str) -> list[Hit]:
    state = context.backend.state()
    found: dict[str, str] = {}
    named = chain(
        ((address, member.name) for address, member in members(state)),
        ((address, registration.name) for address, registration in registrations(state)),
    )
    for number, (address, name) in enumerate(named, start=1):
        if number % YIELD_EVERY == 0:
            await asyncio.sleep(0)
        if text in name.casefold():
            found[address] = name
        if len(found) >= HITS_MAX:
            break
    return [
        _hit("account", address, name, f"/v1/accounts/{address}") for address, name in found.items()
    ]
