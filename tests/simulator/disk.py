"""A disk that forgets what was not synced when its node crashes, or keeps only a part of it.

Records are written in order.  A crash in the middle of a write leaves the first few of them whole;
the one that was half written does not read back, so it is not there, nor is anything behind it.
A call that reports an error has done anything from nothing to everything.
"""

import errno
from collections.abc import Sequence
from dataclasses import dataclass, field

from consensus.simplex.journal import JournalRecord, OwnVote
from consensus.simplex.types import Certificate, Vote
from ledger.types import Digest


@dataclass(frozen=True)
class StoredBlock:
    """A final block with its certificate."""

    height: int
    digest: Digest
    data: bytes
    certificate: Certificate


DiskRecord = JournalRecord | StoredBlock


class DiskFailed(OSError):
    """The disk reports an error; the node must stop signing."""


@dataclass
class Disk:
    """Writes go to a queue in order; `sync` makes the queue durable, `crash` drops most of it.

    calls: how often the disk was asked to do something.  fail_after: so many calls succeed, the
    next one fails with `error_number`.
    """

    journal: list[JournalRecord] = field(default_factory=list)
    blocks: dict[int, StoredBlock] = field(default_factory=dict)
    queue: list[DiskRecord] = field(default_factory=list)
    own_votes: dict[Vote, None] = field(default_factory=dict)
    calls: int = 0
    fail_after: int | None = None
    error_number: int = errno.EIO

    def append(self, records: Sequence[DiskRecord]) -> None:
        """Put records behind those that wait.  Raises DiskFailed."""
        self._call()
        self.queue.extend(records)

    def sync(self) -> None:
        """Everything queued becomes durable, or the disk fails.  Raises DiskFailed."""
        self._call()
        self._keep(self.queue)
        self.queue.clear()

    def crash(self, survivors: int = 0) -> list[DiskRecord]:
        """Power is gone: of what was not synced only the first `survivors` records are there."""
        kept = self.queue[:survivors]
        self._keep(kept)
        self.queue.clear()
        return kept

    def copy(self) -> "Disk":
        """A backup of what is durable now."""
        return Disk(list(self.journal), dict(self.blocks), [], dict(self.own_votes))

    @property
    def tip(self) -> int:
        """The last durable height."""
        return max(self.blocks, default=0)

    def _call(self) -> None:
        self.calls += 1
        if self.fail_after is not None:
            self.fail_after -= 1
            if self.fail_after < 0:
                raise DiskFailed(self.error_number, "injected storage error")

    def _keep(self, records: Sequence[DiskRecord]) -> None:
        for record in records:
            if isinstance(record, StoredBlock):
                self.blocks[record.height] = record
                self.journal = [held for held in self.journal if held.height > record.height]
            else:
                self.journal.append(record)
                if isinstance(record, OwnVote):
                    self.own_votes[record.vote] = None
