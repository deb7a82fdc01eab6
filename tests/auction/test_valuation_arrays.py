"""Fixed point and equations over arrays: the integers of their plain twins, on every row."""

import random

import numpy as np

from auction import fixed, fixed_arrays
from auction.actions import CostModel, UtilityModel
from auction.valuation import cost_of_service, value_of_service
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
