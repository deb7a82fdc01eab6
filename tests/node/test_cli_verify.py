"""`twinchain verify`: what it prints, its exit codes, and how several nodes are held together."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from auction import class_proof, proof_keys
from ledger.native import Transfer
from node.cli.app import app
from tests.node.api.small_node import ALICE, BOB, SmallNode
from tests.node.api.test_server import serving
from tests.node.light_kit import EQUAL, Living

Wanted = tuple[str, ...]


async def verify(*words: str, genesis: Path | None = None) -> Result:
    """Run one command in a thread: it has an event loop of its own."""
    known = () if genesis is None else ("--genesis", str(genesis))
    return await asyncio.to_thread(CliRunner().invoke, app, ["verify", *words, *known])


def genesis_of(node: SmallNode, folder: Path) -> Path:
    path = folder / "genesis.json"
    path.write_bytes(node.genesis_bytes)
    return path


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TWINCHAIN_NODE", "TWINCHAIN_GENESIS"):
        monkeypatch.delenv(name, raising=False)


async def test_every_command_proves_something_and_says_so(tmp_path: Path) -> None:
    node = Living()
    paid = node.send(ALICE, Transfer(BOB.address, 5))
    node.advance()
    agreement = node.trade()
    node.advance()
    genesis, trust = genesis_of(node, tmp_path), tmp_path / "trust.json"
    async with serving(node) as (port, _):
        at = ("--node", f"http://127.0.0.1:{port}", "--trust-file", str(trust))
        for words, telling in (
            (("chain", "--all"), node.tip().hash.hex()),
            (("beacon", "--from", "1", "--to", "3"), "seed after it"),
            (("beacon",), "in_state"),
            (("tx", paid), "transfer"),
            (("trade", agreement), agreement),
            (("state", "account", BOB.address), "free"),
            (("state", "agreement", "ab" * 32), "False"),
            (("state", "key", "ab"), "present"),
        ):
            shown = await verify(*words, *at, genesis=genesis)
            assert shown.exit_code == 0, shown.output
            assert telling in shown.output
            told = await verify(*words, *at, "--json", genesis=genesis)
            assert json.loads(told.stdout)["proven"] is True
        assert json.loads(trust.read_text())["height"] == node.tip().height
        hashed = await verify("chain", *at[:2], "--genesis-hash", node.genesis_hash.hex(), "--json")
        assert json.loads(hashed.stdout)["height"] == node.tip().height


async def test_a_trade_of_a_class_is_shown_with_the_orders_it_was_worked_out_from(
    tmp_path: Path,
) -> None:
    node = Living(EQUAL)
    agreement = node.class_trade()
    genesis = genesis_of(node, tmp_path)
    async with serving(node) as (port, _):
        at = ("trade", agreement, "--node", f"http://127.0.0.1:{port}")
        shown = await verify(*at, genesis=genesis)
        assert shown.exit_code == 0, shown.output
        assert "the auction of its 4 orders" in shown.output
        told = json.loads((await verify(*at, "--json", genesis=genesis)).stdout)
        assert (told["proven"], told["class_orders"], told["not_proven"]) == (True, 4, [])


async def test_a_trade_proven_in_part_ends_with_7_and_says_what_is_left_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It ended with 0, so a script took a trade for proven whose auction nobody had seen."""
    for module in (class_proof, proof_keys):
        monkeypatch.setattr(module, "CLASS_ORDERS", 3)
    node = Living(EQUAL)
    agreement = node.class_trade()
    genesis = genesis_of(node, tmp_path)
    async with serving(node) as (port, _):
        at = ("trade", agreement, "--node", f"http://127.0.0.1:{port}")
        shown = await verify(*at, genesis=genesis)
        assert shown.exit_code == 7, shown.output
        assert "proven in part" in shown.stdout
        assert "not proven: class" in shown.stderr
        told = await verify(*at, "--json", genesis=genesis)
        assert told.exit_code == 7
        document = json.loads(told.stdout)
        assert (document["proven"], document["not_proven"]) == (False, ["class"])
        assert document["agreement"] == agreement


async def test_what_is_not_proven_ends_with_3_and_says_which_check_failed(tmp_path: Path) -> None:
    node, other = SmallNode(), SmallNode()
    node.advance(2)
    other.now += 5
    other.advance(2)
    genesis = genesis_of(node, tmp_path)
    async with serving(node) as (port, _), serving(other) as (second, _):
        at = f"http://127.0.0.1:{port}"
        forked = await verify(
            "chain", "--node", at, "--node", f"http://127.0.0.1:{second}", "--json", genesis=genesis
        )
        assert forked.exit_code == 3
        assert json.loads(forked.stdout)["check"] == "fork"
        wrong = await verify("chain", "--node", at, "--genesis-hash", "ab" * 32)
        assert wrong.exit_code == 3
        assert "not proven: genesis" in wrong.output


async def test_wrong_use_ends_with_2_and_silence_with_5(tmp_path: Path) -> None:
    node = SmallNode()
    genesis = genesis_of(node, tmp_path)
    nobody = ("--node", "http://127.0.0.1:9")
    assert (await verify("chain", *nobody)).exit_code == 2
    assert (await verify("chain", "--node", "nowhere", genesis=genesis)).exit_code == 2
    assert (await verify("chain", *nobody, genesis=tmp_path / "none.json")).exit_code == 2
    assert (await verify("tx", "zz", *nobody, genesis=genesis)).exit_code == 2
    assert (await verify("state", "money", "ab", *nobody, genesis=genesis)).exit_code == 2
    assert (await verify("state", "account", "ab", *nobody, genesis=genesis)).exit_code == 2
    assert (await verify("chain", *nobody, genesis=genesis)).exit_code == 5
    trust = tmp_path / "trust.json"
    trust.write_text("{}")
    async with serving(node) as (port, _):
        at = ("--node", f"http://127.0.0.1:{port}")
        # A chain without a block has nothing to prove.
        assert (await verify("chain", *at, genesis=genesis)).exit_code == 2
        node.advance()
        broken = await verify("chain", *at, "--trust-file", str(trust), genesis=genesis)
        assert (broken.exit_code, "no trust file" in broken.output) == (2, True)
        missing = await verify("tx", "ab" * 32, *at, genesis=genesis)
        assert (missing.exit_code, "not_found" in missing.output) == (2, True)
        beyond = await verify("beacon", "--from", "9", "--to", "12", *at, genesis=genesis)
        assert beyond.exit_code == 2
