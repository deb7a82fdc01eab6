"""Copies a node's database while the node runs, and marks the copy for what it is.

A copy put back later has forgotten the votes since.  The mark makes the node that is started on it
observe first (see `node/storage/guard.py`), whoever restores it and however.
"""

import sqlite3
from contextlib import closing
from pathlib import Path

from node.storage.errors import StorageFailed
from node.storage.store import COPY_MARK


def backup(database: Path, target: Path) -> None:
    """Write a consistent copy of `database` to `target`, which must not exist yet."""
    if target.exists():
        raise StorageFailed(f"{target} exists already")
    if not database.exists():
        raise StorageFailed(f"there is no database {database}")
    try:
        with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as source:
            source.execute("VACUUM INTO ?", (str(target),))
        with closing(sqlite3.connect(target)) as copy:
            copy.execute("PRAGMA synchronous=FULL")
            copy.execute(
                "INSERT OR REPLACE INTO meta (name, value) VALUES (?, ?)", (COPY_MARK, b"backup")
            )
            copy.commit()
    except (sqlite3.Error, OSError) as error:
        target.unlink(missing_ok=True)
        raise StorageFailed(f"the copy failed: {error}") from error
