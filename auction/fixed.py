"""Logarithm, exponential and the Poisson step in integers: the same result on every machine.

Floating point has no place in consensus: `exp` and `log` differ between libraries, and within one
library between processors.  The functions below use integers only, and every intermediate of `ln`
and `exp` stays below 2^63, so `auction/fixed_arrays.py` gives the same integers over int64 arrays.

Numbers are fixed-point: Q40 means an integer that counts 2^-40.

    ln(n)        n = 2^e * m with 1 <= m < 2; with c the middle of the 1024th part of [1, 2) that
                 m lies in, ln n = e ln 2 + ln c + ln(1 + t), t = (m - c) / c, |t| <= 2^-11, and
                 ln(1 + t) = t - t^2/2 + t^3/3 to within 2^-46.
    exp(x)       x = k ln 2 + (2 i + 1) 2^-12 + t with |t| <= 2^-11 (roughly); exp x = 2^k *
                 exp((2 i + 1) 2^-12) * (1 + t + t^2/2 + t^3/6), the bracket to within 2^-47.
    f(w, mu)     = w^mu e^-w / mu!  (Eq 18), from its series, exactly rounded down.

The tables of ln c, 1/c and exp((2 i + 1) 2^-12) are computed here, when the module is imported, in
128-bit integers by their series; they hold no measured or copied constant.

Error bounds, with directed results so that a caller rounds towards the side it favours:
    ln_down(n) <= 2^40 ln(n) < ln_down(n) + 8          1 <= n < 2^62
    exp_up(x) >= 2^32 exp(x / 2^40), too large by less than 1 + 2^-36 of it;   0 <= x / 2^40 <= 20
"""

from functools import lru_cache
from math import factorial

FRACTION_BITS = 40
ONE = 1 << FRACTION_BITS
"""1 in Q40."""

EXP_FRACTION_BITS = 32
EXP_ARGUMENT_MAX = 20 << FRACTION_BITS
"""Largest argument of `exp_up`, Q40: e^20 in Q32 stays below 2^61."""

LN_ARGUMENT_BITS = 62

LN_ERROR = 8
"""`ln_down` is below the truth by less than this, Q40."""

STEP_FRACTION_BITS = 60
"""The Poisson step is Q60; it is below 0.37, so below 2^59."""

_GUARD_BITS = 128
INDEX_BITS = 10
PARTS = 1 << INDEX_BITS
_INVERSE_BITS = 31
LN_MARGIN = 4
"""The raw logarithm is off by less than this many units of 2^-40, either way: half a unit for each
of two table entries, half for the cut of the offset, half for the cut square, one for the last
shift, and crumbs of 2^-43 and less."""

EXP_MARGIN = 8
"""The raw mantissa is off by less than this many units of 2^-40: half a unit for the reduced
argument and one for its table entry, four for the cuts of square, cube, their sixth and the
product, times at most 1.0005 where they grow."""


def _divide_to_nearest(numerator: int, denominator: int) -> int:
    """Return numerator / denominator to the nearest integer, halves upward."""
    return (2 * numerator + denominator) // (2 * denominator)


def _series_ln(numerator: int, denominator: int) -> int:
    """Return ln(numerator / denominator) in Q128 for a ratio in [1, 2], by 2 artanh."""
    ratio = ((numerator - denominator) << _GUARD_BITS) // (numerator + denominator)
    square = ratio * ratio >> _GUARD_BITS
    total, power, odd = 0, ratio, 1
    while power:
        total += power // odd
        power = power * square >> _GUARD_BITS
        odd += 2
    return 2 * total


def _series_exp(numerator: int, denominator: int) -> int:
    """Return exp(numerator / denominator) in Q128 for a small ratio, by its power series."""
    total, term, count = 0, 1 << _GUARD_BITS, 1
    while term:
        total += term
        term = term * numerator // (denominator * count)
        count += 1
    return total


def _round_q128(value: int, bits: int) -> int:
    return _divide_to_nearest(value, 1 << (_GUARD_BITS - bits))


LN2 = _round_q128(_series_ln(2, 1), FRACTION_BITS)
"""ln 2 in Q40."""

LN2_MULTIPLES = tuple(
    _round_q128(count * _series_ln(2, 1), FRACTION_BITS) for count in range(LN_ARGUMENT_BITS)
)
"""count * ln 2 in Q40, each rounded by itself."""

LN_CENTRES = tuple(
    _round_q128(_series_ln(2 * (PARTS + part) + 1, 2 * PARTS), FRACTION_BITS)
    for part in range(PARTS)
)
"""ln of the middle of each part of [1, 2), Q40."""

INVERSE_CENTRES = tuple(
    _divide_to_nearest((2 * PARTS) << _INVERSE_BITS, 2 * (PARTS + part) + 1)
    for part in range(PARTS)
)
"""1 over the middle of each part of [1, 2), Q31."""

EXP_CENTRES = tuple(
    _round_q128(_series_exp(2 * part + 1, 4 * PARTS), FRACTION_BITS) for part in range(2 * PARTS)
)
"""exp((2 part + 1) 2^-12), Q40, for arguments in [0, 1): only those below ln 2 are reached."""


def ln_down(value: int) -> int:
    """Return ln(value) in Q40, never above the truth and below it by less than 8 units.

    Requires 1 <= value < 2^62.  Monotone within that error only.
    """
    length = value.bit_length()
    if value < 1 or length > LN_ARGUMENT_BITS:
        raise ValueError(f"ln of {value}")
    mantissa = value << (LN_ARGUMENT_BITS - length)  # [2^61, 2^62), 1.0 is 2^61
    part = (mantissa >> (LN_ARGUMENT_BITS - 1 - INDEX_BITS)) - PARTS
    centre = (2 * (PARTS + part) + 1) << (LN_ARGUMENT_BITS - 2 - INDEX_BITS)
    offset = (mantissa - centre) >> 20  # Q41, |offset| <= 2^30
    ratio = offset * INVERSE_CENTRES[part] >> 28  # Q44, |ratio| < 2^33 + 1
    short = ratio >> 14  # Q30
    square = short * short  # Q60
    cube = (square >> 20) * short  # Q70
    log_ratio = (ratio - (square >> 17) + (cube // 3 >> 26)) >> 4
    raw = LN2_MULTIPLES[length - 1] + LN_CENTRES[part] + log_ratio
    return max(0, raw - LN_MARGIN)


def exp_up(argument: int) -> int:
    """Return exp(argument / 2^40) in Q32, never below the truth (error bound: module docstring).

    Requires 0 <= argument <= EXP_ARGUMENT_MAX.
    """
    if not 0 <= argument <= EXP_ARGUMENT_MAX:
        raise ValueError(f"exp of {argument} in Q40")
    doublings = argument // LN2
    rest = max(0, argument - LN2_MULTIPLES[doublings])
    part = rest >> (FRACTION_BITS - INDEX_BITS - 1)
    offset = rest - ((2 * part + 1) << (FRACTION_BITS - INDEX_BITS - 2))  # Q40, |.| <= 2^28
    square = offset * offset >> FRACTION_BITS
    cube = square * offset >> FRACTION_BITS
    growth = offset + (square >> 1) + cube // 6  # Q40, |growth| < 2^29
    centre = EXP_CENTRES[part]
    mantissa = centre + ((centre >> 9) * growth >> 31)  # Q40, (1, 2]
    raised = mantissa + EXP_MARGIN
    shift = FRACTION_BITS - EXP_FRACTION_BITS - doublings
    if shift <= 0:
        return raised << -shift
    return (raised + (1 << shift) - 1) >> shift


@lru_cache(maxsize=4096)
def poisson_step(omega_micro: int, mu: int) -> int:
    """Return floor(2^60 * w^mu e^-w / mu!) with w = omega_micro / 10^6, exactly (Eq 18).

    Requires 1 <= omega_micro <= 20_000_000 and 1 <= mu <= 20.  The value is bracketed between two
    integers at a growing precision until both round down to the same result.
    """
    if not (1 <= omega_micro <= 20_000_000 and 1 <= mu <= 20):
        raise ValueError(f"no step of omega {omega_micro}, mu {mu}")
    million = 1_000_000
    top: int = omega_micro**mu
    bottom: int = million**mu * factorial(mu)
    for bits in (192, 384, 768):
        low, high = _exp_negative(omega_micro, million, bits)
        shift = bits - STEP_FRACTION_BITS
        floor_low = (low * top // bottom) >> shift
        floor_high = (high * top // bottom) >> shift
        if floor_low == floor_high:
            return floor_low
    raise AssertionError(f"the step of omega {omega_micro}, mu {mu} lies on a rounding boundary")


def _exp_negative(numerator: int, denominator: int, bits: int) -> tuple[int, int]:
    """Return integers around 2^bits * exp(-numerator / denominator), for a ratio up to 20.

    The series of exp(+x) has only positive terms, each rounded down: its sum lies below the truth
    by at most one unit a term.
    """
    total, term, count = 0, 1 << bits, 0
    while term:
        total += term
        count += 1
        term = term * numerator // (denominator * count)
    # Rounded terms also feed later terms; x <= 20 multiplies such an error by at most e^20 < 2^29.
    error = (count + 2) << 29
    square = 1 << (2 * bits)
    return square // (total + error), square // total + 1
