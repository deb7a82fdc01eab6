"""Keeps, of the states around a block, what proves its trades later: the states themselves go.

Called around the merge of a decided block: the parent's entries must be taken before it, the
block's own after it.  Costs nothing for a block without trades.
"""

from auction import keys
from auction.trade_proof import NeededKeys, needed_of_block
from ledger.state import State
from ledger.witness import Witness, encode_witnesses
from node.application.proposals import Proposal

_NOTHING = NeededKeys((), ())
_A_PAIR = b'"label_micro"'


class TradeWitness:
    """What proves the trades of one block.  Make it before the merge, `seal` it after."""

    def __init__(self, state: State, proposal: Proposal) -> None:
        self._needed = _needed(state, proposal)
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
    start = len(keys.ORDER)
    changes = proposal.execution.overlay.changes
    closed = {
        key[start:]
        for key, value in changes.items()
        if value is None and key.startswith(keys.ORDER)
    }
    if not closed:
        return _NOTHING
    return needed_of_block(state.get, proposal.block.clearings, closed)
