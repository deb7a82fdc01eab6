"""The graph of a round as integer arrays, and the check of `auction/certificate.py` over them.

W = w * 2^k + t does not fit 64 bits, so every W, P and u here is two lanes of int64, written

    (high, low)  =  high * 2^k + low,      -2^(k-1) <= low < 2^(k-1),

the form in which labels are sealed; in it pairs compare as numbers do, high lane first.  Bounds: w,
p < 2^53; t < 2^17 * 2^32 + 2^32; |z| < 2^53.  So t - z stays below 2^54, and where k is above 56
it is in form as it stands.  Sums over many orders are taken in Python integers, without a bound.

The verdicts are those of `certificate.verify`, on every input; the tests hold them together.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from auction.certificate import HASH_BITS, MIXING, tie_shift
from auction.matching import FREE
from ledger.errors import Reason, Rejected

Integers = npt.NDArray[np.int64]

_NORMAL_ABOVE = 56
"""Above this k the low lane of a difference needs no carry."""

_LEAST = np.iinfo(np.int64).min


@dataclass(frozen=True, slots=True)
class Graph:
    """Pairs sorted by left vertex; `weight` is w, `tie` is t = n * 2^32 + h."""

    left: Integers
    right: Integers
    weight: Integers
    tie: Integers
    left_count: int
    right_count: int
    shift: int
    """k."""

    def adjacency(self) -> list[list[tuple[int, int]]]:
        """Return the graph as the solver takes it, weights joined to W."""
        pairs: list[list[tuple[int, int]]] = [[] for _ in range(self.left_count)]
        columns = (self.left, self.right, self.weight, self.tie)
        shift = self.shift
        for left, right, weight, tie in zip(*(c.tolist() for c in columns), strict=True):
            pairs[left].append((right, (weight << shift) + tie))
        return pairs


def make_graph(
    left: Integers,
    right: Integers,
    weight: Integers,
    number: Integers,
    sizes: tuple[int, int],
) -> Graph:
    """Return a graph of `sizes` vertices (left, right), its pairs sorted by left vertex."""
    smaller = min(sizes)
    if left.size and bool((left[1:] < left[:-1]).any()):
        order = np.argsort(left, kind="stable")
        left, right, weight, number = left[order], right[order], weight[order], number[order]
    tie = number + (smaller << HASH_BITS)
    return Graph(left, right, weight, tie, sizes[0], sizes[1], tie_shift(smaller))


def tie_numbers(bid_marks: npt.NDArray[np.uint64], ask_marks: npt.NDArray[np.uint64]) -> Integers:
    """Return h of many pairs; the same integers as `certificate.tie_number`."""
    mixed = bid_marks + ask_marks
    for shift, factor in MIXING:
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    return (mixed >> np.uint64(HASH_BITS)).astype(np.int64)


def verify_graph(
    graph: Graph, chosen: Integers, label_high: Integers, label_low: Integers
) -> tuple[Integers, Integers]:
    """Check a matching, given as places of its pairs, and its right labels in two lanes.

    The pairs are one-to-one, a free right vertex has the label 0 and low lanes are in form: the
    caller's business.  Returns the left labels.  Raises Rejected(BAD_CLEARING) as `verify` does.
    """
    if bool(((label_high < 0) | ((label_high == 0) & (label_low < 0))).any()):
        raise Rejected(Reason.BAD_CLEARING, "a label is negative")
    high, low = _gains(graph, label_high, label_low)
    left_high, left_low = _left_labels(graph, high, low)
    covered = _total(left_high, left_low, graph.shift) + _total(label_high, label_low, graph.shift)
    if covered != _total(graph.weight[chosen], graph.tie[chosen], graph.shift):
        raise Rejected(Reason.BAD_CLEARING, "the labels do not prove the matching optimal")
    tight = (high == left_high[graph.left]) & (low == left_low[graph.left])
    tight[chosen] = False
    free_label = (label_high == 0) & (label_low == 0)
    _require_least(graph, chosen, np.flatnonzero(tight), free_label.tolist())
    return left_high, left_low


def _gains(graph: Graph, label_high: Integers, label_low: Integers) -> tuple[Integers, Integers]:
    """Return W - P of every pair, in form."""
    high = graph.weight - label_high[graph.right]
    low = graph.tie - label_low[graph.right]
    if graph.shift <= _NORMAL_ABOVE:
        carry = (low + (1 << (graph.shift - 1))) >> graph.shift
        high += carry
        low -= carry << graph.shift
    return high, low


def _left_labels(graph: Graph, high: Integers, low: Integers) -> tuple[Integers, Integers]:
    """Return u_i = max(0, max_j(W_ij - P_j)): the greatest high lane, among those the low."""
    left_high = np.zeros(graph.left_count, dtype=np.int64)
    left_low = np.zeros(graph.left_count, dtype=np.int64)
    if not graph.left.size:
        return left_high, left_low
    starts = np.flatnonzero(np.diff(graph.left, prepend=-1))
    counts = np.diff(starts, append=graph.left.size)
    best_high = np.maximum.reduceat(high, starts)
    lows = np.where(high == np.repeat(best_high, counts), low, _LEAST)
    best_low = np.maximum.reduceat(lows, starts)
    gains = (best_high > 0) | ((best_high == 0) & (best_low > 0))
    owners = graph.left[starts]
    left_high[owners] = np.where(gains, best_high, 0)
    left_low[owners] = np.where(gains, best_low, 0)
    return left_high, left_low


def _total(high: Integers, low: Integers, shift: int) -> int:
    highs: list[int] = high.tolist()
    lows: list[int] = low.tolist()
    return (sum(highs) << shift) + sum(lows)


def _require_least(graph: Graph, chosen: Integers, tight: Integers, held: Sequence[bool]) -> None:
    """Search from what holds labels up, over the tight pairs only: they are few."""
    reached = list(held)
    left_of = dict(zip(graph.right[chosen].tolist(), graph.left[chosen].tolist(), strict=True))
    ways: dict[int, list[int]] = {}
    for left, right in zip(graph.left[tight].tolist(), graph.right[tight].tolist(), strict=True):
        ways.setdefault(left, []).append(right)
    matched = [FREE] * graph.left_count
    for right, left in left_of.items():
        matched[left] = right
    frontier = [left for left in ways if matched[left] == FREE or reached[matched[left]]]
    while frontier:
        for right in ways.get(frontier.pop(), ()):
            if not reached[right]:
                reached[right] = True
                frontier.append(left_of[right])
    if not all(reached):
        raise Rejected(Reason.BAD_CLEARING, "the labels are not the least")
