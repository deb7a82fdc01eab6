"""What a round has to clear: per broker, the open orders with a crossed pair, and those pairs.

Every pair weighs more than nothing once ties are in the weight, so an optimal matching leaves no
crossed pair between two of its orders that both stay open.  Hence what is due in a round is exactly
the pairs that cross at its height, plus what a round before it put off: all of a deferred one, of
a thinned one the pairs of the bids it did not call (`auction.halvings`).  That is what changed,
however full the book.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

import numpy as np

from auction import keys
from auction.arrays import Graph, Integers, make_graph, tie_numbers
from auction.brokers import Tariff, read_broker
from auction.certificate import tie_mark
from auction.edges import Edge, due_bids, unpack_pairs
from auction.halvings import MAX_HALVINGS, read_halvings, split_called
from ledger.errors import Corrupt
from ledger.state import View
from ledger.types import Digest


@dataclass(frozen=True, slots=True, eq=False)
class LiveBook:
    """The graph of one broker's round; bids and asks in ascending order of id.

    The columns hold one row for each pair, ascending by (index of bid, index of ask): both
    indexes, the weight, the first round, both prices and the rounds until it crossed.
    """

    broker: bytes
    version: int
    """Of the broker's tariff: orders under different ones never meet."""
    tariff: Tariff
    bids: tuple[Digest, ...]
    asks: tuple[Digest, ...]
    bid: Integers
    ask: Integers
    weight: Integers
    terms: Integers
    """Per pair a row of due, bid price, ask price, rounds."""
    halvings: int = 0
    """Which bids the round calls."""
    uncalled: tuple[Digest, ...] = ()
    """Bids with a due pair that were not called, ascending; none without a draw."""

    @property
    def key(self) -> bytes:
        """The book as it stands in keys."""
        return keys.book_key(self.broker, self.version)

    @property
    def smaller_side(self) -> int:
        """Most trades the round can hold."""
        return min(len(self.bids), len(self.asks))

    @property
    def labels_on_asks(self) -> bool:
        """Whether sealed labels are the sellers' (else the buyers')."""
        return self.tariff.pricing != "core_seller"

    @property
    def pair_count(self) -> int:
        """Pairs of the round."""
        return len(self.weight)

    def find(self, places: Sequence[tuple[int, int]]) -> list[int]:
        """Return the rows of pairs (index of bid, index of ask), -1 where there is no such pair."""
        if not places or not self.pair_count:
            return [-1] * len(places)
        width = len(self.asks)
        codes = self.bid * width + self.ask
        wanted = np.array([bid * width + ask for bid, ask in places], dtype=np.int64)
        rows = np.minimum(np.searchsorted(codes, wanted), len(codes) - 1)
        found: list[int] = np.where(codes[rows] == wanted, rows, -1).tolist()
        return [row if min(place) >= 0 else -1 for row, place in zip(found, places, strict=True)]

    def edges_at(self, rows: Sequence[int]) -> list[Edge]:
        """Return the frozen terms of pairs as their bids see them."""
        at = np.array(rows, dtype=np.int64)
        numbers = zip(
            self.ask[at].tolist(), self.weight[at].tolist(), self.terms[at].tolist(), strict=True
        )
        return [Edge(self.asks[ask], weight, *terms) for ask, weight, terms in numbers]


@dataclass(frozen=True, slots=True)
class Draw:
    """What decides which bids a round calls: the seed of its block, and how crowded the block is.

    `crowding` are halvings of all rounds of a block, beside those that each book has of its own.
    """

    seed: bytes
    crowding: int = 0


@dataclass(frozen=True, slots=True)
class DueBook:
    """A book with something to clear: its key, its tariff, the bids that are due, ascending."""

    key: bytes
    tariff: Tariff
    bids: tuple[Digest, ...]


def due_books(view: View, height: int) -> Iterator[DueBook]:
    """Yield the books with something to clear at a height, ascending by broker, then version."""
    for key, entries in groupby(due_bids(view, height), key=lambda entry: entry[0]):
        record = read_broker(view, key[:32].hex())
        if record is None:
            raise Corrupt(f"a book without its broker {key[:32].hex()}")
        if record.status == "active":  # else it is frozen: its orders are being closed
            tariff = record.tariff_of(int.from_bytes(key[32:], "big"))
            yield DueBook(key, tariff, tuple(bid for _, bid in entries))


def live_books(view: View, height: int) -> Iterator[LiveBook]:
    """Yield all that is due at a height, whoever the draw of its block will call."""
    for due in due_books(view, height):
        yield live_book(view, due, height)


def live_book(view: View, due: DueBook, height: int, draw: Draw | None = None) -> LiveBook:
    """Return the graph of a book: of the bids that the draw calls, without a draw of all."""
    halvings, bids = read_halvings(view, due.key), due.bids
    uncalled: tuple[Digest, ...] = ()
    if draw is not None:
        halvings = min(halvings + draw.crowding, MAX_HALVINGS)
        called, uncalled = split_called(draw.seed, due.key[:32], bids, halvings)
        bids = tuple(bid for bid, each in zip(bids, called, strict=True) if each)
    place = (due.key[:32], int.from_bytes(due.key[32:], "big"), due.tariff)
    whole = _live_book(place, bids, _records(view, bids), height)
    return replace(whole, halvings=halvings, uncalled=uncalled)


def _records(view: View, bids: Sequence[Digest]) -> list[bytes]:
    records = []
    for bid in bids:
        stored = view.get(keys.EDGE + bid)
        if stored is None:
            raise Corrupt(f"bid {bid.hex()} is due without a pair")
        records.append(stored)
    return records


def _live_book(
    place: tuple[bytes, int, Tariff],
    bids: tuple[Digest, ...],
    records: Sequence[bytes],
    height: int,
) -> LiveBook:
    counts, others, numbers = unpack_pairs(records)
    bid = np.repeat(np.arange(len(bids), dtype=np.int64), counts)
    live = numbers[:, 1] <= height
    if not bool(live.all()):
        others = [others[row] for row in np.flatnonzero(live).tolist()]
        bid, numbers = bid[live], numbers[live]
    asks = tuple(sorted(dict.fromkeys(others)))
    number = {ask: index for index, ask in enumerate(asks)}
    ask = np.array([number[other] for other in others], dtype=np.int64)
    order = np.argsort(bid * len(asks) + ask, kind="stable")
    numbers = numbers[order]
    return LiveBook(*place, bids, asks, bid[order], ask[order], numbers[:, 0], numbers[:, 1:])


def graph_of(book: LiveBook, seed: bytes) -> Graph:
    """Return the graph with ties in its weights, the labelled side on the right."""
    bid_marks = [tie_mark(seed, book.broker, bid) for bid in book.bids]
    ask_marks = [tie_mark(seed, book.broker, ask) for ask in book.asks]
    numbers = tie_numbers(
        np.array(bid_marks, dtype=np.uint64)[book.bid],
        np.array(ask_marks, dtype=np.uint64)[book.ask],
    )
    bids, asks = len(book.bids), len(book.asks)
    if book.labels_on_asks:
        return make_graph(book.bid, book.ask, book.weight, numbers, (bids, asks))
    return make_graph(book.ask, book.bid, book.weight, numbers, (asks, bids))
