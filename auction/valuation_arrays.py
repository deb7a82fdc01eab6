"""The equations of `auction/valuation.py` for many pairs at once, to the same unit.

Every function takes int64 columns, or numbers that count for every row, and returns with its result
which rows it could compute in 63 bits.  The others are rare (values of more than 10^11 micro-tokens
per unit of the logarithm, extreme cost slopes): the caller takes the plain function for those.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from auction import fixed
from auction.actions import MAX_PRICE
from auction.fixed_arrays import DIGIT_BITS, Integers, divide_product, exp_up, ln_down
from auction.valuation import LN_NANO_UP, MICRO, MILLI, NANO, PICO

Booleans = npt.NDArray[np.bool_]
Column = Integers | int

_SCALED_BITS = 37
_PRODUCT_MAX = 2**61
_LOW = (1 << DIGIT_BITS) - 1


@dataclass(frozen=True, slots=True)
class CostColumns:
    """The fields of `CostModel`, a row for each ask."""

    r: Column
    d: Column
    eta: Column
    epsilon: Column
    a: Column
    b: Column
    c: Column


def values_of_service(
    value: Column, gamma: Column, theta: Column, blocks: Column, level: Column
) -> tuple[Integers, Booleans]:
    """Return G for each row and which rows hold; `level` is R, capped already."""
    value, gamma, theta, blocks, level = _columns(value, gamma, theta, blocks, level)
    logarithm = np.maximum(0, ln_down(NANO + gamma * level) - LN_NANO_UP)
    holds = value <= _PRODUCT_MAX // (MILLI * blocks)
    whole, part = np.divmod(np.where(holds, value, 0) * MILLI * blocks, theta)
    holds &= whole < 1 << _SCALED_BITS
    whole = np.where(holds, whole, 0)
    rest, _ = divide_product(logarithm, 3, part, theta)
    upper, lower = logarithm >> DIGIT_BITS, logarithm & _LOW
    return (whole * upper + ((whole * lower + rest) >> DIGIT_BITS)) >> DIGIT_BITS, holds


def costs_of_service(
    cost: CostColumns, theta: Column, blocks: Column, interval: Column
) -> tuple[Integers, Booleans]:
    """Return C for each row, -1 where it passes the bounds, and which rows hold."""
    fields = (cost.r, cost.d, cost.eta, cost.epsilon, cost.a, cost.b, cost.c)
    r, d, eta, epsilon, a, b, c, theta, blocks, interval = _columns(
        *fields, theta, blocks, interval
    )
    interactions = -(-blocks // interval)
    modelling = -(-r * theta // MILLI) + d
    bounded = modelling <= fixed.EXP_ARGUMENT_MAX // fixed.ONE * PICO // np.maximum(epsilon, 1)
    power = exp_up(_exponent(np.where(bounded, epsilon * modelling, 0)))
    fraction = fixed.EXP_FRACTION_BITS
    high, low = power >> fraction, power & ((1 << fraction) - 1)
    communication = eta * high - (-eta * low >> fraction) - MICRO
    holds = a <= _PRODUCT_MAX // np.maximum(modelling, 1)
    slope = np.where(holds, a, 0) * modelling + b * MICRO
    whole, part = np.divmod(slope, PICO)
    rest, left = divide_product(modelling, 2, part, PICO)
    computation = modelling * whole + rest + (left > 0) + c
    each = communication + computation
    bounded &= (each >= 0) & (each <= (MAX_PRICE - modelling) // interactions)
    total = modelling + interactions * np.where(bounded, each, 0)
    return np.where(bounded, total, -1), holds


def _exponent(product: Integers) -> Integers:
    """Return epsilon * Cmd in Q40, rounded up, of a product of at most 20 * 10^12."""
    whole, part = np.divmod(product, PICO)
    rest, left = divide_product(np.full_like(product, 1 << fixed.FRACTION_BITS), 3, part, PICO)
    return (whole << fixed.FRACTION_BITS) + rest + (left > 0)


def _columns(*columns: Column) -> tuple[Integers, ...]:
    return tuple(np.broadcast_arrays(*(np.asarray(column, dtype=np.int64) for column in columns)))
