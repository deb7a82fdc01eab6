"""The figures: their panels, and the terms they are drawn under; what full and small runs draw."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from scripts.paper_figures import figure3, figure4, figure5, figure6
from scripts.paper_figures.books import draw_book
from scripts.paper_figures.figure6 import BASE_TOWN, Town, spread_towns
from scripts.paper_figures.markets import BASE_MARKET, Market, spread_markets
from scripts.paper_figures.rows import Panel, Sizes


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure of the paper."""

    name: str
    title: str
    panels: tuple[Panel, ...]
    terms: Market | Town
    """The base point."""
    spread: Callable[[int, int], Sequence[Any]]
    """(count, seed) -> other terms to try its claims under."""


LEAST_TRADABLE_PERCENT = 10
"""A drawn market in which fewer pairs can trade is left out: its claims would hold for no trade."""


def trading_markets(count: int, seed: int) -> list[Market]:
    """Return those of `count` drawn markets in which pairs can trade."""
    return [
        market
        for market in spread_markets(count, seed)
        if tradable_percent(market) >= LEAST_TRADABLE_PERCENT
    ]


def tradable_percent(market: Market, side: int = 12) -> int:
    """Return how many of a hundred pairs of a drawn book can trade."""
    quotes = draw_book(market, side, side, 0).quotes(market.tariff())
    return 100 * sum(quote is not None for row in quotes for quote in row) // side**2


FIGURES: tuple[Figure, ...] = (
    Figure("3", "the broker's profit", figure3.PANELS, BASE_MARKET, trading_markets),
    Figure("4", "rules of allocation", figure4.PANELS, BASE_MARKET, trading_markets),
    Figure("5", "who bears the fee", figure5.PANELS, BASE_MARKET, trading_markets),
    Figure("6", "the election beside proof of work", figure6.PANELS, BASE_TOWN, spread_towns),
)

FULL = Sizes(
    growing=tuple(range(5, 61, 5)),
    fixed=(10, 20, 30),
    scales=tuple(range(5, 41, 5)),
    omegas_micro=(50_000, 100_000, 200_000, 400_000, 800_000, 1_600_000),
    fees_percent=(6, 12, 25, 50, 100, 200, 400, 800, 1_600, 3_200),
    sigmas_percent=tuple(range(10, 91, 10)),
    members=(5, 10, 15, 20, 30),
    heights=500,
)
DRAWN = Sizes(
    growing=(6, 12, 18, 24, 30, 36),
    fixed=(12, 18),
    scales=(8, 16, 24),
    omegas_micro=(100_000, 200_000, 400_000, 800_000),
    fees_percent=(25, 50, 100, 200, 800, 3_200),
    sigmas_percent=(10, 30, 50, 70, 90),
    members=(7, 14, 21),
    heights=300,
)
"""For the markets around the base point: claims want fewer places than pictures."""
SMALL = Sizes(
    growing=(4, 8, 12, 16, 20, 24),
    fixed=(8, 12),
    scales=(4, 8, 12, 16),
    omegas_micro=(100_000, 200_000, 400_000, 800_000),
    fees_percent=(25, 50, 100, 200, 800, 3_200),
    sigmas_percent=(10, 30, 50, 70, 90),
    members=(5, 10, 20),
    heights=200,
)
