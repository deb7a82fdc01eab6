"""A node joins a running network, works and leaves; one that votes twice is ejected.

By the documented commands, on real processes.  One network; the tests run in this order.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest

from consensus.simplex.wire import decode_evidence, encode_message
from node.peers.frames import consensus_frame
from node.peers.links import dial
from node.testnet.drill import conflicting_votes
from tests.e2e.kit import Document, Net, free_port_run, run, until

pytestmark = [pytest.mark.slow, pytest.mark.long]

FOUNDERS = 5
NEWCOMER = 5
BOUNDARY_BLOCKS = 20
WAIT_S = "120"


@pytest.fixture(scope="module")
def net(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Net]:
    network = Net(tmp_path_factory.mktemp("membership") / "net")
    base_port = free_port_run(FOUNDERS + 2)
    try:
        network.start(
            *(
                "--validators",
                str(FOUNDERS),
                "--base-port",
                str(base_port),
                "--block-time",
                "400ms",
            ),
            *("--boundary-blocks", str(BOUNDARY_BLOCKS)),
        )
        yield network
    finally:
        network.close()


def command(*words: str) -> Any:
    """A command that must succeed; its document."""
    done = run(*words, "--json", timeout_s=150.0)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.strip().splitlines()[-1])


def network(net: Net) -> tuple[str, ...]:
    return ("--dir", str(net.layout.root))


def key(net: Net, index: int) -> str:
    return str(net.layout.node(index) / "signing.json")


def member(net: Net, index: int) -> Document:
    found: Document = net.data(0, f"/v1/members/{net.description.nodes[index].address}")
    return found


def seats(net: Net) -> int:
    return int(net.data(0, "/v1/validator-sets")[0]["size"])


def until_it_has(goal: str, net: Net, index: int) -> None:
    words = ("--until", goal, "--timeout", WAIT_S, "--node", net.url(0))
    command("query", "member", key(net, index), *words)


def test_a_node_joins_by_three_commands_and_builds_blocks(net: Net) -> None:
    added = command("testnet", "add", *network(net))
    assert (added["index"], added["added"]) == (NEWCOMER, True)
    assert net.status_code(0, f"/v1/members/{added['address']}") == 404
    net.revive(NEWCOMER)
    command("testnet", "admit", *network(net), "--timeout", WAIT_S)
    found = member(net, NEWCOMER)
    assert (found["status"], found["seated"]) == ("active", True)
    assert found["seat_since"] % BOUNDARY_BLOCKS == 0
    kinds = [event["kind"] for event in found["history"]][::-1]
    assert [kind for kind in kinds if kind.startswith("member.")] == [
        *("member.applied", "member.admitted", "member.bonded")
    ]
    assert seats(net) == FOUNDERS + 1
    (decided,) = net.data(0, "/v1/proposals?status=decided")
    assert (decided["status"], len(decided["approvals"])) == ("carried", 4)
    until(lambda: member(net, NEWCOMER)["blocks_built"] > 0, "a block built by the newcomer")
    until(lambda: min(net.heights()) > found["seat_since"], "the newcomer at the tip")
    net.require_one_chain()


def test_a_network_that_has_grown_is_still_the_one_that_was_made(net: Net) -> None:
    again = command("testnet", "init", *network(net), "--validators", str(FOUNDERS))
    assert (again["created"], len(again["nodes"])) == (False, FOUNDERS + 1)


def test_who_leaves_keeps_its_seat_to_the_boundary_and_the_others_go_on(net: Net) -> None:
    words = ("--key", key(net, NEWCOMER), "--node", net.url(0))
    sent = command("tx", "leave", *words, "--wait", "--timeout", "60")
    assert sent["code"] == "ok"
    until_it_has("unseated", net, NEWCOMER)
    found = member(net, NEWCOMER)
    assert (found["status"], found["seated"], found["stake_micro"]) == ("left", False, 0)
    assert found["unbonding"][0]["amount_micro"] == 2_000_000_000
    newest = net.data(0, "/v1/validator-sets")[0]
    assert (newest["size"], newest["left"]) == (FOUNDERS, [found["address"]])
    net.kill(NEWCOMER)
    height = net.height(0)
    until(lambda: net.height(0) >= height + 5, "blocks without it")


async def sign_twice(net: Net, offender: int, witness: int) -> None:
    """Take a dead validator's place at one node, and send it two votes for one view.

    It is what a node hears of a key that runs on two machines.  The height moves on meanwhile, so
    it is said again for each height until the chain has acted.
    """
    genesis_hash = bytes.fromhex(net.description.genesis_hash)
    key = net.node_key(offender)
    expected = bytes.fromhex(net.description.nodes[witness].address)
    link = await dial(net.url(witness), key, genesis_hash, expected, 2**22)
    for _ in range(200):
        coming = net.data(witness, "/v1/validator-sets/next")
        action = conflicting_votes(key, genesis_hash, coming)
        evidence = decode_evidence(bytes.fromhex(action.votes))
        for vote in (evidence.first, evidence.second):
            await link.send(consensus_frame(encode_message(vote)))
        if net.data(witness, f"/v1/members/{key.address}")["status"] == "ejected":
            break
        await asyncio.sleep(0.1)
    await link.close()


def test_a_validator_heard_to_vote_twice_is_ejected_for_ever(net: Net) -> None:
    offender, witness = FOUNDERS - 1, 0
    net.kill(offender)
    asyncio.run(sign_twice(net, offender, witness))
    found = member(net, offender)
    assert found["status"] == "ejected"
    assert found["offence"]["burned_micro"] >= 200_000_000
    assert "conflicting votes" in net.layout.log(witness).read_text()
    until_it_has("unseated", net, offender)
    assert seats(net) == 4
    path = f"/v1/membership?account={found['address']}"
    assert [event["kind"] for event in net.data(0, path)][:2] == [
        *("validators.changed", "member.ejected")
    ]
    height = net.height(0)
    until(lambda: min(map(net.height, range(4))) >= height + 5, "blocks without it")


def test_four_stay_so_the_seat_of_one_convicted_stays_without_weight(net: Net) -> None:
    witness, convict = 0, FOUNDERS - 2
    words = ("testnet", "convict", *network(net), "--index", str(convict))
    unsure = run(*words)
    assert (unsure.returncode, "--yes" in unsure.stderr) == (2, True)
    found = command(*words, "--yes")["data"]
    assert (found["status"], found["seated"], found["seat_until"]) == ("ejected", True, 0)
    coming = net.data(witness, "/v1/validator-sets/next")
    assert coming["staying"] == [found["address"]]
    until(lambda: net.height(witness) > coming["boundary"], "the boundary")
    assert net.data(witness, "/v1/validator-sets")[0]["size"] == 4
    rows = net.data(witness, "/v1/validators")
    row = next(row for row in rows if row["address"] == found["address"])
    assert (row["status"], row["chance_ppm"], row["weight"]) == ("ejected", 0, "0")
    twice = run(*words, "--yes")
    assert (twice.returncode, "bad_evidence" in twice.stderr) == (3, True)
    chains = [net.hashes(index) for index in range(4)]
    shared = min(map(len, chains))
    assert len({chain[shared] for chain in chains}) == 1
