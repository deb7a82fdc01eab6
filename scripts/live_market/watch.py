"""What the live market is seen to do: blocks and events as they come, and the nodes' own clocks.

Open orders are followed by events, so that a run costs the nodes one block read a height.  How long
a step of a block took is read from the metrics of the nodes (`twinchain_block_step_seconds`).
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx
from prometheus_client.parser import text_string_to_metric_families

from node.client.client import ApiError, Client
from scripts.live_market.traders import OpenRow

STEP_METRIC = "twinchain_block_step_seconds"
PAUSE_S = 0.05
UNDER_WAY_BLOCKS = 12
"""A transaction not in a block by then is given up: its orders are drawn anew."""

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class SeenBlock:
    """One height: who built it in which view, and what its round did."""

    height: int
    time_ms: int
    view: int
    builder: str
    skipped: tuple[str, ...]
    transactions: int
    trades: int
    welfare_micro: int
    paid_micro: int
    broker_micro: int
    deferred: int
    depths: tuple[int, ...]
    """Open orders after the block, of every side of every book."""


@dataclass(slots=True)
class Books:
    """Open orders of all books, and the orders sent that no block holds yet."""

    open: dict[str, OpenRow] = field(default_factory=dict)
    sent: dict[str, tuple[int, list[OpenRow]]] = field(default_factory=dict)
    """Transaction -> height at which it was sent, and the orders it opens."""
    closed: dict[str, int] = field(default_factory=dict)
    """Reason -> how many orders ended that way."""
    failed: dict[str, int] = field(default_factory=dict)
    """Code -> transactions that are in a block and had no effect."""

    def take(self, block: Document) -> None:
        """Follow one final block."""
        for line in block["transactions"]:
            self.sent.pop(line["hash"], None)
            if line["code"] != "ok":
                self.failed[line["code"]] = self.failed.get(line["code"], 0) + 1
        for event in block["events"]:
            data = event["data"]
            if event["kind"] == "order.opened":
                row = OpenRow(data["order"], data["side"], data["owner"], data["broker"])
                self.open[row.id] = row
            elif event["kind"] == "order.closed":
                self.open.pop(data["order"], None)
                self.closed[data["reason"]] = self.closed.get(data["reason"], 0) + 1
        oldest = block["height"] - UNDER_WAY_BLOCKS
        for name in [name for name, (at, _) in self.sent.items() if at < oldest]:
            del self.sent[name]

    def under_way(self) -> list[OpenRow]:
        """Orders that are on their way into a block."""
        return [row for _, rows in self.sent.values() for row in rows]

    def depths(self) -> dict[tuple[str, str], int]:
        """(broker, side) -> open orders."""
        counts: dict[tuple[str, str], int] = {}
        for row in self.open.values():
            counts[(row.broker, row.side)] = counts.get((row.broker, row.side), 0) + 1
        return counts


def seen(block: Document, depths: Sequence[int]) -> SeenBlock:
    """What the reckoning keeps of a block; `depths` are those of the books after it."""
    trades = [event["data"] for event in block["events"] if event["kind"] == "trade.made"]
    rounds = [event["data"] for event in block["events"] if event["kind"] == "round.cleared"]
    return SeenBlock(
        height=block["height"],
        time_ms=block["time_ms"],
        view=block["view"],
        builder=block["builder"]["address"],
        skipped=tuple(one["address"] for one in block["leaders"] if one["outcome"] == "skipped"),
        transactions=len(block["transactions"]),
        trades=len(trades),
        welfare_micro=sum(trade["value_micro"] - trade["cost_micro"] for trade in trades),
        paid_micro=sum(trade["paid_micro"] for trade in trades),
        broker_micro=sum(trade["broker_micro"] for trade in trades),
        deferred=sum(data["deferred"] for data in rounds),
        depths=tuple(depths),
    )


@dataclass(slots=True)
class StepTimes:
    """One node's histogram of one step, as scraped."""

    count: float = 0.0
    seconds: float = 0.0
    within: dict[float, float] = field(default_factory=dict)

    def since(self, earlier: StepTimes) -> StepTimes:
        """What came between two scrapes."""
        within = {at: count - earlier.within.get(at, 0.0) for at, count in self.within.items()}
        return StepTimes(self.count - earlier.count, self.seconds - earlier.seconds, within)

    def bound_s(self) -> float:
        """The lowest bound of the histogram that none exceeded; 0 without any."""
        full = [at for at, count in self.within.items() if count >= self.count]
        return min(full, default=0.0) if self.count else 0.0


async def step_times(client: httpx.AsyncClient, url: str) -> dict[str, StepTimes]:
    """Scrape one node's times by step."""
    answer = await client.get(f"{url}/metrics")
    answer.raise_for_status()
    found: dict[str, StepTimes] = {}
    for family in text_string_to_metric_families(answer.text):
        if family.name != STEP_METRIC:
            continue
        for sample in family.samples:
            times = found.setdefault(sample.labels["step"], StepTimes())
            if sample.name.endswith("_count"):
                times.count = sample.value
            elif sample.name.endswith("_sum"):
                times.seconds = sample.value
            elif sample.name.endswith("_bucket"):
                times.within[float(sample.labels["le"])] = sample.value
    return found


async def next_block(client: Client, height: int, timeout_s: float) -> Document:
    """Wait for a height and return its block.  Raises TimeoutError when it does not come."""
    async with asyncio.timeout(timeout_s):
        while True:
            if int((await client.status())["height"]) >= height:
                # On a loaded disk a block is final some time before it can be read.
                with contextlib.suppress(ApiError):
                    return await client.block(height)
            await asyncio.sleep(PAUSE_S)


async def same_books(clients: Sequence[Client], brokers: Sequence[str], tries: int = 40) -> int:
    """Compare all open orders and all curves of all nodes at one height; return that height.

    Answers count only when every node gave its own at the same height.  Raises AssertionError when
    two nodes differ, TimeoutError when they were never caught at one height.
    """
    paths: list[tuple[str, dict[str, str]]] = []
    for broker in brokers:
        paths.append((f"/v1/brokers/{broker}/depth", {}))
        paths += [
            ("/v1/orders", {"broker": broker, "side": side, "limit": "200"})
            for side in ("bid", "ask")
        ]
    agreed = [0] * len(paths)
    for _ in range(tries):
        for place, (path, query) in enumerate(paths):
            if agreed[place]:
                continue
            answers = await asyncio.gather(*(client.get(path, **query) for client in clients))
            heights = {answer["meta"]["height"] for answer in answers}
            if len(heights) > 1:
                continue
            first = answers[0]
            for other in answers[1:]:
                if other["data"] != first["data"]:
                    raise AssertionError(f"nodes differ at height {heights}: {path} {query}")
            agreed[place] = int(first["meta"]["height"])
        if all(agreed):
            return max(agreed)
        await asyncio.sleep(PAUSE_S)
    raise TimeoutError("the nodes were never asked at one height")


def total(mapping: Mapping[str, StepTimes], step: str) -> StepTimes:
    """The times of a step, empty where a node has not taken it yet."""
    return mapping.get(step, StepTimes())
