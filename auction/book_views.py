"""Documents of books: demand and supply as they stand, and what the coming round would do.

Pure reads, as in `auction/views.py`.  A curve is a list of steps [price, orders at that price or
better], bids by falling and asks by rising price.  Cost functions are shown for the service of the
middle bid of the book.
"""

from collections.abc import Sequence

from msgspec.structs import replace

from auction import brokers as brokerage
from auction import keys
from auction.clearing import LiveRound, live_round, solve_round
from auction.order_views import Service, middle_service, priced, worth_of
from auction.parameters import market_parameters
from auction.rounds import LiveBook
from auction.sealed import SealedPair
from auction.views import Document
from ledger.state import View
from ledger.types import Address

PREVIEW_WORK = 100_000
"""Visits of pairs a dry run may spend on a book: it answers a reader, not the chain."""

CURVE_ORDERS = 1_000
"""Orders on a side up to which the curves of a round are kept."""

CURVE_STEPS = 200
"""Steps of a kept curve; of a longer one every so many are left out, never the last."""

_SEED = bytes(32)
"""The seed of the coming block is not known yet: between equal weights one outcome is shown."""

_NO_BOUND = 2**40
"""Bytes: nothing is sealed here."""

Curve = list[list[int]]


def depth(view: View, address: Address, height: int) -> Document | None:
    """Return the curves of a book in the round of `height`, None without the broker."""
    record = brokerage.read_broker(view, address)
    if record is None:
        return None
    service, demand, supply = _prices(view, bytes.fromhex(address), record, height)
    crossing = sum(1 for high, low in zip(demand, supply, strict=False) if high >= low)
    return {
        "broker": address,
        "height": height,
        "service": {
            "theta_milli": service[0],
            "service_blocks": service[1],
            "interval_blocks": service[2],
        },
        "demand": [{"price_micro": price, "orders": orders} for price, orders in _steps(demand)],
        "supply": [{"price_micro": price, "orders": orders} for price, orders in _steps(supply)],
        "crossing": crossing,
    }


def curves(view: View, broker: bytes, record: brokerage.Broker, height: int) -> Document:
    """Return the curves of a round as they are kept with its block; empty for a very deep book.

    Of long curves `thinned` steps are left out between two that are kept.
    """
    _, demand, supply = _prices(view, broker, record, height, most=CURVE_ORDERS)
    bids, asks = _steps(demand), _steps(supply)
    every = max(1, -(-max(len(bids), len(asks)) // CURVE_STEPS))
    return {"demand": _thin(bids, every), "supply": _thin(asks, every), "thinned": every - 1}


def _thin(steps: Curve, every: int) -> Curve:
    kept = steps[every - 1 :: every]
    return kept if not steps or kept[-1:] == steps[-1:] else [*kept, steps[-1]]


def _prices(
    view: View, broker: bytes, record: brokerage.Broker, height: int, most: int | None = None
) -> tuple[Service, list[int], list[int]]:
    """Return the service asks are valued for, bids by falling and asks by rising price."""
    bids = [stored for _, stored in view.scan(keys.BOOK + broker + keys.BIDS)]
    asks = [stored for _, stored in view.scan(keys.BOOK + broker + keys.ASKS)]
    service = middle_service(view, broker)
    if most is not None and max(len(bids), len(asks)) > most:
        return service, [], []

    def price(stored: bytes) -> int:
        one = priced(stored)
        return one.price(worth_of(stored, service), record.tariff_of(one.entry.tariff), height)

    return service, sorted(map(price, bids), reverse=True), sorted(map(price, asks))


def _steps(prices: Sequence[int]) -> Curve:
    steps: Curve = []
    for count, price in enumerate(prices, start=1):
        if steps and steps[-1][0] == price:
            steps[-1][1] = count
        else:
            steps.append([price, count])
    return steps


def coming_book(view: View, address: Address, height: int) -> Document | None:
    """Return what the round of `height` would do to a book as the state is now: a dry run.

    `solved` is false where the book takes more than PREVIEW_WORK; then no pair is shown.  None
    without the broker.
    """
    record = brokerage.read_broker(view, address)
    if record is None:
        return None
    broker = bytes.fromhex(address)
    live = live_round(view, height)
    own = LiveRound(
        tuple(book for book in live.books if book.broker == broker),
        tuple(one for one in live.classes if one.broker == broker),
    )
    market = replace(market_parameters(view), work_per_block=PREVIEW_WORK)
    clearing = solve_round(own, _SEED, market, _NO_BOUND)
    found: list[tuple[int, Document]] = []
    for book, part in zip(own.books, clearing.books, strict=True):
        found += _pairs(book, part.pairs)
    for kind in clearing.classes:
        prices = {"bid_micro": kind.buyer_price_micro, "ask_micro": kind.seller_price_micro}
        weight = kind.buyer_price_micro - kind.seller_price_micro
        found += [
            (weight, {"bid": pair.bid, "ask": pair.ask, "weight_micro": weight, **prices})
            for pair in kind.pairs
        ]
    deferred = [part.deferred for part in clearing.books]
    deferred += [kind.deferred for kind in clearing.classes]
    return {
        "broker": address,
        "height": height,
        "bids": sum(len(one.bids) for one in own.books) + sum(len(one.bids) for one in own.classes),
        "asks": sum(len(one.asks) for one in own.books) + sum(len(one.asks) for one in own.classes),
        "edges": sum(book.pair_count for book in own.books),
        "solved": not any(deferred),
        "weight_micro": sum(weight for weight, _ in found),
        "pairs": [pair for _, pair in found],
        "curves": curves(view, broker, record, height),
    }


def _pairs(book: LiveBook, pairs: Sequence[SealedPair]) -> list[tuple[int, Document]]:
    """Return the weight and the document of each pair."""
    bids = {bid.hex(): index for index, bid in enumerate(book.bids)}
    asks = {ask.hex(): index for index, ask in enumerate(book.asks)}
    edges = book.edges_at(book.find([(bids[pair.bid], asks[pair.ask]) for pair in pairs]))
    return [
        (
            edge.weight,
            {
                "bid": pair.bid,
                "ask": pair.ask,
                "label_micro": pair.label_micro,
                "weight_micro": edge.weight,
                "bid_micro": edge.bid,
                "ask_micro": edge.ask,
            },
        )
        for pair, edge in zip(pairs, edges, strict=True)
    ]
