"""Why an open order has not traded, as far as the state tells."""

from collections.abc import Sequence

from auction import brokers as brokerage
from auction import keys
from auction.class_views import why_open
from auction.classes import class_of
from auction.edges import Edge
from auction.halvings import last_deferral
from auction.mcafee import standing_class
from auction.orders import (
    QUEUE_COUNTED,
    OpenOrder,
    live_versions,
    queue_place,
    side_counts,
)
from auction.price_views import priced
from auction.views import Document
from ledger.state import View
from ledger.types import Digest

FROZEN: Document = {
    "reason": "broker_suspended",
    "hint": "its broker was suspended: it is closed soon and gets everything back",
}


def why_unmatched(
    view: View,
    tariff: brokerage.Tariff,
    order: tuple[Digest, OpenOrder],
    edges: Sequence[Edge],
    height: int,
) -> Document:
    """Say why an open order has not traded, as far as the state tells."""
    identity, entry = order
    if not entry.admitted:
        ahead = queue_place(view, identity, entry)
        many = f"{QUEUE_COUNTED} or more" if ahead == QUEUE_COUNTED else str(ahead)
        hint = f"behind {many} orders in the queue" if ahead else "it joins in the next block"
        return {"reason": "waiting", "hint": hint, "ahead": ahead}
    kind = class_of(tariff, entry.terms, entry.resource)
    if kind is not None:
        place = (bytes.fromhex(entry.terms.broker), entry.tariff, kind)
        stored = entry.book + bytes((kind,))
        if entry.admitted < height - 1 and last_deferral(view, stored) == height - 1:
            return {"reason": "deferred", "hint": "the round of its class was deferred"}
        return why_open(view, identity, standing_class(view, place, tariff), height)
    if not _faced(view, entry):
        return {"reason": "other_side_empty", "hint": "nobody on the other side of this book"}
    if not edges:
        return {
            "reason": "no_partner",
            "hint": "no open order of the other side fits, or all that fit prefer others",
        }
    first = min(edge.due for edge in edges)
    if first < height and last_deferral(view, entry.book) == height - 1:
        return {"reason": "deferred", "hint": "the round of its book was deferred"}
    if first < height:
        hint = "its round called only some of the bids that were due"
        return {"reason": "not_called", "hint": hint}
    return {"reason": "prices_apart", "hint": "prices cross at this height", "height": first}


def _faced(view: View, entry: OpenOrder) -> bool:
    """Say whether the other side of the order's book, of its own tariff version, has any order."""
    broker = bytes.fromhex(entry.terms.broker)
    bids, asks = side_counts(view, broker)
    if not (asks if entry.side == "bid" else bids):
        return False
    if live_versions(view, broker) == (entry.tariff,):
        return True
    side = keys.ASKS if entry.side == "bid" else keys.BIDS
    others = view.scan(keys.BOOK + broker + side)
    return any(priced(stored).entry.tariff == entry.tariff for _, stored in others)
