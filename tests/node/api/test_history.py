"""Trades and rounds across blocks, newest first."""

from __future__ import annotations

import httpx
import pytest

from auction.actions import Ask, Bid, FlatFloor, FlatLimit
from ledger.members import Resources
from node.api import history
from tests.node.api.small_node import BROKER, BUS, MEMBERS, SmallNode, key_of

SERVER = key_of(MEMBERS[0])


def bid() -> Bid:
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
        valuation=FlatLimit(60_000_000),
    )


def ask() -> Ask:
    return Ask(
        broker=BROKER.address,
        expires=500,
        open_ppm=1_000_000,
        omega_micro=100_000,
        mu=1,
        longest_blocks=200,
        resources=Resources(2_000, 4_000, 1_000),
        cost=FlatFloor(20_000_000),
    )


@pytest.fixture
async def traded(node: SmallNode) -> SmallNode:
    """Three rounds with one trade each, a few empty blocks behind them."""
    for nonce in range(3):
        raws = (node.sign(BUS, nonce, bid()), node.sign(SERVER, nonce, ask()))
        results = await node.submit(raws)
        assert [result.status for result in results] == ["pending"] * 2, results
        node.advance(2)
    node.advance(2)
    return node


async def test_trades_come_newest_first_and_page_without_hole_or_repeat(
    traded: SmallNode, http: httpx.AsyncClient
) -> None:
    whole = (await http.get("/v1/trades")).json()
    places = [(row["height"], row["index"]) for row in whole["data"]]
    assert len(places) == 3
    assert places == sorted(places, reverse=True)
    assert whole["next_cursor"] is None
    assert whole["meta"]["names"][BUS.address]
    paged = []
    cursor: str | None = ""
    while cursor is not None:
        query = {"limit": "1"} | ({"cursor": cursor} if cursor else {})
        page = (await http.get("/v1/trades", params=query)).json()
        paged += page["data"]
        cursor = page["next_cursor"]
    assert [row["id"] for row in paged] == [row["id"] for row in whole["data"]]


async def test_a_trade_carries_what_became_of_its_agreement(
    traded: SmallNode, http: httpx.AsyncClient
) -> None:
    row = (await http.get("/v1/trades", params={"limit": "1"})).json()["data"][0]
    shown = (await http.get(f"/v1/agreements/{row['data']['agreement']}")).json()["data"]
    assert row["agreement"] == {name: shown[name] for name in ("status", "rated", "rating_bp")}


async def test_the_totals_of_a_round_are_those_of_its_trades(
    traded: SmallNode, http: httpx.AsyncClient
) -> None:
    trades = (await http.get("/v1/trades")).json()["data"]
    rounds = (await http.get("/v1/rounds")).json()["data"]
    assert [row["height"] for row in rounds] == [row["height"] for row in trades]
    for one, trade in zip(rounds, trades, strict=True):
        assert one["trades"] == 1
        assert one["paid_micro"] == trade["data"]["paid_micro"]
        assert one["low_micro"] == one["high_micro"] == one["price_micro"]
    first = (await http.get("/v1/rounds", params={"limit": "2"})).json()
    rest = (await http.get("/v1/rounds", params={"cursor": first["next_cursor"]})).json()
    assert first["data"] + rest["data"] == rounds


async def test_a_scan_that_stops_early_leaves_a_cursor_that_leads_on(
    traded: SmallNode, http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = (await http.get("/v1/trades")).json()["data"]
    monkeypatch.setattr(history, "SCAN_BLOCKS", 2)
    found: list[dict[str, object]] = []
    cursor: str | None = ""
    while cursor is not None:
        query = {"cursor": cursor} if cursor else {}
        page = (await http.get("/v1/trades", params=query)).json()
        found += page["data"]
        cursor = page["next_cursor"]
    assert found == whole
