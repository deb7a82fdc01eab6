"""Rows that may reach the disk some blocks late, because the block bodies can make them again.

Writing each block's changed accounts at once costs more than half a signature check per transfer
once the table is large.  So they are gathered here and written in one transaction together with
the height they stand for.  After a crash the bodies since that height are executed again.

The writer thread owns all of it.  Other threads may call `recent` and `recent_activity` only: they
read dictionaries that are replaced, never emptied, once their rows are in the database.  Who asks
here first and the database second misses nothing.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import count, repeat

from sqlalchemy import Connection

from ledger.types import Digest, Height

# The bound on what a restart executes again, and on how long one flush may hold up a vote.
FLUSH_BLOCKS = 64
FLUSH_ROWS = 32_768

FLUSHED_HEIGHT = "flushed_height"
ACCOUNT_PREFIX = b"account/"
_ACCOUNT_START = len(ACCOUNT_PREFIX)
_PREFIX_BYTES = 8
_ACCOUNT_END = _ACCOUNT_START + _PREFIX_BYTES


def prefix_of(digest: bytes) -> int:
    """The first eight bytes as SQLite's signed integer; readers compare the rest themselves."""
    return int.from_bytes(digest[:_PREFIX_BYTES], "big", signed=True)


class WriteBehind:
    """State rows, transaction locations and account activity above the flushed height.

    `flushed_height` is None until the genesis state has been written, as height 0.
    """

    def __init__(self, flushed_height: Height | None, keep_activity: bool) -> None:
        self.flushed_height = flushed_height
        self._height = flushed_height or 0
        self._keep_activity = keep_activity
        self._state: dict[bytes, bytes | None] = {}
        self._activity: dict[bytes, list[Height]] = {}
        self._activity_rows = 0
        self._recent: dict[Digest, tuple[Height, int]] = {}

    def recent(self, transaction_id: Digest) -> tuple[Height, int] | None:
        """Height and position of a transaction not yet in the database's index."""
        return self._recent.get(transaction_id)

    def recent_activity(self, account: bytes) -> list[Height]:
        """Heights at which the account (32 bytes) changed and not in the index, ascending."""
        return list(self._activity.get(account[:_PREFIX_BYTES], ()))

    def remember(
        self,
        height: Height,
        changes: Mapping[bytes, bytes | None],
        transaction_ids: Iterable[Digest],
    ) -> None:
        """Add what the block at `height` changed; heights come in order."""
        self._height = height
        self._state.update(changes)
        self._recent.update(zip(transaction_ids, zip(repeat(height), count()), strict=False))
        if self._keep_activity and height > 0:
            activity, rows = self._activity, 0
            for key in changes:
                if key.startswith(ACCOUNT_PREFIX):
                    activity.setdefault(key[_ACCOUNT_START:_ACCOUNT_END], []).append(height)
                    rows += 1
            self._activity_rows += rows

    @property
    def due(self) -> bool:
        """True if enough has gathered to be written."""
        rows = len(self._state) + len(self._recent) + self._activity_rows
        return rows >= FLUSH_ROWS or self._height - (self.flushed_height or 0) >= FLUSH_BLOCKS

    def write(self, connection: Connection) -> None:
        """Put all rows and their height into the caller's transaction.  Forget nothing yet."""
        state = sorted(self._state.items())
        _many(
            connection,
            "INSERT INTO state (key, value) VALUES (?, ?)"
            " ON CONFLICT (key) DO UPDATE SET value = excluded.value",
            [row for row in state if row[1] is not None],
        )
        gone = [(key,) for key, value in state if value is None]
        _many(connection, "DELETE FROM state WHERE key = ?", gone)
        _many(
            connection,
            "INSERT OR IGNORE INTO transaction_location (prefix, height, position)"
            " VALUES (?, ?, ?)",
            sorted([(prefix_of(name), *where) for name, where in self._recent.items()]),
        )
        _many(
            connection,
            "INSERT OR IGNORE INTO activity (account, height) VALUES (?, ?)",
            sorted(
                [(prefix_of(name), each) for name, held in self._activity.items() for each in held]
            ),
        )
        connection.exec_driver_sql(
            "INSERT INTO meta (name, value) VALUES (?, ?)"
            " ON CONFLICT (name) DO UPDATE SET value = excluded.value",
            (FLUSHED_HEIGHT, self._height.to_bytes(8, "big")),
        )

    def forget(self) -> None:
        """Drop what `write` wrote; call after its transaction committed."""
        self.flushed_height = self._height
        self._state = {}
        self._activity = {}
        self._activity_rows = 0
        self._recent = {}


def _many(connection: Connection, statement: str, rows: Sequence[tuple[object, ...]]) -> None:
    if rows:
        connection.exec_driver_sql(statement, list(rows))
