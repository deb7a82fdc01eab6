"""What the coming round of a broker would do as things stand: a dry run of its books and classes.

Pure reads, as in `auction/views.py`: the round is solved by the code that seals blocks, on the
state as it is and with a bound on its work.  Who is called where a book or class has halvings is
drawn by the seed of the coming block: one outcome of the draw is shown.
"""

from collections.abc import Sequence

from msgspec.structs import replace

from auction import brokers as brokerage
from auction.book_views import curves, parts
from auction.class_views import class_prices, class_service
from auction.clearing import LiveRound, live_round, solve_round
from auction.mcafee import LiveClass, SealedClass, check_class, crossed_ranks
from auction.parameters import market_parameters
from auction.rounds import LiveBook
from auction.sealed import SealedBook
from auction.views import Document, integer
from ledger.state import View
from ledger.types import Address

PREVIEW_WORK = 100_000
"""Visits of pairs a dry run may spend on a broker: it answers a reader, not the chain."""

_SEED = bytes(32)
"""The seed of the coming block is not known yet: of draws by it one outcome is shown."""

_NO_BOUND = 2**40
"""Bytes: nothing is sealed here."""

Pairs = list[tuple[int, Document]]
"""Weights and documents of pairs."""


def coming_book(view: View, address: Address, height: int) -> Document | None:
    """Return what the round of `height` would do to a broker as the state is now: a dry run.

    `books` and `classes` have the figures of each graph that would be cleared, `pairs` all pairs
    with the version and class they are of.  `solved` is false where a part takes more than its
    share of PREVIEW_WORK; then no pair of that part is shown.  The curves are those of the tariff
    in force.  None without the broker.
    """
    record = brokerage.read_broker(view, address)
    if record is None:
        return None
    broker = bytes.fromhex(address)
    market = market_parameters(view)
    live = live_round(view, height, _SEED, market)
    own = LiveRound(
        tuple(book for book in live.books if book.broker == broker),
        tuple(one for one in live.classes if one.broker == broker),
    )
    bounded = replace(market, work_per_block=PREVIEW_WORK)
    clearing = solve_round(own, _SEED, bounded, _NO_BOUND)
    found: Pairs = []
    books, classes = [], []
    for book, part in zip(own.books, clearing.books, strict=True):
        books.append(_book_document(book, part))
        found += _pairs(book, part)
    for kind, sealed in zip(own.classes, clearing.classes, strict=True):
        classes.append(_class_document(kind, sealed))
        found += _class_pairs(kind, sealed)
    figures = (*books, *classes)
    return {
        "broker": address,
        "height": height,
        "bids": sum(integer(one, "bids") for one in figures),
        "asks": sum(integer(one, "asks") for one in figures),
        "edges": sum(integer(one, "edges") for one in figures),
        "solved": not any(one["deferred"] for one in figures),
        "weight_micro": sum(weight for weight, _ in found),
        "pairs": [pair for _, pair in found],
        "books": books,
        "classes": classes,
        "curves": curves(view, broker, record, parts(view, broker, record)[0], height),
    }


def _book_document(book: LiveBook, part: SealedBook) -> Document:
    return {
        "tariff": book.version,
        "deferred": part.deferred,
        "halvings": book.halvings,
        "uncalled": len(book.uncalled),
        "bids": len(book.bids),
        "asks": len(book.asks),
        "edges": book.pair_count,
        "trades": len(part.pairs),
    }


def _class_document(kind: LiveClass, part: SealedClass) -> Document:
    reduced = not part.deferred and len(part.pairs) < crossed_ranks(*class_prices(kind))
    return {
        "tariff": kind.version,
        "number": kind.number,
        "service_class": kind.number + 1,
        "service": class_service(kind.tariff, kind.number),
        "deferred": part.deferred,
        "halvings": kind.halvings,
        "uncalled": len(kind.uncalled),
        "bids": len(kind.bids),
        "asks": len(kind.asks),
        "edges": len(kind.bids) * len(kind.asks),
        "trades": len(part.pairs),
        "buyer_price_micro": part.buyer_price_micro,
        "seller_price_micro": part.seller_price_micro,
        "reduced": reduced,
    }


def _class_pairs(kind: LiveClass, part: SealedClass) -> Pairs:
    prices = {
        "buyer_price_micro": part.buyer_price_micro,
        "seller_price_micro": part.seller_price_micro,
    }
    return [
        (
            trade.edge.weight,
            {
                "tariff": kind.version,
                "service_class": kind.number + 1,
                "bid": trade.bid.hex(),
                "ask": trade.ask.hex(),
                "weight_micro": trade.edge.weight,
                "bid_micro": trade.edge.bid,
                "ask_micro": trade.edge.ask,
                **prices,
            },
        )
        for trade in check_class(kind, part, _SEED)
    ]


def _pairs(book: LiveBook, part: SealedBook) -> Pairs:
    bids = _places(book.bids)
    asks = _places(book.asks)
    edges = book.edges_at(book.find([(bids[pair.bid], asks[pair.ask]) for pair in part.pairs]))
    return [
        (
            edge.weight,
            {
                "tariff": book.version,
                "service_class": 0,
                "bid": pair.bid,
                "ask": pair.ask,
                "label_micro": pair.label_micro,
                "weight_micro": edge.weight,
                "bid_micro": edge.bid,
                "ask_micro": edge.ask,
            },
        )
        for pair, edge in zip(part.pairs, edges, strict=True)
    ]


def _places(orders: Sequence[bytes]) -> dict[str, int]:
    return {order.hex(): index for index, order in enumerate(orders)}
