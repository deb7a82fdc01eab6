"""The allocation rules the paper compares: Kuhn-Munkres (Algorithm 4), random, greedy, annealing.

For experiments, never for a block: the chain clears with `auction.matching`.  All share one form:
a graph (for each buyer its pairs of server and weight) and a seed in, each buyer's server out, FREE
for none.  Weights are integers and may be 0; a pair absent from the graph cannot trade.

Chance is a counter hashed with the seed, so a run can be repeated anywhere to the same result.
"""

from collections.abc import Callable, Mapping, Sequence

from auction.fixed import EXP_ARGUMENT_MAX, EXP_FRACTION_BITS, FRACTION_BITS, exp_up
from auction.matching import FREE, Adjacency
from ledger.crypto import digest

Mates = tuple[int, ...]
Baseline = Callable[[Adjacency, int, bytes], Mates]
"""(pairs of each buyer, number of servers, seed) -> server of each buyer."""

MOVES_PER_BUYER = 100
COOLING_PPM = 930_000
"""The temperature keeps this part of itself after every sweep over the buyers.

It starts at the heaviest pair; a hundred sweeps later it is a thousandth of that.  Cooled much
more slowly the walk ends as hot as it began, and is no better than chance.
"""

_MILLION = 1_000_000


class Chance:
    """A reproducible stream of numbers."""

    __slots__ = ("_count", "_seed")

    def __init__(self, seed: bytes) -> None:
        self._seed, self._count = seed, 0

    def bits(self) -> int:
        """Return the next 64 bits."""
        self._count += 1
        drawn = digest("baseline", self._seed + self._count.to_bytes(8, "big"))
        return int.from_bytes(drawn[:8], "big")

    def below(self, bound: int) -> int:
        """Return a number in [0, bound); bound is far below 2^64, the bias far below notice."""
        return self.bits() * bound >> 64

    def shuffled(self, count: int) -> list[int]:
        """Return 0..count-1 in random order."""
        order = list(range(count))
        for last in range(count - 1, 0, -1):
            other = self.below(last + 1)
            order[last], order[other] = order[other], order[last]
        return order


def weight_of(adjacency: Adjacency, mates: Sequence[int]) -> int:
    """Return the total weight of an allocation."""
    return sum(
        weight
        for pairs, mate in zip(adjacency, mates, strict=True)
        for right, weight in pairs
        if right == mate
    )


def kuhn_munkres(adjacency: Adjacency, right_count: int, _seed: bytes = b"") -> Mates:
    """Return a maximum-weight matching by the textbook method on labels (Algorithm 4).

    The graph is filled up to a square with pairs of weight 0, which stand for "no trade"; labels
    start at the best weight of each buyer and fall by the least slack until the equality graph
    holds an augmenting path.  O(n^3); the seed is not used.
    """
    size = max(len(adjacency), right_count)
    weights = [[0] * size for _ in range(size)]
    for left, pairs in enumerate(adjacency):
        for right, weight in pairs:
            weights[left][right] = weight
    left_labels = [max(row, default=0) for row in weights]
    right_labels = [0] * size
    left_of = [FREE] * size
    for root in range(size):
        _augment(root, weights, left_labels, right_labels, left_of)
    mates = [FREE] * len(adjacency)
    for right in range(right_count):
        left = left_of[right]
        if left < len(adjacency) and any(other == right for other, _ in adjacency[left]):
            mates[left] = right
    return tuple(mates)


def _augment(
    root: int,
    weights: Sequence[Sequence[int]],
    left_labels: list[int],
    right_labels: list[int],
    left_of: list[int],
) -> None:
    """Grow the alternating tree from `root`, lowering labels, until a free server is reached."""
    size = len(weights)
    slack = [left_labels[root] + right_labels[j] - weights[root][j] for j in range(size)]
    entered_from = [root] * size
    in_tree = [False] * size
    tree_left = [root]
    while True:
        outside = [right for right in range(size) if not in_tree[right]]
        right = min(outside, key=slack.__getitem__)
        delta = slack[right]
        for left in tree_left:
            left_labels[left] -= delta
        for other in range(size):
            if in_tree[other]:
                right_labels[other] += delta
            else:
                slack[other] -= delta
        in_tree[right] = True
        left = left_of[right]
        if left == FREE:
            break
        tree_left.append(left)
        for other in range(size):
            gap = left_labels[left] + right_labels[other] - weights[left][other]
            if not in_tree[other] and gap < slack[other]:
                slack[other], entered_from[other] = gap, left
    while right != FREE:
        left = entered_from[right]
        previous = next((j for j in range(size) if left_of[j] == left), FREE)
        left_of[right] = left
        right = previous if left != root else FREE


def random_matching(adjacency: Adjacency, right_count: int, seed: bytes) -> Mates:
    """Let the buyers, in random order, each take a random free server they can trade with."""
    chance = Chance(seed)
    mates = [FREE] * len(adjacency)
    free = [True] * right_count
    for left in chance.shuffled(len(adjacency)):
        open_pairs = [right for right, _ in adjacency[left] if free[right]]
        if open_pairs:
            right = open_pairs[chance.below(len(open_pairs))]
            mates[left], free[right] = right, False
    return tuple(mates)


def greedy(adjacency: Adjacency, right_count: int, _seed: bytes = b"") -> Mates:
    """Take the heaviest pair that is still free, again and again; ties by index."""
    order = sorted(
        (-weight, left, right) for left, pairs in enumerate(adjacency) for right, weight in pairs
    )
    mates = [FREE] * len(adjacency)
    free = [True] * right_count
    for _, left, right in order:
        if mates[left] == FREE and free[right]:
            mates[left], free[right] = right, False
    return tuple(mates)


def annealing(adjacency: Adjacency, right_count: int, seed: bytes) -> Mates:
    """Improve a random allocation by random moves, worse ones with a chance that cools down.

    A move gives one buyer another server; whoever had that server loses it.  A loss of d is
    accepted with probability exp(-d / temperature), in integers.
    """
    chance = Chance(seed + b"moves")
    mates = list(random_matching(adjacency, right_count, seed))
    weights = [dict(pairs) for pairs in adjacency]
    movable = [left for left, pairs in enumerate(adjacency) if pairs]
    if not movable:
        return tuple(mates)
    left_of = {right: left for left, right in enumerate(mates) if right != FREE}
    temperature = max(1, max(weight for pairs in weights for weight in pairs.values()))
    best, best_weight = tuple(mates), weight_of(adjacency, mates)
    current = best_weight
    for move in range(MOVES_PER_BUYER * len(movable)):
        if move % len(movable) == 0:
            temperature = max(1, temperature * COOLING_PPM // _MILLION)
        left = movable[chance.below(len(movable))]
        right = adjacency[left][chance.below(len(adjacency[left]))][0]
        if mates[left] == right:
            continue
        holder = left_of.get(right, FREE)
        gain = weights[left][right] - weights[left].get(mates[left], 0)
        if holder != FREE:
            gain -= weights[holder][right]
        if gain < 0 and not _accepts(-gain, temperature, chance):
            continue
        _move(mates, left_of, left, right)
        current += gain
        if current > best_weight:
            best, best_weight = tuple(mates), current
    return best


def _accepts(loss: int, temperature: int, chance: Chance) -> bool:
    exponent = (loss << FRACTION_BITS) // temperature
    if exponent > EXP_ARGUMENT_MAX:
        return False
    threshold = (1 << (64 + EXP_FRACTION_BITS)) // exp_up(exponent)
    return chance.bits() < threshold


def _move(mates: list[int], left_of: dict[int, int], left: int, right: int) -> None:
    holder = left_of.get(right, FREE)
    if holder != FREE:
        mates[holder] = FREE
    if mates[left] != FREE:
        del left_of[mates[left]]
    mates[left] = right
    left_of[right] = left


BASELINES: Mapping[str, Baseline] = {
    "kuhn_munkres": kuhn_munkres,
    "random": random_matching,
    "greedy": greedy,
    "annealing": annealing,
}
