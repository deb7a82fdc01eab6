"""Probes.  Live, ready and validating are three things; only the first may restart a process.

`/livez`: the process answers and can write.  `/readyz`: it also knows peers and follows the chain;
the reasons are given when not, and a chain that stands still makes every node unready without
making any of them restart.  `/healthz` lists every check.
"""

from dataclasses import dataclass

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from node.api.backend import Backend
from node.api.context import context_of, reply
from node.api.problems import FieldError, Problem
from node.api.schemas import ERRORS, HealthReply

LAG_BLOCKS_MAX = 2
TIP_AGE_BLOCKS_MAX = 5
TIP_AGE_FLOOR_MS = 5_000
"""Fast chains get this much before a late block makes them unready."""

router = APIRouter(tags=["probes"])


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at."""

    name: str
    ok: bool
    detail: str


def live_checks(backend: Backend) -> list[Check]:
    """What must hold for the process to be left running."""
    return [Check(*check) for check in backend.checks()]


def ready_checks(backend: Backend, at_ms: int) -> list[Check]:
    """What must hold for the node to be sent traffic."""
    tip = backend.tip()
    peers = backend.peers()
    connected = [peer for peer in peers if peer.connected]
    best = max((peer.height for peer in connected), default=0)
    lag = max(0, best - tip.height)
    age = max(0, at_ms - tip.time_ms)
    age_max = max(TIP_AGE_FLOOR_MS, TIP_AGE_BLOCKS_MAX * backend.block_time_ms)
    facts = backend.node_facts()
    silent = ", ".join(facts.stalled_on)
    return [
        Check("peers", not peers or bool(connected), f"{len(connected)} of {len(peers)} connected"),
        Check("lag", lag <= LAG_BLOCKS_MAX, f"{lag} blocks behind the best peer"),
        Check("tip_age", age <= age_max, f"{age} ms, at most {age_max} ms"),
        Check("advancing", facts.state != "stalled", f"{facts.state}; {silent}".rstrip("; ")),
    ]


def _raise_unless_all(checks: list[Check]) -> None:
    failed = [check for check in checks if not check.ok]
    if failed:
        errors = [FieldError(check.name, check.detail) for check in failed]
        detail = "; ".join(f"{check.name}: {check.detail}" for check in failed)
        raise Problem("not_ready", detail, errors=errors)


def _document(checks: list[Check]) -> dict[str, object]:
    shown = [{"name": check.name, "ok": check.ok, "detail": check.detail} for check in checks]
    return {"status": "ok" if all(check.ok for check in checks) else "failing", "checks": shown}


@router.get("/livez", response_model=HealthReply, responses=ERRORS, operation_id="livez")
async def livez(request: Request) -> Response:
    """Whether the process works; a liveness probe may restart it when not."""
    context = context_of(request)
    checks = live_checks(context.backend)
    _raise_unless_all(checks)
    return reply(request, _document(checks), context.tip_meta())


@router.get("/readyz", response_model=HealthReply, responses=ERRORS, operation_id="readyz")
async def readyz(request: Request) -> Response:
    """Whether the node follows the chain; never restart a process for this."""
    context = context_of(request)
    checks = live_checks(context.backend) + ready_checks(context.backend, context.now_ms())
    _raise_unless_all(checks)
    return reply(request, _document(checks), context.tip_meta())


@router.get("/healthz", response_model=HealthReply, responses=ERRORS, operation_id="healthz")
async def healthz(request: Request) -> Response:
    """Every check with its result; always 200."""
    context = context_of(request)
    checks = live_checks(context.backend) + ready_checks(context.backend, context.now_ms())
    return reply(request, _document(checks), context.tip_meta())
