"""Takes the picture of a round for the documentation, from a live market on real nodes.

    python -m tests.browser.picture_round docs/pictures/round.png

Three books fill for a while; then one of them is photographed as one round cleared it.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from playwright.sync_api import expect, sync_playwright

from scripts.live_market.main import Course, network, run
from tests.browser.conftest import ARGUMENTS
from tests.conftest import browser_path
from tests.e2e.kit import Net

COURSE = Course(orders=30, arrivals=3, baseline=1, blocks=12, block_time_ms=500, seed=5)
VIEW = {"width": 1180, "height": 1600}


def best(net: Net) -> tuple[int, str]:
    """Height and broker of the book that traded most among those with one to three losers."""
    heights = [row["height"] for row in net.data(0, "/v1/rounds?limit=60")]
    found = [
        (1 <= len(book["outbid"]) <= 3, min(5, len(book["pairs"])), height, str(book["broker"]))
        for height in heights
        for book in net.data(0, f"/v1/rounds/{height}")["books"]
    ]
    return max(found)[2:]


def main() -> None:
    target = Path(sys.argv[1] if len(sys.argv) > 1 else "docs/pictures/round.png")
    with network(COURSE, None) as net:
        asyncio.run(run(COURSE, net))
        height, broker = best(net)
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=browser_path(), args=ARGUMENTS)
            page = browser.new_page(viewport=VIEW, color_scheme="light", reduced_motion="reduce")
            page.goto(f"{net.url(0)}/explorer/#/round/{height}")
            card = page.locator(f"[data-testid=round-book][data-broker='{broker}']")
            expect(card.get_by_test_id("curve").locator("svg")).to_be_visible(timeout=60_000)
            target.parent.mkdir(parents=True, exist_ok=True)
            card.screenshot(path=str(target))
            browser.close()
    print(f"{target}: {target.stat().st_size} bytes, round {height}")


if __name__ == "__main__":
    main()
