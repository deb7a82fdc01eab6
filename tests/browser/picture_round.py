"""Takes the picture of a round for the documentation, from a live market on real nodes.

    python -m tests.browser.picture_round docs/pictures/round.png

Three books fill for a while; the round with the most trades and somebody who lost is photographed.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

from playwright.sync_api import expect, sync_playwright

from scripts.live_market.main import Course, network, run
from tests.browser.conftest import ARGUMENTS
from tests.conftest import browser_path
from tests.e2e.kit import Net

COURSE = Course(orders=30, arrivals=3, baseline=1, blocks=12, block_time_ms=500, seed=5)
VIEW = {"width": 1180, "height": 900}


def fullest(net: Net) -> dict[str, Any]:
    """The round with a loser in a single book that traded most, else the one that traded most."""
    heights = [row["height"] for row in net.data(0, "/v1/rounds?limit=60")]
    rounds = [net.data(0, f"/v1/rounds/{height}") for height in heights]

    def worth(found: dict[str, Any]) -> tuple[bool, int]:
        books = found["books"]
        small = len(books) == 1 and 1 <= len(books[0]["outbid"]) <= 3
        return small, min(6, sum(len(book["pairs"]) for book in books))

    return max(rounds, key=worth)


def main() -> None:
    target = Path(sys.argv[1] if len(sys.argv) > 1 else "docs/pictures/round.png")
    with network(COURSE, None) as net:
        asyncio.run(run(COURSE, net))
        found = fullest(net)
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=browser_path(), args=ARGUMENTS)
            page = browser.new_page(viewport=VIEW, color_scheme="light", reduced_motion="reduce")
            page.goto(f"{net.url(0)}/explorer/#/round/{found['height']}")
            expect(page.get_by_test_id("curve").first.locator("svg")).to_be_visible(timeout=60_000)
            target.parent.mkdir(parents=True, exist_ok=True)
            page.locator("#page").screenshot(path=str(target))
            browser.close()
    print(f"{target}: {target.stat().st_size} bytes, round {found['height']}")


if __name__ == "__main__":
    main()
