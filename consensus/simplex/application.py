"""What the finality core decides about: the Application protocol and its contract.

The core knows blocks by their digest only.  The driver alone calls the application and feeds the
answers back; the core never does.  Two implementations exist: the node's and the simulator's toy.

The contract that safety and liveness rest on:

- `inspect` and `check` are functions of the bytes and of final history, the same on every correct
  node and at every time.  `Rejected` means for ever and for everyone.  What may still change (a
  header time ahead of our clock, data that has not arrived) is no reason to reject; the driver
  holds such a block back and asks later.
- `check` executes the block completely on the state of the final parent.  It leaves nothing
  behind but what `commit` needs; several blocks of one height may be checked, one is committed.
- A local fault (disk, memory) is raised as what it is, never as `Rejected`.
- `check` must accept what `build` of a correct node made, at every view that re-proposes it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from consensus.simplex.types import Certificate, HeightStart, Vote
from ledger.types import Digest


@dataclass(frozen=True, slots=True)
class BuildRequest:
    """A turn to write a block: `view` is its origin view, `parent` the final block below.

    skips: NULLIFY certificates of views 1 .. view-1 in order, to be embedded; empty when
    view > n, where nobody is charged.  now_ms: this node's clock, for the header time.
    """

    height: int
    view: int
    parent: Digest
    now_ms: int
    skips: tuple[Certificate, ...]


@dataclass(frozen=True, slots=True)
class BlockFacts:
    """What the header of a block says about its place; `time_ms` is the builder's clock."""

    digest: Digest
    height: int
    parent: Digest
    origin_view: int
    time_ms: int


class Application(Protocol):
    """A replicated state machine, driven block by block."""

    def build(self, request: BuildRequest) -> bytes | None:
        """A fresh block for this turn, or None to decline it (the turn is then skipped)."""
        ...

    def inspect(self, data: bytes) -> BlockFacts:
        """Read the place of a block from its bytes; structure only, no execution.

        The digest must commit to every byte of `data` that `check` looks at.  Raises Rejected.
        """
        ...

    def check(self, data: bytes) -> None:
        """Execute a block of the current height on the committed state.  Raises Rejected.

        Called once per digest in a run, and again after a restart.  A block that passed can be
        committed by its digest.
        """
        ...

    def commit(self, digest: Digest, certificate: Certificate) -> HeightStart:
        """Make a checked block final and say how the next height starts.

        The FINALIZE certificate has been verified.  The application queues its own durable
        commit; records that the driver persists afterwards must not become durable before it.
        """
        ...

    def note_finalize_votes(self, votes: Sequence[Vote]) -> None:
        """FINALIZE votes of recent heights that arrived beside or after the certificate.

        Signatures have been verified; the same vote may be told more than once.
        """
        ...
