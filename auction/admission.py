"""Pairing new orders with the book, at the end of the block that brought them.

An order sent in block h joins the book when block h closes, so round h cannot be touched by it and
its first round is h + 1.  Orders are served in the order of their heights and, within one height,
of their ids, which are digests: neither the builder nor a sender's haste decides.

Every possible pair with the open orders of the other side is valued once, here.  An order keeps
its `degree_cap` heaviest pairs (ties: the lower id).  At a neighbour that keeps as many already, a
pair replaces the neighbour's lightest (ties: the higher id) only if it is heavier; otherwise the
next lighter candidate is tried.  So a flood of junk cannot crowd out a good order, and the graph
a round works on has at most `degree_cap` pairs per order.

The work of one block is bounded by the number of pairs valued; who does not fit waits for the next
block.  An order whose pairs have all gone is paired anew: it keeps its admission, and with it the
frozen terms of its pairs, which depend on the two orders only.
"""

from collections.abc import Iterator

from msgspec.structs import replace

from auction import keys
from auction.actions import Bid
from auction.appraisal import (
    Columns,
    ask_columns,
    ask_row,
    bid_columns,
    bid_row,
    quotes_of,
    single,
    values_and_costs,
)
from auction.brokers import Tariff, read_broker
from auction.classes import ClassBook
from auction.crossing import PathColumns, Paths, paths_of
from auction.edges import Edge, has_edges, lightest_edge, link, queue, unlink
from auction.orders import OpenOrder, orders_of_side, read_order, side_byte, write_order
from auction.pairing import AskSide, BidSide
from auction.pairs import Integers
from auction.parameters import MarketParameters
from auction.pricing import Quote
from ledger.errors import Corrupt
from ledger.execution import BlockContext
from ledger.state import Overlay
from ledger.types import Digest

ARRIVAL_PAIRS = 40
"""What an arrival takes by itself (its record, its path, its places), in pairs valued."""


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
        if record is None or (record.admitted and has_edges(overlay, order)):
            overlay.delete(key)
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
        self._books: dict[bytes, _Book | ClassBook] = {}
        self._spent: dict[bytes, int] = {}

    def admit(self, arrival: _Arrival, share: int) -> bool:
        """Pair one arrival; False if its book would pass `share`, or all of them the bound."""
        key, order, record = arrival
        overlay, height = self.overlay, self.context.height
        book = self._books.get(record.book)
        if book is None:
            book = _open_book(overlay, record, self.market, height + 1)
            self._books[record.book] = book
        cost = ARRIVAL_PAIRS + book.size_against(record)
        total, own = sum(self._spent.values()), self._spent.get(record.book, 0)
        self.is_full = bool(total) and total + cost > self.market.pairs_per_block
        if self.is_full or (own and own + cost > share):
            return False
        self._spent[record.book] = own + cost
        overlay.delete(key)
        if not record.admitted:
            record = replace(record, admitted=height)
            write_order(overlay, order, record)
            book.join(order, record)
        book.keep_heaviest(order, record)
        return True


def _open_book(
    overlay: Overlay, record: OpenOrder, market: MarketParameters, next_round: int
) -> "_Book | ClassBook":
    """Return the book an order is under."""
    broker = read_broker(overlay, record.terms.broker)
    if broker is None:
        raise Corrupt(f"an open order names {record.terms.broker}, which is no broker")
    tariff = broker.tariff_of(record.tariff)
    if tariff.pricing == "mcafee":
        return ClassBook(overlay, tariff, next_round)
    return _Book(overlay, record, tariff, market, next_round)


class _Side:
    """The admitted orders of one side, prepared, and what valuation needs of them in columns."""

    __slots__ = ("_paths", "asks", "bids", "columns", "orders")

    def __init__(self, columns: Columns) -> None:
        self.columns = columns
        self._paths = PathColumns()
        self.orders: list[Digest] = []
        self.bids: list[BidSide] = []
        self.asks: list[AskSide] = []

    def paths(self) -> Paths:
        """Return the price paths of all orders, worked out when first asked for."""
        for order in (self.bids or self.asks)[self._paths.count :]:
            self._paths.append(order.path)
        return self._paths.all()


class _Book:
    """Both sides of one book, as far as this block has looked at them."""

    def __init__(
        self,
        overlay: Overlay,
        first: OpenOrder,
        tariff: Tariff,
        market: MarketParameters,
        next_round: int,
    ) -> None:
        self.overlay, self.next_round, self.tariff = overlay, next_round, tariff
        self.broker, self.version = bytes.fromhex(first.terms.broker), first.tariff
        self.key = first.book
        self.degree_cap = market.degree_cap
        self._owners: dict[str, int] = {}
        self._sides: dict[bytes, _Side] = {}

    def side(self, which: bytes) -> _Side:
        """Return the admitted orders of one side."""
        side = self._sides.get(which)
        if side is None:
            side = _Side(bid_columns() if which == keys.BIDS else ask_columns())
            self._sides[which] = side
            for order, record in orders_of_side(self.overlay, self.broker, which):
                if record.admitted and record.tariff == self.version:
                    self._add(side, order, record)
        return side

    def _add(self, side: _Side, order: Digest, record: OpenOrder) -> None:
        owner = self._owners.setdefault(record.owner, len(self._owners))
        side.orders.append(order)
        if isinstance(record.terms, Bid):
            side.bids.append(BidSide(record, record.terms))
            side.columns.append(bid_row(record, record.terms, owner))
        else:
            side.asks.append(AskSide(record, record.terms))
            side.columns.append(ask_row(record, record.terms, owner))

    def size_against(self, record: OpenOrder) -> int:
        """Return how many open orders stand on the other side."""
        return len(self.side(keys.ASKS if record.side == "bid" else keys.BIDS).orders)

    def candidates(self, record: OpenOrder) -> Iterator[tuple[Digest, Quote]]:
        """Yield the pairs of an order with the other side, heaviest first, then the lower id."""
        owner = self._owners.setdefault(record.owner, len(self._owners))
        if isinstance(record.terms, Bid):
            other, bid = self.side(keys.ASKS), BidSide(record, record.terms)
            bids, asks = single(bid_row(record, record.terms, owner)), other.columns.all()

            def pair(row: int) -> tuple[BidSide, AskSide]:
                return bid, other.asks[row]

            def paths(rows: Integers) -> tuple[Paths, Paths]:
                return paths_of([bid.path]), other.paths().take(rows)
        else:
            other, ask = self.side(keys.BIDS), AskSide(record, record.terms)
            bids, asks = other.columns.all(), single(ask_row(record, record.terms, owner))

            def pair(row: int) -> tuple[BidSide, AskSide]:
                return other.bids[row], ask

            def paths(rows: Integers) -> tuple[Paths, Paths]:
                return other.paths().take(rows), paths_of([ask.path])

        worth = values_and_costs(bids, asks, pair)
        return quotes_of(self.tariff, worth, other.orders, pair, paths)

    def join(self, order: Digest, record: OpenOrder) -> None:
        """Take an order just admitted into its side; a side not read yet holds it already."""
        own = self._sides.get(side_byte(record))
        if own is not None:
            self._add(own, order, record)

    def keep_heaviest(self, order: Digest, record: OpenOrder) -> None:
        """Link an admitted order to its heaviest counterparties that take it."""
        if not self.size_against(record):
            return
        is_bid = record.side == "bid"
        kept = 0
        for other, quote in self.candidates(record):
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
        full = lightest_edge(self.overlay, order, self.degree_cap)
        if full is None:
            return True
        least, other = full
        if weight <= least:
            return False
        bid, ask = (order, other) if is_bid else (other, order)
        unlink(self.overlay, self.key, bid, ask, self.next_round)
        if not has_edges(self.overlay, other):
            queue(self.overlay, other, self.next_round)
        return True
