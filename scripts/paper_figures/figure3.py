"""Figure 3: what the broker earns, by sellers, buyers, scale, price step and fee.

The broker's profit is what it keeps of the trades of Algorithm 4 under its own prices: the margin
bid - ask and the fee.  Two readings of N in Eq 12 stand side by side where they differ: a fee for
each deal, and a fee for each round until the pair crossed.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

from auction.brokers import FeeBasis
from scripts.paper_figures.books import Book, Quotes, cleared, draw_book
from scripts.paper_figures.markets import Market
from scripts.paper_figures.rows import Panel, Row, Sizes

MICRO = 1_000_000
BASES: tuple[tuple[FeeBasis, str], ...] = (("deal", "fee a deal"), ("round", "fee a round"))


@lru_cache(maxsize=1)
def _quoted(market: Market, most: int, seed: int) -> tuple[Book, Quotes]:
    book = draw_book(market, most, most, seed)
    return book, book.quotes(market.tariff())


def _grown(panel: str, market: Market, sizes: Sizes, seed: int, sellers_grow: bool) -> list[Row]:
    tariff = market.tariff()
    book, quotes = _quoted(market, max(*sizes.growing, *sizes.fixed), seed)
    other = "buyers" if sellers_grow else "sellers"
    rows = []
    for still in sizes.fixed:
        for many in sizes.growing:
            buyers, sellers = (still, many) if sellers_grow else (many, still)
            profit = cleared(book, quotes, buyers, sellers, tariff).broker
            rows.append(Row(panel, "fee a deal", f"{still} {other}", many, seed, profit))
    return rows


def by_sellers(market: Market, sizes: Sizes, seed: int) -> list[Row]:
    """Panel 3a: the broker's profit as sellers join the same buyers."""
    return _grown("3a", market, sizes, seed, sellers_grow=True)


def by_buyers(market: Market, sizes: Sizes, seed: int) -> list[Row]:
    """Panel 3b: the broker's profit as buyers join the same sellers."""
    return _grown("3b", market, sizes, seed, sellers_grow=False)


@lru_cache(maxsize=1)
def _by_step(market: Market, sizes: Sizes, seed: int) -> tuple[tuple[str, str, int, int, int], ...]:
    return tuple(_steps(market, sizes, seed))


def _steps(market: Market, sizes: Sizes, seed: int) -> Iterator[tuple[str, str, int, int, int]]:
    """Yield (reading, curve, orders a side, profit, fees) for each price step."""
    most = max(sizes.scales)
    book = draw_book(market, most, most, seed)
    for basis, reading in BASES:
        tariff = market.tariff(basis)
        for omega in sizes.omegas_micro:
            stepped = book.with_steps(omega, omega)
            quotes = stepped.quotes(tariff)
            for scale in sizes.scales:
                found = cleared(stepped, quotes, scale, scale, tariff)
                yield reading, f"omega {omega / MICRO:g}", scale, found.broker, found.fees


def by_scale_and_step(market: Market, sizes: Sizes, seed: int) -> list[Row]:
    """Panel 3c: the broker's profit as both sides grow, a curve for each price step."""
    return [
        Row("3c", reading, curve, scale, seed, profit)
        for reading, curve, scale, profit, _ in _by_step(market, sizes, seed)
    ]


def fees_by_scale_and_step(market: Market, sizes: Sizes, seed: int) -> list[Row]:
    """Panel 3c-fees: the part of 3c that is fee."""
    return [
        Row("3c-fees", reading, curve, scale, seed, fees)
        for reading, curve, scale, _, fees in _by_step(market, sizes, seed)
    ]


def by_fee(market: Market, sizes: Sizes, seed: int) -> list[Row]:
    """Panel 3d: the broker's profit by the height of its fee."""
    scales = sizes.scales[len(sizes.scales) // 2], sizes.scales[-1]
    book = draw_book(market, scales[-1], scales[-1], seed)
    rows = []
    for basis, reading in BASES:
        for percent in sizes.fees_percent:
            tariff = market.tariff(basis, fee_percent=percent)
            quotes = book.quotes(tariff)
            for scale in scales:
                profit = cleared(book, quotes, scale, scale, tariff).broker
                rows.append(Row("3d", reading, f"{scale} a side", percent, seed, profit))
    return rows


PROFIT = "broker's profit, tokens"
PANELS = (
    Panel("3a", "Broker's profit as sellers join", "sellers", PROFIT, MICRO, by_sellers),
    Panel("3b", "Broker's profit as buyers join", "buyers", PROFIT, MICRO, by_buyers),
    Panel(
        "3c",
        "Broker's profit by scale and price step",
        "orders a side",
        PROFIT,
        MICRO,
        by_scale_and_step,
    ),
    Panel("3c-fees", "Fees in 3c", "orders a side", "fees, tokens", MICRO, fees_by_scale_and_step),
    Panel(
        "3d",
        "Broker's profit by fee",
        "fee, times the base point",
        PROFIT,
        MICRO,
        by_fee,
        log_x=True,
        x_scale=100,
    ),
)
