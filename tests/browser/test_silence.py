"""When nodes fall silent the explorer names them, shows the backup's turn, and recovers alone."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.browser.conftest import Open
from tests.browser.network import Network

expect = pytest.importorskip("playwright.sync_api").expect
pytestmark = [pytest.mark.browser, pytest.mark.slow]

ABOVE = (
    "low => Number(document.querySelector('[data-testid=height]')"
    ".textContent.replace(',', '')) > low"
)
VICTIM = 2


@pytest.fixture
def victim(network: Network) -> Iterator[str]:
    """The name of a node that is killed, and brought back after the test."""
    name = str(network.get("status", VICTIM)["node"]["name"])
    network.net.kill(VICTIM)
    yield name
    network.net.heal()


def test_a_dead_leader_is_voted_out_and_the_page_shows_who_wrote_instead(
    open_page: Open, network: Network, victim: str
) -> None:
    watched = open_page()
    page = watched.page
    tile = page.locator("[data-testid=block]:not([data-view='1'])").first
    expect(tile.get_by_test_id("voted-out")).to_contain_text(victim, timeout=60_000)
    height = int(tile.get_attribute("data-height") or 0)
    block = network.get(f"blocks/{height}")
    assert block["view"] > 1
    assert block["builder"]["name"] != victim
    row = page.locator(f"[data-testid=validator][data-name='{victim}']")
    expect(row).to_contain_text("silent")
    expect(page.get_by_test_id("state")).to_have_text("Live")
    expect(page.get_by_test_id("why")).to_contain_text(victim)
    assert watched.complaints == []
    page.goto(f"{network.url()}/explorer/#/block/{height}")
    expect(page.locator(".page .subtitle")).to_contain_text("was voted out")


def test_without_a_quorum_the_light_says_who_is_missing(
    open_page: Open, network: Network, victim: str
) -> None:
    other = 3
    name = str(network.get("status", other)["node"]["name"])
    page = open_page().page
    expect(page.get_by_test_id("state")).to_have_text("Live")
    network.net.kill(other)
    try:
        expect(page.get_by_test_id("state")).to_have_text("Stalled")
        for missing in (victim, name):
            expect(page.get_by_test_id("why")).to_contain_text(missing)
        expect(page.get_by_test_id("why")).to_contain_text("2 of 4 validators heard, 3 needed")
    finally:
        network.net.revive(other)
    expect(page.get_by_test_id("state")).to_have_text("Live")


def test_a_page_whose_node_restarts_says_so_and_goes_on_by_itself(
    open_page: Open, network: Network
) -> None:
    page = open_page(node=1).page
    expect(page.get_by_test_id("state")).to_have_text("Live")
    network.net.kill(1)
    expect(page.get_by_test_id("state")).to_have_text("Node unreachable")
    network.net.heal()
    low = network.height()
    expect(page.get_by_test_id("state")).to_have_text("Live")
    page.wait_for_function(ABOVE, arg=low + 2)
