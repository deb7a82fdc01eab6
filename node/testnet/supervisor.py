"""Runs the validators of a test network as child processes and reports what becomes of them.

The children die with this process: each asks the kernel for it (see `processes.die_with`), so even
`kill -9` of the supervisor leaves nothing behind.  A child that dies alone is reported, never
restarted silently; the others go on.  stdout of the supervisor stays clean: children write to log
files.
"""

import contextlib
import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import msgspec

from node.testnet.layout import (
    Description,
    Layout,
    NodeEntry,
    TestnetError,
    read_description,
    write_description,
)
from node.testnet.processes import remove_pid, require_free_ports, write_pid

POLL_S = 0.1
STOP_GRACE_S = 15.0
BAD_CONFIG = 78
MAX_LOG_BYTES = 64 * 2**20

Report = Callable[[str], None]
Height = Callable[[str], int]
"""Height of the newest final block at a URL; raises OSError or ValueError while there is none."""
Command = Callable[[Path, int], Sequence[str]]
"""(config file, supervisor's process id) -> command line of a node."""


@dataclass(slots=True)
class Child:
    """One validator process and whether its end was reported."""

    entry: NodeEntry
    process: "subprocess.Popen[bytes]"
    reported: bool = False


@contextlib.contextmanager
def exclusive(layout: Layout) -> Iterator[None]:
    """Hold the network's lock; raises TestnetError while another supervisor holds it."""
    with layout.lock.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise TestnetError(f"{layout.root}: this test network is running already") from None
        yield


class Supervisor:
    """Starts, watches and stops the children of one test network."""

    def __init__(
        self,
        layout: Layout,
        description: Description,
        report: Report,
        command: Command | None = None,
    ) -> None:
        self._layout = layout
        self._description = description
        self._report = report
        self._command = command or node_command
        self._children: list[Child] = []
        self._stopping = False

    def install_signals(self) -> None:
        """SIGINT, SIGTERM and SIGHUP ask for an orderly stop."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            # Under nohup, SIGHUP is ignored and has to stay so.
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._on_signal)

    def start(self) -> None:
        """Start every node.  Raises TestnetError when a port is taken."""
        founders = self._description.founders
        ports = [self._description.base_port + node.index for node in founders]
        require_free_ports("127.0.0.1", ports)
        self._layout.logs.mkdir(parents=True, exist_ok=True)
        for entry in founders:
            _turn_over(self._layout.log(entry.index))
            process = self._spawn(entry)
            write_pid(self._layout.pid(entry.index), process.pid)
            self._children.append(Child(entry, process))
        self._publish()

    def wait_ready(self, height_of: Height, timeout_s: float) -> None:
        """Return once every node serves a height of 1 or more; TestnetError when that fails."""
        deadline = time.monotonic() + timeout_s
        waiting = {child.entry.index: "does not answer yet" for child in self._children}
        while waiting and not self._stopping:
            self._require_all_alive()
            for child in self._children:
                if child.entry.index not in waiting:
                    continue
                try:
                    height = height_of(child.entry.url)
                except (OSError, ValueError, KeyError, TypeError):
                    continue
                if height >= 1:
                    del waiting[child.entry.index]
                else:
                    waiting[child.entry.index] = "answers, but has no final block yet"
            if waiting and time.monotonic() > deadline:
                words = "; ".join(f"node {index} {what}" for index, what in waiting.items())
                raise TestnetError(f"not ready after {timeout_s:.0f} s: {words}; see the logs")
            time.sleep(POLL_S)

    def watch(self) -> int:
        """Report deaths until asked to stop or nobody is left; returns the exit code."""
        while not self._stopping:
            self._report_deaths()
            if all(child.reported for child in self._children):
                self._report("no node is left running")
                return 1
            time.sleep(POLL_S)
        return 0

    def stop(self) -> None:
        """Stop the children in order, the impatient way after a grace time."""
        self._stopping = True
        for child in self._children:
            if child.process.poll() is None:
                child.process.terminate()
        deadline = time.monotonic() + STOP_GRACE_S
        for child in self._children:
            try:
                child.process.wait(timeout=max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                self._report(f"node {child.entry.index} did not stop in time, killing it")
                child.process.kill()
                child.process.wait()
            remove_pid(self._layout.pid(child.entry.index), child.process.pid)
        self._children.clear()
        # Read anew: nodes may have been added meanwhile.
        newest = read_description(self._layout) or self._description
        idle = tuple(msgspec.structs.replace(node, pid=0) for node in newest.nodes)
        cleared = msgspec.structs.replace(newest, nodes=idle, supervisor_pid=0)
        write_description(self._layout, cleared)

    @property
    def stopping(self) -> bool:
        """True once a signal asked for the end."""
        return self._stopping

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self._stopping = True

    def _spawn(self, entry: NodeEntry) -> "subprocess.Popen[bytes]":
        config = self._layout.config(entry.index)
        log = self._layout.log(entry.index)
        with log.open("ab") as stream:
            return subprocess.Popen(
                self._command(config, os.getpid()),
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=stream,
                env=_environment(),
                # Ctrl-C reaches the supervisor only, which then stops the children in order.
                start_new_session=True,
            )

    def _publish(self) -> None:
        pids = {child.entry.index: child.process.pid for child in self._children}
        nodes = tuple(
            msgspec.structs.replace(node, pid=pids.get(node.index, 0))
            for node in self._description.nodes
        )
        self._description = msgspec.structs.replace(
            self._description, nodes=nodes, supervisor_pid=os.getpid()
        )
        write_description(self._layout, self._description)

    def _require_all_alive(self) -> None:
        for child in self._children:
            code = child.process.poll()
            if code is not None:
                raise TestnetError(
                    f"node {child.entry.index} ended during start-up ({_death(code)})"
                    f"{_last_words(self._layout.log(child.entry.index))}"
                )

    def _report_deaths(self) -> None:
        for child in self._children:
            code = child.process.poll()
            if code is None or child.reported:
                continue
            child.reported = True
            index = child.entry.index
            remove_pid(self._layout.pid(index), child.process.pid)
            self._report(
                f"node {index} ({child.entry.name}, pid {child.process.pid}) died: {_death(code)}; "
                f"the others go on; log: {self._layout.log(index)}; start it again with: "
                f"twinchain start --config {self._layout.config(index)}"
            )


def node_command(config: Path, parent_pid: int) -> Sequence[str]:
    """The command line of one child, which must die with `parent_pid`."""
    return (
        sys.executable,
        "-m",
        "node.cli.main",
        "start",
        "--config",
        str(config),
        "--parent-pid",
        str(parent_pid),
    )


def _environment() -> dict[str, str]:
    """The children import this very source tree, from wherever the command was started."""
    home = str(Path(__file__).resolve().parents[2])
    inherited = os.environ.get("PYTHONPATH", "")
    return {**os.environ, "PYTHONPATH": f"{home}{os.pathsep}{inherited}" if inherited else home}


def _death(code: int) -> str:
    if code < 0:
        return f"killed by {signal.Signals(-code).name}"
    if code == BAD_CONFIG:
        return "exit code 78, bad configuration"
    return f"exit code {code}"


def _turn_over(log: Path) -> None:
    """Put a long log aside before a start; one old part is kept, so the disk stays bounded."""
    with contextlib.suppress(OSError):
        if log.stat().st_size > MAX_LOG_BYTES:
            log.replace(log.with_suffix(".old.log"))


def _last_words(log: Path, lines: int = 5) -> str:
    with contextlib.suppress(OSError):
        tail = log.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:]
        if tail:
            return "; its last lines:\n    " + "\n    ".join(tail)
    return ""
