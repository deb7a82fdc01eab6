"""A network as users start it: the ready line, the pace, and a trade from order to rating."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable

import pytest

from auction.actions import Ask, Bid, FlatFloor, FlatLimit, Rate
from ledger.members import Resources
from node.client.client import Client, Document
from node.client.wallet import Wallet
from node.testnet.plan import BROKERS, TOKEN, server_profile
from tests.e2e.kit import PATIENCE_S, Net, until

pytestmark = pytest.mark.slow

BLOCK_TIME_MS = 500
SELLER = 3
SERVICE_BLOCKS = 4


def test_start_prints_one_line_of_json_and_node_i_serves_on_base_port_plus_i(net: Net) -> None:
    lines = net.said().splitlines()
    assert len(lines) == 1
    base_port = net.description.base_port
    urls = [f"http://127.0.0.1:{base_port + index}" for index in range(4)]
    assert json.loads(lines[0]) == {"ready": True, "nodes": urls}
    own = [net.data(index, "/v1/status")["node"]["address"] for index in range(4)]
    assert own == [node.address for node in net.description.nodes]
    assert min(net.heights()) >= 1


async def test_orders_signed_by_clients_trade_within_30_s_and_the_service_is_paid_and_rated(
    net: Net,
) -> None:
    buyer_key, seller_key = net.key("bus-fleet"), net.node_key(SELLER)
    server = f"/v1/validators/{seller_key.address}"
    before = net.data(0, server)["satisfaction_bp"]
    async with Client(net.url(1)) as buyers_node, Client(net.url(2)) as sellers_node:
        buyer, seller = Wallet(buyers_node, buyer_key), Wallet(sellers_node, seller_key)
        expires = int((await buyers_node.status())["height"]) + 50
        broker = net.account(BROKERS[0])
        offered, wanted = await asyncio.gather(
            seller.send_final(an_ask(broker, expires)), buyer.send_final(a_bid(broker, expires))
        )
        assert (offered["code"], wanted["code"]) == ("ok", "ok")
        trade = await the_trade(buyers_node, wanted["order_ids"][0])
        assert time.monotonic() - net.asked_at < 30
        assert trade["ask"] == offered["order_ids"][0]
        assert (trade["paid_micro"], trade["received_micro"]) == (100 * TOKEN, 50 * TOKEN)

        earned = (await sellers_node.account(seller.address))["free_micro"]
        agreement = await the_end(buyers_node, trade["agreement"])
        assert agreement["held_micro"] == 50 * TOKEN
        assert (await buyers_node.account(seller.address))["free_micro"] - earned >= 50 * TOKEN

        rated = await buyer.send_final(Rate(agreement=agreement["id"], rating_bp=10_000))
        assert rated["code"] == "ok"
    until(lambda: min(net.heights()) >= rated["height"], "the rating on every node")
    for index in range(4):
        assert net.data(index, server)["satisfaction_bp"] > before
        sealed = net.data(index, f"/v1/rounds/{trade['height']}")["books"]
        assert trade["bid"] in [pair["bid"] for book in sealed for pair in book["pairs"]]


def test_blocks_come_twice_a_second_and_all_nodes_have_the_same_hash_at_each_height(
    net: Net,
) -> None:
    until(lambda: min(net.heights()) >= 22, "22 blocks")
    # The first block waits for the slowest process to come up, which says nothing of the pace.
    times = [block["time_ms"] for block in net.blocks(0, above=1)][-21:]
    assert (times[-1] - times[0]) / (len(times) - 1) <= 1.5 * BLOCK_TIME_MS
    assert abs(time.time() * 1000 - times[-1]) < 10 * BLOCK_TIME_MS
    assert len(net.require_one_chain()) >= 22


def a_bid(broker: str, expires: int) -> Bid:
    """100 tokens at most for four heights, said at once."""
    return Bid(
        broker=broker,
        expires=expires,
        open_ppm=1_000_000,
        omega_micro=100_000,
        mu=1,
        service_blocks=SERVICE_BLOCKS,
        interval_blocks=1,
        theta_milli=1_000,
        least_resource=8_000,
        valuation=FlatLimit(limit_micro=100 * TOKEN),
    )


def an_ask(broker: str, expires: int) -> Ask:
    """50 tokens at least for one slot of the server, said at once."""
    profile = server_profile(SELLER)
    return Ask(
        broker=broker,
        expires=expires,
        open_ppm=1_000_000,
        omega_micro=100_000,
        mu=1,
        longest_blocks=10 * SERVICE_BLOCKS,
        resources=Resources(
            computation=profile.computation_mhz,
            communication=profile.communication_kbps,
            modelling=profile.modelling,
        ),
        cost=FlatFloor(floor_micro=50 * TOKEN),
    )


async def the_trade(client: Client, bid: str) -> Document:
    """The trade of this bid, with the height that sealed it."""

    async def find() -> Document | None:
        events = (await client.get("/v1/trades"))["data"]
        trades = [{**event["data"], "height": event["height"]} for event in events]
        return next((trade for trade in trades if trade["bid"] == bid), None)

    return await eventually(find, "the trade")


async def the_end(client: Client, agreement: str) -> Document:
    """The agreement once it has ended."""

    async def find() -> Document | None:
        found = await client.agreement(agreement)
        return found if found and found["status"] == "ended" else None

    return await eventually(find, "the end of the agreement")


async def eventually(find: Callable[[], Awaitable[Document | None]], what: str) -> Document:
    deadline = time.monotonic() + PATIENCE_S
    while (found := await find()) is None:
        assert time.monotonic() < deadline, what
        await asyncio.sleep(0.05)
    return found
