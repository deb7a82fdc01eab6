"""Copies a node's database while the node runs, and marks the copy for what it is.

A copy put back later has forgotten the votes since.  The mark makes the node that is started on it
observe first (see `node/storage/guard.py`), whoever restores it and however.
"""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from node.storage.errors import StorageFailed
from node.storage.snapshot_file import sync_directory
from node.storage.store import COPY_MARK


def backup(database: Path, target: Path) -> None:
    """Write a consistent copy of `database` to `target`, which must not exist yet.

    It gets its name when it is marked and durable: a run that is killed leaves no unmarked copy.
    """
    if target.exists():
        raise StorageFailed(f"{target} exists already")
    if not database.exists():
        raise StorageFailed(f"there is no database {database}")
    partial = target.with_name(target.name + ".partial")
    try:
        partial.unlink(missing_ok=True)
        with closing(
            sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro", uri=True)
        ) as source:
            source.execute("VACUUM INTO ?", (str(partial),))
        _mark(partial)
        partial.rename(target)
        sync_directory(target.parent)
    except (sqlite3.Error, OSError) as error:
        raise StorageFailed(f"the copy failed: {error}") from error
    finally:
        partial.unlink(missing_ok=True)


def _mark(copy: Path) -> None:
    with closing(sqlite3.connect(copy)) as connection:
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute(
            "INSERT OR REPLACE INTO meta (name, value) VALUES (?, ?)", (COPY_MARK, b"backup")
        )
        connection.commit()
    with copy.open("rb+") as stream:
        os.fsync(stream.fileno())
