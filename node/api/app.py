"""The application: all routes over one node, inside the wall that judges requests first."""

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response

from node.api import (
    health,
    routes_accounts,
    routes_chain,
    routes_consensus,
    routes_events,
    routes_history,
    routes_market,
    routes_membership,
    routes_orders,
    routes_proofs,
    routes_search,
    routes_transactions,
)
from node.api.backend import Backend
from node.api.context import ApiContext, ApiSettings, context_of
from node.api.events import StreamHub
from node.api.feed import Feed
from node.api.limits import RateLimiter, Wall
from node.api.metrics import CONTENT_TYPE, Metrics, Stopwatch
from node.api.openapi import describe
from node.api.problems import (
    Problem,
    answer_http_exception,
    answer_problem,
    answer_validation,
)
from node.api.site import add_site

ROUTERS = (
    routes_chain.router,
    routes_transactions.router,
    routes_accounts.router,
    routes_market.router,
    routes_orders.router,
    routes_history.router,
    routes_search.router,
    routes_consensus.router,
    routes_membership.router,
    routes_proofs.router,
    routes_events.router,
    health.router,
)


def wall_clock_ms() -> int:
    """Milliseconds since 1970 by this machine's clock."""
    return time.time_ns() // 1_000_000


def create_app(
    backend: Backend,
    settings: ApiSettings | None = None,
    now_ms: Callable[[], int] = wall_clock_ms,
) -> FastAPI:
    """Build the application over a node.

    Whoever stops the server calls `app.state.hub.close()` first: open streams and long polls end
    at once instead of holding up the shutdown.
    """
    settings = settings or ApiSettings()
    app = FastAPI(
        title="TwinChain",
        version=backend.version,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        lifespan=_lifespan,
    )
    context = make_context(backend, settings, now_ms)
    app.state.api = context
    app.state.hub = context.hub
    app.state.metrics = context.metrics
    for router in ROUTERS:
        app.include_router(router)
    app.add_route("/v1/txs", routes_transactions.submit_transactions, methods=["POST"])
    app.add_route("/v1/txs:check", routes_transactions.check_transactions, methods=["POST"])
    app.add_route("/metrics", _metrics, methods=["GET"])
    add_site(app, explorer=settings.explorer, docs=settings.docs)
    app.add_exception_handler(Problem, answer_problem)
    app.add_exception_handler(HTTPException, answer_http_exception)
    app.add_exception_handler(RequestValidationError, answer_validation)
    _describe_once(app)
    if settings.cors_origins:
        app.add_middleware(
            CORSMiddleware, allow_origins=list(settings.cors_origins), allow_methods=["GET"]
        )
    app.add_middleware(Wall, limits=settings.limits, height=lambda: backend.tip().height)
    app.add_middleware(Stopwatch, metrics=context.metrics)
    return app


def make_context(backend: Backend, settings: ApiSettings, now_ms: Callable[[], int]) -> ApiContext:
    """Wire the parts that need each other: the hub reads through the context it belongs to."""
    metrics = Metrics(backend, now_ms)
    limits = settings.limits
    rates = RateLimiter(
        limits.items_per_second, limits.items_per_second * 2, limits.tracked_clients
    )
    feeds: list[Feed] = []
    hub = StreamHub(
        source=lambda: feeds[0].live(),
        replay=lambda first, last: feeds[0].replay(first, last),
        height=lambda: backend.tip().height,
        lowest=lambda: backend.queries.first_height,
    )
    context = ApiContext(backend, settings, hub, metrics, rates, now_ms)
    feeds.append(Feed(context))
    metrics.streams.set_function(lambda: hub.client_count)
    return context


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    context: ApiContext = app.state.api
    context.hub.start()
    try:
        yield
    finally:
        context.close()


def _describe_once(app: FastAPI) -> None:
    def description() -> dict[str, object]:
        if app.openapi_schema is None:
            app.openapi_schema = describe(app)
        return app.openapi_schema

    app.openapi = description  # type: ignore[method-assign]


async def _metrics(request: Request) -> Response:
    request.scope["template"] = "/metrics"
    return Response(context_of(request).metrics.text(), media_type=CONTENT_TYPE)
