"""The live stream: order, ids, replay, gaps, filters, bounds and the end."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence

import httpx
import pytest
from fastapi import FastAPI

from ledger.native import Register
from node.api.events import QUEUE_MAX, Client, Frame, Lost, StreamHub, Wanted, frame_of
from tests.node.api.small_node import ALICE, BOB, MEMBERS, SmallNode, key_of

EVERYTHING = Wanted()


class Reader:
    """Collects the events of one stream as (id, topic, data)."""

    def __init__(self, stream: AsyncIterator[bytes]) -> None:
        self._stream = stream
        self._text = ""

    async def next(self) -> tuple[str, str, dict[str, object]]:
        while True:
            piece, separator, rest = self._text.partition("\n\n")
            if separator:
                self._text = rest
                fields = dict(
                    line.split(": ", 1) for line in piece.split("\n") if not line.startswith(":")
                )
                if "data" in fields:
                    return fields.get("id", ""), fields["event"], json.loads(fields["data"])
                continue
            self._text += (await anext(self._stream)).decode()

    async def ids(self, count: int) -> list[str]:
        return [(await self.next())[0] for _ in range(count)]


def open_stream(
    app: FastAPI, after: tuple[int, int] | None = None, wanted: Wanted = EVERYTHING
) -> Reader:
    return Reader(app.state.hub.stream(wanted, after, "test"))


async def settle() -> None:
    for _ in range(50):
        await asyncio.sleep(0.001)


async def started(reader: Reader, node: SmallNode) -> asyncio.Task[tuple[str, str, dict]]:
    """Begin to read and let the stream and the pump take their places."""
    task = asyncio.create_task(reader.next())
    while not node.subscribers:
        await asyncio.sleep(0)
    await asyncio.sleep(0)
    return task


async def test_a_block_comes_first_and_then_its_events(node: SmallNode, app: FastAPI) -> None:
    reader = open_stream(app)
    first = await started(reader, node)
    node.advance()
    identity, topic, data = await first
    assert (identity, topic, data["height"]) == ("1.0", "block", 1)
    identity, topic, data = await reader.next()
    assert identity == "1.1"
    assert topic == str(data["kind"]).partition(".")[0]
    assert data["id"] == identity


async def test_a_client_that_returns_misses_nothing(node: SmallNode, app: FastAPI) -> None:
    node.advance(3)
    count = sum(1 + len(node.queries.events(height)) for height in (1, 2, 3))
    whole = await open_stream(app, after=(0, 0)).ids(count)
    reader = open_stream(app, after=(2, 0))
    rest = await reader.ids(len(whole) - whole.index("2.0") - 1)
    assert rest == whole[whole.index("2.0") + 1 :]


async def test_replay_and_live_join_without_hole_or_double(node: SmallNode, app: FastAPI) -> None:
    node.advance(2)
    reader = open_stream(app, after=(0, 0))
    seen = [await reader.next()]
    node.advance(2)
    while seen[-1][2].get("height") != 4 or seen[-1][1] != "block":
        seen.append(await reader.next())
    blocks = [identity for identity, topic, _ in seen if topic == "block"]
    assert blocks == ["1.0", "2.0", "3.0", "4.0"]


async def test_an_id_of_another_chain_gives_a_gap_and_then_live(
    node: SmallNode, app: FastAPI
) -> None:
    node.advance(2)
    reader = open_stream(app, after=(5000, 0))
    _, topic, data = await reader.next()
    assert (topic, data) == ("gap", {"from": 1, "to": 2})
    following = asyncio.create_task(reader.next())
    await settle()
    node.advance()
    assert (await following)[0] == "3.0"


async def test_a_block_not_stored_yet_is_not_lost_between_replay_and_live(
    node: SmallNode, app: FastAPI
) -> None:
    node.advance(2)
    late = node.queries.committed.pop()
    reader = open_stream(app, after=(0, 0), wanted=Wanted(frozenset({"block"})))
    assert (await reader.next())[0] == "1.0"
    following = asyncio.create_task(reader.next())
    await settle()
    node.queries.committed.append(late)
    node.publish()
    assert (await following)[0] == "2.0"


async def test_filters_by_topic_and_account(node: SmallNode, app: FastAPI) -> None:
    sponsor = key_of(MEMBERS[0])
    raw = node.sign(sponsor, 0, Register(BOB.address, "bob", "account"))
    await node.submit([raw])
    node.advance(2)
    blocks = open_stream(app, (0, 0), Wanted(frozenset({"block"})))
    assert await blocks.ids(2) == ["1.0", "2.0"]
    leader = node.queries.committed[0].block.header.builder
    mine = open_stream(app, (0, 0), Wanted(account=leader))
    _, _, data = await mine.next()
    assert data["builder"]["address"] == leader  # type: ignore[index]


async def test_streams_end_when_the_hub_closes(node: SmallNode, app: FastAPI) -> None:
    reader = open_stream(app)
    task = await started(reader, node)
    app.state.hub.close()
    with pytest.raises((StopAsyncIteration, RuntimeError)):
        await task
    assert app.state.hub.client_count == 0


async def test_streams_end_when_the_node_stops(node: SmallNode, app: FastAPI) -> None:
    reader = open_stream(app)
    task = await started(reader, node)
    node.stop()
    with pytest.raises((StopAsyncIteration, RuntimeError)):
        await task
    assert app.state.hub.closed


async def test_a_stopping_node_opens_no_stream(app: FastAPI, http: httpx.AsyncClient) -> None:
    app.state.hub.close()
    answer = await http.get("/v1/events")
    assert (answer.status_code, answer.json()["code"]) == (503, "not_ready")


def block_frame(height: int) -> Frame:
    return frame_of((height, 0), "block", (), {"height": height})


async def test_a_slow_client_gets_a_gap_and_goes_on() -> None:
    client = Client(Wanted(), "")
    for height in range(1, QUEUE_MAX + 11):
        client.offer([block_frame(height)])
    assert await client.take() == Lost(1, 10)
    frames = await client.take()
    assert isinstance(frames, tuple)
    assert [frame.position for frame in frames][:1] == [(11, 0)]
    assert len(frames) == QUEUE_MAX


async def test_too_long_an_absence_gives_a_gap_then_the_last_blocks() -> None:
    async def nothing() -> AsyncIterator[Sequence[Frame] | Lost]:
        await asyncio.get_running_loop().create_future()
        yield []

    async def replay(first: int, last: int) -> Sequence[Frame]:
        return [block_frame(height) for height in range(first, last + 1)]

    hub = StreamHub(nothing, replay, lambda: 5000)
    reader = Reader(hub.stream(Wanted(), (10, 0), ""))
    assert (await reader.next())[1:] == ("gap", {"from": 11, "to": 4000})
    assert await reader.ids(2) == ["4001.0", "4002.0"]


async def test_what_lies_below_the_snapshot_of_a_node_is_a_gap() -> None:
    async def nothing() -> AsyncIterator[Sequence[Frame] | Lost]:
        await asyncio.get_running_loop().create_future()
        yield []

    async def replay(first: int, last: int) -> Sequence[Frame]:
        assert first >= 41
        return [block_frame(height) for height in range(first, last + 1)]

    hub = StreamHub(nothing, replay, height=lambda: 60, lowest=lambda: 41)
    reader = Reader(hub.stream(Wanted(), (10, 0), ""))
    assert (await reader.next())[1:] == ("gap", {"from": 11, "to": 40})
    assert await reader.ids(2) == ["41.0", "42.0"]


async def test_the_number_of_streams_is_bounded(
    node: SmallNode, app: FastAPI, http: httpx.AsyncClient
) -> None:
    hub: StreamHub = app.state.hub
    limit = app.state.api.settings.limits.streams_per_client
    address = "127.0.0.1"
    streams = [hub.stream(Wanted(), None, address) for _ in range(limit)]
    for stream in streams:
        await anext(stream)
    answer = await http.get("/v1/events")
    assert (answer.status_code, answer.json()["code"]) == (503, "overloaded")
    for stream in streams:
        await stream.aclose()  # type: ignore[attr-defined]
    assert hub.client_count == 0


async def test_text_from_strangers_cannot_forge_an_event() -> None:
    frame = frame_of((1, 1), "order", (ALICE.address,), {"memo": "a\n\nevent: block\r\ndata: x"})
    assert frame.text.count(b"\n") == 4
    assert b"\r" not in frame.text


async def test_a_topic_that_does_not_exist_is_refused_with_those_that_do(
    http: httpx.AsyncClient,
) -> None:
    answer = await http.get("/v1/events?topics=block,trades")
    assert answer.status_code == 400
    assert "trades is none of block, order, round, trade" in answer.json()["detail"]
