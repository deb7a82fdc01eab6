"""A dry run: what would match now, were the block built on this state as it is.

Ties are settled by the seed of the coming block, which nobody knows yet; the preview draws with a
seed of zeros, so between orders of equal weight it shows one possible outcome.
"""

import msgspec

from auction.clearing import live_round, solve_round
from auction.parameters import market_parameters
from ledger.codec import encode
from ledger.parameters import ledger_parameters
from ledger.state import View

_SEED = bytes(32)


def preview(view: View, height: int) -> dict[str, object]:
    """Return the round of `height` as it stands: per broker the pairs, their terms, the totals."""
    market = market_parameters(view)
    live = live_round(view, height)
    clearing = solve_round(live, _SEED, market, ledger_parameters(view).max_sealed_bytes)
    documents: list[dict[str, object]] = []
    for book, part in zip(live.books, clearing.books, strict=True):
        place = {bid.hex(): index for index, bid in enumerate(book.bids)}
        slot = {ask.hex(): index for index, ask in enumerate(book.asks)}
        rows = book.find([(place[pair.bid], slot[pair.ask]) for pair in part.pairs])
        edges = book.edges_at(rows)
        documents.append(
            {
                "broker": part.broker,
                "tariff": part.tariff,
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
    classes: list[dict[str, object]] = [
        msgspec.json.decode(encode(part)) for part in clearing.classes
    ]
    return {"height": height, "books": documents, "classes": classes}
