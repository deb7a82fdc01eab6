"""Open orders in the state: their records, indexes and counts; opening and closing them.

Here an order is one thing: whatever opens or closes it goes through `insert` or `remove`, which
keep all its index entries together.  Money is the caller's: `give_back` returns what an order that
found no partner had set aside, the settlement spends what one that did.
"""

from collections.abc import Iterator
from itertools import islice, takewhile
from typing import Literal

from auction import expiry, keys
from auction.actions import Ask, Bid
from auction.halvings import forget_halvings
from ledger.accounts import release
from ledger.codec import Codec, Record, encode
from ledger.crypto import digest
from ledger.errors import Corrupt
from ledger.members import Resources
from ledger.state import Event, Overlay, View
from ledger.types import Address, Digest, Height, Micro, PositiveCount, ResourceUnits

Side = Literal["bid", "ask"]

CloseReason = Literal["matched", "expired", "cancelled", "broker_suspended", "server_left"]

QUEUE_COUNTED = 10_000
"""Arrivals looked through to say how many stand before an order: it answers a reader."""

_COUNT_BYTES = 4


class OpenOrder(Record, kw_only=True):
    """An order between its transaction and its end."""

    owner: Address
    submitted: Height
    admitted: Height
    """Height at whose end it joined the book; 0 while it waits."""
    reserved_micro: Micro
    """Set aside for it, deposit included."""
    tariff: PositiveCount = 1
    """Version of the broker's tariff it is under; it meets only orders under the same."""
    resource: ResourceUnits
    """Comprehensive resource of an ask (Eq 4); for a bid the level above which more counts no more.
    Fixed at submission, so that a change of a parameter never reaches an open order."""
    terms: Bid | Ask

    @property
    def side(self) -> Side:
        """Which side of the book it stands on."""
        return "bid" if isinstance(self.terms, Bid) else "ask"

    @property
    def book(self) -> bytes:
        """The broker and tariff version whose orders it can meet, as in keys."""
        return keys.book_key(bytes.fromhex(self.terms.broker), self.tariff)


_ORDERS = Codec(OpenOrder)
_RESOURCES = Codec(Resources)
_NOTHING = Resources(0, 0, 0)


def order_id(transaction_id: Digest, action_index: int) -> Digest:
    """Return the id of the order an action opens."""
    return digest("order", transaction_id + action_index.to_bytes(2, "big"))


def side_byte(order: OpenOrder) -> bytes:
    """Return the side as it stands in keys."""
    return keys.BIDS if isinstance(order.terms, Bid) else keys.ASKS


def record_key(broker: bytes, side: bytes, order: Digest) -> bytes:
    """Return the state key of an open order's record."""
    return keys.BOOK + broker + side + order


def row_key(record: OpenOrder, order: Digest) -> bytes:
    """Return the state key of an admitted order's row (`auction.book_sides`)."""
    return keys.ROW + record.book + side_byte(record) + order


def decode_order(stored: bytes) -> OpenOrder:
    """Return the order of stored bytes."""
    return _ORDERS.decode_trusted(stored)


def read_order(view: View, order: Digest) -> OpenOrder | None:
    """Return an open order, None when there is none of this id."""
    place = view.get(keys.ORDER + order)
    if place is None:
        return None
    stored = view.get(keys.BOOK + place + order)
    if stored is None:
        raise Corrupt(f"order {order.hex()} is indexed but not in its book")
    return decode_order(stored)


def write_order(overlay: Overlay, order: Digest, record: OpenOrder) -> None:
    """Store the changed record of an open order."""
    broker = bytes.fromhex(record.terms.broker)
    overlay.put(record_key(broker, side_byte(record), order), encode(record))


def orders_of_side(view: View, broker: bytes, side: bytes) -> Iterator[tuple[Digest, OpenOrder]]:
    """Yield the open orders on one side of a book, in ascending order of id."""
    prefix = keys.BOOK + broker + side
    for key, stored in view.scan(prefix):
        yield key[len(prefix) :], decode_order(stored)


def queue_place(view: View, order: Digest, record: OpenOrder) -> int:
    """Return how many stand before an order that waits for its book, QUEUE_COUNTED at most.

    They may be of any book, and some may be open orders that are paired anew.
    """
    own = keys.at_height(keys.ARRIVAL, record.submitted) + order
    queue = (key for key, _ in view.scan(keys.ARRIVAL))
    return sum(1 for _ in takewhile(lambda key: key < own, islice(queue, QUEUE_COUNTED)))


def asks_of(view: View, seller: bytes) -> Iterator[tuple[Digest, OpenOrder]]:
    """Yield the open asks of a server in all books, in ascending order of id."""
    prefix = keys.ASK_SELLER + seller
    for key, _ in view.scan(prefix):
        order = key[len(prefix) :]
        record = read_order(view, order)
        if record is None:
            raise Corrupt(f"ask {order.hex()} is indexed under its server but not open")
        yield order, record


def _seller_key(record: OpenOrder) -> bytes:
    return keys.ASK_SELLER + bytes.fromhex(record.owner)


def open_count(view: View, broker: bytes, owner: bytes) -> int:
    """Return how many orders an account has open in a book."""
    stored = view.get(keys.TALLY + broker + owner)
    return 0 if stored is None else int.from_bytes(stored, "big")


def side_counts(view: View, broker: bytes) -> tuple[int, int]:
    """Return the numbers of open bids and asks of a book."""
    stored = view.get(keys.SIDES + broker)
    if stored is None:
        return 0, 0
    return int.from_bytes(stored[:_COUNT_BYTES], "big"), int.from_bytes(stored[4:], "big")


def insert(overlay: Overlay, order: Digest, record: OpenOrder) -> None:
    """Open an order: record, indexes, counts, a place in the queue of arrivals, its event."""
    broker, side = bytes.fromhex(record.terms.broker), side_byte(record)
    overlay.put(keys.ORDER + order, broker + side)
    write_order(overlay, order, record)
    expiry.enter(overlay, order, record.terms.expires)
    overlay.put(keys.at_height(keys.ARRIVAL, record.submitted) + order, keys.PRESENT)
    if side == keys.ASKS:
        overlay.put(_seller_key(record) + order, keys.PRESENT)
    _count(overlay, broker, record, 1)
    _report(overlay, "order.opened", order, record)


def exchange(overlay: Overlay, order: Digest, before: OpenOrder, after: OpenOrder) -> None:
    """Put another record in the place of an open order without pairs: it joins its book anew."""
    expiry.leave(overlay, order, before.terms.expires)
    overlay.delete(keys.at_height(keys.ARRIVAL, before.submitted) + order)
    expiry.enter(overlay, order, after.terms.expires)
    overlay.put(keys.at_height(keys.ARRIVAL, after.submitted) + order, keys.PRESENT)
    overlay.delete(row_key(before, order))
    _count_book(overlay, before, -1)
    _count_book(overlay, after, 1)
    write_order(overlay, order, after)
    _report(overlay, "order.repriced", order, after)


def _report(overlay: Overlay, kind: str, order: Digest, record: OpenOrder) -> None:
    overlay.emit(
        Event(
            kind=kind,
            accounts=(record.owner, record.terms.broker),
            data={
                "order": order.hex(),
                "side": record.side,
                "owner": record.owner,
                "broker": record.terms.broker,
                "expires": record.terms.expires,
            },
        )
    )


def remove(overlay: Overlay, order: Digest, record: OpenOrder, reason: CloseReason) -> None:
    """Close an order without touching money or pairs: record, indexes, counts, its event.

    One that never joined its book gives up its place in the queue of arrivals: what stays behind
    there is counted in no bound on the work of a block.  The place of an order that waited to be
    paired anew stays; who serves the queue drops it.  With what the event tells and the
    transactions that opened and repriced it, an order that has closed can be told in full.
    """
    broker, side = bytes.fromhex(record.terms.broker), side_byte(record)
    overlay.delete(keys.ORDER + order)
    overlay.delete(record_key(broker, side, order))
    overlay.delete(row_key(record, order))
    expiry.leave(overlay, order, record.terms.expires)
    if side == keys.ASKS:
        overlay.delete(_seller_key(record) + order)
    if not record.admitted:
        overlay.delete(keys.at_height(keys.ARRIVAL, record.submitted) + order)
    _count(overlay, broker, record, -1)
    overlay.emit(
        Event(
            kind="order.closed",
            accounts=(record.owner, record.terms.broker),
            data={
                "order": order.hex(),
                "side": record.side,
                "owner": record.owner,
                "broker": record.terms.broker,
                "reason": reason,
                "tariff": record.tariff,
                "submitted": record.submitted,
                "admitted": record.admitted,
                "resource": record.resource,
            },
        )
    )


def give_back(overlay: Overlay, record: OpenOrder) -> None:
    """Return what an order without a partner had set aside: money, and an ask's resources."""
    release(overlay, record.owner, record.reserved_micro)
    if isinstance(record.terms, Ask):
        uncommit(overlay, record.owner, record.terms.resources)


def _count(overlay: Overlay, broker: bytes, record: OpenOrder, change: int) -> None:
    owner = bytes.fromhex(record.owner)
    tally = open_count(overlay, broker, owner) + change
    tally_key = keys.TALLY + broker + owner
    if tally:
        overlay.put(tally_key, tally.to_bytes(_COUNT_BYTES, "big"))
    else:
        overlay.delete(tally_key)
    bids, asks = side_counts(overlay, broker)
    if record.side == "bid":
        bids += change
    else:
        asks += change
    if bids or asks:
        counts = bids.to_bytes(_COUNT_BYTES, "big") + asks.to_bytes(_COUNT_BYTES, "big")
        overlay.put(keys.SIDES + broker, counts)
    else:
        overlay.delete(keys.SIDES + broker)
    _count_book(overlay, record, change)


def _count_book(overlay: Overlay, record: OpenOrder, change: int) -> None:
    key = keys.VINTAGE + record.book
    count = int.from_bytes(overlay.get(key) or b"", "big") + change
    if count:
        overlay.put(key, count.to_bytes(_COUNT_BYTES, "big"))
    else:
        overlay.delete(key)
        forget_halvings(overlay, record.book)


def live_versions(view: View, broker: bytes) -> tuple[int, ...]:
    """Return the versions of a broker's tariff under which orders are open, ascending."""
    prefix = keys.VINTAGE + broker
    return tuple(int.from_bytes(key[len(prefix) :], "big") for key, _ in view.scan(prefix))


def committed_resources(view: View, seller: Address) -> Resources:
    """Return what a server has in open asks and running agreements, component by component."""
    stored = view.get(keys.COMMITTED + bytes.fromhex(seller))
    return _NOTHING if stored is None else _RESOURCES.decode_trusted(stored)


def commit(overlay: Overlay, seller: Address, resources: Resources) -> None:
    """Add to what a server has committed; the caller checked that it is there."""
    _change_committed(overlay, seller, resources, 1)


def uncommit(overlay: Overlay, seller: Address, resources: Resources) -> None:
    """Take from what a server has committed."""
    _change_committed(overlay, seller, resources, -1)


def _change_committed(overlay: Overlay, seller: Address, resources: Resources, sign: int) -> None:
    before = committed_resources(overlay, seller)
    after = Resources(
        before.computation + sign * resources.computation,
        before.communication + sign * resources.communication,
        before.modelling + sign * resources.modelling,
    )
    if min(after.computation, after.communication, after.modelling) < 0:
        raise AssertionError(f"{seller} gives back resources it never committed")
    key = keys.COMMITTED + bytes.fromhex(seller)
    if after == _NOTHING:
        overlay.delete(key)
    else:
        overlay.put(key, encode(after))
