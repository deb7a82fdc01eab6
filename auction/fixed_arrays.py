"""Logarithm and exponential of `auction/fixed.py` over int64 arrays, and products too wide.

The two functions are the same steps as their plain twins and give the same integers; every
intermediate stays below 2^63.  A product that does not fit is divided digit by digit, in base 2^20:
with a remainder below the divisor, and divisors below 2^42, each step fits 63 bits.
"""

import numpy as np
import numpy.typing as npt

from auction import fixed

Integers = npt.NDArray[np.int64]

DIGIT_BITS = 20
_DIGIT_MASK = (1 << DIGIT_BITS) - 1

_POWERS_OF_TWO = np.left_shift(1, np.arange(62, dtype=np.int64))
_LN2_MULTIPLES = np.array(fixed.LN2_MULTIPLES, dtype=np.int64)
_LN_CENTRES = np.array(fixed.LN_CENTRES, dtype=np.int64)
_INVERSE_CENTRES = np.array(fixed.INVERSE_CENTRES, dtype=np.int64)
_EXP_CENTRES = np.array(fixed.EXP_CENTRES, dtype=np.int64)


def bit_lengths(values: Integers) -> Integers:
    """Return the number of binary digits of positive integers below 2^62."""
    return np.searchsorted(_POWERS_OF_TWO, values, side="right").astype(np.int64)


def ln_down(values: Integers) -> Integers:
    """Return ln in Q40 of integers from 1 to 2^62 - 1; see `fixed.ln_down`."""
    lengths = bit_lengths(values)
    mantissa = values << (fixed.LN_ARGUMENT_BITS - lengths)
    part = (mantissa >> (fixed.LN_ARGUMENT_BITS - 1 - fixed.INDEX_BITS)) - fixed.PARTS
    centre = (2 * (fixed.PARTS + part) + 1) << (fixed.LN_ARGUMENT_BITS - 2 - fixed.INDEX_BITS)
    offset = (mantissa - centre) >> 20
    ratio = offset * _INVERSE_CENTRES[part] >> 28
    short = ratio >> 14
    square = short * short
    cube = (square >> 20) * short
    log_ratio = (ratio - (square >> 17) + (cube // 3 >> 26)) >> 4
    raw = _LN2_MULTIPLES[lengths - 1] + _LN_CENTRES[part] + log_ratio
    result: Integers = np.maximum(0, raw - fixed.LN_MARGIN)
    return result


def exp_up(arguments: Integers) -> Integers:
    """Return exp in Q32 of arguments in Q40 from 0 to EXP_ARGUMENT_MAX; see `fixed.exp_up`."""
    doublings = arguments // fixed.LN2
    rest = np.maximum(0, arguments - _LN2_MULTIPLES[doublings])
    part = rest >> (fixed.FRACTION_BITS - fixed.INDEX_BITS - 1)
    offset = rest - ((2 * part + 1) << (fixed.FRACTION_BITS - fixed.INDEX_BITS - 2))
    square = offset * offset >> fixed.FRACTION_BITS
    cube = square * offset >> fixed.FRACTION_BITS
    growth = offset + (square >> 1) + cube // 6
    centre = _EXP_CENTRES[part]
    raised = centre + ((centre >> 9) * growth >> 31) + fixed.EXP_MARGIN
    shift = fixed.FRACTION_BITS - fixed.EXP_FRACTION_BITS - doublings
    down = np.maximum(shift, 0)
    up = np.maximum(-shift, 0)
    result: Integers = np.where(shift <= 0, raised << up, (raised + (1 << down) - 1) >> down)
    return result


def divide_product(
    factor: Integers, digits: int, other: Integers, divisor: Integers | int
) -> tuple[Integers, Integers]:
    """Return quotient and remainder of factor * other / divisor.

    `factor` has at most `digits` digits of 20 bits and the quotient must stay below 2^63; `other`
    is below the divisor and that below 2^42: digit * other and remainder * 2^20 stay below 2^62.
    """
    below: Integers = np.asarray(divisor, dtype=np.int64)
    quotient: Integers = np.zeros(factor.shape, dtype=np.int64)
    remainder: Integers = np.zeros(factor.shape, dtype=np.int64)
    for place in reversed(range(digits)):
        digit = (factor >> (DIGIT_BITS * place)) & _DIGIT_MASK
        step = (remainder << DIGIT_BITS) + digit * other
        carried, remainder = np.divmod(step, below)
        quotient = (quotient << DIGIT_BITS) + carried
    return quotient, remainder
