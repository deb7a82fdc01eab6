"""How many open orders have their last round at one height.

All orders of a height close in one block, after its round, so that none trades after the height it
named.  What that block costs is bounded here: `expiries_per_block` orders, of all books together,
may name one height.  Who comes later takes another; the refusal says which.
"""

from auction import keys
from auction.parameters import MarketParameters
from ledger.errors import Reason, Rejected
from ledger.state import Overlay, View
from ledger.types import Digest

HEIGHTS_TRIED = 64
"""Heights a refusal looks at, above and below, for one that has room: it is to cost little."""

_COUNT_BYTES = 4


def expiring(view: View, height: int) -> int:
    """Return how many open orders have their last round at a height."""
    return int.from_bytes(view.get(_count_key(height)) or b"", "big")


def enter(overlay: Overlay, order: Digest, expires: int) -> None:
    """Index an open order under its last round."""
    overlay.put(keys.at_height(keys.EXPIRY, expires) + order, keys.PRESENT)
    _count(overlay, expires, 1)


def leave(overlay: Overlay, order: Digest, expires: int) -> None:
    """Take an order that closes, or gets another last round, out of the index."""
    overlay.delete(keys.at_height(keys.EXPIRY, expires) + order)
    _count(overlay, expires, -1)


def require_room(view: View, height: int, expires: int, market: MarketParameters) -> None:
    """Refuse a last round that too many open orders have; `height` is the block's.

    Raises Rejected(EXPIRY_FULL), which names the nearest height with room among HEIGHTS_TRIED.
    """
    most = market.expiries_per_block
    if expiring(view, expires) < most:
        return
    last = height + market.order_blocks
    later = range(expires + 1, min(expires + HEIGHTS_TRIED, last) + 1)
    sooner = range(expires - 1, max(expires - HEIGHTS_TRIED - 1, height), -1)
    for other in (*later, *sooner):
        if expiring(view, other) < most:
            raise Rejected(
                Reason.EXPIRY_FULL, f"{most} orders end at {expires}; {other} has room left"
            )
    raise Rejected(Reason.EXPIRY_FULL, f"{most} orders end at {expires} and at each height near it")


def _count(overlay: Overlay, expires: int, change: int) -> None:
    count = expiring(overlay, expires) + change
    if count:
        overlay.put(_count_key(expires), count.to_bytes(_COUNT_BYTES, "big"))
    else:
        overlay.delete(_count_key(expires))


def _count_key(height: int) -> bytes:
    return keys.at_height(keys.EXPIRING, height)
