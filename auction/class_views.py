"""Documents of classes of equal services: what a class holds, its two prices, and who was left out.

Pure reads, as in `auction/views.py`.  Prices of orders are their limits and floors with their own
fees, as the class ranks them (`auction.mcafee`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from auction.brokers import Tariff
from auction.mcafee import (
    LiveClass,
    SealedClass,
    caps_of,
    crossed_ranks,
    floors_of,
    standing_class,
)
from auction.orders import read_order
from auction.views import Document, plain
from ledger.state import View


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


def standing(before: View, part: SealedClass, tariff: Tariff, unmatched: Sequence[str]) -> Standing:
    """Return what a sealed class was cleared with, from the state before its block.

    Orders that the block itself withdrew first are not in it: of the class as it stood only those
    count that were matched or told as `unmatched`.
    """
    place = (bytes.fromhex(part.broker), part.tariff, part.number)
    live = standing_class(before, place, tariff)
    known = dict.fromkeys(unmatched)
    known |= dict.fromkeys(name for pair in part.pairs for name in (pair.bid, pair.ask))
    caps = {order.hex(): cap for order, cap in caps_of(live) if order.hex() in known}
    floors = {order.hex(): floor for order, floor in floors_of(live) if order.hex() in known}
    return Standing(caps, floors)


def is_reduced(part: SealedClass, found: Standing) -> bool:
    """Say whether trade reduction left the last crossed pair out."""
    return not part.deferred and len(part.pairs) < crossed_ranks(*found.ranked)


def left_out(
    before: View, part: SealedClass, found: Standing, unmatched: Sequence[str]
) -> list[Document]:
    """Say of each order left over why it has not traded.

    `reason` is `reduced` for the last rank that crosses (or who drew with it), whose pair trade
    reduction leaves out; `draw` for a price as good as the last one that traded; else
    `outside_class_price`; `deferred` where the class was put off.  `own_micro` is its price as it
    was ranked, `price_micro` what its side pays or gets, 0 where nothing traded.
    """
    caps, floors = found.ranked
    last = crossed_ranks(caps, floors)
    reduced = is_reduced(part, found)
    rows: list[Document] = []
    for order in unmatched:
        entry = read_order(before, bytes.fromhex(order))
        if entry is None:
            continue
        bids = entry.side == "bid"
        own = (found.caps if bids else found.floors).get(order, 0)
        good = bool(last) and (own >= caps[last - 1] if bids else own <= floors[last - 1])
        reason = "outside_class_price"
        if good:
            reason = "reduced" if reduced else "draw"
        rows.append(
            {
                "order": order,
                "side": entry.side,
                "owner": entry.owner,
                "reason": "deferred" if part.deferred else reason,
                "own_micro": own,
                "price_micro": part.buyer_price_micro if bids else part.seller_price_micro,
            }
        )
    return rows
