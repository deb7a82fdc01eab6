"""Makes a new database from the parts of a snapshot, whole or not at all.

It grows under another name in the data directory, locked against a node, and gets its own name
only when the caller is done, all is durable, and nothing stands in its place.  Whatever fails
before, also a full disk, leaves the directory as it was.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from sqlalchemy import Connection

from ledger.types import Digest
from node.storage import blocks as store_blocks
from node.storage.batch import StoredTip
from node.storage.database import migrate, writing_engine
from node.storage.errors import NotEmpty, StorageFailed
from node.storage.guard import GuardFile
from node.storage.pending import FLUSHED_HEIGHT
from node.storage.snapshot_file import sync_directory
from node.storage.store import (
    COPY_MARK,
    DATABASE_FILE,
    GENESIS_HASH,
    GUARD_FILE,
    storage_errors,
)

TEMPORARY = "chain.db.importing"
_SIDES = ("", "-wal", "-shm", "-journal")


class Seeding:
    """The database under way.  Each call is one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, rows: Sequence[tuple[bytes, bytes]]) -> None:
        """More entries of the state."""
        with storage_errors(), self._connection.begin():
            store_blocks.insert_state(self._connection, rows)

    def finish(self, genesis_hash: Digest, anchor: StoredTip, election: bytes) -> None:
        """Let the database begin after `anchor`; `election` is the document of the next height.

        It is marked as a copy: the node on it observes before it votes (`node/storage/guard.py`).
        """
        connection = self._connection
        height = anchor.height.to_bytes(8, "big")
        with storage_errors(), connection.begin():
            store_blocks.write_meta(connection, GENESIS_HASH, genesis_hash)
            store_blocks.write_meta(connection, FLUSHED_HEIGHT, height)
            store_blocks.write_meta(connection, COPY_MARK, b"snapshot")
            store_blocks.write_anchor(connection, anchor)
            store_blocks.save_election(connection, anchor.height + 1, election)


@contextmanager
def seeding(directory: Path) -> Iterator[Seeding]:
    """A new database in `directory`, which holds nothing but perhaps a `guard` file.

    Raises NotEmpty, StoreLocked, StorageFailed.
    """
    made = not directory.exists()
    with storage_errors():
        directory.mkdir(parents=True, exist_ok=True)
    if {path.name for path in directory.iterdir()} - _own_files():
        raise NotEmpty(f"{directory} is not empty")
    guard = GuardFile(directory / GUARD_FILE)
    placed = False
    try:
        _remove(directory)
        yield from _grown(directory / TEMPORARY)
        with storage_errors():
            _place(directory)
        placed = True
    finally:
        if not placed:
            _remove(directory)
            if not guard.existed:
                (directory / GUARD_FILE).unlink(missing_ok=True)
        guard.close()
        if made and not placed:
            with suppress(OSError):
                directory.rmdir()


def _grown(path: Path) -> Iterator[Seeding]:
    """Hand out the database, then close it as a single file."""
    with storage_errors():
        engine = writing_engine(path)
        try:
            with engine.connect() as connection:
                with connection.begin():
                    migrate(connection)
                yield Seeding(connection)
                _close_log(connection)
        finally:
            engine.dispose()


def _close_log(connection: Connection) -> None:
    """Take everything over into the one file; the next to open it begins a log again."""
    cursor = connection.connection.cursor()
    try:
        busy, *_ = cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        (mode,) = cursor.execute("PRAGMA journal_mode=DELETE").fetchone()
    finally:
        cursor.close()
    if busy or mode != "delete":
        raise StorageFailed("the new database could not be closed as one file")


def _place(directory: Path) -> None:
    temporary, database = directory / TEMPORARY, directory / DATABASE_FILE
    descriptor = os.open(temporary, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    if database.exists():
        raise NotEmpty(f"{database} has appeared meanwhile")
    temporary.rename(database)
    sync_directory(directory)


def _own_files() -> set[str]:
    return {GUARD_FILE} | {TEMPORARY + side for side in _SIDES}


def _remove(directory: Path) -> None:
    for side in _SIDES:
        (directory / (TEMPORARY + side)).unlink(missing_ok=True)
