"""Maximum-weight matching with free disposal, in integers, with its minimal labels (Algorithm 4).

A graph here is `adjacency`: for each left vertex its pairs (right vertex, weight > 0).  Any sizes;
a vertex may stay free.  Labels (the dual variables, the vertex labels of Algorithm 4) are u >= 0
on the left and p >= 0 on the right with

    u_i + p_j >= w_ij on every pair,   = w_ij on matched ones,   0 on free vertices,

and then sum(u) + sum(p) = weight of the matching: no matching weighs more (linear duality).

`solve` takes in one left vertex after the other.  The new vertex starts a search for the cheapest
alternating path, in slack u_i + p_j - w_ij, that ends at a free right vertex, at a matched left
vertex that is dropped, or at once (the new vertex stays free).  Slack is never negative, so
Dijkstra's algorithm applies; labels move by what the path leaves over, and stay feasible.

Optimal labels are not unique, their extremes are.  `_lower` takes the right labels down to the
least vector: how far p_j can fall is a shortest path too, from the vertices that stop a fall (a
label of 0, or a free left vertex that would envy) along the slack of matched left vertices.  The
least vector depends on the graph only, neither on the matching found nor on the path to it.

Integers of any size: a caller packs a second objective into the low digits of a weight.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from heapq import heapify, heappop, heappush

Adjacency = Sequence[Sequence[tuple[int, int]]]

FREE = -1
"""Mate of a vertex without one."""


class WorkExceeded(Exception):
    """The solver visited more pairs than it was allowed to; nothing is decided."""


@dataclass(frozen=True, slots=True)
class Matching:
    """An optimal matching: the right mate of each left vertex, and the least right labels."""

    mates: tuple[int, ...]
    labels: tuple[int, ...]
    work: int
    """Pairs visited."""


def solve(adjacency: Adjacency, right_count: int, work_limit: int) -> Matching:
    """Return a maximum-weight matching.  Raises WorkExceeded beyond `work_limit` pair visits."""
    solver = _Solver(adjacency, right_count, work_limit)
    for left in range(len(adjacency)):
        if adjacency[left]:
            solver.take_in(left)
    labels = _lower(adjacency, solver)
    return Matching(tuple(solver.left_mates), tuple(labels), solver.work)


class _Solver:
    """Matching and feasible labels of the left vertices taken in so far."""

    def __init__(self, adjacency: Adjacency, right_count: int, work_limit: int) -> None:
        self.adjacency = adjacency
        self.left_mates = [FREE] * len(adjacency)
        self.right_mates = [FREE] * right_count
        self.left_labels = [0] * len(adjacency)
        self.right_labels = [0] * right_count
        self.work = 0
        self._work_limit = work_limit

    def spend(self, visits: int) -> None:
        """Count pair visits against the limit."""
        self.work += visits
        if self.work > self._work_limit:
            raise WorkExceeded

    def take_in(self, root: int) -> None:
        """Add one left vertex and restore optimality."""
        left_labels, right_labels, right_mates = (
            self.left_labels,
            self.right_labels,
            self.right_mates,
        )
        best_gain = max(weight - right_labels[right] for right, weight in self.adjacency[root])
        if best_gain <= 0:
            return
        left_labels[root] = best_gain
        cost, dropped, end = best_gain, root, FREE
        reached: list[tuple[int, int]] = [(root, 0)]
        settled: list[tuple[int, int]] = []
        distance: dict[int, int] = {}
        parent: dict[int, int] = {}
        heap: list[tuple[int, int]] = []
        left, base = root, 0
        while True:
            self._relax((left, base), cost, distance, parent, heap)
            right = _next_right(heap, distance, cost)
            if right == FREE:
                break
            base = distance[right]
            if right_mates[right] == FREE:
                cost, dropped, end = base, FREE, right
                break
            settled.append((right, base))
            left = right_mates[right]
            reached.append((left, base))
            if base + left_labels[left] < cost:
                cost, dropped, end = base + left_labels[left], left, right
        for vertex, gone in reached:
            if gone < cost:
                left_labels[vertex] -= cost - gone
        for vertex, gone in settled:
            if gone < cost:
                right_labels[vertex] += cost - gone
        self._augment(root, dropped, end, parent)

    def _relax(
        self,
        start: tuple[int, int],
        cost: int,
        distance: dict[int, int],
        parent: dict[int, int],
        heap: list[tuple[int, int]],
    ) -> None:
        """Offer every right neighbour a way through this left vertex, below the best end so far."""
        left, base = start
        pairs = self.adjacency[left]
        self.spend(len(pairs))
        base += self.left_labels[left]
        right_labels = self.right_labels
        for right, weight in pairs:
            length = base + right_labels[right] - weight
            if length < cost and length < distance.get(right, length + 1):
                distance[right] = length
                parent[right] = left
                heappush(heap, (length, right))

    def _augment(self, root: int, dropped: int, end: int, parent: dict[int, int]) -> None:
        if dropped != FREE:
            self.left_mates[dropped] = FREE
        right = end
        while right != FREE:
            left = parent[right]
            following = self.left_mates[left]
            self.right_mates[right] = left
            self.left_mates[left] = right
            right = FREE if left == root else following


def _next_right(heap: list[tuple[int, int]], distance: dict[int, int], cost: int) -> int:
    """Take the nearest right vertex not yet taken, FREE when none is nearer than `cost`."""
    while heap:
        length, right = heappop(heap)
        if length >= cost:
            return FREE
        if distance[right] == length:
            return right
    return FREE


def _lower(adjacency: Adjacency, solver: _Solver) -> list[int]:
    """Return the least right labels for which the matching is still optimal."""
    labels = solver.right_labels
    fall = list(labels)
    for left, pairs in enumerate(adjacency):
        if solver.left_mates[left] == FREE:
            solver.spend(len(pairs))
            for right, weight in pairs:
                fall[right] = min(fall[right], labels[right] - weight)
    heap = [(room, right) for right, room in enumerate(fall)]
    heapify(heap)
    done = [False] * len(labels)
    while heap:
        room, right = heappop(heap)
        mate = solver.right_mates[right]
        if done[right] or mate == FREE:
            continue
        done[right] = True
        base = room + solver.left_labels[mate]
        solver.spend(len(adjacency[mate]))
        for other, weight in adjacency[mate]:
            reach = base + labels[other] - weight
            if reach < fall[other]:
                fall[other] = reach
                heappush(heap, (reach, other))
    return [label - room for label, room in zip(labels, fall, strict=True)]
