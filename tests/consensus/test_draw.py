"""The weighted draw: Eq. 2 for the first place, Eq. 2 among the rest for every backup."""

import struct
from collections import Counter
from fractions import Fraction
from hashlib import sha512
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare

from consensus import draw

WEIGHTS = [50, 30, 15, 5]
KEYED = [(bytes([number]) * 32, weight) for number, weight in enumerate(WEIGHTS)]
DRAWS = 100_000


def seed(number: int) -> bytes:
    return sha512(number.to_bytes(8, "big")).digest()


def law(weights: list[int]) -> dict[tuple[int, ...], Fraction]:
    """The oracle: the chance of every whole order, by enumeration and exact fractions."""
    chances = {}
    for order in permutations(range(len(weights))):
        chance, rest = Fraction(1), sum(weights)
        for index in order:
            chance *= Fraction(weights[index], rest)
            rest -= weights[index]
        chances[order] = chance
    return chances


@pytest.fixture(scope="module")
def orders() -> Counter[tuple[int, ...]]:
    return Counter(draw.order(seed(number), KEYED) for number in range(DRAWS))


def test_the_first_place_follows_equation_2_over_a_hundred_thousand_seeds(
    orders: Counter[tuple[int, ...]],
) -> None:
    firsts = Counter[int]()
    for order, count in orders.items():
        firsts[order[0]] += count
    expected = [DRAWS * weight / sum(WEIGHTS) for weight in WEIGHTS]
    assert chisquare([firsts[index] for index in range(4)], expected).pvalue > 1e-3


@pytest.mark.parametrize("winner", range(4))
def test_the_first_backup_follows_equation_2_among_those_who_did_not_win(
    orders: Counter[tuple[int, ...]], winner: int
) -> None:
    seconds = Counter[int]()
    for order, count in orders.items():
        if order[0] == winner:
            seconds[order[1]] += count
    rest = [index for index in range(4) if index != winner]
    total = sum(WEIGHTS[index] for index in rest)
    expected = [seconds.total() * WEIGHTS[index] / total for index in rest]
    assert chisquare([seconds[index] for index in rest], expected).pvalue > 1e-3


def test_whole_orders_follow_the_enumerated_law_of_drawing_without_replacement(
    orders: Counter[tuple[int, ...]],
) -> None:
    chances = law(WEIGHTS)
    assert sum(chances.values()) == 1
    places = sorted(chances)
    expected = [float(DRAWS * chances[place]) for place in places]
    assert chisquare([orders[place] for place in places], expected).pvalue > 1e-3


@given(st.lists(st.integers(0, 10**30), min_size=1, max_size=12), st.binary(max_size=64))
def test_an_order_names_everybody_once_and_those_of_weight_zero_last(
    weights: list[int], some_seed: bytes
) -> None:
    keyed = [(bytes([index]) * 32, weight) for index, weight in enumerate(weights)]
    order = draw.order(some_seed, keyed)
    assert sorted(order) == list(range(len(weights)))
    signs = [weights[index] > 0 for index in order]
    assert signs == sorted(signs, reverse=True)


@given(st.permutations(range(6)))
def test_the_order_does_not_depend_on_how_the_weights_are_listed(shuffle: list[int]) -> None:
    keyed = [(bytes([index]) * 32, index // 2) for index in range(6)]
    expected = [keyed[index][0] for index in draw.order(b"seed", keyed)]
    shuffled = [keyed[index] for index in shuffle]
    assert [shuffled[index][0] for index in draw.order(b"seed", shuffled)] == expected


def test_rule_e5_all_weights_zero_give_a_uniform_permutation() -> None:
    keyed = [(bytes([index]) * 32, 0) for index in range(4)]
    firsts = Counter(draw.order(seed(number), keyed)[0] for number in range(8_000))
    assert chisquare([firsts[index] for index in range(4)]).pvalue > 1e-3


def test_uniform_rejects_the_incomplete_last_multiple() -> None:
    total = (1 << 511) + 1  # nearly half of all hashes must be rejected
    values = [draw.uniform(seed(number), 0, total) for number in range(400)]
    assert all(0 <= value < total for value in values)
    below = sum(value < total // 2 for value in values)
    assert 140 < below < 260


def test_nothing_is_drawn_from_an_empty_total() -> None:
    with pytest.raises(ValueError, match="nothing"):
        draw.uniform(b"", 0, 0)


def slow_order(some_seed: bytes, weights: dict[bytes, int]) -> list[bytes]:
    """The same rule written down a second time, as plainly as it can be."""

    def number(place: int, total: int) -> int:
        for counter in range(1_000):
            text = b"twinchain/draw/v1" + bytes(1) + struct.pack(">II", place, counter) + some_seed
            value = int(sha512(text).hexdigest(), 16)
            if value < 2**512 - 2**512 % total:
                return value % total
        raise AssertionError

    drawn: list[bytes] = []
    while any(weight for key, weight in weights.items() if key not in drawn):
        left = [key for key in sorted(weights) if weights[key] and key not in drawn]
        ticket = number(len(drawn), sum(weights[key] for key in left))
        tickets = (key for key in left for _ in range(weights[key]))
        drawn.append(next(key for at, key in enumerate(tickets) if at == ticket))
    tail = [key for key in weights if not weights[key]]
    tagged = b"twinchain/tail/v1" + bytes(1) + some_seed
    return drawn + sorted(tail, key=lambda key: sha512(tagged + key).digest())


@given(st.lists(st.integers(0, 60), min_size=1, max_size=8), st.binary(max_size=64))
def test_the_draw_agrees_with_its_slow_twin(weights: list[int], some_seed: bytes) -> None:
    keyed = [(bytes([200 - index]) * 32, weight) for index, weight in enumerate(weights)]
    assert [keyed[index][0] for index in draw.order(some_seed, keyed)] == slow_order(
        some_seed, dict(keyed)
    )


def test_a_known_seed_gives_a_known_order() -> None:
    """Golden: a change here is a change of the protocol."""
    some_seed = bytes([7]) * 64
    assert draw.order(some_seed, KEYED) == (2, 0, 1, 3)
    assert draw.order(some_seed, [(key, 0) for key, _ in KEYED]) == (0, 3, 1, 2)


@given(st.lists(st.integers(0, 10**20), min_size=1, max_size=30))
def test_chances_add_up_to_one_million_and_are_off_by_less_than_one(weights: list[int]) -> None:
    chances = draw.chances_ppm(weights)
    assert sum(chances) == 1_000_000
    shares = weights if any(weights) else [1] * len(weights)
    for chance, share in zip(chances, shares, strict=True):
        assert abs(chance * sum(shares) - share * 1_000_000) < sum(shares)
    assert draw.chances_ppm([]) == ()
