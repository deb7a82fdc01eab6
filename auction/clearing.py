"""The sealed round: solve it or check it, then carry it out.

The builder of a block solves every book with a crossed pair and seals the pairs with the labels
that prove them; every other node checks the seal in time linear in the pairs and solves nothing.
The builder checks its own solution by the same code, so a fault of the solver stops it before it
proposes.  Sealed bytes are the canonical form of

    {"books": [{"broker", "deferred", "pairs": [{"ask", "bid", "label_micro", "tie"}, ...]}, ...]}

with books in ascending order of broker, one for each book that has something to clear and no other,
and pairs in ascending order of bid.  Labels are the sellers', under `core_seller` the buyers'; a
vertex not listed has the label 0.

Nobody can be made to solve without end: past a bound on its work the builder seals the book as
*deferred*.  Nothing trades in it at this height, orders and frozen prices stay for the next.
The height is kept in the state under `round/deferred`, and its builder forgoes its reward.
"""

from collections.abc import Sequence
from typing import Annotated

import numpy as np
from msgspec import Meta

from auction import keys
from auction.arrays import Graph, verify_graph
from auction.certificate import are_split, join_label, verify
from auction.departures import close_departed
from auction.edges import postpone
from auction.matching import FREE, WorkExceeded
from auction.parameters import MarketParameters, market_parameters
from auction.rounds import LiveBook, graph_of, live_books
from auction.solving import Solution, solve_graph
from auction.trades import Trade, carry_out, report_round
from ledger.codec import Codec, Record, encode
from ledger.errors import Reason, Rejected
from ledger.execution import BlockContext
from ledger.state import Overlay, View
from ledger.types import Address, Hex32, Micro, SignedInteger

MAX_BOOKS = 1_000
MAX_PAIRS = 100_000

_HEAD_BYTES = 64
_BOOK_BYTES = 128
_PAIR_BYTES = 240
"""No less than what the parts of a clearing take as canonical bytes: 12, 112 and 217."""


def least_bytes(brokers: int) -> int:
    """Return the room in a block without which its builder could not seal even deferred rounds."""
    return _HEAD_BYTES + _BOOK_BYTES * brokers + _PAIR_BYTES


class SealedPair(Record):
    """One trade and the label of its labelled side, in its two parts."""

    ask: Hex32
    bid: Hex32
    label_micro: Micro
    tie: SignedInteger


class SealedBook(Record):
    """The round of one broker."""

    broker: Address
    deferred: bool
    pairs: Annotated[tuple[SealedPair, ...], Meta(max_length=MAX_PAIRS)]


class Clearing(Record):
    """All rounds of a block."""

    books: Annotated[tuple[SealedBook, ...], Meta(max_length=MAX_BOOKS)]


_CLEARINGS = Codec(Clearing)

_Chosen = tuple[int, tuple[int, int], SealedPair]
"""A sealed pair with its row in the book and its (index of bid, index of ask)."""

ARRAYS_FROM = 200
"""Pairs from which the check runs over arrays; below, plain integers are as fast."""


def decode_clearing(sealed: bytes) -> Clearing:
    """Return the clearing of sealed bytes.  Raises Rejected(BAD_CLEARING) for any other bytes."""
    try:
        return _CLEARINGS.decode(sealed)
    except Rejected as error:
        raise Rejected(Reason.BAD_CLEARING, f"sealed bytes: {error}") from None


def seal(context: BlockContext, overlay: Overlay, sealed: bytes | None) -> bytes:
    """Clear the round of this block: solve it when `sealed` is None, else check it; apply it.

    Returns the sealed bytes.  Raises Rejected(BAD_CLEARING), before anything is applied.
    """
    market = market_parameters(overlay)
    close_departed(overlay, context.height, market)
    books = tuple(live_books(overlay, context.height))
    if sealed is None:
        clearing = solve_books(books, context.seed, market, context.parameters.max_sealed_bytes)
        checked = _check_own(books, clearing, context.seed)
        sealed = encode(clearing)
    else:
        clearing = decode_clearing(sealed)
        checked = _check(books, clearing, context.seed)
    for book, part, trades in zip(books, clearing.books, checked, strict=True):
        if part.deferred:
            _defer(overlay, book, context.height)
        carry_out(overlay, context.height, book, trades, market)
        report_round(overlay, context.height, book, trades, deferred=part.deferred)
    return sealed


def deferred_height(view: View) -> int:
    """Return the last height whose builder deferred a book, 0 if none did."""
    stored = view.get(keys.DEFERRED_KEY)
    return 0 if stored is None else int.from_bytes(stored, "big")


def solve_books(
    books: Sequence[LiveBook], seed: bytes, market: MarketParameters, max_bytes: int
) -> Clearing:
    """Solve the books one by one, within the bounds on work and on bytes of a block.

    Every book has an even share of the work still to be had, so that one crafted to be slow cannot
    starve the others; what a book leaves over goes to those after it.
    """
    work, room = market.work_per_block, max_bytes - _HEAD_BYTES
    parts = []
    for index, book in enumerate(books):
        part, spent = _solve_book(book, seed, work // (len(books) - index))
        reserve = _BOOK_BYTES * (len(books) - index)
        if reserve + _PAIR_BYTES * len(part.pairs) > room:
            part = SealedBook(book.broker.hex(), deferred=True, pairs=())
        room -= _BOOK_BYTES + _PAIR_BYTES * len(part.pairs)
        work -= min(work, spent)
        parts.append(part)
    return Clearing(tuple(parts))


def _solve_book(book: LiveBook, seed: bytes, work: int) -> tuple[SealedBook, int]:
    """Return the sealed book and the work it took; deferred when `work` does not suffice."""
    graph = graph_of(book, seed)
    try:
        solution = solve_graph(graph, work)
    except WorkExceeded:
        return SealedBook(book.broker.hex(), deferred=True, pairs=()), work
    return seal_solution(book, graph, solution), solution.work


def seal_solution(book: LiveBook, graph: Graph, solution: Solution) -> SealedBook:
    """Return a solved book in the form it is sealed."""
    lefts, rights = graph.left[solution.rows], graph.right[solution.rows]
    bids, asks = (lefts, rights) if book.labels_on_asks else (rights, lefts)
    columns = (bids, asks, solution.label_high[rights], solution.label_low[rights])
    pairs = [
        SealedPair(book.asks[ask].hex(), book.bids[bid].hex(), label, tie)
        for bid, ask, label, tie in zip(*(column.tolist() for column in columns), strict=True)
    ]
    pairs.sort(key=lambda pair: pair.bid)
    return SealedBook(book.broker.hex(), deferred=False, pairs=tuple(pairs))


def _check_own(
    books: Sequence[LiveBook], clearing: Clearing, seed: bytes
) -> list[tuple[Trade, ...]]:
    """Check what this node solved itself; a refusal here is a bug, not a verdict."""
    try:
        return _check(books, clearing, seed)
    except Rejected as error:
        raise AssertionError(f"own clearing does not hold: {error}") from error


def _check(books: Sequence[LiveBook], clearing: Clearing, seed: bytes) -> list[tuple[Trade, ...]]:
    """Return the proven trades of every book.  Raises Rejected(BAD_CLEARING)."""
    expected = [book.broker.hex() for book in books]
    presented = [part.broker for part in clearing.books]
    if presented != expected:
        missing = [broker for broker in expected if broker not in presented]
        extra = [broker for broker in presented if broker not in expected]
        raise Rejected(Reason.BAD_CLEARING, f"books: missing {missing}, extra or doubled {extra}")
    return [check_book(book, part, seed) for book, part in zip(books, clearing.books, strict=True)]


def check_book(book: LiveBook, part: SealedBook, seed: bytes) -> tuple[Trade, ...]:
    """Return the trades of one sealed book, proven optimal.  Raises Rejected(BAD_CLEARING)."""
    if part.deferred:
        if part.pairs:
            raise Rejected(Reason.BAD_CLEARING, "a deferred book has no pairs")
        return ()
    chosen = _locate(book, part)
    graph = graph_of(book, seed)
    if not are_split([pair.tie for pair in part.pairs], book.smaller_side):
        raise Rejected(Reason.BAD_CLEARING, "a tie label is out of range")
    if book.pair_count < ARRAYS_FROM:
        _verify_small(book, graph, chosen)
    else:
        _verify_large(book, graph, chosen)
    edges = book.edges_at([row for row, _, _ in chosen])
    return tuple(
        Trade(book.bids[place[0]], book.asks[place[1]], edge, pair.label_micro)
        for (_, place, pair), edge in zip(chosen, edges, strict=True)
    )


def _verify_small(book: LiveBook, graph: Graph, chosen: Sequence[_Chosen]) -> None:
    mates = [FREE] * graph.left_count
    labels = [0] * graph.right_count
    for _, (bid, ask), pair in chosen:
        left, right = (bid, ask) if book.labels_on_asks else (ask, bid)
        mates[left] = right
        labels[right] = join_label(pair.label_micro, pair.tie, book.smaller_side)
    verify(graph.adjacency(), mates, labels)


def _verify_large(book: LiveBook, graph: Graph, chosen: Sequence[_Chosen]) -> None:
    rows = np.array([row for row, _, _ in chosen], dtype=np.int64)
    if not book.labels_on_asks:
        order = np.argsort(book.ask, kind="stable")
        moved = np.empty_like(order)
        moved[order] = np.arange(len(order))
        rows = moved[rows]
    label_high = np.zeros(graph.right_count, dtype=np.int64)
    label_low = np.zeros(graph.right_count, dtype=np.int64)
    rights = graph.right[rows]
    label_high[rights] = [pair.label_micro for _, _, pair in chosen]
    label_low[rights] = [pair.tie for _, _, pair in chosen]
    verify_graph(graph, rows, label_high, label_low)


def _locate(book: LiveBook, part: SealedBook) -> list[_Chosen]:
    """Return the pairs with their rows and places in the graph, each order once, bids ascending."""
    bids = {bid.hex(): index for index, bid in enumerate(book.bids)}
    asks = {ask.hex(): index for index, ask in enumerate(book.asks)}
    places = [(bids.get(pair.bid, -1), asks.get(pair.ask, -1)) for pair in part.pairs]
    chosen = list(zip(book.find(places), places, part.pairs, strict=True))
    used: dict[int, None] = {}
    last = -1
    for row, place, pair in chosen:
        if row < 0:
            raise Rejected(Reason.BAD_CLEARING, f"no such pair: {pair.bid}, {pair.ask}")
        if place[0] <= last:
            raise Rejected(Reason.BAD_CLEARING, "bids doubled or out of order")
        if place[1] in used:
            raise Rejected(Reason.BAD_CLEARING, f"ask used twice: {pair.ask}")
        last = place[0]
        used[place[1]] = None
    return chosen


def _defer(overlay: Overlay, book: LiveBook, height: int) -> None:
    overlay.put(keys.DEFERRED_KEY, keys.height_bytes(height))
    for bid in book.bids:
        postpone(overlay, book.broker, bid, height + 1)
