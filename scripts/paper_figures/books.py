"""Books of drawn orders, their pairs, and what an allocation of them comes to.

Everything that decides is the chain's own: values and costs (`auction.valuation`), price paths and
crossings (`auction.pricing`), the matching (`auction.matching`), the money of a trade
(`auction.settlement`).  All orders of a book are admitted at one height and live long enough for
every pair to cross; then Algorithm 4, or another rule, allocates once.

Draws are nested: the first ten buyers of a book of thirty are those of a book of ten.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from msgspec.structs import replace

from auction.actions import Ask, Bid
from auction.brokers import Tariff
from auction.matching import FREE, Adjacency, solve
from auction.orders import OpenOrder
from auction.pairing import AskSide, BidSide, evaluate
from auction.parameters import MarketParameters
from auction.pricing import LONGEST_LADDER, Quote
from auction.settlement import Pair, settle
from ledger.crypto import digest
from ledger.members import Resources, comprehensive_resource
from ledger.parameters import LedgerParameters
from node.demo.draws import draw_ask, draw_bid
from scripts.paper_figures.markets import Market

ALPHA_PPM, BETA_PPM = 2_000_000, 500_000
"""kbit/s of communication and units of modelling that one MHz of computation needs (Eq 4)."""

LEDGER = LedgerParameters(chain="figures", alpha_ppm=ALPHA_PPM, beta_ppm=BETA_PPM)
LARGEST_RESOURCE = MarketParameters().largest_resource
LEAST_MHZ, MOST_MHZ = 10_000, 50_000
"""Computation of a server; its other two resources have the same range, in units of this one."""

ADMITTED = 1
EXPIRES = ADMITTED + LONGEST_LADDER + 1
NO_BOUND = 2**40

Quotes = list[list[Quote | None]]
"""Terms of each pair by buyer and seller, None where it cannot trade."""


@dataclass(frozen=True, slots=True)
class Book:
    """Drawn orders, prepared for pairing."""

    bids: list[BidSide]
    asks: list[AskSide]

    def quotes(self, tariff: Tariff) -> Quotes:
        """Return the terms of every pair under a tariff."""
        return [[evaluate(bid, ask, tariff) for ask in self.asks] for bid in self.bids]

    def with_steps(self, bid_omega_micro: int, ask_omega_micro: int) -> Book:
        """Return the same orders with other price steps."""
        book = Book([], [])
        for bid in self.bids:
            book.add_bid(bid.order, replace(bid.terms, omega_micro=bid_omega_micro))
        for ask in self.asks:
            book.add_ask(ask.order, replace(ask.terms, omega_micro=ask_omega_micro))
        return book

    def add_bid(self, order: OpenOrder, terms: Bid) -> None:
        """Add a bid: an order with these terms."""
        self.bids.append(BidSide(replace(order, terms=terms), terms))

    def add_ask(self, order: OpenOrder, terms: Ask) -> None:
        """Add an ask: an order with these terms."""
        self.asks.append(AskSide(replace(order, terms=terms), terms))


def resources_from(levels: Sequence[int]) -> Resources:
    """Return a server's resources; each level is a place in its range, 0..1000000."""
    computation, communication, modelling = (
        LEAST_MHZ + (MOST_MHZ - LEAST_MHZ) * level // 1_000_000 for level in levels
    )
    return Resources(
        computation=computation,
        communication=communication * ALPHA_PPM // 1_000_000,
        modelling=modelling * BETA_PPM // 1_000_000,
    )


def draw_book(market: Market, buyers: int, sellers: int, seed: int) -> Book:
    """Return a book; the same seed with fewer on a side gives the first of them."""
    book = Book([], [])
    broker = _name("broker", 0)
    random = Random(f"buyers {seed}")
    for number in range(buyers):
        bid = draw_bid(random, broker, ADMITTED, market.ranges)
        bid = replace(bid, expires=EXPIRES, omega_micro=market.omega_micro, mu=market.mu)
        book.add_bid(_open(_name("buyer", number), LARGEST_RESOURCE, bid), bid)
    random = Random(f"sellers {seed}")
    for number in range(sellers):
        slot = resources_from([random.randint(0, 1_000_000) for _ in range(3)])
        ask = draw_ask(random, broker, ADMITTED, slot, market.ranges)
        ask = replace(ask, expires=EXPIRES, omega_micro=market.omega_micro, mu=market.mu)
        book.add_ask(_open(_name("seller", number), comprehensive_resource(slot, LEDGER), ask), ask)
    return book


def _name(kind: str, number: int) -> str:
    return digest("figures", f"{kind} {number}".encode()).hex()


def _open(owner: str, resource: int, terms: Bid | Ask) -> OpenOrder:
    return OpenOrder(
        owner=owner,
        submitted=0,
        admitted=ADMITTED,
        reserved_micro=0,
        resource=resource,
        terms=terms,
    )


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an allocation comes to: gains and sums over its trades, micro-tokens."""

    buyers: int
    sellers: int
    broker: int
    fees: int
    """The part of `broker` that is fee."""
    trades: int
    rounds: int
    bids: int
    asks: int


def graph_of(quotes: Quotes, buyers: int, sellers: int) -> Adjacency:
    """Return the pairs that can trade among the first of either side."""
    return [
        [(j, quote.weight) for j, quote in enumerate(row[:sellers]) if quote is not None]
        for row in quotes[:buyers]
    ]


def algorithm_4(adjacency: Adjacency, sellers: int, _seed: bytes = b"") -> tuple[int, ...]:
    """Return the matching of largest weight, by the chain's own solver."""
    return solve(adjacency, sellers, NO_BOUND).mates


def outcome_of(book: Book, quotes: Quotes, mates: Sequence[int], tariff: Tariff) -> Outcome:
    """Settle every pair of an allocation under a tariff."""
    gains, sums = [0, 0, 0, 0], [0, 0, 0, 0]
    for buyer, seller in enumerate(mates):
        if seller == FREE:
            continue
        bid, ask, quote = book.bids[buyer], book.asks[seller], quotes[buyer][seller]
        cost = ask.cost(bid.terms)
        if quote is None or cost is None:
            raise ValueError(f"buyer {buyer} cannot trade with seller {seller}")
        value = bid.value(ask.order.resource)
        money = settle(tariff, Pair(value, cost, quote.bid, quote.ask, quote.rounds, 0))
        for place, gain in enumerate(
            (value - money.paid, money.received - cost, money.broker, money.fee)
        ):
            gains[place] += gain
        for place, more in enumerate((1, quote.rounds, quote.bid, quote.ask)):
            sums[place] += more
    return Outcome(*gains, *sums)


def cleared(book: Book, quotes: Quotes, buyers: int, sellers: int, tariff: Tariff) -> Outcome:
    """Allocate the first of either side by Algorithm 4 and settle."""
    mates = algorithm_4(graph_of(quotes, buyers, sellers), sellers)
    return outcome_of(book, quotes, mates, tariff)
