"""Make the project's own virtual environment, once, from the hashed locks; used by its siblings.

`ensure(lock)` returns the path of a Python that has everything in `lock` and the project itself.
The environment lives in `.venv`; it is made again when a lock or the interpreter changes, and only
added to when more is asked of it (the development lock holds all of the run-time lock).
Only the standard library is used here: this runs on a machine where nothing is installed yet.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OLDEST = (3, 11)
RUN = "requirements.lock"
DEVELOP = "requirements-dev.lock"


def _fingerprint() -> str:
    digest = hashlib.sha256(sys.version.encode())
    for name in (RUN, DEVELOP, "pyproject.toml"):
        digest.update((ROOT / name).read_bytes())
    return digest.hexdigest()


def ensure(lock: str = DEVELOP) -> Path:
    """Return the environment's Python; build it first where it is missing or out of date."""
    if sys.version_info < OLDEST:
        sys.exit(f"Python {OLDEST[0]}.{OLDEST[1]} or newer is needed, this is {sys.version}")
    home = ROOT / ".venv"
    python = home / "bin" / "python"
    stamp = home / "locks.txt"
    wanted = _fingerprint()
    found = stamp.read_text().split() if stamp.exists() and python.exists() else []
    current = bool(found) and found[0] == wanted
    if current and (lock in found or DEVELOP in found):
        return python
    print(f"setting up .venv from {lock} (once) ...", file=sys.stderr, flush=True)
    if not current:
        venv.create(home, clear=True, with_pip=True)
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "--require-hashes", "-r", str(ROOT / lock)], check=True)
    subprocess.run([*pip, "--no-deps", "--no-build-isolation", "-e", str(ROOT)], check=True)
    stamp.write_text(f"{wanted}\n{lock}\n")
    return python


def hand_over(module: str, lock: str = DEVELOP) -> None:
    """Replace this process by `python -m module` of the environment, with the same arguments."""
    python = str(ensure(lock))
    environment = dict(os.environ)
    known = environment.get("PYTHONPATH")
    environment["PYTHONPATH"] = f"{ROOT}{os.pathsep}{known}" if known else str(ROOT)
    os.execve(python, [python, "-m", module, *sys.argv[1:]], environment)
