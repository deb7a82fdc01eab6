"""Algorithm 3 against a twin that walks round by round."""

import random
from fractions import Fraction

import pytest

from auction.brokers import Tariff, buyer_fee, seller_fee, total_fee
from auction.fixed import ONE, poisson_step
from auction.pricing import (
    LONGEST_LADDER,
    UNIT,
    Path,
    Quote,
    ask_ladder,
    bid_ladder,
    least_rounds,
    quote_pair,
)
from ledger.errors import Reason, Rejected


def slow_pair(
    tariff: Tariff, value: int, cost: int, buyer: tuple[int, ...], seller: tuple[int, ...]
) -> Quote | None:
    """Walk every height; an order is (admitted, expires, open ppm, omega micro, mu)."""
    together = max(buyer[0], seller[0])
    rise = fall = ONE
    up, down = poisson_step(*buyer[3:]), poisson_step(*seller[3:])
    for height in range(min(buyer[0], seller[0]) + 1, min(buyer[1], seller[1]) + 1):
        if height > buyer[0]:
            rise += rise * up >> 60
        if height > seller[0]:
            fall -= fall * down >> 60
        if height <= together:
            continue
        rounds = height - together
        if tariff.weights == "surplus":
            rounds = 1
        cap, floor = value - buyer_fee(tariff, rounds), cost + seller_fee(tariff, rounds)
        if tariff.weights == "surplus":
            return Quote(cap - floor, height, cap, floor, 1) if cap >= floor else None
        bid = min(cap, value * buyer[2] * rise // (10**6 << 40))
        ask = max(floor, -(-cost * seller[2] * fall // (10**6 << 40)))
        if bid >= ask and cap >= floor:
            return Quote(bid - ask + total_fee(tariff, rounds), height, bid, ask, rounds)
    return None


@pytest.mark.parametrize("basis", ["deal", "round"])
@pytest.mark.parametrize("weights", ["spread", "surplus"])
def test_the_crossing_is_where_the_slow_walk_finds_it(basis: str, weights: str) -> None:
    chance = random.Random(basis + weights)
    met = 0
    for _ in range(1_500):
        tariff = Tariff(
            lambda_micro=chance.randint(1, 60),
            sigma_ppm=chance.randint(0, 10**6),
            fee_basis=basis,  # type: ignore[arg-type]
            weights=weights,  # type: ignore[arg-type]
            pricing="paper",
        )
        value, cost = chance.randint(1, 5_000), chance.randint(1, 4_000)
        born = [chance.randint(1, 30) for _ in range(2)]
        opening = [chance.randint(100_000, 10**6), chance.randint(10**6, 4 * 10**6)]
        orders = [
            (
                born[side],
                born[side] + chance.randint(1, 60),
                opening[side],
                chance.randint(50_000, 2_000_000),
                chance.choice((1, 1, 2)),
            )
            for side in range(2)
        ]
        buyer, seller = (
            Path(order[0], order[1], ladder(*order[2:]))
            for order, ladder in zip(orders, (bid_ladder, ask_ladder), strict=True)
        )
        quote = quote_pair(tariff, value, cost, buyer, seller)
        assert quote == slow_pair(tariff, value, cost, *orders)
        met += quote is not None
    assert met > 200


def test_a_ladder_follows_the_powers_and_rounds_away_from_its_owner() -> None:
    step = Fraction(poisson_step(300_000, 1), 2**60)
    rising = bid_ladder(400_000, 300_000, 1)
    falling = ask_ladder(2_500_000, 300_000, 1)
    for power, factor in enumerate(rising[:-1]):
        exact = 400_000 * (1 + step) ** power * 2**40
        assert exact - 400_000 * 4 * power <= factor <= exact
    for power, factor in enumerate(falling[:-1]):
        exact = 2_500_000 * (1 - step) ** power * 2**40
        assert exact <= factor <= exact + 2_500_000 * power
    assert rising[0] == 400_000 << 40
    assert rising[-1] == falling[-1] == UNIT


def test_an_order_that_opens_at_its_reservation_has_one_rung() -> None:
    assert bid_ladder(10**6, 1, 20) == ask_ladder(10**6, 1, 20) == (UNIT,)


def test_a_step_too_small_to_get_there_is_refused() -> None:
    for ladder, opening in ((bid_ladder, 999_999), (ask_ladder, 1_000_001)):
        with pytest.raises(Rejected) as refusal:
            ladder(opening, 1, 20)
        assert refusal.value.reason is Reason.STEP_TOO_SMALL


def test_a_pair_meets_no_earlier_than_the_round_after_the_later_admission() -> None:
    tariff = Tariff(
        lambda_micro=1, sigma_ppm=0, fee_basis="deal", weights="spread", pricing="paper"
    )
    flat = (UNIT,)
    quote = quote_pair(tariff, 100, 10, Path(4, 9, flat), Path(8, 9, flat))
    assert quote == Quote(90, 9, 100, 11, 1)
    assert quote_pair(tariff, 100, 10, Path(4, 8, flat), Path(8, 20, flat)) is None


def test_a_fee_above_the_surplus_makes_no_pair() -> None:
    tariff = Tariff(
        lambda_micro=91, sigma_ppm=500_000, fee_basis="deal", weights="spread", pricing="paper"
    )
    flat = Path(1, 9, (UNIT,))
    assert quote_pair(tariff, 100, 10, flat, flat) is None
    assert quote_pair(tariff, 101, 10, flat, flat) == Quote(91, 2, 56, 56, 1)


def test_the_lower_bound_on_a_ladder_never_passes_it_and_comes_close() -> None:
    chance = random.Random(16)
    closeness = []
    for _ in range(400):
        step = (chance.randint(1_000, 20_000) * 10 ** chance.randint(0, 3), chance.randint(1, 3))
        for ladder, opening in (
            (bid_ladder, chance.choice((1, 999_999, 1_000_000, chance.randint(1, 1_000_000)))),
            (ask_ladder, chance.choice((1_000_000, 1_000_001, chance.randint(10**6, 10**9)))),
        ):
            bound = least_rounds(opening, *step)
            try:
                rungs = len(ladder(opening, *step)) - 1
            except Rejected:
                continue
            assert bound <= rungs, (opening, step)
            if rungs > 100:
                closeness.append(bound / rungs)
    assert min(closeness) > 0.8
    assert least_rounds(1, 1, 20) > LONGEST_LADDER, "a step that rounds to nothing"
