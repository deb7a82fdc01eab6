"""Which of the matchings of largest weight: the second stage, on the pairs that are tight.

With the least labels of the first stage, the matchings of largest weight are those of the tight
pairs (u_i + p_j = w_ij) that cover every vertex with a label above 0.  Among them counts the one
of the greatest sum of t = n * 2^32 + h (`auction/certificate.py`).  Any two of them differ by
closed walks in a small directed graph: its nodes are the matched pairs and one node FREE for
everything unmatched, an arc leads from the pair of i to the pair of j for every tight (i, j), and
a pair may also go to FREE if its u is 0, or be reached from it if its p is 0.  What lies on no
closed walk stays as it is.  Of most books little is left to decide, of one full of ties all.

The labels z of the second stage are the least ones for t on the tight pairs; where the label of
the first stage is above 0 they may be negative.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from auction.arrays import Graph
from auction.bidding import ARRAY_VISITS, ROUND_WORK
from auction.certificate import HASH_BITS
from auction.labels import UNKNOWN, least_labels
from auction.matching import FREE, Budget
from auction.pairs import Booleans, Integers, Pairs

PEELINGS = 200
"""Rounds of dropping arcs that lead nowhere; a longer chain of them goes to the solver."""


@dataclass(frozen=True, slots=True)
class Covering:
    """A matching problem with vertices that have to be matched, which is possible."""

    pairs: Pairs
    must_left: Booleans
    must_right: Booleans
    numbers: Integers
    """Of each pair, 32 random bits: a solver slow at ties may break them by these."""


Cover = Callable[[Covering, Budget], Integers]
"""Solves a covering problem: the row of each left vertex, FREE without one."""


def settle_ties(
    graph: Graph, mate_rows: Integers, labels: Integers, cover: Cover, budget: Budget
) -> tuple[Integers, Integers]:
    """Return the canonical matching by rows of the graph, and the labels z.

    `mate_rows` is a matching of largest weight, `labels` are its least.  Raises WorkExceeded, and
    NotOptimal if the solution of `cover` is none.
    """
    held = mate_rows >= 0
    own = np.zeros(graph.left_count, dtype=np.int64)
    mine = mate_rows[held]
    own[held] = graph.weight[mine] - labels[graph.right[mine]]
    tight = np.flatnonzero(own[graph.left] + labels[graph.right] == graph.weight)
    budget.spend(graph.left.size // ARRAY_VISITS)
    open_rows = _open_rows(graph, mate_rows, (own, labels), tight, budget)
    if open_rows.size:
        mate_rows = mate_rows.copy()
        decided = _decide(graph, open_rows, (own, labels), cover, budget)
        mate_rows[np.unique(graph.left[open_rows])] = decided
    place = np.full(graph.left.size + 1, FREE, dtype=np.int64)
    place[tight] = np.arange(tight.size)
    sub = _of_rows(graph, tight, graph.tie[tight])
    floors = np.where(labels == 0, 0, UNKNOWN)
    return mate_rows, least_labels(sub, place[mate_rows], floors, budget)


def _of_rows(graph: Graph, rows: Integers, weight: Integers) -> Pairs:
    return Pairs(graph.left[rows], graph.right[rows], weight, graph.left_count, graph.right_count)


def _open_rows(
    graph: Graph,
    mate_rows: Integers,
    labels: tuple[Integers, Integers],
    tight: Integers,
    budget: Budget,
) -> Integers:
    """Return the rows, ascending, among which there may be a choice: those on closed walks."""
    free = graph.left_count
    nodes = np.where(mate_rows >= 0, np.arange(free), free)
    holders = np.full(graph.right_count, free, dtype=np.int64)
    matched = np.flatnonzero(mate_rows >= 0)
    rights = graph.right[mate_rows[matched]]
    holders[rights] = matched
    moves = tight[mate_rows[graph.left[tight]] != tight]
    quits = matched[labels[0][matched] == 0]
    spares = matched[labels[1][rights] == 0]
    tails = np.concatenate([nodes[graph.left[moves]], quits, np.full(spares.size, free)])
    heads = np.concatenate([holders[graph.right[moves]], np.full(quits.size, free), spares])
    rows = np.concatenate([moves, np.full(quits.size + spares.size, FREE)])
    for _ in range(PEELINGS):
        budget.spend(ROUND_WORK + rows.size // ARRAY_VISITS)
        leads_on = np.bincount(tails, minlength=free + 1) > 0
        led_to = np.bincount(heads, minlength=free + 1) > 0
        keep = leads_on[heads] & led_to[tails]
        if bool(keep.all()):
            break
        tails, heads, rows = tails[keep], heads[keep], rows[keep]
    moves = rows[rows >= 0]
    if not moves.size:
        return moves
    pairs = np.concatenate([tails, heads])
    pairs = np.unique(pairs[pairs != free])
    return np.sort(np.concatenate([moves, mate_rows[pairs]]))


def _decide(
    graph: Graph,
    rows: Integers,
    labels: tuple[Integers, Integers],
    cover: Cover,
    budget: Budget,
) -> Integers:
    """Solve the open rows; return the row of each left vertex they touch, ascending."""
    lefts, left = np.unique(graph.left[rows], return_inverse=True)
    rights, right = np.unique(graph.right[rows], return_inverse=True)
    counts = lefts.size, rights.size
    number = graph.tie[rows] & ((1 << HASH_BITS) - 1)
    weight = (min(counts) << HASH_BITS) + number
    problem = Covering(
        Pairs(left, right, weight, *counts), labels[0][lefts] > 0, labels[1][rights] > 0, number
    )
    chosen = cover(problem, budget)
    return np.where(chosen < 0, FREE, rows[chosen])
