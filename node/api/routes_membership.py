"""Who belongs to the chain, who wants to, and what the members are deciding."""

from collections.abc import Mapping

import msgspec
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from consensus.discipline import read_conduct
from consensus.sets import next_validator_set
from ledger.members import comprehensive_resource, members
from ledger.parameters import ledger_parameters
from ledger.proposals import electorate, needed, proposals
from ledger.state import View
from node.api.context import context_of, names_in, reply_page
from node.api.params import KNOWN_QUERY
from node.api.schemas import ERRORS, Document, Page

router = APIRouter(prefix="/v1", tags=["membership"], dependencies=[KNOWN_QUERY])


@router.get(
    "/members", response_model=Page[Document], responses=ERRORS, operation_id="list_members"
)
async def list_members(request: Request) -> Response:
    """Every member there ever was: status, stake, seat, votes and missed turns of this interval."""
    context = context_of(request)
    rows = member_documents(context.backend.state())
    return reply_page(request, rows, None, context.tip_meta())


@router.get(
    "/proposals", response_model=Page[Document], responses=ERRORS, operation_id="list_proposals"
)
async def list_proposals(request: Request) -> Response:
    """Open proposals with their approvals, and how many are needed now."""
    context = context_of(request)
    state = context.backend.state()
    rows = proposal_documents(state)
    meta = context.tip_meta()
    meta["names"] = names_in(state, rows)
    return reply_page(request, rows, None, meta)


def member_documents(view: View) -> list[Mapping[str, object]]:
    """All members in order of address."""
    parameters, conduct = ledger_parameters(view), read_conduct(view)
    seated = [key.hex() for key in next_validator_set(view).keys]
    rows: list[Mapping[str, object]] = []
    for address, member in members(view):
        entry = conduct.get(address)
        rows.append(
            {
                "address": address,
                **msgspec.to_builtins(member),
                "comprehensive_resource": comprehensive_resource(member.resources, parameters),
                "seated": address in seated,
                "votes_due": 0 if entry is None else entry.due,
                "votes_seen": 0 if entry is None else entry.votes,
                "turns_missed": 0 if entry is None else entry.skips,
            }
        )
    return rows


def proposal_documents(view: View) -> list[Mapping[str, object]]:
    """All open proposals in order of id.  Approvals of members no longer active do not count."""
    voters = electorate(view)
    rows: list[Mapping[str, object]] = []
    for proposal, record in proposals(view):
        rows.append(
            {
                "proposal": proposal.hex(),
                **msgspec.to_builtins(record),
                "counted": sum(voter in record.approvals for voter in voters),
                "needed": needed(len(voters)),
                "electorate": len(voters),
            }
        )
    return rows
