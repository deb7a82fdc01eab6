"""What can be wrong with this node's own disk; none of it is ever a verdict about a block."""

from enum import StrEnum


class StorageError(Exception):
    """Base of all errors of the node's own storage."""


class StorageFailed(StorageError):
    """A read or write failed, or failed earlier: sign nothing more and exit non-zero."""


class StoreLocked(StorageError):
    """Another process holds this data directory; one key may serve one process only."""


class StoreMissing(StorageError):
    """There is no database in the directory although one was asked for."""


class WrongGenesis(StorageError):
    """The database belongs to a chain with another genesis file."""


class SchemaTooNew(StorageError):
    """The database was written by a newer program."""


class DoubleVote(StorageError):
    """A second, different vote for one height, view and slot reached the journal."""


class StoreCorrupt(StorageError):
    """What is stored contradicts itself: a hash, a link or a root does not hold."""


class NotEmpty(StorageError):
    """A new database was asked for in a directory that holds something already."""


class Refusal(StrEnum):
    """Why a snapshot file is not taken; the codes are stable."""

    NOT_A_SNAPSHOT = "not_a_snapshot"
    UNKNOWN_VERSION = "unknown_version"
    TRUNCATED = "truncated"
    CHECKSUM = "checksum"
    NOT_CANONICAL = "not_canonical"
    ORDER = "order"
    COUNTS = "counts"
    LEFT_OVER = "left_over"
    WRONG_GENESIS = "wrong_genesis"
    UNTRUSTED_BLOCK = "untrusted_block"
    WRONG_HEADER = "wrong_header"
    WRONG_ROOT = "wrong_root"
    BAD_STATE = "bad_state"
    WRONG_MONEY = "wrong_money"
    BAD_CERTIFICATE = "bad_certificate"


class SnapshotRefused(StorageError):
    """A snapshot file that is damaged, forged, or not of this chain."""

    def __init__(self, code: Refusal, detail: str) -> None:
        super().__init__(f"{code.value}: {detail}")
        self.code = code
        self.detail = detail
