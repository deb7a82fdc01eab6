"""Executes a stored chain again and compares every state root: what `db check` does.

It needs nothing but a first state and the bodies, so it finds what no check of stored values can:
a state that was altered together with its root, or a program that no longer computes what it once
did.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from consensus.simplex.certificates import verify_certificate
from consensus.simplex.wire import decode_certificate
from ledger.errors import Rejected
from ledger.types import Digest, Height
from node.application.chain import Chain
from node.application.checking import DOUBT, OWN_DATABASE, check_block
from node.application.genesis import genesis_state
from node.application.head import Head, genesis_head, head_after
from node.storage.errors import StoreCorrupt

Read = Callable[[Height], tuple[bytes, bytes] | None]
"""(block bytes, certificate bytes) of a height, None above the tip."""


@dataclass(frozen=True, slots=True)
class Replayed:
    """One height that came out as its header says."""

    height: Height
    hash: Digest
    state_root: Digest
    transactions: int


def replay(
    chain: Chain, read: Read, *, signatures: bool, start: Head | None = None
) -> Iterator[Replayed]:
    """Execute heights 1, 2, ... until `read` has no more.  Raises StoreCorrupt at the first fault.

    signatures: also verify every transaction, vote and finalization, as a stranger would.
    start: the verified head of a snapshot, to begin above it instead; it is used up.
    """
    trust = DOUBT if signatures else OWN_DATABASE
    head = start or genesis_head(genesis_state(chain.genesis), chain.genesis)
    while (stored := read(head.height + 1)) is not None:
        height = head.height + 1
        try:
            proposal = check_block(chain, head, stored[0], trust)
            certificate = decode_certificate(stored[1])
        except Rejected as error:
            raise StoreCorrupt(f"block {height}: {error}") from error
        if certificate.payload != proposal.block.hash or certificate.height != height:
            raise StoreCorrupt(f"block {height}: its certificate is of another block")
        if signatures and not verify_certificate(
            certificate, head.validators, chain.genesis_hash, trust.verify_vote
        ):
            raise StoreCorrupt(f"block {height}: its certificate does not verify")
        head.state.merge(proposal.execution.overlay)
        head = head_after(head.state, proposal.block, certificate)
        count = len(proposal.block.transactions)
        yield Replayed(height, head.hash, head.state.root, count)
