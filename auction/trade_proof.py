"""Verify my trade: a deal proven from headers, by whoever holds them, with no node trusted.

What a trade rests on stands in three places: the sealed round under its own header; the orders,
the pairs they kept and the broker's tariff in the state *before* the block; what the block closed
in the state after it.  The state before is gone once the block is merged; `needed_keys` says which
of its entries to keep for later (`ledger/witness.py`).  `verify_trade` is the client's side: it is
handed entries that were proven under the two roots, and shows

- that the pair stands in the sealed round, at this label;
- that both orders are under the tariff version of the sealed round, whose terms the broker's entry
  keeps as long as orders are under it;
- that its price, what was paid and received, and every other figure of `trade.made` follow from
  the pair's frozen terms, its label and the tariff;
- that w = u + p, and that the unlabelled party would gain no more with any other pair it kept:
  w' - p' <= u for all of them (an order that found no partner has the label 0).

Two cases need care.  The record of pairs is that of the parent's state, but an order may be
withdrawn by the very block, before its round.  Such a pair does not count, and that it was
withdrawn is proven too: it was not matched, and afterwards its record says that it was repriced in
this block, or is gone while its last round was still to come.  If that round was this one, it would
be gone in any case (orders expire after the round): then the transaction that cancelled it must be
shown, or the records of its server, which served before the block and is gone after it.

And a thinned round (`auction/halvings.py`) is held among the bids it called.  The halvings stand in
the sealed book and the seed in the state after the block, so whoever checks works out who was
called: the bid of the trade must be, and under `core_seller`, where the other pairs of the judged
ask are with bids, those that were not do not count.  Asks are never left out.

In a class of equal services there are neither pairs nor labels: `auction/class_proof.py`.

"Optimal" is meant for the pairs kept in the state.  Of orders no builder let in nothing is said.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import NamedTuple

from auction import keys
from auction.agreements import agreement_id
from auction.brokers import Tariff, broker_key
from auction.class_proof import CLASS_ORDERS, needed_of_class, open_orders, verify_class_trade
from auction.edges import Edge, decode_edges, other_orders
from auction.halvings import is_called
from auction.mcafee import ClassPair, SealedClass
from auction.orders import decode_order, record_key
from auction.proof_parts import (
    ORDER_BYTES,
    EntriesView,
    NeededKeys,
    ProvenEntries,
    ProvenTrade,
    figures_of,
    keys_of_withdrawn,
    tariff_of,
)
from auction.sealed import Clearing, SealedBook, SealedPair, decode_clearing
from auction.trades import Trade
from ledger.errors import ProofFailed, Rejected
from ledger.state import View
from ledger.types import Digest

PROVEN_TRADES = 4_096
"""Most trades of one block whose proof is kept, the first ones."""

ORDERS_AS_A_TRADE = 2
"""The proof of a class shows each order of its book: so many count as the proof of a trade."""


class BookTrade(NamedTuple):
    """A sealed trade and the book it was made in."""

    book: SealedBook
    pair: SealedPair


class ClassTrade(NamedTuple):
    """A sealed trade and the class it was made in."""

    part: SealedClass
    pair: ClassPair


Sealed = BookTrade | ClassTrade


def find_pair(sealed: bytes, agreement: Digest) -> Sealed:
    """Return the pair of an agreement in a sealed round.  Raises ProofFailed."""
    try:
        clearing = decode_clearing(sealed)
    except Rejected as error:
        raise ProofFailed("clearings", str(error)) from None
    for book in clearing.books:
        for pair in book.pairs:
            if _agreement(pair) == agreement:
                return BookTrade(book, pair)
    for part in clearing.classes:
        for trade in part.pairs:
            if _agreement(trade) == agreement:
                return ClassTrade(part, trade)
    raise ProofFailed("not_in_clearing", f"no sealed pair makes agreement {agreement.hex()}")


def _agreement(pair: SealedPair | ClassPair) -> Digest:
    return agreement_id(bytes.fromhex(pair.bid), bytes.fromhex(pair.ask))


def needed_of_block(
    view: View, sealed: bytes, closed: Collection[bytes], height: int, most: int = PROVEN_TRADES
) -> NeededKeys:
    """Return what to keep of the states around the block of `height` whose round is `sealed`.

    `view` is the parent's state; `closed` holds the orders that `closed_by` names; of the trades
    the first `most` are looked at.  A class counts as many as its book has orders to show.
    """
    clearing = decode_clearing(sealed)
    gone = set(closed) - _matched((*clearing.books, *clearing.classes))
    needed = [needed_keys(view, trade, gone, height) for trade in _proven(view, clearing, most)]
    return NeededKeys(
        tuple(dict.fromkeys(key for each in needed for key in each.before)),
        tuple(dict.fromkeys(key for each in needed for key in each.after)),
        any(each.seed for each in needed),
    )


def _proven(view: View, clearing: Clearing, most: int) -> Iterator[Sealed]:
    """The trades whose proofs, taken together, are what a block keeps."""
    left = most
    for book in clearing.books:
        yield from (BookTrade(book, pair) for pair in book.pairs[:left])
        left = max(0, left - len(book.pairs))
    whole: dict[tuple[str, int], None] = {}
    for part in clearing.classes:
        count, place = open_orders(view, part), (part.broker, part.tariff)
        if not part.pairs or place in whole:
            continue
        pairs, cost = part.pairs[:left], len(part.pairs)
        if count <= CLASS_ORDERS:  # one proof shows the book, and so all trades in it
            pairs, cost = part.pairs[:1], count // ORDERS_AS_A_TRADE + 1
            if cost > left:
                continue
            whole[place] = None
        yield from (ClassTrade(part, trade) for trade in pairs)
        left = max(0, left - cost)


def closed_by(changes: Mapping[bytes, bytes | None], height: int) -> set[bytes]:
    """Return the orders that left the book in a block, or were sent or repriced in it.

    `changes` are those the block makes to its parent's state.
    """
    return {
        key[-ORDER_BYTES:]
        for key, value in changes.items()
        if key.startswith(keys.BOOK) and (value is None or decode_order(value).submitted == height)
    }


def needed_keys(
    view: View, sealed: Sealed, withdrawn: Collection[bytes], height: int
) -> NeededKeys:
    """Return the keys of the proof of one trade of the block of `height`.

    `view` is the parent's state, or what was kept of it.  `withdrawn`: orders the block closed or
    repriced without matching them.
    """
    if isinstance(sealed, ClassTrade):
        return needed_of_class(view, sealed.part, sealed.pair, (withdrawn, height))
    return _needed_of_pair(view, sealed.book, sealed.pair, (withdrawn, height))


def _needed_of_pair(
    view: View, book: SealedBook, pair: SealedPair, gone: tuple[Collection[bytes], int]
) -> NeededKeys:
    withdrawn, height = gone
    broker, bid, ask = (bytes.fromhex(text) for text in (book.broker, pair.bid, pair.ask))
    tariff = tariff_of(view, book.broker, book.tariff)
    judged, other_side = (bid, keys.ASKS) if labels_on_asks(tariff) else (ask, keys.BIDS)
    before = (
        broker_key(book.broker),
        record_key(broker, keys.BIDS, bid),
        record_key(broker, keys.ASKS, ask),
        keys.EDGE + judged,
    )
    others = other_orders(view.get(keys.EDGE + judged) or b"") if withdrawn else ()
    entries = [record_key(broker, other_side, other) for other in others if other in withdrawn]
    extra = keys_of_withdrawn(view, entries, height)
    return NeededKeys((*before, *extra.before), extra.after, bool(book.halvings))


def labels_on_asks(tariff: Tariff) -> bool:
    """Whether the sealed labels under this tariff are the sellers' (as `LiveBook` has it)."""
    return tariff.pricing != "core_seller"


def last_round_orders(needed: NeededKeys, view: View, height: int) -> tuple[Digest, ...]:
    """Return the withdrawn orders of a proof that expire at `height`.

    Whether they were cancelled before the round, only a transaction can show.
    """
    found = []
    for key in needed.after:
        stored = view.get(key) if key.startswith(keys.BOOK) else None
        if stored is not None and decode_order(stored).terms.expires <= height:
            found.append(key[-ORDER_BYTES:])
    return tuple(found)


def verify_trade(
    agreement: Digest, sealed: bytes, entries: ProvenEntries, seed: bytes = b""
) -> ProvenTrade:
    """Hold a trade of a block against proven entries of the states before and after it.

    `sealed` is what the header's clearings root names; `entries` hold nothing that was not proven
    under the roots of the parent and of the block, and no order as cancelled but those that a
    transaction of the block was proven to cancel.  `seed` is the round's, as the state after the
    block has it: a class or a thinned round cannot be proven without.  Raises ProofFailed.
    """
    found = find_pair(sealed, agreement)
    if isinstance(found, ClassTrade):
        return verify_class_trade(agreement, found.part, found.pair, entries, seed)
    return _verify_pair(agreement, found.book, found.pair, entries, seed)


def _verify_pair(
    agreement: Digest, book: SealedBook, pair: SealedPair, entries: ProvenEntries, seed: bytes
) -> ProvenTrade:
    broker = bytes.fromhex(book.broker)
    tariff = tariff_of(EntriesView(entries.before), book.broker, book.tariff)
    bid, ask = bytes.fromhex(pair.bid), bytes.fromhex(pair.ask)
    parties = (
        (bid, entries.order(broker, keys.BIDS, bid, book.tariff)),
        (ask, entries.order(broker, keys.ASKS, ask, book.tariff)),
    )
    on_asks = labels_on_asks(tariff)
    judged, partner = (bid, ask) if on_asks else (ask, bid)
    kept = decode_edges(entries.shown(keys.EDGE + judged))
    kept = [edge for edge in kept if edge.due <= entries.height]
    own = next((edge for edge in kept if edge.other == partner), None)
    if own is None:
        raise ProofFailed("pair", f"order {judged.hex()} kept no pair with {partner.hex()}")
    gain = own.weight - pair.label_micro
    if gain < 0:
        raise ProofFailed("pair", f"label {pair.label_micro} is above the weight {own.weight}")

    def is_withdrawn(order: Digest) -> bool:
        side = keys.ASKS if on_asks else keys.BIDS
        return entries.was_withdrawn(record_key(broker, side, order))

    uncalled = _uncalled(book, pair, [] if on_asks else kept, seed)
    labels = {(each.ask if on_asks else each.bid): each.label_micro for each in book.pairs}
    others = [edge for edge in kept if edge is not own and edge.other.hex() not in uncalled]
    offers, withdrawn = _other_offers(others, labels, is_withdrawn)
    for name, offer in offers.items():
        if offer > gain:
            raise ProofFailed(
                "better_offer", f"{judged.hex()} gains {gain}, with {name} it would gain {offer}"
            )
    trade = Trade(bid, ask, _bid_edge(own, ask), pair.label_micro)
    place, terms = (agreement, entries.height), (book.tariff, tariff)
    return ProvenTrade(
        figures=figures_of(place, terms, trade, parties),
        pricing=tariff.pricing,
        gain_micro=gain,
        next_best_micro=max([0, *offers.values()]),
        pairs=len(offers) + 1,
        withdrawn=withdrawn,
        uncalled=uncalled,
    )


def _uncalled(
    book: SealedBook, pair: SealedPair, kept: Sequence[Edge], seed: bytes
) -> tuple[str, ...]:
    """Which bids of the judged ask's pairs the round did not call; the trade's own it must have."""
    if not book.halvings:
        return ()
    if not seed:
        raise ProofFailed("proof_incomplete", "the seed of a thinned round is not shown")
    broker = bytes.fromhex(book.broker)
    if not is_called(seed, broker, bytes.fromhex(pair.bid), book.halvings):
        raise ProofFailed("not_called", f"the round did not call bid {pair.bid}")
    bids = (edge.other for edge in kept)
    return tuple(bid.hex() for bid in bids if not is_called(seed, broker, bid, book.halvings))


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


def _matched(parts: Sequence[SealedBook | SealedClass]) -> set[bytes]:
    pairs = [pair for part in parts for pair in part.pairs]
    return {bytes.fromhex(order) for pair in pairs for order in (pair.bid, pair.ask)}


def _bid_edge(edge: Edge, ask: Digest) -> Edge:
    """The pair as its bid sees it; its terms are the same in both records."""
    return Edge(ask, edge.weight, edge.due, edge.bid, edge.ask, edge.rounds)
