"""The commands about membership: what they sign, and what they refuse before asking anybody."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from ledger.members import Resources
from ledger.membership import ACTIONS as MEMBERSHIP
from ledger.membership import Apply, Leave, Unjail, Update
from ledger.proposals import ACTIONS as GOVERNANCE
from ledger.proposals import (
    AdmitMember,
    Approve,
    EjectMember,
    Propose,
    SetParameter,
    SuspendBroker,
)
from ledger.transactions import Action, TransactionCodec
from tests.node.test_cli import GENESIS, OTHER, StandIn, run
from tests.node.test_cli import key_file as key_file
from tests.node.test_cli import node as node
from tests.node.test_cli import password_file as password_file
from tests.node.test_cli import runner as runner

KEY = "33" * 32
STATED = ("--vrf-key", KEY, "--resources", "3,2,1", "--endpoint", "http://x")


@pytest.mark.parametrize(
    ("command", "action"),
    [
        (("apply", "--name", "five", *STATED), Apply("five", KEY, "http://x", Resources(3, 2, 1))),
        (("update", *STATED), Update(KEY, "http://x", Resources(3, 2, 1))),
        (("leave",), Leave()),
        (("unjail",), Unjail()),
        (("approve", "--proposal", KEY), Approve(KEY)),
        (("propose", "admit-member", OTHER), Propose(AdmitMember(OTHER))),
        (("propose", "eject-member", OTHER), Propose(EjectMember(OTHER))),
        (("propose", "suspend-broker", OTHER), Propose(SuspendBroker(OTHER))),
        (
            ("propose", "set-parameter", "market.degree_cap=8"),
            Propose(SetParameter("market", "degree_cap", 8)),
        ),
    ],
)
def test_each_command_signs_its_action(
    runner: CliRunner,
    node: StandIn,
    key_file: Path,
    password_file: Path,
    command: tuple[str, ...],
    action: Action,
) -> None:
    node.answers["/v1/txs"] = (202, {"data": {"hash": "00" * 32, "status": "pending"}})
    where = ("--key", str(key_file), "--password-file", str(password_file), "--node", node.url)
    result = run(runner, "tx", *command, *where)
    assert result.exit_code == 0, result.output
    codec = TransactionCodec((*MEMBERSHIP, *GOVERNANCE), "test", GENESIS, 65_536)
    assert codec.decode(node.sent[0]).envelope.actions == (action,)


@pytest.mark.parametrize(
    "words",
    [
        ("admit-everybody", OTHER),
        ("set-parameter", "degree_cap=8"),
        ("set-parameter", "city.degree_cap=8"),
        ("set-parameter", "market.degree_cap=many"),
        ("set-parameter", "market.degree cap=1"),
    ],
)
def test_a_change_that_cannot_be_meant_is_a_usage_error(
    runner: CliRunner, key_file: Path, words: tuple[str, str]
) -> None:
    result = run(runner, "tx", "propose", *words, "--key", str(key_file))
    assert result.exit_code == 2


@pytest.mark.parametrize("command", ["apply", "update", "leave", "unjail", "propose", "approve"])
def test_every_membership_command_shows_an_example(runner: CliRunner, command: str) -> None:
    assert f"twinchain tx {command} --key" in run(runner, "tx", command, "--help").stdout


def test_proposals_and_members_are_tables(runner: CliRunner, node: StandIn) -> None:
    setting = {"kind": "set_parameter", "scope": "market", "name": "degree_cap", "value": 8}
    row = {"proposal": KEY, "proposer": OTHER, "counted": 2, "needed": 3, "expires": 9}
    node.answers["/v1/proposals"] = (
        200,
        {"data": [{**row, "change": setting}], "meta": {"names": {OTHER: "one"}}},
    )
    shown = run(runner, "query", "proposals", "--node", node.url).stdout
    assert "2 of 3" in shown
    assert "market.degree_cap" in shown
    member = {"name": "five", "status": "jailed", "seated": True, "stake_micro": 5_000_000}
    node.answers["/v1/members"] = (
        200,
        {"data": [{**member, "votes_seen": 1, "votes_due": 4, "address": OTHER}]},
    )
    shown = run(runner, "query", "members", "--node", node.url).stdout
    assert "jailed" in shown
    assert "1/4" in shown
