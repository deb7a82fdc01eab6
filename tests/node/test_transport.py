"""The mesh over real loopback sockets: links, blocks, and what strangers and abusers get."""

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import AsyncIterator

import httpx
import pytest
import uvloop
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from node.peers.exchange import CHAIN_PATH, ExchangeFailed
from node.peers.frames import ConsensusFrame, TransactionsFrame, consensus_frame, transactions_frame
from node.peers.handshake import Hello, encode_hello
from node.peers.links import LINK_PATH
from node.peers.peer import Peer, PeerInfo, Role
from tests.node.mesh_kit import GENESIS, MAX_BLOCK, MeshNode, key_of, until


def introduce(*nodes: MeshNode) -> None:
    for node in nodes:
        node.network.set_peers([other.info() for other in nodes])


@contextlib.asynccontextmanager
async def started(*nodes: MeshNode) -> AsyncIterator[None]:
    try:
        for node in nodes:
            await node.start()
        yield
    finally:
        for node in nodes:
            await node.stop()


@pytest.fixture
async def pair() -> AsyncIterator[tuple[MeshNode, MeshNode]]:
    """Two linked nodes; the first has the lower key and therefore dialed."""
    low, high = sorted(
        (MeshNode(key_of(number)).listen() for number in (1, 2)),
        key=lambda node: node.key.public_key,
    )
    introduce(low, high)
    async with started(low, high):
        await until(lambda: both_linked(low, high))
        yield low, high


def seen_from(node: MeshNode, other: MeshNode) -> Peer:
    peer = node.network.peer(other.key.public_key)
    assert peer is not None
    return peer


def both_linked(one: MeshNode, other: MeshNode) -> bool:
    return seen_from(one, other).connected and seen_from(other, one).connected


# ---------------------------------------------------------------- links
async def test_the_lower_key_dials_and_frames_pass_both_ways(
    pair: tuple[MeshNode, MeshNode],
) -> None:
    low, high = pair
    assert seen_from(low, high).dialed
    assert not seen_from(high, low).dialed

    low.network.broadcast(consensus_frame(b"from low"))
    high.network.send(low.key.public_key, transactions_frame([b"tx"]), urgent=False)

    await until(lambda: bool(low.frames and high.frames))
    assert high.frames == [(low.key.public_key, ConsensusFrame(b"from low"))]
    assert low.frames == [(high.key.public_key, TransactionsFrame((b"tx",)))]


async def test_the_round_trip_is_measured(pair: tuple[MeshNode, MeshNode]) -> None:
    low, high = pair
    await until(lambda: seen_from(low, high).round_trip_ms is not None)
    await until(lambda: seen_from(high, low).round_trip_ms is not None)


async def test_a_lost_link_comes_back(pair: tuple[MeshNode, MeshNode]) -> None:
    low, high = pair
    link = seen_from(high, low).link
    assert link is not None
    await link.close()
    await until(lambda: len(low.linked) == 2 and both_linked(low, high))


async def test_a_broadcast_skips_whom_it_should(pair: tuple[MeshNode, MeshNode]) -> None:
    low, high = pair
    low.network.broadcast(consensus_frame(b"no"), skip=[high.key.public_key])
    low.network.broadcast(consensus_frame(b"yes"))
    await until(lambda: bool(high.frames))
    assert [frame for _, frame in high.frames] == [ConsensusFrame(b"yes")]


async def test_who_is_no_longer_a_peer_loses_its_link(pair: tuple[MeshNode, MeshNode]) -> None:
    low, high = pair
    high.network.set_peers([])
    await until(lambda: not seen_from(low, high).connected)
    assert high.network.peers() == ()


async def test_a_bad_frame_costs_its_sender_the_link_and_points_and_nobody_else(
    pair: tuple[MeshNode, MeshNode],
) -> None:
    low, high = pair
    low.network.send(high.key.public_key, b"\x63nonsense")
    await until(lambda: seen_from(high, low).bad_frames == 1)
    assert seen_from(high, low).score < 100
    await until(lambda: len(low.linked) == 2 and both_linked(low, high))


async def test_a_banned_peer_is_not_listened_to(pair: tuple[MeshNode, MeshNode]) -> None:
    low, high = pair
    seen_from(high, low).ban()
    low.network.broadcast(consensus_frame(b"ignored"))
    high.network.broadcast(consensus_frame(b"heard"))
    await until(lambda: bool(low.frames))
    assert high.frames == []


@pytest.mark.parametrize("case", ["unknown account", "other chain"])
async def test_a_stranger_gets_no_link(case: str) -> None:
    host = MeshNode(key_of(1)).listen()
    genesis = GENESIS if case == "unknown account" else b"x" * 32
    stranger = MeshNode(key_of(3))
    if case == "other chain":
        host.network.set_peers([stranger.info()])
    async with started(host), connect(f"ws{host.url[4:]}{LINK_PATH}", proxy=None) as link:
        await link.send(encode_hello(genesis, Hello(stranger.key.public_key, b"n" * 32)))
        with pytest.raises(ConnectionClosed) as closed:
            await link.recv()
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 4401
    assert host.linked == []


async def test_a_known_account_without_its_key_gets_no_link() -> None:
    host, claimed = MeshNode(key_of(1)).listen(), MeshNode(key_of(2))
    host.network.set_peers([claimed.info()])
    async with started(host), connect(f"ws{host.url[4:]}{LINK_PATH}", proxy=None) as link:
        await link.send(encode_hello(GENESIS, Hello(claimed.key.public_key, b"n" * 32)))
        await link.recv()
        await link.send(bytes(64))
        with pytest.raises(ConnectionClosed):
            await link.recv()
    assert host.linked == []


# ---------------------------------------------------------------- blocks
async def test_blocks_are_pushed_fetched_and_served_in_ranges(
    pair: tuple[MeshNode, MeshNode],
) -> None:
    low, high = pair
    high.blocks[b"h" * 32] = b"block"
    high.chain = [(f"block {n}".encode(), f"certificate {n}".encode()) for n in range(1, 6)]

    await low.exchange.push(high.info(), b"a new block")

    assert high.pushed == [(low.key.public_key, b"a new block")]
    assert await low.exchange.fetch(high.info(), b"h" * 32) == b"block"
    assert await low.exchange.chain(high.info(), 2, 3) == high.chain[1:4]
    assert await low.exchange.chain(high.info(), 9, 3) == []
    with pytest.raises(ExchangeFailed, match="404"):
        await low.exchange.fetch(high.info(), b"x" * 32)


async def test_a_peer_that_began_with_a_snapshot_says_so_and_is_not_to_blame(
    pair: tuple[MeshNode, MeshNode],
) -> None:
    low, high = pair
    high.chain = [(b"block", b"certificate")] * 5
    high.lowest = 4
    with pytest.raises(ExchangeFailed, match="keeps no blocks that old") as told:
        await low.exchange.chain(high.info(), 3, 10)
    assert not told.value.blame
    assert len(await low.exchange.chain(high.info(), 4, 10)) == 2


async def test_a_block_above_the_bound_is_refused(pair: tuple[MeshNode, MeshNode]) -> None:
    low, high = pair
    with pytest.raises(ExchangeFailed, match="413"):
        await low.exchange.push(high.info(), bytes(MAX_BLOCK + 1))
    high.blocks[b"h" * 32] = bytes(MAX_BLOCK + 1)
    with pytest.raises(ExchangeFailed, match="above") as failed:
        await low.exchange.fetch(high.info(), b"h" * 32)
    assert failed.value.blame
    assert high.pushed == []


async def test_an_observer_may_read_but_not_push(pair: tuple[MeshNode, MeshNode]) -> None:
    low, high = pair
    high.network.set_peers([low.info(Role.OBSERVER)])
    high.blocks[b"h" * 32] = b"block"
    assert await low.exchange.fetch(high.info(), b"h" * 32) == b"block"
    with pytest.raises(ExchangeFailed, match="403"):
        await low.exchange.push(high.info(), b"block")


async def test_unsigned_and_foreign_requests_get_401_whatever_they_ask() -> None:
    host, stranger = MeshNode(key_of(1)).listen(), MeshNode(key_of(9))
    async with started(host):
        async with httpx.AsyncClient(trust_env=False) as client:
            for method, path in [
                ("GET", "/p2p/v1/blocks/" + "00" * 32),
                ("GET", f"{CHAIN_PATH}?from=1&count=1"),
                ("POST", "/p2p/v1/blocks"),
            ]:
                assert (await client.request(method, host.url + path)).status_code == 401
        with pytest.raises(ExchangeFailed, match="401"):
            await stranger.exchange.push(host.info(), b"block")
        await stranger.exchange.close()
    assert host.pushed == []


async def test_an_endpoint_that_is_another_node_does_not_get_our_request_accepted() -> None:
    """The signature names its receiver, so a request cannot be passed on to a third node."""
    asker, host = MeshNode(key_of(1)), MeshNode(key_of(2)).listen()
    host.network.set_peers([asker.info()])
    elsewhere = PeerInfo(key_of(3).public_key, "third", Role.MEMBER, host.url)
    async with started(host):
        with pytest.raises(ExchangeFailed, match="401"):
            await asker.exchange.push(elsewhere, b"block")
        await asker.exchange.close()


@pytest.mark.parametrize(
    "query", ["from=-1&count=1", "from=1", "from=x&count=1", "from=1&count=1e3"]
)
async def test_a_malformed_range_is_refused(pair: tuple[MeshNode, MeshNode], query: str) -> None:
    low, high = pair
    path = f"{CHAIN_PATH}?{query}"
    with pytest.raises(ExchangeFailed, match="400"):
        await low.exchange._request(high.info(), "GET", path, b"", 100, 1)


@contextlib.asynccontextmanager
async def serve_once(answer: bytes, *, then_wait: bool) -> AsyncIterator[str]:
    """The address of a peer that answers a request with these bytes, then perhaps never ends."""
    done = asyncio.Event()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        with contextlib.suppress(ConnectionError):
            await writer.drain()
            if then_wait:
                await reader.read()
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
        done.set()

    async with await asyncio.start_server(talk, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        await done.wait()


@pytest.mark.parametrize(
    ("answer", "wait", "why"),
    [
        (b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf", True, "no answer within"),
        (b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 0\r\n\r\n", False, "compr"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n" + bytes(100_000), False, "above"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n\0\0\0\x09", False, "cut short"),
        (b"garbage\r\n\r\n", False, "RemoteProtocolError"),
    ],
)
async def test_a_peer_that_answers_badly_costs_one_bounded_request(
    answer: bytes, wait: bool, why: str
) -> None:
    asker = MeshNode(key_of(1))
    async with serve_once(answer, then_wait=wait) as url:
        liar = PeerInfo(key_of(2).public_key, "liar", Role.MEMBER, url)
        with pytest.raises(ExchangeFailed, match=why):
            await asker.exchange.chain(liar, 1, 10)
        await asker.exchange.close()


def test_a_peer_that_resets_connections_as_they_open_fails_and_nothing_else_does() -> None:
    """Under uvloop, as nodes run: there the layers below raise AttributeError now and then."""
    door = socket.create_server(("127.0.0.1", 0), backlog=256)

    def reset_all() -> None:
        with contextlib.suppress(OSError):
            while True:
                opened, _ = door.accept()
                opened.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                opened.close()

    async def ask_often() -> set[type[BaseException] | None]:
        asker = MeshNode(key_of(1))
        url = f"http://127.0.0.1:{door.getsockname()[1]}"
        peer = PeerInfo(key_of(2).public_key, "resetter", Role.MEMBER, url)
        told: set[type[BaseException] | None] = set()
        for _ in range(20):
            asks = [asker.exchange.chain(peer, 1, 10) for _ in range(20)]
            told |= {type(each) for each in await asyncio.gather(*asks, return_exceptions=True)}
        await asker.exchange.close()
        return told

    thread = threading.Thread(target=reset_all)
    thread.start()
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            assert runner.run(ask_often()) == {ExchangeFailed}
    finally:
        door.shutdown(socket.SHUT_RDWR)
        door.close()
        thread.join()


async def test_what_a_peer_sets_as_a_cookie_is_neither_kept_nor_sent_back() -> None:
    asker = MeshNode(key_of(1))
    answer = b"HTTP/1.1 404 no\r\nset-cookie: a=b; max-age=9999\r\ncontent-length: 0\r\n\r\n"
    async with serve_once(answer, then_wait=False) as url:
        peer = PeerInfo(key_of(2).public_key, "baker", Role.MEMBER, url)
        with pytest.raises(ExchangeFailed, match="404"):
            await asker.exchange.chain(peer, 1, 10)
        assert not list(asker.exchange._client(peer).cookies.jar)
        await asker.exchange.close()


# ---------------------------------------------------------------- connections
async def close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()


async def test_a_connection_that_sends_no_whole_head_in_time_is_closed() -> None:
    host = MeshNode(key_of(1)).listen()
    async with started(host):
        port = int(host.url.rsplit(":", 1)[1])
        streams = [await asyncio.open_connection("127.0.0.1", port) for _ in range(3)]
        streams[1][1].write(b"GET / HTTP/1.1\r\nhost: x\r\n")
        streams[2][1].write(b"\r\n")
        for reader, writer in streams:
            async with asyncio.timeout(5):
                with contextlib.suppress(ConnectionResetError):
                    assert await reader.read() == b""
            await close(writer)
        assert host.limits.timed_out == 3
        assert host.limits.total == 0


async def test_a_head_without_end_is_refused() -> None:
    host = MeshNode(key_of(1)).listen()
    async with started(host):
        reader, writer = await asyncio.open_connection("127.0.0.1", int(host.url.rsplit(":", 1)[1]))
        writer.write(b"GET / HTTP/1.1\r\nx: " + b"a" * 300_000)
        async with asyncio.timeout(5):
            with contextlib.suppress(ConnectionResetError):
                assert b" 431 " in await reader.read(100)
        await close(writer)


async def test_one_address_holds_only_its_share_of_connections() -> None:
    host = MeshNode(key_of(1)).listen()
    host.limits.per_address = 2
    host.limits.head_timeout_s = 60
    async with started(host):
        port = int(host.url.rsplit(":", 1)[1])
        held = [await asyncio.open_connection("127.0.0.1", port) for _ in range(2)]
        await until(lambda: host.limits.total == 2)
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        with contextlib.suppress(ConnectionResetError):
            assert await reader.read() == b""
        for _, each in [*held, (reader, writer)]:
            await close(each)
        await until(lambda: host.limits.total == 0)
    assert host.limits.refused == 1
