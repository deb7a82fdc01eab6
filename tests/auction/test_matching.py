"""The solver against enumeration, SciPy and networkx; its labels against slow relaxation."""

import random
from itertools import permutations

import networkx
import numpy
import pytest
from scipy.optimize import linear_sum_assignment

from auction.certificate import combine, join_label, split_label, tie_shift, verify
from auction.matching import FREE, WorkExceeded, solve
from ledger.errors import Reason, Rejected

Graph = list[list[tuple[int, int]]]

PLENTY = 10**9


def random_graph(chance: random.Random, lefts: int, rights: int, top: int, fill: float) -> Graph:
    return [
        [(right, chance.randint(1, top)) for right in range(rights) if chance.random() < fill]
        for _ in range(lefts)
    ]


def weight_of(graph: Graph, mates: tuple[int, ...]) -> int:
    return sum(dict(graph[left])[right] for left, right in enumerate(mates) if right != FREE)


def enumerated(graph: Graph, rights: int) -> int:
    """Try every assignment of left vertices to right ones or to none."""
    slots = [*range(rights), *([FREE] * len(graph))]
    best = 0
    for mates in set(permutations(slots, len(graph))):
        if all(right == FREE or right in dict(graph[left]) for left, right in enumerate(mates)):
            best = max(best, weight_of(graph, mates))
    return best


def least_labels(graph: Graph, rights: int, mates: tuple[int, ...]) -> list[int]:
    """Raise labels from nothing until no left vertex would rather have another right one."""
    labels = [0] * rights
    for _ in range(rights + len(graph) + 2):
        before = list(labels)
        for left, pairs in enumerate(graph):
            mate = mates[left]
            own = 0 if mate == FREE else dict(pairs)[mate] - labels[mate]
            for right, weight in pairs:
                if right != mate:
                    labels[right] = max(labels[right], weight - own)
        if labels == before:
            return labels
    raise AssertionError("the matching is not optimal")


def test_it_weighs_as_much_as_the_best_of_all_matchings() -> None:
    chance = random.Random(6)
    for _ in range(250):
        lefts, rights = chance.randint(1, 4), chance.randint(1, 4)
        graph = random_graph(chance, lefts, rights, chance.choice((3, 50)), 0.7)
        found = solve(graph, rights, PLENTY)
        assert weight_of(graph, found.mates) == enumerated(graph, rights)


@pytest.mark.parametrize("top", [4, 1_000, 2**70])
def test_labels_are_the_least_and_prove_the_weight(top: int) -> None:
    chance = random.Random(top)
    for _ in range(200):
        lefts, rights = chance.randint(1, 12), chance.randint(1, 12)
        graph = random_graph(chance, lefts, rights, top, chance.choice((0.2, 0.5, 1.0)))
        found = solve(graph, rights, PLENTY)
        assert list(found.labels) == least_labels(graph, rights, found.mates)
        left_labels = verify(graph, found.mates, found.labels)
        assert sum(left_labels) + sum(found.labels) == weight_of(graph, found.mates)


def test_it_agrees_with_scipy_on_hundreds_of_graphs() -> None:
    chance = random.Random(7)
    for _ in range(300):
        lefts, rights = chance.randint(1, 40), chance.randint(1, 40)
        graph = random_graph(chance, lefts, rights, chance.choice((2, 100, 10**9)), 0.4)
        dense = numpy.zeros((lefts, rights), dtype=numpy.int64)
        for left, pairs in enumerate(graph):
            for right, weight in pairs:
                dense[left, right] = weight
        rows, columns = linear_sum_assignment(dense, maximize=True)
        assert weight_of(graph, solve(graph, rights, PLENTY).mates) == dense[rows, columns].sum()


def test_it_agrees_with_networkx() -> None:
    chance = random.Random(8)
    for _ in range(60):
        lefts, rights = chance.randint(1, 12), chance.randint(1, 12)
        graph = random_graph(chance, lefts, rights, chance.choice((3, 1_000)), 0.5)
        other = networkx.Graph()
        for left, pairs in enumerate(graph):
            for right, weight in pairs:
                other.add_edge(("l", left), ("r", right), weight=weight)
        pairs_found = networkx.max_weight_matching(other)
        total = sum(other.edges[pair]["weight"] for pair in pairs_found)
        assert weight_of(graph, solve(graph, rights, PLENTY).mates) == total


def test_the_order_of_vertices_changes_nothing_when_the_optimum_is_unique() -> None:
    chance = random.Random(9)
    for _ in range(100):
        lefts, rights = chance.randint(2, 12), chance.randint(2, 12)
        graph = random_graph(chance, lefts, rights, 2**60, 0.6)
        found = solve(graph, rights, PLENTY)
        order = list(range(lefts))
        chance.shuffle(order)
        turned = [list(reversed(graph[left])) for left in order]
        again = solve(turned, rights, PLENTY)
        assert again.labels == found.labels
        assert [found.mates[left] for left in order] == list(again.mates)


def test_graphs_without_pairs_are_solved() -> None:
    assert solve([], 0, 0).mates == ()
    assert solve([[], []], 3, 0).mates == (FREE, FREE)
    assert solve([[]], 0, 0).labels == ()


def test_the_work_bound_stops_the_solver() -> None:
    graph = [[(right, left * right + 1) for right in range(30)] for left in range(30)]
    spent = solve(graph, 30, PLENTY).work
    assert solve(graph, 30, spent).work == spent
    with pytest.raises(WorkExceeded):
        solve(graph, 30, spent - 1)


def test_every_altered_matching_is_refused() -> None:
    chance = random.Random(10)
    tried = 0
    for _ in range(300):
        lefts, rights = chance.randint(2, 8), chance.randint(2, 8)
        graph = random_graph(chance, lefts, rights, 10**6, 0.6)
        found = solve(graph, rights, PLENTY)
        mates = list(found.mates)
        left = chance.randrange(lefts)
        choices = [FREE, *(right for right, _ in graph[left] if right not in mates)]
        mates[left] = chance.choice(choices)
        if mates == list(found.mates):
            continue
        tried += 1
        with pytest.raises(Rejected) as refusal:
            verify(graph, mates, found.labels)
        assert refusal.value.reason is Reason.BAD_CLEARING
    assert tried > 80


def test_every_altered_label_is_refused() -> None:
    """Other valid labels too: only the least vector counts."""
    chance = random.Random(11)
    for _ in range(300):
        lefts, rights = chance.randint(2, 8), chance.randint(2, 8)
        graph = random_graph(chance, lefts, rights, chance.choice((3, 10**6)), 0.6)
        found = solve(graph, rights, PLENTY)
        matched = [right for right in found.mates if right != FREE]
        if not matched:
            continue
        labels = list(found.labels)
        for right in chance.sample(matched, chance.randint(1, len(matched))):
            labels[right] += chance.choice((-1, 1, 1, 5))
        if labels == list(found.labels):
            continue
        with pytest.raises(Rejected):
            verify(graph, found.mates, labels)


def test_the_dearest_labels_are_proof_enough_but_not_the_least() -> None:
    graph: Graph = [[(0, 10)]]
    verify(graph, [0], [0])
    with pytest.raises(Rejected, match="not the least"):
        verify(graph, [0], [10])


def test_the_second_objective_never_outweighs_the_first() -> None:
    """Equal to the best by weight, then by number of trades, then by the sum of numbers."""
    chance = random.Random(12)
    for _ in range(120):
        lefts, rights = chance.randint(1, 4), chance.randint(1, 4)
        smaller = min(lefts, rights)
        plain: list[list[tuple[int, int, int]]] = [
            [
                (right, chance.randint(0, 2), chance.randrange(2**32))
                for right in range(rights)
                if chance.random() < 0.8
            ]
            for _ in range(lefts)
        ]
        graph = [
            [(right, combine(weight, number, smaller)) for right, weight, number in pairs]
            for pairs in plain
        ]
        found = solve(graph, rights, PLENTY)
        facts = [{right: rest for right, *rest in pairs} for pairs in plain]

        def score(mates: tuple[int, ...], facts: list[dict[int, list[int]]] = facts) -> list[int]:
            made = [facts[left][right] for left, right in enumerate(mates) if right != FREE]
            return [sum(w for w, _ in made), len(made), sum(number for _, number in made)]

        best = max(
            score(mates)
            for mates in set(permutations([*range(rights), *([FREE] * lefts)], lefts))
            if all(right == FREE or right in facts[left] for left, right in enumerate(mates))
        )
        assert score(found.mates) == best
        plain_graph = [[(right, weight) for right, weight, _ in pairs] for pairs in plain]
        expected = least_labels(plain_graph, rights, found.mates)
        assert [split_label(label, smaller)[0] for label in found.labels] == expected


def test_a_label_splits_into_its_parts_and_back() -> None:
    for smaller in (1, 7, 100_000):
        bound = 2 * smaller << 32
        assert bound < 2**53
        for label in (0, 1, 2**50):
            for tie in (0, 1, -1, bound, -bound):
                joined = join_label(label, tie, smaller)
                assert split_label(joined, smaller) == (label, tie)
        assert 1 << tie_shift(smaller) > 2 * smaller * (smaller + 1) << 32
