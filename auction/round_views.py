"""Documents of rounds that a block sealed: pairs, prices, labels, who lost and to whom.

Pure reads, as in `auction/views.py`, over one block: its sealed bytes, its events, and the state
before it.  The document is made once, when the block becomes final, because the pairs of that
round are in no later state.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from auction.book_views import curves
from auction.brokers import read_broker
from auction.class_views import class_service, is_reduced, left_out, standing
from auction.edges import Edge, read_edges
from auction.mcafee import SealedClass
from auction.orders import read_order
from auction.sealed import SealedBook, decode_clearing
from auction.views import Document, integer, plain
from ledger.state import Event, View

EDGES_SHOWN = 64
"""Pairs of a book up to which a round's document lists all it considered, not only their number."""

_TOTALS = (
    "paid_micro",
    "received_micro",
    "broker_micro",
    "fee_micro",
    "value_micro",
    "cost_micro",
    "weight_micro",
)


@dataclass(frozen=True, slots=True)
class _Round:
    """One book or class of a round: what was sealed, what was told, who was matched with whom."""

    before: View
    height: int
    seed: bytes
    book: SealedBook | SealedClass
    summary: Mapping[str, object]
    trades: Mapping[str, Mapping[str, object]]
    """Bid -> what its trade told."""
    withdrawn: Collection[str]
    """Orders the block itself took out of the round before it."""
    labels: dict[str, tuple[str, int]] = field(default_factory=dict)
    """Matched order -> its partner and its own label."""

    def learn(self) -> None:
        """Note the labels of both sides of every pair."""
        for pair in self.book.pairs:
            trade = self.trades.get(pair.bid, {})
            for own, other, name in (
                (pair.bid, pair.ask, "buyer_label_micro"),
                (pair.ask, pair.bid, "seller_label_micro"),
            ):
                self.labels[own] = (other, integer(trade, name))

    @property
    def unmatched(self) -> list[str]:
        """Orders that had a crossed pair and found no partner, as many as the event lists."""
        found = self.summary.get("unmatched")
        return found if isinstance(found, list) else []


def round_document(
    sealed: bytes, events: Sequence[Event], before: View, height: int, seed: bytes
) -> Document:
    """Return what a block's round did: per book and class its pairs, prices, losers and totals.

    `sealed` and `events` are those of the block of `height`, `before` the state it was built on,
    `seed` is the round's.
    """
    trades = {str(event.data["bid"]): event.data for event in events if event.kind == "trade.made"}
    summaries = {
        (event.data["broker"], event.data["tariff"], event.data["service_class"]): event.data
        for event in events
        if event.kind == "round.cleared"
    }
    withdrawn = dict.fromkeys(_withdrawn(events))
    clearing = decode_clearing(sealed)
    parts: list[tuple[str, SealedBook | SealedClass, int]]
    parts = [("books", part, 0) for part in clearing.books]
    parts += [("classes", part, part.number + 1) for part in clearing.classes]
    found: dict[str, list[Document]] = {"books": [], "classes": []}
    for where, part, number in parts:
        summary = summaries.get((part.broker, part.tariff, number), {})
        one = _Round(before, height, seed, part, summary, trades, withdrawn)
        one.learn()
        found[where].append(_book_document(one))
    return {**found}


def _withdrawn(events: Sequence[Event]) -> Iterator[str]:
    """Yield the orders a block repriced or closed before its round."""
    for event in events:
        closed = event.kind == "order.closed" and event.data["reason"] not in ("matched", "expired")
        if closed or event.kind == "order.repriced":
            yield str(event.data["order"])


def _book_document(one: _Round) -> Document:
    book = one.book
    made = [one.trades[pair.bid] for pair in book.pairs if pair.bid in one.trades]
    totals = {name: sum(integer(trade, name) for trade in made) for name in _TOTALS}
    totals["welfare_micro"] = totals["value_micro"] - totals["cost_micro"]
    # What the buyers pay beyond what sellers and broker get: nothing, on every trade.
    totals["balance_micro"] = (
        totals["paid_micro"] - totals["received_micro"] - totals["broker_micro"]
    )
    matching = isinstance(book, SealedBook)
    document: Document = {
        **one.summary,
        **plain(book),
        "pairs": [{**plain(pair), **one.trades.get(pair.bid, {})} for pair in book.pairs],
        "totals": totals,
        "outbid": _outbid(one) if matching and not book.deferred else [],
        "considered": _considered(one, [pair.bid for pair in book.pairs]) if matching else [],
    }
    record = read_broker(one.before, book.broker)
    if record is None:
        return document
    tariff = record.tariff_of(book.tariff)
    number = 0 if isinstance(book, SealedBook) else book.number + 1
    part, broker = (book.tariff, number), bytes.fromhex(book.broker)
    document["terms"] = plain(tariff)
    document["curves"] = curves(one.before, broker, record, part, one.height)
    if isinstance(book, SealedClass):
        found = standing(one.before, book, tariff, one.withdrawn, one.seed)
        document["service"] = class_service(tariff, book.number)
        document["reduced"] = is_reduced(book, found)
        document["outbid"] = left_out(one.before, book, found)
    return document


def _outbid(one: _Round) -> list[Document]:
    """Say of each order listed as left over to whom its nearest partner went, and how far behind.

    By the sealed labels a partner is worth `label` in this round; the order's own pair with it
    weighs `weight`, so it lacked at least `label - weight`: 0 for the next in line.  It was behind
    the winner's pair by `behind`, and that much more would have been enough: 0 is a draw.
    """
    weights = {bid: integer(trade, "weight_micro") for bid, trade in one.trades.items()}
    found = []
    for order in one.unmatched:
        near: tuple[int, int, Edge] | None = None
        for edge in _live(one, order):
            partner = edge.other.hex()
            if partner in one.labels:
                winner, label = one.labels[partner]
                won = weights.get(partner, weights.get(winner, 0))
                gap = (label - edge.weight, won - edge.weight, edge)
                if near is None or gap[:2] < near[:2]:
                    near = gap
        entry = read_order(one.before, bytes.fromhex(order))
        if near is None or entry is None:
            continue
        lacking, behind, edge = near
        partner = edge.other.hex()
        found.append(
            {
                "order": order,
                "side": entry.side,
                "owner": entry.owner,
                "partner": partner,
                "winner": one.labels[partner][0],
                "weight_micro": edge.weight,
                "label_micro": one.labels[partner][1],
                "lacking_micro": max(0, lacking),
                "behind_micro": max(0, behind),
            }
        )
    return found


def _considered(one: _Round, bids: list[str]) -> list[Document]:
    """Return all pairs the round chose among, of a small book; `bids` are those matched.

    As EDGES_SHOWN is less than UNMATCHED_LISTED, all bids of such a book are matched or listed.
    """
    if not 0 < integer(one.summary, "edges") <= EDGES_SHOWN:
        return []
    alive = dict.fromkeys((*one.labels, *one.unmatched))
    bids = list(bids)
    for order in one.unmatched:
        entry = read_order(one.before, bytes.fromhex(order))
        if entry is not None and entry.side == "bid":
            bids.append(order)
    return [
        {
            "bid": bid,
            "ask": edge.other.hex(),
            "weight_micro": edge.weight,
            "bid_micro": edge.bid,
            "ask_micro": edge.ask,
            "crossed": edge.due,
        }
        for bid in bids
        for edge in _live(one, bid)
        if edge.other.hex() in alive
    ]


def _live(one: _Round, order: str) -> list[Edge]:
    edges = read_edges(one.before, bytes.fromhex(order))
    return [edge for edge in edges if edge.due <= one.height]
