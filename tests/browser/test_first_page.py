"""The first page of the explorer in a real browser, over a real network that trades."""

from __future__ import annotations

import re

import pytest

from tests.browser.conftest import Open
from tests.browser.network import BLOCK_MS, Network

expect = pytest.importorskip("playwright.sync_api").expect
pytestmark = [pytest.mark.browser, pytest.mark.slow]

HEIGHT = "[data-testid=height]"
ABOVE = (
    "low => Number(document.querySelector('[data-testid=height]')"
    ".textContent.replace(',', '')) > low"
)
OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
MILLION = 1_000_000


def shown_height(text: str) -> int:
    return int(text.replace(",", ""))


def test_the_page_goes_live_and_its_height_follows_the_chain_without_a_reload(
    open_page: Open, network: Network
) -> None:
    watched = open_page()
    page = watched.page
    expect(page.get_by_test_id("state")).to_have_text("Live")
    first = shown_height(page.locator(HEIGHT).inner_text())
    page.wait_for_function(ABOVE, arg=first + 4)
    behind = network.height() - shown_height(page.locator(HEIGHT).inner_text())
    assert behind <= 1
    expect(page.get_by_test_id("block-time")).to_contain_text(f"target 0.{BLOCK_MS // 10} s")
    assert watched.complaints == []


def test_the_newest_block_stands_first_with_its_builder_and_the_next_turn_before_it(
    open_page: Open, network: Network
) -> None:
    page = open_page().page
    tile = page.get_by_test_id("block").first
    height = int(tile.get_attribute("data-height") or 0)
    block = network.get(f"blocks/{height}")
    tile = page.locator(f"[data-testid=block][data-height='{height}']")
    expect(tile).to_contain_text(block["builder"]["name"])
    expect(tile).to_contain_text(f"{block['trades']} trade")
    expect(page.get_by_test_id("next-block")).to_contain_text("dt-server-")


def test_the_chances_of_the_next_turn_sum_to_one(open_page: Open) -> None:
    page = open_page().page
    expect(page.get_by_test_id("validator")).to_have_count(4)
    read = "nodes => nodes.map(node => Number(node.dataset.ppm))"
    for testid in ("chance", "v-chance"):
        chances = page.get_by_test_id(testid).evaluate_all(read)
        assert len(chances) == 4
        assert abs(sum(chances) - MILLION) <= len(chances)
        words = page.get_by_test_id(testid).all_inner_texts()
        percents = [float(word.removesuffix(" %")) for word in words]
        assert sum(percents) == pytest.approx(100, abs=0.03)


def test_a_trade_appears_with_names_and_the_amounts_of_the_chain(
    open_page: Open, network: Network
) -> None:
    page = open_page().page
    expect(page.get_by_test_id("trade").first).to_be_visible()
    seen = page.get_by_test_id("trade").first.get_attribute("data-id")
    page.wait_for_function(
        "seen => document.querySelector('[data-testid=trade]').dataset.id !== seen", arg=seen
    )
    row = page.get_by_test_id("trade").first
    place = row.get_attribute("data-id") or ""
    row = page.locator(f"[data-testid=trade][data-id='{place}']")
    events = network.get(f"blocks/{place.split('.')[0]}")["events"]
    trade = next(event["data"] for event in events if event["id"] == place)
    paid = trade["paid_micro"]
    expect(row.get_by_test_id("paid")).to_have_text(
        f"{paid // MILLION:,}.{paid % MILLION // 10_000:02d}"
    )
    expect(page.get_by_test_id("round-readout")).to_contain_text("mean price")


def test_the_book_shows_supply_and_demand_and_how_many_orders_are_open(
    open_page: Open, network: Network
) -> None:
    page = open_page().page
    expect(page.get_by_test_id("depth").locator("svg path.line").first).to_be_visible()
    for name in [broker["name"] for broker in network.get("brokers")]:
        page.get_by_test_id("broker").select_option(label=name)
        expect(page.get_by_test_id("open-asks")).to_have_text(re.compile(r"^\d+$"))
        expect(page.get_by_test_id("depth")).not_to_contain_text("Loading")


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [390, 820, 1440])
def test_no_width_and_no_theme_makes_the_page_scroll_sideways(
    open_page: Open, width: int, dark: bool
) -> None:
    watched = open_page(width=width, height=844, dark=dark)
    page = watched.page
    expect(page.get_by_test_id("trade").first).to_be_attached()
    expect(page.get_by_test_id("validator")).to_have_count(4)
    assert page.evaluate(OVERFLOW) <= 0
    paper = page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
    bright = sum(int(part) for part in re.findall(r"\d+", paper)[:3]) > 3 * 128
    assert bright is not dark
    assert watched.complaints == []


def test_the_theme_button_overrules_the_system_and_is_remembered(open_page: Open) -> None:
    page = open_page().page
    read = "getComputedStyle(document.documentElement).backgroundColor"
    light = page.evaluate(read)
    page.get_by_test_id("theme").click()
    page.get_by_test_id("theme").click()
    assert page.evaluate(read) != light
    page.reload()
    assert page.evaluate(read) != light


def test_eight_tabs_of_one_browser_are_live_at_once(open_page: Open, network: Network) -> None:
    first = open_page()
    pages = [first.page]
    for _ in range(7):
        page = first.page.context.new_page()
        page.set_default_timeout(20_000)
        page.goto(f"{network.url()}/explorer/")
        pages.append(page)
    for page in pages:
        expect(page.get_by_test_id("state")).to_have_text("Live")
    heights = [shown_height(page.locator(HEIGHT).inner_text()) for page in pages]
    for page in pages:
        page.wait_for_function(ABOVE, arg=max(heights) + 2)
    assert first.complaints == []


def test_without_shared_workers_the_tab_listens_by_itself(open_page: Open) -> None:
    watched = open_page()
    page = watched.page
    page.add_init_script("delete window.SharedWorker")
    page.reload()
    expect(page.get_by_test_id("state")).to_have_text("Live")
    first = shown_height(page.locator(HEIGHT).inner_text())
    page.wait_for_function(ABOVE, arg=first + 2)
    assert watched.complaints == []


def test_without_an_event_stream_the_tab_asks_for_the_height(open_page: Open) -> None:
    watched = open_page()
    page = watched.page
    page.add_init_script("delete window.SharedWorker; delete window.EventSource")
    page.reload()
    expect(page.get_by_test_id("why")).to_contain_text("event stream is away")
    first = shown_height(page.locator(HEIGHT).inner_text())
    page.wait_for_function(ABOVE, arg=first + 2)
