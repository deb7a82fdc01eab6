"""The market's pages in a real browser: books, rounds with who lost, price paths, lists."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.browser.conftest import Open
from tests.browser.network import Network

expect = pytest.importorskip("playwright.sync_api").expect
pytestmark = [pytest.mark.browser, pytest.mark.slow]

OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
MILLION = 1_000_000
TRIES = 8


def shown(micro: int) -> str:
    """Micro-tokens as the pages print them."""
    return f"{micro // MILLION:,}.{micro % MILLION // 10_000:02d}"


def contested(network: Network) -> dict[str, Any]:
    """A round with a trade, one with a loser if there has been any."""
    rounds = [network.get(f"rounds/{row['height']}") for row in network.get("rounds?limit=60")]
    lost = [one for one in rounds if any(book["outbid"] for book in one["books"])]
    found: dict[str, Any] = (lost or rounds)[0]
    return found


@pytest.mark.parametrize(("width", "dark"), [(390, True), (1440, False)])
def test_a_round_page_shows_the_sums_the_pairs_and_who_lost(
    open_page: Open, network: Network, width: int, dark: bool
) -> None:
    found = contested(network)
    watched = open_page(f"#/round/{found['height']}", width=width, dark=dark)
    page = watched.page
    for book in found["books"]:
        card = page.locator(f"[data-testid=round-book][data-broker='{book['broker']}']")
        expect(card.get_by_test_id("welfare")).to_have_text(shown(book["totals"]["welfare_micro"]))
        expect(card.get_by_test_id("paid")).to_have_text(shown(book["totals"]["paid_micro"]))
        expect(card.get_by_test_id("balance")).to_contain_text("0:")
        expect(card.get_by_test_id("pair")).to_have_count(len(book["pairs"]))
        expect(card.get_by_test_id("range")).to_have_count(len(book["pairs"]))
        expect(card.get_by_test_id("loser")).to_have_count(len(book["unmatched"]))
        expect(card.get_by_test_id("curve").locator("svg")).to_be_visible()
        expect(card.get_by_test_id("curve").locator("path.line").first).to_be_attached()
        for row in book["outbid"]:
            words = "A draw" if not row["behind_micro"] else f"{shown(row['behind_micro'])} less"
            expect(card.get_by_test_id("loser").filter(has_text=words).first).to_be_attached()
    assert page.evaluate(OVERFLOW) <= 0
    assert watched.complaints == []


def test_the_bar_of_a_pair_says_that_prices_lie_between_cost_and_value(
    open_page: Open, network: Network
) -> None:
    row = network.get("trades?limit=1")[0]
    trade = row["data"]
    page = open_page(f"#/round/{row['height']}").page
    names = ("value", "bid", "price", "ask", "cost")
    words = " ≥ ".join(f"{name} {shown(trade[f'{name}_micro'])}" for name in names)
    expect(page.locator(f"[data-testid=range][aria-label='{words}']").first).to_be_visible()
    assert [trade[f"{name}_micro"] for name in names] == sorted(
        (trade[f"{name}_micro"] for name in names), reverse=True
    )


@pytest.mark.parametrize(("width", "dark"), [(390, False), (1440, True)])
def test_a_book_page_shows_tariff_curves_and_the_coming_round_and_follows_the_chain(
    open_page: Open, network: Network, width: int, dark: bool
) -> None:
    for broker in network.get("brokers"):
        watched = open_page(f"#/book/{broker['address']}", width=width, dark=dark)
        page = watched.page
        expect(page.get_by_test_id("title")).to_have_text(broker["name"])
        expect(page.get_by_text(re.compile(f"^{broker['tariff']['pricing']}: "))).to_be_visible()
        expect(page.get_by_test_id("coming")).not_to_be_empty()
        before = page.get_by_test_id("book-crossing").inner_text()
        expect(page.get_by_test_id("book-crossing")).not_to_have_text(before)
        assert page.evaluate(OVERFLOW) <= 0
        page.get_by_test_id("tab-history").click()
        expect(page.get_by_text("Last rounds")).to_be_visible()
        assert page.evaluate(OVERFLOW) <= 0
        assert watched.complaints == []


def test_the_open_orders_of_a_book_sort_by_any_column(open_page: Open, network: Network) -> None:
    brokers = network.get("brokers")
    broker = max(brokers, key=lambda one: int(one["open_asks"]))
    page = open_page(f"#/book/{broker['address']}").page
    page.get_by_test_id("tab-orders").click()
    rows = page.get_by_test_id("open-asks").locator("tbody tr")
    expect(rows.first).to_be_visible()
    page.get_by_test_id("open-asks").get_by_role("button", name="Expires").click()
    cells = rows.locator("td:last-child").all_inner_texts()
    heights = [int(cell.replace(",", "")) for cell in cells]
    assert heights == sorted(heights)
    page.get_by_test_id("open-asks").get_by_role("button", name="Expires").click()
    expect(rows.first.locator("td").last).to_have_text(f"{heights[-1]:,}")


def test_an_open_order_says_why_it_waits_and_draws_where_its_price_goes(
    open_page: Open, network: Network
) -> None:
    watched = open_page()
    page = watched.page
    why = page.get_by_test_id("why-open")
    for _ in range(TRIES):
        # The newest order of a book whose prices move; it may be taken while the page loads.
        orders = network.get(f"orders?broker={network.net.account('city-broker')}&limit=200")
        order = max(orders, key=lambda one: int(one["submitted"]))
        page.goto(f"{network.url()}/explorer/#/order/{order['id']}")
        expect(page.get_by_test_id("path").locator("svg circle").first).to_be_visible()
        if why.count():
            break
    expect(why).to_have_attribute("data-reason", re.compile(r"\w+"))
    expect(why).to_have_text(re.compile(r"\w{3,}.*\."))
    assert watched.complaints == []


def test_a_matched_order_shows_the_path_its_price_took(open_page: Open, network: Network) -> None:
    brokers = {one["address"]: one for one in network.get("brokers")}
    trade = next(
        row["data"]
        for row in network.get("trades?limit=100")
        if row["data"]["rounds"] > 2
        and brokers[row["data"]["broker"]]["tariff"]["weights"] == "spread"
    )
    watched = open_page(f"#/order/{trade['bid']}?at={trade['height']}")
    page = watched.page
    expect(page.get_by_test_id("path-past")).to_be_attached()
    expect(page.get_by_test_id("path-ahead")).to_have_count(0)
    expect(page.get_by_test_id("path")).to_contain_text("matched")
    assert watched.complaints == []


@pytest.mark.parametrize("name", ["rounds", "trades"])
def test_a_list_keeps_its_filters_in_its_address(
    open_page: Open, network: Network, name: str
) -> None:
    broker = network.get("trades?limit=1")[0]["data"]["broker"]
    watched = open_page(f"#/{name}", width=390)
    page = watched.page
    row = page.get_by_test_id(f"{name[:-1]}-row")
    expect(row.first).to_be_visible()
    page.get_by_test_id("filter-broker").select_option(value=broker)
    page.wait_for_url(f"**/#/{name}?broker={broker}")
    expect(row.first).to_be_visible()
    href = page.get_by_test_id("csv").first.get_attribute("href")
    assert href == f"/v1/{name}?broker={broker}&format=csv"
    answer = page.request.get(network.url() + href)
    assert answer.headers["content-type"].startswith("text/csv")
    assert answer.text().count("\n") > 1
    assert page.evaluate(OVERFLOW) <= 0
    page.reload()
    expect(page.get_by_test_id("filter-broker")).to_have_value(broker)
    assert watched.complaints == []


def test_a_round_without_trades_and_an_unknown_book_say_so(
    open_page: Open, network: Network
) -> None:
    page = open_page("#/round/1").page
    expect(page.locator(".page .empty")).to_contain_text("No book had a crossed pair")
    page.goto(f"{network.url()}/explorer/#/book/{'ab' * 32}")
    expect(page.get_by_test_id("failure")).to_be_visible()
