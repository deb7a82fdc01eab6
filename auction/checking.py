"""The check of one sealed book: its pairs and labels against the pairs that are due.

Time linear in the pairs; nothing is solved.  Small books are checked in plain integers, large ones
over arrays, with the same verdict.
"""

from collections.abc import Sequence

import numpy as np

from auction.arrays import Graph, verify_graph
from auction.certificate import are_split, join_label, verify
from auction.matching import FREE
from auction.rounds import LiveBook, graph_of
from auction.sealed import SealedBook, SealedPair
from auction.trades import Trade
from ledger.errors import Reason, Rejected

_Chosen = tuple[int, tuple[int, int], SealedPair]
"""A sealed pair with its row in the book and its (index of bid, index of ask)."""

ARRAYS_FROM = 200
"""Pairs from which the check runs over arrays; below, plain integers are as fast."""


def check_book(book: LiveBook, part: SealedBook, seed: bytes) -> tuple[Trade, ...]:
    """Return the trades of one sealed book, called already, proven optimal.

    Raises Rejected(BAD_CLEARING).
    """
    if part.halvings != book.halvings:
        raise Rejected(
            Reason.BAD_CLEARING, f"halvings of a book are {part.halvings}, not {book.halvings}"
        )
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
