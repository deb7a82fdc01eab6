"""The one command that checks everything: style, types, tests.

    python3 scripts/check.py            # what CI runs; sets up .venv on first use
    python3 scripts/check.py --quick    # style, types and the tests below a few seconds
    python3 scripts/check.py --long     # only the tests that take minutes each; CI runs them too
    python3 scripts/check.py -- -k name # further arguments go to pytest

Tests of single processes share the processors; those that start networks, browsers or containers,
or fill more than a few seconds, come after them one at a time, so that none of them waits for
another.  Ends with a list of what could not run on this machine and why (no root, browser or
engine).
"""

from __future__ import annotations

import os
import subprocess
import sys
import time

from bootstrap import ROOT, ensure

ALONE = "slow or browser or engine or root or newest"
LONG = "long"
NOTHING_CHOSEN = 5
"""Exit code of pytest when no test was chosen: no failure where arguments choose."""


def run(title: str, command: list[str], *, fine: tuple[int, ...] = (0,)) -> bool:
    print(f"== {title}", flush=True)
    started = time.monotonic()
    passed = subprocess.run(command, cwd=ROOT, check=False).returncode in fine
    print(f"== {title}: {'ok' if passed else 'FAILED'}, {time.monotonic() - started:.0f} s\n")
    return passed


def main() -> int:
    arguments = sys.argv[1:]
    extra = arguments[arguments.index("--") + 1 :] if "--" in arguments else []
    python = str(ensure())
    module = [python, "-m"]
    pytest = [*module, "pytest", "-q", "-rs"]
    fine = (0, NOTHING_CHOSEN) if extra else (0,)
    if "--long" in arguments:
        return 0 if run("long tests (pytest)", [*pytest, "-m", LONG, *extra], fine=fine) else 1
    ok = run("style (ruff)", [*module, "ruff", "check", "."])
    ok &= run("format (ruff)", [*module, "ruff", "format", "--check", "."])
    ok &= run("types (mypy --strict)", [*module, "mypy"])
    shared = [
        "-n",
        str(os.cpu_count() or 1),
        "--dist",
        "worksteal",
        "-m",
        f"not ({ALONE} or {LONG})",
    ]
    ok &= run("tests (pytest), side by side", [*pytest, *shared, *extra], fine=fine)
    if "--quick" not in arguments:
        alone = ["--durations=12", "-m", f"({ALONE}) and not {LONG}"]
        ok &= run("tests (pytest), one at a time", [*pytest, *alone, *extra], fine=fine)
    print("all checks passed" if ok else "some checks FAILED")
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
