"""Crossings of a whole side at once against the plain bisection, pair by pair."""

import random

import numpy as np

from auction.brokers import Tariff, buyer_fee, seller_fee
from auction.crossing import PathColumns, find_crossings, paths_of
from auction.pricing import Path, ask_ladder, bid_ladder, quote_pair


def some_path(chance: random.Random, *, is_bid: bool) -> Path:
    born = chance.randint(1, 30)
    step = (chance.randint(200_000, 2_000_000), 1)
    if is_bid:
        ladder = bid_ladder(chance.randint(100_000, 10**6), *step)
    else:
        opening = chance.choice((10**6, chance.randint(10**6, 4 * 10**6), 10**9))
        ladder = ask_ladder(opening, *step)
    return Path(born, born + chance.randint(1, 60), ladder)


def columns(paths: list[Path]) -> PathColumns:
    kept = PathColumns()
    for path in paths:
        kept.append(path)
        if len(kept.all().admitted) % 7 == 0:
            kept.all()
    return kept


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
                paths_of(bids) if new_bid else columns(bids).all().take(rows),
            ),
            (
                costs,
                costs + seller_fee(tariff, 1),
                columns(asks).all().take(rows) if new_bid else paths_of(asks),
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
