"""One network and one browser for all tests here, and a page that notes every complaint."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.browser.network import NODES, Network
from tests.e2e.kit import PATIENCE_S, free_port_run

playwright_api = pytest.importorskip("playwright.sync_api")
playwright_api.expect.set_options(timeout=PATIENCE_S * 500)

FOLDER = Path(__file__).resolve().parent
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


class Shared:
    """The network and the browser, started by the first test that wants them.

    They end with the last test of this folder, not with the session: the browser's driver holds
    the thread's event loop, and four nodes would take the machine from the tests that follow.
    """

    def __init__(self) -> None:
        self._closing = contextlib.ExitStack()
        self._network: Network | None = None
        self._browser: playwright_api.Browser | None = None

    def network(self, factory: pytest.TempPathFactory) -> Network:
        if self._network is None:
            network = Network(factory.mktemp("explorer"))
            self._closing.callback(network.stop)
            network.start(free_port_run(NODES))
            self._network = network
        return self._network

    def browser(self, path: str) -> playwright_api.Browser:
        if self._browser is None:
            playwright = self._closing.enter_context(playwright_api.sync_playwright())
            self._browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
            self._closing.callback(self._browser.close)
        return self._browser

    def close(self) -> None:
        self._network = self._browser = None
        self._closing.close()


_shared = Shared()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(nextitem: pytest.Item | None) -> Iterator[None]:
    try:
        yield
    finally:
        if nextitem is None or FOLDER not in nextitem.path.parents:
            _shared.close()


@pytest.fixture
def network(tmp_path_factory: pytest.TempPathFactory) -> Network:
    return _shared.network(tmp_path_factory)


@pytest.fixture
def browser(chromium: str) -> playwright_api.Browser:
    return _shared.browser(chromium)


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
