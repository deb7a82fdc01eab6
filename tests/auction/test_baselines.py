"""The paper's comparison rules: valid allocations, repeatable, and never above the optimum."""

import random

from auction.baselines import BASELINES, Chance, weight_of
from auction.matching import FREE, solve

Graph = list[list[tuple[int, int]]]


def graphs(count: int) -> list[tuple[Graph, int]]:
    chance = random.Random(13)
    made = []
    for _ in range(count):
        lefts, rights = chance.randint(1, 14), chance.randint(1, 14)
        graph = [
            [(right, chance.randint(1, 1_000)) for right in range(rights) if chance.random() < 0.6]
            for _ in range(lefts)
        ]
        made.append((graph, rights))
    return made


def test_each_gives_an_allocation_on_pairs_of_the_graph() -> None:
    for graph, rights in graphs(60):
        for baseline in BASELINES.values():
            mates = baseline(graph, rights, b"seed")
            used = [right for right in mates if right != FREE]
            assert len(mates) == len(graph)
            assert len(set(used)) == len(used)
            assert all(
                right == FREE or right in dict(pairs)
                for right, pairs in zip(mates, graph, strict=True)
            )


def test_kuhn_munkres_is_optimal_and_the_others_are_at_most() -> None:
    ahead = 0
    for graph, rights in graphs(120):
        best = weight_of(graph, solve(graph, rights, 10**9).mates)
        assert weight_of(graph, BASELINES["kuhn_munkres"](graph, rights, b"")) == best
        for name in ("greedy", "random", "annealing"):
            assert weight_of(graph, BASELINES[name](graph, rights, b"s")) <= best
        greedy = weight_of(graph, BASELINES["greedy"](graph, rights, b""))
        assert 2 * greedy >= best
        annealed = weight_of(graph, BASELINES["annealing"](graph, rights, b"s"))
        ahead += annealed >= weight_of(graph, BASELINES["random"](graph, rights, b"s"))
    assert ahead == 120


def test_annealing_cools_down_to_nearly_the_best() -> None:
    chance = random.Random(29)
    best = annealed = 0
    for number in range(4):
        graph = [[(right, chance.randint(1, 1_000)) for right in range(30)] for _ in range(30)]
        best += weight_of(graph, solve(graph, 30, 10**9).mates)
        annealed += weight_of(graph, BASELINES["annealing"](graph, 30, bytes([number])))
    assert 100 * annealed > 85 * best


def test_the_same_seed_gives_the_same_allocation() -> None:
    (graph, rights), *_ = graphs(1)
    for baseline in BASELINES.values():
        assert baseline(graph, rights, b"x") == baseline(graph, rights, b"x")
    draws = {BASELINES["random"](g, r, bytes([s])) for s in range(9) for g, r in graphs(3)[2:]}
    assert len(draws) > 1


def test_chance_is_even_enough() -> None:
    chance = Chance(b"even")
    counts = [0] * 10
    for _ in range(5_000):
        counts[chance.below(10)] += 1
    assert min(counts) > 400
    assert sorted(chance.shuffled(50)) == list(range(50))


def test_an_empty_market_has_no_allocation() -> None:
    for baseline in BASELINES.values():
        assert baseline([], 3, b"") == ()
        assert baseline([[], []], 0, b"") == (FREE, FREE)
