"""The market as researchers read it: rounds with losers, paths of closed orders, figures, CSV."""

from __future__ import annotations

import csv
import io
from typing import Any

import httpx
import pytest
from msgspec.structs import replace

from auction.actions import BidPrice, Cancel, FlatLimit, Reprice
from auction.brokers import ServiceClass, Tariff
from auction.tariffs import ChangeTariff
from ledger.native import Transfer
from node.api import statistics
from node.api.schemas import Reply
from node.api.schemas_market import AccountMarketModel, ComingModel, OrderModel, RoundModel
from tests.node.api.small_node import ALICE, BROKER, BUS, MEMBERS, NOTICE_BLOCKS, SmallNode, key_of
from tests.node.api.test_market_routes import ask, bid, submit

SERVER = key_of(MEMBERS[0])
LOOKS = 100


@pytest.fixture
async def contested(node: SmallNode, http: httpx.AsyncClient) -> SmallNode:
    """Three bids that cross at once meet one ask in the round of block 2; the highest wins."""
    for _ in range(LOOKS):
        if node.subscribers:
            break
        await http.get("/livez")
    limits = (40_000_000, 60_000_000, 50_000_000)
    raws = [node.sign(BUS, nonce, bid(limit)) for nonce, limit in enumerate(limits)]
    await submit(node, *raws, node.sign(SERVER, 0, ask()))
    node.advance(2)
    return node


async def get(http: httpx.AsyncClient, path: str) -> Any:
    answer = await http.get(path)
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]


async def test_a_round_tells_who_lost_to_whom_and_by_how_much(
    contested: SmallNode, http: httpx.AsyncClient
) -> None:
    found = await http.get("/v1/rounds/2")
    Reply[RoundModel].model_validate_json(found.content)
    (book,) = found.json()["data"]["books"]
    (pair,) = book["pairs"]
    assert sorted(book["unmatched"]) == sorted(row["order"] for row in book["outbid"])
    # The label of the ask is what the second bid would give: that one is next in line.
    gaps = sorted((row["lacking_micro"], row["behind_micro"]) for row in book["outbid"])
    assert gaps == [(0, 10_000_000), (10_000_000, 20_000_000)]
    for row in book["outbid"]:
        assert (row["side"], row["owner"]) == ("bid", BUS.address)
        assert (row["partner"], row["winner"]) == (pair["ask"], pair["bid"])
        assert row["label_micro"] - row["weight_micro"] == row["lacking_micro"]
    assert len(book["considered"]) == book["edges"] == 3
    chosen = max(book["considered"], key=lambda edge: edge["weight_micro"])
    assert (chosen["bid"], chosen["ask"]) == (pair["bid"], pair["ask"])
    assert book["totals"]["balance_micro"] == 0
    totals = book["totals"]
    assert totals["welfare_micro"] == pair["value_micro"] - pair["cost_micro"]
    demand = book["curves"]["demand"]
    assert [orders for _, orders in demand] == [1, 2, 3]
    assert [price for price, _ in demand] == sorted((price for price, _ in demand), reverse=True)
    # A block shows its rounds without the parts that only this page needs.
    (short,) = (await get(http, "/v1/blocks/2"))["clearings"]["books"]
    assert not {"curves", "outbid", "considered"} & set(short)


async def test_an_order_that_lost_knows_its_winner_while_it_waits(
    contested: SmallNode, http: httpx.AsyncClient
) -> None:
    (book,) = (await get(http, "/v1/rounds/2"))["books"]
    loser = book["outbid"][0]
    for _ in range(LOOKS):
        order = await get(http, f"/v1/orders/{loser['order']}")
        if "lost" in order:
            break
    assert order["status"] == "open"
    assert order["lost"] == {"height": 2, **loser}


async def test_a_closed_order_shows_its_terms_and_the_path_its_price_took(
    node: SmallNode, http: httpx.AsyncClient
) -> None:
    slow = replace(bid(), open_ppm=200_000)
    await submit(node, node.sign(BUS, 0, slow), node.sign(SERVER, 0, ask()))
    node.advance(2)
    (row,) = await get(http, "/v1/orders?side=bid")
    open_order = await get(http, f"/v1/orders/{row['id']}")
    path = open_order["path"]
    crossing = open_order["pairs"][0]["crosses"]
    foreseen = path["behind"] + path["ahead"]
    assert path["from"] == open_order["admitted"] == 1
    assert foreseen == sorted(foreseen)
    assert len(path["behind"]) == 3 - path["from"]
    node.advance(crossing - 2)
    found = await http.get(f"/v1/orders/{row['id']}?at={crossing}")
    Reply[OrderModel].model_validate_json(found.content)
    closed = found.json()["data"]
    assert (closed["status"], closed["reason"]) == ("closed", "matched")
    assert closed["closed_height"] == crossing
    assert closed["terms"] == open_order["terms"]
    seen = closed["path"]["behind"]
    assert seen == foreseen[: len(seen)]
    assert len(seen) == crossing - 1
    (book,) = (await get(http, f"/v1/rounds/{crossing}"))["books"]
    assert closed["path"]["now_micro"] == book["pairs"][0]["bid_micro"]
    assert (await http.get(f"/v1/orders/{row['id']}?at={crossing - 1}")).status_code in (200, 404)
    assert (await http.get(f"/v1/orders/{'ab' * 32}?at={crossing}")).status_code == 404


async def test_an_order_is_known_in_the_moment_between_its_block_and_the_events_of_it(
    contested: SmallNode, http: httpx.AsyncClient
) -> None:
    """The state had forgotten it and the memory of closed orders not been told yet: a 404."""
    told = contested.queries.events(2)
    (won,) = [event.data["bid"] for event in told if event.kind == "trade.made"]
    order = await get(http, f"/v1/orders/{won}")
    assert (order["status"], order["reason"], order["closed_height"]) == ("closed", "matched", 2)
    hits = await get(http, f"/v1/search?q={won}")
    assert [hit["kind"] for hit in hits] == ["order"]


async def test_the_dry_run_shows_what_the_next_block_then_does(
    node: SmallNode, http: httpx.AsyncClient
) -> None:
    await submit(node, node.sign(BUS, 0, bid()), node.sign(SERVER, 0, ask()))
    node.advance()
    path = f"/v1/brokers/{BROKER.address}/coming"
    found = await http.get(path)
    Reply[ComingModel].model_validate_json(found.content)
    coming = found.json()["data"]
    assert (coming["height"], coming["solved"], coming["edges"]) == (2, True, 1)
    node.advance()
    (book,) = (await get(http, "/v1/rounds/2"))["books"]
    pairs = [(pair["bid"], pair["ask"], pair["bid_micro"]) for pair in book["pairs"]]
    assert [(pair["bid"], pair["ask"], pair["bid_micro"]) for pair in coming["pairs"]] == pairs
    assert (await get(http, path))["pairs"] == []
    assert (await http.get(f"/v1/brokers/{BUS.address}/coming")).status_code == 404


async def test_figures_of_accounts_add_up_over_the_window_they_name(
    contested: SmallNode, http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    (trade,) = await get(http, "/v1/trades")
    data = trade["data"]
    buyer = await http.get(f"/v1/accounts/{BUS.address}/market")
    Reply[AccountMarketModel].model_validate_json(buyer.content)
    figures = buyer.json()["data"]
    assert (figures["from"], figures["to"], figures["complete"]) == (1, 2, True)
    assert figures["as_buyer"]["trades"] == 1
    assert figures["as_buyer"]["gain_micro"] == data["value_micro"] - data["paid_micro"]
    assert figures["as_seller"]["trades"] == figures["as_broker"]["trades"] == 0
    assert figures["orders"] == {"opened": 3, "closed": {"matched": 1}}
    server = await get(http, f"/v1/accounts/{SERVER.address}/market")
    broker = await get(http, f"/v1/accounts/{BROKER.address}/market")
    gains = sum(
        one[role]["gain_micro"]
        for one, role in ((figures, "as_buyer"), (server, "as_seller"), (broker, "as_broker"))
    )
    assert gains == data["value_micro"] - data["cost_micro"]
    assert (await get(http, f"/v1/accounts/{BUS.address}/market?blocks=1"))["from"] == 2
    monkeypatch.setattr(statistics, "READ_BLOCKS", 1)
    short = await get(http, f"/v1/accounts/{BUS.address}/market")
    assert (short["from"], short["complete"], short["orders"]["opened"]) == (2, False, 0)


async def test_lists_are_filtered_and_an_account_without_trades_has_none(
    contested: SmallNode, http: httpx.AsyncClient
) -> None:
    for name in ("trades", "rounds"):
        whole = await get(http, f"/v1/{name}")
        assert len(whole) == 1
        assert await get(http, f"/v1/{name}?broker={BROKER.address}") == whole
        assert await get(http, f"/v1/{name}?account={BUS.address}") == whole
        assert await get(http, f"/v1/{name}?broker={BUS.address}") == []
        assert await get(http, f"/v1/{name}?account={'ab' * 32}") == []


@pytest.mark.parametrize("path", ["trades", "rounds", "orders", "rounds/2", "depth"])
async def test_csv_has_the_rows_of_the_json_under_one_head_line(
    contested: SmallNode, http: httpx.AsyncClient, path: str
) -> None:
    route = f"/v1/brokers/{BROKER.address}/depth" if path == "depth" else f"/v1/{path}"
    answer = await http.get(f"{route}?format=csv")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    data = await get(http, route)
    if path == "depth":
        expected = [
            (side, str(step["price_micro"]), str(step["orders"]))
            for side in ("demand", "supply")
            for step in data[side]
        ]
        assert [(row["side"], row["price_micro"], row["orders"]) for row in rows] == expected
        return
    if path == "rounds/2":
        data = [pair for book in data["books"] for pair in book["pairs"]]
    key = {"rounds": "height", "rounds/2": "bid"}.get(path, "id")
    assert [row[key] for row in rows] == [str(row[key]) for row in data]
    for row in rows:
        assert None not in row
        assert None not in row.values()
    if path in ("trades", "rounds/2"):
        assert int(rows[0]["paid_micro"]) > 0


async def test_csv_of_many_orders_is_cut_at_the_bound_and_says_so_by_its_length(
    node: SmallNode, http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    many = [
        node.sign(BUS, nonce, replace(bid(), valuation=FlatLimit(30_000_000 + nonce)))
        for nonce in range(12)
    ]
    await submit(node, *many)
    node.advance()
    monkeypatch.setattr("node.api.csv_rows.CSV_ROWS_MAX", 10)
    text = (await http.get("/v1/orders?format=csv")).text
    assert text.count("\n") == 11
    last = text.splitlines()[-1].split(",")[0]
    rest = (await http.get(f"/v1/orders?format=csv&cursor={last}")).text
    assert rest.count("\n") == 3
    listed = [row["id"] for row in await get(http, "/v1/orders?limit=200")]
    lines = (*text.splitlines()[1:], *rest.splitlines()[1:])
    assert [line.split(",")[0] for line in lines] == listed
    gone = await http.get(f"/v1/orders?format=csv&cursor={'ab' * 32}")
    assert (gone.status_code, gone.json()["code"]) == (400, "validation_error")


@pytest.mark.parametrize("path", ["/v1/trades?format=xml", "/v1/agreements?format=csv"])
async def test_a_format_that_a_route_does_not_have_is_refused(
    http: httpx.AsyncClient, path: str
) -> None:
    answer = await http.get(path)
    assert answer.status_code == 400
    assert answer.json()["code"] == "validation_error"


async def test_a_repriced_order_that_closed_shows_its_last_price_and_terms(
    node: SmallNode, http: httpx.AsyncClient
) -> None:
    await submit(node, node.sign(BUS, 0, bid(10_000_000)))
    node.advance(2)
    (row,) = await get(http, "/v1/orders")
    price = BidPrice(
        expires=400,
        open_ppm=1_000_000,
        omega_micro=100_000,
        mu=1,
        valuation=FlatLimit(70_000_000),
    )
    await submit(node, node.sign(BUS, 1, Reprice(row["id"], price)), node.sign(SERVER, 0, ask()))
    node.advance(2)
    closed = await get(http, f"/v1/orders/{row['id']}?at=4")
    assert (closed["status"], closed["submitted"], closed["tariff"]) == ("closed", 3, 1)
    assert closed["terms"]["valuation"]["limit_micro"] == 70_000_000
    assert closed["terms"]["service_blocks"] == bid().service_blocks
    (book,) = (await get(http, "/v1/rounds/4"))["books"]
    assert closed["path"]["now_micro"] == book["pairs"][0]["bid_micro"]


async def test_a_class_is_told_like_a_book_and_a_former_tariff_beside_it(
    node: SmallNode, http: httpx.AsyncClient
) -> None:
    for _ in range(LOOKS):
        if node.subscribers:
            break
        await http.get("/livez")
    kind = ServiceClass(
        service_blocks=3, interval_blocks=1, theta_milli=1_500, least_resource=1_000
    )
    tariff = Tariff(
        lambda_micro=2,
        sigma_ppm=500_000,
        fee_basis="deal",
        weights="surplus",
        pricing="mcafee",
        classes=(kind,),
    )
    money = Transfer(BROKER.address, 1_000_000)
    await submit(node, node.sign(BUS, 0, bid(1_000_000)), node.sign(ALICE, 0, money))
    node.advance()
    await submit(node, node.sign(BROKER, 0, ChangeTariff(tariff)))
    node.advance(NOTICE_BLOCKS + 1)
    path = f"/v1/brokers/{BROKER.address}"
    broker = await get(http, path)
    assert (broker["version"], [old["version"] for old in broker["former"]]) == (2, [1])
    (old,) = await get(http, "/v1/orders")
    assert (old["tariff"], old["service_class"]) == (1, 0)
    await submit(node, node.sign(BUS, 1, Cancel(old["id"])))
    node.advance()
    offer = replace(ask(), longest_blocks=3)
    await submit(node, node.sign(BUS, 2, bid()), node.sign(SERVER, 0, offer))
    node.advance()
    depth = await get(http, f"{path}/depth")
    assert (depth["tariff"], depth["service_class"], depth["others"]) == (2, 1, [])
    assert [step["price_micro"] for step in depth["demand"]] == [60_000_000 - 1]
    coming = await get(http, f"{path}/coming")
    (foreseen,) = coming["classes"]
    assert (foreseen["trades"], foreseen["reduced"], foreseen["tariff"]) == (0, True, 2)
    node.advance()
    found = await http.get(f"/v1/rounds/{coming['height']}")
    Reply[RoundModel].model_validate_json(found.content)
    (part,) = found.json()["data"]["classes"]
    assert (part["reduced"], part["tariff"], part["service"]["service_blocks"]) == (True, 2, 3)
    assert {row["reason"] for row in part["outbid"]} == {"reduced"}
    for row in part["outbid"]:
        for _ in range(LOOKS):
            # Reads of the database wait for their turn, as those behind the live stream do.
            await get(http, "/v1/trades")
            order = await get(http, f"/v1/orders/{row['order']}")
            if "lost" in order:
                break
        assert order["lost"] == {"height": coming["height"], **row}
        assert order["service_class"] == 1
    block = await get(http, f"/v1/blocks/{coming['height']}")
    assert "curves" not in block["clearings"]["classes"][0]
