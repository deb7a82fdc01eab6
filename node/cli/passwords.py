"""Where a command gets the password of a key file from; never a question without a terminal.

Order: `--password-file`, the variable TWINCHAIN_PASSWORD_FILE, a file named `password` beside the
key file (test networks are laid out so), a prompt when stdin is a terminal.
"""

import getpass
import os
import sys
from pathlib import Path

from node.cli.exits import ExitCode, fail

VARIABLE = "TWINCHAIN_PASSWORD_FILE"


def password_for(key_file: Path, password_file: Path | None) -> bytes:
    """Return the password that should open `key_file`; ends the command with exit 2 without one."""
    found = _from_files(password_file) or _beside(key_file)
    return found if found is not None else _ask(f"Password for {key_file}: ")


def new_password(password_file: Path | None, what: str, option: str = "--password-file") -> bytes:
    """Return the password for a new lock; a prompt asks twice."""
    found = _from_files(password_file)
    if found is not None:
        return found
    first = _ask(f"New password for {what}: ", option)
    if first != _ask("Again: ", option):
        fail(ExitCode.USAGE, "the two passwords differ")
    return first


def _from_files(password_file: Path | None) -> bytes | None:
    from node.keyfiles import KeyFileError, read_password_file

    named = os.environ.get(VARIABLE, "")
    path = password_file or (Path(named) if named else None)
    if path is None:
        return None
    try:
        return read_password_file(path)
    except KeyFileError as problem:
        fail(ExitCode.USAGE, str(problem))


def _beside(key_file: Path) -> bytes | None:
    from node.keyfiles import KeyFileError, read_password_file

    neighbour = key_file.parent / "password"
    if not neighbour.is_file():
        return None
    try:
        return read_password_file(neighbour)
    except KeyFileError as problem:
        fail(ExitCode.USAGE, str(problem))


def _ask(prompt: str, option: str = "--password-file") -> bytes:
    if not sys.stdin.isatty():
        fail(
            ExitCode.USAGE,
            "no password, and no terminal to ask for one",
            f"give {option} FILE" + (f" or set {VARIABLE}" if option == "--password-file" else ""),
        )
    answer = getpass.getpass(prompt)
    if not answer:
        fail(ExitCode.USAGE, "an empty password is refused")
    return answer.encode()
