"""The matching kept while vertices come and go: warm is cold, and it says what is missing."""

import random

import pytest

from auction.matching import FREE, LEFT, RIGHT, Budget, Matcher, WorkExceeded, solve

PLENTY = 10**9


class Market:
    """A matcher and a plain list of what should be in it."""

    def __init__(self, chance: random.Random, top: int) -> None:
        self.chance, self.top = chance, top
        self.matcher = Matcher()
        self.weights: dict[tuple[int, int], int] = {}
        self.alive: tuple[list[int], list[int]] = ([], [])

    def add(self, side: int) -> None:
        others = [v for v in self.alive[1 - side] if self.chance.random() < 0.6]
        pairs = [(other, self.chance.randint(0, self.top)) for other in others]
        vertex = self.matcher.add(side, pairs)
        self.alive[side].append(vertex)
        for other, weight in pairs:
            self.weights[(vertex, other) if side == LEFT else (other, vertex)] = weight

    def forget(self, side: int, vertex: int) -> None:
        self.alive[side].remove(vertex)
        self.weights = {key: w for key, w in self.weights.items() if key[side] != vertex}

    def step(self) -> None:
        side = self.chance.randrange(2)
        kind = self.chance.random()
        matched = list(self.matcher.pairs())
        if kind < 0.55 or not self.alive[side]:
            self.add(side)
        elif kind < 0.8:
            vertex = self.chance.choice(self.alive[side])
            self.matcher.remove(side, vertex)
            self.forget(side, vertex)
        elif matched:
            left, right = self.chance.choice(matched)
            self.matcher.remove_pair(left)
            self.forget(LEFT, left)
            self.forget(RIGHT, right)

    def cold(self) -> tuple[int, list[int]]:
        """Solve what is there from nothing; return weight and least labels of living vertices."""
        right_place = {right: place for place, right in enumerate(self.alive[RIGHT])}
        graph: list[list[tuple[int, int]]] = [[] for _ in self.alive[LEFT]]
        left_place = {left: place for place, left in enumerate(self.alive[LEFT])}
        for (left, right), weight in self.weights.items():
            graph[left_place[left]].append((right_place[right], weight))
        found = solve(graph, len(right_place), PLENTY)
        made = enumerate(found.mates)
        weight = sum(dict(graph[left])[right] for left, right in made if right != FREE)
        return weight, list(found.labels)

    def check_labels(self) -> None:
        """Assert that labels are feasible integers, tight on pairs and 0 on free vertices."""
        lefts, rights = self.matcher.labels
        for (left, right), weight in self.weights.items():
            assert lefts[left] + rights[right] >= weight
        for left, right in self.matcher.pairs():
            assert lefts[left] + rights[right] == self.weights[left, right]
        for side in (LEFT, RIGHT):
            for vertex in self.alive[side]:
                assert self.matcher.labels[side][vertex] >= 0
                if self.matcher.mates[side][vertex] == FREE:
                    assert self.matcher.labels[side][vertex] == 0


@pytest.mark.parametrize("top", [2, 50, 2**90])
def test_warm_is_cold_after_any_history(top: int) -> None:
    chance = random.Random(top)
    for _ in range(25):
        market = Market(chance, top)
        for _ in range(40):
            market.step()
            market.check_labels()
            weight, labels = market.cold()
            assert market.matcher.weight() == weight
            least = market.matcher.least_labels()
            assert [least[right] for right in market.alive[RIGHT]] == labels


def test_a_pair_or_a_free_vertex_leaves_without_a_search() -> None:
    chance = random.Random(5)
    graph = [[(right, chance.randint(1, 99)) for right in range(6)] for _ in range(9)]
    budget = Budget()
    matcher = Matcher(graph, 6, budget)
    matcher.enter_all()
    free = matcher.mates[LEFT].index(FREE)
    spent = budget.spent
    matcher.remove(LEFT, free)
    matcher.remove_pair(next(matcher.pairs())[0])
    assert budget.spent == spent
    matcher.remove(LEFT, next(matcher.pairs())[0])
    assert budget.spent > spent


def test_one_vertex_visits_each_pair_at_most_once() -> None:
    chance = random.Random(6)
    graph = [[(right, chance.randint(1, 9)) for right in range(20)] for _ in range(20)]
    budget = Budget()
    matcher = Matcher(graph, 20, budget)
    for left in range(20):
        before = budget.spent
        matcher.enter(LEFT, left)
        assert budget.spent - before <= 20 * (left + 1)


def test_the_shortfall_is_what_a_free_vertex_must_beat() -> None:
    chance = random.Random(7)
    met = 0
    for _ in range(300):
        lefts, rights = chance.randint(2, 8), chance.randint(1, 6)
        graph = [
            [(right, chance.randint(0, 30)) for right in range(rights) if chance.random() < 0.7]
            for _ in range(lefts)
        ]
        matcher = Matcher(graph, rights)
        matcher.enter_all()
        before = list(matcher.mates[LEFT]), matcher.weight()
        for left in range(lefts):
            if matcher.mates[LEFT][left] != FREE or not graph[left]:
                continue
            met += 1
            short = matcher.shortfall(LEFT, left)
            assert short >= 0
            for raised, matched in ((short, None), (short + 1, True), (short - 1, False)):
                again = [
                    [(right, w + raised * (place == left)) for right, w in pairs if w + raised >= 0]
                    for place, pairs in enumerate(graph)
                ]
                mates = solve(again, rights, PLENTY).mates
                if matched is not None and raised >= 0:
                    assert (mates[left] != FREE) == matched
        assert (list(matcher.mates[LEFT]), matcher.weight()) == before
    assert met > 200


def test_the_bound_on_work_holds_for_every_operation() -> None:
    graph = [[(right, (left + 1) * (right + 1)) for right in range(20)] for left in range(20)]
    budget = Budget()
    matcher = Matcher(graph, 20, budget)
    matcher.enter_all()
    budget.limit = budget.spent
    with pytest.raises(WorkExceeded):
        matcher.add(LEFT, [(0, 10_000)])
