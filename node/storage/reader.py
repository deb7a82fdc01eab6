"""A database that is only looked at: one read transaction, so one consistent moment of it.

The node may run meanwhile.  Nothing is written, and nothing is locked but the space of rows that
were replaced since the transaction began.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection

from ledger.types import Digest, Height
from node.storage import blocks as store_blocks
from node.storage.batch import StoredTip
from node.storage.database import reading_engine
from node.storage.errors import StoreMissing
from node.storage.pending import FLUSHED_HEIGHT
from node.storage.store import GENESIS_HASH, storage_errors


class Reader:
    """The stored chain at one moment.  Make one with `reading`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @property
    def genesis_hash(self) -> Digest | None:
        """The chain the database was made for."""
        return store_blocks.read_meta(self._connection, GENESIS_HASH)

    @property
    def flushed_height(self) -> Height | None:
        """The height the state rows stand for; None before the genesis state is written."""
        stored = store_blocks.read_meta(self._connection, FLUSHED_HEIGHT)
        return None if stored is None else int.from_bytes(stored, "big")

    def anchor(self) -> StoredTip | None:
        """The block of the snapshot this database was made from, None if it begins at genesis."""
        return store_blocks.read_anchor(self._connection)

    def headers(self) -> Iterator[StoredTip]:
        """All stored blocks without bodies, ascending."""
        return store_blocks.read_headers(self._connection)

    def header(self, height: Height) -> StoredTip | None:
        """One stored block without its body."""
        return store_blocks.read_header(self._connection, height)

    def body(self, height: Height) -> bytes | None:
        """The stored bytes of a block."""
        return store_blocks.read_body(self._connection, height)

    def state_rows(self) -> Iterator[tuple[bytes, bytes]]:
        """The state as of `flushed_height`, ascending by key, never all in memory."""
        return store_blocks.read_state(self._connection)

    def state_size(self) -> tuple[int, int]:
        """Number of state rows, and bytes of all keys and values."""
        return store_blocks.state_size(self._connection)

    def remember(
        self,
        height: Height,
        changes: Mapping[bytes, bytes | None],
        transaction_ids: Iterable[Digest],
    ) -> None:
        """A reader keeps nothing."""


@contextmanager
def reading(database: Path) -> Iterator[Reader]:
    """Look at a database file.  Raises StoreMissing, StorageFailed."""
    if not database.is_file():
        raise StoreMissing(f"there is no database {database}")
    engine = reading_engine(database)
    try:
        with storage_errors(), engine.connect() as connection, connection.begin():
            yield Reader(connection)
    finally:
        engine.dispose()
