"""A test network under load whose nodes talk through proxies and whose votes are heard."""

from __future__ import annotations

import contextlib
import os
import random
import subprocess
import threading
import time
from pathlib import Path
from types import TracebackType

import httpx

from node.client.client import ClientError
from scripts.chaos.proxies import Link, Proxies
from tests.e2e.kit import Net, free_port_run, run, until
from tests.e2e.town import Town
from tests.e2e.vote_tap import VoteTap

PAYMENTS_AT_ONCE = 5
SHIFTED_CLOCK = Path(__file__).parent / "shifted_clock"


class Stage:
    """Everything a nemesis acts upon."""

    def __init__(
        self, directory: Path, validators: int, block_time_ms: int, small_disk: int | None
    ) -> None:
        """small_disk: the node whose data lie on a file system of 24 MB; only root can have one."""
        self.small_disk = small_disk
        self.proxies, self.tap = Proxies(), VoteTap()
        paths = [str(SHIFTED_CLOCK), os.environ.get("PYTHONPATH", "")]
        environment = {"PYTHONPATH": os.pathsep.join(path for path in paths if path)}
        self.net = Net(directory / "net", environment)
        self.refused = 0
        self._stop = threading.Event()
        self._load: threading.Thread | None = None
        self._initialize(validators, block_time_ms)

    def _initialize(self, validators: int, block_time_ms: int) -> None:
        base_port = free_port_run(validators)
        ports = ("--validators", str(validators), "--base-port", str(base_port))
        options = (*ports, "--block-time", f"{block_time_ms}ms")
        done = run("testnet", "init", "--dir", str(self.net.layout.root), *options)
        if done.returncode:
            raise RuntimeError(done.stderr)
        (tap,) = self.tap.environment.values()
        for node in self.net.description.nodes:
            peers = [tap]
            for other in self.net.description.nodes:
                if other.index != node.index:
                    link = (node.index, other.index)
                    port = self.proxies.open(link, base_port + other.index)
                    peers.append(f"{other.address}@127.0.0.1:{port}")
            config = self.net.layout.config(node.index)
            quoted = "".join(f'  "{peer}",\n' for peer in peers)
            config.write_text(f"{config.read_text()}\n[p2p]\npeers = [\n{quoted}]\n")
        if self.small_disk is not None:
            self._mount(self.data(self.small_disk))

    @staticmethod
    def _mount(data: Path) -> None:
        data.mkdir(exist_ok=True)
        data.chmod(0o700)
        options = ("-o", "size=24m,mode=700")
        subprocess.run(["mount", "-t", "tmpfs", *options, "tmpfs", str(data)], check=True)

    def __enter__(self) -> Stage:
        try:
            self.net.start()
            self.town = Town(self.net, self.tap)
            places = [(node.url, node.address) for node in self.net.description.nodes]
            self.tap.follow(places, self.town.genesis.hash)
            self._load = threading.Thread(target=self._pay_on, daemon=True)
            self._load.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop the load and every process, and give back what was mounted."""
        self.quiet()
        self.net.close()
        self.tap.close()
        self.proxies.close()
        if self.small_disk is not None:
            command = ["umount", "-l", str(self.data(self.small_disk))]
            subprocess.run(command, check=False)

    def data(self, index: int) -> Path:
        """Where a node keeps its database."""
        return self.net.layout.node(index) / "data"

    def set_clock(self, index: int, shift_ms: int) -> None:
        """The wall clock of a node shows this much more than that of the machine, from now on."""
        shift = self.net.layout.node(index) / "clock_shift_ms"
        beside = shift.with_name(shift.name + ".new")
        beside.write_text(str(shift_ms), encoding="ascii")
        beside.replace(shift)

    def _pay_on(self) -> None:
        """Payments through one node after another; only what was called final is counted."""
        chance = random.Random(1)
        while not self._stop.is_set():
            try:
                self.town.pay(chance.randrange(self.net.size), PAYMENTS_AT_ONCE)
            except (ClientError, httpx.HTTPError, OSError, AssertionError):
                self.refused += 1
                self._stop.wait(0.2)

    def quiet(self) -> None:
        """End the load."""
        self._stop.set()
        if self._load is not None:
            self._load.join(90.0)

    def links_between(self, group: set[int]) -> list[Link]:
        """All links across the border of a group."""
        everyone = range(self.net.size)
        return [(a, b) for a in everyone for b in everyone if (a in group) != (b in group)]

    def recover(self) -> float:
        """Heal everything; seconds until all nodes are level and two blocks further."""
        began = time.monotonic()
        self.proxies.heal()
        self.net.heal()
        goal = max(self.net.heights()) + 2
        until(lambda: min(self.net.heights()) >= goal, "two more blocks on every node")
        return time.monotonic() - began

    def is_gone(self, index: int) -> bool:
        """Whether a node has ended, by itself or otherwise."""
        with contextlib.suppress(OSError):
            return not self.net.is_running(index)
        return True
