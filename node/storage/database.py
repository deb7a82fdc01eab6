"""Opens SQLite the only way this node may: WAL, synchronous FULL, both read back, schema current.

`synchronous` belongs to a connection and not to the file, and WAL with NORMAL forgets
acknowledged commits when power fails; for a validator that is a forgotten vote.  So every
connection that writes sets both and reads both back, and one that does not take them is refused.
Transactions begin where we say: the driver's own guessing at BEGIN is switched off.
"""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.pool import ConnectionPoolEntry, QueuePool, StaticPool

from node.storage.errors import SchemaTooNew, StorageFailed

SYNCHRONOUS_FULL = 2
# Waiting longer for a lock than this means another program writes to our file.
BUSY_TIMEOUT_MS = 5_000
READER_POOL = 4


def _execute(connection: DBAPIConnection, statement: str) -> object:
    cursor = connection.cursor()
    try:
        cursor.execute(statement)
        row = cursor.fetchone()
        return None if row is None else row[0]
    finally:
        cursor.close()


def _durable(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
    connection.isolation_level = None
    _execute(connection, f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")
    _execute(connection, "PRAGMA journal_mode=WAL")
    _execute(connection, "PRAGMA synchronous=FULL")
    mode = _execute(connection, "PRAGMA journal_mode")
    level = _execute(connection, "PRAGMA synchronous")
    if mode != "wal" or level != SYNCHRONOUS_FULL:
        detail = f"journal_mode={mode}, synchronous={level}"
        raise StorageFailed(f"the database does not take WAL with synchronous FULL: {detail}")


def _read_only(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
    connection.isolation_level = None
    _execute(connection, f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")
    _execute(connection, "PRAGMA query_only=ON")
    if _execute(connection, "PRAGMA query_only") != 1:
        raise StorageFailed("the read side could not be made read-only")


def _begin_immediate(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN")


def writing_engine(path: Path) -> Engine:
    """An engine over one connection that may move between threads, but serves one at a time."""
    engine = create_engine(
        URL.create("sqlite", database=str(path)),
        poolclass=StaticPool,
        connect_args={"check_same_thread": False},
    )
    event.listen(engine, "connect", _durable)
    event.listen(engine, "begin", _begin_immediate)
    return engine


def reading_engine(path: Path) -> Engine:
    """A small pool of connections that cannot write; each sees one snapshot per transaction."""
    engine = create_engine(
        URL.create("sqlite", database=str(path)),
        poolclass=QueuePool,
        pool_size=READER_POOL,
        connect_args={"check_same_thread": False},
    )
    event.listen(engine, "connect", _read_only)
    event.listen(engine, "begin", _begin)
    return engine


def _config(connection: Connection | None) -> Config:
    config = Config()
    config.set_main_option("script_location", "node.storage:migrations")
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


def migrate(connection: Connection) -> None:
    """Bring the schema to this program's version.  `SchemaTooNew` if it is past it."""
    config = _config(connection)
    script = ScriptDirectory.from_config(config)
    current = MigrationContext.configure(connection).get_current_revision()
    known = {revision.revision for revision in script.walk_revisions()}
    if current is not None and current not in known:
        raise SchemaTooNew(f"database schema {current} is unknown to this program")
    if current != script.get_current_head():
        command.upgrade(config, "head")
