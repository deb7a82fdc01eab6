"""The price path of an order and the height at which a pair crosses (Algorithm 3, Eq 18).

An order moves by a constant step f = w^mu e^-w / mu! (Eq 18).  n heights after its admission

    bid_ij(n) = min(G_ij - own fee,  G_ij * open * (1 + f)^n)      rounded down
    ask_ij(n) = max(C_ij + own fee,  C_ij * open * (1 - f)^n)      rounded up

The powers of an order are one ladder: (1 + f)^n in Q40, each from the one before by an integer
product, the bid's rounded down and the ask's up, times `open` in parts per million.  The last rung
is exactly 1, where the clamp holds by itself.  Own fees are sigma N lambda and
(1 - sigma) N lambda (C1, C2).

A pair crosses at the first height where both are admitted and bid >= ask.  Both prices and N, the
rounds of the pair until then, freeze there.  Under fee basis `deal` the two prices are monotone, so
that height is found by binary search; under `round` the clamps close in as N grows, and it is found
by stepping, which ends as soon as the clamps have passed each other.

A pair's terms depend on its two orders alone: they are computed once, at the later admission.
"""

from dataclasses import dataclass
from functools import lru_cache

from auction.brokers import Tariff, buyer_fee, seller_fee, total_fee
from auction.fixed import (
    FRACTION_BITS,
    LN_ERROR,
    ONE,
    STEP_FRACTION_BITS,
    ln_down,
    poisson_step,
)
from ledger.errors import Reason, Rejected
from ledger.types import PPM

UNIT = PPM << FRACTION_BITS
"""1 as a factor: parts per million times Q40."""

LONGEST_LADDER = 4_096
"""Rungs no ladder may exceed; chains set lower bounds of their own for new orders."""


@dataclass(frozen=True, slots=True)
class Path:
    """How one order moves: admission and last height, and its ladder of factors in UNIT."""

    admitted: int
    expires: int
    ladder: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Quote:
    """Terms of one pair, frozen where it crossed; micro-tokens and heights."""

    weight: int
    crossed: int
    bid: int
    ask: int
    rounds: int


@lru_cache(maxsize=4096)
def bid_ladder(open_ppm: int, omega_micro: int, mu: int) -> tuple[int, ...]:
    """Return the factors of a bid, ascending to UNIT.  Raises STEP_TOO_SMALL beyond LONGEST."""
    step = poisson_step(omega_micro, mu)
    growth = ONE
    ladder: list[int] = []
    while open_ppm * growth < UNIT:
        ladder.append(open_ppm * growth)
        _require_bounded(ladder)
        growth += growth * step >> STEP_FRACTION_BITS
    return (*ladder, UNIT)


@lru_cache(maxsize=4096)
def ask_ladder(open_ppm: int, omega_micro: int, mu: int) -> tuple[int, ...]:
    """Return the factors of an ask, descending to UNIT.  Raises STEP_TOO_SMALL beyond LONGEST."""
    step = poisson_step(omega_micro, mu)
    growth = ONE
    ladder: list[int] = []
    while open_ppm * growth > UNIT:
        ladder.append(open_ppm * growth)
        _require_bounded(ladder)
        growth -= growth * step >> STEP_FRACTION_BITS
    return (*ladder, UNIT)


def least_rounds(open_ppm: int, omega_micro: int, mu: int) -> int:
    """Return a lower bound on the rounds of a bid's or ask's ladder, without climbing it.

    ln(1 + f) <= f and -ln(1 - f) <= f / (1 - f), so no price moves faster, and rounding only slows
    it down.  Refusing by this bound first keeps a hopeless order from costing thousands of rungs.
    """
    step = poisson_step(omega_micro, mu)
    way = abs(ln_down(open_ppm) - ln_down(PPM)) - LN_ERROR
    if way <= 0:
        return 0
    if not step:
        return LONGEST_LADDER + 1
    one = 1 << STEP_FRACTION_BITS
    slowest = one if open_ppm < PPM else one - step
    return (way << (STEP_FRACTION_BITS - FRACTION_BITS)) * slowest // (step << STEP_FRACTION_BITS)


def _require_bounded(ladder: list[int]) -> None:
    if len(ladder) > LONGEST_LADDER:
        raise Rejected(
            Reason.STEP_TOO_SMALL, f"the price is not at its reservation in {LONGEST_LADDER} rounds"
        )


def factor_at(path: Path, height: int) -> int:
    """Return the ladder factor in force at a height not before the admission."""
    steps = height - path.admitted
    return path.ladder[steps] if steps < len(path.ladder) else UNIT


def bid_price(value: int, cap: int, path: Path, height: int) -> int:
    """Return bid_ij at `height`, rounded down."""
    return min(cap, value * factor_at(path, height) // UNIT)


def ask_price(cost: int, floor: int, path: Path, height: int) -> int:
    """Return ask_ij at `height`, rounded up."""
    return max(floor, -(-cost * factor_at(path, height) // UNIT))


def quote_pair(tariff: Tariff, value: int, cost: int, buyer: Path, seller: Path) -> Quote | None:
    """Return the terms of a pair, None if it cannot cross while both orders are open."""
    cap, floor = value - buyer_fee(tariff, 1), cost + seller_fee(tariff, 1)
    if cap < floor:
        return None
    together = max(buyer.admitted, seller.admitted)
    last = min(buyer.expires, seller.expires)
    if last <= together:
        return None
    if tariff.weights == "surplus":
        return Quote(cap - floor, together + 1, cap, floor, 1)
    if tariff.fee_basis == "deal":
        found = _search((value, cap, buyer), (cost, floor, seller), together + 1, last)
        if found is None:
            return None
        height, bid, ask = found
        return Quote(bid - ask + tariff.lambda_micro, height, bid, ask, height - together)
    return _step(tariff, (value, cost), (buyer, seller), last)


def _search(
    buyer: tuple[int, int, Path], seller: tuple[int, int, Path], low: int, last: int
) -> tuple[int, int, int] | None:
    """Find the first height of low..last with bid >= ask, and both prices there, by bisection.

    Bids rise and asks fall with the height; once both have settled they are `cap` and `floor`,
    which do cross.  The prices are `bid_price` and `ask_price` written out: most of the work of an
    admission is done in this loop.
    """
    (value, cap, bid_path), (cost, floor, ask_path) = buyer, seller
    bid_factors, ask_factors = bid_path.ladder, ask_path.ladder
    bid_start, ask_start = bid_path.admitted, ask_path.admitted
    bid_settled, ask_settled = bid_start + len(bid_factors), ask_start + len(ask_factors)
    best: tuple[int, int, int] | None = None
    high = max(low, bid_settled - 1, ask_settled - 1)
    if high > last:
        middle = high = last
    else:
        best = (high, cap, floor)
        middle = (low + high) // 2
    while low < high or best is None:
        bid = cap
        if middle < bid_settled:
            bid = value * bid_factors[middle - bid_start] // UNIT
            if bid > cap:
                bid = cap
        ask = floor
        if middle < ask_settled:
            ask = -(-cost * ask_factors[middle - ask_start] // UNIT)
            if ask < floor:
                ask = floor
        if bid >= ask:
            best = (middle, bid, ask)
            high = middle
        elif middle == last:
            return None
        else:
            low = middle + 1
        middle = (low + high) // 2
    return best


def _step(
    tariff: Tariff, worth: tuple[int, int], paths: tuple[Path, Path], last: int
) -> Quote | None:
    """Find the crossing height by height: each round costs another fee.

    Without their clamps the prices are monotone, and clamped ones cross only where those have, so
    the steps begin there; the prices are `bid_price` and `ask_price` written out, as in `_search`.
    """
    (value, cost), (buyer, seller) = worth, paths
    bids, asks = buyer.ladder, seller.ladder
    together = max(buyer.admitted, seller.admitted)
    settled = max(buyer.admitted + len(bids), seller.admitted + len(asks)) - 1
    last = min(last, max(together + 1, settled))
    first = _unclamped_crossing(worth, paths, together + 1, last)
    for height in range(first, last + 1):
        rounds = height - together
        total = total_fee(tariff, rounds)
        own = total * tariff.sigma_ppm // PPM
        cap, floor = value - own, cost + total - own
        if cap < floor:
            return None
        step = height - buyer.admitted
        bid = min(cap, value * bids[step] // UNIT if step < len(bids) else value)
        step = height - seller.admitted
        ask = max(floor, -(-cost * asks[step] // UNIT) if step < len(asks) else cost)
        if bid >= ask:
            return Quote(bid - ask + total, height, bid, ask, rounds)
    return None


def _unclamped_crossing(
    worth: tuple[int, int], paths: tuple[Path, Path], low: int, last: int
) -> int:
    """Return the first height of low..last where the ladders alone have crossed, else last + 1."""
    (value, cost), (buyer, seller) = worth, paths
    bids, asks = buyer.ladder, seller.ladder
    high = last + 1
    while low < high:
        middle = (low + high) // 2
        step = middle - buyer.admitted
        bid = value * bids[step] // UNIT if step < len(bids) else value
        step = middle - seller.admitted
        ask = -(-cost * asks[step] // UNIT) if step < len(asks) else cost
        if bid >= ask:
            high = middle
        else:
            low = middle + 1
    return low
