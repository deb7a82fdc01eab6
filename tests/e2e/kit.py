"""A test network of real processes, started as users start it, and looked at from outside only.

Everything the tests learn comes over HTTP, from the files of the network's directory, or from
/proc.  Every process started here dies with the test run, however that ends.
"""

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx

from ledger.crypto import SigningKey
from node.keyfiles import KeyKind, load_seed, read_password_file
from node.testnet.layout import Description, Layout, TestnetError, read_description
from node.testnet.processes import require_free_ports

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = (sys.executable, "-m", "node.cli.main")
PATIENCE_S = 60.0
Document = dict[str, Any]

# The kernel kills what runs below as soon as this test process is gone.
_LEASH = (
    "import os, sys\n"
    "from node.testnet.processes import die_with\n"
    "die_with(int(sys.argv[1]))\n"
    "os.execv(sys.argv[2], sys.argv[2:])"
)


def until(condition: Callable[[], object], what: str, timeout_s: float = PATIENCE_S) -> None:
    """Look often until `condition` holds; the test fails with `what` when it never does."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"did not happen within {timeout_s:.0f} s: {what}")
        time.sleep(0.05)


def spawn(
    arguments: Sequence[str], stdout: Path, stderr: Path, environment: Mapping[str, str]
) -> "subprocess.Popen[bytes]":
    """Start `twinchain` with these arguments, its streams appended to files."""
    with stdout.open("ab") as out, stderr.open("ab") as err:
        return subprocess.Popen(
            [sys.executable, "-c", _LEASH, str(os.getpid()), *PROGRAM, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            cwd=ROOT,
            env={**os.environ, **environment},
        )


def run(*arguments: str, timeout_s: float = PATIENCE_S) -> "subprocess.CompletedProcess[str]":
    """Run one command of `twinchain` to its end."""
    return subprocess.run(
        [*PROGRAM, *arguments],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=timeout_s,
        check=False,
    )


def free_port_run(count: int) -> int:
    """A first port of `count` free ones, outside the range outgoing connections take theirs from.

    A node that is killed gives its port back for a while; nobody must be handed it by chance.
    """
    words = Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()
    above = min(int(words[0]), 32_000) if int(words[0]) > 12_000 else 65_000
    for _ in range(200):
        port = random.SystemRandom().randrange(10_000, above - count)
        with contextlib.suppress(TestnetError):
            require_free_ports("127.0.0.1", range(port, port + count))
            return port
    raise RuntimeError("no free ports")


def has_ended(pid: int) -> bool:
    """True when the process is gone, or waits only for its exit code to be read."""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    return True


def descendants(pid: int) -> set[int]:
    """All processes below this one."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                parent = (entry / "stat").read_text().rsplit(")", 1)[1].split()[1]
                children.setdefault(int(parent), []).append(int(entry.name))
    found: set[int] = set()
    todo = [pid]
    while todo:
        below = children.get(todo.pop(), [])
        todo += [each for each in below if each not in found]
        found.update(below)
    return found


def resident_bytes(pid: int) -> int:
    """What the process holds in memory."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))


class Net:
    """One network directory with the processes that run on it."""

    def __init__(self, directory: Path, environment: Mapping[str, str] | None = None) -> None:
        self.layout = Layout(directory)
        self.environment = dict(environment or {})
        self.supervisor: subprocess.Popen[bytes] | None = None
        self.revived: dict[int, subprocess.Popen[bytes]] = {}
        self.asked_at = 0.0
        self.stdout = directory.parent / "stdout.txt"
        self.stderr = directory.parent / "stderr.txt"
        self._http = httpx.Client(timeout=10.0, trust_env=False)

    # ------------------------------------------------------------ life
    def start(self, *options: str) -> Document:
        """`testnet start --json`; its ready line, which is all it may say."""
        self.asked_at = time.monotonic()
        self.stdout.write_bytes(b"")
        self.revived.clear()
        arguments = ("testnet", "start", "--json", "--dir", str(self.layout.root), *options)
        self.supervisor = spawn(arguments, self.stdout, self.stderr, self.environment)
        supervisor = self.supervisor
        until(lambda: self.said() or supervisor.poll() is not None, "the ready line")
        if not self.said():
            raise AssertionError(f"no ready line: {self.stderr.read_text()}")
        line: Document = json.loads(self.said())
        return line

    def said(self) -> str:
        """All that `testnet start` has printed on stdout since it was started."""
        text = self.stdout.read_text()
        return text if text.endswith("\n") else ""

    def close(self) -> None:
        """Stop everything that still runs, the hard way where it does not listen."""
        self._http.close()
        processes = [*self.revived.values(), *([self.supervisor] if self.supervisor else [])]
        below = {pid for each in processes if each.poll() is None for pid in descendants(each.pid)}
        for process in processes:
            if process.poll() is None:
                process.terminate()
        for process in processes:
            try:
                process.wait(20.0)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        until(lambda: all(map(has_ended, below)), "the end of all children", 20.0)

    @property
    def description(self) -> Description:
        found = read_description(self.layout)
        assert found is not None
        return found

    def pid(self, index: int) -> int:
        """Process id of node `index`, 0 when its pid file is gone."""
        with contextlib.suppress(FileNotFoundError, ValueError):
            return int(self.layout.pid(index).read_text())
        return 0

    def kill(self, index: int) -> None:
        """`kill -9` of one node; returns when it is gone."""
        pid = self.pid(index)
        assert pid > 0, f"node {index} does not run"
        os.kill(pid, signal.SIGKILL)
        if index in self.revived:
            self.revived.pop(index).wait(PATIENCE_S)
        until(lambda: has_ended(pid), f"the end of node {index}")

    def revive(self, index: int) -> None:
        """Start a killed node as the supervisor's message says."""
        arguments = ("start", "--config", str(self.layout.config(index)))
        log = self.layout.log(index)
        self.revived[index] = spawn(arguments, log, log, self.environment)

    def is_running(self, index: int) -> bool:
        """Whether node `index` runs, or is on its way up."""
        again = self.revived.get(index)
        return again.poll() is None if again else not has_ended(self.pid(index))

    def heal(self) -> None:
        """See to it that every node runs, whatever an earlier test left behind."""
        for index in range(self.size):
            if not self.is_running(index):
                self.revive(index)
        until(self._is_level, "all nodes near the tip")

    def _is_level(self) -> bool:
        heights = self.heights()
        return max(0, max(heights) - 1) <= min(heights)

    # ------------------------------------------------------------ looking
    @property
    def size(self) -> int:
        return len(self.description.nodes)

    def url(self, index: int) -> str:
        return self.description.nodes[index].url

    def get(self, index: int, path: str) -> Document:
        """The whole answer of one node; anything but 200 is an error."""
        answer = self._http.get(self.url(index) + path)
        answer.raise_for_status()
        document: Document = answer.json()
        return document

    def data(self, index: int, path: str) -> Any:
        """The `data` of an answer."""
        return self.get(index, path)["data"]

    def status_code(self, index: int, path: str) -> int:
        """HTTP status of a route, 0 when nobody answers."""
        try:
            return self._http.get(self.url(index) + path).status_code
        except httpx.TransportError:
            return 0

    def height(self, index: int) -> int:
        """Height of a node's final chain, -1 when it does not answer."""
        try:
            return int(self.data(index, "/v1/status")["height"])
        except httpx.HTTPError:
            return -1

    def heights(self) -> list[int]:
        return [self.height(index) for index in range(self.size)]

    def blocks(self, index: int, above: int = 0) -> list[Document]:
        """Summaries of all blocks above a height, oldest first."""
        found: list[Document] = []
        path = "/v1/blocks?limit=200"
        while True:
            page = self.get(index, path)
            found += [block for block in page["data"] if block["height"] > above]
            if page["next_cursor"] is None or page["data"][-1]["height"] <= above + 1:
                return found[::-1]
            path = f"/v1/blocks?limit=200&cursor={page['next_cursor']}"

    def hashes(self, index: int) -> dict[int, str]:
        """Height -> hash of a node's whole chain."""
        return {block["height"]: block["hash"] for block in self.blocks(index)}

    def require_one_chain(self) -> dict[int, str]:
        """All nodes have the same hash at each height that more than one of them has."""
        chains = [self.hashes(index) for index in range(self.size)]
        common: dict[int, str] = {}
        for chain in chains:
            for height, digest in chain.items():
                assert common.setdefault(height, digest) == digest, f"a fork at height {height}"
        assert sorted(common) == list(range(1, len(common) + 1))
        return common

    def index_of(self, address: str) -> int:
        """The node with this account."""
        return next(node.index for node in self.description.nodes if node.address == address)

    def account(self, name: str) -> str:
        """Address of a named account of the network."""
        return next(one.address for one in self.description.accounts if one.name == name)

    def key(self, name: str) -> SigningKey:
        """Signing key of a named account."""
        return _unlock(self.layout.account_key(name))

    def node_key(self, index: int) -> SigningKey:
        """Signing key of a node: the DT server that sells."""
        return _unlock(self.layout.node(index) / "signing.json")

    def logs(self) -> Iterator[str]:
        """All lines the nodes wrote to their logs."""
        for path in sorted(self.layout.logs.glob("*.log")):
            yield from path.read_text().splitlines()

    def require_clean_logs(self) -> None:
        """No traceback, no line of level error."""
        signs = ("Traceback", '"level": "error"', '"level": "critical"', "Exception")
        assert [line for line in self.logs() if any(sign in line for sign in signs)] == []


def _unlock(path: Path) -> SigningKey:
    password = read_password_file(path.parent / "password")
    return SigningKey.from_seed(load_seed(path, password, KeyKind.SIGNING))
