"""How far an order is from the edge of its round: what it lacks, or what it could give up.

Answered from one optimal matching of the order's book: what an order without a partner lacks is
one search for it, what a matched one could give up is one search without it.  In a class of equal
services an order trades from some price on, whatever the others do: that price is searched for.
Ties count for nothing here, nor does who will be called: the round looked at is that of all that
is due.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from auction.bidding import solved_matcher
from auction.matching import FREE, LEFT, RIGHT, Budget, Matcher, WorkExceeded
from auction.mcafee import LiveClass, caps_of, floors_of, live_classes, reduce_trades
from auction.orders import read_order
from auction.pairs import Pairs
from auction.rounds import due_books, live_book
from ledger.state import View
from ledger.types import Digest

WORK = 100_000
"""Visits of pairs an answer may take: it serves a reader, not the chain."""


@dataclass(frozen=True, slots=True)
class Place:
    """An order in the graph of its round; holds nothing of the state it was read from."""

    pairs: Pairs
    side: int
    vertex: int


@dataclass(frozen=True, slots=True)
class ClassPlace:
    """An order in its class: its own price, those of the rest of its side and of the other side.

    Prices as they are ranked, own fees taken into account; `beside` and `against` best first.
    """

    side: int
    own: int
    beside: Sequence[int]
    against: Sequence[int]


def what_if(view: View, height: int, order: Digest, work: int = WORK) -> dict[str, object] | None:
    """Return how far an order is from the edge of the round of `height`; None if it is not in it.

    See `standing`.
    """
    place = place_in_round(view, height, order)
    return None if place is None else standing(place, work)


def place_in_round(view: View, height: int, order: Digest) -> Place | ClassPlace | None:
    """Return where an order stands in the round of `height`, from its own book alone.

    None if no pair of it is due, and in a class that has nothing to clear.
    """
    record = read_order(view, order)
    if record is None:
        return None
    for kind in live_classes(view, height):
        if kind.key == record.book and (found := _place_in_class(kind, order)) is not None:
            return found
    for due in due_books(view, height):
        if due.key != record.book:
            continue
        book = live_book(view, due, height)
        for side, orders in ((LEFT, book.bids), (RIGHT, book.asks)):
            if order in orders:
                pairs = Pairs(book.bid, book.ask, book.weight, len(book.bids), len(book.asks))
                return Place(pairs, side, orders.index(order))
    return None


def _place_in_class(kind: LiveClass, order: Digest) -> ClassPlace | None:
    caps, floors = dict(caps_of(kind)), dict(floors_of(kind))
    if order in caps:
        own = caps.pop(order)
        ranked = sorted(caps.values(), reverse=True), sorted(floors.values())
        return ClassPlace(LEFT, own, *ranked)
    if order in floors:
        own = floors.pop(order)
        return ClassPlace(RIGHT, own, sorted(floors.values()), sorted(caps.values(), reverse=True))
    return None


def standing(place: Place | ClassPlace, work: int = WORK) -> dict[str, object]:
    """Return how far an order is from the edge of its round.

    `matched`: whether an optimal round trades it (of several that weigh the same, one is looked
    at; in a class, whether it trades though equal prices go first).  `short_micro`, of an order
    without a partner: its limit must be better by more than that, on all its pairs, to trade;
    absent in a class in which it trades at no price.  `spare_micro`, of a matched one: what its
    pairs add to the weight of the round; its limit could be worse by less than that and it would
    still trade.  `solved`: false, and nothing else is told, when `work` visits of pairs do not
    suffice.
    """
    if isinstance(place, ClassPlace):
        return _stand_in_class(place)
    try:
        return _stand(solved_matcher(place.pairs, Budget(work)), place.side, place.vertex)
    except WorkExceeded:
        return {"solved": False}


def _stand(matcher: Matcher, side: int, vertex: int) -> dict[str, object]:
    if matcher.mates[side][vertex] == FREE:
        return {"solved": True, "matched": False, "short_micro": matcher.shortfall(side, vertex)}
    whole = matcher.weight()
    matcher.remove(side, vertex)
    return {"solved": True, "matched": True, "spare_micro": whole - matcher.weight()}


def _stand_in_class(place: ClassPlace) -> dict[str, object]:
    """Search for the least change of price with which the order trades.

    Trading is monotone in the own price, or lying about it would pay.
    """
    sign = 1 if place.side == LEFT else -1
    everybody = (*place.beside, *place.against)
    # Worse than anybody of the other side, and better than everybody.
    low = sign * (place.against[0] - place.own) - 1
    high = max(sign * (price - place.own) for price in everybody) + 1
    if not _trades(place, place.own + sign * high):
        return {"solved": True, "matched": False}
    while high - low > 1:
        middle = (low + high) // 2
        if _trades(place, place.own + sign * middle):
            high = middle
        else:
            low = middle
    if high > 0:
        return {"solved": True, "matched": False, "short_micro": high - 1}
    return {"solved": True, "matched": True, "spare_micro": 1 - high}


def _trades(place: ClassPlace, own: int) -> bool:
    """Say whether the order trades at a price, behind all who offer the same."""
    sign = -1 if place.side == LEFT else 1
    rank = bisect_right(place.beside, sign * own, key=lambda price: sign * price)
    ranked = [*place.beside[:rank], own, *place.beside[rank:]]
    sides = (ranked, place.against) if place.side == LEFT else (place.against, ranked)
    count, _ = reduce_trades(*sides)
    return rank < count
