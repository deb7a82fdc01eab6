"""The node's database as one object: opens it safely, writes blocks and votes, closes it.

All writing goes through one connection, used by one thread at a time (the writer's, after start).
Each public method that writes is one transaction and durable when it returns.  Any error of the
file or the database surfaces as `StorageFailed`; the caller must not go on signing after one.
"""

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Self, TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from consensus.simplex.journal import JournalRecord
from consensus.simplex.types import ValidatorSet
from ledger.types import Digest, Height
from node.storage import blocks as store_blocks
from node.storage import journal as store_journal
from node.storage.batch import CommittedBlock, StoredTip
from node.storage.database import migrate, writing_engine
from node.storage.errors import StorageFailed, StoreMissing, WrongGenesis
from node.storage.guard import Guard, GuardFile, GuardReason
from node.storage.pending import FLUSHED_HEIGHT, WriteBehind

DATABASE_FILE = "chain.db"
GUARD_FILE = "guard"
GENESIS_HASH = "genesis_hash"
# Set in a copy made by `node/storage/backup.py`, in a database made from a snapshot, and while a
# restored node still observes.
COPY_MARK = "copy"

Result = TypeVar("Result")


@contextmanager
def storage_errors() -> Iterator[None]:
    """Whatever the disk or the database reports becomes StorageFailed."""
    try:
        yield
    except (SQLAlchemyError, sqlite3.Error, OSError) as error:
        raise StorageFailed(f"{type(error).__name__}: {error}") from error


class Store:
    """One data directory, held exclusively.  Make one with `Store.open`."""

    def __init__(self, connection: Connection, file: GuardFile, guard: Guard, path: Path) -> None:
        self._connection = connection
        self._file = file
        self.guard = guard
        self.path = path
        self.pending: WriteBehind

    @classmethod
    def open(
        cls,
        directory: Path,
        genesis_hash: Digest,
        *,
        create: bool = True,
        restored: bool = False,
        history: bool = True,
    ) -> Self:
        """Open or create the database in `directory`.

        create=False raises `StoreMissing` where there is none.  restored: the operator says that
        the directory was put back from a copy.  history: keep the index of heights at which an
        account changed.  Raises StoreLocked, WrongGenesis, SchemaTooNew, StorageFailed.
        """
        path = directory / DATABASE_FILE
        with storage_errors():
            if not path.exists() and not create:
                raise StoreMissing(f"there is no database in {directory}")
            directory.mkdir(parents=True, exist_ok=True)
            file = GuardFile(directory / GUARD_FILE)
            existed = path.exists()
            try:
                connection = writing_engine(path).connect()
            except BaseException:
                file.close()
                raise
            store = cls(connection, file, Guard(GuardReason.COMPLETE, 0), path)
            try:
                store._prepare(genesis_hash, existed, restored, history)
            except BaseException:
                store.close()
                raise
        return store

    def _prepare(self, genesis_hash: Digest, existed: bool, restored: bool, history: bool) -> None:
        connection = self._connection
        with connection.begin():
            migrate(connection)
            stored = store_blocks.read_meta(connection, GENESIS_HASH)
            if stored is None:
                store_blocks.write_meta(connection, GENESIS_HASH, genesis_hash)
            elif stored != genesis_hash:
                raise WrongGenesis(
                    f"the database was made for genesis {stored.hex()},"
                    f" the genesis file is {genesis_hash.hex()}"
                )
            flushed = store_blocks.read_meta(connection, FLUSHED_HEIGHT)
            tip = store_blocks.read_tip(connection)
            voted = max(store_journal.latest_voted(connection), 0 if tip is None else tip.height)
            copied = store_blocks.read_meta(connection, COPY_MARK) is not None
            if restored and not copied:
                store_blocks.write_meta(connection, COPY_MARK, b"restored")
        flushed_height = None if flushed is None else int.from_bytes(flushed, "big")
        self.pending = WriteBehind(flushed_height, history)
        self.guard = Guard(self._reason(existed, voted, restored or copied), self._file.height)
        if self.guard.reason is GuardReason.FRESH:
            self._file.raise_to(0)

    def _reason(self, database_existed: bool, voted: Height, restored: bool) -> GuardReason:
        if restored:
            return GuardReason.RESTORED
        if not database_existed:
            return GuardReason.MISSING if self._file.height else GuardReason.FRESH
        if not self._file.existed:
            return GuardReason.MISSING if voted else GuardReason.FRESH
        return GuardReason.OLDER if voted < self._file.height else GuardReason.COMPLETE

    # ------------------------------------------------------------ writing
    def save_journal(self, records: Sequence[JournalRecord]) -> None:
        """Append what consensus must remember; durable when it returns."""

        def write(connection: Connection) -> Height:
            return store_journal.append(connection, records)

        voted = self._transaction(write)
        if voted:
            with storage_errors():
                self._file.raise_to(voted)

    def commit_block(self, committed: CommittedBlock) -> None:
        """Write one decided block, drop its height's journal, and flush what is due."""
        pending = self.pending
        identities = [transaction.id for transaction in committed.transactions]
        pending.remember(committed.height, committed.changes, identities)
        flush = pending.due

        def write(connection: Connection) -> None:
            store_blocks.insert_block(connection, committed)
            store_journal.prune(connection, committed.height)
            if flush:
                pending.write(connection)

        self._transaction(write)
        if flush:
            pending.forget()

    def remember(
        self,
        height: Height,
        changes: Mapping[bytes, bytes | None],
        transaction_ids: Iterable[Digest],
    ) -> None:
        """Take up again what a stored block changed above the flushed height (at start)."""
        self.pending.remember(height, changes, transaction_ids)

    def flush(self) -> None:
        """Write now what is written behind, so that the next start executes nothing."""
        self._transaction(self.pending.write)
        self.pending.forget()

    def save_election(self, height: Height, document: bytes) -> None:
        """Keep the election document of `height` (the first one, at genesis)."""
        self._transaction(
            lambda connection: store_blocks.save_election(connection, height, document)
        )

    def save_sets(self, sets: Iterable[ValidatorSet]) -> None:
        """Keep the voting sets the state knows at start; those that are kept already stay."""

        def write(connection: Connection) -> None:
            for validators in sets:
                store_blocks.save_set(connection, validators)

        self._transaction(write)

    def end_observation(self) -> None:
        """The record is trusted again: a height this node cannot have voted in is final."""
        tip = self.tip()
        self._transaction(
            lambda connection: connection.exec_driver_sql(
                "DELETE FROM meta WHERE name = ?", (COPY_MARK,)
            )
        )
        with storage_errors():
            self._file.raise_to(0 if tip is None else tip.height)
        self.guard = Guard(GuardReason.COMPLETE, self._file.height)

    # ------------------------------------------------------------ reading, at start
    @property
    def flushed_height(self) -> Height | None:
        """The height the state rows stand for; None before the genesis state is written."""
        return self.pending.flushed_height

    def anchor(self) -> StoredTip | None:
        """The block of the snapshot this database was made from, None if it begins at genesis."""
        return self._transaction(store_blocks.read_anchor)

    def tip(self) -> StoredTip | None:
        """The highest block on the disk, None at genesis."""
        return self._transaction(store_blocks.read_tip)

    def headers(self) -> Iterator[StoredTip]:
        """All stored blocks without bodies, ascending.  Write nothing before it is exhausted."""
        with storage_errors(), self._connection.begin():
            yield from store_blocks.read_headers(self._connection)

    def header(self, height: Height) -> StoredTip | None:
        """One stored block without its body."""
        return self._transaction(lambda connection: store_blocks.read_header(connection, height))

    def body(self, height: Height) -> bytes | None:
        """The stored bytes of a block."""
        return self._transaction(lambda connection: store_blocks.read_body(connection, height))

    def state_rows(self) -> list[tuple[bytes, bytes]]:
        """The state as of `pending.flushed_height`, ascending by key; empty at genesis."""
        return self._transaction(lambda connection: list(store_blocks.read_state(connection)))

    def journal(self) -> tuple[JournalRecord, ...]:
        """The records of heights above the tip, in the order they were written."""
        tip = self.tip()
        above = 0 if tip is None else tip.height
        return self._transaction(lambda connection: tuple(store_journal.read(connection, above)))

    # ------------------------------------------------------------ plumbing
    def _transaction(self, work: Callable[[Connection], Result]) -> Result:
        with storage_errors(), self._connection.begin():
            return work(self._connection)

    def close(self) -> None:
        """Close the database and give back the lock."""
        engine = self._connection.engine
        self._connection.close()
        engine.dispose()
        self._file.close()
