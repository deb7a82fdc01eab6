"""The one command that checks everything: style, types, tests.

    python3 scripts/check.py            # what CI runs; sets up .venv on first use
    python3 scripts/check.py --quick    # style, types and the tests below a few seconds
    python3 scripts/check.py -- -k name # further arguments go to pytest

Ends with a list of what could not run on this machine and why (no root, browser or engine).
"""

from __future__ import annotations

import subprocess
import sys
import time

from bootstrap import ROOT, ensure


def run(title: str, command: list[str]) -> bool:
    print(f"== {title}", flush=True)
    started = time.monotonic()
    passed = subprocess.run(command, cwd=ROOT, check=False).returncode == 0
    print(f"== {title}: {'ok' if passed else 'FAILED'}, {time.monotonic() - started:.0f} s\n")
    return passed


def main() -> int:
    arguments = sys.argv[1:]
    extra = arguments[arguments.index("--") + 1 :] if "--" in arguments else []
    quick = "--quick" in arguments
    python = str(ensure())
    module = [python, "-m"]
    ok = run("style (ruff)", [*module, "ruff", "check", "."])
    ok &= run("format (ruff)", [*module, "ruff", "format", "--check", "."])
    ok &= run("types (mypy --strict)", [*module, "mypy"])
    marks = ["-m", "not slow and not browser and not engine and not root"] if quick else []
    ok &= run("tests (pytest)", [*module, "pytest", "-q", "-rs", *marks, *extra])
    print("all checks passed" if ok else "some checks FAILED")
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
