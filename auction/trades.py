"""Carrying out the trades of a round: money, orders, agreements, events."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from auction.actions import Ask, Bid
from auction.agreements import Agreement, open_agreement
from auction.brokers import Tariff
from auction.edges import Edge, unlink_all
from auction.keys import book_key
from auction.orders import OpenOrder, read_order, remove
from auction.parameters import MarketParameters
from auction.settlement import Pair, Settlement, chain_share, settle
from auction.valuation import cost_of_service, value_of_service
from ledger.accounts import POOL, credit, pot_credit, release, spend_reserved
from ledger.errors import Corrupt
from ledger.state import Event, Overlay
from ledger.types import Digest

UNCALLED_NAMED = 500
"""Orders not called that the event of a round names: a thinned book has one in every block."""


@dataclass(frozen=True, slots=True)
class Trade:
    """A matched pair: its orders, its frozen terms, the label of its labelled side."""

    bid: Digest
    ask: Digest
    edge: Edge
    label: int
    class_prices: tuple[int, int] = (0, 0)
    """Under `mcafee`: what each buyer pays and each seller gets, before fees."""


class Round(Protocol):
    """What carrying out the trades of a book or a class needs to know of it."""

    @property
    def broker(self) -> bytes:
        """The broker, 32 bytes."""

    @property
    def version(self) -> int:
        """The version of its tariff."""

    @property
    def tariff(self) -> Tariff:
        """The tariff of that version."""


def carry_out(
    overlay: Overlay, height: int, book: Round, trades: Sequence[Trade], market: MarketParameters
) -> None:
    """Settle proven trades, close their orders, open their agreements."""
    bids, asks = [trade.bid for trade in trades], [trade.ask for trade in trades]
    unlink_all(overlay, book_key(book.broker, book.version), bids, asks, height + 1)
    for trade in trades:
        buyer, bid = _bid_order(overlay, trade.bid)
        seller, ask = _ask_order(overlay, trade.ask)
        pair = frozen_pair(trade, (buyer, bid), (seller, ask))
        settlement = settle(book.tariff, pair)
        chain = chain_share(settlement.broker, market.chain_share_ppm)
        spend_reserved(overlay, buyer.owner, settlement.broker)
        credit(overlay, bid.broker, settlement.broker - chain)
        pot_credit(overlay, POOL, chain)
        release(overlay, buyer.owner, buyer.reserved_micro - settlement.paid)
        release(overlay, seller.owner, seller.reserved_micro)
        for order, record in ((trade.bid, buyer), (trade.ask, seller)):
            remove(overlay, order, record, "matched")
        agreement = open_agreement(
            overlay,
            Agreement(
                bid=trade.bid.hex(),
                ask=trade.ask.hex(),
                buyer=buyer.owner,
                seller=seller.owner,
                broker=bid.broker,
                resources=ask.resources,
                start=height,
                end=height + bid.service_blocks,
                held_micro=settlement.received,
            ),
        )
        _report(overlay, (agreement, height), book, trade, (buyer, seller), (pair, settlement))


def _bid_order(overlay: Overlay, order: Digest) -> tuple[OpenOrder, Bid]:
    record = read_order(overlay, order)
    if record is None or not isinstance(record.terms, Bid):
        raise Corrupt(f"no open bid {order.hex()}")
    return record, record.terms


def _ask_order(overlay: Overlay, order: Digest) -> tuple[OpenOrder, Ask]:
    record = read_order(overlay, order)
    if record is None or not isinstance(record.terms, Ask):
        raise Corrupt(f"no open ask {order.hex()}")
    return record, record.terms


def frozen_pair(trade: Trade, buyer: tuple[OpenOrder, Bid], seller: tuple[OpenOrder, Ask]) -> Pair:
    """Return the pair with the value and cost both orders state, to assert against."""
    (wanting, bid), (offering, ask) = buyer, seller
    value = value_of_service(bid, offering.resource, wanting.resource)
    cost = cost_of_service(ask.cost, bid.theta_milli, bid.service_blocks, bid.interval_blocks)
    if cost is None:
        raise AssertionError("a pair out of bounds was an edge")
    edge = trade.edge
    terms = (edge.bid, edge.ask, edge.rounds, trade.label)
    return Pair(value, cost, *terms, trade.class_prices)


def _report(
    overlay: Overlay,
    place: tuple[Digest, int],
    book: Round,
    trade: Trade,
    parties: tuple[OpenOrder, OpenOrder],
    money: tuple[Pair, Settlement],
) -> None:
    (agreement, height), (buyer, seller), (pair, settlement) = place, parties, money
    labels = labels_of(book.tariff, trade)
    service_blocks = buyer.terms.service_blocks if isinstance(buyer.terms, Bid) else 0
    overlay.emit(
        Event(
            kind="trade.made",
            accounts=(buyer.owner, seller.owner, buyer.terms.broker),
            data={
                "agreement": agreement.hex(),
                "bid": trade.bid.hex(),
                "ask": trade.ask.hex(),
                "buyer": buyer.owner,
                "seller": seller.owner,
                "broker": buyer.terms.broker,
                "tariff": book.version,
                "height": height,
                "start": height,
                "end": height + service_blocks,
                "bid_micro": pair.bid,
                "ask_micro": pair.ask,
                "price_micro": settlement.price,
                "paid_micro": settlement.paid,
                "received_micro": settlement.received,
                "broker_micro": settlement.broker,
                "fee_micro": settlement.fee,
                "rounds": pair.rounds,
                "value_micro": pair.value,
                "cost_micro": pair.cost,
                "weight_micro": trade.edge.weight,
                "buyer_label_micro": labels[0],
                "seller_label_micro": labels[1],
            },
        )
    )


def labels_of(tariff: Tariff, trade: Trade) -> tuple[int, int]:
    """Return the labels of buyer and seller; a class has none."""
    if tariff.pricing == "mcafee":
        return 0, 0
    other = trade.edge.weight - trade.label
    return (trade.label, other) if tariff.pricing == "core_seller" else (other, trade.label)


UNMATCHED_LISTED = 100
"""Orders a side that the event of a round lists among those left over; it counts all of them."""


@dataclass(frozen=True, slots=True)
class Tally:
    """What a round had to clear: how many orders of each side, and pairs of them that fit."""

    bids: int
    asks: int
    edges: int
    crossed: tuple[Sequence[Digest], Sequence[Digest]]
    """The bids and the asks that could have traded, ascending by id."""
    service_class: int = 0
    """1 for the first class of a `mcafee` book, and so on; 0 for any other book."""
    halvings: int = 0
    uncalled: Sequence[Digest] = ()
    """Orders that were due and not called."""


def report_round(
    overlay: Overlay,
    height: int,
    book: Round,
    tally: Tally,
    trades: Sequence[Trade],
    *,
    deferred: bool,
) -> None:
    """Say how a book or a class cleared, and who could have traded and found no partner.

    `unmatched` lists the first UNMATCHED_LISTED such orders of each side, bids first, each side
    ascending by id, so that the event of the fullest book stays small; `unmatched_count` counts
    them all.
    """
    matched = {trade.bid: None for trade in trades} | {trade.ask: None for trade in trades}
    left = [[order for order in side if order not in matched] for side in tally.crossed]
    unmatched = [order.hex() for side in left for order in side[:UNMATCHED_LISTED]]
    overlay.emit(
        Event(
            kind="round.cleared",
            accounts=(book.broker.hex(),),
            data={
                "broker": book.broker.hex(),
                "tariff": book.version,
                "service_class": tally.service_class,
                "height": height,
                "bids": tally.bids,
                "asks": tally.asks,
                "edges": tally.edges,
                "trades": len(trades),
                "weight_micro": sum(trade.edge.weight for trade in trades),
                "deferred": int(deferred),
                "unmatched": unmatched,
                "unmatched_count": sum(len(side) for side in left),
                "halvings": tally.halvings,
                "uncalled": len(tally.uncalled),
                "uncalled_orders": [order.hex() for order in tally.uncalled[:UNCALLED_NAMED]],
            },
        )
    )
