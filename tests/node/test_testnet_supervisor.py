"""The supervisor with stand-in nodes: start, death of one, death of itself, orderly stop."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from node.cli.health import height_of
from node.testnet.layout import (
    AccountEntry,
    Description,
    Layout,
    NodeEntry,
    TestnetError,
    read_description,
    write_description,
)
from node.testnet.processes import require_free_ports
from node.testnet.supervisor import Supervisor, exclusive

ROOT = Path(__file__).resolve().parents[2]

# A node that serves GET /v1/status and nothing else; it dies with its parent as a real one does.
STAND_IN = """
import http.server, sys
from node.testnet.processes import die_with
port, parent, height = int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
die_with(parent)
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = b'{"data":{"height":%d}}' % height
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_): pass
http.server.HTTPServer(("127.0.0.1", port), Handler).serve_forever()
"""


def free_port_run(count: int) -> int:
    """A first port of `count` consecutive ports nobody listens on."""
    for _ in range(50):
        with contextlib.closing(socket.socket()) as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
        with contextlib.suppress(TestnetError):
            if port + count < 65_535:
                require_free_ports("127.0.0.1", range(port, port + count))
                return port
    raise RuntimeError("no free ports")


def describe(layout: Layout, base_port: int, count: int = 2) -> Description:
    nodes = tuple(
        NodeEntry(
            index=index,
            name=f"dt-server-{index + 1}",
            address=f"{index:064x}",
            url=f"http://127.0.0.1:{base_port + index}",
            config=f"node-{index}/config.toml",
            log=f"logs/node-{index}.log",
        )
        for index in range(count)
    )
    description = Description(
        version=1,
        chain="stand-in",
        genesis_hash="00" * 32,
        block_time_ms=500,
        base_port=base_port,
        compose=False,
        nodes=nodes,
        accounts=(AccountEntry(name="alice", address="11" * 32, role="account"),),
    )
    for index in range(count):
        layout.node(index).mkdir(parents=True, exist_ok=True)
    write_description(layout, description)
    return description


def stand_in(base_port: int, height: int = 1) -> Callable[[Path, int], Sequence[str]]:
    def command(config: Path, parent_pid: int) -> Sequence[str]:
        port = base_port + int(config.parent.name.removeprefix("node-"))
        return (sys.executable, "-c", STAND_IN, str(port), str(parent_pid), str(height))

    return command


@contextlib.contextmanager
def running(supervisor: Supervisor) -> Iterator[None]:
    try:
        supervisor.start()
        yield
    finally:
        supervisor.stop()


def until(condition: Callable[[], bool], timeout_s: float = 20.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError("did not happen in time")
        time.sleep(0.02)


def pids(layout: Layout) -> list[int]:
    description = read_description(layout)
    assert description is not None
    return [node.pid for node in description.nodes]


def test_ready_means_every_node_serves_and_the_pids_can_be_found(tmp_path: Path) -> None:
    layout, port = Layout(tmp_path), free_port_run(2)
    said: list[str] = []
    supervisor = Supervisor(layout, describe(layout, port), said.append, stand_in(port))
    with running(supervisor):
        supervisor.wait_ready(lambda url: height_of(url, 2.0), 20.0)
        found = pids(layout)
        assert all(running_process(pid) for pid in found)
        assert [int(layout.pid(index).read_text()) for index in (0, 1)] == found
        description = read_description(layout)
        assert description is not None
        assert description.supervisor_pid == os.getpid()
    assert not any(running_process(pid) for pid in found)
    assert pids(layout) == [0, 0]
    assert not layout.pid(0).exists()
    assert said == []


def test_a_node_without_a_block_is_not_ready_and_the_reason_is_said(tmp_path: Path) -> None:
    layout, port = Layout(tmp_path), free_port_run(1)
    command = stand_in(port, height=0)
    supervisor = Supervisor(layout, describe(layout, port, 1), lambda _: None, command)
    with running(supervisor), pytest.raises(TestnetError, match="no final block yet"):
        supervisor.wait_ready(lambda url: height_of(url, 2.0), 2.0)


def test_a_node_that_ends_during_start_up_is_named_with_its_last_words(tmp_path: Path) -> None:
    layout, port = Layout(tmp_path), free_port_run(1)

    def broken(_config: Path, _parent: int) -> Sequence[str]:
        return (sys.executable, "-c", "import sys; sys.exit('wrong password')")

    supervisor = Supervisor(layout, describe(layout, port, 1), lambda _: None, broken)
    with running(supervisor), pytest.raises(TestnetError, match=r"(?s)node 0 .*wrong password"):
        supervisor.wait_ready(lambda url: height_of(url, 2.0), 20.0)


def test_killing_one_node_leaves_the_others_and_is_reported(tmp_path: Path) -> None:
    layout, port = Layout(tmp_path), free_port_run(2)
    said: list[str] = []
    supervisor = Supervisor(layout, describe(layout, port), said.append, stand_in(port))
    with running(supervisor):
        supervisor.wait_ready(lambda url: height_of(url, 2.0), 20.0)
        first, second = pids(layout)
        watcher = threading.Thread(target=supervisor.watch, daemon=True)
        watcher.start()
        os.kill(first, signal.SIGKILL)
        until(lambda: bool(said))
        assert "node 0" in said[0]
        assert "SIGKILL" in said[0]
        assert running_process(second)
        assert height_of(f"http://127.0.0.1:{port + 1}", 2.0) == 1
        assert not layout.pid(0).exists()
        os.kill(second, signal.SIGKILL)
        watcher.join(20.0)
    assert said[-1] == "no node is left running"


def test_a_taken_port_is_named_and_nothing_is_started(tmp_path: Path) -> None:
    layout, port = Layout(tmp_path), free_port_run(2)
    with contextlib.closing(socket.socket()) as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", port + 1))
        other.listen()
        supervisor = Supervisor(layout, describe(layout, port), lambda _: None, stand_in(port))
        with pytest.raises(TestnetError, match=f"port in use .*{port + 1}"):
            supervisor.start()
    assert pids(layout) == [0, 0]


def test_one_directory_has_one_supervisor(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    with exclusive(layout), pytest.raises(TestnetError, match="running already"), exclusive(layout):
        pass
    with exclusive(layout):
        pass


SUPERVISE = """
import sys
from pathlib import Path
sys.path.insert(0, {root!r})
from node.testnet.layout import Layout, read_description
from node.testnet.supervisor import Supervisor
layout = Layout(Path({directory!r}))
def command(config, parent):
    port = {port} + int(config.parent.name.removeprefix("node-"))
    return (sys.executable, "-c", {stand_in!r}, str(port), str(parent), "1")
supervisor = Supervisor(layout, read_description(layout), print, command)
supervisor.start()
print("started", flush=True)
supervisor.watch()
"""


def test_the_nodes_die_with_a_supervisor_that_is_killed(tmp_path: Path) -> None:
    layout, port = Layout(tmp_path), free_port_run(2)
    describe(layout, port)
    script = SUPERVISE.format(root=str(ROOT), directory=str(tmp_path), port=port, stand_in=STAND_IN)
    with subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, cwd=ROOT
    ) as supervisor:
        assert supervisor.stdout is not None
        assert supervisor.stdout.readline() == b"started\n"
        children = pids(layout)
        # Wait until both serve, so that each has asked the kernel to die with its parent.
        for index in (0, 1):
            until(lambda url=f"http://127.0.0.1:{port + index}": answers(url))
        supervisor.kill()
    until(lambda: not any(running_process(pid) for pid in children))


def answers(url: str) -> bool:
    try:
        return height_of(url, 1.0) == 1
    except (OSError, ValueError):
        return False


def running_process(pid: int) -> bool:
    """True while the process runs; a zombie that nobody waits for has ended."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def test_a_child_whose_parent_is_gone_already_does_not_go_on(tmp_path: Path) -> None:
    script = f"import sys; sys.path.insert(0, {str(ROOT)!r})\n"
    script += "from node.testnet.processes import die_with\ndie_with(1)\nprint('alive')"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, cwd=tmp_path, check=False
    )
    assert done.returncode == -signal.SIGKILL
    assert done.stdout == b""
