"""Figure 4: four rules of allocation, by what buyers and sellers gain and by how many trade.

Algorithm 4 makes the broker's margin bid - ask as large as it can be, and that margin is what the
two sides lose.  So no single reading gives all panels, and the readings stand side by side:

    weights   spread    bid - ask + fee, the broker's income (Algorithm 4 as the text means it)
              surplus   G - C - fee, what the pair gains (not the paper's)
    prices    own       the buyer pays its bid, the seller gets its ask (Eqs 6, 8, 12)
              hammer    both trade at the middle (Algorithm 2, line 7)

In one reading every rule looks for the same weights; the two random ones look at none.  `random`
lets buyers in random order take any seller they can trade with; `blind random` pairs both sides off
and lets trade who can.  The text does not say along which side trades are counted: 4c lets buyers
join the same sellers, 4d sellers the same buyers.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from functools import lru_cache

from auction.baselines import Chance, annealing, greedy, kuhn_munkres, random_matching
from auction.brokers import Pricing, Weights
from auction.matching import FREE, Adjacency
from scripts.paper_figures.books import (
    Book,
    Outcome,
    Quotes,
    algorithm_4,
    draw_book,
    graph_of,
    outcome_of,
)
from scripts.paper_figures.markets import Market
from scripts.paper_figures.rows import Panel, Row, Sizes

MICRO = 1_000_000
Rule = Callable[[Adjacency, int, bytes], tuple[int, ...]]

WEIGHTS: tuple[Weights, ...] = ("spread", "surplus")
PRICES: tuple[tuple[str, Pricing], ...] = (("own", "paper"), ("hammer", "midpoint"))


def blind_random(adjacency: Adjacency, sellers: int, seed: bytes) -> tuple[int, ...]:
    """Pair buyers with sellers at random, whether they can trade or not; the rest stays free."""
    places = Chance(seed + b"blind").shuffled(max(len(adjacency), sellers))
    return tuple(
        place if any(other == place for other, _ in pairs) else FREE
        for place, pairs in zip(places, adjacency, strict=False)
    )


RULES: Mapping[str, Rule] = {
    "Algorithm 4": algorithm_4,
    "greedy": greedy,
    "annealing": annealing,
    "random": random_matching,
    "blind random": blind_random,
}


@lru_cache(maxsize=1)
def _quoted(market: Market, most: int, seed: int) -> tuple[Book, dict[Weights, Quotes]]:
    """Return a book and its pairs under both weights; both hold the same pairs.

    An order lives until its price is at its reservation, so a pair crosses if value less cost
    covers the fee, and that is when it has a surplus.
    """
    book = draw_book(market, most, most, seed)
    return book, {weights: book.quotes(market.tariff(weights=weights)) for weights in WEIGHTS}


def _mates(
    graph: Adjacency, sellers: int, seed: int, rules: Mapping[str, Rule] = RULES
) -> dict[str, tuple[int, ...]]:
    name = f"{seed} {len(graph)} {sellers}".encode()
    return {rule: allocate(graph, sellers, name) for rule, allocate in rules.items()}


@lru_cache(maxsize=1)
def _outcomes(market: Market, sizes: Sizes, seed: int) -> tuple[tuple[str, str, int, Outcome], ...]:
    """Return (reading, rule, orders a side, outcome) for 4a and 4b."""
    book, quotes = _quoted(market, max(sizes.scales), seed)
    found = []
    for weights in WEIGHTS:
        for scale in sizes.scales:
            mates = _mates(graph_of(quotes[weights], scale, scale), scale, seed)
            for price, pricing in PRICES:
                tariff = market.tariff(pricing=pricing)
                for rule, held in mates.items():
                    outcome = outcome_of(book, quotes["spread"], held, tariff)
                    found.append((f"{weights} weights, {price} prices", rule, scale, outcome))
    return tuple(found)


def buyers_gain(market: Market, sizes: Sizes, seed: int) -> list[Row]:
    """Panel 4a: what all buyers gain, value less payment."""
    return [
        Row("4a", reading, rule, scale, seed, outcome.buyers)
        for reading, rule, scale, outcome in _outcomes(market, sizes, seed)
    ]


def sellers_gain(market: Market, sizes: Sizes, seed: int) -> list[Row]:
    """Panel 4b: what all sellers gain, receipts less cost."""
    return [
        Row("4b", reading, rule, scale, seed, outcome.sellers)
        for reading, rule, scale, outcome in _outcomes(market, sizes, seed)
    ]


def _trades(panel: str, market: Market, sizes: Sizes, seed: int, buyers_grow: bool) -> list[Row]:
    most = max(sizes.scales)
    still = sizes.scales[len(sizes.scales) // 2]
    _, quotes = _quoted(market, most, seed)
    rows = []
    for weights in WEIGHTS:
        for many in sizes.scales:
            buyers, sellers = (many, still) if buyers_grow else (still, many)
            mates = _mates(graph_of(quotes[weights], buyers, sellers), sellers, seed)
            for rule, held in mates.items():
                trades = sum(seller != FREE for seller in held)
                rows.append(Row(panel, f"{weights} weights", rule, many, seed, trades))
    return rows


def trades_by_buyers(market: Market, sizes: Sizes, seed: int) -> list[Row]:
    """Panel 4c: how many trade as buyers join the same sellers."""
    return _trades("4c", market, sizes, seed, buyers_grow=True)


def trades_by_sellers(market: Market, sizes: Sizes, seed: int) -> list[Row]:
    """Panel 4d: how many trade as sellers join the same buyers."""
    return _trades("4d", market, sizes, seed, buyers_grow=False)


def time_of_rules(market: Market, sizes: Sizes, seed: int) -> list[Row]:
    """Panel 4-time: processor time of each rule, the textbook form of Algorithm 4 among them."""
    _, quotes = _quoted(market, max(sizes.scales), seed)
    rules = {**RULES, "Algorithm 4, textbook": kuhn_munkres}
    rows = []
    for scale in sizes.scales:
        graph = graph_of(quotes["spread"], scale, scale)
        for rule, allocate in rules.items():
            started = time.process_time_ns()
            allocate(graph, scale, b"")
            spent = (time.process_time_ns() - started) // 1_000
            rows.append(Row("4-time", "spread weights", rule, scale, seed, spent))
    return rows


SCALE = "orders a side"
PANELS = (
    Panel("4a", "What buyers gain", SCALE, "tokens", MICRO, buyers_gain),
    Panel("4b", "What sellers gain", SCALE, "tokens", MICRO, sellers_gain),
    Panel("4c", "Trades as buyers join", "buyers", "trades", 1, trades_by_buyers),
    Panel("4d", "Trades as sellers join", "sellers", "trades", 1, trades_by_sellers),
    Panel("4-time", "Processor time of a rule", SCALE, "ms", 1_000, time_of_rules, measured=True),
)
