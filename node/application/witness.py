"""Keeps, of the states around a block, what proves its trades later: the states themselves go.

Called around the merge of a decided block: the parent's entries must be taken before it, the
block's own after it.  Costs nothing for a block without trades.

A proof shows whole buckets of the digest tree, and those grow with the state: a trade takes about
3.5 kB in a small state and 50 kB beside a million entries.  So not the number of trades is bounded
but their bytes; of the trades of a block beyond that, nothing is kept.  A class of equal services
is kept whole, its book and the round's seed, or not at all; two orders count as a trade.
"""

from auction.proof_keys import PROVEN_TRADES, closed_by, needed_of_block
from auction.proof_parts import NeededKeys
from consensus.history import TIP_KEY
from ledger.state import State
from ledger.tree import BUCKETS
from ledger.witness import Witness, encode_witnesses
from node.application.proposals import Proposal

KEPT_BYTES = 8 * 2**20
"""About how much a block may add to a database for the proofs of its trades."""

_TRADE_BYTES = 2_500
"""Of one trade: its entries, and the digests beside their paths."""

_BUCKETS_PER_TRADE = 3
_ENTRY_BYTES = 64

_NOTHING = NeededKeys((), ())
_A_PAIR = b'"bid"'


class TradeWitness:
    """What proves the trades of one block.  Make it before the merge, `seal` it after."""

    def __init__(self, state: State, proposal: Proposal, *, keep: bool = True) -> None:
        """`keep`: False where this node serves no proofs of trades."""
        self._needed = _needed(state, proposal) if keep else _NOTHING
        before = self._needed.before
        self._before = state.witness(before) if before else None

    def seal(self, state: State) -> bytes:
        """Return the stored form, empty for a block without trades; `state` is merged by now."""
        if self._before is None:
            return b""
        own: Witness = state.witness(self._needed.after)
        return encode_witnesses((self._before, own))


def _needed(state: State, proposal: Proposal) -> NeededKeys:
    if _A_PAIR not in proposal.block.clearings:
        return _NOTHING
    execution, height = proposal.execution, proposal.block.header.height
    closed = closed_by(execution.overlay.changes, height)
    most = proven_trades(len(state))
    return with_seed(needed_of_block(state, proposal.block.clearings, closed, height, most))


def with_seed(needed: NeededKeys) -> NeededKeys:
    """Add the round's seed, as the state after the block has it, where it is needed."""
    if needed.seed:
        return NeededKeys(needed.before, (*needed.after, TIP_KEY), seed=True)
    return needed


def proven_trades(entries: int) -> int:
    """How many trades of a block are kept proofs of, in a state of so many entries."""
    bucket_bytes = entries // BUCKETS * _ENTRY_BYTES
    return min(PROVEN_TRADES, KEPT_BYTES // (_TRADE_BYTES + _BUCKETS_PER_TRADE * bucket_bytes))
