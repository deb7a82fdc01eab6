"""Fixed-point functions against correctly rounded decimal arithmetic."""

import random
from decimal import Context, Decimal
from math import factorial

import pytest

from auction.fixed import EXP_ARGUMENT_MAX, LN2, exp_up, ln_down, poisson_step

EXACT = Context(prec=60)


def ln_arguments() -> list[int]:
    chance = random.Random(1)
    sizes = [chance.randint(1, 62) for _ in range(6_000)]
    edges = [2**bits + shift for bits in range(2, 62) for shift in (-1, 0, 1)]
    table = [(1024 + part) << 20 for part in range(1024)]
    return (
        [chance.randrange(1 << (size - 1), 1 << size) for size in sizes]
        + edges
        + table
        + [entry - 1 for entry in table]
        + list(range(1, 300))
    )


def test_ln_is_never_above_the_truth_and_less_than_eight_units_below() -> None:
    for value in ln_arguments():
        truth = EXACT.multiply(EXACT.ln(Decimal(value)), Decimal(2**40))
        assert 0 <= truth - ln_down(value) < 8, value


def test_exp_is_never_below_the_truth_and_within_its_bound() -> None:
    chance = random.Random(2)
    arguments = [chance.randrange(EXP_ARGUMENT_MAX + 1) for _ in range(4_000)]
    arguments += [chance.randrange(1 << chance.randint(1, 44)) for _ in range(2_000)]
    arguments += [max(0, k * LN2 + shift) for k in range(29) for shift in (-2, -1, 0, 1, 2)]
    arguments += [part << 30 for part in range(1024)] + [EXP_ARGUMENT_MAX]
    for argument in arguments:
        if argument > EXP_ARGUMENT_MAX:
            continue
        exact = EXACT.exp(EXACT.divide(Decimal(argument), Decimal(2**40)))
        truth = EXACT.multiply(exact, Decimal(2**32))
        assert 0 <= exp_up(argument) - truth < 1 + truth / 2**36, argument


def test_exp_of_zero_is_one_and_a_crumb() -> None:
    assert exp_up(0) == 2**32 + 1


def test_the_poisson_step_is_exactly_rounded_down() -> None:
    chance = random.Random(3)
    cases = [(chance.randint(1, 20_000_000), chance.randint(1, 20)) for _ in range(600)]
    cases += [(omega, mu) for omega in (1, 1_000_000, 20_000_000) for mu in (1, 2, 20)]
    for omega, mu in cases:
        w = EXACT.divide(Decimal(omega), Decimal(10**6))
        exact = EXACT.multiply(EXACT.power(w, mu), EXACT.exp(-w))
        truth = EXACT.multiply(EXACT.divide(exact, Decimal(factorial(mu))), Decimal(2**60))
        assert poisson_step(omega, mu) == int(truth)


def test_the_step_of_the_paper_table() -> None:
    one = 2**60
    assert poisson_step(1_000_000, 1) * 1_000 // one == 367
    assert poisson_step(100_000, 1) * 10_000 // one == 904
    assert poisson_step(2_000_000, 2) * 1_000 // one == 270


def test_known_integers_stay_what_they_are() -> None:
    """A version over arrays must give these too."""
    assert [ln_down(n) for n in (1, 2, 10, 10**9, 2**62 - 1)] == [
        0,
        762123384781,
        2531719083686,
        22785471753212,
        47251649856715,
    ]
    assert [exp_up(k << 38) for k in (1, 4, 40, 80)] == [
        5514847172,
        11674931555,
        94602950235584,
        2083768647448264704,
    ]
    assert poisson_step(123_456, 3) == 319572083983917


@pytest.mark.parametrize("value", [0, -1, 2**62])
def test_ln_refuses_what_it_cannot_hold(value: int) -> None:
    with pytest.raises(ValueError):
        ln_down(value)


@pytest.mark.parametrize("argument", [-1, EXP_ARGUMENT_MAX + 1])
def test_exp_refuses_what_it_cannot_hold(argument: int) -> None:
    with pytest.raises(ValueError):
        exp_up(argument)


@pytest.mark.parametrize(("omega", "mu"), [(0, 1), (20_000_001, 1), (1, 0), (1, 21)])
def test_the_step_refuses_what_no_order_may_state(omega: int, mu: int) -> None:
    with pytest.raises(ValueError):
        poisson_step(omega, mu)
