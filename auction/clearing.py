"""The sealed round: solve it or check it, then carry it out.

The builder of a block solves every book with a crossed pair and seals the pairs with the labels
that prove them; every other node checks the seal in time linear in the pairs and solves nothing.
The builder checks its own solution by the same code, so a fault of the solver stops it before it
proposes.  The sealed form is in `auction/sealed.py`.

Nobody can be made to solve without end: past a bound on its work the builder seals the book as
*deferred*.  Nothing trades in it at this height, orders and frozen prices stay for the next, which
calls half as many of them (`auction.halvings`): a book too hard for one round gets its trades in
several.  The height is kept in the state under `round/deferred`, and its builder forgoes its
reward.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from auction import keys
from auction.arrays import Graph
from auction.checking import check_book
from auction.classes import mark
from auction.departures import close_stranded
from auction.halvings import crowding, note_deferral, note_round
from auction.matching import WorkExceeded
from auction.mcafee import (
    LiveClass,
    SealedClass,
    call_class,
    check_class,
    clear_class,
    could_trade,
    live_classes,
    sealed_class,
)
from auction.parameters import MarketParameters, market_parameters
from auction.rounds import Draw, LiveBook, due_books, graph_of, live_book
from auction.sealed import (
    BOOK_BYTES,
    CLASS_BYTES,
    CLASS_PAIR_BYTES,
    HEAD_BYTES,
    PAIR_BYTES,
    Clearing,
    SealedBook,
    SealedPair,
    decode_clearing,
)
from auction.solving import Solution, solve_graph
from auction.trades import Tally, Trade, carry_out, report_round
from ledger.codec import encode
from ledger.errors import Reason, Rejected
from ledger.execution import BlockContext
from ledger.state import Overlay, View


def seal(context: BlockContext, overlay: Overlay, sealed: bytes | None) -> bytes:
    """Clear the round of this block: solve it when `sealed` is None, else check it; apply it.

    Returns the sealed bytes.  Raises Rejected(BAD_CLEARING), before anything is applied.
    """
    market = market_parameters(overlay)
    close_stranded(overlay, context.height, market)
    live = live_round(overlay, context.height, context.seed, market)
    if sealed is None:
        clearing = solve_round(live, context.seed, market, context.parameters.max_sealed_bytes)
        books, classes = _check_own(live, clearing, context.seed)
        sealed = encode(clearing)
    else:
        clearing = decode_clearing(sealed)
        books, classes = _check(live, clearing, context.seed)
    for key, _ in overlay.scan(keys.at_height(keys.CLASS_DUE, context.height)):
        overlay.delete(key)
    for book, part, trades in zip(live.books, clearing.books, books, strict=True):
        _count_round(overlay, book.key, context.height, deferred=part.deferred)
        carry_out(overlay, context.height, book, trades, market)
        counts = (len(book.bids), len(book.asks), book.pair_count)
        tally = Tally(*counts, (book.bids, book.asks), 0, book.halvings, book.uncalled)
        report_round(overlay, context.height, book, tally, trades, deferred=part.deferred)
    for kind, sort, trades in zip(live.classes, clearing.classes, classes, strict=True):
        _carry_out_class(overlay, context.height, (kind, sort), trades, market)
    return sealed


def _carry_out_class(
    overlay: Overlay,
    height: int,
    parts: tuple[LiveClass, SealedClass],
    trades: Sequence[Trade],
    market: MarketParameters,
) -> None:
    kind, part = parts
    _count_round(overlay, kind.place, height, deferred=part.deferred)
    if part.deferred or kind.uncalled:
        mark(overlay, kind.place, height + 1)
    for trade in trades:
        overlay.delete(keys.CLASS + kind.place + keys.BIDS + trade.bid)
        overlay.delete(keys.CLASS + kind.place + keys.ASKS + trade.ask)
    carry_out(overlay, height, kind, trades, market)
    bids, asks = len(kind.bids), len(kind.asks)
    place = (kind.number + 1, kind.halvings, kind.uncalled)
    tally = Tally(bids, asks, bids * asks, could_trade(kind), *place)
    report_round(overlay, height, kind, tally, trades, deferred=part.deferred)


def _count_round(overlay: Overlay, place: bytes, height: int, *, deferred: bool) -> None:
    """Note what became of the round of a book or class, before its last order may close."""
    if deferred:
        overlay.put(keys.DEFERRED_KEY, keys.height_bytes(height))
        note_deferral(overlay, place, height)
    else:
        note_round(overlay, place)


def deferred_height(view: View) -> int:
    """Return the last height whose builder deferred a book, 0 if none did."""
    stored = view.get(keys.DEFERRED_KEY)
    return 0 if stored is None else int.from_bytes(stored, "big")


@dataclass(frozen=True, slots=True)
class LiveRound:
    """All that a block has to clear: of each book and class what its round calls."""

    books: tuple[LiveBook, ...]
    classes: tuple[LiveClass, ...]


def live_round(view: View, height: int, seed: bytes, market: MarketParameters) -> LiveRound:
    """Return what there is to clear at a height under the seed of its block."""
    due, whole = tuple(due_books(view, height)), tuple(live_classes(view, height))
    trades = sum(len(book.bids) for book in due)
    trades += sum(min(len(kind.bids), len(kind.asks)) for kind in whole)
    draw = Draw(seed, crowding(trades, market.calls_per_block))
    return LiveRound(
        tuple(live_book(view, book, height, draw) for book in due),
        tuple(call_class(kind, draw.seed, draw.crowding) for kind in whole),
    )


def solve_round(live: LiveRound, seed: bytes, market: MarketParameters, max_bytes: int) -> Clearing:
    """Solve books and classes one by one, within the bounds on work and on bytes of a block.

    Each has an even share of the work still to be had, so that one crafted to be slow cannot starve
    the others; what it leaves over goes to those after it.
    """
    work = market.work_per_block
    room = max_bytes - HEAD_BYTES
    left = len(live.books) + len(live.classes)
    books, classes = [], []
    reserve = BOOK_BYTES * len(live.books) + CLASS_BYTES * len(live.classes)
    for book in live.books:
        part, spent = _solve_book(book, seed, work // left)
        if reserve + PAIR_BYTES * len(part.pairs) > room:
            part = _sealed_book(book, None)
        room -= BOOK_BYTES + PAIR_BYTES * len(part.pairs)
        reserve -= BOOK_BYTES
        work -= min(work, spent)
        left -= 1
        books.append(part)
    for kind in live.classes:
        outcome = clear_class(kind, seed) if kind.work <= work // left else None
        found = sealed_class(kind, outcome)
        if reserve + CLASS_PAIR_BYTES * len(found.pairs) > room:
            found = sealed_class(kind, None)
        room -= CLASS_BYTES + CLASS_PAIR_BYTES * len(found.pairs)
        reserve -= CLASS_BYTES
        work -= min(work, kind.work)
        left -= 1
        classes.append(found)
    return Clearing(tuple(books), tuple(classes))


def _solve_book(book: LiveBook, seed: bytes, work: int) -> tuple[SealedBook, int]:
    """Return the sealed book and the work it took; deferred when `work` does not suffice."""
    graph = graph_of(book, seed)
    try:
        solution = solve_graph(graph, work)
    except WorkExceeded:
        return _sealed_book(book, None), work
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
    return _sealed_book(book, tuple(pairs))


def _sealed_book(book: LiveBook, pairs: tuple[SealedPair, ...] | None) -> SealedBook:
    """Return the sealed form of what a book came to; deferred without pairs."""
    return SealedBook(
        broker=book.broker.hex(),
        tariff=book.version,
        deferred=pairs is None,
        pairs=pairs or (),
        halvings=book.halvings,
    )


_Checked = tuple[list[tuple[Trade, ...]], list[tuple[Trade, ...]]]
"""Proven trades of every book and of every class."""


def _check_own(live: LiveRound, clearing: Clearing, seed: bytes) -> _Checked:
    """Check what this node solved itself; a refusal here is a bug, not a verdict."""
    try:
        return _check(live, clearing, seed)
    except Rejected as error:
        raise AssertionError(f"own clearing does not hold: {error}") from error


def _check(live: LiveRound, clearing: Clearing, seed: bytes) -> _Checked:
    """Return the proven trades of every book and class.  Raises Rejected(BAD_CLEARING)."""
    _require_same(
        "books",
        [(book.broker.hex(), book.version, 0) for book in live.books],
        [(part.broker, part.tariff, 0) for part in clearing.books],
    )
    _require_same(
        "classes",
        [(kind.broker.hex(), kind.version, kind.number) for kind in live.classes],
        [(part.broker, part.tariff, part.number) for part in clearing.classes],
    )
    books = zip(live.books, clearing.books, strict=True)
    classes = zip(live.classes, clearing.classes, strict=True)
    return (
        [check_book(book, part, seed) for book, part in books],
        [check_class(kind, part, seed) for kind, part in classes],
    )


_Place = tuple[str, int, int]


def _require_same(what: str, expected: Sequence[_Place], presented: Sequence[_Place]) -> None:
    if presented != expected:
        missing = [place for place in expected if place not in presented]
        extra = [place for place in presented if place not in expected]
        raise Rejected(Reason.BAD_CLEARING, f"{what}: missing {missing}, extra or doubled {extra}")
