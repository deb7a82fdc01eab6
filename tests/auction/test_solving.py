"""The solvers of a round against each other, other libraries and the rules of a market."""

import random
from dataclasses import replace

import networkx
import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment

from auction import flow
from auction.arrays import Graph, verify_graph
from auction.baselines import kuhn_munkres, weight_of
from auction.labels import NotOptimal, least_labels
from auction.matching import FREE, Budget, WorkExceeded
from auction.pairs import Pairs
from auction.solving import FLOW_FROM, SOLVERS, STAGED_FROM, Solution, solve_graph, solver_for
from tests.auction.books import flat_graph, graph_of_pairs, machol_wien, price_chain, random_graph

WORK_PER_BLOCK = 2_000_000


def facts(graph: Graph, solution: Solution) -> tuple[list[int], list[int], list[int]]:
    """Return what is sealed: rows and both lanes of the labels."""
    lanes = solution.label_high.tolist(), solution.label_low.tolist()
    return sorted(solution.rows.tolist()), *lanes


def proven(graph: Graph, solution: Solution) -> int:
    """Check a solution as every node does; return its weight."""
    verify_graph(graph, solution.rows, solution.label_high, solution.label_low)
    return int(graph.weight[solution.rows].sum())


def by_scipy(graph: Graph) -> int:
    dense = np.zeros((graph.left_count, graph.right_count), dtype=np.int64)
    dense[graph.left, graph.right] = graph.weight
    rows, columns = linear_sum_assignment(dense, maximize=True)
    return int(dense[rows, columns].sum())


def by_networkx(graph: Graph) -> int:
    other = networkx.Graph()
    columns = (graph.left.tolist(), graph.right.tolist(), graph.weight.tolist())
    for left, right, weight in zip(*columns, strict=True):
        other.add_edge(("l", left), ("r", right), weight=weight)
    return sum(other.edges[pair]["weight"] for pair in networkx.max_weight_matching(other))


def by_kuhn_munkres(graph: Graph) -> int:
    pairs = Pairs(graph.left, graph.right, graph.weight, graph.left_count, graph.right_count)
    adjacency = pairs.adjacency()
    return weight_of(adjacency, kuhn_munkres(adjacency, graph.right_count))


def solved(name: str, graph: Graph) -> Solution:
    return SOLVERS[name](graph, Budget())


def test_the_package_for_min_cost_flow_is_here_to_be_tested() -> None:
    assert flow.AVAILABLE


def test_all_solvers_seal_the_same_of_hundreds_of_books() -> None:
    """`single` is the solver of W in one stage: the others agree to the unit of every label."""
    chance = random.Random(31)
    for _ in range(400):
        graph = random_graph(chance, most=9)
        expected = facts(graph, solved("single", graph))
        for name in ("staged", "flow"):
            assert facts(graph, solved(name, graph)) == expected


def test_every_solver_weighs_what_the_libraries_and_the_textbook_find() -> None:
    chance = random.Random(32)
    for _ in range(80):
        graph = random_graph(chance)
        weight = by_scipy(graph)
        assert by_networkx(graph) == by_kuhn_munkres(graph) == weight
        for name in SOLVERS:
            assert proven(graph, solved(name, graph)) == weight


@pytest.mark.parametrize(
    "graph",
    [
        graph_of_pairs([], (3, 2), random.Random(1)),
        graph_of_pairs([(0, 0, 0)], (1, 1), random.Random(1)),
        graph_of_pairs([(0, 0, 2**50)], (1, 1), random.Random(1)),
        graph_of_pairs(
            [(i, j, 7) for i in range(20) for j in range(20)], (20, 20), random.Random(1)
        ),
        graph_of_pairs([(i, j, 0) for i in range(9) for j in range(20)], (9, 20), random.Random(1)),
        flat_graph(random.Random(3), 60, 12),
        machol_wien(40, 40),
        machol_wien(200, 8),
        price_chain(300),
    ],
    ids=["empty", "nothing", "bound", "ties", "zeros", "flat", "machol_wien", "band", "chain"],
)
def test_degenerate_and_adversarial_books_are_solved_alike(graph: Graph) -> None:
    sealed = [solved(name, graph) for name in SOLVERS]
    assert len({proven(graph, solution) for solution in sealed}) == 1
    assert all(facts(graph, solution) == facts(graph, sealed[0]) for solution in sealed)


def test_large_books_are_solved_alike_in_two_ways() -> None:
    chance = random.Random(33)
    pairs = [
        (left, right, chance.randint(0, 10**9))
        for left in range(600)
        for right in chance.sample(range(600), 9)
    ]
    graph = graph_of_pairs(pairs, (600, 600), chance)
    assert graph.left.size >= STAGED_FROM
    assert facts(graph, solved("staged", graph)) == facts(graph, solved("flow", graph))


def test_the_solver_is_chosen_by_the_number_of_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    assert solver_for(FLOW_FROM - 1) == "single"
    assert solver_for(FLOW_FROM) == "flow"
    monkeypatch.setattr(flow, "AVAILABLE", False)
    assert solver_for(STAGED_FROM - 1) == "single"
    assert solver_for(STAGED_FROM) == "staged"


def test_without_the_package_or_beyond_its_range_the_own_solver_answers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    chance = random.Random(34)
    graph = random_graph(chance)
    expected = facts(graph, solved("single", graph))
    monkeypatch.setattr(flow, "SimpleMinCostFlow", None)
    assert facts(graph, solved("flow", graph)) == expected
    monkeypatch.undo()
    side = 3_000
    wide = graph_of_pairs([(i, i, 2**50) for i in range(side)], (side, side), chance)
    assert facts(wide, solved("flow", wide)) == facts(wide, solved("staged", wide))


def test_a_solver_that_is_wrong_is_found_out_and_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    chance = random.Random(35)
    graph = flat_graph(chance, 30, 6)
    expected = facts(graph, solved("single", graph))

    def nothing(problem: flow.Covering, budget: Budget) -> np.ndarray:
        return np.full(problem.pairs.left_count, FREE, dtype=np.int64)

    monkeypatch.setattr(flow, "cover", nothing)
    assert facts(graph, solved("flow", graph)) == expected


def test_a_matching_that_is_not_optimal_has_no_labels() -> None:
    chance = random.Random(36)
    refused = 0
    for _ in range(200):
        graph = random_graph(chance)
        pairs = Pairs(graph.left, graph.right, graph.weight, graph.left_count, graph.right_count)
        rows = np.full(graph.left_count, FREE, dtype=np.int64)
        for row in solved("single", graph).rows.tolist():
            rows[graph.left[row]] = row
        floors = np.zeros(graph.right_count, dtype=np.int64)
        least_labels(pairs, rows, floors, Budget())
        drop = chance.randrange(graph.left_count)
        if rows[drop] == FREE or graph.weight[rows[drop]] == 0:
            continue
        best = graph.weight[rows[drop]]
        rows[drop] = FREE
        try:
            labels = least_labels(pairs, rows, floors, Budget())
        except NotOptimal:
            refused += 1
            continue
        held = rows[rows >= 0]
        assert labels.sum() <= graph.weight[held].sum()
        assert by_scipy(graph) == int(graph.weight[held].sum()), best
    assert refused > 50


@pytest.mark.parametrize("name", ["staged", "flow"])
def test_the_work_of_any_book_is_bounded(name: str) -> None:
    """Work is counted before it is done: the last step, which was too much, was not made."""
    for graph in (
        machol_wien(100, 60),
        machol_wien(1_000, 8),
        flat_graph(random.Random(4), 200, 16),
    ):
        budget = Budget(20_000)
        with pytest.raises(WorkExceeded):
            SOLVERS[name](graph, budget)
        most = 10 * (graph.left.size + graph.left_count + graph.right_count)
        assert budget.spent <= 20_000 + most


def test_a_price_chain_is_solved_within_the_work_of_a_block() -> None:
    graph = price_chain(500)
    for name in ("staged", "flow"):
        assert SOLVERS[name](graph, Budget(WORK_PER_BLOCK)).work < WORK_PER_BLOCK
    assert solve_graph(graph, WORK_PER_BLOCK).rows.size == 500


def permuted(graph: Graph, chance: random.Random) -> tuple[Graph, list[int], list[int]]:
    lefts, rights = list(range(graph.left_count)), list(range(graph.right_count))
    chance.shuffle(lefts)
    chance.shuffle(rights)
    left = np.array(lefts, dtype=np.int64)[graph.left]
    right = np.array(rights, dtype=np.int64)[graph.right]
    order = np.lexsort((right, left))
    columns = {
        "left": left[order],
        "right": right[order],
        "weight": graph.weight[order],
        "tie": graph.tie[order],
    }
    return replace(graph, **columns), lefts, rights


@pytest.mark.parametrize("name", list(SOLVERS))
def test_other_names_change_nothing_but_the_names(name: str) -> None:
    chance = random.Random(37)
    for _ in range(60):
        graph = random_graph(chance)
        turned, lefts, rights = permuted(graph, chance)
        one, two = solved(name, graph), solved(name, turned)
        made = {
            (lefts[left], rights[right])
            for left, right in zip(
                graph.left[one.rows].tolist(), graph.right[one.rows].tolist(), strict=True
            )
        }
        again = zip(turned.left[two.rows].tolist(), turned.right[two.rows].tolist(), strict=True)
        assert made == set(again)
        assert one.label_high.tolist() == [int(two.label_high[right]) for right in rights]


@pytest.mark.parametrize("name", list(SOLVERS))
def test_weights_in_another_unit_give_the_same_round(name: str) -> None:
    chance = random.Random(38)
    for _ in range(60):
        graph = random_graph(chance)
        if graph.weight.size and int(graph.weight.max()) > 10**9:
            continue
        scaled = replace(graph, weight=graph.weight * 1_000)
        one, two = solved(name, graph), solved(name, scaled)
        assert sorted(one.rows.tolist()) == sorted(two.rows.tolist())
        assert (one.label_high * 1_000).tolist() == two.label_high.tolist()


def gains_of_buyers(graph: Graph, solution: Solution) -> list[int]:
    gains = [0] * graph.left_count
    for row in solution.rows.tolist():
        price = int(solution.label_high[graph.right[row]])
        gains[int(graph.left[row])] = int(graph.weight[row]) - price
    return gains


@pytest.mark.parametrize("name", list(SOLVERS))
def test_one_more_seller_harms_no_buyer(name: str) -> None:
    chance = random.Random(39)
    for _ in range(60):
        graph = random_graph(chance)
        if graph.right_count < 2:
            continue
        newest = graph.right_count - 1
        keep = graph.right != newest
        columns = {
            field: getattr(graph, field)[keep] for field in ("left", "right", "weight", "tie")
        }
        before = replace(graph, **columns)
        with_it = gains_of_buyers(graph, solved(name, graph))
        without = gains_of_buyers(before, solved(name, before))
        assert all(more >= less for more, less in zip(with_it, without, strict=True))


@pytest.mark.parametrize("name", list(SOLVERS))
def test_a_seller_nobody_took_may_go_and_nothing_changes(name: str) -> None:
    chance = random.Random(40)
    gone = 0
    for _ in range(80):
        graph = random_graph(chance)
        solution = solved(name, graph)
        taken = set(graph.right[solution.rows].tolist())
        losers = [right for right in range(graph.right_count) if right not in taken]
        if not losers:
            continue
        gone += 1
        keep = graph.right != chance.choice(losers)
        columns = {
            field: getattr(graph, field)[keep] for field in ("left", "right", "weight", "tie")
        }
        rest = replace(graph, **columns)
        again = solved(name, rest)
        assert np.flatnonzero(keep)[again.rows].tolist() == solution.rows.tolist()
        assert again.label_high.tolist() == solution.label_high.tolist()
        assert again.label_low.tolist() == solution.label_low.tolist()
    assert gone > 20
