"""Who belongs to the chain, who wants to, what the members decide, and who votes from when on."""

from collections.abc import Callable, Sequence
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from auction.views import server_record
from ledger.state import Event
from node.api.backend import Queries
from node.api.context import ApiContext, context_of, names_in, reply, reply_page
from node.api.documents import event_document
from node.api.membership import (
    BLOCKS_MAX,
    TOPICS,
    Row,
    Told,
    application_documents,
    decided_documents,
    life_of,
    member_documents,
    next_set_document,
    proposal_documents,
    set_documents,
    voting_addresses,
)
from node.api.params import (
    KNOWN_QUERY,
    LIMIT_DEFAULT,
    Cursor,
    HashPath,
    Hex64,
    Limit,
    parse_key,
    parse_numbers,
)
from node.api.problems import not_found
from node.api.schemas import (
    ERRORS,
    ApplicationModel,
    Document,
    MemberLife,
    MemberModel,
    NextSetModel,
    Page,
    ProposalModel,
    Reply,
    VotingSetModel,
)

router = APIRouter(prefix="/v1", tags=["membership"], dependencies=[KNOWN_QUERY])

HISTORY_MAX = 50
Standing = Literal["active", "jailed", "left", "ejected", "admitted"]
Status = Annotated[Standing | None, Query(description="Only members of this status.")]
Account = Annotated[Hex64 | None, Query(description="Only events that name this account.")]


@router.get(
    "/members", response_model=Page[MemberModel], responses=ERRORS, operation_id="list_members"
)
async def list_members(
    request: Request,
    status: Status = None,
    limit: Limit = LIMIT_DEFAULT,
    cursor: Cursor = None,
) -> Response:
    """Every member there ever was: status, stake, seat, votes and missed turns of this interval."""
    rows = member_documents(context_of(request).backend.state())
    kept = [row for row in rows if status is None or row["status"] == status]
    return _keyed_page(request, kept, "address", cursor, limit)


@router.get(
    "/members/{address}",
    response_model=Reply[MemberLife],
    responses=ERRORS,
    operation_id="get_member",
)
async def get_member(request: Request, address: HashPath) -> Response:
    """One member: since when it has its seat, its offence, what it served, its newest events.

    One who has applied and is no member yet, has the status `applied`.
    """
    context = context_of(request)
    state, tip = context.backend.state(), context.backend.tip().height
    rows = [row for row in member_documents(state) if row["address"] == address]
    asking = [row for row in application_documents(state, tip + 1) if row["address"] == address]
    if not rows and not asking:
        raise not_found(f"member {address}")
    current = voting_addresses(state)
    told, complete = await _told(context)
    document: Row = dict(rows[0]) if rows else {**asking[0], "status": "applied", "seated": False}
    if rows and asking:
        document["application"] = asking[0]
    document |= life_of(current, address, told, complete=complete)
    document["history"] = _history(told, address)[:HISTORY_MAX]
    document["service_record"] = server_record(state, address)
    return _named(request, context, document)


@router.get(
    "/applications",
    response_model=Page[ApplicationModel],
    responses=ERRORS,
    operation_id="list_applications",
)
async def list_applications(
    request: Request, limit: Limit = LIMIT_DEFAULT, cursor: Cursor = None
) -> Response:
    """Who has applied to become a member and is not admitted yet."""
    backend = context_of(request).backend
    rows = application_documents(backend.state(), backend.tip().height + 1)
    return _keyed_page(request, rows, "address", cursor, limit)


@router.get(
    "/proposals",
    response_model=Page[ProposalModel],
    responses=ERRORS,
    operation_id="list_proposals",
)
async def list_proposals(
    request: Request,
    status: Annotated[Literal["open", "decided"], Query(description="Which.")] = "open",
    limit: Limit = LIMIT_DEFAULT,
    cursor: Cursor = None,
) -> Response:
    """Open proposals with approvals and who is missing; or decided ones, the newest first."""
    context = context_of(request)
    if status == "open":
        rows = proposal_documents(context.backend.state())
        return _keyed_page(request, rows, "proposal", cursor, limit)
    before = _below(cursor)
    told, _ = await _told(context)
    rows = [row for row in decided_documents(told) if _place(row["event"]) < before]
    return _page(request, rows, limit, lambda row: str(row["event"]))


@router.get(
    "/proposals/{proposal}",
    response_model=Reply[ProposalModel],
    responses=ERRORS,
    operation_id="get_proposal",
)
async def get_proposal(request: Request, proposal: HashPath) -> Response:
    """One proposal: open, or how it was decided last; with the events about it."""
    context = context_of(request)
    still_open = proposal_documents(context.backend.state())
    told, _ = await _told(context)
    rows = [*still_open, *decided_documents(told)]
    for row in rows:
        if row["proposal"] == proposal:
            history = [
                event_document(height, index, event)
                for height, index, event in _events(told)
                if event.data.get("proposal") == proposal
            ]
            return _named(request, context, {**row, "history": history[:HISTORY_MAX]})
    raise not_found(f"proposal {proposal}")


@router.get(
    "/membership", response_model=Page[Document], responses=ERRORS, operation_id="list_membership"
)
async def list_membership(
    request: Request,
    account: Account = None,
    limit: Limit = LIMIT_DEFAULT,
    cursor: Cursor = None,
) -> Response:
    """What happened to members, sets, proposals, parameters and brokers, the newest first."""
    before = _below(cursor)
    told, _ = await _told(context_of(request), before[0] + 1)
    rows = [row for row in _history(told, account) if _place(row["id"]) < before]
    return _page(request, rows, limit, lambda row: str(row["id"]))


@router.get(
    "/validator-sets",
    response_model=Page[VotingSetModel],
    responses=ERRORS,
    operation_id="list_validator_sets",
)
async def list_validator_sets(
    request: Request, limit: Limit = LIMIT_DEFAULT, cursor: Cursor = None
) -> Response:
    """Who voted from which height on, the newest set first."""
    before = _below(cursor, 1)
    context = context_of(request)
    current = voting_addresses(context.backend.state())
    told, complete = await _told(context)
    rows = set_documents(current, told, complete=complete)
    kept = [row for row in rows if _place(row["first"]) < before]
    return _page(request, kept, limit, lambda row: str(row["first"]))


@router.get(
    "/validator-sets/next",
    response_model=Reply[NextSetModel],
    responses=ERRORS,
    operation_id="get_next_validator_set",
)
async def get_next_set(request: Request) -> Response:
    """The next boundary: when it comes, and who wins or loses a seat there as things stand."""
    context = context_of(request)
    backend = context.backend
    height = backend.tip().height
    document = next_set_document(backend.state(), height, backend.block_time_ms)
    return _named(request, context, document)


async def _told(context: ApiContext, before: int | None = None) -> tuple[Told, bool]:
    """The newest blocks that tell of membership, and whether these are all of the chain's.

    Up to the block whose state was there at the call: what that state says, events must too, and
    they may say nothing of a block that was committed while they were read.
    """
    queries: Queries = context.backend.queries
    above = context.backend.tip().height + 1
    if above > queries.first_height:  # else nothing came after the snapshot yet
        await context.block_at(above - 1)
    told = await context.read(queries.membership, min(before or above, above), BLOCKS_MAX)
    return told, len(told) < BLOCKS_MAX and queries.first_height == 1


def _events(told: Told) -> list[tuple[int, int, Event]]:
    """(height, index, event), newest first, of the topics of membership."""
    return [
        (height, index, event)
        for height, events in told
        for index, event in reversed(events)
        if event.kind.partition(".")[0] in TOPICS
    ]


def _history(told: Told, account: str | None) -> list[Row]:
    return [
        event_document(height, index, event)
        for height, index, event in _events(told)
        if account is None or account in event.accounts
    ]


def _place(value: object) -> tuple[int, ...]:
    return tuple(int(part) for part in str(value).split("."))


def _below(cursor: str | None, numbers: int = 2) -> tuple[int, ...]:
    return parse_numbers(cursor, numbers) or (2**53,)


def _keyed_page(
    request: Request, rows: Sequence[Row], key: str, cursor: str | None, limit: int
) -> Response:
    """A page of rows in ascending order of a 64-digit key."""
    after = parse_key(cursor) or ""
    return _page(
        request, [row for row in rows if str(row[key]) > after], limit, lambda row: str(row[key])
    )


def _page(request: Request, rows: Sequence[Row], limit: int, key: Callable[[Row], str]) -> Response:
    """The first `limit` of these rows; the cursor is the key of the last."""
    context = context_of(request)
    page = list(rows[:limit])
    meta = context.tip_meta()
    meta["names"] = names_in(context.backend.state(), page)
    return reply_page(request, page, key(page[-1]) if len(rows) > limit else None, meta)


def _named(request: Request, context: ApiContext, document: Row) -> Response:
    meta = context.tip_meta()
    meta["names"] = names_in(context.backend.state(), document)
    return reply(request, document, meta)
