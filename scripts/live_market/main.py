"""A live market on real nodes: three brokers, deep books, orders in every block; are turns missed?

A network of four validators is made on free ports (or a running one is used, `--dir`).  First comes
a baseline of blocks without orders, then the books are filled, then the measured blocks: every
block brings bids, asks and cancellations to all three books, which are kept at `--orders` a side.
Draws are seeded.  Printed are

    turns missed   blocks whose first leader did not write them; and how many of these, at most,
                   because of the market: as many as clearings (or admissions of new orders) took
                   more of any node's time than the execution budget the chain grants a block
    deferred       books that a leader put off
    work           what building and clearing took leaders, and checking the others, of a block time
    market         trades, welfare (value - cost), what brokers kept, open orders
    books          that all nodes list the same open orders and draw the same curves at one height

The exit code is 1 when a turn was missed because of the market, a book was deferred, nodes differ,
or a side of a book held on average fewer than nine tenths of the orders it was to hold.

    python3 scripts/market_live.py --blocks 240 --orders 200
    python3 scripts/market_live.py --dir testnet --seconds 60 --json
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import httpx

from ledger.crypto import SigningKey
from ledger.members import Resources
from node.client.client import Client
from node.client.wallet import Wallet
from node.testnet import plan
from node.testnet.create import Wanted, ensure_testnet
from node.testnet.layout import Layout
from scripts.live_market.reckoning import Figures, Phase, failures, reckon, report
from scripts.live_market.traders import OpenRow, Traders, in_transactions
from scripts.live_market.watch import Books, SeenBlock, next_block, same_books, seen, step_times
from tests.e2e.kit import Net, free_port_run

PATIENCE_S = 60.0
FILL_BLOCKS_MAX = 80
FILLING_FACTOR = 2
"""Books fill with so many times the arrivals they have later."""
SLOTS_PER_ORDER = 3
"""Slots of all servers together for each ask wanted: open ones, and those in service."""


@dataclass(frozen=True, slots=True)
class Course:
    """How a run goes.  `seconds` None: count blocks; else the measured phase ends by time."""

    validators: int = 4
    block_time_ms: int = 1_000
    orders: int = 200
    arrivals: int = 8
    baseline: int = 60
    blocks: int = 240
    seconds: float | None = None
    seed: int = 1


@dataclass(slots=True)
class Market:
    """A run: the nodes, who trades on them, and what was seen."""

    course: Course
    clients: list[Client]
    http: httpx.AsyncClient
    traders: Traders
    wallets: dict[str, Wallet]
    books: Books = field(default_factory=Books)
    height: int = 0
    refused: dict[str, int] = field(default_factory=dict)

    async def phase(self, name: str, blocks: int, *, trading: bool, until_s: float = 0.0) -> Phase:
        """Go through `blocks` more blocks; with `until_s` (of the monotonic clock) until then."""
        before = await self._times()
        rows: list[SeenBlock] = []
        arrivals = self.course.arrivals * (FILLING_FACTOR if name == "filling" else 1)
        while len(rows) < blocks or (until_s and time.monotonic() < until_s):
            rows.append(await self._one_block(arrivals if trading else 0))
            if name == "filling" and self._full():
                break
        return Phase(name, rows, before, await self._times())

    async def _one_block(self, arrivals: int) -> SeenBlock:
        self.height += 1
        block = await next_block(self.clients[0], self.height, PATIENCE_S)
        self.books.take(block)
        if arrivals:
            await self._trade(arrivals)
        depths = self.books.depths()
        return seen(block, [depths.get(side, 0) for side in self._sides()])

    async def _trade(self, arrivals: int) -> None:
        rows = list(self.books.open.values())
        wanted = self.traders.decide(rows, self.books.under_way(), self.height, arrivals)
        by_client: dict[int, list[tuple[bytes, list[OpenRow]]]] = {}
        for owner, actions in in_transactions(wanted):
            wallet = self.wallets[owner]
            raw = await wallet.sign(actions)
            opens = [
                OpenRow("", "bid" if action.__class__.__name__ == "Bid" else "ask", owner, broker)
                for action in actions
                if (broker := getattr(action, "broker", ""))
            ]
            place = self.clients.index(wallet.client)
            by_client.setdefault(place, []).append((raw, opens))
        for place, items in by_client.items():
            results = await self.clients[place].submit_all([raw for raw, _ in items])
            for (_, opens), result in zip(items, results, strict=True):
                if result.error is None:
                    self.books.sent[result.hash] = (self.height, opens)
                else:
                    code = result.error.code
                    self.refused[code] = self.refused.get(code, 0) + 1
                    for wallet in self.wallets.values():
                        wallet.forget_nonce()

    def _full(self) -> bool:
        depths = self.books.depths()
        goal = self.course.orders * 9 // 10
        return all(depths.get(side, 0) >= goal for side in self._sides())

    def _sides(self) -> list[tuple[str, str]]:
        return [(broker, side) for broker in self.traders.brokers for side in ("bid", "ask")]

    async def _times(self) -> list[dict[str, Any]]:
        return [await step_times(self.http, client.url) for client in self.clients]


async def run(course: Course, net: Net) -> Figures:
    """The whole course on a network that runs."""
    urls = [node.url for node in net.description.nodes]
    clients = [Client(url, timeout_s=30.0) for url in urls]
    async with contextlib.AsyncExitStack() as stack:
        for client in clients:
            stack.push_async_callback(client.close)
        http = await stack.enter_async_context(httpx.AsyncClient(timeout=30.0, trust_env=False))
        market = await _market(course, net, clients, http)
        phases = [await market.phase("baseline", course.baseline, trading=False)]
        phases.append(await market.phase("filling", FILL_BLOCKS_MAX, trading=True))
        ends = 0.0 if course.seconds is None else time.monotonic() + course.seconds
        blocks = course.blocks if course.seconds is None else 1
        phases.append(await market.phase("market", blocks, trading=True, until_s=ends))
        depths = market.books.depths()
        agreed = await same_books(clients, list(market.traders.brokers))
        parameters = await clients[0].params()
        status = await clients[0].status()
        names = {row["address"]: row["name"] for row in await clients[0].brokers()}
    return reckon(
        phases,
        budget_ms=int(parameters["consensus"]["execution_budget_ms"]),
        block_time_ms=int(status["block_time_ms"]),
        books={
            "open": {f"{names[broker]}/{side}": count for (broker, side), count in depths.items()},
            "closed": market.books.closed,
            "sent": dict(market.traders.sent),
            "refused": market.refused,
            "failed": market.books.failed,
            "same_at_height": agreed,
            "wanted_a_side": course.orders,
        },
    )


def _measured(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the brokers of the measurement; in a network with other names, all without classes."""
    named = [row for row in rows if row["name"] in plan.MEASURED_BROKERS]
    return named or [row for row in rows if not row["tariff"]["classes"]]


async def _market(
    course: Course, net: Net, clients: list[Client], http: httpx.AsyncClient
) -> Market:
    """Open the keys, read what there is, and place the traders at the nodes."""
    buyers = [net.key(one.name) for one in net.description.accounts if one.role == "its"]
    sellers = [net.node_key(node.index) for node in net.description.nodes]
    rows = _measured(await clients[0].brokers())
    brokers = {str(row["address"]): str(row["tariff"]["fee_basis"]) for row in rows}
    largest = max(1, 3 * SLOTS_PER_ORDER * course.orders // len(sellers))
    slot = await _slot(clients[0], sellers, largest)
    chance = Random(course.seed)
    traders = Traders(chance, brokers, buyers, sellers, slot, course.orders)
    keys = [*buyers, *sellers]
    wallets = {
        key.address: Wallet(clients[index % len(clients)], key) for index, key in enumerate(keys)
    }
    market = Market(course, clients, http, traders, wallets)
    for row in await clients[0].orders():
        market.books.open[row["id"]] = OpenRow(row["id"], row["side"], row["owner"], row["broker"])
    market.height = int((await clients[0].status())["height"])
    return market


async def _slot(client: Client, sellers: list[SigningKey], shares: int) -> Resources:
    """What one ask offers: what the plan calls a slot, or less where the servers have less."""
    smallest: Resources | None = None
    for key in sellers:
        declared = (await client.account(key.address))["member"]["resources"]
        slot = Resources(
            computation=min(plan.PROFILES[-1].computation_mhz, declared["computation"] // shares),
            communication=min(
                plan.PROFILES[-1].communication_kbps, declared["communication"] // shares
            ),
            modelling=min(plan.PROFILES[-1].modelling, declared["modelling"] // shares),
        )
        if smallest is None or slot.computation < smallest.computation:
            smallest = slot
    if smallest is None:
        raise SystemExit("this network has no server whose key is here")
    return smallest


@contextlib.contextmanager
def network(course: Course, directory: str | None) -> Iterator[Net]:
    """The running network of a directory, or a new one on free ports that ends with the run."""
    if directory is not None:
        yield Net(Path(directory).resolve())
        return
    with tempfile.TemporaryDirectory(prefix="twinchain-live-market-") as name:
        root = Path(name) / "net"
        slots = max(16, 3 * SLOTS_PER_ORDER * course.orders // course.validators)
        wanted = Wanted(
            validators=course.validators,
            base_port=free_port_run(course.validators),
            block_time_ms=course.block_time_ms,
            slots=min(plan.MAX_SLOTS, slots),
        )
        ensure_testnet(Layout(root), wanted)
        net = Net(root)
        try:
            net.start()
            yield net
        finally:
            net.close()


def main() -> int:
    """Parse the command line, run, print."""
    parser = argparse.ArgumentParser(
        description=(__doc__ or "").strip(), formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--dir", help="a running test network to use instead of a new one")
    parser.add_argument("--validators", type=int, default=4)
    parser.add_argument("--block-time-ms", type=int, default=1_000, help="of a new network")
    parser.add_argument("--orders", type=int, default=200, help="open orders a side and book")
    parser.add_argument("--arrivals", type=int, default=8, help="most a side, book and block")
    parser.add_argument("--baseline", type=int, default=60, help="blocks without orders first")
    parser.add_argument("--blocks", type=int, default=240, help="measured blocks")
    parser.add_argument("--seconds", type=float, help="measure for so long instead of --blocks")
    parser.add_argument("--seed", type=int, default=1, help="of all draws")
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    if not 1 <= chosen.orders <= 240:
        parser.error("--orders is 1 to 240: what four servers may have open in one book")
    course = Course(
        chosen.validators,
        chosen.block_time_ms,
        chosen.orders,
        chosen.arrivals,
        chosen.baseline,
        chosen.blocks,
        chosen.seconds,
        chosen.seed,
    )
    with network(course, chosen.dir) as net:
        figures = asyncio.run(run(course, net))
    wrong = failures(figures)
    print(json.dumps({**figures, "failures": wrong}, indent=2) if chosen.json else report(figures))
    for line in wrong:
        print(line, file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
