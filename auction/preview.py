"""A dry run: what would match now, were the block built on this state as it is, and what if.

Ties are settled by the seed of the coming block, which nobody knows yet; the preview draws with a
seed of zeros, so between orders of equal weight it shows one possible outcome.

`what_if` answers from one optimal matching of the order's book: what an order without a partner
lacks is one search for it, what a matched one could give up is one search without it.
"""

from auction.bidding import solved_matcher
from auction.clearing import solve_books
from auction.matching import FREE, LEFT, RIGHT, Budget, Matcher, WorkExceeded
from auction.pairs import Pairs
from auction.parameters import market_parameters
from auction.rounds import live_books
from ledger.parameters import ledger_parameters
from ledger.state import View
from ledger.types import Digest

_SEED = bytes(32)


def preview(view: View, height: int) -> dict[str, object]:
    """Return the round of `height` as it stands: per broker the pairs, their terms, the totals."""
    market = market_parameters(view)
    books = tuple(live_books(view, height))
    clearing = solve_books(books, _SEED, market, ledger_parameters(view).max_sealed_bytes)
    documents: list[dict[str, object]] = []
    for book, part in zip(books, clearing.books, strict=True):
        place = {bid.hex(): index for index, bid in enumerate(book.bids)}
        slot = {ask.hex(): index for index, ask in enumerate(book.asks)}
        rows = book.find([(place[pair.bid], slot[pair.ask]) for pair in part.pairs])
        edges = book.edges_at(rows)
        documents.append(
            {
                "broker": part.broker,
                "deferred": part.deferred,
                "bids": len(book.bids),
                "asks": len(book.asks),
                "edges": book.pair_count,
                "weight_micro": sum(edge.weight for edge in edges),
                "pairs": [
                    {
                        "bid": pair.bid,
                        "ask": pair.ask,
                        "label_micro": pair.label_micro,
                        "weight_micro": edge.weight,
                        "bid_micro": edge.bid,
                        "ask_micro": edge.ask,
                    }
                    for pair, edge in zip(part.pairs, edges, strict=True)
                ],
            }
        )
    return {"height": height, "books": documents}


def what_if(view: View, height: int, order: Digest) -> dict[str, object] | None:
    """Return how far an order is from the edge of the round of `height`; None if it is not in it.

    `matched`: whether an optimal round trades it (of several that weigh the same, one is looked
    at).  `short_micro`, of an order without a partner: its limit must be better by more than that,
    on all its pairs, to trade.  `spare_micro`, of a matched one: what its pairs add to the weight
    of the round; its limit could be worse by less than that and it would still trade.  `deferred`
    instead of these, when the work of a block does not suffice to tell.
    """
    for book in live_books(view, height):
        for side, orders in ((LEFT, book.bids), (RIGHT, book.asks)):
            if order in orders:
                budget = Budget(market_parameters(view).work_per_block)
                pairs = Pairs(book.bid, book.ask, book.weight, len(book.bids), len(book.asks))
                try:
                    return _stand(solved_matcher(pairs, budget), side, orders.index(order))
                except WorkExceeded:
                    return {"deferred": True}
    return None


def _stand(matcher: Matcher, side: int, vertex: int) -> dict[str, object]:
    if matcher.mates[side][vertex] == FREE:
        return {"matched": False, "short_micro": matcher.shortfall(side, vertex)}
    whole = matcher.weight()
    matcher.remove(side, vertex)
    return {"matched": True, "spare_micro": whole - matcher.weight()}
