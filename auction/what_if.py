"""How far an order is from the edge of its round: what it lacks, or what it could give up.

Answered from one optimal matching of the order's book: what an order without a partner lacks is
one search for it, what a matched one could give up is one search without it.  Ties count for
nothing here, nor does who will be called: the round looked at is that of all that is due.
"""

from dataclasses import dataclass

from auction.bidding import solved_matcher
from auction.matching import FREE, LEFT, RIGHT, Budget, Matcher, WorkExceeded
from auction.pairs import Pairs
from auction.rounds import live_books
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


def what_if(view: View, height: int, order: Digest, work: int = WORK) -> dict[str, object] | None:
    """Return how far an order is from the edge of the round of `height`; None if it is not in it.

    See `standing`.
    """
    place = place_in_round(view, height, order)
    return None if place is None else standing(place, work)


def place_in_round(view: View, height: int, order: Digest) -> Place | None:
    """Return where an order stands in the round of `height`; None if no pair of it is due."""
    for book in live_books(view, height):
        for side, orders in ((LEFT, book.bids), (RIGHT, book.asks)):
            if order in orders:
                pairs = Pairs(book.bid, book.ask, book.weight, len(book.bids), len(book.asks))
                return Place(pairs, side, orders.index(order))
    return None


def standing(place: Place, work: int = WORK) -> dict[str, object]:
    """Return how far an order is from the edge of its round.

    `matched`: whether an optimal round trades it (of several that weigh the same, one is looked
    at).  `short_micro`, of an order without a partner: its limit must be better by more than that,
    on all its pairs, to trade.  `spare_micro`, of a matched one: what its pairs add to the weight
    of the round; its limit could be worse by less than that and it would still trade.  `solved`:
    false, and nothing else is told, when `work` visits of pairs do not suffice.
    """
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
