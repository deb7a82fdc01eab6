"""Orders that close without a partner: one way out for cancelled, expired and stranded ones."""

from auction import keys
from auction.agreements import end_of_departed, has_departed
from auction.brokers import brokers
from auction.classes import leave_class
from auction.edges import unlink_all
from auction.orders import (
    CloseReason,
    OpenOrder,
    give_back,
    open_count,
    orders_of_side,
    remove,
)
from auction.parameters import MarketParameters
from ledger.state import Overlay
from ledger.types import Address, Digest


def close_unmatched(
    overlay: Overlay, order: Digest, record: OpenOrder, reason: CloseReason, next_round: int
) -> None:
    """Close an open order, dropping its pairs and returning all it had set aside, once.

    `next_round` is the first height whose round is still to come.
    """
    withdraw(overlay, order, record, next_round)
    give_back(overlay, record)
    remove(overlay, order, record, reason)


def withdraw(overlay: Overlay, order: Digest, record: OpenOrder, next_round: int) -> None:
    """Take an order out of the rounds to come: drop its pairs, and its place in a class."""
    bids, asks = ((order,), ()) if record.side == "bid" else ((), (order,))
    unlink_all(overlay, record.book, bids, asks, next_round)
    leave_class(overlay, order, record, next_round)


def close_departed(overlay: Overlay, height: int, market: MarketParameters) -> None:
    """End what servers that are no members any more had open, before the round of `height`."""
    for key, _ in overlay.scan(keys.COMMITTED):
        seller = key[len(keys.COMMITTED) :]
        if has_departed(overlay, seller.hex()):
            end_of_departed(overlay, seller, height, market)
            _close_asks(overlay, seller, height)


def _close_asks(overlay: Overlay, seller: bytes, height: int) -> None:
    owner = seller.hex()
    for address, _ in brokers(overlay):
        broker = bytes.fromhex(address)
        if open_count(overlay, broker, seller):
            for order, record in orders_of_side(overlay, broker, keys.ASKS):
                if record.owner == owner:
                    close_unmatched(overlay, order, record, "server_left", height)


def close_book(overlay: Overlay, broker: Address, next_round: int) -> None:
    """Close all orders of a broker that was suspended; nothing of it trades any more."""
    for side in (keys.BIDS, keys.ASKS):
        for order, record in orders_of_side(overlay, bytes.fromhex(broker), side):
            close_unmatched(overlay, order, record, "broker_suspended", next_round)
