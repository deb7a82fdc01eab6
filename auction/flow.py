"""Min-cost flow in C++ for large books, where the optional package `ortools` is installed.

Exact in 64-bit integers, and without bad cases among the books tried.  It gives a matching and no
labels; `auction.labels` finds them, which proves the matching at the same time, so nothing here is
trusted.  It cannot be stopped once it runs, so its work is charged by its size beforehand.
"""

import numpy as np

from auction.matching import FREE, Budget
from auction.pairs import Integers
from auction.ties import Covering

try:
    from ortools.graph.python.min_cost_flow import SimpleMinCostFlow
except ImportError:  # the optional extra is not installed
    SimpleMinCostFlow = None

AVAILABLE = SimpleMinCostFlow is not None

ARC_WORK = 8
"""Visits of pairs by plain code in the time the flow takes for one arc of a large book."""


class Refused(Exception):
    """The flow gave no optimal answer: costs beyond its 64 bits, for one."""


def cover(problem: Covering, budget: Budget) -> Integers:
    """Return the row of each left vertex in a covering matching of largest weight, FREE for none.

    Every left vertex sends one unit, every right vertex takes one.  A vertex that may stay free
    can also send its unit to, or get one from, a common node.  Raises Refused, WorkExceeded.
    """
    if SimpleMinCostFlow is None:
        raise Refused
    pairs = problem.pairs
    lefts, rights = pairs.left_count, pairs.right_count
    common = lefts + rights
    idle_left, idle_right = np.flatnonzero(~problem.must_left), np.flatnonzero(~problem.must_right)
    tails = np.concatenate([pairs.left, idle_left, np.full(idle_right.size, common)])
    heads = np.concatenate(
        [lefts + pairs.right, np.full(idle_left.size, common), lefts + idle_right]
    )
    costs = np.concatenate([-pairs.weight, np.zeros(idle_left.size + idle_right.size, np.int64)])
    budget.spend(ARC_WORK * tails.size)
    network = SimpleMinCostFlow()
    arcs = network.add_arcs_with_capacity_and_unit_cost(
        tails, heads, np.ones(tails.size, dtype=np.int64), costs
    )
    supplies = np.ones(common + 1, dtype=np.int64)
    supplies[lefts:common] = -1
    supplies[common] = rights - lefts
    network.set_nodes_supplies(np.arange(common + 1), supplies)
    if network.solve() != network.OPTIMAL:
        raise Refused
    chosen = np.flatnonzero(network.flows(arcs[: pairs.left.size]))
    rows = np.full(lefts, FREE, dtype=np.int64)
    rows[pairs.left[chosen]] = chosen
    return rows
