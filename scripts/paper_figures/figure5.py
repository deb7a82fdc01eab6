"""Figure 5: prices by who bears the fee.

The buyer bears the part sigma of the fee, the seller the rest.  Two readings stand side by side:

    clamps        Algorithm 3 as it is: own fees only move the cap of a bid and the floor of an ask
    larger steps  agents also take larger steps the more of the fee they bear: omega times
                  1 + (own part - 1/2).  A strategy of agents; nothing in the chain does it

Prices and rounds are means over the trades of Algorithm 4.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

from scripts.paper_figures.books import Book, Outcome, cleared, draw_book
from scripts.paper_figures.markets import Market
from scripts.paper_figures.rows import Panel, Row, Sizes

MICRO = 1_000_000


def _stepped(book: Book, omega_micro: int, sigma_percent: int) -> Book:
    return book.with_steps(
        omega_micro * (50 + sigma_percent) // 100, omega_micro * (150 - sigma_percent) // 100
    )


@lru_cache(maxsize=1)
def _outcomes(market: Market, sizes: Sizes, seed: int) -> tuple[tuple[str, int, Outcome], ...]:
    """Return (reading, sigma in percent, outcome) for each split of the fee."""
    scale = sizes.scales[len(sizes.scales) // 2]
    book = draw_book(market, scale, scale, seed)
    found = []
    for percent in sizes.sigmas_percent:
        tariff = replace(market, sigma_ppm=percent * 10_000).tariff()
        stepped = _stepped(book, market.omega_micro, percent)
        for reading, orders in (("clamps", book), ("larger steps", stepped)):
            quotes = orders.quotes(tariff)
            found.append((reading, percent, cleared(orders, quotes, scale, scale, tariff)))
    return tuple(found)


def own_prices(market: Market, sizes: Sizes, seed: int) -> list[Row]:
    """Panel 5-price: the mean bid and ask of trades."""
    rows = []
    for reading, percent, outcome in _outcomes(market, sizes, seed):
        for curve, total in (("bid", outcome.bids), ("ask", outcome.asks)):
            mean = total // max(1, outcome.trades)
            rows.append(Row("5-price", reading, curve, percent, seed, mean))
    return rows


def rounds(market: Market, sizes: Sizes, seed: int) -> list[Row]:
    """Panel 5-rounds: the mean rounds until the pairs that trade had crossed, in thousandths."""
    return [
        Row(
            "5-rounds",
            reading,
            "rounds",
            percent,
            seed,
            1_000 * outcome.rounds // max(1, outcome.trades),
        )
        for reading, percent, outcome in _outcomes(market, sizes, seed)
    ]


SPLIT = "the buyer's part of the fee, %"
PANELS = (
    Panel("5-price", "Prices by who bears the fee", SPLIT, "tokens", MICRO, own_prices),
    Panel("5-rounds", "Rounds until a pair crosses", SPLIT, "rounds", 1_000, rounds),
)
