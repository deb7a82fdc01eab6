"""What a round has to clear: per broker, the open orders with a crossed pair, and those pairs.

Every pair weighs more than nothing once ties are in the weight, so an optimal matching leaves no
crossed pair between two orders that both stay open.  Hence what a round clears is exactly the
pairs that cross at its height, plus what a deferred round before it left.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

from auction.brokers import Tariff, read_broker
from auction.certificate import combine, tie_number
from auction.edges import Edge, due_bids, read_edges
from auction.matching import Adjacency
from ledger.errors import Corrupt
from ledger.state import View
from ledger.types import Digest


@dataclass(frozen=True, slots=True)
class LiveBook:
    """The graph of one broker's round; bids and asks in ascending order of id."""

    broker: bytes
    tariff: Tariff
    bids: tuple[Digest, ...]
    asks: tuple[Digest, ...]
    edges: dict[tuple[int, int], Edge]
    """By (index of bid, index of ask)."""

    @property
    def smaller_side(self) -> int:
        """Most trades the round can hold."""
        return min(len(self.bids), len(self.asks))

    @property
    def labels_on_asks(self) -> bool:
        """Whether sealed labels are the sellers' (else the buyers')."""
        return self.tariff.pricing != "core_seller"


def live_books(view: View, height: int) -> Iterator[LiveBook]:
    """Yield the books with something to clear at a height, in ascending order of broker."""
    for broker, entries in groupby(due_bids(view, height), key=lambda entry: entry[0]):
        record = read_broker(view, broker.hex())
        if record is None:
            raise Corrupt(f"a book without its broker {broker.hex()}")
        bids = tuple(bid for _, bid in entries)
        live = [
            (index, edge)
            for index, bid in enumerate(bids)
            for edge in read_edges(view, bid)
            if edge.due <= height
        ]
        asks = tuple(sorted({edge.other: None for _, edge in live}))
        place = {ask: index for index, ask in enumerate(asks)}
        edges = {(index, place[edge.other]): edge for index, edge in live}
        yield LiveBook(broker, record.tariff, bids, asks, edges)


def adjacency_of(book: LiveBook, seed: bytes) -> Adjacency:
    """Return the graph with ties in its weights, the labelled side on the right."""
    left_count = len(book.bids) if book.labels_on_asks else len(book.asks)
    adjacency: list[list[tuple[int, int]]] = [[] for _ in range(left_count)]
    smaller = book.smaller_side
    for (bid, ask), edge in book.edges.items():
        number = tie_number(seed, book.broker, book.bids[bid], book.asks[ask])
        weight = combine(edge.weight, number, smaller)
        if book.labels_on_asks:
            adjacency[bid].append((ask, weight))
        else:
            adjacency[ask].append((bid, weight))
    return adjacency
