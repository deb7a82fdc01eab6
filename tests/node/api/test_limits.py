"""The wall in front: sizes, times, rates and counts, each held before a route runs."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import httpx
import pytest
from starlette.types import Message, Receive, Scope, Send

from ledger.errors import Reason, Rejected
from ledger.native import Transfer
from node.api.app import create_app
from node.api.codes import KINDS
from node.api.context import ApiSettings
from node.api.limits import RateLimiter, RequestLimits, Wall
from tests.node.api.small_node import ALICE, BOB, SmallNode

JSON = {"content-type": "application/json"}


def scope_of(method: str, headers: dict[str, str], path: str = "/v1/txs") -> Scope:
    return {
        "type": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        "client": ("192.0.2.1", 1),
    }


class Wire:
    """One request by hand: counts what was read, keeps what was answered."""

    def __init__(self, chunks: list[bytes], *, endless: bool = False) -> None:
        self.chunks = chunks
        self.endless = endless
        self.reads = 0
        self.sent: list[Message] = []

    async def receive(self) -> Message:
        self.reads += 1
        if self.chunks:
            chunk = self.chunks.pop(0)
            more = bool(self.chunks) or self.endless
            return {"type": "http.request", "body": chunk, "more_body": more}
        await asyncio.get_running_loop().create_future()
        raise AssertionError

    async def send(self, message: Message) -> None:
        self.sent.append(message)

    @property
    def status(self) -> int:
        return int(self.sent[0]["status"])

    @property
    def headers(self) -> dict[str, str]:
        return {name.decode(): value.decode() for name, value in self.sent[0]["headers"]}


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    body = (await receive())["body"] if scope["method"] == "POST" else b""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body})


def wall(**changes: int | float) -> Wall:
    return Wall(echo, replace(RequestLimits(), **changes), lambda: 7)


async def test_a_declared_length_above_the_bound_is_refused_unread() -> None:
    wire = Wire([b"x"])
    await wall(body_bytes=100)(
        scope_of("POST", {**JSON, "content-length": "200000000"}), wire.receive, wire.send
    )
    assert (wire.status, wire.reads, wire.headers["connection"]) == (413, 0, "close")


async def test_a_body_without_length_is_cut_at_the_bound() -> None:
    wire = Wire([b"x" * 60] * 100)
    headers = {**JSON, "transfer-encoding": "chunked"}
    await wall(body_bytes=100)(scope_of("POST", headers), wire.receive, wire.send)
    assert (wire.status, wire.reads, wire.headers["connection"]) == (413, 2, "close")


async def test_a_body_that_does_not_end_is_given_up() -> None:
    wire = Wire([b"{"], endless=True)
    await wall(body_seconds=0.01)(scope_of("POST", JSON), wire.receive, wire.send)
    assert (wire.status, wire.headers["connection"]) == (408, "close")


async def test_a_body_in_pieces_arrives_whole() -> None:
    wire = Wire([b'{"a"', b":", b"1}"])
    await wall()(scope_of("POST", JSON), wire.receive, wire.send)
    assert wire.sent[1]["body"] == b'{"a":1}'
    assert wire.headers["x-chain-height"] == "7"


async def test_requests_beyond_those_running_are_turned_away() -> None:
    gate = asyncio.Event()

    async def slow(scope: Scope, receive: Receive, send: Send) -> None:
        await gate.wait()
        await echo(scope, receive, send)

    front = Wall(slow, replace(RequestLimits(), running_requests=2), lambda: 0)
    wires = [Wire([]) for _ in range(3)]
    running = [
        asyncio.create_task(front(scope_of("GET", {}), wire.receive, wire.send))
        for wire in wires[:2]
    ]
    await asyncio.sleep(0)
    await front(scope_of("GET", {}), wires[2].receive, wires[2].send)
    assert wires[2].status == 503
    assert wires[2].headers["retry-after"]
    gate.set()
    await asyncio.gather(*running)
    assert [wire.status for wire in wires[:2]] == [200, 200]


async def test_a_bug_is_a_problem_500_that_tells_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def broken(scope: Scope, receive: Receive, send: Send) -> None:
        raise ZeroDivisionError("secret detail")

    wire = Wire([])
    await Wall(broken, RequestLimits(), lambda: 0)(scope_of("GET", {}), wire.receive, wire.send)
    assert wire.status == 500
    assert b"internal_error" in wire.sent[1]["body"]
    assert b"secret" not in wire.sent[1]["body"]
    assert "ZeroDivisionError" in caplog.text


def test_a_bucket_gives_its_burst_and_then_its_rate() -> None:
    rates = RateLimiter(per_second=10, burst=20, clients_max=100)
    assert [rates.take("a", now=0.0) for _ in range(20)] == [0.0] * 20
    assert rates.take("a", now=0.0) == pytest.approx(0.1)
    assert rates.take("b", now=0.0) == 0.0
    assert rates.take("a", now=0.11) == 0.0
    assert rates.take("a", now=0.11) > 0


def test_a_cost_above_the_burst_passes_once_and_is_paid_back() -> None:
    rates = RateLimiter(per_second=10, burst=20, clients_max=100)
    assert rates.take("a", 50, now=0.0) == 0.0
    assert rates.take("a", 1, now=1.0) > 0
    assert rates.take("a", 1, now=4.0) == 0.0


def test_the_table_of_clients_is_bounded() -> None:
    rates = RateLimiter(per_second=1, burst=1, clients_max=3)
    for number in range(100):
        rates.take(str(number), now=0.0)
    assert len(rates._buckets) == 3


async def client_with(node: SmallNode, **changes: int) -> httpx.AsyncClient:
    limits = replace(RequestLimits(), **changes)
    app = create_app(node, ApiSettings(limits=limits))
    transport = httpx.ASGITransport(app=app, client=("192.0.2.1", 1))
    return httpx.AsyncClient(transport=transport, base_url="http://node")


async def test_too_many_requests_are_told_when_to_return(node: SmallNode) -> None:
    async with await client_with(node, requests_per_second=1, burst_requests=3) as http:
        answers = [await http.get("/v1/status") for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert int(answers[3].headers["retry-after"]) >= 1
    assert answers[3].json()["code"] == "rate_limited"


async def test_transactions_are_counted_one_by_one(node: SmallNode) -> None:
    raws = [node.sign(ALICE, nonce, Transfer(BOB.address, 1)) for nonce in range(6)]
    async with await client_with(node, items_per_second=2) as http:
        body = b"[" + b",".join(raws[:4]) + b"]"
        first = await http.post("/v1/txs", content=body, headers=JSON)
        second = await http.post("/v1/txs", content=raws[4], headers=JSON)
    assert (first.status_code, second.status_code) == (202, 429)
    assert len(node.mempool) == 4


async def test_an_array_of_too_many_items_is_refused_whole(node: SmallNode) -> None:
    raws = [node.sign(ALICE, nonce, Transfer(BOB.address, 1)) for nonce in range(3)]
    async with await client_with(node, batch_items=2) as http:
        body = b"[" + b",".join(raws) + b"]"
        answer = await http.post("/v1/txs", content=body, headers=JSON)
    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")
    assert node.submissions == 0


async def test_a_full_mempool_is_503_with_a_time_to_return(node: SmallNode) -> None:
    node.mempool.limits = replace(node.mempool.limits, max_transactions=1)
    async with await client_with(node) as http:
        raws = [node.sign(ALICE, nonce, Transfer(BOB.address, 1)) for nonce in range(2)]
        await http.post("/v1/txs", content=raws[0], headers=JSON)
        answer = await http.post("/v1/txs", content=raws[1], headers=JSON)
    assert (answer.status_code, answer.json()["code"]) == (503, "mempool_full")
    assert answer.headers["retry-after"]


def test_every_refusal_of_the_ledger_has_a_title_and_a_status() -> None:
    inside = {"block_invalid", "bad_root", "bad_clearing", "wrong_builder", "bad_vrf"}
    unseen = inside | {"bad_commits"}
    assert {reason.value for reason in Reason} - set(KINDS) <= unseen


async def test_a_busy_node_refuses_before_it_reads_the_transactions(node: SmallNode) -> None:
    node.busy = Rejected(Reason.RATE_LIMITED, "too many transactions wait for their check")
    async with await client_with(node) as http:
        answer = await http.post("/v1/txs", content=b"[" + b"x" * 1000, headers=JSON)
    assert (answer.status_code, answer.json()["code"]) == (429, "rate_limited")
    assert answer.headers["retry-after"] == "1"
    assert node.submissions == 0
