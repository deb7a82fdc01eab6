"""Pairing new orders with the book, at the end of the block that brought them.

An order sent in block h joins the book when block h closes, so round h cannot be touched by it and
its first round is h + 1.  Orders are served in the order of their heights and, within one height,
of their ids, which are digests: neither the builder nor a sender's haste decides.

Every possible pair with the open orders of the other side is valued once, here.  An order keeps
its `degree_cap` heaviest pairs (ties: the lower id).  At a neighbour that keeps as many already, a
pair replaces the neighbour's lightest (ties: the higher id) only if it is heavier; otherwise the
next lighter candidate is tried.  So a flood of junk cannot crowd out a good order, and the graph
a round works on has at most `degree_cap` pairs per order.

The work of one block is bounded by the number of pairs valued, and what else it takes is counted in
pairs as well: reading a side of a book, which an arrival does that finds it unread in this block,
and places in the queue that are empty by now.  All is reckoned from counts in the state before the
work is done, so it is the same on every node, whatever it has in memory.  Who does not fit waits
for the next block; an arrival too large for any is served alone.

An order whose pairs have all gone is paired anew: it keeps its admission, and with it the frozen
terms of its pairs, which depend on the two orders only.
"""

from collections.abc import Iterator

from msgspec.structs import replace

from auction import keys
from auction.actions import Ask, Bid
from auction.appraisal import FEW, Asks, Bids, quotes_of
from auction.book_sides import Side, pack
from auction.brokers import Tariff, read_broker
from auction.classes import ClassBook
from auction.edges import Edge, has_edges, is_full, lightest_edge, link, queue, unlink
from auction.orders import (
    OpenOrder,
    read_order,
    row_key,
    side_counts,
    write_order,
)
from auction.pairing import AskSide, BidSide, ladder_rounds
from auction.parameters import MarketParameters
from auction.pricing import Quote
from ledger.errors import Corrupt
from ledger.execution import BlockContext
from ledger.state import Overlay
from ledger.types import Digest

ARRIVAL_PAIRS = 40
"""What an arrival takes by itself (its record, its path, its places), in pairs valued."""

ARRAY_PAIRS = 80
"""What it takes besides against more orders than FEW: `auction.appraisal` sets out its arrays."""

ORDERS_READ_FOR_A_PAIR = 10
"""How many orders of a side are read and prepared in the time a pair takes."""

RUNGS_FOR_A_PAIR = 500
"""How many prices of their paths are worked out in that time, where prices move."""

BOOK_SHARE = 4
"""A book takes this part of a block's work before the others had theirs."""

PAUSED_ARRIVALS = 1_000
"""How many arrivals beyond the share of their book are looked past for those of other books."""

_Arrival = tuple[bytes, Digest, OpenOrder]


def admit_arrivals(context: BlockContext, overlay: Overlay, market: MarketParameters) -> None:
    """Pair the orders that wait, as many as the work bound of a block allows.

    Oldest first, but one book cannot keep the others waiting: beyond its share its arrivals are
    looked past, and what is left of the block's work is theirs afterwards.
    """
    desk = _Desk(context, overlay, market)
    paused: list[_Arrival] = []
    for key, _ in overlay.scan(keys.ARRIVAL):
        order = key[len(keys.ARRIVAL) + keys.HEIGHT_BYTES :]
        record = read_order(overlay, order)
        if (
            record is None
            or (record.admitted and has_edges(overlay, order))
            or desk.book_of(record) is None
        ):
            overlay.delete(key)
            if not desk.count_empty():
                break
        elif not desk.admit((key, order, record), market.pairs_per_block // BOOK_SHARE):
            paused.append((key, order, record))
            if desk.is_full or len(paused) == PAUSED_ARRIVALS:
                break
    for arrival in paused:
        if not desk.admit(arrival, market.pairs_per_block):
            return


class _Desk:
    """The books of a block and what was spent on them."""

    def __init__(self, context: BlockContext, overlay: Overlay, market: MarketParameters) -> None:
        self.context, self.overlay, self.market = context, overlay, market
        self.is_full = False
        self._books: dict[bytes, _Book | ClassBook | None] = {}
        self._spent: dict[bytes, int] = {}
        self._total = 0

    def book_of(self, record: OpenOrder) -> "_Book | ClassBook | None":
        """Return the book an order is under, None where it is frozen."""
        if record.book not in self._books:
            book = _open_book(self.overlay, record, self.market, self.context.height)
            self._books[record.book] = book
        return self._books[record.book]

    def count_empty(self) -> bool:
        """Count a place of the queue that nobody waits in; False where the block is full."""
        self._total += 1
        return self._total < self.market.pairs_per_block

    def admit(self, arrival: _Arrival, share: int) -> bool:
        """Pair one arrival; False if its book would pass `share`, or all of them the bound."""
        key, order, record = arrival
        overlay, height = self.overlay, self.context.height
        book = self.book_of(record)
        if book is None:
            raise AssertionError("an order of a frozen book is not admitted")
        cost = ARRIVAL_PAIRS + book.work_against(record)
        own = self._spent.get(record.book, 0)
        self.is_full = bool(self._total) and self._total + cost > self.market.pairs_per_block
        if self.is_full or (own and own + cost > share):
            return False
        self._spent[record.book] = own + cost
        self._total += cost
        overlay.delete(key)
        if not record.admitted:
            record = replace(record, admitted=height)
            write_order(overlay, order, record)
            book.join(order, record)
        book.keep_heaviest(order, record)
        return True


def _open_book(
    overlay: Overlay, record: OpenOrder, market: MarketParameters, height: int
) -> "_Book | ClassBook | None":
    """Return the book an order is under, None where its broker is suspended."""
    broker = read_broker(overlay, record.terms.broker)
    if broker is None:
        raise Corrupt(f"an open order names {record.terms.broker}, which is no broker")
    if broker.status != "active":
        return None
    tariff = broker.tariff_of(record.tariff)
    if tariff.pricing == "mcafee":
        return ClassBook(overlay, tariff, height + 1)
    return _Book(overlay, record.book, tariff, market, height)


def _pairing_work(count: int) -> int:
    return count if count <= FEW else count + ARRAY_PAIRS


class _Book:
    """Both sides of one book, as far as this block has looked at them."""

    def __init__(
        self, overlay: Overlay, place: bytes, tariff: Tariff, market: MarketParameters, height: int
    ) -> None:
        self.overlay, self.key, self.tariff = overlay, place, tariff
        self.next_round = height + 1
        self.degree_cap = market.degree_cap
        self._rungs = ladder_rounds(tariff, market) if tariff.weights == "spread" else 0
        self._bids: Bids | None = None
        self._asks: Asks | None = None

    @property
    def bids(self) -> Bids:
        """The admitted bids."""
        if self._bids is None:
            self._bids = Side(keys.BIDS, self._rows(keys.BIDS), self._bid)
        return self._bids

    @property
    def asks(self) -> Asks:
        """The admitted asks."""
        if self._asks is None:
            self._asks = Side(keys.ASKS, self._rows(keys.ASKS), self._ask)
        return self._asks

    def _rows(self, which: bytes) -> Iterator[tuple[Digest, bytes]]:
        prefix = keys.ROW + self.key + which
        return ((key[len(prefix) :], row) for key, row in self.overlay.scan(prefix))

    def _bid(self, order: Digest) -> BidSide:
        record = read_order(self.overlay, order)
        if record is None or not isinstance(record.terms, Bid):
            raise Corrupt(f"bid {order.hex()} has a row and is not open")
        return BidSide(record, record.terms)

    def _ask(self, order: Digest) -> AskSide:
        record = read_order(self.overlay, order)
        if record is None or not isinstance(record.terms, Ask):
            raise Corrupt(f"ask {order.hex()} has a row and is not open")
        return AskSide(record, record.terms)

    def work_against(self, record: OpenOrder) -> int:
        """Return what pairing an order takes, in pairs, without looking at the other side.

        As long as nobody has read that side in this block, that is done first; it holds at most
        what the broker has open on it under all versions of its tariff.
        """
        is_bid = record.side == "bid"
        read = self._asks if is_bid else self._bids
        if read is not None:
            return _pairing_work(len(read.orders))
        bids, asks = side_counts(self.overlay, self.key[:32])
        count = asks if is_bid else bids
        rungs = -(-count * self._rungs // RUNGS_FOR_A_PAIR)
        return _pairing_work(count) + -(-count // ORDERS_READ_FOR_A_PAIR) + rungs

    def join(self, order: Digest, record: OpenOrder) -> None:
        """Take an order just admitted into its side; a side not read yet will find its row."""
        row = pack(record)
        own: Bids | Asks | None = self._bids if record.side == "bid" else self._asks
        self.overlay.put(row_key(record, order), row)
        if own is not None:
            own.append(order, row)

    def candidates(self, order: Digest, record: OpenOrder) -> Iterator[tuple[Digest, Quote]]:
        """Yield the pairs of an order with the other side, heaviest first, then the lower id."""
        own = [(order, pack(record))]
        if record.side == "bid":
            bids, asks = Side(keys.BIDS, own, self._bid), self.asks
            return quotes_of(self.tariff, bids, asks, asks.orders)
        bids, asks = self.bids, Side(keys.ASKS, own, self._ask)
        return quotes_of(self.tariff, bids, asks, bids.orders)

    def keep_heaviest(self, order: Digest, record: OpenOrder) -> None:
        """Link an admitted order to its heaviest counterparties that take it."""
        if not (self.asks if record.side == "bid" else self.bids).orders:
            return
        is_bid = record.side == "bid"
        kept = 0
        for other, quote in self.candidates(order, record):
            if kept == self.degree_cap:
                return
            if not self._make_room(other, quote.weight, is_bid=not is_bid):
                continue
            bid, ask = (order, other) if is_bid else (other, order)
            due = max(quote.crossed, self.next_round)
            edge = Edge(ask, quote.weight, due, quote.bid, quote.ask, quote.rounds)
            link(self.overlay, self.key, bid, edge, self.next_round)
            kept += 1

    def _make_room(self, order: Digest, weight: int, *, is_bid: bool) -> bool:
        """Say whether an order takes one more pair, dropping its lightest for a heavier one."""
        if not is_full(self.overlay, order, self.degree_cap):
            return True
        other = lightest_edge(self.overlay, order, weight)
        if other is None:
            return False
        bid, ask = (order, other) if is_bid else (other, order)
        unlink(self.overlay, self.key, bid, ask, self.next_round)
        if not has_edges(self.overlay, other):
            queue(self.overlay, other, self.next_round)
        return True
