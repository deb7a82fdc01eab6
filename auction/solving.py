"""Solving a round in two stages of 64-bit integers: the weight first, then the ties.

One solver for W = w * 2^k + t would need numbers of a hundred bits and more.  Here the first stage
finds a matching of largest w and its least labels p, the second (`auction/ties.py`) the one of
largest t among those and its labels z; together they are what `auction/certificate.py` proves, and
the same whoever solved either stage.

There are two solvers with one form.  The own one bids and searches (`auction/bidding.py`); it is
always there and its work is counted visit by visit.  Min-cost flow (`auction/flow.py`) is
there if the package is installed; its work is estimated by its size before it starts.  It takes
the large problems, and whatever comes of it must have least labels, or the own solver goes instead.
"""

from dataclasses import dataclass

import numpy as np

from auction import flow
from auction.arrays import Graph
from auction.bidding import rows_of_mates, solve_by_searches
from auction.labels import NotOptimal, least_labels
from auction.matching import LEFT, Budget, Matcher
from auction.pairs import Integers, Pairs
from auction.ties import Cover, Covering, settle_ties

FLOW_FROM = 20_000
"""Pairs from which min-cost flow is faster than the own solver."""

_INT64_SAFE = 1 << 62


@dataclass(frozen=True, slots=True)
class Solution:
    """A canonical round: the rows of its pairs and the least right labels in two lanes."""

    rows: Integers
    label_high: Integers
    label_low: Integers
    work: int
    """Visits of pairs, counted or estimated."""


def solve_graph(graph: Graph, work_limit: int, *, flow_from: int = FLOW_FROM) -> Solution:
    """Return the optimal matching with its least labels.  Raises WorkExceeded.

    `flow_from` is the number of pairs from which min-cost flow is used where it is installed.
    """
    budget = Budget(work_limit)
    if flow.AVAILABLE and graph.left.size >= flow_from:
        try:
            return _solve(graph, flow.cover, budget)
        except (NotOptimal, flow.Refused):
            pass
    return _solve(graph, cover, budget)


def _solve(graph: Graph, solver: Cover, budget: Budget) -> Solution:
    weights = Pairs(graph.left, graph.right, graph.weight, graph.left_count, graph.right_count)
    nobody = (np.zeros(graph.left_count, np.bool_), np.zeros(graph.right_count, np.bool_))
    mate_rows = solver(Covering(weights, *nobody), budget)
    floors = np.zeros(graph.right_count, dtype=np.int64)
    label_high = least_labels(weights, mate_rows, floors, budget)
    mate_rows, label_low = settle_ties(graph, mate_rows, label_high, solver, budget)
    return Solution(mate_rows[mate_rows >= 0], label_high, label_low, budget.spent)


def cover(problem: Covering, budget: Budget) -> Integers:
    """Solve a covering problem by bids and searches: a vertex that must be matched adds a bonus.

    The bonus is more than any two matchings can differ by otherwise.
    """
    pairs, bonus = problem.pairs, 0
    if problem.must_left.any() or problem.must_right.any():
        most = min(pairs.left_count, pairs.right_count)
        bonus = most * int(pairs.weight.max()) + 1
    if not bonus:
        return solve_by_searches(pairs, budget)
    count = problem.must_left[pairs.left].astype(np.int64) + problem.must_right[pairs.right]
    if 3 * bonus < _INT64_SAFE:
        raised = Pairs(
            pairs.left,
            pairs.right,
            pairs.weight + bonus * count,
            pairs.left_count,
            pairs.right_count,
        )
        return solve_by_searches(raised, budget)
    return _solve_wide(pairs, (bonus, count.tolist()), budget)


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
