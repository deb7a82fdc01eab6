"""What can be wrong with this node's own disk; none of it is ever a verdict about a block."""


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
