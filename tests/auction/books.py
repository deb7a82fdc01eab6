"""Random, degenerate and adversarial graphs of a round, for the solvers' tests."""

import random

import numpy as np

from auction.arrays import Graph, make_graph

TOPS = (0, 1, 3, 1_000, 10**9, 2**50)
"""Greatest weights: none, ties nearly everywhere, prices, the bound."""


def graph_of_pairs(
    pairs: list[tuple[int, int, int]], sizes: tuple[int, int], chance: random.Random
) -> Graph:
    """Return a graph of (left, right, weight), ties drawn by `chance`."""
    numbers = [chance.randrange(2**32) for _ in pairs]
    rows = sorted(zip(pairs, numbers, strict=True))
    columns = zip(*((*pair, number) for pair, number in rows), strict=True)
    empty = np.zeros(0, dtype=np.int64)
    arrays = [np.array(column, dtype=np.int64) for column in columns] or [empty] * 4
    return make_graph(arrays[0], arrays[1], arrays[2], arrays[3], sizes)


def random_graph(chance: random.Random, most: int = 14) -> Graph:
    """Return a graph of any shape: full of ties, thin or dense, with vertices left alone."""
    lefts, rights = chance.randint(1, most), chance.randint(1, most)
    top, fill = chance.choice(TOPS), chance.choice((0.1, 0.3, 0.6, 1.0))
    pairs = [
        (left, right, chance.choice((0, top, chance.randint(0, top))))
        for left in range(lefts)
        for right in range(rights)
        if chance.random() < fill
    ]
    return graph_of_pairs(pairs, (lefts, rights), chance)


def flat_graph(chance: random.Random, side: int, degree: int) -> Graph:
    """Return a book of flat limits and floors: w = v_i - c_j, every exchange of partners a tie."""
    value = [chance.randint(500, 900) for _ in range(side)]
    cost = [chance.randint(100, 500) for _ in range(side)]
    pairs = [
        (left, right, value[left] - cost[right])
        for left in range(side)
        for right in chance.sample(range(side), min(degree, side))
    ]
    return graph_of_pairs(pairs, (side, side), chance)


def machol_wien(side: int, width: int) -> Graph:
    """Return the book of weights i * j, known to make solvers slow."""
    pairs = [
        (left, (left + step) % side, (left + 1) * ((left + step) % side + 1))
        for left in range(side)
        for step in range(width)
    ]
    return graph_of_pairs(pairs, (side, side), random.Random(1))


def price_chain(side: int) -> Graph:
    """Return a book whose every price rests on the next one: one buyer too many."""
    pairs = [(left, right, 10**6) for left in range(side + 1) for right in (left - 1, left)]
    inside = [(left, right, weight) for left, right, weight in pairs if 0 <= right < side]
    return graph_of_pairs(inside, (side + 1, side), random.Random(2))
