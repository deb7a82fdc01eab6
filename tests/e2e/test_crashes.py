"""`kill -9` of a leader, of another node, of two, of all: what was final stays, nobody signs twice.

One network, on which the demo's agents trade while nodes die.  The tests run in this order; each
starts by reviving what an earlier one may have left dead.  The last one kills the supervisor.
"""

import asyncio
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from ledger.native import Transfer
from node.client.client import Client, Document
from node.client.wallet import Wallet
from tests.e2e.kit import (
    Net,
    descendants,
    free_port_run,
    has_ended,
    run,
    until,
)
from tests.e2e.town import Demo, Town
from tests.e2e.vote_tap import VoteTap

pytestmark = pytest.mark.slow

BLOCK_TIME = "400ms"
OTHER_BLOCK_TIME = "500ms"


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    tap = VoteTap()
    net = Net(tmp_path_factory.mktemp("crashes") / "net", tap.environment)
    options = ("--validators", "4", "--base-port", str(free_port_run(4)), "--block-time")
    try:
        net.start(*options, BLOCK_TIME)
        found = Town(net, tap)
        places = [(node.url, node.address) for node in net.description.nodes]
        tap.follow(places, found.genesis.hash)
        yield found
    finally:
        net.close()
        tap.close()


@pytest.fixture(scope="module")
def demo(town: Town) -> Iterator[Demo]:
    agents = Demo(town.net)
    yield agents
    agents.process.terminate()
    agents.process.wait(20.0)


def test_the_demo_trades_within_30_s_of_start_and_services_end_paid_and_rated(
    town: Town, demo: Demo
) -> None:
    net = town.net
    until(lambda: demo.told("trade.made"), "a trade of the demo")
    assert time.monotonic() - net.asked_at < 30
    until(lambda: demo.told("satisfaction.changed"), "a rating")
    assert demo.told("agreement.ended")[0]["data"]["paid_micro"] > 0
    rated = demo.told("satisfaction.changed")[0]
    assert rated["data"]["after_bp"] != rated["data"]["before_bp"]
    height = rated["height"]
    until(lambda: min(net.heights()) >= height, "the rating on every node")
    for index in range(net.size):
        events = net.data(index, f"/v1/blocks/{height}")["events"]
        assert rated["data"] in [event["data"] for event in events]


@pytest.mark.parametrize("whom", ["the leader of the moment", "a node that does not lead"])
def test_a_killed_node_is_voted_out_catches_up_and_signs_nothing_twice(
    town: Town, demo: Demo, whom: str
) -> None:
    net = town.net
    net.heal()
    town.pay(0)
    victim = leader_now(net, whom == "the leader of the moment")
    witness = (victim + 1) % net.size
    before = net.height(witness)
    net.kill(victim)
    town.keep_journals()

    until(lambda: net.height(witness) >= before + 6, "blocks without the killed node")
    skipped = the_vote_out(net, witness, victim, before)
    require_vote_out(net, witness, victim, skipped)
    town.pay(witness)
    if victim not in net.revived:
        assert f"node {victim} " in net.stderr.read_text()

    net.revive(victim)
    until(lambda: net.height(victim) >= net.height(witness) - 1 > 0, "the catch-up")
    back = net.height(victim)
    place = net.data(victim, "/v1/status")["node"]["index"]
    until(
        lambda: any(place in block["signed"] for block in net.blocks(witness, above=back)),
        "a block the revived node signed",
    )
    net.require_one_chain()
    until(
        lambda: net.height(victim) >= max(at for at, _ in town.final.values()), "the last payment"
    )
    town.require_payments(victim)
    town.require_no_second_vote()


def test_a_second_start_on_a_running_node_s_directory_is_refused_and_leaves_it_alone(
    town: Town, demo: Demo
) -> None:
    net = town.net
    net.heal()
    pid, height = net.pid(1), net.height(1)
    second = run("start", "--config", str(net.layout.config(1)))
    assert second.returncode == 78
    assert "another process uses" in second.stderr
    assert net.pid(1) == pid
    until(lambda: net.height(1) > height, "the next block of the first")


def leader_now(net: Net, leads: bool) -> int:
    """The node whose turn the height under way is, or one whose turn it is not."""
    leader = net.index_of(net.data(0, "/v1/consensus")["leader"])
    return leader if leads else (leader + 2) % net.size


def the_vote_out(net: Net, witness: int, victim: int, above: int) -> int:
    """Height of the first block above which took a turn from the victim."""
    address = net.description.nodes[victim].address
    found: list[int] = []

    def look() -> bool:
        found[:] = [
            block["height"]
            for block in net.blocks(witness, above)
            if any(
                leader["address"] == address and leader["outcome"] == "skipped"
                for leader in block["leaders"]
            )
        ]
        return bool(found) and net.height(witness) > found[0]

    until(look, "a turn of the killed node that a backup took")
    return found[0]


def require_vote_out(net: Net, witness: int, victim: int, height: int) -> None:
    """The block proves the vote-out, a backup built it, and the victim's tokens are gone."""
    address = net.description.nodes[victim].address
    block = net.data(witness, f"/v1/blocks/{height}")
    turn = next(at for at, one in enumerate(block["leaders"]) if one["address"] == address)
    assert block["view"] > turn + 1
    assert block["builder"]["address"] != address
    assert block["leaders"][block["view"] - 1]["outcome"] == "built"
    assert block["leaders"][block["view"] - 1]["role"].startswith("V^b_")
    proof = next(skip for skip in block["skips"] if skip["leader"]["address"] == address)
    assert len(proof["signed"]) >= 3
    lost = [event["data"] for event in block["events"] if event["kind"] == "turn.skipped"]
    lost = [data for data in lost if data["address"] == address]
    assert len(lost) == 1
    assert lost[0]["fee_micro"] > 0
    # Cleared in the block, after which a member that was heard lately earns one block's share.
    entries = net.data(witness, f"/v1/elections/{height + 1}")["entries"]
    entry = next(one for one in entries if one["address"] == address)
    assert int(entry["tokens"]) <= entry["stake_micro"] * entry["satisfaction_bp"]
    assert entry["weight"] == "0"
    assert net.data(witness, f"/v1/validators/{address}")["turns_skipped"] >= 1


def test_without_a_quorum_the_chain_stops_says_why_and_goes_on_by_itself(
    town: Town, demo: Demo
) -> None:
    net = town.net
    net.heal()
    names = [node.name for node in net.description.nodes]
    net.kill(2)
    net.kill(3)
    until(lambda: net.status_code(0, "/readyz") == 503, "a node that is not ready")
    stopped = max(net.height(0), net.height(1))

    def why() -> Document:
        found: Document = httpx.get(net.url(0) + "/readyz", trust_env=False).json()
        return found

    until(lambda: names[2] in why()["detail"] and names[3] in why()["detail"], "who is silent")
    assert why()["code"] == "not_ready"
    assert {"tip_age", "advancing"} <= {each["where"] for each in why()["errors"]}
    assert net.status_code(0, "/livez") == 200
    waits = asyncio.run(send_one(town))
    assert max(net.height(0), net.height(1)) == stopped
    assert net.data(0, "/v1/status")["tip_age_ms"] > 5_000

    net.revive(2)
    until(lambda: net.height(0) >= stopped + 3, "blocks once three of four are there")
    done = net.data(1, f"/v1/txs/{waits}?wait=final&timeout=20")
    assert (done["status"], done["code"]) == ("final", "ok")
    town.final[waits] = (done["height"], done["index"])
    net.revive(3)
    until(lambda: net.status_code(3, "/readyz") == 200, "the last node ready again")
    until(lambda: net.height(3) >= done["height"], "the last payment")
    net.require_one_chain()
    for index in range(net.size):
        town.require_payments(index)
    town.require_no_second_vote()


async def send_one(town: Town) -> str:
    """One payment that cannot become final yet."""
    async with Client(town.net.url(0)) as client:
        wallet = Wallet(client, town.net.key("alice"))
        sent = await wallet.send(Transfer(town.net.account("bob"), 7))
    assert sent.status == "pending"
    return sent.hash


def test_all_nodes_killed_and_started_again_go_on_with_the_same_chain(
    town: Town, demo: Demo
) -> None:
    net = town.net
    net.heal()
    town.pay(1)
    demo.process.terminate()
    demo.process.wait(20.0)
    before = net.require_one_chain()
    assert net.supervisor is not None
    for pid in [net.supervisor.pid, *(net.pid(index) for index in range(net.size))]:
        os.kill(pid, signal.SIGKILL)
    net.supervisor.wait(20.0)
    for process in net.revived.values():
        process.wait(20.0)
    town.keep_journals()
    assert net.heights() == [-1] * net.size

    directory = str(net.layout.root)
    wrong = run("testnet", "start", "--dir", directory, "--block-time", OTHER_BLOCK_TIME)
    assert wrong.returncode == 2
    assert "--block-time" in wrong.stderr
    wrong = run("testnet", "start", "--dir", directory, "--validators", "7")
    assert wrong.returncode == 2

    urls = [node.url for node in net.description.nodes]
    assert net.start("--block-time", BLOCK_TIME) == {"ready": True, "nodes": urls}
    until(lambda: min(net.heights()) > max(before) + 2, "new blocks")
    now = net.require_one_chain()
    assert {height: now[height] for height in before} == before
    for index in range(net.size):
        town.require_payments(index)
    town.pay(2)
    town.require_no_second_vote()


def test_every_node_s_chain_executed_again_from_genesis_gives_the_same_roots(town: Town) -> None:
    net = town.net
    net.heal()
    commands = [("replay", index) for index in range(net.size)] + [("check", 0)]

    def execute(command: tuple[str, int]) -> "subprocess.CompletedProcess[str]":
        name, index = command
        return run("db", name, "--json", "--config", str(net.layout.config(index)))

    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(execute, commands))
    assert [answer.returncode for answer in answers] == [0] * len(commands)
    results = [json.loads(answer.stdout) for answer in answers]
    highest = max(found["height"] for found in results)
    until(lambda: min(net.heights()) >= highest, "the height on every node")
    for found in results:
        assert found["sound"] is True
        for index in range(net.size):
            block = net.data(index, f"/v1/blocks/{found['height']}")
            assert (block["hash"], block["state_root"]) == (found["hash"], found["state_root"])
    # What was executed again holds trades and votes-out, or it would show little.
    lowest = min(found["height"] for found in results)
    history = [block for block in net.blocks(0) if block["height"] <= lowest]
    assert any(block["view"] > 1 for block in history)
    assert any(block["trades"] for block in history)


def test_no_process_outlives_a_supervisor_that_is_killed(town: Town) -> None:
    net = town.net
    supervisor = net.supervisor
    assert supervisor is not None
    children = descendants(supervisor.pid)
    assert len(children) >= net.size
    supervisor.kill()
    supervisor.wait(20.0)
    until(lambda: all(map(has_ended, children)), "the end of all children", 10.0)
    net.require_clean_logs()
