"""Books for the market's benchmark: orders drawn from a fixed seed, weights from the equations.

Every bid states a value function (Eq 5) and every ask a cost function (Eq 9); a pair weighs
G - C - fee as `auction.pairing` values it.  Services differ in model scale and length, so weights
are pairwise and correlated, which is harder for a solver than independent numbers.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from hashlib import sha256

from auction import keys
from auction.actions import Ask, Bid, CostModel, UtilityModel
from auction.book_sides import pack
from auction.brokers import Broker, Tariff, write_broker
from auction.edges import Edge, link
from auction.orders import OpenOrder, insert, row_key
from auction.pairing import AskSide, BidSide, evaluate
from auction.parameters import MarketParameters, write_parameters
from auction.rounds import LiveBook, live_books
from ledger.members import Resources
from ledger.state import Overlay, State
from ledger.types import Digest

BROKER = sha256(b"broker").hexdigest()
SURPLUS = Tariff(
    lambda_micro=1_000, sigma_ppm=500_000, fee_basis="deal", weights="surplus", pricing="core_buyer"
)
SPREAD = Tariff(
    lambda_micro=1_000, sigma_ppm=500_000, fee_basis="deal", weights="spread", pricing="paper"
)
HEIGHT = 100
"""Height whose round is measured; all orders were admitted before it."""

EXPIRES = 5_000


@dataclass(frozen=True, slots=True)
class Side:
    """Orders of one side, prepared for pairing, by id."""

    bids: list[tuple[Digest, BidSide]]
    asks: list[tuple[Digest, AskSide]]


def name_of(kind: str, number: int) -> Digest:
    """Return the id of the numbered order, or the address of its owner."""
    return sha256(f"{kind} {number}".encode()).digest()


def make_bid(chance: random.Random, number: int) -> OpenOrder:
    """Return a bid that opens at a third to the whole of its value."""
    terms = Bid(
        broker=BROKER,
        expires=EXPIRES,
        open_ppm=chance.randint(333_333, 1_000_000),
        omega_micro=chance.randint(50_000, 1_000_000),
        mu=1,
        service_blocks=chance.randint(20, 200),
        interval_blocks=chance.randint(2, 10),
        theta_milli=chance.randint(500, 3_000),
        least_resource=0,
        valuation=UtilityModel(chance.randint(200_000, 900_000), chance.randint(10**6, 10**7)),
    )
    return OpenOrder(
        owner=name_of("buyer", number).hex(),
        submitted=HEIGHT - 2,
        admitted=HEIGHT - 1,
        reserved_micro=0,
        resource=1_000_000,
        terms=terms,
    )


def make_ask(chance: random.Random, number: int) -> OpenOrder:
    """Return an ask that opens at its cost to three times it."""
    level = chance.randint(100, 2_000)
    cost = CostModel(
        r_micro=chance.randint(10_000, 500_000),
        d_micro=chance.randint(10_000, 500_000),
        eta_ppm=chance.randint(1_000_000, 1_050_000),
        epsilon_micro=chance.randint(1_000, 100_000),
        a_micro=chance.randint(1_000, 50_000),
        b_micro=chance.randint(1_000, 100_000),
        c_micro=chance.randint(1_000, 200_000),
    )
    terms = Ask(
        broker=BROKER,
        expires=EXPIRES,
        open_ppm=chance.randint(1_000_000, 3_000_000),
        omega_micro=chance.randint(50_000, 1_000_000),
        mu=1,
        longest_blocks=200,
        resources=Resources(level, level, level),
        cost=cost,
    )
    return OpenOrder(
        owner=name_of("seller", number).hex(),
        submitted=HEIGHT - 2,
        admitted=HEIGHT - 1,
        reserved_micro=0,
        resource=level,
        terms=terms,
    )


def make_sides(count: int, seed: int) -> Side:
    """Return `count` orders a side."""
    chance = random.Random(seed)
    bids, asks = [], []
    for number in range(count):
        bid, ask = make_bid(chance, number), make_ask(chance, number)
        if isinstance(bid.terms, Bid) and isinstance(ask.terms, Ask):
            bids.append((name_of("bid", number), BidSide(bid, bid.terms)))
            asks.append((name_of("ask", number), AskSide(ask, ask.terms)))
    return Side(bids, asks)


def _state() -> Overlay:
    overlay = Overlay(State())
    write_parameters(overlay, MarketParameters(degree_cap=256))
    write_broker(overlay, BROKER, Broker(name="bench", tariff=SURPLUS))
    return overlay


def crossed_book(sides: Side, degree: int, seed: int, arrivals: int = 0) -> Overlay:
    """Return a state whose round at HEIGHT holds the pairs of a book.

    With `arrivals` = 0 every pair is due at once: a cold round.  Else only the first `arrivals`
    orders of either side are new, and just their pairs are due; the rest of the book stands, its
    pairs crossing much later, as it does in a market that clears in every block.
    """
    chance = random.Random(seed)
    overlay = _state()
    count = len(sides.bids)
    place = keys.book_key(bytes.fromhex(BROKER), 1)
    for number, (bid, buyer) in enumerate(sides.bids):
        for other in dict.fromkeys(chance.randrange(count) for _ in range(degree)):
            ask, seller = sides.asks[other]
            quote = evaluate(buyer, seller, SURPLUS)
            if quote is None:
                continue
            new = not arrivals or number < arrivals or other < arrivals
            due = HEIGHT if new else HEIGHT + 1_000
            edge = Edge(ask, quote.weight, due, quote.bid, quote.ask, quote.rounds)
            link(overlay, place, bid, edge, HEIGHT)
    return overlay


def only_book(overlay: Overlay) -> LiveBook:
    """Return what the round at HEIGHT has to clear."""
    (book,) = live_books(overlay, HEIGHT)
    return book


def standing_book(count: int, tariff: Tariff, seed: int) -> Overlay:
    """Return a state with `count` admitted asks that keep no pair, to pair a new bid with."""
    overlay = _state()
    write_broker(overlay, BROKER, Broker(name="bench", tariff=tariff))
    chance = random.Random(seed)
    for number in range(count):
        record = make_ask(chance, number)
        insert(overlay, name_of("ask", number), record)
        overlay.put(row_key(record, name_of("ask", number)), pack(record))
    for key, _ in list(overlay.scan(keys.ARRIVAL)):
        overlay.delete(key)
    return overlay
