"""The client library against the API: typed errors, waiting, retries, nonces."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import httpx
import pytest

from ledger.native import Transfer
from node.api.app import create_app
from node.client import client as module
from node.client.client import ApiError, Client, ClientError, Unreachable, WaitTimeout
from node.client.sync import SyncClient
from node.client.wallet import Wallet
from tests.node.api.small_node import ALICE, BOB, SmallNode

Handler = Callable[[httpx.Request], httpx.Response]


@pytest.fixture
def node() -> SmallNode:
    return SmallNode()


@pytest.fixture
async def client(node: SmallNode) -> AsyncIterator[Client]:
    app = create_app(node, now_ms=lambda: node.now)
    async with Client("http://node", transport=httpx.ASGITransport(app=app)) as client:
        yield client
    app.state.api.close()


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FIRST_PAUSE_SECONDS", 0.0)
    monkeypatch.setattr(module, "LONGEST_PAUSE_SECONDS", 0.0)


def scripted(*answers: Handler | httpx.Response) -> tuple[Client, list[httpx.Request]]:
    """A client whose node answers from a script."""
    seen: list[httpx.Request] = []
    script = list(answers)

    def handle(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        answer = script.pop(0)
        return answer if isinstance(answer, httpx.Response) else answer(request)

    return Client("http://node", transport=httpx.MockTransport(handle)), seen


def problem(status: int, code: str) -> httpx.Response:
    return httpx.Response(status, json={"status": status, "code": code, "detail": "", "hint": "h"})


def refuse_connection(request: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError("refused", request=request)


async def test_a_wallet_sends_waits_and_counts_nonces(node: SmallNode, client: Client) -> None:
    wallet = Wallet(client, ALICE)
    first = await wallet.send(Transfer(BOB.address, 5))
    second = await wallet.send(Transfer(BOB.address, 6))
    waiting = asyncio.create_task(client.wait_final(second.hash))
    await asyncio.sleep(0)
    node.advance()
    assert (await waiting)["code"] == "ok"
    assert (await client.wait_final(first.hash))["index"] == 0
    assert (await client.account(BOB.address))["free_micro"] == 11
    assert await client.next_nonce(ALICE.address) == 2


async def test_a_list_without_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_PAGES", 3)
    page = {"data": [{"id": "x"}], "next_cursor": "again"}
    client, seen = scripted(*(httpx.Response(200, json=page) for _ in range(9)))
    with pytest.raises(ClientError, match="more than 3 pages"):
        await client.orders()
    assert len(seen) == 3


async def test_a_wallet_recovers_from_a_stale_nonce(node: SmallNode, client: Client) -> None:
    one, other = Wallet(client, ALICE), Wallet(client, ALICE)
    await one.send(Transfer(BOB.address, 1))
    await other.send(Transfer(BOB.address, 2))
    await one.send(Transfer(BOB.address, 3))
    node.advance()
    assert (await client.account(BOB.address))["free_micro"] == 6


async def test_a_batch_gives_one_result_each(node: SmallNode, client: Client) -> None:
    wallet = Wallet(client, ALICE)
    results = await wallet.send_all([[Transfer(BOB.address, 1)] for _ in range(5)])
    assert [result.status for result in results] == ["pending"] * 5
    refused = await client.submit_all([b"{}", b"[]"])
    assert [result.error.code for result in refused if result.error] == ["validation_error"] * 2
    assert await client.submit_all([]) == []


async def test_a_refusal_is_an_error_with_code_and_hint(client: Client) -> None:
    with pytest.raises(ApiError) as caught:
        await client.submit(b"{}")
    assert caught.value.code == "validation_error"
    assert caught.value.status == 400
    assert caught.value.hint


async def test_waiting_in_vain_keeps_the_hash(node: SmallNode, client: Client) -> None:
    sent = await Wallet(client, ALICE).send(Transfer(BOB.address, 1))
    with pytest.raises(WaitTimeout) as caught:
        await client.wait_final(sent.hash, timeout_s=0.01)
    assert (caught.value.hash, caught.value.status) == (sent.hash, "pending")


async def test_lists_are_read_to_their_end(node: SmallNode, client: Client) -> None:
    node.advance(2)
    assert len(await client.validators()) == 4
    assert len(await client.brokers()) == 1
    assert await client.orders() == []
    assert await client.agreements() == []
    assert (await client.round())["books"] == []
    assert (await client.election())["height"] == 3
    assert (await client.block(1))["height"] == 1
    assert len((await client.blocks(limit=1))["data"]) == 1
    assert await client.transaction("ab" * 32) is None
    assert await client.order("ab" * 32) is None
    assert await client.agreement("ab" * 32) is None
    assert (await client.get("/v1/params"))["data"]["market"]
    assert (await client.params())["ledger"]
    assert (await client.mempool())["transactions"] == 0


async def test_a_busy_node_and_a_broken_line_are_tried_again() -> None:
    status = httpx.Response(200, json={"data": {"height": 1}, "meta": {}})
    client, seen = scripted(problem(503, "not_ready"), refuse_connection, status)
    assert await client.status() == {"height": 1}
    assert len(seen) == 3


async def test_a_refusal_is_not_tried_again() -> None:
    client, seen = scripted(problem(422, "insufficient_funds"))
    with pytest.raises(ApiError):
        await client.submit(b"{}")
    assert len(seen) == 1


async def test_an_unreachable_node_is_given_up() -> None:
    client, seen = scripted(*[refuse_connection] * 4)
    with pytest.raises(Unreachable):
        await client.status()
    assert len(seen) == 4


async def test_answers_that_are_no_json_are_an_error() -> None:
    client, _ = scripted(httpx.Response(502, text="<html>bad gateway"))
    with pytest.raises(ApiError) as caught:
        await client.status()
    assert (caught.value.status, caught.value.code) == (502, "unknown")


async def test_an_answer_without_end_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ANSWER_BYTES_MAX", 10)
    client, _ = scripted(httpx.Response(200, text="x" * 100))
    with pytest.raises(ClientError, match="too long"):
        await client.status()


def test_the_blocking_client_does_the_same(node: SmallNode) -> None:
    app = create_app(node, now_ms=lambda: node.now)
    node.advance()
    with SyncClient("http://node", transport=httpx.ASGITransport(app=app)) as client:
        assert client.status()["height"] == 1
        sent = client.submit(node.sign(ALICE, 0, Transfer(BOB.address, 1)))
        node.advance()
        assert client.wait_final(sent.hash)["status"] == "final"
        assert client.next_nonce(ALICE.address) == 1
        assert client.get("/v1/validators")["next_cursor"] is None
    app.state.api.close()


@pytest.mark.parametrize(
    "body",
    [b"[" * 100_000, b'{"data":' + b"[" * 100_000, b"{}", b'{"data":[]}', b"[]", b"no JSON"],
)
async def test_an_answer_that_makes_no_sense_is_an_error_of_this_client(body: bytes) -> None:
    client, _ = scripted(httpx.Response(200, content=body))
    with pytest.raises(ClientError, match="no data in the answer"):
        await client.election(3)
    client, _ = scripted(httpx.Response(400, content=b'{"status":"x","errors":null}'))
    with pytest.raises(ApiError, match="unknown"):
        await client.election(3)
