"""The sealed form of a round: what the builder of a block writes down for everybody to check.

Sealed bytes are the canonical form of

    {"books": [{"broker", "deferred", "halvings",
                "pairs": [{"ask", "bid", "label_micro", "tie"}, ...], "tariff"}, ...],
     "classes": [{"broker", "buyer_price_micro", "deferred", "halvings", "number",
                  "pairs": [{"ask", "bid"}, ...], "seller_price_micro", "tariff"}, ...]}

with books in ascending order of broker and tariff version, one for each book that has something to
clear and no other, and pairs in ascending order of bid.  Labels are the sellers', under
`core_seller` the buyers'; a vertex not listed has the label 0.  `halvings` say which orders the
round was held among (`auction.halvings`); one that called nobody is there, without pairs.  Classes
are those of `mcafee` books (`auction.mcafee`), in the same order and then by their number.
"""

from typing import Annotated

from msgspec import Meta

from auction.brokers import MAX_CLASSES, MAX_LIVE_TARIFFS
from auction.halvings import Halvings
from auction.mcafee import SealedClass
from ledger.codec import Codec, Record
from ledger.errors import Reason, Rejected
from ledger.types import Address, Hex32, Micro, PositiveCount, SignedInteger

MAX_BROKERS = 1_000
"""Brokers with an open book."""

MAX_BOOKS = MAX_BROKERS * MAX_LIVE_TARIFFS
MAX_PAIRS = 100_000

HEAD_BYTES = 64
BOOK_BYTES = 160
PAIR_BYTES = 240
CLASS_BYTES = 256
CLASS_PAIR_BYTES = 160
"""No less than what the parts of a clearing take as canonical bytes."""


def least_bytes(brokers: int) -> int:
    """Return the room in a block without which its builder could not seal even deferred rounds."""
    books = max(BOOK_BYTES, MAX_CLASSES * CLASS_BYTES) * MAX_LIVE_TARIFFS
    return HEAD_BYTES + books * brokers + PAIR_BYTES


class SealedPair(Record):
    """One trade and the label of its labelled side, in its two parts."""

    ask: Hex32
    bid: Hex32
    label_micro: Micro
    tie: SignedInteger


class SealedBook(Record):
    """The round of one book."""

    broker: Address
    tariff: PositiveCount
    """Version of the broker's tariff."""
    deferred: bool
    pairs: Annotated[tuple[SealedPair, ...], Meta(max_length=MAX_PAIRS)]
    halvings: Halvings = 0
    """As the state had them: which bids were called."""


class Clearing(Record):
    """All rounds of a block."""

    books: Annotated[tuple[SealedBook, ...], Meta(max_length=MAX_BOOKS)]
    classes: Annotated[tuple[SealedClass, ...], Meta(max_length=MAX_BOOKS * MAX_CLASSES)]


_CLEARINGS = Codec(Clearing)


def decode_clearing(sealed: bytes) -> Clearing:
    """Return the clearing of sealed bytes.  Raises Rejected(BAD_CLEARING) for any other bytes."""
    try:
        return _CLEARINGS.decode(sealed)
    except Rejected as error:
        raise Rejected(Reason.BAD_CLEARING, f"sealed bytes: {error}") from None
