"""What the driver of the finality core needs from the world around it, and what it is fed.

Two hosts exist: the service (asyncio, database, peers) and the simulator (virtual time, no event
loop: its coroutines never suspend).  The driver logs nothing and counts nothing; a host that
wants to know what happens sees it in these calls.

Peers are named by the public key under which the transport authenticated them.  Positions in the
validator set change at set boundaries, keys do not, and observers have no position.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from consensus.simplex.events import Message, Tick
from consensus.simplex.evidence import Evidence
from consensus.simplex.journal import JournalRecord
from consensus.simplex.pace import Timing
from consensus.simplex.types import Certificate, PeerKey, Verify
from ledger.types import Digest


@dataclass(frozen=True, slots=True)
class MessageArrived:
    """A decoded message of an authenticated peer; its signatures are not yet verified."""

    peer: PeerKey
    message: Message


@dataclass(frozen=True, slots=True)
class BlockArrived:
    """The bytes of a block, pushed by its builder or fetched on request.

    A host that checks transaction signatures elsewhere does so before it hands the block in, so
    that `Application.check` finds the verdicts in its cache.  peer: None when it is our own disk.
    """

    peer: PeerKey | None
    data: bytes


@dataclass(frozen=True, slots=True)
class FinalBlockArrived:
    """A block with its FINALIZE certificate, fetched by catch-up; heights in order.

    Not of the height worked on: dropped.  A bad certificate: dropped, `block_peer`.
    """

    peer: PeerKey
    data: bytes
    certificate: Certificate


DriverInput = MessageArrived | BlockArrived | FinalBlockArrived | Tick


@dataclass(frozen=True, slots=True)
class DriverSettings:
    """Constants of one run.

    drift_bound_ms: a header time further ahead of our clock than this is waited for.
    restored: the vote journal may have been lost or be old (missing, behind the store, restored
    from a backup): sign nothing until a height is final that no forgotten vote can reach.
    """

    genesis_hash: bytes
    verify: Verify
    timing: Timing = field(default_factory=Timing)
    drift_bound_ms: int = 500
    restored: bool = False
    vote_floor: int = 0
    """The highest height this node may have voted at; looked at when `restored`."""


class Host(Protocol):
    """The effects of the driver.  Only `persist` and `next_input` may suspend.

    Sending is best effort, never blocks and never raises; the protocol repeats what matters.
    `persist` returns after the records are on disk, after everything queued before them, and
    raises what the disk raises: the driver then lets the error through and must not be used again.
    """

    def now_ms(self) -> int:
        """Milliseconds that passed since some fixed moment; timers count in these."""
        ...

    def wall_ms(self) -> int:
        """What this node's wall clock shows, in ms since 1970; it may step either way."""
        ...

    async def next_input(self) -> DriverInput:
        """The next input, in arrival order; a Tick once the deadline has passed."""
        ...

    async def persist(self, records: Sequence[JournalRecord]) -> None:
        """Make the records durable in their order, all or none."""
        ...

    def set_deadline(self, at_ms: int | None) -> None:
        """When to feed a Tick; replaces the earlier one."""
        ...

    def broadcast(self, message: Message, skip: tuple[PeerKey, ...]) -> None:
        """Send to every connected peer (validators and observers) but `skip`."""
        ...

    def send(self, peer: PeerKey, message: Message) -> None:
        """Send to one peer; dropped when it is not connected."""
        ...

    def publish_block(self, digest: Digest, data: bytes) -> None:
        """Push an own block to every connected peer."""
        ...

    def request_block(self, height: int, digest: Digest, peer: PeerKey) -> None:
        """Fetch a block from this peer; it comes back as BlockArrived, or never.

        Called again with another peer after a while.
        """
        ...

    def block_accepted(self, height: int, digest: Digest, data: bytes) -> None:
        """A block of another builder passed its check: peers that lack it may have it from us."""
        ...

    def own_block_refused(self, height: int, view: int, detail: str) -> None:
        """A block built here failed our own check, which is a bug: the turn is declined."""
        ...

    def decided(self, digest: Digest, data: bytes, certificate: Certificate) -> None:
        """The application has committed this block."""
        ...

    def behind(self, peer: PeerKey, height: int) -> None:
        """This peer works on `height`, above ours: fetch the final blocks between from it."""
        ...

    def evidence(self, evidence: Evidence) -> None:
        """A validator signed two votes that convict it."""
        ...

    def block_peer(self, peer: PeerKey, why: str) -> None:
        """Stop listening to this peer for a while."""
        ...
