"""Power cuts: a node's disk stops taking writes, and after the restart nothing final is missing."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.kit import ROOT, Net, free_port_run, has_ended, run, until
from tests.e2e.power import PoweredDisk, why_not
from tests.e2e.town import Town
from tests.e2e.vote_tap import VoteTap

pytestmark = [
    pytest.mark.slow,
    pytest.mark.root,
    pytest.mark.skipif(why_not() is not None, reason=str(why_not())),
]

CUTS = 3
WRITER = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("PRAGMA journal_mode=WAL")
connection.execute(f"PRAGMA synchronous={sys.argv[2]}")
connection.execute("CREATE TABLE row (number INTEGER PRIMARY KEY)")
number = 0
while True:
    number += 1
    connection.execute("INSERT INTO row VALUES (?)", (number,))
    print(number, flush=True)
"""


@pytest.fixture
def town(tmp_path: Path) -> Iterator[tuple[Town, list[PoweredDisk]]]:
    """Four nodes, each with a disk of its own."""
    tap = VoteTap()
    net = Net(tmp_path / "net", tap.environment)
    disks: list[PoweredDisk] = []
    options = ("--validators", "4", "--base-port", str(free_port_run(4)))
    try:
        made = run("testnet", "init", "--dir", str(net.layout.root), *options)
        assert made.returncode == 0, made.stderr
        for index in range(4):
            image = tmp_path / f"disk-{index}.img"
            disks.append(PoweredDisk(image, net.layout.node(index) / "data"))
        net.start()
        found = Town(net, tap)
        places = [(node.url, node.address) for node in net.description.nodes]
        tap.follow(places, found.genesis.hash)
        yield found, disks
    finally:
        net.close()
        tap.close()
        for disk in disks:
            disk.close()


def cut_power(net: Net, disk: PoweredDisk, index: int) -> None:
    """Stop the node, cut, kill it, and look at the disk anew."""
    pid = net.pid(index)
    os.kill(pid, signal.SIGSTOP)
    disk.cut()
    net.kill(index)
    until(lambda: has_ended(pid), "the end of the node")
    until(lambda: _unmounted(disk), "the end of all users of the disk", 20.0)
    disk.mount()


def _unmounted(disk: PoweredDisk) -> bool:
    try:
        disk.unmount()
    except subprocess.CalledProcessError:
        return False
    return True


def test_power_cuts_lose_nothing_final_and_make_nobody_sign_twice(
    town: tuple[Town, list[PoweredDisk]],
) -> None:
    """Single cuts in turn, then all four nodes at once: then only the disks remember."""
    found, disks = town
    net = found.net
    for index in range(CUTS):
        found.pay((index + 1) % 4)
        cut_power(net, disks[index], index)
        found.keep_journals()
        net.revive(index)
        net.heal()
    found.pay(0, count=20)
    before = net.require_one_chain()
    for index in range(4):
        os.kill(net.pid(index), signal.SIGSTOP)
    for index in range(4):
        cut_power(net, disks[index], index)
    found.keep_journals()
    for index in range(4):
        net.revive(index)
    # Four processes start at once here: on a busy machine that takes a minute by itself.
    until(lambda: min(net.heights()) > max(before) + 2, "new blocks after the cut", 180.0)
    after = net.require_one_chain()
    assert {height: after[height] for height in before} == before
    for index in range(4):
        found.require_payments(index)
    found.require_no_second_vote()


def rows_lost(tmp_path: Path, synchronous: str) -> int:
    """Rows a writer had committed and that a power cut took back."""
    disk = PoweredDisk(tmp_path / f"{synchronous}.img", tmp_path / synchronous)
    try:
        said = tmp_path / f"{synchronous}.txt"
        with said.open("wb") as out:
            command = [sys.executable, "-c", WRITER, str(disk.place / "rows.sqlite"), synchronous]
            writer = subprocess.Popen(command, stdout=out, cwd=ROOT)
        try:
            until(lambda: said.read_bytes().count(b"\n") > 500, "five hundred rows", 30.0)
            time.sleep(0.2)
            os.kill(writer.pid, signal.SIGSTOP)
            disk.cut()
        finally:
            writer.kill()
            writer.wait()
        told = int(said.read_bytes().split(b"\n")[-2])
        disk.unmount()
        disk.mount()
        try:
            with sqlite3.connect(disk.place / "rows.sqlite") as connection:
                (kept,) = connection.execute("SELECT COALESCE(MAX(number), 0) FROM row").fetchone()
            connection.close()
        except sqlite3.OperationalError:
            kept = 0
        return max(0, told - int(kept))
    finally:
        disk.close()


def test_the_cut_takes_what_was_not_synced_and_nothing_else(tmp_path: Path) -> None:
    """The control: the same writer loses rows without the setting the node insists on."""
    assert rows_lost(tmp_path, "FULL") == 0
    assert rows_lost(tmp_path, "OFF") > 0
