"""The pages of a class of equal services in a real browser: its book, its rounds, its orders."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

import pytest

from tests.browser.conftest import Open
from tests.browser.network import Network
from tests.browser.test_market_pages import OVERFLOW, shown
from tests.e2e.kit import until

expect = pytest.importorskip("playwright.sync_api").expect
pytestmark = [pytest.mark.browser, pytest.mark.slow]

LOOKS = [(390, True), (390, False), (1440, True), (1440, False)]
TRIES = 20
OUTSIDE = "outside_class_price"


def station(network: Network) -> str:
    return str(network.net.account("station-broker"))


def class_rounds(network: Network) -> list[tuple[int, dict[str, Any]]]:
    """The classes cleared in the newest rounds of the broker that traded, newest first."""
    rows = network.get(f"rounds?broker={station(network)}&limit=30")
    rounds = [(row["height"], network.get(f"rounds/{row['height']}")) for row in rows]
    return [(height, part) for height, found in rounds for part in found["classes"]]


def reduced_round(network: Network) -> tuple[int, dict[str, Any]]:
    """A class that traded, whose last crossed pair reduction left out, with somebody behind it."""

    def find() -> tuple[int, dict[str, Any]] | None:
        for height, part in class_rounds(network):
            reasons = {row["reason"] for row in part["outbid"]}
            if part["reduced"] and {"reduced", OUTSIDE} <= reasons:
                return height, part
        return None

    until(lambda: find() is not None, "a class round with trade reduction")
    found = find()
    assert found is not None
    return found


@pytest.mark.parametrize(("width", "dark"), LOOKS)
def test_a_round_page_of_a_class_shows_both_prices_and_why_each_order_went_without(
    open_page: Open, network: Network, width: int, dark: bool
) -> None:
    height, part = reduced_round(network)
    watched = open_page(f"#/round/{height}", width=width, dark=dark)
    page = watched.page
    place = f"[data-broker='{part['broker']}'][data-class='{part['number'] + 1}']"
    card = page.locator(f"[data-testid=round-book]{place}")
    expect(card.get_by_test_id("buyer-price")).to_have_text(shown(part["buyer_price_micro"]))
    expect(card.get_by_test_id("seller-price")).to_have_text(shown(part["seller_price_micro"]))
    expect(card.get_by_test_id("reduction")).to_contain_text("left out")
    expect(card.get_by_test_id("pair")).to_have_count(len(part["pairs"]))
    expect(card.get_by_test_id("curve").locator("svg")).to_be_visible()
    losers = card.get_by_test_id("loser")
    expect(losers).to_have_count(part["unmatched_count"])
    card.get_by_test_id("behind").locator("summary").click()
    wanted = Counter(row["reason"] for row in part["outbid"])
    for reason, count in wanted.items():
        rows = card.locator(f"li[data-reason='{reason}']")
        expect(rows).to_have_count(count)
        words = "trade reduction" if reason == "reduced" else "behind the ranks that cross"
        expect(rows.first).to_contain_text(words)
    assert page.evaluate(OVERFLOW) <= 0
    assert watched.complaints == []


@pytest.mark.parametrize(("width", "dark"), LOOKS)
def test_a_book_page_of_classes_shows_a_curve_for_each_and_the_coming_round_in_words(
    open_page: Open, network: Network, width: int, dark: bool
) -> None:
    reduced_round(network)
    watched = open_page(f"#/book/{station(network)}", width=width, dark=dark)
    page = watched.page
    expect(page.get_by_test_id("title")).to_have_text("station-broker")
    expect(page.get_by_test_id("other-curve")).to_have_count(1)
    expect(page.get_by_test_id("book-crossing")).to_contain_text("class 1")
    expect(page.get_by_test_id("other-curves")).to_contain_text("class 2")
    expect(page.get_by_test_id("coming")).to_contain_text(re.compile("[Cc]lass"))
    assert page.evaluate(OVERFLOW) <= 0
    page.get_by_test_id("tab-orders").click()
    expect(page.get_by_text("Open bids")).to_be_visible()
    assert page.evaluate(OVERFLOW) <= 0
    assert watched.complaints == []


def test_the_coming_round_of_a_class_is_told_in_words_and_pairs(
    open_page: Open, network: Network
) -> None:
    """A class is due for one block only, so the node's answer is put in its place."""
    address = station(network)
    _, part = reduced_round(network)
    pairs = [
        {**pair, "tariff": 1, "service_class": part["service_class"]} for pair in part["pairs"]
    ]
    coming = {
        **network.get(f"brokers/{address}/coming"),
        "solved": True,
        "edges": part["edges"],
        "pairs": pairs,
        "classes": [{**part, "trades": len(pairs)}],
    }
    watched = open_page()
    page = watched.page
    answer = {"data": coming, "meta": {"height": 1, "time_ms": 0, "names": {}}}
    page.route("**/v1/brokers/*/coming", lambda route: route.fulfill(json=answer))
    page.goto(f"{network.url()}/explorer/#/book/{address}")
    words = page.get_by_test_id("coming-class")
    expect(words).to_contain_text(f"Version 1, class {part['service_class']}")
    expect(words).to_contain_text("trade reduction leaves out the last pair that crosses")
    expect(page.get_by_test_id("coming").get_by_test_id("range")).to_have_count(len(pairs))
    assert watched.complaints == []


@pytest.mark.parametrize(("width", "dark"), LOOKS)
def test_an_open_order_of_a_class_says_what_keeps_it_from_trading(
    open_page: Open, network: Network, width: int, dark: bool
) -> None:
    watched = open_page(width=width, dark=dark)
    page = watched.page
    words = {
        "reduced": "trade reduction leaves out",
        OUTSIDE: r"No (ask|bid) of its class|It stands behind",
        "other_side_empty": "is open in its class",
        "class_due": "cleared in the next round",
    }
    why = page.get_by_test_id("why-open")
    for _ in range(TRIES):
        # Any order of the book; it may be taken while the page loads.
        rows = network.get(f"orders?broker={station(network)}&status=open")
        if not rows:
            continue
        order = rows[0]
        page.goto(f"{network.url()}/explorer/#/order/{order['id']}")
        expect(page.get_by_test_id("title")).to_have_text(re.compile(f"^{order['id'][:12]}"))
        expect(page.get_by_test_id("class")).to_be_visible()
        if why.count():
            break
    reason = str(why.get_attribute("data-reason"))
    expect(why).to_have_text(re.compile(words[reason]))
    if reason in ("reduced", OUTSIDE):
        expect(why).to_contain_text(shown(order["path"]["now_micro"]))
    assert page.get_by_test_id("path").count() == 0
    assert page.evaluate(OVERFLOW) <= 0
    assert watched.complaints == []


def test_a_matched_order_of_a_class_has_no_ladder_and_leads_to_its_round(
    open_page: Open, network: Network
) -> None:
    height, part = reduced_round(network)
    pair = part["pairs"][0]
    watched = open_page(f"#/order/{pair['bid']}?at={height}")
    page = watched.page
    expect(page.get_by_test_id("class")).to_contain_text("No price ladder")
    expect(page.get_by_test_id("path")).to_have_count(0)
    expect(page.get_by_text("It was matched.")).to_be_visible()
    expect(page.locator(f"a[href='#/round/{height}']").first).to_be_visible()
    assert watched.complaints == []


SPEAK = """async (asked) => {
  const { whyOpen, whyLost } = await import("/explorer/js/market.js");
  const text = (parts) => {
    const place = document.createElement("p");
    place.append(...parts.flat(9));
    return place.textContent;
  };
  return asked.map(([kind, row]) => text(kind === "open" ? whyOpen(row) : whyLost(row)));
}"""
ASKED: list[tuple[str, str, dict[str, Any]]] = [
    ("open", "reduced", {"own_micro": 78_000_000, "other_micro": 51_000_000}),
    ("open", OUTSIDE, {"own_micro": 38_000_000, "other_micro": 51_000_000}),
    ("open", OUTSIDE, {"own_micro": 60_000_000, "other_micro": 51_000_000}),
    ("open", "class_due", {}),
    ("open", "other_side_empty", {}),
    ("open", "waiting", {"ahead": 0}),
    ("open", "waiting", {"ahead": 4_321}),
    ("open", "waiting", {"ahead": 10_000}),
    ("lost", "reduced", {"own_micro": 78_000_000, "price_micro": 78_000_000}),
    ("lost", "draw", {"own_micro": 50_000_000, "price_micro": 50_000_000}),
    ("lost", "deferred", {"own_micro": 50_000_000, "price_micro": 0}),
    ("lost", OUTSIDE, {"own_micro": 38_000_000, "price_micro": 78_000_000}),
]
SAID = [
    "78.00: it is of the last pair of its class that crosses",
    "38.00. No ask of its class is that low: the lowest stands at 51.00",
    "60.00. It stands behind the last pair",
    "cleared in the next round",
    "No ask is open in its class of equal services",
    "joins its book at the end of the next block",
    "4,321 orders stand before it",
    "10,000 or more orders stand before it",
    "78.00: of the last pair that crosses",
    "The seed of the block chose between equals",
    "Its class was put off",
    "38.00, its side traded at 78.00: behind the ranks that cross",
]


def test_every_reason_of_an_order_that_went_without_is_said_in_words(open_page: Open) -> None:
    watched = open_page()
    asked = [
        (
            kind,
            {"side": "bid", "service_class": 1, "unmatched": {"reason": reason, **figures}}
            if kind == "open"
            else {"side": "bid", "reason": reason, **figures},
        )
        for kind, reason, figures in ASKED
    ]
    said = watched.page.evaluate(SPEAK, asked)
    for sentence, part in zip(said, SAID, strict=True):
        assert part in sentence
    assert watched.complaints == []
