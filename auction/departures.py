"""Orders that close without a partner: one way out for cancelled, expired and stranded ones.

What nobody paid a fee for in this very block is bounded.  Orders that expire at one height are
counted when they are sent (`auction.expiry`).  Stranded ones, whose broker was suspended or whose
server left, are closed before the round, `closings_per_block` of them, the others in the blocks
that follow; first the asks of servers that left, as these could still trade, then their agreements,
then the books of suspended brokers, each in ascending order of key.

A suspended broker's book is frozen from the transaction that suspends it: it has no round, admits
nobody, and takes no order, so it does not matter when an order of it closes; its owner may cancel
it at once.  A server that left and whose turn has not come stands by what it has open.
"""

from collections.abc import Iterator, Sequence
from itertools import islice

from auction import keys
from auction.agreements import end_of_departed, has_departed
from auction.classes import leave_class
from auction.edges import unlink_all
from auction.orders import (
    CloseReason,
    OpenOrder,
    asks_of,
    give_back,
    orders_of_side,
    read_order,
    remove,
    side_counts,
)
from auction.parameters import MarketParameters
from ledger.errors import Corrupt, Reason, Rejected
from ledger.state import Overlay, View
from ledger.types import Address, Digest

_Order = tuple[Digest, OpenOrder]


def close_unmatched(
    overlay: Overlay, order: Digest, record: OpenOrder, reason: CloseReason, next_round: int
) -> None:
    """Close an open order, dropping its pairs and returning all it had set aside, once.

    `next_round` is the first height whose round is still to come.
    """
    _close_all(overlay, [(order, record)], reason, next_round)


def _close_all(
    overlay: Overlay, orders: Sequence[_Order], reason: CloseReason, next_round: int
) -> None:
    """Close open orders together: a neighbour of several of them is edited once."""
    books: dict[bytes, list[_Order]] = {}
    for order, record in orders:
        books.setdefault(record.book, []).append((order, record))
    for book, members in books.items():
        sides: dict[str, list[Digest]] = {"bid": [], "ask": []}
        for order, record in members:
            sides[record.side].append(order)
        unlink_all(overlay, book, sides["bid"], sides["ask"], next_round)
    for order, record in orders:
        leave_class(overlay, order, record, next_round)
        give_back(overlay, record)
        remove(overlay, order, record, reason)


def withdraw(overlay: Overlay, order: Digest, record: OpenOrder, next_round: int) -> None:
    """Take an order out of the rounds to come: drop its pairs, and its place in a class."""
    bids, asks = ((order,), ()) if record.side == "bid" else ((), (order,))
    unlink_all(overlay, record.book, bids, asks, next_round)
    leave_class(overlay, order, record, next_round)


def close_expired(overlay: Overlay, height: int) -> None:
    """Close the orders whose last round was that of `height`; to be called after it."""
    prefix = keys.at_height(keys.EXPIRY, height)
    expired = []
    for key, _ in overlay.scan(prefix):
        order = key[len(prefix) :]
        record = read_order(overlay, order)
        if record is None:
            raise Corrupt(f"order {order.hex()} expires but is not open")
        expired.append((order, record))
    _close_all(overlay, expired, "expired", height + 1)


def close_stranded(overlay: Overlay, height: int, market: MarketParameters) -> None:
    """Close, before the round of `height`, what servers and brokers that went have open.

    As many orders and agreements as `closings_per_block`; what is left waits for the next block.
    """
    left = market.closings_per_block
    departed = [
        key[len(keys.COMMITTED) :]
        for key, _ in overlay.scan(keys.COMMITTED)
        if has_departed(overlay, key[len(keys.COMMITTED) :].hex())
    ]
    for seller in departed:
        asks = list(islice(asks_of(overlay, seller), left))
        _close_all(overlay, asks, "server_left", height)
        left -= len(asks)
    for seller in departed:
        left -= end_of_departed(overlay, seller, height, market, left)
    for key, _ in overlay.scan(keys.FROZEN):
        broker = key[len(keys.FROZEN) :]
        orders = list(islice(_orders_of(overlay, broker), left))
        _close_all(overlay, orders, "broker_suspended", height)
        left -= len(orders)
        if side_counts(overlay, broker) == (0, 0):
            overlay.delete(key)


def _orders_of(view: View, broker: bytes) -> Iterator[_Order]:
    yield from orders_of_side(view, broker, keys.BIDS)
    yield from orders_of_side(view, broker, keys.ASKS)


def freeze(overlay: Overlay, broker: Address) -> None:
    """Have the orders of a broker that was suspended closed, some a block."""
    if side_counts(overlay, bytes.fromhex(broker)) != (0, 0):
        overlay.put(keys.FROZEN + bytes.fromhex(broker), keys.PRESENT)


def thaw(overlay: Overlay, broker: Address) -> None:
    """Let a broker whose old orders have all closed have a book again.

    Raises Rejected(BOOK_CLOSING) while any is open.
    """
    left = sum(side_counts(overlay, bytes.fromhex(broker)))
    if left:
        raise Rejected(Reason.BOOK_CLOSING, f"{left} orders of its old book are still open")
    overlay.delete(keys.FROZEN + bytes.fromhex(broker))
