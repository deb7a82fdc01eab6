"""What the proofs of a block's trades need of the states around it.

The state before a block is gone once the block is merged; `needed_of_block` says which of its
entries, and which of the state after it, to keep for later (`ledger/witness.py`).
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import NamedTuple

from auction import keys
from auction.agreements import agreement_id
from auction.brokers import Tariff, broker_key
from auction.class_proof import CLASS_ORDERS, needed_of_class, open_orders
from auction.edges import other_orders
from auction.mcafee import ClassPair, SealedClass
from auction.orders import decode_order, record_key
from auction.proof_parts import (
    ORDER_BYTES,
    NeededKeys,
    keys_of_withdrawn,
    tariff_of,
)
from auction.sealed import Clearing, SealedBook, SealedPair, decode_clearing
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


def _matched(parts: Sequence[SealedBook | SealedClass]) -> set[bytes]:
    pairs = [pair for part in parts for pair in part.pairs]
    return {bytes.fromhex(order) for pair in pairs for order in (pair.bid, pair.ask)}
