"""Crossings of a whole side at once against the plain bisection, pair by pair."""

import random

import numpy as np
import pytest

from auction.brokers import Tariff, buyer_fee, seller_fee
from auction.crossing import find_crossings
from auction.fixed import poisson_step
from auction.paths import climbed, paths_of
from auction.pricing import Path, ask_ladder, bid_ladder, quote_pair
from ledger.errors import Rejected


def some_path(chance: random.Random, *, is_bid: bool) -> Path:
    born = chance.randint(1, 30)
    step = (chance.randint(200_000, 2_000_000), 1)
    if is_bid:
        ladder = bid_ladder(chance.randint(100_000, 10**6), *step)
    else:
        opening = chance.choice((10**6, chance.randint(10**6, 4 * 10**6), 10**9))
        ladder = ask_ladder(opening, *step)
    return Path(born, born + chance.randint(1, 60), ladder)


def test_all_at_once_is_one_by_one_to_the_unit() -> None:
    chance = random.Random(51)
    sure = unsure = met = 0
    for _ in range(120):
        tariff = Tariff(
            lambda_micro=chance.randint(1, 60),
            sigma_ppm=chance.randint(0, 10**6),
            fee_basis="deal",
            weights="spread",
            pricing="paper",
        )
        top = chance.choice((100, 5_000, 10**6, 2**50))
        many = 40
        new_bid = chance.random() < 0.5
        bids = [some_path(chance, is_bid=True) for _ in range(1 if new_bid else many)]
        asks = [some_path(chance, is_bid=False) for _ in range(many if new_bid else 1)]
        values = np.array([chance.randint(1, top) for _ in range(many)], dtype=np.int64)
        costs = np.array([chance.randint(1, top) for _ in range(many)], dtype=np.int64)
        rows = np.flatnonzero(values - costs >= tariff.lambda_micro)
        values, costs = values[rows], costs[rows]
        found = find_crossings(
            (
                values,
                values - buyer_fee(tariff, 1),
                paths_of(bids) if new_bid else paths_of(bids).take(rows),
            ),
            (
                costs,
                costs + seller_fee(tariff, 1),
                paths_of(asks).take(rows) if new_bid else paths_of(asks),
            ),
        )
        for place, row in enumerate(rows.tolist()):
            if not found.sure[place]:
                unsure += 1
                continue
            sure += 1
            buyer, seller = bids[0 if new_bid else row], asks[row if new_bid else 0]
            quote = quote_pair(tariff, int(values[place]), int(costs[place]), buyer, seller)
            assert bool(found.crosses[place]) == (quote is not None)
            if quote is not None:
                met += 1
                terms = (int(column[place]) for column in (found.height, found.bid, found.ask))
                assert tuple(terms) == (quote.crossed, quote.bid, quote.ask)
    assert met > 500
    assert sure > 4 * unsure


@pytest.mark.parametrize("rising", [True, False])
def test_ladders_climbed_together_are_those_climbed_alone(rising: bool) -> None:
    """Openings and steps of all sizes, the extremes among them, and ladders of thousands."""
    chance = random.Random(52)
    openings = (1, 10**6 - 1, 10**6) if rising else (10**6, 10**6 + 1, 10**9)
    ladder = bid_ladder if rising else ask_ladder
    paths, steps, opened = [], [], []
    while len(paths) < 300:
        low, high = (1, 10**6) if rising else (10**6, 4 * 10**6)
        opening = chance.choice((*openings, chance.randint(low, high)))
        step = (
            chance.choice((1, 3_000, 20_000_000, chance.randint(1, 2 * 10**6))),
            chance.choice((1, 1, 2, 20)),
        )
        try:
            path = Path(len(paths), 10_000, ladder(opening, *step))
        except Rejected:
            continue
        paths.append(path)
        opened.append(opening)
        steps.append(poisson_step(*step))
    columns = [[path.admitted for path in paths], [path.expires for path in paths], opened, steps]
    found = climbed(*(np.array(column, dtype=np.int64) for column in columns), rising=rising)
    wanted = paths_of(paths)
    for field in ("admitted", "expires", "shift", "end", "factors", "coarse"):
        assert (getattr(found, field) == getattr(wanted, field)).all(), field
    assert max(len(path.ladder) for path in paths) > 1_000
