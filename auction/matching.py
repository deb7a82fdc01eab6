"""Maximum-weight matching with free disposal, in integers, kept while vertices come and go.

A graph here is `adjacency`: for each left vertex its pairs (right vertex, weight >= 0).  Any sizes;
a vertex may stay free.  Labels (the dual variables, the vertex labels of Algorithm 4) are u >= 0
on the left and p >= 0 on the right with

    u_i + p_j >= w_ij on every pair,   = w_ij on matched ones,   0 on free vertices,

and then sum(u) + sum(p) = weight of the matching: no matching weighs more (linear duality).

`Matcher` keeps such a matching.  A vertex that enters starts a search for the cheapest alternating
path, in slack u_i + p_j - w_ij, that ends at a free vertex opposite, at a matched vertex of its own
side that is dropped, or at once (it stays free).  Slack is never negative, so Dijkstra's algorithm
applies; labels move by what the path leaves over, and stay feasible.  A vertex that leaves costs
at most one such search, from the partner it leaves behind; a matched pair that leaves together
costs none.  The two sides play the same part.

Optimal labels are not unique, their extremes are.  `least_labels` takes the right labels down to
the least vector: how far p_j can fall is a shortest path too, from the vertices that stop a fall (a
label of 0, or a free left vertex that would envy) along the slack of matched left vertices.  The
least vector depends on the graph only, neither on the matching found nor on the history of it.

Integers of any size: a caller may pack a second objective into the low digits of a weight.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from heapq import heapify, heappop, heappush

Adjacency = Sequence[Sequence[tuple[int, int]]]

FREE = -1
"""Mate of a vertex without one."""

LEFT, RIGHT = 0, 1
"""The sides of a graph; the other side of `side` is `1 - side`."""

_GONE = 1 << 512
"""Label of a vertex that has left: the slack of its pairs is beyond any path."""


class WorkExceeded(Exception):
    """The solver visited more pairs than it was allowed to; nothing is decided."""


@dataclass(slots=True)
class Budget:
    """How many visits of pairs a solver may make, and has made."""

    limit: int = 1 << 62
    spent: int = 0

    def spend(self, visits: int) -> None:
        """Count visits.  Raises WorkExceeded beyond the limit."""
        self.spent += visits
        if self.spent > self.limit:
            raise WorkExceeded


@dataclass(frozen=True, slots=True)
class Matching:
    """An optimal matching: the right mate of each left vertex, and the least right labels."""

    mates: tuple[int, ...]
    labels: tuple[int, ...]
    work: int
    """Pairs visited."""


def solve(adjacency: Adjacency, right_count: int, work_limit: int) -> Matching:
    """Return a maximum-weight matching.  Raises WorkExceeded beyond `work_limit` pair visits."""
    budget = Budget(work_limit)
    matcher = Matcher(adjacency, right_count, budget)
    matcher.enter_all()
    labels = matcher.least_labels()
    return Matching(tuple(matcher.mates[LEFT]), tuple(labels), budget.spent)


@dataclass(slots=True)
class _Path:
    """The cheapest alternating path of a search, and what the search saw on its way."""

    cost: int
    dropped: int
    """Vertex of the root's side at the far end, which becomes free; the root if it gains nothing;
    FREE if the path ends at a free vertex opposite."""
    end: int
    """Last vertex opposite, FREE for a path of no length."""
    near: list[tuple[int, int]]
    far: list[tuple[int, int]]
    """Vertices reached on either side, with their distances."""
    parent: dict[int, int]


class Matcher:
    """An optimal matching with feasible labels, and the graph it is for.

    Made from a whole graph, its left vertices are still outside until `enter` takes them in;
    `add` makes a vertex and takes it in at once.  Vertices are numbered from 0 on either side and
    keep their numbers.
    """

    def __init__(
        self, adjacency: Adjacency = (), right_count: int = 0, budget: Budget | None = None
    ) -> None:
        count = len(adjacency)
        self.mates = ([FREE] * count, [FREE] * right_count)
        self.labels = ([0] * count, [0] * right_count)
        self._pairs: tuple[list[list[tuple[int, int]]], list[list[tuple[int, int]]]] = (
            [list(pairs) for pairs in adjacency],
            [],
        )
        self._mirrored = False
        self._spend = (budget or Budget()).spend

    def enter_all(self) -> None:
        """Take in every left vertex of the graph the matcher was made from."""
        for left, pairs in enumerate(self._pairs[LEFT]):
            if pairs:
                self.enter(LEFT, left)

    def resume(self, mates: list[int], left_labels: list[int], right_labels: list[int]) -> None:
        """Go on from a matching of some left vertices: feasible labels, tight on its pairs.

        The right labels are feasible whichever left vertex enters; a free vertex has the label 0.
        """
        self.mates[LEFT][:] = mates
        for left, right in enumerate(mates):
            if right != FREE:
                self.mates[RIGHT][right] = left
        self.labels[LEFT][:] = left_labels
        self.labels[RIGHT][:] = right_labels

    def enter(self, side: int, root: int) -> None:
        """Take in one free vertex and restore optimality: one search."""
        best = self._best_gain(side, root)
        if best <= 0:
            self.labels[side][root] = 0
            return
        self.labels[side][root] = best
        path = self._search(side, root, best)
        own, other = self.labels[side], self.labels[1 - side]
        for vertex, distance in path.near:
            if distance < path.cost:
                own[vertex] -= path.cost - distance
        for vertex, distance in path.far:
            if distance < path.cost:
                other[vertex] += path.cost - distance
        self._augment(side, root, path)

    def add(self, side: int, pairs: Sequence[tuple[int, int]]) -> int:
        """Add a vertex with its pairs (vertex opposite, weight); return its number."""
        self._mirror()
        vertex = len(self._pairs[side])
        self._pairs[side].append(list(pairs))
        for other, weight in pairs:
            self._pairs[1 - side][other].append((vertex, weight))
        self.mates[side].append(FREE)
        self.labels[side].append(0)
        self.enter(side, vertex)
        return vertex

    def remove(self, side: int, vertex: int) -> None:
        """Take a vertex out: no search for a free one, at most one for a matched one."""
        partner = self.mates[side][vertex]
        self._leave(side, vertex)
        if partner != FREE:
            self._mirror()
            self.mates[1 - side][partner] = FREE
            self.enter(1 - side, partner)

    def remove_pair(self, left: int) -> None:
        """Take a matched left vertex out together with its mate; the rest stays optimal."""
        right = self.mates[LEFT][left]
        self._leave(LEFT, left)
        self._leave(RIGHT, right)

    def shortfall(self, side: int, vertex: int) -> int:
        """Return what all weights of a free vertex lack before a matching with it weighs as much.

        One search; nothing is changed.  With any more than that it would be matched.
        """
        if side == RIGHT:
            self._mirror()
        lack = -self._best_gain(side, vertex)
        return lack + self._search(side, vertex, -lack, free_root=False).cost

    def weight(self) -> int:
        """Return the weight of the matching, which the labels add up to."""
        return sum(label for side in self.labels for label in side if label < _GONE)

    def least_labels(self) -> list[int]:
        """Return the least right labels for which the matching is still optimal."""
        labels, owns = self.labels[RIGHT], self.labels[LEFT]
        fall = [0 if label == _GONE else label for label in labels]
        for left, pairs in enumerate(self._pairs[LEFT]):
            if self.mates[LEFT][left] == FREE and owns[left] != _GONE:
                self._spend(len(pairs))
                for right, weight in pairs:
                    fall[right] = min(fall[right], labels[right] - weight)
        heap = [(room, right) for right, room in enumerate(fall)]
        heapify(heap)
        done = [False] * len(labels)
        while heap:
            room, right = heappop(heap)
            mate = self.mates[RIGHT][right]
            if done[right] or mate == FREE:
                continue
            done[right] = True
            base = room + owns[mate]
            self._spend(len(self._pairs[LEFT][mate]))
            for other, weight in self._pairs[LEFT][mate]:
                reach = base + labels[other] - weight
                if reach < fall[other]:
                    fall[other] = reach
                    heappush(heap, (reach, other))
        return [
            0 if label == _GONE else label - room for label, room in zip(labels, fall, strict=True)
        ]

    def _mirror(self) -> None:
        """List the pairs by right vertex too; a cold start needs them by left vertex only."""
        if not self._mirrored:
            self._mirrored = True
            by_right = self._pairs[RIGHT]
            by_right.extend([] for _ in self.labels[RIGHT])
            for left, pairs in enumerate(self._pairs[LEFT]):
                for right, weight in pairs:
                    by_right[right].append((left, weight))

    def _leave(self, side: int, vertex: int) -> None:
        self.mates[side][vertex] = FREE
        self.labels[side][vertex] = _GONE

    def _best_gain(self, side: int, vertex: int) -> int:
        labels = self.labels[1 - side]
        return max(
            (weight - labels[other] for other, weight in self._pairs[side][vertex]), default=-_GONE
        )

    def _search(self, side: int, root: int, label: int, *, free_root: bool = True) -> _Path:
        """Find the cheapest path from a vertex that holds `label`, its best gain.

        With `free_root` it may end at once, at the cost of that label.
        """
        far_mates, own_labels = self.mates[1 - side], self.labels[side]
        path = _Path(label if free_root else _GONE, root, FREE, [(root, 0)], [], {})
        distances: dict[int, int] = {}
        heap: list[tuple[int, int]] = []
        vertex, base = root, label
        while True:
            self._relax(side, (vertex, base), path, distances, heap)
            other = _nearest(heap, distances, path.cost)
            if other == FREE:
                return path
            distance = distances[other]
            path.far.append((other, distance))
            vertex = far_mates[other]
            path.near.append((vertex, distance))
            base = distance + own_labels[vertex]
            if base < path.cost:
                path.cost, path.dropped, path.end = base, vertex, other

    def _relax(
        self,
        side: int,
        start: tuple[int, int],
        path: _Path,
        distances: dict[int, int],
        heap: list[tuple[int, int]],
    ) -> None:
        """Offer every neighbour a way through this vertex, below the best end so far."""
        vertex, base = start
        pairs = self._pairs[side][vertex]
        self._spend(len(pairs))
        labels, mates = self.labels[1 - side], self.mates[1 - side]
        cost, parent = path.cost, path.parent
        for other, weight in pairs:
            length = base + labels[other] - weight
            if length < cost and length < distances.get(other, cost):
                parent[other] = vertex
                if mates[other] == FREE:
                    cost = path.cost = length
                    path.dropped, path.end = FREE, other
                else:
                    distances[other] = length
                    heappush(heap, (length, other))

    def _augment(self, side: int, root: int, path: _Path) -> None:
        own, opposite = self.mates[side], self.mates[1 - side]
        if path.dropped != FREE:
            own[path.dropped] = FREE
        other = path.end
        while other != FREE:
            vertex = path.parent[other]
            following = own[vertex]
            opposite[other] = vertex
            own[vertex] = other
            other = FREE if vertex == root else following

    def pairs(self) -> Iterator[tuple[int, int]]:
        """Yield the matched pairs (left, right) by left vertex."""
        for left, right in enumerate(self.mates[LEFT]):
            if right != FREE:
                yield left, right


def _nearest(heap: list[tuple[int, int]], distances: dict[int, int], cost: int) -> int:
    """Take the nearest vertex not yet taken, FREE when none is nearer than `cost`."""
    while heap:
        length, other = heappop(heap)
        if length >= cost:
            return FREE
        if distances[other] == length:
            return other
    return FREE
