"""Blocks of the height in progress that were executed, until one of them is decided.

Normally there is one.  A faulty leader in every view could make many, so only the last few keep
their result; of the others the bytes stay, and the one that is decided after all is executed again.
"""

from collections import OrderedDict
from dataclasses import dataclass

from ledger.blocks import Block
from ledger.execution import Execution
from ledger.types import Digest

MAX_EXECUTIONS = 4


@dataclass(frozen=True, slots=True)
class Proposal:
    """A valid block of the next height with what executing it led to."""

    block: Block
    data: bytes
    execution: Execution


class Proposals:
    """Checked blocks of one height, by hash."""

    def __init__(self) -> None:
        self._executed: OrderedDict[Digest, Proposal] = OrderedDict()
        self._bytes: dict[Digest, bytes] = {}

    def keep(self, proposal: Proposal) -> None:
        """Remember a block that was built or passed its check."""
        digest = proposal.block.hash
        self._bytes[digest] = proposal.data
        self._executed[digest] = proposal
        self._executed.move_to_end(digest)
        while len(self._executed) > MAX_EXECUTIONS:
            self._executed.popitem(last=False)

    def executed(self, digest: Digest) -> Proposal | None:
        """The block with its result, if that is still held."""
        return self._executed.get(digest)

    def data(self, digest: Digest) -> bytes | None:
        """The bytes of a block that passed."""
        return self._bytes.get(digest)

    def clear(self) -> None:
        """A block was decided: all others are void."""
        self._executed.clear()
        self._bytes.clear()
