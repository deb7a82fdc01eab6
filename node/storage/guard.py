"""Knows whether this data directory may still be trusted to remember what its key signed.

A validator that forgets a vote may sign the opposite one.  Two things make it forget: a second
process with the same key, and a database put back from an older copy.  Against the first stands
an exclusive lock on the file `guard`; against the second, the same file holds the highest height
this directory voted in, written after each such vote is durable.  A database behind that height,
one without this file, or one marked as a copy is *observed*: the node follows the chain and signs
nothing until a height it cannot have voted in is final.

The file is made and synced before the first vote, and not synced again: at a power cut it lags the
database, never leads it, and then says too little, which is what a database that is all there
needs.  Were its making not synced, a cut in the first half minute of a network would leave every
database without its file, and all nodes observing each other for ever.
"""

import fcntl
import os
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from node.storage.errors import StorageFailed, StoreLocked

_HEADER = "twinchain guard 1 "
_WIDTH = len(_HEADER) + 20 + 1


class GuardReason(StrEnum):
    """Why a directory's vote record is, or is not, taken as complete."""

    COMPLETE = "complete"  # the record reaches as far as this directory ever voted
    FRESH = "fresh"  # nothing here yet; the key may still have voted from elsewhere
    RESTORED = "restored"  # a copy made for backup, or declared restored by the operator
    OLDER = "older"  # the database is behind the height this directory voted in
    MISSING = "missing"  # one of database and guard file is gone


@dataclass(frozen=True, slots=True)
class Guard:
    """The verdict at start.  `floor` is the highest height known to have been voted in."""

    reason: GuardReason
    floor: int

    @property
    def observing(self) -> bool:
        """True if the node must sign nothing until `may_sign` says otherwise."""
        return self.reason not in (GuardReason.COMPLETE, GuardReason.FRESH)

    def may_sign(self, tip_height: int, best_peer_tip: int) -> bool:
        """True once no undecided height can hold a forgotten vote of ours.

        `best_peer_tip` is the highest tip any peer showed when this node came up.  The key can
        have voted at most one height above it, so that height must be final first.
        """
        if self.reason is GuardReason.COMPLETE:
            return True
        if self.reason is GuardReason.FRESH and best_peer_tip == 0:
            return True
        return tip_height > max(self.floor - 1, best_peer_tip)


class GuardFile:
    """The locked file beside the database; held from opening to closing the store."""

    def __init__(self, path: Path) -> None:
        """Take the lock.  `StoreLocked` if another process has it."""
        self._path = path
        self.existed = path.exists()
        try:
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StorageFailed(f"cannot open {path}: {error.strerror}") from error
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._descriptor)
            raise StoreLocked(f"another process uses {path.parent}") from error
        self.height = self._read()
        self.existed = self.existed and self.height >= 0
        self.height = max(self.height, 0)

    def _read(self) -> int:
        raw = os.pread(self._descriptor, _WIDTH, 0)
        try:
            line = raw.decode("ascii")
        except UnicodeDecodeError:
            return -1
        digits = line.removeprefix(_HEADER).strip()
        return int(digits) if line.startswith(_HEADER) and digits.isdigit() else -1

    def raise_to(self, height: int) -> None:
        """Remember that a vote of `height` is durable.  Never lowers what is written."""
        if height > self.height or not self.existed:
            self.height = max(height, self.height)
            line = f"{_HEADER}{self.height:020d}\n"
            os.pwrite(self._descriptor, line.encode("ascii"), 0)
            if not self.existed:
                self._sync()
            self.existed = True

    def _sync(self) -> None:
        """Make the file itself, and its name in the directory, survive a power cut."""
        os.fsync(self._descriptor)
        directory = os.open(self._path.parent, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)

    def close(self) -> None:
        """Give the lock back."""
        os.close(self._descriptor)
