"""A validator whose disk is gone comes back from another's snapshot, in real processes."""

import json
import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.e2e.kit import Net, free_port_run, has_ended, run, until
from tests.e2e.town import Town
from tests.e2e.vote_tap import VoteTap

pytestmark = [pytest.mark.slow, pytest.mark.long, pytest.mark.timeout(600)]

PATIENCE_S = 180.0
"""Eight starts of a whole interpreter stand between the first block and the last check."""


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    tap = VoteTap()
    net = Net(tmp_path / "net", tap.environment)
    options = ("--validators", "4", "--base-port", str(free_port_run(4)), "--block-time", "800ms")
    try:
        net.start(*options)
        found = Town(net, tap)
        places = [(node.url, node.address) for node in net.description.nodes]
        tap.follow(places, found.genesis.hash)
        yield found
    finally:
        net.close()
        tap.close()


def stop_in_order(net: Net, index: int) -> None:
    pid = net.pid(index)
    os.kill(pid, signal.SIGTERM)
    if index in net.revived:
        net.revived.pop(index).wait(20.0)
    until(lambda: has_ended(pid), f"the end of node {index}")


def test_a_validator_that_lost_its_disk_comes_back_from_a_snapshot_and_votes_again(
    town: Town, tmp_path: Path
) -> None:
    net, source, victim, witness = town.net, 1, 2, 3
    town.pay(0)
    stop_in_order(net, source)
    out = tmp_path / "state.snapshot"
    arguments = ("--config", str(net.layout.config(source)), "--out", str(out), "--json")
    exported = run("db", "export", *arguments)
    assert exported.returncode == 0, exported.stderr
    height = json.loads(exported.stdout)["height"]
    net.revive(source)
    until(lambda: net.height(source) > height, "the exporting node again", PATIENCE_S)

    net.kill(victim)
    town.keep_journals()
    data = net.layout.node(victim) / "data"
    shutil.rmtree(data)
    trusted = net.data(witness, f"/v1/blocks/{height}")["hash"]
    config = ("--config", str(net.layout.config(victim)))
    wrong = run("db", "import", *config, "--from", str(out), "--trust", f"{height}:{'0' * 64}")
    assert (wrong.returncode, data.exists()) == (2, False)
    done = run("db", "import", *config, "--from", str(out), "--trust", f"{height}:{trusted}")
    assert done.returncode == 0, done.stderr
    town.pay(witness)

    net.revive(victim)
    until(lambda: net.height(victim) >= net.height(witness) - 1 > 0, "the catch-up", PATIENCE_S)
    back = net.height(victim)
    place = net.data(victim, "/v1/status")["node"]["index"]
    until(
        lambda: any(place in block["signed"] for block in net.blocks(witness, above=back)),
        "a block that the node from the snapshot signed",
        PATIENCE_S,
    )
    below = httpx.get(f"{net.url(victim)}/v1/blocks/{height}", trust_env=False)
    assert (below.status_code, below.json()["code"]) == (410, "pruned")
    assert min(net.hashes(victim)) == height + 1
    net.require_one_chain()
    checked = run("db", "check", "--json", *config)
    assert checked.returncode == 0, checked.stderr
    replayed = run("db", "replay", "--json", *config, "--from", str(out))
    assert json.loads(replayed.stdout)["from"] == height + 1
    town.require_no_second_vote()
