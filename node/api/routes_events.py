"""The live stream `/v1/events`: what clients may ask of it, and when it is full."""

import re
from typing import Annotated

from fastapi import APIRouter, Header, Query
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from ledger.types import MAX_INTEGER
from node.api.context import context_of
from node.api.events import Position, Wanted
from node.api.limits import client_of
from node.api.params import KNOWN_QUERY, Hex64
from node.api.problems import Problem, invalid
from node.api.schemas import ERRORS

TOPICS_MAX = 16
TOPICS = (
    *("block", "order", "round", "trade", "agreement", "satisfaction"),
    *("turn", "reward", "member", "validators", "account", "stake"),
    *("proposal", "parameter", "broker"),
)
"""What a stream can be asked for: `block`, and the first word of every kind of event."""
_EVENT_ID = re.compile(r"(0|[1-9][0-9]{0,15})\.(0|[1-9][0-9]{0,9})\Z")
_TOPICS = r"^[a-z]{1,32}(,[a-z]{1,32})*$"
STREAM_HEADERS = {
    "Cache-Control": "no-store",
    "X-Accel-Buffering": "no",
}

router = APIRouter(prefix="/v1", tags=["events"], dependencies=[KNOWN_QUERY])


@router.get(
    "/events",
    response_class=StreamingResponse,
    responses={
        200: {
            "description": "Server-sent events; `id` is `<height>.<index>`.",
            "content": {"text/event-stream": {"schema": {"type": "string"}}},
        },
        **ERRORS,
    },
    operation_id="stream_events",
)
async def stream_events(
    request: Request,
    topics: Annotated[
        str | None,
        Query(pattern=_TOPICS, max_length=400, examples=["block,trade"]),
    ] = None,
    account: Annotated[Hex64 | None, Query(description="Only events that name it.")] = None,
    last_event_id: Annotated[
        str | None, Header(description="Resume after this id; browsers send it themselves.")
    ] = None,
    after: Annotated[
        str | None, Query(description="The same, for clients without headers.")
    ] = None,
) -> Response:
    """Final blocks and what they did, as they happen; a client that returns misses nothing."""
    context = context_of(request)
    limits = context.settings.limits
    names = topics.split(",") if topics else []
    wanted = Wanted(frozenset(names), account or "")
    if len(names) > TOPICS_MAX:
        raise invalid("query.topics", f"at most {TOPICS_MAX}")
    if unknown := [name for name in names if name not in TOPICS]:
        raise invalid("query.topics", f"{unknown[0]} is none of {', '.join(TOPICS)}")
    position = parse_event_id(last_event_id or after)
    address = client_of(request.scope)
    if context.hub.closed:
        raise Problem("not_ready", "The node is stopping.")
    if (
        context.hub.client_count >= limits.streams
        or context.hub.clients_at(address) >= limits.streams_per_client
    ):
        raise Problem("overloaded", "Too many streams are open.", headers={"Retry-After": "10"})
    if request.scope.get("state", {}).get("head"):
        return Response(headers=STREAM_HEADERS, media_type="text/event-stream")
    return StreamingResponse(
        context.hub.stream(wanted, position, address),
        headers=STREAM_HEADERS,
        media_type="text/event-stream",
    )


def parse_event_id(text: str | None) -> Position | None:
    """`<height>.<index>`; None when there is none.  Raises Problem."""
    if not text:
        return None
    found = _EVENT_ID.match(text)
    if found is None or int(found[1]) > MAX_INTEGER:
        raise invalid("Last-Event-ID", "must be <height>.<index>")
    return int(found[1]), int(found[2])
