"""What clearing costs: solve, check, one block of churn, admission; beside SciPy and networkx.

    python3 scripts/bench_market.py            # up to 10000 x 10; about a minute
    python3 scripts/bench_market.py --quick    # the books of 1000 orders a side only
    python3 scripts/bench_market.py --full     # 10000 x 50 and networkx too; many minutes

A cold round has every pair of the book due at once, the worst a chain can meet.  For each book:

    read     the round's pairs from the state
    solve    the own solver, in plain Python, with its least labels
    check    what every other node does: ties drawn, pairs located, labels proven, trades returned
    SciPy    `min_weight_full_bipartite_matching`, a dummy partner for each bid, weights only
    networkx `max_weight_matching`, for the smallest book only

One block at 1 % churn: 1 % of either side is new and its pairs are due, the rest of the book stands
(a round leaves no crossed pair between two open orders, so nothing else is due).  Its figure is
read + solve + check, beside the cold SciPy solve of the whole book.

Admission: one bid held against 1000 standing asks, valued by the equations, the heaviest pairs
kept; the first of a block prepares the book, those after it do not.

All solvers must find the same weight.  Times are processor seconds, so that neighbours on the
machine count little: the median of three, where a run takes long of one.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from typing import TypeVar

import networkx
import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import min_weight_full_bipartite_matching

from auction.admission import admit_arrivals
from auction.brokers import Tariff
from auction.clearing import LiveRound, check_book, solve_round
from auction.orders import insert
from auction.parameters import MarketParameters
from auction.rounds import LiveBook
from ledger.execution import BlockContext
from ledger.parameters import LedgerParameters
from ledger.state import Overlay
from scripts.market_benchmark.books import (
    BROKER,
    HEIGHT,
    SPREAD,
    SURPLUS,
    crossed_book,
    make_bid,
    make_sides,
    name_of,
    only_book,
    standing_book,
)

Result = TypeVar("Result")

SEED = bytes(range(32))
MARKET = MarketParameters(work_per_block=2**40, pairs_per_block=2**40)
NO_BOUND = 2**40
TARGETS = {
    "check / SciPy, 10000 x 50": 1 / 100,
    "block at 1 % churn / SciPy, 10000 x 10": 1 / 5,
    "admission against 1000 (spread), ms": 2.0,
    "admission against 1000 (surplus), ms": 2.0,
}


@dataclass(frozen=True, slots=True)
class Cold:
    """Seconds of one cold round."""

    name: str
    pairs: int
    trades: int
    read: float
    solve: float
    check: float
    scipy: float
    networkx: float | None


def timed(action: Callable[[], Result], times: int = 3) -> tuple[Result, float]:
    """Return the result and the median seconds."""
    spans = []
    for _ in range(times):
        started = time.process_time()
        result = action()
        spans.append(time.process_time() - started)
    return result, median(spans)


def scipy_weight(book: LiveBook) -> int:
    """Return the best weight by SciPy: the cost of a pair is `top` - w, of a dummy `top`."""
    bids, asks = len(book.bids), len(book.asks)
    top = int(book.weight.max()) + 1
    rows = np.concatenate([book.bid, np.arange(bids)])
    columns = np.concatenate([book.ask, asks + np.arange(bids)])
    costs = np.concatenate([top - book.weight, np.full(bids, top)])
    graph = coo_array((costs.astype(np.float64), (rows, columns)), shape=(bids, asks + bids))
    matched = graph.tocsr()
    left, right = min_weight_full_bipartite_matching(matched)
    return top * bids - int(matched[left, right].sum())


def networkx_weight(book: LiveBook) -> int:
    """Return the best weight by networkx."""
    graph = networkx.Graph()
    for bid, ask, weight in zip(
        book.bid.tolist(), book.ask.tolist(), book.weight.tolist(), strict=True
    ):
        graph.add_edge(("bid", bid), ("ask", ask), weight=weight)
    pairs = networkx.max_weight_matching(graph)
    return sum(graph.edges[pair]["weight"] for pair in pairs)


def cold_round(count: int, degree: int, *, others: bool) -> Cold:
    """Measure one book with all its pairs due at once."""
    state = crossed_book(make_sides(count, seed=1), degree, seed=2)
    book, read = timed(lambda: only_book(state))
    times = 3 if count <= 1_000 else 1
    clearing, solve = timed(
        lambda: solve_round(LiveRound((book,), ()), SEED, MARKET, NO_BOUND), times
    )
    (part,) = clearing.books
    trades, check = timed(lambda: check_book(book, part, SEED), 5)
    weight = sum(trade.edge.weight for trade in trades)
    found, scipy = timed(lambda: scipy_weight(book), times)
    if found != weight:
        raise SystemExit(f"SciPy finds {found}, the own solver {weight}")
    other = None
    if others and count * degree <= 10_000:
        found, other = timed(lambda: networkx_weight(book), 1)
        if found != weight:
            raise SystemExit(f"networkx finds {found}, the own solver {weight}")
    name = f"{count} x {degree}"
    return Cold(name, book.pair_count, len(trades), read, solve, check, scipy, other)


def churn_block(count: int, degree: int) -> tuple[float, int, int]:
    """Return seconds, pairs and trades of a round in which 1 % of either side is new."""
    state = crossed_book(make_sides(count, seed=1), degree, seed=2, arrivals=count // 100)

    def whole() -> tuple[int, int]:
        book = only_book(state)
        (part,) = solve_round(LiveRound((book,), ()), SEED, MARKET, NO_BOUND).books
        return book.pair_count, len(check_book(book, part, SEED))

    (pairs, trades), seconds = timed(whole, 5)
    return seconds, pairs, trades


def admission(tariff: Tariff, count: int) -> tuple[float, float]:
    """Return milliseconds of the first arrival of a block, and of each after it."""
    standing = standing_book(count, tariff, seed=3)
    context = BlockContext(
        genesis_hash=bytes(32),
        parameters=LedgerParameters(chain="bench"),
        height=HEIGHT,
        time_ms=0,
        view=1,
        builder=BROKER,
        seed=SEED,
    )

    def run(arrivals: int) -> float:
        chance = random.Random(4)
        overlay = Overlay(standing)
        for number in range(arrivals):
            order = make_bid(chance, number)
            fresh = type(order)(
                owner=order.owner,
                submitted=HEIGHT,
                admitted=0,
                reserved_micro=0,
                resource=order.resource,
                terms=order.terms,
            )
            insert(overlay, name_of("bid", number), fresh)
        started = time.process_time()
        admit_arrivals(context, overlay, MARKET)
        return time.process_time() - started

    run(1)
    first = median(run(1) for _ in range(3))
    many = median(run(41) for _ in range(3))
    return first * 1_000, (many - first) / 40 * 1_000


def main() -> None:
    """Run the benchmark and print its figures and ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--quick", action="store_true", help="the small books only")
    parser.add_argument("--full", action="store_true", help="the largest book and networkx too")
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout")
    arguments = parser.parse_args()
    books = [(1_000, 10), (1_000, 50)]
    if not arguments.quick:
        books += [(10_000, 10)] + ([(10_000, 50)] if arguments.full else [])
    colds = [cold_round(*book, others=arguments.full) for book in books]
    ratios: dict[str, float] = {}
    for cold in colds:
        ratios[f"check / SciPy, {cold.name}"] = cold.check / cold.scipy
    churned = [cold.name for cold in colds if cold.name.endswith(" x 10")]
    for cold in colds:
        if cold.name in churned:
            seconds, pairs, _ = churn_block(int(cold.name.split()[0]), 10)
            name = f"block at 1 % churn / SciPy, {cold.name}"
            ratios[name] = seconds / cold.scipy
            ratios[f"block at 1 % churn, {cold.name}, pairs due"] = pairs
    for title, tariff in (("surplus", SURPLUS), ("spread", SPREAD)):
        first, after = admission(tariff, 1_000)
        ratios[f"admission against 1000 ({title}), first of a block, ms"] = first
        ratios[f"admission against 1000 ({title}), ms"] = after
    report(colds, ratios, as_json=arguments.json)


def report(colds: list[Cold], ratios: dict[str, float], *, as_json: bool) -> None:
    """Print everything, targets beside the figures they bound."""
    if as_json:
        fields = Cold.__slots__
        rows = [{name: getattr(cold, name) for name in fields} for cold in colds]
        print(json.dumps({"cold": rows, "ratios": ratios, "targets": TARGETS}, indent=1))
        return
    print(f"{'cold round':>12} {'pairs':>7} {'trades':>6}  read  solve  check  SciPy  networkx, s")
    for cold in colds:
        other = "" if cold.networkx is None else f"{cold.networkx:8.3f}"
        print(
            f"{cold.name:>12} {cold.pairs:7} {cold.trades:6} {cold.read:6.3f} {cold.solve:6.3f}"
            f" {cold.check:6.4f} {cold.scipy:6.3f} {other}"
        )
    for name, value in ratios.items():
        target = TARGETS.get(name)
        verdict = (
            ""
            if target is None
            else f"   target {target:g}: {'met' if value <= target else 'MISSED'}"
        )
        print(f"{name:60} {value:10.4f}{verdict}")


if __name__ == "__main__":
    main()
