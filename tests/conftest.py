"""What every test may count on: tests that need a tool are skipped aloud where it is missing.

A test marked `browser`, `engine`, `root` or `newest` needs a real Chromium, a Docker engine with
compose, root, or Python 3.13 with this project's libraries. Where the tool is missing the test is
skipped, and the last lines of the run say how many were and why. `TWINCHAIN_REQUIRE=browser,engine`
turns such a skip into a failure of the whole run.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections import Counter
from functools import cache

import pytest

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
_missing: Counter[str] = Counter()


def browser_path() -> str | None:
    """The Chromium to drive: `TWINCHAIN_CHROMIUM`, else the first known name on PATH."""
    named = os.environ.get("TWINCHAIN_CHROMIUM")
    return named or next((path for name in BROWSERS if (path := shutil.which(name))), None)


@cache
def why_not(tool: str) -> str | None:
    """Say why `tool` cannot be used on this machine, or None where it can."""
    if tool == "browser":
        return None if browser_path() else "no Chromium on this machine"
    if tool == "root":
        return None if os.geteuid() == 0 else "not root"
    if tool == "newest":
        return _why_not_newest()
    if shutil.which("docker") is None:
        return "no docker command on this machine"
    for command in (["docker", "info"], ["docker", "compose", "version"]):
        if subprocess.run(command, capture_output=True, check=False).returncode:
            return f"`{' '.join(command)}` fails: no usable Docker engine"
    return None


def newest_python() -> str:
    """Another Python to compare with: `TWINCHAIN_NEWEST_PYTHON`, else `python3.13` on PATH."""
    return os.environ.get("TWINCHAIN_NEWEST_PYTHON") or "python3.13"


def _why_not_newest() -> str | None:
    """It must be there, be 3.13, and have the libraries that the pure floors import."""
    probe = "import sys, msgspec, nacl, numpy; assert sys.version_info >= (3, 13)"
    command = [newest_python(), "-c", probe]
    if shutil.which(command[0]) is None:
        return f"no {command[0]}"
    if subprocess.run(command, capture_output=True, check=False).returncode:
        return f"{command[0]} is not Python 3.13 with the libraries of requirements.lock"
    return None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        for tool in ("browser", "engine", "root", "newest"):
            if item.get_closest_marker(tool) and (reason := why_not(tool)):
                item.add_marker(pytest.mark.skip(reason=f"needs {tool}: {reason}"))
                _missing[f"{tool} ({reason})"] += 1


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for tool, count in sorted(_missing.items()):
        terminalreporter.write_line(f"could not run on this machine: {count} test(s), {tool}")


def pytest_sessionfinish(session: pytest.Session) -> None:
    required = [name for name in os.environ.get("TWINCHAIN_REQUIRE", "").split(",") if name]
    if any(why_not(tool) for tool in required) and session.exitstatus == 0:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture(scope="session")
def chromium() -> str:
    """Path of the Chromium that browser tests drive."""
    path = browser_path()
    if path is None:
        pytest.skip("no Chromium on this machine")
    return path
