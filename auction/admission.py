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

from msgspec.structs import replace

from auction import keys
from auction.actions import Ask, Bid
from auction.brokers import read_broker
from auction.edges import Edge, has_edges, link, queue, read_edges, unlink
from auction.orders import OpenOrder, orders_of_side, read_order, write_order
from auction.pairing import AskSide, BidSide, evaluate
from auction.parameters import MarketParameters
from auction.pricing import Quote
from ledger.errors import Corrupt
from ledger.execution import BlockContext
from ledger.state import Overlay
from ledger.types import Digest


def admit_arrivals(context: BlockContext, overlay: Overlay, market: MarketParameters) -> None:
    """Pair the orders that wait, as many as the work bound of a block allows."""
    books: dict[bytes, _Book] = {}
    spent = 0
    for key, _ in overlay.scan(keys.ARRIVAL):
        order = key[len(keys.ARRIVAL) + keys.HEIGHT_BYTES :]
        record = read_order(overlay, order)
        if record is None or (record.admitted and has_edges(overlay, order)):
            overlay.delete(key)
            continue
        broker = bytes.fromhex(record.terms.broker)
        book = books.get(broker)
        if book is None:
            book = books[broker] = _Book(overlay, broker, market, context.height + 1)
        cost = book.size_against(record)
        if spent and spent + cost > market.pairs_per_block:
            return
        spent += cost
        overlay.delete(key)
        if not record.admitted:
            record = replace(record, admitted=context.height)
            write_order(overlay, order, record)
        book.join(order, record)
        book.keep_heaviest(order)


class _Book:
    """Both sides of one book, prepared, as far as this block has looked at them."""

    def __init__(
        self, overlay: Overlay, broker: bytes, market: MarketParameters, next_round: int
    ) -> None:
        record = read_broker(overlay, broker.hex())
        if record is None:
            raise Corrupt(f"an open order names {broker.hex()}, which is no broker")
        self.overlay, self.broker, self.next_round = overlay, broker, next_round
        self.tariff = record.tariff
        self.degree_cap = market.degree_cap
        self._bids: dict[Digest, BidSide] | None = None
        self._asks: dict[Digest, AskSide] | None = None

    @property
    def bids(self) -> dict[Digest, BidSide]:
        """The admitted bids."""
        if self._bids is None:
            self._bids = {
                order: self._bid(record)
                for order, record in orders_of_side(self.overlay, self.broker, keys.BIDS)
                if record.admitted
            }
        return self._bids

    @property
    def asks(self) -> dict[Digest, AskSide]:
        """The admitted asks."""
        if self._asks is None:
            self._asks = {
                order: self._ask(record)
                for order, record in orders_of_side(self.overlay, self.broker, keys.ASKS)
                if record.admitted
            }
        return self._asks

    @staticmethod
    def _bid(record: OpenOrder) -> BidSide:
        if not isinstance(record.terms, Bid):
            raise Corrupt("an ask among the bids")
        return BidSide(record, record.terms)

    @staticmethod
    def _ask(record: OpenOrder) -> AskSide:
        if not isinstance(record.terms, Ask):
            raise Corrupt("a bid among the asks")
        return AskSide(record, record.terms)

    def size_against(self, record: OpenOrder) -> int:
        """Return how many open orders stand on the other side."""
        return len(self.asks) if record.side == "bid" else len(self.bids)

    def join(self, order: Digest, record: OpenOrder) -> None:
        """Take an order into its side."""
        if record.side == "bid":
            self.bids[order] = self._bid(record)
        else:
            self.asks[order] = self._ask(record)

    def candidates(self, order: Digest) -> list[tuple[Digest, Quote]]:
        """Return all pairs of an order that joined, the heaviest first, then the lower id."""
        found: list[tuple[Digest, Quote]] = []
        bid = self.bids.get(order)
        if bid is not None:
            for other, ask in self.asks.items():
                quote = evaluate(bid, ask, self.tariff)
                if quote is not None:
                    found.append((other, quote))
        else:
            own = self.asks[order]
            for other, bid in self.bids.items():
                quote = evaluate(bid, own, self.tariff)
                if quote is not None:
                    found.append((other, quote))
        found.sort(key=lambda entry: (-entry[1].weight, entry[0]))
        return found

    def keep_heaviest(self, order: Digest) -> None:
        """Link an order that joined to its heaviest counterparties that take it."""
        is_bid = order in self.bids
        kept = 0
        for other, quote in self.candidates(order):
            if kept == self.degree_cap:
                return
            if not self._make_room(other, quote.weight, is_bid=not is_bid):
                continue
            bid, ask = (order, other) if is_bid else (other, order)
            due = max(quote.crossed, self.next_round)
            edge = Edge(ask, quote.weight, due, quote.bid, quote.ask, quote.rounds)
            link(self.overlay, self.broker, bid, edge, self.next_round)
            kept += 1

    def _make_room(self, order: Digest, weight: int, *, is_bid: bool) -> bool:
        """Say whether an order takes one more pair, dropping its lightest for a heavier one."""
        held = read_edges(self.overlay, order)
        if len(held) < self.degree_cap:
            return True
        lightest = min(held, key=lambda edge: (edge.weight, -int.from_bytes(edge.other, "big")))
        if weight <= lightest.weight:
            return False
        bid, ask = (order, lightest.other) if is_bid else (lightest.other, order)
        unlink(self.overlay, self.broker, bid, ask, self.next_round)
        if not has_edges(self.overlay, lightest.other):
            queue(self.overlay, lightest.other, self.next_round)
        return True
