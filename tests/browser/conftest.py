"""One network and one browser for all tests here, and a page that notes every complaint."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.browser.network import NODES, Network
from tests.e2e.kit import PATIENCE_S, free_port_run

playwright_api = pytest.importorskip("playwright.sync_api")
playwright_api.expect.set_options(timeout=PATIENCE_S * 500)

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


class Watched:
    """A page with the errors, warnings and policy violations it reported."""

    def __init__(self, page: playwright_api.Page) -> None:
        self.page = page
        self.complaints: list[str] = []
        page.on("console", self._heard)
        page.on("pageerror", lambda error: self.complaints.append(f"error: {error}"))

    def _heard(self, message: playwright_api.ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(f"{message.type}: {message.text}")


Open = Callable[..., Watched]


@pytest.fixture(scope="session")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    network = Network(Path(tmp_path_factory.mktemp("explorer")))
    try:
        network.start(free_port_run(NODES))
        yield network
    finally:
        network.stop()


@pytest.fixture(scope="session")
def browser(chromium: str) -> Iterator[playwright_api.Browser]:
    with playwright_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def open_page(browser: playwright_api.Browser, network: Network) -> Iterator[Open]:
    """Open the explorer of a node: open_page("#/block/3", width=390, dark=True, node=1)."""
    contexts: list[playwright_api.BrowserContext] = []

    def make(
        fragment: str = "",
        *,
        width: int = 1440,
        height: int = 900,
        dark: bool = False,
        node: int = 0,
    ) -> Watched:
        context = browser.new_context(
            viewport={"width": width, "height": height}, color_scheme="dark" if dark else "light"
        )
        contexts.append(context)
        watched = Watched(context.new_page())
        watched.page.set_default_timeout(PATIENCE_S * 500)
        watched.page.goto(f"{network.url(node)}/explorer/{fragment}")
        return watched

    yield make
    for context in contexts:
        context.close()
