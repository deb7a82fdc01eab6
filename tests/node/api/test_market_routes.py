"""Orders, rounds and agreements through the API, over real clearing."""

from __future__ import annotations

import threading

import httpx
import pytest

from auction.actions import Ask, Bid, FlatFloor, FlatLimit, Rate
from auction.what_if import Place, standing
from ledger.members import Resources
from node.api.memory import PerHeight
from tests.node.api.small_node import BROKER, BUS, MEMBERS, SmallNode, key_of

SERVER = key_of(MEMBERS[0])


def bid(limit_micro: int = 60_000_000) -> Bid:
    return Bid(
        broker=BROKER.address,
        expires=500,
        open_ppm=1_000_000,
        omega_micro=100_000,
        mu=1,
        service_blocks=3,
        interval_blocks=1,
        theta_milli=1500,
        least_resource=1000,
        valuation=FlatLimit(limit_micro),
    )


def ask(floor_micro: int = 20_000_000) -> Ask:
    return Ask(
        broker=BROKER.address,
        expires=500,
        open_ppm=1_000_000,
        omega_micro=100_000,
        mu=1,
        longest_blocks=200,
        resources=Resources(20_000, 30_000, 10_000),
        cost=FlatFloor(floor_micro),
    )


async def submit(node: SmallNode, *raws: bytes) -> None:
    results = await node.submit(raws)
    assert [result.status for result in results] == ["pending"] * len(raws), results


@pytest.fixture
async def traded(node: SmallNode) -> SmallNode:
    """A bid and an ask that met in the round of block 2."""
    await submit(node, node.sign(BUS, 0, bid()), node.sign(SERVER, 0, ask()))
    node.advance(2)
    return node


async def test_open_orders_are_listed_filtered_and_paged(
    node: SmallNode, http: httpx.AsyncClient
) -> None:
    await submit(node, *(node.sign(BUS, nonce, bid(20_000_000 + nonce)) for nonce in range(5)))
    node.advance(2)
    seen: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        query = {"limit": "2", "side": "bid", **({"cursor": cursor} if cursor else {})}
        page = (await http.get("/v1/orders", params=query)).json()
        seen += [row["id"] for row in page["data"]]
        cursor = page["next_cursor"]
    assert len(set(seen)) == 5
    assert page["meta"]["names"][BUS.address] == "bus fleet"
    assert (await http.get("/v1/orders?side=ask")).json()["data"] == []
    mine = (await http.get(f"/v1/orders?owner={BUS.address}")).json()["data"]
    assert sorted(row["id"] for row in mine) == sorted(seen)
    one = (await http.get(f"/v1/orders/{seen[0]}")).json()["data"]
    assert one["id"] == seen[0]


async def test_a_round_shows_its_trade_and_the_agreement_follows(
    traded: SmallNode, http: httpx.AsyncClient
) -> None:
    block = (await http.get("/v1/blocks/latest")).json()["data"]
    assert block["trades"] == 1
    found = await http.get(f"/v1/rounds/{block['height']}")
    assert found.headers["cache-control"].endswith("immutable")
    books = found.json()["data"]["books"]
    assert books[0]["broker"] == BROKER.address
    assert len(books[0]["pairs"]) == 1
    assert found.json()["meta"]["names"][BROKER.address] == "north broker"
    agreements = (await http.get("/v1/agreements")).json()["data"]
    assert len(agreements) == 1
    one = (await http.get(f"/v1/agreements/{agreements[0]['id']}")).json()["data"]
    assert one["id"] == agreements[0]["id"]
    mine = await http.get(f"/v1/agreements?buyer={BUS.address}")
    assert len(mine.json()["data"]) == 1
    others = await http.get(f"/v1/agreements?seller={BUS.address}")
    assert others.json()["data"] == []
    assert (await http.get("/v1/rounds/1")).json()["data"]["books"] == []


async def test_a_server_s_record_is_told_wherever_the_server_is(
    traded: SmallNode, http: httpx.AsyncClient
) -> None:
    """A client that looks at a validator saw its stake and its turns, and not what it served."""
    paths = [f"/v1/{where}/{SERVER.address}" for where in ("validators", "members", "accounts")]

    async def records() -> list[dict[str, object]]:
        answers = [await http.get(path) for path in paths]
        return [answer.json()["data"]["service_record"] for answer in answers]

    assert [record["served"] for record in await records()] == [0, 0, 0]
    (agreement,) = (await http.get("/v1/agreements")).json()["data"]
    traded.advance(3)
    await submit(traded, traded.sign(BUS, 1, Rate(agreement["id"], 9_000)))
    traded.advance()
    paid = str(agreement["held_micro"])
    assert await records() == [
        {
            "served": 1,
            "cut_short": 0,
            "paid_micro": paid,
            "ratings": 1,
            "rated_micro": paid,
            "mean_rating_bp": 9_000,
        }
    ] * len(paths)


async def test_the_transaction_names_the_orders_it_opened(
    traded: SmallNode, http: httpx.AsyncClient
) -> None:
    line = (await http.get("/v1/blocks/1")).json()["data"]["transactions"][0]
    transaction = (await http.get(f"/v1/txs/{line['hash']}")).json()["data"]
    order = transaction["order_ids"][0]
    events = (await http.get("/v1/blocks/2")).json()["data"]["events"]
    assert order in [event["data"].get("order") for event in events]


async def test_brokers_and_their_depth_answer(traded: SmallNode, http: httpx.AsyncClient) -> None:
    broker = (await http.get(f"/v1/brokers/{BROKER.address}")).json()["data"]
    assert broker["address"] == BROKER.address
    depth = await http.get(f"/v1/brokers/{BROKER.address}/depth")
    assert depth.status_code == 200


async def test_an_order_that_closed_lately_still_answers(
    node: SmallNode, http: httpx.AsyncClient
) -> None:
    while not node.subscribers:
        await http.get("/livez")
    await submit(node, node.sign(BUS, 0, bid()), node.sign(SERVER, 0, ask()))
    node.advance(2)
    line = (await http.get("/v1/blocks/1")).json()["data"]["transactions"][0]
    order = (await http.get(f"/v1/txs/{line['hash']}")).json()["data"]["order_ids"][0]
    for _ in range(50):
        answer = await http.get(f"/v1/orders/{order}")
        if answer.status_code == 200 and answer.json()["data"].get("status") == "closed":
            break
    assert answer.json()["data"]["reason"] == "matched"


async def test_a_refused_action_is_final_with_its_code(
    traded: SmallNode, http: httpx.AsyncClient
) -> None:
    raw = traded.sign(BUS, 1, Rate("ab" * 32, 9000))
    await submit(traded, raw)
    traded.advance()
    line = (await http.get("/v1/blocks/3")).json()["data"]["transactions"][0]
    answer = (await http.get(f"/v1/txs/{line['hash']}")).json()["data"]
    assert (answer["status"], answer["code"]) == ("final", "unknown_agreement")


async def test_an_order_is_told_how_far_it_is_from_the_edge_of_the_coming_round(
    node: SmallNode, http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two bids cross with one ask in the coming round: the better could give up the difference.

    Each order that is asked for takes a solve of its book, so none is solved on the event loop.
    """
    threads: list[int] = []

    def standing_somewhere(place: Place) -> dict[str, object]:
        threads.append(threading.get_ident())
        return standing(place)

    monkeypatch.setattr("node.api.routes_orders.standing", standing_somewhere)
    await submit(
        node,
        node.sign(BUS, 0, bid(60_000_000)),
        node.sign(BUS, 1, bid(50_000_000)),
        node.sign(SERVER, 0, ask()),
    )
    node.advance(1)
    orders = (await http.get("/v1/orders?side=bid")).json()["data"]
    limits = {row["terms"]["valuation"]["limit_micro"]: row["id"] for row in orders}
    told = {}
    for limit, order in limits.items():
        answer = await http.get(f"/v1/orders/{order}/coming")
        assert answer.status_code == 200
        told[limit] = answer.json()["data"]
    better, worse = told[60_000_000], told[50_000_000]
    assert (better["in_round"], better["solved"], better["matched"]) == (True, True, True)
    assert (worse["in_round"], worse["solved"], worse["matched"]) == (True, True, False)
    assert better["spare_micro"] == worse["short_micro"] > 0
    assert len(threads) == 2
    assert threading.get_ident() not in threads
    assert (await http.get(f"/v1/orders/{'ab' * 32}/coming")).status_code == 404


def test_a_document_that_took_longer_than_its_block_drives_out_no_newer_one() -> None:
    kept = PerHeight()
    kept.put("new", 6, {"height": 6})
    kept.put("late", 5, {"height": 5})
    assert kept.get("new", 6) == {"height": 6}
    assert kept.get("late", 5) is None
    kept.put("next", 7, {"height": 7})
    assert kept.get("new", 7) is None
