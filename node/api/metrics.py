"""Metrics for Prometheus: what the node is at the moment of the scrape, and how requests went.

Each application has a registry of its own; other parts of the node register theirs there too.
Labels are few by construction: routes by their template, never by path, peers not at all.
"""

import time
from collections.abc import Callable, Iterator

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from node.api.backend import Backend

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
STATES = ("validating", "observing", "syncing", "stalled")
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
METHODS = frozenset({"GET", "HEAD", "POST", "OPTIONS"})


class NodeCollector(Collector):
    """Gauges read from the node when scraped."""

    def __init__(self, backend: Backend, now_ms: Callable[[], int]) -> None:
        self._backend = backend
        self._now_ms = now_ms

    def describe(self) -> Iterator[Metric]:
        """Nothing: the node is asked at a scrape, not at registration."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        """All gauges."""
        backend = self._backend
        tip = backend.tip()
        facts = backend.node_facts()
        peers = backend.peers()
        snapshot = backend.consensus_snapshot()
        view = snapshot.get("view", 0)
        values = {
            "consensus_height": ("Height of the newest final block.", tip.height),
            "consensus_view": ("View of the height under way.", _number(view)),
            "consensus_tip_age_seconds": (
                "Age of the newest final block by this clock.",
                max(0, self._now_ms() - tip.time_ms) / 1000,
            ),
            "consensus_stalled": ("1 while no block comes.", float(facts.state == "stalled")),
            "validator": ("1 while this node votes.", float(facts.validator_index >= 0)),
            "peers_known": ("Peers this node knows.", len(peers)),
            "peers": ("Peers connected.", sum(peer.connected for peer in peers)),
            "peer_height_max": (
                "Highest block a peer told of.",
                max((peer.height for peer in peers), default=0),
            ),
            "mempool_txs": ("Transactions that wait for a block.", len(backend.mempool)),
            "mempool_bytes": ("Bytes that wait for a block.", backend.mempool.total_bytes),
        }
        for name, (text, value) in values.items():
            yield GaugeMetricFamily(f"twinchain_{name}", text, value)
        state = GaugeMetricFamily("twinchain_node_state", "1 for what it does.", labels=["state"])
        for word in STATES:
            state.add_metric([word], float(facts.state == word))
        yield state
        build = GaugeMetricFamily("twinchain_build_info", "1, with versions.", labels=["version"])
        build.add_metric([backend.version], 1.0)
        yield build


class Metrics:
    """The registry of one application and the instruments the API itself moves."""

    def __init__(self, backend: Backend, now_ms: Callable[[], int]) -> None:
        self.registry = CollectorRegistry()
        self._now_ms = now_ms
        self._last_block_ms = 0
        self.registry.register(NodeCollector(backend, now_ms))
        self.requests = Histogram(
            "twinchain_http_request_duration_seconds",
            "Time to answer a request, by route template.",
            ("route", "method", "code"),
            buckets=SECONDS,
            registry=self.registry,
        )
        self.submitted = Counter(
            "twinchain_submitted_total",
            "Transactions clients sent, by what became of them at the door.",
            ("code",),
            registry=self.registry,
        )
        self.finality = Histogram(
            "twinchain_finality_latency_seconds",
            "From a block's own time until it was final here.",
            buckets=SECONDS,
            registry=self.registry,
        )
        self.interval = Histogram(
            "twinchain_block_interval_seconds",
            "Time between the times of consecutive blocks.",
            buckets=SECONDS,
            registry=self.registry,
        )
        self.block_transactions = Histogram(
            "twinchain_block_txs",
            "Transactions in a block.",
            buckets=(0, 1, 5, 10, 50, 100, 500, 1000, 2500, 5000, 10000),
            registry=self.registry,
        )
        self.block_views = Histogram(
            "twinchain_consensus_views_per_block",
            "Views that a height took.",
            buckets=(1, 2, 3, 4, 5, 8, 16, 32),
            registry=self.registry,
        )
        self.streams = Gauge("twinchain_sse_clients", "Open event streams.", registry=self.registry)

    def saw_block(self, time_ms: int, view: int, transactions: int) -> None:
        """Count a block that has just become final here."""
        self.finality.observe(max(0, self._now_ms() - time_ms) / 1000)
        if self._last_block_ms:
            self.interval.observe(max(0, time_ms - self._last_block_ms) / 1000)
        self._last_block_ms = time_ms
        self.block_transactions.observe(transactions)
        self.block_views.observe(view)

    def text(self) -> bytes:
        """The scrape."""
        return generate_latest(self.registry)


class Stopwatch:
    """ASGI middleware that times each request under its route template."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        status = "499"

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = str(message["status"])
            await send(message)

        try:
            await self._app(scope, receive, watched)
        finally:
            route = getattr(scope.get("route"), "path", None) or scope.get("template", "other")
            method = scope["method"] if scope["method"] in METHODS else "other"
            elapsed = time.perf_counter() - began
            self._metrics.requests.labels(route, method, status).observe(elapsed)


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else 0.0
