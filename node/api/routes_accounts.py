"""Accounts: balances, nonces, roles, and what happened to them."""

from collections.abc import Sequence

import msgspec
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from auction.views import server_record
from ledger.accounts import account_key, read_account
from ledger.execution import Receipt
from ledger.members import comprehensive_resource, read_member, read_registration
from ledger.parameters import ledger_parameters
from ledger.state import View
from ledger.transactions import Transaction, TransactionCodec
from node.api.backend import Queries
from node.api.context import context_of, name_of, names_in, reply, reply_page
from node.api.documents import event_document, transaction_line, transactions_in
from node.api.params import KNOWN_QUERY, LIMIT_DEFAULT, Cursor, HashPath, Limit, parse_numbers
from node.api.schemas import ERRORS, AccountModel, Document, Page, Reply, TransactionLine

router = APIRouter(prefix="/v1/accounts", tags=["accounts"], dependencies=[KNOWN_QUERY])


@router.get(
    "/{address}",
    response_model=Reply[AccountModel],
    responses=ERRORS,
    operation_id="get_account",
)
async def get_account(request: Request, address: HashPath) -> Response:
    """Balances, nonces and roles.  An account nobody has used yet is empty, not missing."""
    context = context_of(request)
    document = account_document(context.backend.state(), address)
    waiting = context.backend.mempool.next_nonce(address)
    document["next_nonce"] = max(waiting, read_account(context.backend.state(), address).nonce)
    return reply(request, document, context.tip_meta())


@router.get(
    "/{address}/activity",
    response_model=Page[Document],
    responses=ERRORS,
    operation_id="list_account_activity",
)
async def list_activity(
    request: Request, address: HashPath, limit: Limit = LIMIT_DEFAULT, cursor: Cursor = None
) -> Response:
    """Blocks in which the account changed, newest first, with the events that name it."""
    context = context_of(request)
    before = parse_numbers(cursor, 1)
    queries = context.backend.queries
    rows = await context.read(_activity, queries, address, before[0] if before else None, limit)
    following = str(rows[-1]["height"]) if len(rows) == limit else None
    meta = context.tip_meta()
    meta["names"] = names_in(context.backend.state(), rows)
    return reply_page(request, rows, following, meta)


@router.get(
    "/{address}/txs",
    response_model=Page[TransactionLine],
    responses=ERRORS,
    operation_id="list_account_transactions",
)
async def list_transactions(
    request: Request, address: HashPath, limit: Limit = LIMIT_DEFAULT, cursor: Cursor = None
) -> Response:
    """Final transactions that the account sent or that name it, newest first."""
    context = context_of(request)
    numbers = parse_numbers(cursor, 2)
    before = (numbers[0], numbers[1]) if numbers else None
    backend = context.backend
    places = await context.read(backend.queries.transactions_of, address, before, limit)
    found = await context.read(_transactions, backend.queries, backend.codec, places)
    state = backend.state()
    rows = [
        {
            **transaction_line(state, transaction, receipt),
            "height": height,
            "index": index,
            "actions": msgspec.to_builtins(transaction.envelope.actions),
        }
        for (height, index), transaction, receipt in found
    ]
    following = f"{places[-1][0]}.{places[-1][1]}" if len(places) == limit else None
    meta = context.tip_meta()
    meta["names"] = names_in(state, rows)
    return reply_page(request, rows, following, meta)


def _transactions(
    queries: Queries, codec: TransactionCodec, places: Sequence[tuple[int, int]]
) -> list[tuple[tuple[int, int], Transaction, Receipt]]:
    found = []
    bodies: dict[int, tuple[Sequence[bytes], Sequence[Receipt]]] = {}
    for height, index in places:
        if height not in bodies:
            body = queries.body(height)
            bodies[height] = (transactions_in(body) if body else (), queries.receipts(height))
        raws, receipts = bodies[height]
        if index < len(raws):
            found.append(((height, index), codec.decode(raws[index]), receipts[index]))
    return found


def _activity(
    queries: Queries, address: str, before: int | None, limit: int
) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    for height in queries.activity(address, before, limit):
        events = [
            event_document(height, index, event)
            for index, event in enumerate(queries.events(height), start=1)
            if address in event.accounts
        ]
        rows.append({"height": height, "events": events})
    return rows


def account_document(view: View, address: str) -> dict[str, object]:
    """Everything the state says of one account, without what waits in the mempool."""
    account = read_account(view, address)
    member = read_member(view, address)
    registration = read_registration(view, address)
    roles = ["member"] if member is not None else []
    if registration is not None:
        roles.append(registration.role)
    document: dict[str, object] = {
        "address": address,
        "name": name_of(view, address),
        "known": bool(roles) or view.get(account_key(address)) is not None,
        "roles": roles,
        "free_micro": account.free,
        "reserved_micro": account.reserved,
        "nonce": account.nonce,
    }
    if member is not None:
        resource = comprehensive_resource(member.resources, ledger_parameters(view))
        document["member"] = {**msgspec.to_builtins(member), "comprehensive_resource": resource}
        document["service_record"] = server_record(view, address)
    if registration is not None:
        document["registration"] = msgspec.to_builtins(registration)
    return document
