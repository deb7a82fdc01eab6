"""`node init`, `testnet add|admit|convict` and `query member --until`: documents, advice, codes."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import msgspec
import pytest
from typer.testing import CliRunner

from node.application.genesis import load
from node.cli import waiting
from node.service.config import load as load_config
from node.testnet.admission import Admission
from node.testnet.create import Wanted, ensure_testnet
from node.testnet.layout import Description, Layout, NodeEntry, TestnetTimeout
from tests.node.test_cli import OTHER, StandIn, run
from tests.node.test_cli import node as node
from tests.node.test_cli import runner as runner

HASH = "ab" * 32
COMING = {"height": 7, "blocks_left": 4, "expected_ms": 2_000, "boundary": 12}


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> tuple[Layout, Description]:
    layout = Layout(tmp_path_factory.mktemp("network") / "net")
    wanted = Wanted(validators=2, base_port=9100, block_time_ms=250)
    return layout, ensure_testnet(layout, wanted)[0]


def init(runner: CliRunner, home: Path, *words: object) -> Any:
    where = ("--dir", home, "--name", "Server 5", "--endpoint", "https://five.example")
    return run(runner, "node", "init", *where, *words)


def test_node_init_makes_a_directory_that_a_node_can_be_started_from(
    runner: CliRunner, tmp_path: Path, network: tuple[Layout, Description]
) -> None:
    layout, description = network
    home = tmp_path / "five"
    words = ("--genesis", layout.genesis, "--port", "9000", "--json")
    done = init(runner, home, *words, "--genesis-hash", description.genesis_hash)
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert told["genesis_hash"] == description.genesis_hash
    settings = load_config(home / "config.toml")
    assert settings.node.endpoint == "https://five.example"
    assert (settings.api.host, settings.api.port) == ("0.0.0.0", 9000)
    assert load(home / "genesis.json").hash.hex() == description.genesis_hash
    assert (home / "signing.json").stat().st_mode & 0o077 == 0
    assert json.loads(init(runner, home, *words).stdout) == told


def test_node_init_from_a_running_node_lists_members_the_genesis_does_not_know(
    runner: CliRunner, tmp_path: Path, node: StandIn, network: tuple[Layout, Description]
) -> None:
    layout, description = network
    genesis = json.loads(layout.genesis.read_bytes())
    node.answers["/v1/genesis"] = (200, {"data": genesis})
    first, second = description.nodes
    rows = [
        {"address": first.address, "endpoint": first.url, "seated": True},
        {"address": second.address, "endpoint": "http://moved:1", "seated": True},
        {"address": OTHER, "endpoint": "http://later:2", "seated": True},
        {"address": HASH, "endpoint": "http://gone:3", "seated": False},
    ]
    proxied, silent, odd = "01" * 32, "02" * 32, "03" * 32
    later = [
        {"address": proxied, "endpoint": "https://six.example", "seated": True},
        {"address": silent, "endpoint": "", "seated": True},
        {"address": odd, "endpoint": 'x"\n', "seated": True},
    ]
    pages = [{"data": rows, "next_cursor": HASH}, {"data": later, "next_cursor": None}]
    node.answers["/v1/members"] = lambda: (200, pages.pop(0))
    done = init(runner, tmp_path / "five", "--from", node.url)
    assert done.exit_code == 0, done.output
    assert f"twinchain tx apply --node {node.url}" in done.stdout
    assert "Compare the genesis hash" in done.stderr
    peers = load_config(tmp_path / "five" / "config.toml").p2p.peers
    assert peers == (
        f"{second.address}@http://moved:1",
        f"{OTHER}@http://later:2",
        f"{proxied}@https://six.example:443",
    )
    assert f"left out: member {silent}" in done.stderr
    assert f"left out: member {odd}" in done.stderr


@pytest.mark.parametrize(
    ("words", "advice"),
    [
        ((), "either --from URL or --genesis FILE"),
        (("--genesis", "{genesis}", "--genesis-hash", HASH), f"not {HASH}"),
        (("--genesis", "{genesis}", "--peer", "nobody"), "--peer is ACCOUNT@"),
        (("--genesis", "{genesis}", "--endpoint", "five"), "--endpoint is http"),
        (("--genesis", "{genesis}", "--endpoint", "ftp://five:21"), "--endpoint is http"),
        (("--genesis", "{genesis}", "--endpoint", 'http://five"x:80'), "--endpoint is http"),
        (("--genesis", "{genesis}", "--endpoint", "http://five:0"), "--endpoint is http"),
        (("--genesis", "{genesis}", "--port", "70000"), "--port"),
        (("--genesis", "{genesis}.none"), "genesis"),
    ],
)
def test_node_init_refuses_what_it_cannot_mean(
    runner: CliRunner,
    tmp_path: Path,
    network: tuple[Layout, Description],
    words: tuple[str, ...],
    advice: str,
) -> None:
    filled = [word.format(genesis=network[0].genesis) for word in words]
    done = init(runner, tmp_path / "five", *filled)
    assert done.exit_code == 2
    assert advice in done.stderr
    assert not (tmp_path / "five" / "signing.json").exists()


def test_node_init_run_again_overwrites_neither_settings_nor_password(
    runner: CliRunner, tmp_path: Path, network: tuple[Layout, Description]
) -> None:
    layout, home = network[0], tmp_path / "five"
    words = ("--genesis", layout.genesis)
    assert init(runner, home, *words).exit_code == 0
    other = tmp_path / "secret"
    other.write_text("another one")
    refused = init(runner, home, *words, "--password-file", other)
    assert (refused.exit_code, "holds another password" in refused.stderr) == (2, True)
    edited = (home / "config.toml").read_text() + "[storage]\ntrade_proofs = false\n"
    (home / "config.toml").write_text(edited)
    refused = init(runner, home, *words)
    assert (refused.exit_code, "has other settings" in refused.stderr) == (2, True)
    assert (home / "config.toml").read_text() == edited
    validator = init(runner, layout.node(0), *words)
    assert (validator.exit_code, "has other settings" in validator.stderr) == (2, True)


def test_node_init_tells_the_name_as_a_shell_takes_it(
    runner: CliRunner, tmp_path: Path, network: tuple[Layout, Description]
) -> None:
    done = init(runner, tmp_path / "a b", "--genesis", network[0].genesis, "--name", "it's $5")
    command = done.stdout.partition("  twinchain tx apply")[2].partition("--vrf-key")[0]
    assert shlex.split(command.replace("\\\n", " "))[-1] == "it's $5"
    assert f"'{tmp_path / 'a b'}'/signing.json" in command


def test_testnet_commands_say_what_is_missing(
    runner: CliRunner, tmp_path: Path, network: tuple[Layout, Description]
) -> None:
    there = ("--dir", network[0].root)
    nowhere = run(runner, "testnet", "add", "--dir", tmp_path)
    assert (nowhere.exit_code, "no test network here" in nowhere.stderr) == (2, True)
    early = run(runner, "testnet", "admit", *there)
    assert (early.exit_code, "no node was added yet" in early.stderr) == (2, True)
    unsure = run(runner, "testnet", "convict", "--index", "1", *there)
    assert (unsure.exit_code, "for ever; add --yes" in unsure.stderr) == (2, True)
    silent = run(runner, "testnet", "convict", "--index", "1", "--yes", *there)
    assert (silent.exit_code, "no node answers" in silent.stderr) == (5, True)
    assert run(runner, "testnet", "convict", "--index", "9", "--yes", *there).exit_code == 2


def member(**fields: object) -> tuple[int, object]:
    told = {"name": "five", "status": "active", "seated": False, "stake_micro": 0, "unbonding": []}
    return 200, {"data": told | fields}


def test_waiting_tells_how_far_it_is_and_ends_when_it_is_there(
    runner: CliRunner, node: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "LOOK_S", 0.0)
    node.answers["/v1/validator-sets/next"] = (200, {"data": COMING})
    answers = iter(
        [
            (404, {"code": "not_found"}),
            member(status="admitted", bond_until=90),
            member(seat_from=12),
            member(seated=True),
        ]
    )
    node.answers[f"/v1/members/{OTHER}"] = lambda: next(answers)
    done = run(runner, "query", "member", OTHER, "--until", "seated", "--node", node.url)
    assert done.exit_code == 0, done.output
    assert done.stderr.splitlines() == [
        "block 7: the chain does not know it: no application yet",
        "block 7: admitted, no seat; to stake until block 90",
        "block 7: active, no seat; seat from block 12, in 4 blocks, about 2 s",
    ]
    assert "seat: yes" in done.stdout


@pytest.mark.parametrize(
    ("goal", "fields", "code"),
    [
        ("seated", {"status": "ejected", "seated": True}, 2),
        ("sated", {}, 2),
        ("left", {}, 4),
        ("unbonded", {"status": "left", "stake_micro": 5}, 4),
        ("unbonded", {"status": "left", "deposit_micro": 5, "deposit_until": 9}, 4),
        ("unbonded", {"status": "left"}, 0),
        ("unseated", {"status": "ejected"}, 0),
    ],
)
def test_waiting_ends_with_a_code_that_says_why(
    runner: CliRunner, node: StandIn, goal: str, fields: dict[str, object], code: int
) -> None:
    node.answers["/v1/validator-sets/next"] = (200, {"data": COMING})
    node.answers[f"/v1/members/{OTHER}"] = member(**fields)
    words = ("--until", goal, "--timeout", "0", "--node", node.url)
    assert run(runner, "query", "member", OTHER, *words).exit_code == code


def test_no_number_of_seconds_waits_for_ever(runner: CliRunner, node: StandIn) -> None:
    node.answers["/v1/validator-sets/next"] = (200, {"data": COMING})
    node.answers[f"/v1/members/{OTHER}"] = member()
    words = ("--until", "seated", "--timeout", "nan", "--node", node.url)
    assert run(runner, "query", "member", OTHER, *words).exit_code == 4


def test_a_newcomer_that_does_not_catch_up_in_time_is_no_refusal(
    runner: CliRunner,
    node: StandIn,
    network: tuple[Layout, Description],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def late(_: Admission) -> None:
        raise TestnetTimeout("not caught up after 1 s")

    monkeypatch.setattr(Admission, "run", late)
    monkeypatch.setattr("node.cli.testnet_life._answering", lambda *_: node.url)
    done = run(runner, "testnet", "admit", "--dir", network[0].root, "--index", "1")
    assert (done.exit_code, "goes on where this one stopped" in done.stderr) == (4, True)


def test_sets_and_decided_proposals_are_tables(runner: CliRunner, node: StandIn) -> None:
    names = {"names": {OTHER: "five", HASH: "one"}}
    row = {"first": 12, "size": 5, "joined": [OTHER], "left": [], "addresses": [OTHER]}
    node.answers["/v1/validator-sets"] = (200, {"data": [row], "meta": names})
    groups = {"joining": [], "leaving": [HASH], "staying": [], "announced": []}
    node.answers["/v1/validator-sets/next"] = (200, {"data": COMING | groups, "meta": names})
    shown = run(runner, "query", "sets", "--node", node.url).stdout
    assert "next boundary: block 12, in 4 blocks" in shown
    assert "leaving    one" in shown
    change = {"kind": "admit_member", "account": OTHER}
    decided = {"decided": 3, "status": "carried", "change": change, "approvals": [HASH]}
    node.answers["/v1/proposals"] = (200, {"data": [decided], "meta": names})
    shown = run(runner, "query", "proposals", "--decided", "--node", node.url).stdout
    assert "admit_member five" in shown


def test_descriptions_of_networks_made_before_nodes_could_join_are_still_read() -> None:
    old = {"index": 0, "name": "a", "address": OTHER, "url": "u", "config": "c", "log": "l"}
    assert not msgspec.convert(old, type=NodeEntry).joined
