"""Verify my trade: a deal proven from headers, by whoever holds them, with no node trusted.

What a trade rests on stands in three places: the sealed round under its own header; the orders,
the pairs they kept and the broker's tariff in the state *before* the block; what the block closed
in the state after it (what to keep of both: `auction/proof_keys.py`).  `verify_trade` is the
client's side: it is handed entries that were proven under the two roots, and shows

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

from collections.abc import Callable, Mapping, Sequence

from auction import keys
from auction.class_proof import verify_class_trade
from auction.edges import Edge, decode_edges
from auction.halvings import is_called
from auction.orders import record_key
from auction.proof_keys import ClassTrade, find_pair, labels_on_asks
from auction.proof_parts import (
    EntriesView,
    ProvenEntries,
    ProvenTrade,
    figures_of,
    tariff_of,
)
from auction.sealed import SealedBook, SealedPair
from auction.trades import Trade
from ledger.errors import ProofFailed
from ledger.types import Digest


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


def _bid_edge(edge: Edge, ask: Digest) -> Edge:
    """The pair as its bid sees it; its terms are the same in both records."""
    return Edge(ask, edge.weight, edge.due, edge.bid, edge.ask, edge.rounds)
