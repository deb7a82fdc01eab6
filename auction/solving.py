"""Solving a round: three solvers with one form and one answer, chosen by the size of the book.

One solver for W = w * 2^k + t needs numbers of a hundred bits: `single` does so, in plain Python,
and is the fastest for small books.  The others take two stages of 64-bit integers.  The first finds
a matching of largest w and its least labels p, the second (`auction/ties.py`) the one of largest
t among those and its labels z; together they are what `auction/certificate.py` proves.

`staged` bids and searches (`auction/bidding.py`); like `single` it is always there and counts its
work visit by visit.  `flow` is min-cost flow (`auction/flow.py`), there if the package is
installed; its work is estimated by its size before it starts.  It takes the large books, and what
comes of it must have least labels, else `staged` solves the book.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from auction import flow
from auction.arrays import Graph
from auction.bidding import rows_of_mates, solve_by_searches
from auction.certificate import HASH_BITS, split_label
from auction.labels import NotOptimal, least_labels
from auction.matching import LEFT, Budget, Matcher
from auction.pairs import Integers, Pairs
from auction.ties import Cover, Covering, settle_ties

STAGED_FROM = 5_000
"""Pairs from which two stages over arrays are faster than one in plain integers."""

FLOW_FROM = 2_000
"""Pairs from which min-cost flow is worth its call."""

_WEIGHT_BITS = 61
"""Weights below this many bits leave sums and differences of two within 64."""


@dataclass(frozen=True, slots=True)
class Solution:
    """A canonical round: the rows of its pairs and the least right labels in two lanes."""

    rows: Integers
    label_high: Integers
    label_low: Integers
    work: int
    """Visits of pairs, counted or estimated."""


def solve_graph(graph: Graph, work_limit: int) -> Solution:
    """Return the optimal matching with its least labels.  Raises WorkExceeded."""
    return SOLVERS[solver_for(graph.left.size)](graph, Budget(work_limit))


def solver_for(pair_count: int) -> str:
    """Return the name of the solver for a book of this size."""
    if flow.AVAILABLE and pair_count >= FLOW_FROM:
        return "flow"
    return "single" if pair_count < STAGED_FROM else "staged"


def single(graph: Graph, budget: Budget) -> Solution:
    """Solve for W at once, by searches in integers of any size."""
    matcher = Matcher(graph.adjacency(), graph.right_count, budget)
    matcher.enter_all()
    smaller = min(graph.left_count, graph.right_count)
    labels = [split_label(label, smaller) for label in matcher.least_labels()]
    lanes = np.array(labels, dtype=np.int64).reshape(-1, 2)
    mates = np.array(matcher.mates[LEFT], dtype=np.int64)
    rows = np.flatnonzero(mates[graph.left] == graph.right)
    return Solution(rows, lanes[:, 0], lanes[:, 1], budget.spent)


def staged(graph: Graph, budget: Budget) -> Solution:
    """Solve in two stages, each by bids and searches."""
    return _solve(graph, cover, budget)


def by_flow(graph: Graph, budget: Budget) -> Solution:
    """Solve in two stages, each by min-cost flow; where that gives no answer, by `staged`."""
    try:
        return _solve(graph, flow.cover, budget)
    except (NotOptimal, flow.Refused):
        return staged(graph, budget)


Solver = Callable[[Graph, Budget], Solution]

SOLVERS: Mapping[str, Solver] = {"single": single, "staged": staged, "flow": by_flow}
"""`flow` needs the optional package; without it every call of it ends in `staged`."""


def _solve(graph: Graph, solver: Cover, budget: Budget) -> Solution:
    weights = Pairs(graph.left, graph.right, graph.weight, graph.left_count, graph.right_count)
    nobody = (np.zeros(graph.left_count, np.bool_), np.zeros(graph.right_count, np.bool_))
    numbers = graph.tie & ((1 << HASH_BITS) - 1)
    mate_rows = solver(Covering(weights, *nobody, numbers), budget)
    floors = np.zeros(graph.right_count, dtype=np.int64)
    label_high = least_labels(weights, mate_rows, floors, budget)
    mate_rows, label_low = settle_ties(graph, mate_rows, label_high, solver, budget)
    return Solution(mate_rows[mate_rows >= 0], label_high, label_low, budget.spent)


def cover(problem: Covering, budget: Budget) -> Integers:
    """Solve a covering problem by bids and searches.

    A vertex that must be matched adds a bonus, more than any two matchings can differ by otherwise.
    Where 64 bits leave room below the weights, ties are broken there: bids stall on them.
    """
    pairs, bonus = problem.pairs, 0
    most = min(pairs.left_count, pairs.right_count)
    top = int(pairs.weight.max(initial=0))
    if problem.must_left.any() or problem.must_right.any():
        bonus = most * top + 1
    count = problem.must_left[pairs.left].astype(np.int64) + problem.must_right[pairs.right]
    if 2 * bonus + top >= 1 << _WEIGHT_BITS:
        return _solve_wide(pairs, (bonus, count.tolist()), budget)
    room = _WEIGHT_BITS - (2 * bonus + top).bit_length()
    digits = min(HASH_BITS, room - most.bit_length())
    weight = pairs.weight + bonus * count
    if digits > 0:
        weight = (weight << room) + (problem.numbers >> (HASH_BITS - digits))
    raised = Pairs(pairs.left, pairs.right, weight, pairs.left_count, pairs.right_count)
    return solve_by_searches(raised, budget)


def _solve_wide(pairs: Pairs, bonus: tuple[int, list[int]], budget: Budget) -> Integers:
    """Solve with weights beyond 64 bits, by searches alone."""
    each, counts = bonus
    adjacency: list[list[tuple[int, int]]] = [[] for _ in range(pairs.left_count)]
    columns = (pairs.left.tolist(), pairs.right.tolist(), pairs.weight.tolist(), counts)
    for left, right, weight, count in zip(*columns, strict=True):
        adjacency[left].append((right, weight + each * count))
    matcher = Matcher(adjacency, pairs.right_count, budget)
    matcher.enter_all()
    return rows_of_mates(pairs, matcher.mates[LEFT])
