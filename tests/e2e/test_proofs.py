"""`twinchain verify` against real nodes: a trade proven by a client that has the genesis only."""

import asyncio
import json
import threading
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from node.client.client import Client, Document
from node.client.wallet import Wallet
from node.testnet.plan import BROKERS
from tests.e2e.kit import Net, run, until
from tests.e2e.test_market import SELLER, a_bid, an_ask, the_trade

pytestmark = pytest.mark.slow


async def make_trade(net: Net) -> Document:
    """Let a bid and an ask meet."""
    async with Client(net.url(1)) as client:
        buyer, seller = Wallet(client, net.key("bus-fleet")), Wallet(client, net.node_key(SELLER))
        expires = int((await client.status())["height"]) + 50
        broker = net.account(BROKERS[0])
        await seller.send_final(an_ask(broker, expires))
        wanted = await buyer.send_final(a_bid(broker, expires))
        return await the_trade(client, wanted["order_ids"][0])


@contextmanager
def lying(node: str, alter: Callable[[str, Any], None]) -> Iterator[str]:
    """A node whose answers go through `alter` first."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            with urllib.request.urlopen(node + self.path, timeout=10) as answer:
                document = json.load(answer)
            alter(self.path, document["data"])
            body = json.dumps(document).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_trade_is_proven_with_the_genesis_alone_and_a_liar_is_found_out(
    net: Net, tmp_path: Path
) -> None:
    trade = asyncio.run(make_trade(net))
    until(lambda: min(net.heights()) > trade["height"], "the trade on every node")
    trust = tmp_path / "trust.json"
    genesis = ("--genesis", str(net.layout.genesis))

    def verify(
        *words: str, nodes: tuple[str, ...] = (net.url(0), net.url(2))
    ) -> "CompletedProcess[str]":
        named = [word for node in nodes for word in ("--node", node)]
        return run("verify", *words, *genesis, *named)

    def proven(*words: str) -> Document:
        done = verify(*words, "--json", "--trust-file", str(trust))
        assert done.returncode == 0, done.stderr
        found: Document = json.loads(done.stdout)
        assert found.pop("proven") is True
        return found

    shown = proven("trade", trade["agreement"])
    event = {name: value for name, value in trade.items() if name in shown}
    assert {name: shown[name] for name in event} == event
    assert shown["paid_micro"] == trade["paid_micro"]
    assert shown["gain_micro"] >= shown["next_best_micro"]
    chain = proven("chain", "--all")
    assert chain["headers_checked"] == chain["height"] >= trade["height"]
    assert chain["hash"] == net.data(1, f"/v1/blocks/{chain['height']}")["hash"]
    assert json.loads(trust.read_text())["height"] >= chain["height"]
    beacon = proven("beacon", "--last", "10")
    assert beacon["in_state"] is True
    assert len(beacon["turns"]) == 10

    def dearer(path: str, data: Any) -> None:
        if path.startswith("/v1/agreements/"):
            data["trade"]["paid_micro"] += 1

    with lying(net.url(0), dearer) as liar:
        refused = verify("trade", trade["agreement"], nodes=(liar,))
    assert refused.returncode == 3
    assert "figures: paid_micro is stated as" in refused.stderr

    def shorter(path: str, data: Any) -> None:
        if path.startswith("/v1/headers"):
            data["hash"] = "00" * 32

    with lying(net.url(0), shorter) as liar:
        refused = verify("chain", "--json", nodes=(net.url(1), liar))
    assert refused.returncode == 3
    assert json.loads(refused.stdout)["proven"] is False
