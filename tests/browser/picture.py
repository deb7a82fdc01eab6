"""Takes the picture of the explorer for the documentation, from a real network.

    python -m tests.browser.picture docs/pictures/explorer.png

Four nodes trade for a while, one of them is killed, and the picture is taken as soon as the block
of its backup stands in the strip.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from playwright.sync_api import expect, sync_playwright

from tests.browser.conftest import ARGUMENTS
from tests.browser.network import NODES, Network
from tests.conftest import browser_path
from tests.e2e.kit import free_port_run, until

BLOCKS_BEFORE = 75
WAIT_MS = 90_000
VIEW = {"width": 1440, "height": 1230}


def take(target: Path, network: Network) -> None:
    """Wait for a chain worth looking at and photograph it."""
    until(lambda: network.height() >= BLOCKS_BEFORE, "enough blocks", 300)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path(), args=ARGUMENTS)
        page = browser.new_page(viewport=VIEW, color_scheme="light", reduced_motion="reduce")
        page.goto(f"{network.url()}/explorer/")
        expect(page.get_by_test_id("state")).to_have_text("Live", timeout=WAIT_MS)
        network.net.kill(NODES - 2)
        expect(page.get_by_test_id("voted-out").first).to_be_visible(timeout=WAIT_MS)
        page.wait_for_timeout(1500)
        target.parent.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=str(target))
        browser.close()


def main() -> None:
    target = Path(sys.argv[1] if len(sys.argv) > 1 else "docs/pictures/explorer.png")
    with tempfile.TemporaryDirectory() as folder:
        network = Network(Path(folder))
        try:
            network.start(free_port_run(NODES))
            take(target, network)
        finally:
            network.stop()
    print(f"{target}: {target.stat().st_size} bytes")


if __name__ == "__main__":
    main()
