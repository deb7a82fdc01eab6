"""The load of the benchmark: signed transactions, sent in batches and followed to finality.

`Load` sends rounds of transactions to the nodes in turn, `batch` of them a request, and keeps a few
requests in flight at each node. What a node refuses for lack of room (429, 503, or item by item)
goes back to the head of the queue and is sent again: an account's transactions carry consecutive
nonces, so none may be left out. With `rate` set the load is open-loop: that many a second, no more.

`Watch` follows the final blocks of one node and notes when each transaction became final.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field

import httpx
import msgspec

BUSY = {429, 503}
BUSY_CODES = {"mempool_full", "rate_limited", "nonce_gap"}


@dataclass(frozen=True, slots=True)
class Prepared:
    """One signed transaction: canonical bytes and its hash in hexadecimal."""

    raw: bytes
    hash: str


@dataclass(slots=True)
class Load:
    """Sends `queue` to `nodes`; after `run` the counters say what happened."""

    nodes: Sequence[str]
    queue: deque[Prepared]
    batch: int
    in_flight_per_node: int = 3
    rate: float | None = None
    sent_at: dict[str, float] = field(default_factory=dict)
    answers: Counter[str] = field(default_factory=Counter)

    async def run(self, client: httpx.AsyncClient, seconds: float) -> None:
        """Send until `seconds` are over or the queue is empty."""
        started = time.perf_counter()
        deadline = started + seconds
        async with asyncio.TaskGroup() as group:
            for node in self.nodes:
                for _ in range(self.in_flight_per_node):
                    group.create_task(self._send_to(client, node, started, deadline))

    async def _send_to(
        self, client: httpx.AsyncClient, node: str, started: float, deadline: float
    ) -> None:
        while self.queue and (now := time.perf_counter()) < deadline:
            if self.rate is not None and len(self.sent_at) >= (now - started) * self.rate:
                await asyncio.sleep(0.005)
                continue
            count = min(self.batch, len(self.queue))
            items = [self.queue.popleft() for _ in range(count)]
            refused = await self._post(client, node, items)
            if refused:
                self.queue.extendleft(reversed(refused))
                await asyncio.sleep(0.1)

    async def _post(
        self, client: httpx.AsyncClient, node: str, items: list[Prepared]
    ) -> list[Prepared]:
        now = time.perf_counter()
        for item in items:
            self.sent_at.setdefault(item.hash, now)
        answer = await client.post(
            f"{node}/v1/txs",
            content=b"[" + b",".join(item.raw for item in items) + b"]",
            headers={"content-type": "application/json"},
        )
        if answer.status_code in BUSY:
            self.answers[f"http {answer.status_code}"] += 1
        if answer.status_code not in {200, 202, *BUSY}:
            raise SystemExit(f"the node refuses the load: {answer.status_code} {answer.text[:400]}")
        try:
            results = msgspec.json.decode(answer.content).get("data")
        except (msgspec.DecodeError, AttributeError):
            results = None
        if not results:
            refused = items
        else:
            refused = []
            for item, result in zip(items, results, strict=True):
                error = result.get("error")
                if error is None:
                    self.answers["accepted"] += 1
                    continue
                self.answers[str(error["code"])] += 1
                if error["code"] in BUSY_CODES:
                    refused.append(item)
        for item in refused:
            self.sent_at.pop(item.hash, None)
        return refused


@dataclass(slots=True)
class SealedBlock:
    """What the watcher keeps of one final block."""

    height: int
    seen_at: float
    time_ms: int
    hashes: tuple[str, ...]


class Watch:
    """Reads the final blocks of `node` as they appear, every `interval` seconds."""

    def __init__(self, node: str, interval: float = 0.02) -> None:
        self._node = node
        self._interval = interval
        self.blocks: list[SealedBlock] = []
        self.stopped = False

    async def run(self, client: httpx.AsyncClient, first: int) -> None:
        """Follow the chain from height `first` until `stopped` is set."""
        height = first
        while not self.stopped:
            answer = await client.get(f"{self._node}/v1/blocks/{height}")
            if answer.status_code == 404:
                await asyncio.sleep(self._interval)
                continue
            answer.raise_for_status()
            seen = time.perf_counter()
            block = msgspec.json.decode(answer.content)["data"]
            hashes = tuple(item["hash"] for item in block["transactions"])
            self.blocks.append(SealedBlock(height, seen, block["time_ms"], hashes))
            height += 1

    def between(self, start: float, end: float) -> list[SealedBlock]:
        """Blocks first seen in the half-open time window."""
        return [block for block in self.blocks if start <= block.seen_at < end]


def percentile(values: Sequence[float], share: float) -> float:
    """Nearest-rank percentile; `share` in 0..1.  0 where there are no values."""
    if not values:
        return 0.0
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
