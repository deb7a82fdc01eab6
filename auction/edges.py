"""The pairs that open orders keep: a sparse graph held in the state, its terms frozen.

Each order has one record: eight bytes, then 68 bytes per pair it keeps.  A pair stands in the
records of both its orders.  The eight bytes of a bid are the height under which it is indexed in
`due/`: the first height at which one of its pairs crosses.  A round therefore reads only the bids
that have something to clear, and an idle book costs nothing.  A bid that its round put off, or did
not call, stays where it is: to move thousands of them a height on, block after block, would cost
more than the round.

A record is edited as bytes; decoding all pairs of a neighbour to drop one would be the greatest
part of the cost of closing an order.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from operator import itemgetter
from struct import Struct

import numpy as np

from auction import keys
from auction.arrays import Integers
from ledger.errors import Corrupt
from ledger.state import Overlay, View
from ledger.types import Digest

_HEAD_BYTES = keys.HEIGHT_BYTES
_ENTRY = Struct(">32sQQQQI")
_DUE_START, _DUE_END = 40, 48
_NEVER = bytes(_HEAD_BYTES)
_ROW = np.dtype([("other", "V32"), ("wide", ">i8", (4,)), ("rounds", ">i4")])
"""The bytes of `_ENTRY` for arrays; every number is far below the sign.  Packed: 68 bytes."""


@dataclass(frozen=True, slots=True)
class Edge:
    """One pair as one of its orders sees it; micro-tokens and heights."""

    other: Digest
    weight: int
    due: int
    """First round it may be cleared in: where it crossed, or later if it was found later."""
    bid: int
    ask: int
    rounds: int
    """Rounds of the pair until it crossed; N of a fee by rounds."""


def read_edges(view: View, order: Digest) -> list[Edge]:
    """Return the pairs of an order, in the order they came."""
    stored = view.get(keys.EDGE + order)
    return [] if stored is None else decode_edges(stored)


def decode_edges(stored: bytes) -> list[Edge]:
    """Return the pairs of a stored record."""
    return [Edge(*entry) for entry in _ENTRY.iter_unpack(stored[_HEAD_BYTES:])]


def other_orders(stored: bytes) -> Iterator[Digest]:
    """Yield the other order of each pair of a stored record, without decoding the rest."""
    for start in range(_HEAD_BYTES, len(stored), _ENTRY.size):
        yield stored[start : start + 32]


def unpack_pairs(records: Sequence[bytes]) -> tuple[list[int], list[Digest], Integers]:
    """Return the pairs of many records at once: how many each has, their other orders, numbers.

    A row of numbers is weight, due, bid, ask, rounds.
    """
    size = _ENTRY.size
    counts = [(len(stored) - _HEAD_BYTES) // size for stored in records]
    packed = b"".join([stored[_HEAD_BYTES:] for stored in records])
    others = [packed[start : start + 32] for start in range(0, len(packed), size)]
    rows = np.frombuffer(packed, dtype=_ROW)
    numbers = np.empty((len(others), 5), dtype=np.int64)
    numbers[:, :4] = rows["wide"]
    numbers[:, 4] = rows["rounds"]
    return counts, others, numbers


def is_full(view: View, order: Digest, cap: int) -> bool:
    """Say whether an order keeps as many pairs as it may."""
    stored = view.get(keys.EDGE + order)
    return stored is not None and len(stored) >= _HEAD_BYTES + cap * _ENTRY.size


def lightest_edge(view: View, order: Digest, weight: int) -> Digest | None:
    """Return the other order of the lightest pair (ties: the higher id) of one that keeps some.

    None where that pair is no lighter than `weight`: most of thousands a new order may be held
    against, so it is found out first.
    """
    stored = view.get(keys.EDGE + order) or b""
    size = _ENTRY.size
    weights = _weights_of((len(stored) - _HEAD_BYTES) // size)(stored)
    least = min(weights)
    if int.from_bytes(least, "big") >= weight:
        return None
    starts = range(_HEAD_BYTES, len(stored), size)
    rows = zip(starts, weights, strict=False)
    return max(stored[start : start + 32] for start, each in rows if each == least)


@lru_cache(maxsize=512)
def _weights_of(count: int) -> Callable[[bytes], tuple[bytes, ...]]:
    """Return what takes the weights out of a record of so many pairs, at least one."""
    starts = range(_HEAD_BYTES + 32, _HEAD_BYTES + count * _ENTRY.size, _ENTRY.size)
    fields = [slice(start, start + 8) for start in starts]
    # With one item alone `itemgetter` returns no tuple; the second is the same weight again.
    return itemgetter(*fields, fields[0])


def has_edges(view: View, order: Digest) -> bool:
    """Say whether an order keeps any pair."""
    return view.get(keys.EDGE + order) is not None


def due_bids(view: View, height: int) -> list[tuple[bytes, Digest]]:
    """Return (book, bid) of every bid due at a height or before it, ascending."""
    start, end = (
        len(keys.DUE) + keys.HEIGHT_BYTES,
        len(keys.DUE) + keys.HEIGHT_BYTES + keys.BOOK_BYTES,
    )
    found = [
        (key[start:end], key[end:])
        for due in range(_first_due(view, height), height + 1)
        for key, _ in view.scan(keys.at_height(keys.DUE, due))
    ]
    found.sort()
    return found


def note_due(overlay: Overlay, height: int) -> None:
    """Note, at the end of a block, the first height with a bid that is still due."""
    for due in range(_first_due(overlay, height), height + 1):
        if next(overlay.scan(keys.at_height(keys.DUE, due)), None) is not None:
            overlay.put(keys.DUE_LATE_KEY, keys.height_bytes(due))
            return
    overlay.delete(keys.DUE_LATE_KEY)


def _first_due(view: View, height: int) -> int:
    late = view.get(keys.DUE_LATE_KEY)
    return height if late is None else int.from_bytes(late, "big")


def link(overlay: Overlay, book: bytes, bid: Digest, terms: Edge, next_round: int) -> None:
    """Keep the pair of `bid` and `terms.other`, the ask."""
    ask = terms.other
    numbers = (terms.weight, terms.due, terms.bid, terms.ask, terms.rounds)
    own = overlay.get(keys.EDGE + bid) or _NEVER
    _put_bid(overlay, book, bid, own + _ENTRY.pack(ask, *numbers), next_round)
    theirs = overlay.get(keys.EDGE + ask) or _NEVER
    overlay.put(keys.EDGE + ask, theirs + _ENTRY.pack(bid, *numbers))


def unlink(overlay: Overlay, book: bytes, bid: Digest, ask: Digest, next_round: int) -> None:
    """Drop one pair."""
    _drop_from_bid(overlay, book, bid, ask, next_round)
    _drop_from_ask(overlay, ask, bid)


def unlink_all(
    overlay: Overlay,
    book: bytes,
    bids: Sequence[Digest],
    asks: Sequence[Digest],
    next_round: int,
) -> None:
    """Drop every pair of orders that close together; a neighbour that stays is edited once.

    A neighbour left without any pair gets a place in the queue of arrivals: the book may hold
    partners for it that were lighter than those it kept.
    """
    gone = dict.fromkeys((*bids, *asks))
    for ask in _forget(overlay, bids, gone, book):
        stored = _keep(overlay.get(keys.EDGE + ask) or b"", gone)
        if len(stored) > _HEAD_BYTES:
            overlay.put(keys.EDGE + ask, stored)
        else:
            overlay.delete(keys.EDGE + ask)
            queue(overlay, ask, next_round)
    for bid in _forget(overlay, asks, gone, book):
        stored = _keep(overlay.get(keys.EDGE + bid) or b"", gone)
        if len(stored) > _HEAD_BYTES:
            _put_bid(overlay, book, bid, stored, next_round)
        else:
            _disarm(overlay, book, bid, stored)
            overlay.delete(keys.EDGE + bid)
            queue(overlay, bid, next_round)


def _forget(
    overlay: Overlay, orders: Sequence[Digest], gone: dict[Digest, None], book: bytes
) -> dict[Digest, None]:
    """Delete the records of closing orders of one side; return the neighbours that stay."""
    staying: dict[Digest, None] = {}
    for order in orders:
        stored = overlay.get(keys.EDGE + order)
        if stored is None:
            continue
        for start in range(_HEAD_BYTES, len(stored), _ENTRY.size):
            other = stored[start : start + 32]
            if other not in gone:
                staying[other] = None
        _disarm(overlay, book, order, stored)
        overlay.delete(keys.EDGE + order)
    return staying


def _keep(stored: bytes, gone: dict[Digest, None]) -> bytes:
    """Return a record without the pairs of orders that close."""
    entries = [
        stored[start : start + _ENTRY.size]
        for start in range(_HEAD_BYTES, len(stored), _ENTRY.size)
        if stored[start : start + 32] not in gone
    ]
    return stored[:_HEAD_BYTES] + b"".join(entries)


def queue(overlay: Overlay, order: Digest, next_round: int) -> None:
    """Give an order a place in the queue of arrivals, behind those who wait already."""
    overlay.put(keys.at_height(keys.ARRIVAL, next_round) + order, keys.PRESENT)


def _without(stored: bytes, other: Digest) -> bytes:
    for start in range(_HEAD_BYTES, len(stored), _ENTRY.size):
        if stored[start : start + 32] == other:
            return stored[:start] + stored[start + _ENTRY.size :]
    raise Corrupt(f"no pair with {other.hex()}")


def _drop_from_ask(overlay: Overlay, ask: Digest, bid: Digest) -> None:
    stored = _without(overlay.get(keys.EDGE + ask) or b"", bid)
    if len(stored) == _HEAD_BYTES:
        overlay.delete(keys.EDGE + ask)
    else:
        overlay.put(keys.EDGE + ask, stored)


def _drop_from_bid(
    overlay: Overlay, book: bytes, bid: Digest, ask: Digest, next_round: int
) -> None:
    stored = _without(overlay.get(keys.EDGE + bid) or b"", ask)
    if len(stored) == _HEAD_BYTES:
        _disarm(overlay, book, bid, stored)
        overlay.delete(keys.EDGE + bid)
    else:
        _put_bid(overlay, book, bid, stored, next_round)


def _put_bid(overlay: Overlay, book: bytes, bid: Digest, stored: bytes, next_round: int) -> None:
    """Store a bid's record and index it under the first height it has something to clear at."""
    first = min(
        stored[start + _DUE_START : start + _DUE_END]
        for start in range(_HEAD_BYTES, len(stored), _ENTRY.size)
    )
    armed = max(first, keys.height_bytes(next_round))
    if armed != stored[:_HEAD_BYTES]:
        _disarm(overlay, book, bid, stored[:_HEAD_BYTES])
        overlay.put(keys.DUE + armed + book + bid, keys.PRESENT)
        stored = armed + stored[_HEAD_BYTES:]
    overlay.put(keys.EDGE + bid, stored)


def _disarm(overlay: Overlay, book: bytes, bid: Digest, head: bytes) -> None:
    armed = head[:_HEAD_BYTES]
    if armed != _NEVER:
        overlay.delete(keys.DUE + armed + book + bid)
