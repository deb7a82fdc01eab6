"""Exit codes of every command, and the one way a command fails: a clear line on stderr."""

import sys
from enum import IntEnum
from typing import NoReturn

import typer


class ExitCode(IntEnum):
    """What a script may rely on; `docs/operations.md` lists the same table."""

    OK = 0
    FAILED = 1
    USAGE = 2
    REJECTED = 3
    TIMED_OUT = 4
    UNREACHABLE = 5
    CORRUPT = 6
    IN_PART = 7
    # EX_CONFIG of sysexits.h: a restart will not help.
    BAD_CONFIG = 78


def fail(code: ExitCode, message: str, hint: str = "") -> NoReturn:
    """Print `message` (and a hint) on stderr and end the command with `code`."""
    print(f"twinchain: {message}", file=sys.stderr)
    if hint:
        print(f"  hint: {hint}", file=sys.stderr)
    raise typer.Exit(code)
