"""How far an order is from the edge of its round: what it lacks, or what it could give up.

Answered from one optimal matching of the order's book: what an order without a partner lacks is
one search for it, what a matched one could give up is one search without it.  Ties count for
nothing here.
"""

from auction.bidding import solved_matcher
from auction.matching import FREE, LEFT, RIGHT, Budget, Matcher, WorkExceeded
from auction.pairs import Pairs
from auction.rounds import live_books
from ledger.state import View
from ledger.types import Digest

WORK = 100_000
"""Visits of pairs an answer may take: it serves a reader, not the chain."""


def what_if(view: View, height: int, order: Digest, work: int = WORK) -> dict[str, object] | None:
    """Return how far an order is from the edge of the round of `height`; None if it is not in it.

    `matched`: whether an optimal round trades it (of several that weigh the same, one is looked
    at).  `short_micro`, of an order without a partner: its limit must be better by more than that,
    on all its pairs, to trade.  `spare_micro`, of a matched one: what its pairs add to the weight
    of the round; its limit could be worse by less than that and it would still trade.  `solved`:
    false, and nothing else is told, when `work` visits of pairs do not suffice.
    """
    for book in live_books(view, height):
        for side, orders in ((LEFT, book.bids), (RIGHT, book.asks)):
            if order in orders:
                budget = Budget(work)
                pairs = Pairs(book.bid, book.ask, book.weight, len(book.bids), len(book.asks))
                try:
                    return _stand(solved_matcher(pairs, budget), side, orders.index(order))
                except WorkExceeded:
                    return {"solved": False}
    return None


def _stand(matcher: Matcher, side: int, vertex: int) -> dict[str, object]:
    if matcher.mates[side][vertex] == FREE:
        return {"solved": True, "matched": False, "short_micro": matcher.shortfall(side, vertex)}
    whole = matcher.weight()
    matcher.remove(side, vertex)
    return {"solved": True, "matched": True, "spare_micro": whole - matcher.weight()}
