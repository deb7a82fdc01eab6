"""Verify my trade: a deal proven from headers, by whoever holds them, with no node trusted.

What a trade rests on stands in three places: the sealed round under its own header; the orders,
the pairs they kept and the broker's tariff in the state *before* the block; what the block closed
in the state after it.  The state before is gone once the block is merged; `needed_keys` says which
of its entries to keep for later (`ledger/witness.py`).  `verify_trade` is the client's side: it is
handed entries that were proven under the two roots, and shows

- that the pair stands in the sealed round, at this label;
- that its price, what was paid and received, and every other figure of `trade.made` follow from
  the pair's frozen terms, its label and the tariff;
- that w = u + p, and that the unlabelled party would gain no more with any other pair it kept:
  w' - p' <= u for all of them (an order that found no partner has the label 0).

One case needs care.  The record of pairs is that of the parent's state, but an order may be
withdrawn by the very block, before its round.  Such a pair does not count, and that it was
withdrawn is proven too: it was not matched, and afterwards its record says that it was sent anew by
this block, or is gone while its last round was still to come.  If that round was this one, it would
be gone in any case (orders expire after the round): then the transaction that cancelled it must be
shown.

"Optimal" is meant for the pairs kept in the state.  Of orders no builder let in nothing is said.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from auction import keys
from auction.actions import Ask, Bid
from auction.agreements import agreement_id
from auction.brokers import Tariff, broker_key, decode_broker
from auction.edges import Edge, decode_edges, other_orders
from auction.orders import OpenOrder, decode_order, record_key
from auction.sealed import SealedBook, SealedPair, decode_clearing
from auction.settlement import settle
from auction.trades import Trade, frozen_pair
from ledger.errors import ProofFailed, Rejected
from ledger.types import Address, Digest

PROVEN_TRADES = 4_096
"""Most trades of one block whose proof is kept, the first ones."""

ORDER_BYTES = 32

Figures = dict[str, str | int]
Read = Callable[[bytes], bytes | None]


class NeededKeys(NamedTuple):
    """State keys of a proof: under the parent's root, and under the block's own."""

    before: tuple[bytes, ...]
    after: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class ProvenTrade:
    """A trade that holds.  Micro-tokens."""

    figures: Figures
    """All fields of the event `trade.made`, recomputed."""
    pricing: str
    gain_micro: int
    """What the unlabelled party gains: u of its pair."""
    next_best_micro: int
    """The most it would have gained with another pair, 0 without any."""
    pairs: int
    """Pairs of it that were held against the labels."""
    withdrawn: tuple[str, ...]
    """Orders it kept a pair with that the block closed before its round."""


def find_pair(sealed: bytes, agreement: Digest) -> tuple[SealedBook, SealedPair]:
    """Return the pair of an agreement in a sealed round.  Raises ProofFailed."""
    try:
        clearing = decode_clearing(sealed)
    except Rejected as error:
        raise ProofFailed("clearings", str(error)) from None
    for book in clearing.books:
        for pair in book.pairs:
            if agreement_id(bytes.fromhex(pair.bid), bytes.fromhex(pair.ask)) == agreement:
                return book, pair
    raise ProofFailed("not_in_clearing", f"no sealed pair makes agreement {agreement.hex()}")


def needed_of_block(
    read: Read, sealed: bytes, closed: Collection[bytes], most: int = PROVEN_TRADES
) -> NeededKeys:
    """Return what to keep of the states around a block whose round is `sealed`.

    `read` reads the parent's state; `closed` holds the orders that `closed_by` names; of the trades
    the first `most` are looked at.
    """
    before: dict[bytes, None] = {}
    after: dict[bytes, None] = {}
    left = most
    for book in decode_clearing(sealed).books:
        gone = set(closed) - _matched(book)
        for pair in book.pairs[:left]:
            needed = needed_keys(read, book, pair, gone)
            before.update(dict.fromkeys(needed.before))
            after.update(dict.fromkeys(needed.after))
        left = max(0, left - len(book.pairs))
    return NeededKeys(tuple(before), tuple(after))


def closed_by(changes: Mapping[bytes, bytes | None], height: int) -> set[bytes]:
    """Return the orders that left the book in a block, whatever for, or were sent in it.

    `changes` are those the block makes to its parent's state.
    """
    return {
        key[-ORDER_BYTES:]
        for key, value in changes.items()
        if key.startswith(keys.BOOK) and (value is None or decode_order(value).submitted == height)
    }


def needed_keys(
    read: Read, book: SealedBook, pair: SealedPair, withdrawn: Collection[bytes]
) -> NeededKeys:
    """Return the keys of the proof of one trade.

    `read` reads the parent's state, or what was kept of it.  `withdrawn`: orders the block closed
    without matching them.
    """
    broker, bid, ask = (bytes.fromhex(text) for text in (book.broker, pair.bid, pair.ask))
    tariff = _tariff(read(broker_key(book.broker)))
    judged, other_side = (bid, keys.ASKS) if labels_on_asks(tariff) else (ask, keys.BIDS)
    before = [
        broker_key(book.broker),
        record_key(broker, keys.BIDS, bid),
        record_key(broker, keys.ASKS, ask),
        keys.EDGE + judged,
    ]
    after = []
    if withdrawn:
        for other in other_orders(read(keys.EDGE + judged) or b""):
            if other in withdrawn:
                before.append(record_key(broker, other_side, other))
                after.append(record_key(broker, other_side, other))
    return NeededKeys(tuple(before), tuple(after))


def labels_on_asks(tariff: Tariff) -> bool:
    """Whether the sealed labels under this tariff are the sellers' (as `LiveBook` has it)."""
    return tariff.pricing != "core_seller"


def last_round_orders(needed: NeededKeys, read: Read, height: int) -> tuple[Digest, ...]:
    """Return the withdrawn orders of a proof that expire at `height`.

    Whether they were cancelled before the round, only a transaction can show.
    """
    found = []
    for key in needed.after:
        stored = read(key)
        if stored is not None and decode_order(stored).terms.expires <= height:
            found.append(key[-ORDER_BYTES:])
    return tuple(found)


def verify_trade(
    agreement: Digest,
    height: int,
    sealed: bytes,
    before: Mapping[bytes, bytes | None],
    after: Mapping[bytes, bytes | None],
    cancelled: Collection[Digest] = (),
) -> ProvenTrade:
    """Hold a trade of block `height` against proven entries of the states before and after it.

    `sealed` is what the header's clearings root names; `before` and `after` hold nothing that was
    not proven under the roots of the parent and of the block, `cancelled` no order but those that a
    transaction of the block was proven to cancel.  Raises ProofFailed.
    """
    book, pair = find_pair(sealed, agreement)
    broker = bytes.fromhex(book.broker)
    tariff = _tariff(_shown(before, broker_key(book.broker)))
    bid, ask = bytes.fromhex(pair.bid), bytes.fromhex(pair.ask)
    buyer = decode_order(_shown(before, record_key(broker, keys.BIDS, bid)))
    seller = decode_order(_shown(before, record_key(broker, keys.ASKS, ask)))
    on_asks = labels_on_asks(tariff)
    judged, partner = (bid, ask) if on_asks else (ask, bid)
    kept = [edge for edge in decode_edges(_shown(before, keys.EDGE + judged)) if edge.due <= height]
    own = next((edge for edge in kept if edge.other == partner), None)
    if own is None:
        raise ProofFailed("pair", f"order {judged.hex()} kept no pair with {partner.hex()}")
    gain = own.weight - pair.label_micro
    if gain < 0:
        raise ProofFailed("pair", f"label {pair.label_micro} is above the weight {own.weight}")

    def is_withdrawn(order: Digest) -> bool:
        entry = record_key(broker, keys.ASKS if on_asks else keys.BIDS, order)
        return order in cancelled or _was_withdrawn(entry, height, before, after)

    labels = {(each.ask if on_asks else each.bid): each.label_micro for each in book.pairs}
    others = [edge for edge in kept if edge is not own]
    offers, withdrawn = _other_offers(others, labels, is_withdrawn)
    for name, offer in offers.items():
        if offer > gain:
            raise ProofFailed(
                "better_offer", f"{judged.hex()} gains {gain}, with {name} it would gain {offer}"
            )
    figures = _figures(
        (agreement, height), tariff, (pair, on_asks), (buyer, seller), _bid_edge(own, ask)
    )
    return ProvenTrade(
        figures=figures,
        pricing=tariff.pricing,
        gain_micro=gain,
        next_best_micro=max([0, *offers.values()]),
        pairs=len(offers) + 1,
        withdrawn=withdrawn,
    )


def _other_offers(
    edges: Sequence[Edge], labels: Mapping[str, int], is_withdrawn: Callable[[Digest], bool]
) -> tuple[dict[str, int], tuple[str, ...]]:
    """What each pair would have left at the sealed labels; which of their orders were withdrawn."""
    offers: dict[str, int] = {}
    withdrawn = []
    for edge in edges:
        name = edge.other.hex()
        if name not in labels and is_withdrawn(edge.other):
            withdrawn.append(name)
        else:
            offers[name] = edge.weight - labels.get(name, 0)
    return offers, tuple(withdrawn)


def _matched(book: SealedBook) -> set[bytes]:
    return {bytes.fromhex(order) for pair in book.pairs for order in (pair.bid, pair.ask)}


def _tariff(stored: bytes | None) -> Tariff:
    if stored is None:
        raise ProofFailed("proof_incomplete", "the broker is not in the state before the block")
    return decode_broker(stored).tariff


def _shown(entries: Mapping[bytes, bytes | None], key: bytes) -> bytes:
    value = entries.get(key)
    if value is None:
        table = key.partition(b"/")[0].decode("ascii", "replace")
        raise ProofFailed("proof_incomplete", f"no entry of table {table} that the trade rests on")
    return value


def _was_withdrawn(
    entry: bytes,
    height: int,
    before: Mapping[bytes, bytes | None],
    after: Mapping[bytes, bytes | None],
) -> bool:
    """Whether it is proven that the block took an unmatched order out of its round.

    One whose record says that it was sent in this block was sent anew, so it waits for the next
    round.  An order that expires at `height` is closed after the round, all others that go are
    closed before it: cancelled, its server gone, its broker suspended.
    """
    stored = before.get(entry)
    if stored is None or entry not in after:
        return False
    later = after[entry]
    if later is not None:
        return decode_order(later).submitted == height
    return decode_order(stored).terms.expires > height


def _bid_edge(edge: Edge, ask: Digest) -> Edge:
    """The pair as its bid sees it; its terms are the same in both records."""
    return Edge(ask, edge.weight, edge.due, edge.bid, edge.ask, edge.rounds)


def _figures(
    place: tuple[Digest, int],
    tariff: Tariff,
    sealed: tuple[SealedPair, bool],
    orders: tuple[OpenOrder, OpenOrder],
    edge: Edge,
) -> Figures:
    """All that the event of the trade says, from the terms of its orders and its pair."""
    (agreement, height), (pair, on_asks), (buyer, seller) = place, sealed, orders
    bid, ask = buyer.terms, seller.terms
    if not isinstance(bid, Bid) or not isinstance(ask, Ask):
        raise ProofFailed("pair", "a bid and an ask make a pair")
    trade = Trade(bytes.fromhex(pair.bid), bytes.fromhex(pair.ask), edge, pair.label_micro)
    try:
        terms = frozen_pair(trade, (buyer, bid), (seller, ask))
        money = settle(tariff, terms)
    except AssertionError as error:
        raise ProofFailed("settlement", str(error)) from None
    other = edge.weight - pair.label_micro
    labels = (other, pair.label_micro) if on_asks else (pair.label_micro, other)
    parties: dict[str, Address] = {
        "buyer": buyer.owner,
        "seller": seller.owner,
        "broker": bid.broker,
    }
    return {
        "agreement": agreement.hex(),
        "bid": pair.bid,
        "ask": pair.ask,
        **parties,
        "height": height,
        "start": height,
        "end": height + bid.service_blocks,
        "bid_micro": terms.bid,
        "ask_micro": terms.ask,
        "price_micro": money.price,
        "paid_micro": money.paid,
        "received_micro": money.received,
        "broker_micro": money.broker,
        "fee_micro": money.fee,
        "rounds": terms.rounds,
        "value_micro": terms.value,
        "cost_micro": terms.cost,
        "weight_micro": edge.weight,
        "buyer_label_micro": labels[0],
        "seller_label_micro": labels[1],
    }
