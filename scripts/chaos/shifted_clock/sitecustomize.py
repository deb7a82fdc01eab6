"""Loaded by a node's Python before anything else: a wall clock that the nemesis can set.

The directory of this file is put on the path of the nodes of a stage, and of nothing else.  The
shift lies in milliseconds in `clock_shift_ms` beside the node's configuration; no file, no shift.
Everything that asks for the time of day gets it; the monotonic clock is left alone.
"""

from __future__ import annotations

import datetime
import os
import sys
import time

_FILE = "clock_shift_ms"
_true_time_ns = time.time_ns
_true_datetime = datetime.datetime


def _shift_file() -> str | None:
    words = sys.orig_argv
    if "--config" not in words[:-1]:
        return None
    return os.path.join(os.path.dirname(words[words.index("--config") + 1]), _FILE)  # noqa: PTH118, PTH120 (pathlib would slow every start down)


def _install(path: str) -> None:
    def shift_ms() -> int:
        try:
            with open(path, encoding="ascii") as file:  # noqa: PTH123
                return int(file.read() or "0")
        except FileNotFoundError:
            return 0

    def time_ns() -> int:
        return _true_time_ns() + shift_ms() * 1_000_000

    class ShiftedDatetime(_true_datetime):
        @classmethod
        def now(cls, tz: datetime.tzinfo | None = None) -> ShiftedDatetime:
            return cls.fromtimestamp(time_ns() / 1e9, tz)

    time.time_ns = time_ns
    time.time = lambda: time_ns() / 1e9
    datetime.datetime = ShiftedDatetime  # type: ignore[misc]


_path = _shift_file()
if _path is not None:
    _install(_path)
