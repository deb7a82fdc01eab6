"""A disk that forgets what was not synced when its node crashes."""

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


class DiskFailed(OSError):
    """The disk reports an error; the node must stop signing."""


@dataclass
class Disk:
    """Writes go to a queue in order; `sync` makes the queue durable, `crash` drops it."""

    journal: list[JournalRecord] = field(default_factory=list)
    blocks: dict[int, StoredBlock] = field(default_factory=dict)
    queue: list[JournalRecord | StoredBlock] = field(default_factory=list)
    own_votes: dict[Vote, None] = field(default_factory=dict)
    fail_after: int | None = None

    def append(self, records: Sequence[JournalRecord | StoredBlock]) -> None:
        self.queue.extend(records)

    def sync(self) -> None:
        """Everything queued becomes durable, or the disk fails and nothing of it does."""
        if self.fail_after is not None:
            self.fail_after -= 1
            if self.fail_after < 0:
                raise DiskFailed("injected write error")
        for record in self.queue:
            if isinstance(record, StoredBlock):
                self.blocks[record.height] = record
                self.journal = [held for held in self.journal if held.height > record.height]
            else:
                self.journal.append(record)
                if isinstance(record, OwnVote):
                    self.own_votes[record.vote] = None
        self.queue.clear()

    def crash(self) -> None:
        """Power is gone: what was not synced never was."""
        self.queue.clear()

    def copy(self) -> "Disk":
        """A backup of what is durable now."""
        return Disk(list(self.journal), dict(self.blocks), [], dict(self.own_votes))

    @property
    def tip(self) -> int:
        """The last durable height."""
        return max(self.blocks, default=0)
