"""Real node processes: a chain of four, a crash, a late observer, exit codes, an orderly stop."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from socket import socket

import httpx
import pytest

from ledger.crypto import SigningKey
from ledger.native import Transfer
from ledger.transactions import build_transaction
from node.application.genesis import load as load_genesis
from node.keyfiles import KeyKind, load_seed, new_seed, read_password_file, write_key_file
from node.testnet.create import Wanted, ensure_testnet
from node.testnet.layout import Layout

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 120.0
BLOCK_TIME_MS = 250
VALIDATORS = 4


def free_ports(count: int) -> list[int]:
    probes = [socket() for _ in range(count)]
    for probe in probes:
        probe.bind(("127.0.0.1", 0))
    ports = [int(probe.getsockname()[1]) for probe in probes]
    for probe in probes:
        probe.close()
    return ports


def until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, f"not in time: {what}"
        time.sleep(0.05)


class Node:
    """One process, started from a directory with config.toml."""

    def __init__(self, home: Path, port: int, environment: dict[str, str]) -> None:
        self.home = home
        self.port = port
        self.environment = environment
        self.log = home / "log.txt"
        self.process: subprocess.Popen[bytes] | None = None
        self.client = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=5, trust_env=False)

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "node.cli.main",
                    "start",
                    "--config",
                    self.home / "config.toml",
                ],
                cwd=ROOT,
                stderr=log,
                stdout=log,
                env={**os.environ, **self.environment, "TWINCHAIN_API__PORT": str(self.port)},
            )

    def stop(self, number: int = signal.SIGTERM) -> int:
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(timeout=15)

    def get(self, path: str) -> dict[str, object]:
        data = self.client.get(path).raise_for_status().json()["data"]
        assert isinstance(data, dict)
        return data

    def height(self) -> int:
        try:
            height = self.get("/v1/status")["height"]
        except httpx.HTTPError:
            return -1
        assert isinstance(height, int)
        return height

    def hash_of(self, height: int) -> object:
        """The hash of a final block; the tip is known a moment before it can be read."""
        until(lambda: self.client.get(f"/v1/blocks/{height}").status_code == 200, "readable")
        return self.get(f"/v1/blocks/{height}")["hash"]


class Net:
    """Four validators and an observer whom they all know."""

    def __init__(self, root: Path) -> None:
        ports = free_ports(VALIDATORS + 1)
        self.layout = Layout(root)
        wanted = Wanted(validators=VALIDATORS, base_port=20_000, block_time_ms=BLOCK_TIME_MS)
        description, _ = ensure_testnet(self.layout, wanted)
        observer = self._make_observer()
        addresses = [*(entry.address for entry in description.nodes), observer]
        peers = ",".join(
            f"{address}@127.0.0.1:{port}" for address, port in zip(addresses, ports, strict=True)
        )
        homes = [*map(self.layout.node, range(VALIDATORS)), self.observer_home]
        self.nodes = [
            Node(home, port, {"TWINCHAIN_P2P__PEERS": peers})
            for home, port in zip(homes, ports, strict=True)
        ]
        self.validators, self.observer = self.nodes[:VALIDATORS], self.nodes[VALIDATORS]

    @property
    def observer_home(self) -> Path:
        return self.layout.root / "observer"

    def _make_observer(self) -> str:
        home = self.observer_home
        home.mkdir()
        seed = new_seed()
        (home / "password").write_text("a password for tests")
        (home / "password").chmod(0o600)
        (home / "genesis.json").write_bytes(self.layout.genesis.read_bytes())
        (home / "config.toml").write_text('[node]\nname = "observer"\n')
        write_key_file(
            home / "signing.json",
            seed,
            read_password_file(home / "password"),
            kind=KeyKind.SIGNING,
            name="observer",
            light=True,
        )
        return SigningKey.from_seed(seed).address

    def account(self, name: str) -> SigningKey:
        accounts = self.layout.accounts
        password = read_password_file(accounts / "password")
        return SigningKey.from_seed(load_seed(accounts / f"{name}.json", password, KeyKind.SIGNING))

    def transfer(self, nonce: int) -> bytes:
        genesis = load_genesis(self.layout.genesis)
        action = Transfer(to=self.account("bob").address, amount_micro=5)
        return build_transaction(
            self.account("alice"), genesis.hash, genesis.genesis.chain, nonce, [action]
        )


@pytest.fixture(scope="module")
def net(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Net]:
    made = Net(tmp_path_factory.mktemp("net") / "testnet")
    try:
        for node in made.validators:
            node.start()
        yield made
    finally:
        for node in made.nodes:
            if node.process is not None and node.process.poll() is None:
                node.process.kill()
                node.process.wait()
            node.client.close()


def all_reach(nodes: list[Node], height: int) -> None:
    until(lambda: all(node.height() >= height for node in nodes), f"height {height}")


def assert_one_history(nodes: list[Node], height: int) -> None:
    assert len({node.hash_of(height) for node in nodes}) == 1


def test_four_processes_make_one_chain(net: Net) -> None:
    all_reach(net.validators, 10)
    assert_one_history(net.validators, 10)


def test_a_transaction_given_to_one_node_is_final_on_all(net: Net) -> None:
    all_reach(net.validators, 1)
    raw = net.transfer(nonce=0)
    answer = net.validators[0].client.post(
        "/v1/txs", content=raw, headers={"content-type": "application/json"}
    )
    assert answer.status_code == 202, answer.text
    name = answer.json()["data"]["hash"]
    for node in net.validators:
        # A node that has not heard of it yet answers `unknown` to a wait, and 404 without one.
        path = f"/v1/txs/{name}?wait=final&timeout=1"
        until(lambda: node.get(path)["status"] == "final", "final everywhere")  # noqa: B023


def test_the_chain_goes_on_without_one_and_that_one_catches_up_after_a_crash(net: Net) -> None:
    all_reach(net.validators, 2)
    *others, victim = net.validators
    assert victim.stop(signal.SIGKILL) == -signal.SIGKILL
    reached = others[0].height()
    all_reach(others, reached + 6)
    victim.start()
    goal = others[0].height() + 3
    all_reach(net.validators, goal)
    assert_one_history(net.validators, goal)
    assert_one_history(net.validators, reached + 4)
    until(lambda: victim.get("/v1/status")["state"] == "validating", "voting again")


def test_a_late_observer_follows_and_its_transactions_reach_the_chain(net: Net) -> None:
    all_reach(net.validators, 5)
    net.observer.start()
    goal = net.validators[0].height() + 4
    all_reach([net.observer], goal)
    assert_one_history(net.nodes, goal)
    until(lambda: net.observer.get("/v1/status")["state"] == "observing", "observing")
    raw = net.transfer(nonce=1)
    answer = net.observer.client.post(
        "/v1/txs", content=raw, headers={"content-type": "application/json"}
    )
    assert answer.status_code == 202, answer.text
    name = answer.json()["data"]["hash"]
    until(lambda: net.observer.get(f"/v1/txs/{name}")["status"] == "final", "final there")


def test_an_orderly_stop_takes_seconds_ends_streams_and_the_chain_resumes(net: Net) -> None:
    all_reach(net.validators, 1)
    victim = net.validators[0]
    with victim.client.stream("GET", "/v1/events") as stream:
        assert stream.status_code == 200
        began = time.monotonic()
        assert victim.stop() == 0
        assert time.monotonic() - began < 8
    stopped_at = max(node.height() for node in net.validators[1:])
    victim.start()
    all_reach(net.validators, stopped_at + 4)
    assert_one_history(net.validators, stopped_at + 4)


class Faulty:
    """A node like one of the network with something wrong that no restart can cure."""

    def __init__(self, net: Net, case: str, port: int) -> None:
        source = net.validators[1]
        self.node = Node(net.layout.root / case.replace(" ", "-"), port, source.environment)
        home = self.node.home
        home.mkdir()
        for name in ("genesis.json", "signing.json", "vrf.json", "password"):
            (home / name).write_bytes((source.home / name).read_bytes())
            (home / name).chmod(0o600)
        data = source.home / "data" if case == "second process" else home / "data"
        (home / "config.toml").write_text(f'[node]\ndata_dir = "{data}"\n')
        if case == "no genesis":
            (home / "genesis.json").unlink()
        elif case == "other genesis":
            (home / "genesis.json").write_text("{}")
        elif case == "wrong password":
            (home / "password").write_text("another")
        self.node.start()

    def end(self) -> tuple[int, list[str]]:
        """Exit code and lines logged."""
        assert self.node.process is not None
        code = self.node.process.wait(timeout=PATIENCE_S)
        self.node.client.close()
        return code, self.node.log.read_text().splitlines()


def test_what_a_restart_cannot_cure_ends_with_78_and_one_clear_line(net: Net) -> None:
    all_reach(net.validators, 1)
    cases = ("no genesis", "other genesis", "wrong password", "second process")
    started = [
        Faulty(net, case, port) for case, port in zip(cases, free_ports(len(cases)), strict=True)
    ]
    for case, faulty in zip(cases, started, strict=True):
        code, lines = faulty.end()
        assert code == 78, case
        assert len(lines) == 1, case
        assert "bad configuration" in lines[0], case
