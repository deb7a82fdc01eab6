"""Did an order get its due?  The slow obvious twin of what `auction/trade_proof.py` proves.

The labels sealed in a block are prices at which nobody would rather have another partner: for a
buyer with the pair (weight w, its seller's label p) and every other pair (w', p') it keeps,
w - p >= w' - p'.  A buyer left out has w' - p' <= 0 everywhere.  So the clearing of one block,
proven by its header, and the record of the order's own pairs, proven by the state root of the
parent, are all it takes: a proof as small as the order's own degree.

An order the very block withdrew before its round still stands in the parent's record, as a pair at
the label 0.  `auction/trade_proof.py` proves such withdrawals; here they look like better offers.

Under `core_seller` labels are the buyers', and the same holds for asks with the roles exchanged.
"""

from dataclasses import dataclass

from auction.edges import decode_edges
from auction.sealed import SealedBook
from ledger.types import Digest


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an order gained in a round and where it could have gained more; micro-tokens."""

    partner: str
    """Id of the order it was matched with, empty for none."""
    gain: int
    envied: tuple[str, ...]
    """Orders it would rather have had at their labels: empty in any valid round."""


def judge(book: SealedBook, order: Digest, record: bytes, height: int) -> Verdict:
    """Hold one order of the unlabelled side against a sealed book that was not deferred.

    `record` is the state's value under `edge/<order>` at height - 1; pairs that cross later than
    `height` do not count.
    """
    live = [edge for edge in decode_edges(record) if edge.due <= height]
    own = order.hex()
    labels: dict[str, int] = {}
    partner = ""
    for pair in book.pairs:
        labels[pair.ask], labels[pair.bid] = pair.label_micro, pair.label_micro
        if own in (pair.bid, pair.ask):
            partner = pair.ask if own == pair.bid else pair.bid
    gains = {edge.other.hex(): edge.weight - labels.get(edge.other.hex(), 0) for edge in live}
    gain = gains.get(partner, 0)
    envied = tuple(other for other, better in gains.items() if better > gain)
    return Verdict(partner, gain, envied)
