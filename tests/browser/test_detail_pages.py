"""Every link of the explorer leads to something true and readable, whatever the chain holds."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from urllib.parse import quote

import pytest

from tests.browser.conftest import Open
from tests.browser.network import Network

playwright_api = pytest.importorskip("playwright.sync_api")
expect = playwright_api.expect
pytestmark = [pytest.mark.browser, pytest.mark.slow]

HOSTILE = "<img src=x onerror=\"document.title='owned'\"><script>alert(1)</script>"
OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


def one_trade(network: Network) -> dict[str, str]:
    """A trade whose agreement the node still holds."""
    return dict(network.get("trades?limit=1")[0]["data"])


KINDS: dict[str, Callable[[Network, dict[str, str]], str]] = {
    "block": lambda network, trade: f"#/block/{trade['height']}",
    "tx": lambda network, trade: "#/tx/" + network.get(f"accounts/{trade['buyer']}/txs")[0]["hash"],
    "DT server": lambda network, trade: f"#/account/{trade['seller']}",
    "broker": lambda network, trade: f"#/account/{trade['broker']}",
    "open order": lambda network, trade: "#/order/" + network.get("orders")[-1]["id"],
    "closed order": lambda network, trade: f"#/order/{trade['bid']}?at={trade['height']}",
    "agreement": lambda network, trade: f"#/agreement/{trade['agreement']}?at={trade['height']}",
    "election": lambda network, trade: f"#/election/{trade['height']}",
}


@pytest.mark.parametrize(("width", "dark"), [(390, True), (1440, False)])
def test_each_page_has_a_title_the_exact_command_and_no_complaint(
    open_page: Open, network: Network, width: int, dark: bool
) -> None:
    watched = open_page(width=width, dark=dark)
    page = watched.page
    for kind, fragment_of in KINDS.items():
        page.goto(f"{network.url()}/explorer/{fragment_of(network, one_trade(network))}")
        expect(page.get_by_test_id("title")).to_be_visible()
        page.get_by_test_id("api").click()
        command = page.get_by_test_id("curl").locator("code").inner_text()
        assert command.startswith(f"curl -s '{network.url()}/v1/"), kind
        tabs = page.get_by_role("tab")
        for index in range(tabs.count()):
            tabs.nth(index).click()
            expect(page.locator("#page").get_by_text("Loading …")).to_have_count(0)
            assert page.evaluate(OVERFLOW) <= 0, f"{kind}, tab {index}"
        assert watched.complaints == [], kind


def test_a_block_page_shows_its_clearing_its_signers_and_the_raw_document(
    open_page: Open, network: Network
) -> None:
    trade = one_trade(network)
    block = network.get(f"blocks/{trade['height']}")
    page = open_page(f"#/block/{trade['height']}").page
    signers = block["certificate"]["signers"]
    expect(page.get_by_text(f"Made final by {len(signers)} signatures")).to_be_visible()
    expect(page.get_by_test_id("leader")).to_have_count(4)
    page.get_by_test_id("tab-clearing").click()
    expect(page.get_by_test_id("clearing").first).to_contain_text("trade")
    page.get_by_test_id("tab-raw").click()
    raw = json.loads(page.locator(".json pre").inner_text())
    assert raw["hash"] == block["hash"]


def test_a_hostile_memo_is_shown_as_text_and_does_nothing(
    open_page: Open, network: Network
) -> None:
    words = ("transfer", "--to", network.net.account("bob"), "--amount", "1.25")
    hash_ = json.loads(network.send(*words, "--memo", HOSTILE, "--wait", key="alice"))["hash"]
    watched = open_page(f"#/tx/{hash_}")
    page = watched.page
    expect(page.get_by_test_id("memo")).to_have_text(HOSTILE)
    expect(page.get_by_test_id("sentence")).to_contain_text("1.25 tokens to")
    expect(page.get_by_test_id("stepper")).to_have_attribute("data-status", "final")
    assert page.locator("main img, main script").count() == 0
    assert "owned" not in page.title()
    assert watched.complaints == []


def test_the_search_box_finds_heights_names_and_hashes_and_says_so_when_it_does_not(
    open_page: Open, network: Network
) -> None:
    watched = open_page()
    page = watched.page
    block = network.get("blocks/2")
    expect(page.get_by_test_id("state")).to_have_text("Live")
    for text, kind, title in (
        ("2", "block", "2"),
        (block["hash"], "block", "2"),
        ("city-broker", "account", "city-broker"),
    ):
        page.keyboard.press("/")
        expect(page.get_by_test_id("search")).to_be_focused()
        page.keyboard.type(text)
        page.keyboard.press("Enter")
        expect(page).to_have_url(re.compile(rf"/explorer/?#/{kind}/"))
        expect(page.get_by_test_id("title")).to_have_text(title)
        page.get_by_test_id("search").blur()
    page.keyboard.press("/")
    page.keyboard.type("server")
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("hit")).to_have_count(4)
    page.goto(f"{network.url()}/explorer/#/search?q={quote('<b>nobody</b>')}")
    expect(page.get_by_test_id("nothing-found")).to_be_visible()
    assert watched.complaints == []


def test_a_late_answer_to_an_old_search_does_not_lead_away_from_the_page_opened_since(
    open_page: Open, network: Network
) -> None:
    watched = open_page()
    page = watched.page
    held: list[playwright_api.Route] = []
    page.route("**/v1/search?q=city-broker", lambda route: held.append(route))
    page.goto(f"{network.url()}/explorer/#/search?q=city-broker")
    expect(page.get_by_text("Searching …")).to_be_visible()
    page.evaluate("location.hash = '#/block/2'")
    expect(page.get_by_test_id("title")).to_have_text("2")
    with page.expect_response("**/v1/search?q=city-broker") as answered:
        held[0].continue_()
    answered.value.finished()
    page.evaluate("new Promise((done) => setTimeout(done))")
    assert page.url.endswith("#/block/2")
    expect(page.get_by_test_id("title")).to_have_text("2")
    assert watched.complaints == []


@pytest.mark.parametrize("kind", ["order", "agreement"])
def test_an_order_or_agreement_nobody_knows_is_explained(open_page: Open, kind: str) -> None:
    watched = open_page(f"#/{kind}/{'ab' * 32}")
    expect(watched.page.locator(".page .empty")).to_be_visible()
    assert watched.complaints == []


@pytest.mark.parametrize("fragment", ["#/block/99999999", "#/tx/zz", "#/account/%E0%A4%A"])
def test_a_page_that_is_not_there_says_so_and_offers_a_way_back(
    open_page: Open, fragment: str
) -> None:
    page = open_page(fragment).page
    expect(page.get_by_test_id("failure")).to_be_visible()
    page.get_by_role("link", name="First page", exact=True).click()
    expect(page.get_by_test_id("blocks")).to_be_visible()


def test_a_pending_transaction_becomes_final_on_its_page(open_page: Open, network: Network) -> None:
    words = ("transfer", "--to", network.net.account("alice"), "--amount", "1")
    hash_ = json.loads(network.send(*words, key="bob"))["hash"]
    page = open_page(f"#/tx/{hash_}").page
    expect(page.get_by_test_id("stepper")).to_have_attribute("data-status", "final")
    assert network.get(f"txs/{hash_}")["status"] == "final"
