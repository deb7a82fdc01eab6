"""`twinchain testnet start` with real nodes: ready line, trade, kill -9, resume, orderly end."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from socket import socket

import pytest

from node.cli.health import height_of
from node.testnet.layout import Layout, TestnetError, read_description
from node.testnet.processes import require_free_ports

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = (sys.executable, "-m", "node.cli.main")
PATIENCE_S = 90.0


def free_port_run(count: int) -> int:
    for _ in range(50):
        with closing(socket()) as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
        with suppress(TestnetError):
            if port + count < 65_535:
                require_free_ports("127.0.0.1", range(port, port + count))
                return port
    raise RuntimeError("no free ports")


def until(condition: Callable[[], bool], timeout_s: float = PATIENCE_S) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError("did not happen in time")
        time.sleep(0.05)


def height(url: str) -> int:
    try:
        return height_of(url, 2.0)
    except (OSError, ValueError, KeyError):
        return -1


def has_ended(pid: int) -> bool:
    """True when the process is gone or waits only for its exit code to be read."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except FileNotFoundError:
        return True


def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [*PROGRAM, *arguments],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=PATIENCE_S,
        check=False,
    )


@contextmanager
def network(directory: Path, *more: str) -> "Iterator[tuple[subprocess.Popen[str], list[str]]]":
    """A running network and the URLs of its ready line; nothing else is on its stdout."""
    errors = directory.parent / "stderr.txt"
    with errors.open("a") as stderr:
        process = subprocess.Popen(
            [*PROGRAM, "testnet", "start", "--json", "--dir", str(directory), *more],
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            cwd=ROOT,
        )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, errors.read_text()
        ready = json.loads(line)
        assert ready["ready"] is True
        yield process, ready["nodes"]
    finally:
        if process.poll() is None:
            process.terminate()
        rest, _ = process.communicate(timeout=PATIENCE_S)
        assert rest == ""


def pids(directory: Path) -> list[int]:
    description = read_description(Layout(directory))
    assert description is not None
    return [node.pid for node in description.nodes]


def test_a_network_trades_survives_a_kill_and_resumes_its_chain(tmp_path: Path) -> None:
    directory, port = tmp_path / "net", free_port_run(4)
    sizes = ("--validators", "4", "--base-port", str(port), "--block-time", "300ms")
    with network(directory, *sizes) as (process, nodes):
        assert nodes == [f"http://127.0.0.1:{port + index}" for index in range(4)]
        assert min(height(url) for url in nodes) >= 1
        accounts = directory / "accounts"
        sent = run(
            "tx", "transfer", "--node", nodes[1], "--key", str(accounts / "alice.json"),
            "--to", str(accounts / "bob.json"), "--amount", "5", "--wait", "--json",
        )  # fmt: skip
        assert sent.returncode == 0, sent.stderr
        assert json.loads(sent.stdout)["code"] == "ok"
        demo = run("demo", "--dir", str(directory), "--rounds", "30", "--json")
        assert demo.returncode == 0, demo.stderr
        counts = json.loads(demo.stdout.splitlines()[-1])["counts"]
        assert counts["trade.made"] > 0
        assert counts["satisfaction.changed"] > 0
        victim, *others = pids(directory)
        os.kill(victim, signal.SIGKILL)
        before = height(nodes[1])
        until(lambda: height(nodes[1]) >= before + 5)
        assert not any(has_ended(pid) for pid in others)
        last = height(nodes[1])
        process.terminate()
        assert process.wait(PATIENCE_S) == 0
        assert all(has_ended(pid) for pid in others)
    said = (tmp_path / "stderr.txt").read_text()
    assert f"pid {victim}) died: killed by SIGKILL" in said
    with network(directory) as (_, again):
        assert again == nodes
        until(lambda: all(height(url) > last for url in again))
        blocks = [block_hash(url, last) for url in again]
        assert len(set(blocks)) == 1
        checked = run("db", "check", "--json", "--config", str(directory / "node-2/config.toml"))
        assert checked.returncode == 0, checked.stderr
        assert json.loads(checked.stdout)["height"] >= last


def block_hash(url: str, at: int) -> str:
    answer = run("query", "block", str(at), "--node", url, "--json")
    assert answer.returncode == 0, answer.stderr
    return str(json.loads(answer.stdout)["data"]["hash"])


def test_no_node_outlives_a_supervisor_that_is_killed(tmp_path: Path) -> None:
    directory, port = tmp_path / "net", free_port_run(1)
    with network(directory, "--validators", "1", "--base-port", str(port)) as (process, nodes):
        children = pids(directory)
        assert height(nodes[0]) >= 1
        process.kill()
        process.wait(PATIENCE_S)
        until(lambda: all(has_ended(pid) for pid in children))
    with network(directory) as (_, nodes):
        assert height(nodes[0]) >= 1
