"""What clearing costs: solve, check, one block of churn, admission; beside SciPy and networkx.

    python3 scripts/bench_market.py            # up to 10000 x 50; a few minutes
    python3 scripts/bench_market.py --quick    # books of 200 and 1000 orders a side; seconds
    python3 scripts/bench_market.py --require  # exit status 1 unless every target is met
    python3 scripts/bench_market.py --worst    # the dearest block, in parts (`worst.py`)
    python3 scripts/bench_market.py --json

A cold round has every pair of the book due at once, the worst a chain can meet.  For each book:

    read     the round's pairs from the state
    own      the own solver: two stages, bids and searches, least labels (`auction.solving`)
    flow     the same with min-cost flow in C++, if the optional package is installed
    check    all that every other node does: ties drawn by hash, sealed pairs located, labels
             proven optimal and least, trades returned; without reading and decoding
    SciPy    `min_weight_full_bipartite_matching`, a dummy partner for each bid, weights only
    networkx `max_weight_matching`, for books of up to 1000 x 10 only (200 x 10 with --quick)

One block at 1 % churn: 1 % of either side is new and its pairs are due, the rest of the book stands
(a round leaves no crossed pair between two open orders, so nothing else is due).  Its figure is
read + solve + check, beside the cold SciPy solve of the whole book.

Admission: one bid held against 1000 standing asks, valued by the equations, the heaviest pairs
kept; the first of a block prepares the book, those after it do not.

All solvers must find the same weight.  Times are processor seconds, the least of a few runs, so
that neighbours on the machine count little.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import networkx
import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import min_weight_full_bipartite_matching

from auction import flow
from auction.admission import admit_arrivals
from auction.arrays import Graph
from auction.brokers import Tariff
from auction.checking import check_book
from auction.clearing import LiveRound, seal_solution, solve_round
from auction.matching import Budget
from auction.orders import insert
from auction.parameters import MarketParameters
from auction.rounds import LiveBook, graph_of
from auction.sealed import SealedBook
from auction.solving import SOLVERS
from ledger.execution import BlockContext
from ledger.parameters import LedgerParameters
from ledger.state import Overlay
from scripts.market_benchmark import worst
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
MARKET = MarketParameters(work_per_block=2**40, pairs_per_block=2**40, calls_per_block=2**40)
NO_BOUND = 2**40
BOOKS = [(1_000, 10), (1_000, 50), (10_000, 10), (10_000, 50)]
QUICK_BOOKS = [(200, 10), (1_000, 10)]
CHURN_DEGREE = 10
STANDING = 1_000
"""Orders a new one is held against."""
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
    own: float
    flow: float | None
    check: float
    scipy: float
    networkx: float | None


def timed(action: Callable[[], Result], times: int = 3) -> tuple[Result, float]:
    """Return the result and the least seconds."""
    spans = []
    for _ in range(times):
        started = time.process_time()
        result = action()
        spans.append(time.process_time() - started)
    return result, min(spans)


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


def sealed_by(name: str, book: LiveBook, graph: Graph) -> SealedBook:
    """Return the book sealed by one of the solvers."""
    return seal_solution(book, graph, SOLVERS[name](graph, Budget()))


def cold_round(count: int, degree: int, networkx_up_to: int) -> Cold:
    """Measure one book with all its pairs due at once."""
    state = crossed_book(make_sides(count, seed=1), degree, seed=2)
    book, read = timed(lambda: only_book(state))
    graph = graph_of(book, SEED)
    times = 3 if count <= 1_000 else 1
    part, own = timed(lambda: sealed_by("staged", book, graph), times)
    by_flow = None
    if flow.AVAILABLE:
        other, by_flow = timed(lambda: sealed_by("flow", book, graph), times)
        require(other == part, "the flow seals another round than the own solver")
    trades, check = timed(lambda: check_book(book, part, SEED), 7)
    weight = sum(trade.edge.weight for trade in trades)
    found, scipy = timed(lambda: scipy_weight(book), times)
    require(found == weight, f"SciPy finds {found}, the own solver {weight}")
    by_networkx = None
    if count * degree <= networkx_up_to:
        found, by_networkx = timed(lambda: networkx_weight(book), 1)
        require(found == weight, f"networkx finds {found}, the own solver {weight}")
    sizes = f"{count} x {degree}", book.pair_count, len(trades)
    return Cold(*sizes, read, own, by_flow, check, scipy, by_networkx)


def require(holds: bool, otherwise: str) -> None:
    """Stop the benchmark unless the solvers agree."""
    if not holds:
        raise SystemExit(otherwise)


def churn_block(count: int, degree: int) -> tuple[float, int, int]:
    """Return seconds, pairs and trades of a round in which 1 % of either side is new."""
    state = crossed_book(make_sides(count, seed=1), degree, seed=2, arrivals=max(1, count // 100))

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
    first = min(run(1) for _ in range(3))
    many = min(run(41) for _ in range(5))
    return first * 1_000, (many - first) / 40 * 1_000


def measure(
    books: list[tuple[int, int]], networkx_up_to: int
) -> tuple[list[Cold], dict[str, float]]:
    """Return the cold rounds, and the figures drawn from them and from blocks and admissions."""
    colds = [cold_round(*book, networkx_up_to) for book in books]
    figures: dict[str, float] = {}
    for cold in colds:
        figures[f"own solver / SciPy, {cold.name}"] = cold.own / cold.scipy
        if cold.flow is not None:
            figures[f"min-cost flow / SciPy, {cold.name}"] = cold.flow / cold.scipy
        figures[f"check / SciPy, {cold.name}"] = cold.check / cold.scipy
    for (count, degree), cold in zip(books, colds, strict=True):
        if degree == CHURN_DEGREE:
            seconds, pairs, _ = churn_block(count, degree)
            figures[f"block at 1 % churn / SciPy, {cold.name}"] = seconds / cold.scipy
            figures[f"block at 1 % churn, {cold.name}, pairs due"] = pairs
    for title, tariff in (("surplus", SURPLUS), ("spread", SPREAD)):
        first, after = admission(tariff, STANDING)
        figures[f"admission against {STANDING} ({title}), first of a block, ms"] = first
        figures[f"admission against {STANDING} ({title}), ms"] = after
    return colds, figures


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark, print its figures; return 1 if a target is required and missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--quick", action="store_true", help="the small books only")
    parser.add_argument("--require", action="store_true", help="fail unless all targets are met")
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout")
    parser.add_argument("--worst", action="store_true", help="the dearest block instead, in parts")
    parser.add_argument("--orders", type=int, default=10_000, help="with --worst: orders a side")
    chosen = parser.parse_args(arguments)
    if chosen.worst:
        return worst_block(chosen.orders, required=chosen.require, as_json=chosen.json)
    colds, figures = measure(*((QUICK_BOOKS, 2_000) if chosen.quick else (BOOKS, 10_000)))
    verdicts = {name: figures[name] <= TARGETS[name] for name in TARGETS if name in figures}
    if chosen.json:
        rows = [{name: getattr(cold, name) for name in Cold.__slots__} for cold in colds]
        targets = {name: {"at_most": TARGETS[name], "met": met} for name, met in verdicts.items()}
        print(json.dumps({"cold": rows, "figures": figures, "targets": targets}, indent=1))
    else:
        report(colds, figures, verdicts)
    return 1 if chosen.require and not all(verdicts.values()) else 0


def worst_block(orders: int, *, required: bool, as_json: bool) -> int:
    """Time and print the parts of the dearest block; 1 if `required` and one is too dear."""
    found = []
    for part in worst.parts(orders):
        found.append(part)
        if not as_json:
            verdict = "" if part.ratio <= 1 else "   PAST THE BUDGET"
            print(f"{part.name:42} {part.count:6} {part.seconds:8.3f} s {part.ratio:6.2f}{verdict}")
    if as_json:
        rows = [{"part": p.name, "count": p.count, "s": p.seconds, "ratio": p.ratio} for p in found]
        print(json.dumps({"budget_s": worst.BUDGET_S, "parts": rows}, indent=1))
    return 1 if required and any(part.ratio > 1 for part in found) else 0


def report(colds: list[Cold], figures: dict[str, float], verdicts: dict[str, bool]) -> None:
    """Print everything, targets beside the figures they bound."""
    columns = ("read", "own", "flow", "check", "scipy", "networkx")
    print(
        f"{'cold round, s':>14} {'pairs':>7} {'trades':>6}" + "".join(f"{c:>10}" for c in columns)
    )
    for cold in colds:
        seconds = [getattr(cold, column) for column in columns]
        shown = "".join(f"{'-':>10}" if span is None else f"{span:10.4f}" for span in seconds)
        print(f"{cold.name:>14} {cold.pairs:7} {cold.trades:6}{shown}")
    for name, value in figures.items():
        verdict = ""
        if name in verdicts:
            verdict = f"   target {TARGETS[name]:g}: {'met' if verdicts[name] else 'MISSED'}"
        print(f"{name:62} {value:10.4f}{verdict}")


if __name__ == "__main__":
    sys.exit(main())
