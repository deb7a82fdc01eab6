"""Who belongs to the chain, who wants to, and what is decided, as the explorer shows it."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from ledger import vrf
from tests.browser.conftest import Open
from tests.browser.network import Network

expect = pytest.importorskip("playwright.sync_api").expect
pytestmark = [pytest.mark.browser, pytest.mark.slow]

OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
WHO, OTHER = "ab" * 32, "cd" * 32
CHANGE = json.dumps({"kind": "admit_member", "account": WHO})
RESOURCES = {"computation": 3, "communication": 2, "modelling": 1}

EVENTS: dict[str, dict[str, Any]] = {
    "member.applied": {"expires": 9},
    "member.admitted": {"address": WHO, "name": "x", "bond_until": 9},
    "member.bonded": {"address": WHO},
    "member.updated": {"address": WHO},
    "member.unjailed": {"address": WHO},
    "member.left": {"address": WHO},
    "member.voted_out": {"address": WHO},
    "member.jailed": {"address": WHO, "until": 9, "due": 4, "votes": 1, "skips": "2"},
    "member.ejected": {"address": WHO, "offence_height": 3, "burned_micro": 5_000_000},
    "proposal.opened": {"member": OTHER, "change": CHANGE, "proposal": WHO},
    "proposal.approved": {"member": OTHER, "change": CHANGE, "proposal": WHO},
    "proposal.carried": {"member": OTHER, "change": CHANGE, "proposal": WHO},
    "proposal.expired": {"member": OTHER, "change": "no json", "proposal": WHO},
    "parameter.changed": {"scope": "ledger", "name": "bond_blocks", "value": 7},
    "validators.changed": {"first": 5, "joined": [WHO], "left": [OTHER, WHO]},
    "broker.applied": {"broker": WHO, "name": "x"},
    "broker.admitted": {"broker": WHO, "name": "x"},
    "broker.suspended": {"broker": WHO, "name": "x"},
}
CHANGES: tuple[dict[str, Any], ...] = (
    {"kind": "admit_member", "account": WHO},
    {"kind": "eject_member", "account": WHO},
    {"kind": "admit_broker", "account": WHO},
    {"kind": "suspend_broker", "account": WHO},
    {"kind": "set_parameter", "scope": "market", "name": "degree_cap", "value": 8},
)
STATED = {"name": "x", "vrf_key": WHO, "endpoint": "http://x:1", "resources": RESOURCES}
ACTIONS: tuple[dict[str, Any], ...] = (
    {"type": "apply", **STATED},
    {"type": "update", **STATED},
    {"type": "leave"},
    {"type": "unjail"},
    *({"type": "propose", "change": change} for change in CHANGES),
    {"type": "approve", "proposal": OTHER},
    {"type": "evidence", "votes": "00"},
    {"type": "apply_broker", "name": "x", "tariff": {"lambda_micro": 5}},
)
SPEAK = """async ([events, actions, who]) => {
  const { eventSentence, actionSentence } = await import("/explorer/js/sentences.js");
  const text = (parts) => {
    const place = document.createElement("p");
    place.append(...parts.flat(9));
    return place.textContent;
  };
  const told = Object.entries(events).map(([kind, data]) => (
    text(eventSentence({ kind, data, accounts: [who], height: 7 }))
  ));
  return [...told, ...actions.map((action) => text(actionSentence(action, who, null, 7)))];
}"""


def test_every_sentence_about_membership_is_words_and_not_the_default(open_page: Open) -> None:
    watched = open_page()
    said = watched.page.evaluate(SPEAK, [EVENTS, list(ACTIONS), WHO])
    assert len(said) == len(EVENTS) + len(ACTIONS)
    for sentence in said:
        assert re.search(r"[a-z] [a-z]", sentence), sentence
        assert not re.search(r"[{}\[\]]|undefined|NaN|null|does “", sentence), sentence
    assert watched.complaints == []


def apply_and_propose(network: Network) -> str:
    """Alice wants to become a member, and node 0 is for it; her address."""
    alice = network.net.account("alice")
    if network.net.status_code(0, f"/v1/members/{alice}") == 200:
        return alice
    key = vrf.public_key(b"vrf key of alice in this test...").hex()
    words = ("--vrf-key", key, "--resources", "50000,99000,25000", "--endpoint", "http://alice:1")
    network.send("apply", "--name", "Alice's server", *words, "--wait", key="alice")
    signing = str(network.net.layout.node(0) / "signing.json")
    network.send_as(signing, "propose", "admit-member", alice, "--wait")
    return alice


@pytest.mark.parametrize(
    ("width", "dark"), [(390, True), (390, False), (1440, True), (1440, False)]
)
def test_the_members_page_shows_members_applicants_proposals_and_the_next_boundary(
    open_page: Open, network: Network, width: int, dark: bool
) -> None:
    alice = apply_and_propose(network)
    watched = open_page("#/members", width=width, dark=dark)
    page = watched.page
    expect(page.get_by_test_id("member")).to_have_count(4)
    expect(page.locator("[data-testid=member][data-status=active]")).to_have_count(4)
    expect(page.get_by_test_id("countdown")).to_contain_text(re.compile(r"block #\d+"))
    expect(page.get_by_test_id("no-change")).to_be_visible()
    expect(page.get_by_test_id("applicants")).to_contain_text("Alice's server")
    assert page.evaluate(OVERFLOW) <= 0
    page.get_by_test_id("tab-proposals").click()
    row = page.get_by_test_id("open-proposals").locator("tbody tr")
    expect(row).to_contain_text("to admit alice")
    expect(row).to_contain_text("1 of 3")
    missing = sorted(node.name for node in network.net.description.nodes)[1:]
    for name in missing:
        expect(row).to_contain_text(name)
    for tab in ("sets", "history"):
        page.get_by_test_id(f"tab-{tab}").click()
        assert page.evaluate(OVERFLOW) <= 0
    expect(page.get_by_test_id("told")).to_contain_text("applies to become a member")
    page.goto(f"{network.url()}/explorer/#/member/{alice}")
    expect(page.get_by_test_id("title")).to_have_text("Alice's server")
    expect(page.get_by_test_id("standing")).to_have_text("applied")
    expect(page.locator("#page")).to_contain_text("Its admission is being voted on.")
    assert page.evaluate(OVERFLOW) <= 0
    assert watched.complaints == []


def test_the_countdown_goes_on_while_the_page_is_open(open_page: Open, network: Network) -> None:
    watched = open_page("#/members")
    words = watched.page.get_by_test_id("countdown")
    expect(words).to_contain_text("Next boundary")
    first = words.inner_text()
    expect(words).not_to_have_text(first)
    live = "[...document.querySelectorAll('[data-testid=m-last]')].map(cell => cell.textContent)"
    before = watched.page.evaluate(live)
    watched.page.wait_for_function(f"old => String({live}) !== String(old)", arg=before)
    assert watched.complaints == []


def test_the_first_page_leads_to_the_members_and_a_member_to_its_account(
    open_page: Open, network: Network
) -> None:
    watched = open_page()
    page = watched.page
    page.get_by_test_id("all-members").click()
    name = network.net.description.nodes[1].name
    page.locator(f"[data-testid=member][data-name='{name}'] a").click()
    expect(page.get_by_test_id("title")).to_have_text(name)
    expect(page.locator("#page")).to_contain_text("It votes, and may be drawn to build.")
    expect(page.get_by_test_id("served")).to_have_text(re.compile(r"[\d,]+"))
    expect(page.get_by_test_id("earned")).to_have_text(re.compile(r"[\d,]+\.\d\d"))
    page.get_by_role("link", name="Its account").click()
    page.get_by_role("link", name="membership").click()
    expect(page.get_by_test_id("standing")).to_have_text("active")
    page.goto(f"{network.url()}/explorer/#/member/{'ab' * 32}")
    expect(page.get_by_test_id("failure")).to_contain_text("Not here")
