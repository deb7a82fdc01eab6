"""The check over arrays and the check in plain integers: one verdict, whatever they are given."""

import random

import numpy as np
import pytest

from auction.arrays import Graph, make_graph, tie_numbers, verify_graph
from auction.certificate import split_label, tie_number, verify
from auction.matching import FREE, solve
from ledger.errors import Rejected

LARGEST = 2**50


def random_graph(chance: random.Random, top: int) -> Graph:
    """Return a graph in which every pair of vertices may be an edge, and ties are common."""
    lefts, rights = chance.randint(1, 9), chance.randint(1, 9)
    pairs = [(i, j) for i in range(lefts) for j in range(rights) if chance.random() < 0.6]
    pairs = pairs or [(0, 0)]
    if chance.random() < 0.3:
        chance.shuffle(pairs)
    numbers = [chance.choice((0, 5, 2**32 - 1, chance.randrange(2**32))) for _ in pairs]
    columns = (
        [left for left, _ in pairs],
        [right for _, right in pairs],
        [chance.choice((0, top, chance.randint(0, top))) for _ in pairs],
        numbers,
    )
    left, right, weight, number = (np.array(c, dtype=np.int64) for c in columns)
    return make_graph(left, right, weight, number, (lefts, rights))


def both_verdicts(graph: Graph, mates: list[int], labels: list[tuple[int, int]]) -> list[str]:
    """Return what either check says: left labels, or the reason of a refusal."""
    verdicts = []
    joined = [(high << graph.shift) + low for high, low in labels]
    try:
        verdicts.append(str(verify(graph.adjacency(), mates, joined)))
    except Rejected as error:
        verdicts.append(str(error))
    columns = zip(graph.left.tolist(), graph.right.tolist(), strict=True)
    chosen = [row for row, (left, right) in enumerate(columns) if mates[left] == right]
    lanes = np.array(labels, dtype=np.int64).reshape(-1, 2)
    try:
        high, low = verify_graph(
            graph, np.array(chosen, dtype=np.int64), lanes[:, 0].copy(), lanes[:, 1].copy()
        )
        lefts = zip(high.tolist(), low.tolist(), strict=True)
        verdicts.append(str([(one << graph.shift) + two for one, two in lefts]))
    except Rejected as error:
        verdicts.append(str(error))
    return verdicts


def altered(
    chance: random.Random, graph: Graph, mates: list[int], labels: list[tuple[int, int]]
) -> tuple[list[int], list[tuple[int, int]]]:
    """Return a matching or labels with one thing changed, low lanes still in form."""
    mates, labels = list(mates), list(labels)
    if chance.random() < 0.3:
        left = chance.randrange(len(mates))
        mates[left] = FREE
    else:
        matched = [right for right in mates if right != FREE] or [0]
        right = chance.choice(matched)
        high, low = labels[right]
        change = chance.choice((1, -1, 2**20))
        if chance.random() < 0.5:
            high += change
        elif abs(low + change) < 1 << (graph.shift - 1):
            low += change
        labels[right] = (high, low)
    return mates, labels


@pytest.mark.parametrize("top", [3, 10**6, LARGEST])
def test_both_checks_say_the_same_of_right_and_wrong_solutions(top: int) -> None:
    chance = random.Random(top)
    refusals = set()
    for _ in range(500):
        graph = random_graph(chance, top)
        smaller = min(graph.left_count, graph.right_count)
        found = solve(graph.adjacency(), graph.right_count, 10**6)
        mates = list(found.mates)
        labels = [split_label(label, smaller) for label in found.labels]
        one, two = both_verdicts(graph, mates, labels)
        assert one == two
        assert one.startswith("[")
        for _ in range(4):
            one, two = both_verdicts(graph, *altered(chance, graph, mates, labels))
            assert one == two
            refusals.add(one if not one.startswith("[") else "")
    assert len(refusals) == 4


def test_both_checks_agree_on_a_book_at_the_bound() -> None:
    """With 100000 orders a side k is 68: the low lanes need no carry and must not overflow."""
    side = 100_000
    index = np.arange(side, dtype=np.int64)
    weight = np.full(side, LARGEST, dtype=np.int64)
    graph = make_graph(index, index, weight, np.full(side, 2**32 - 1), (side, side))
    assert graph.shift == 68
    one, two = both_verdicts(graph, list(range(side)), [(0, 0)] * side)
    assert one == two
    labels = [(0, 0)] * side
    labels[7] = (LARGEST, 2**48)
    one, two = both_verdicts(graph, list(range(side)), labels)
    assert one == two
    assert "least" in one


def test_marks_mix_to_the_same_numbers_one_by_one_and_all_at_once() -> None:
    chance = random.Random(8)
    marks = [(chance.randrange(2**64), chance.randrange(2**64)) for _ in range(3_000)]
    marks += [(0, 0), (2**64 - 1, 2**64 - 1), (2**64 - 1, 1)]
    lanes = np.array(marks, dtype=np.uint64)
    numbers = tie_numbers(lanes[:, 0], lanes[:, 1]).tolist()
    assert numbers == [tie_number(*pair) for pair in marks]
    assert max(numbers) < 2**32


def test_an_exchange_of_partners_is_no_tie() -> None:
    """A sum of the orders' own numbers would be: h must not be separable."""
    chance = random.Random(9)
    for _ in range(500):
        b1, b2, a1, a2 = (chance.randrange(2**64) for _ in range(4))
        straight = tie_number(b1, a1) + tie_number(b2, a2)
        assert straight != tie_number(b1, a2) + tie_number(b2, a1)
