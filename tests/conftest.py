"""What every test may count on: tests that need a tool are skipped aloud where it is missing.

A test marked `browser`, `engine` or `root` needs a real Chromium, a Docker engine with compose, or
root. Where the tool is missing the test is skipped, and the last lines of the run say how many were
and why. `TWINCHAIN_REQUIRE=browser,engine` turns such a skip into a failure of the whole run.
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
    if shutil.which("docker") is None:
        return "no docker command on this machine"
    for command in (["docker", "info"], ["docker", "compose", "version"]):
        if subprocess.run(command, capture_output=True, check=False).returncode:
            return f"`{' '.join(command)}` fails: no usable Docker engine"
    return None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        for tool in ("browser", "engine", "root"):
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
