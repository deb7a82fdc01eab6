"""Fixed point and equations over arrays: the integers of their plain twins, on every row."""

import random
from itertools import product

import numpy as np

from auction import fixed, fixed_arrays
from auction.actions import MAX_PRICE, CostModel, UtilityModel
from auction.fixed import LN_ARGUMENT_BITS
from auction.valuation import NANO, cost_of_service, value_of_service
from auction.valuation_arrays import CostColumns, costs_of_service, values_of_service
from tests.auction.test_fixed import ln_arguments
from tests.auction.town import bid


def wide(chance: random.Random, top: int, low: int = 0) -> int:
    """Return a number of any size up to `top`, the bounds often among them."""
    kind = chance.random()
    if kind < 0.05:
        return top
    if kind < 0.1:
        return low
    return max(low, min(top, chance.randrange(2 ** chance.randint(1, top.bit_length()))))


def test_ln_of_an_array_is_ln_of_each() -> None:
    arguments = [n for n in ln_arguments() if n < 2**62]
    found = fixed_arrays.ln_down(np.array(arguments, dtype=np.int64)).tolist()
    assert found == [fixed.ln_down(n) for n in arguments]


def test_exp_of_an_array_is_exp_of_each() -> None:
    chance = random.Random(2)
    top = fixed.EXP_ARGUMENT_MAX
    arguments = [chance.randrange(top + 1) for _ in range(4_000)] + [0, 1, top]
    arguments += [k * fixed.LN2 + shift for k in range(1, 28) for shift in (-1, 0, 1)]
    arguments += [part << 30 for part in range(1024)]
    found = fixed_arrays.exp_up(np.array(arguments, dtype=np.int64)).tolist()
    assert found == [fixed.exp_up(n) for n in arguments]


def test_products_too_wide_divide_exactly() -> None:
    chance = random.Random(3)
    rows = []
    for _ in range(3_000):
        divisor = wide(chance, 2**42 - 1, 1)
        rows.append((wide(chance, 2**60 - 1), chance.randrange(divisor), divisor))
    rows = [row for row in rows if row[0] * row[1] // row[2] < 2**63]
    factor, other, divisors = (
        np.array(column, dtype=np.int64) for column in zip(*rows, strict=True)
    )
    quotient, remainder = fixed_arrays.divide_product(factor, 3, other, divisors)
    expected = [divmod(one * two, three) for one, two, three in rows]
    assert list(zip(quotient.tolist(), remainder.tolist(), strict=True)) == expected


def test_values_of_an_array_are_the_values_of_each_pair() -> None:
    chance = random.Random(4)
    rows = [
        (
            wide(chance, 2**40, 1),
            wide(chance, 10**9, 1),
            wide(chance, 10**6, 1),
            wide(chance, 2**20, 1),
            wide(chance, 10**9),
        )
        for _ in range(6_000)
    ]
    columns = [np.array(column, dtype=np.int64) for column in zip(*rows, strict=True)]
    found, holds = values_of_service(*columns)
    assert 0.5 < holds.mean() < 1
    for row, value, held in zip(rows, found.tolist(), holds.tolist(), strict=True):
        v, gamma, theta, blocks, level = row
        order = bid(
            valuation=UtilityModel(v, gamma),
            theta_milli=theta,
            service_blocks=blocks,
        )
        if held:
            assert value == value_of_service(order, level, 10**9)


def test_costs_of_an_array_are_the_costs_of_each_pair() -> None:
    chance = random.Random(5)
    bounds = [10**9, 10**9, 10**9, 10**9, 10**12, 10**12, 10**12, 10**6, 2**20, 2**20]
    rows = []
    for number in range(8_000):
        tops = bounds if number % 4 == 0 else [bound // 1_000 for bound in bounds]
        row = [wide(chance, top) for top in tops]
        row[2] = max(10**6, row[2])
        row[7:] = [max(1, value) for value in row[7:]]
        rows.append(row)
    columns = [np.array(column, dtype=np.int64) for column in zip(*rows, strict=True)]
    found, holds = costs_of_service(CostColumns(*columns[:7]), *columns[7:])
    assert holds.mean() > 0.5
    bounded = 0
    for row, cost, held in zip(rows, found.tolist(), holds.tolist(), strict=True):
        expected = cost_of_service(CostModel(*row[:7]), *row[7:])
        if held:
            assert cost == (-1 if expected is None else expected)
            bounded += expected is not None
    assert bounded > 1_000


def test_at_every_corner_of_the_bounds_arrays_hold_or_say_so_and_nothing_overflows() -> None:
    """Each field at its least and at its greatest, in every combination."""
    assert NANO + 10**9 * 10**9 < 2**LN_ARGUMENT_BITS, "gamma R at its bound"
    sides = [(1, 2**40), (1, 10**9), (1, 10**6), (1, 2**20), (0, 10**9)]
    corners = list(product(*sides))
    found, holds = values_of_service(*np.array(corners, dtype=np.int64).T)
    for (v, gamma, theta, blocks, level), value, held in zip(
        corners, found.tolist(), holds.tolist(), strict=True
    ):
        model = UtilityModel(v, gamma)
        order = bid(valuation=model, theta_milli=theta, service_blocks=blocks)
        exact = value_of_service(order, level, 10**9)
        assert exact >= 0
        assert not held or value == exact
    tops = (10**9, 10**9, 10**9, 10**9, 10**12, 10**12, 10**12, 10**6, 2**20, 2**20)
    lows = (0, 0, 10**6, 0, 0, 0, 0, 1, 1, 1)
    rows = list(product(*zip(lows, tops, strict=True)))
    columns = np.array(rows, dtype=np.int64).T
    found, holds = costs_of_service(CostColumns(*columns[:7]), *columns[7:])
    dear = 0
    for row, cost, held in zip(rows, found.tolist(), holds.tolist(), strict=True):
        expected = cost_of_service(CostModel(*row[:7]), *row[7:])
        assert expected is None or 0 <= expected <= MAX_PRICE
        assert not held or cost == (-1 if expected is None else expected)
        dear += expected is None
    assert 0 < dear < len(rows)
