"""Thinning by halvings: how a book that is too hard gets its trades in smaller rounds.

A round that takes more than its share of the builder's work is deferred, and the next builder has
the same solver: put off as it stands, such a book would stay so for ever.  So the state counts the
*halvings* of a book (of a class, where a book has classes).  Every deferral adds one; every round
that is carried out takes one away.  With k halvings a round *calls* the orders whose mark is in the
lowest 2^-k of its range and is held among them alone; the others wait for the next height.  Of
a book with pairs the bids are called, with all their pairs, of a class both sides.

Carrying out a trade costs as well, and nobody knows how many there are before the round is solved.
So a block *crowded* with due bids (with orders of the smaller side of a class) halves all its
rounds until about `calls_per_block` are called.  That follows from the state; nothing is counted.

The mark is one hash of the seed of the block and the order.  Nobody knows it when the order is
sent, so nobody can choose to be called, and who is passed over has the same chance again a block
later.  It is not the mark that breaks ties (`certificate.tie_mark`): those called would all have
low tie marks, and that ties stay even would have to be argued from what is left of them.  Two
hashes with domains of their own are independent: ties are drawn among the called as among all.

The count ends with the last order of its book.
"""

from collections.abc import Sequence
from typing import Annotated

from msgspec import Meta

from auction import keys
from ledger.crypto import digest
from ledger.state import Overlay, View
from ledger.types import Digest

MAX_HALVINGS = 16
"""Of the longest side a genesis allows (100000 bids) 2^-16 is one or two, and a round of one bid is
within any bound that lets a book trade at all."""

Halvings = Annotated[int, Meta(ge=0, le=MAX_HALVINGS)]

MARK_BITS = 64


def read_halvings(view: View, place: bytes) -> int:
    """Return the halvings of a book, or of a class (its book and number), as it stands in keys."""
    stored = view.get(keys.HALVINGS + place)
    return 0 if stored is None else stored[0]


def last_deferral(view: View, place: bytes) -> int:
    """Return the height of the last deferral of a book or class that still has halvings, or 0."""
    stored = view.get(keys.HALVINGS + place)
    return 0 if stored is None else int.from_bytes(stored[1:], "big")


def crowding(orders: int, calls_per_block: int) -> int:
    """Return how often a block with so many due orders halves its rounds."""
    return next((k for k in range(MAX_HALVINGS) if orders >> k <= calls_per_block), MAX_HALVINGS)


def note_deferral(overlay: Overlay, place: bytes, height: int) -> None:
    """Count a round of `height` that was put off: the next calls half as many orders."""
    halvings = min(read_halvings(overlay, place) + 1, MAX_HALVINGS)
    overlay.put(keys.HALVINGS + place, bytes((halvings,)) + keys.height_bytes(height))


def note_round(overlay: Overlay, place: bytes) -> None:
    """Count a round that was carried out: the next calls twice as many orders."""
    stored = overlay.get(keys.HALVINGS + place)
    if stored is None:
        return
    if stored[0] > 1:
        overlay.put(keys.HALVINGS + place, bytes((stored[0] - 1,)) + stored[1:])
    else:
        overlay.delete(keys.HALVINGS + place)


def forget_halvings(overlay: Overlay, book: bytes) -> None:
    """Drop the count of a book and of its classes: its last order has closed."""
    for key, _ in overlay.scan(keys.HALVINGS + book):
        overlay.delete(key)


def call_mark(seed: bytes, broker: bytes, order: Digest) -> int:
    """Return the mark that decides whether an order is called: 64 bits, fresh in every round."""
    return int.from_bytes(digest("call", seed + broker + order)[: MARK_BITS // 8], "big")


def is_called(seed: bytes, broker: bytes, order: Digest, halvings: int) -> bool:
    """Say whether an order takes part in a round with so many halvings; without any, all do."""
    return not halvings or call_mark(seed, broker, order) >> (MARK_BITS - halvings) == 0


def split_called(
    seed: bytes, broker: bytes, orders: Sequence[Digest], halvings: int
) -> tuple[list[bool], tuple[Digest, ...]]:
    """Return of each order whether it is called, and those that are not, in their order."""
    called = [is_called(seed, broker, order, halvings) for order in orders]
    left = tuple(order for order, each in zip(orders, called, strict=True) if not each)
    return called, left
