"""What one decided block hands to the database: the block, its proof, what it told."""

from collections.abc import Mapping
from dataclasses import dataclass

from consensus.simplex.types import Certificate, ValidatorSet
from ledger.blocks import Block
from ledger.execution import Receipt
from ledger.state import Event
from ledger.transactions import Transaction
from ledger.types import Digest, Height

TRADE_EVENT = "trade.made"


@dataclass(frozen=True, slots=True)
class CommittedBlock:
    """One height, complete.  `changes` maps state keys to new values, None for deleted ones."""

    block: Block
    data: bytes
    certificate: Certificate
    transactions: tuple[Transaction, ...]
    receipts: tuple[Receipt, ...]
    events: tuple[Event, ...]
    changes: Mapping[bytes, bytes | None]
    election: bytes  # the election document of the next height, JSON
    round: bytes = b""  # the document of this block's auction rounds, JSON; empty without any
    trade_proofs: bytes = b""  # what proves its trades of the states around it; empty without any
    next_set: ValidatorSet | None = None  # who votes from the next height on, if that changes here

    @property
    def height(self) -> Height:
        """The height this block decided."""
        return self.block.header.height

    @property
    def trades(self) -> int:
        """Number of trades this block made."""
        return sum(1 for event in self.events if event.kind == TRADE_EVENT)


@dataclass(frozen=True, slots=True)
class StoredTip:
    """The highest block in the database, without its body."""

    height: Height
    hash: Digest
    header: bytes
    certificate: bytes
