"""Documents of classes of equal services: what a class holds, its two prices, and who was left out.

Pure reads, as in `auction/views.py`.  Prices of orders are their limits and floors with their own
fees, as the class ranks them (`auction.mcafee`).
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from auction import keys
from auction.brokers import Tariff
from auction.mcafee import (
    LiveClass,
    SealedClass,
    call_class,
    caps_of,
    crossed_ranks,
    floors_of,
    standing_class,
)
from auction.orders import read_order
from auction.trades import UNMATCHED_LISTED
from auction.views import Document, plain
from ledger.errors import Corrupt
from ledger.state import View
from ledger.types import Digest


def class_service(tariff: Tariff, number: int) -> Document:
    """Return the service that is the same for all who trade in a class."""
    return plain(tariff.classes[number])


def class_prices(live: LiveClass) -> tuple[list[int], list[int]]:
    """Return bids by falling and asks by rising price."""
    caps = sorted((cap for _, cap in caps_of(live)), reverse=True)
    return caps, sorted(floor for _, floor in floors_of(live))


@dataclass(frozen=True, slots=True)
class Standing:
    """The orders a class was cleared with: their prices by order."""

    caps: Mapping[str, int]
    floors: Mapping[str, int]

    @property
    def ranked(self) -> tuple[list[int], list[int]]:
        """Bids by falling and asks by rising price."""
        return sorted(self.caps.values(), reverse=True), sorted(self.floors.values())


def standing(
    before: View, part: SealedClass, tariff: Tariff, withdrawn: Collection[str], seed: bytes
) -> Standing:
    """Return what a sealed class was cleared with, from the state before its block.

    `withdrawn` are the orders the block itself took out of its round first; `seed` is the round's,
    which says who was called.
    """
    place = (bytes.fromhex(part.broker), part.tariff, part.number)
    whole = replace(standing_class(before, place, tariff), halvings=part.halvings)
    live = call_class(whole, seed)
    caps = ((order.hex(), cap) for order, cap in caps_of(live))
    floors = ((order.hex(), floor) for order, floor in floors_of(live))
    return Standing(
        {order: cap for order, cap in caps if order not in withdrawn},
        {order: floor for order, floor in floors if order not in withdrawn},
    )


def is_reduced(part: SealedClass, found: Standing) -> bool:
    """Say whether trade reduction left the last crossed pair out."""
    return not part.deferred and len(part.pairs) < crossed_ranks(*found.ranked)


def left_out(before: View, part: SealedClass, found: Standing) -> list[Document]:
    """Say of orders left over why they have not traded, bids first.

    Of each side UNMATCHED_LISTED at most: first those that could have traded, in the order in which
    the round's event lists them, then the others as they rank.  `reason` is `reduced` for the last
    rank that crosses (or who drew with it), whose pair trade reduction leaves out; `draw` for a
    price as good as the last one that traded; `deferred` for one of these ranks where the class was
    put off; else `outside_class_price`.  `own_micro` is its price as it was ranked, `price_micro`
    what its side pays or gets, 0 where nothing traded.
    """
    caps, floors = found.ranked
    last = crossed_ranks(caps, floors)
    crossed = "deferred" if part.deferred else "reduced" if is_reduced(part, found) else "draw"
    traded = {name: None for pair in part.pairs for name in (pair.bid, pair.ask)}
    bids = [(-cap, order) for order, cap in found.caps.items() if order not in traded]
    asks = [(floor, order) for order, floor in found.floors.items() if order not in traded]
    margins = (-caps[last - 1], floors[last - 1]) if last else (0, 0)
    rows: list[Document] = []
    for side, ranks, margin, price in (
        ("bid", bids, margins[0], part.buyer_price_micro),
        ("ask", asks, margins[1], part.seller_price_micro),
    ):
        good = sorted(order for rank, order in ranks if last and rank <= margin)
        others = sorted((rank, order) for rank, order in ranks if not last or rank > margin)
        reasons = [(order, crossed) for order in good]
        reasons += [(order, "outside_class_price") for _, order in others]
        for order, reason in reasons[:UNMATCHED_LISTED]:
            entry = read_order(before, bytes.fromhex(order))
            if entry is None:
                raise Corrupt(f"an order stands in a class and is not open: {order}")
            own = (found.caps if side == "bid" else found.floors)[order]
            rows.append(
                {
                    "order": order,
                    "side": side,
                    "owner": entry.owner,
                    "reason": reason,
                    "own_micro": own,
                    "price_micro": price,
                }
            )
    return rows


def why_open(view: View, order: Digest, live: LiveClass, height: int) -> Document:
    """Say why an order of a class is still open, from the class as it stands.

    Orders of a class nobody joined or left since its round: `reduced` for a rank that crosses,
    which trade reduction leaves open, else `outside_class_price`.  `own_micro` is its price as it
    is ranked, `other_micro` the best one of the other side.
    """
    caps, floors = dict(caps_of(live)), dict(floors_of(live))
    others = floors if order in caps else caps
    if not others:
        return {"reason": "other_side_empty", "hint": "nobody on the other side of this class"}
    if view.get(keys.at_height(keys.CLASS_DUE, height) + live.place) is not None:
        return {"reason": "class_due", "hint": "its class is cleared in the next round"}
    ranked = sorted(caps.values(), reverse=True), sorted(floors.values())
    last = crossed_ranks(*ranked)
    if order in caps:
        own, other = caps[order], ranked[1][0]
        good = bool(last) and own >= ranked[0][last - 1]
    else:
        own, other = floors[order], ranked[0][0]
        good = bool(last) and own <= ranked[1][last - 1]
    if good:
        reason, hint = "reduced", "of the last pair that crosses, left out by trade reduction"
    elif last:
        reason, hint = "outside_class_price", "it stands behind the last pair that crosses"
    else:
        reason, hint = "outside_class_price", "no bid of its class reaches an ask"
    return {"reason": reason, "hint": hint, "own_micro": own, "other_micro": other}
