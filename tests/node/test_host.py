"""The host between driver and mesh: what frames become, and what the driver's effects become."""

import asyncio
from collections.abc import Sequence

import pytest

from consensus.simplex.events import Status
from consensus.simplex.evidence import Evidence
from consensus.simplex.journal import JournalRecord
from consensus.simplex.types import Certificate, Vote, VoteKind
from consensus.simplex.wire import encode_message
from ledger.errors import Reason, Rejected
from node.driver.host import BlockArrived, MessageArrived
from node.peers.exchange import ExchangeFailed
from node.peers.frames import (
    AnnounceFrame,
    ConsensusFrame,
    TransactionsFrame,
    announce_frame,
    consensus_frame,
)
from node.peers.outbox import Outbox
from node.peers.peer import SCORE_MAX, Peer, PeerInfo, Role
from node.service.clock import Clock
from node.service.host import (
    BLOCKS_QUEUED_PER_PEER,
    FETCHES_PER_PEER,
    HostHooks,
    NodeHost,
)

OWN, ONE, TWO = b"o" * 32, b"1" * 32, b"2" * 32
DIGEST = b"d" * 32
VOTE = Vote(VoteKind.NULLIFY, 5, 1, 0, b"", 0, bytes(64))


class World:
    """Driver at height 5, mesh of two connected peers, exchange and intake, all in memory."""

    def __init__(self) -> None:
        self.height, self.view = 5, 1
        self.blocks: dict[bytes, bytes] = {}
        self.behind: list[tuple[bytes, int]] = []
        self.pushed: list[bytes] = []
        self.fetched: list[bytes] = []
        self.transactions: list[tuple[bytes, Sequence[bytes], bool]] = []
        self.heard: list[bytes] = []
        self.all = {key: self.make_peer(key) for key in (ONE, TWO)}
        hooks = HostHooks(
            persist=self.persist,
            check_signatures=self.check_signatures,
            behind=lambda peer, height: self.behind.append((peer, height)),
            decided=lambda height: None,
            evidence=self.evidence,
            heard=lambda vote, signer: self.heard.append(signer),
        )
        self.host = NodeHost(OWN, Clock(), self, hooks, lambda *_, **__: None)  # type: ignore[arg-type]
        self.host.connect(self, self, self)  # type: ignore[arg-type]

    def make_peer(self, key: bytes) -> Peer:
        peer = Peer(
            PeerInfo(key, key[:1].decode(), Role.MEMBER, "http://x:1"), Outbox(99, 9999), lambda: 0
        )
        peer.link = object()  # type: ignore[assignment]
        return peer

    # hooks
    async def persist(self, records: Sequence[JournalRecord]) -> None:
        return None

    async def check_signatures(self, data: bytes) -> bool:
        if data == b"bad":
            raise Rejected(Reason.NOT_CANONICAL, "")
        return data != b"unsigned"

    def evidence(self, evidence: Evidence) -> None:
        return None

    # network
    def peers(self) -> tuple[Peer, ...]:
        return tuple(self.all.values())

    def peer(self, key: bytes) -> Peer | None:
        return self.all.get(key)

    def send(self, key: bytes, frame: bytes) -> None:
        self.all[key].outbox.put(frame, urgent=True)

    def broadcast(self, frame: bytes, skip: Sequence[bytes]) -> None:
        for key, peer in self.all.items():
            if key not in skip:
                peer.outbox.put(frame, urgent=True)

    # driver
    def status(self, *, asks: bool = False) -> Status:
        return Status(self.height, self.view, asks)

    def block(self, digest: bytes) -> bytes | None:
        return self.blocks.get(digest)

    # exchange
    async def push(self, info: PeerInfo, data: bytes) -> None:
        self.pushed.append(info.key)

    async def fetch(self, info: PeerInfo, digest: bytes) -> bytes:
        self.fetched.append(info.key)
        if info.key == TWO:
            raise ExchangeFailed("lies", blame=True)
        return b"the block"

    # intake
    def from_peer(self, key: bytes, raws: Sequence[bytes], *, relay: bool) -> int:
        self.transactions.append((key, raws, relay))
        return sum(raw == b"bad" for raw in raws)

    async def sent(self, key: bytes) -> list[bytes]:
        outbox = self.all[key].outbox
        return [await outbox.get() for _ in range(len(outbox))]


@pytest.fixture
def world() -> World:
    return World()


async def test_a_message_becomes_an_input_under_the_name_of_its_authenticated_sender(
    world: World,
) -> None:
    world.host.on_frame(world.all[ONE], ConsensusFrame(encode_message(VOTE)))
    assert await world.host.next_input() == MessageArrived(ONE, VOTE)
    assert world.heard == [ONE]
    assert world.all[ONE].height == 4


async def test_a_message_that_does_not_decode_costs_points_and_reaches_nobody(
    world: World,
) -> None:
    world.host.on_frame(world.all[ONE], ConsensusFrame(b"\x01rubbish"))
    assert len(world.host.inbox) == 0
    assert world.all[ONE].score < SCORE_MAX
    assert world.all[TWO].score == SCORE_MAX


async def test_effects_become_frames_for_the_right_peers(world: World) -> None:
    frame = consensus_frame(encode_message(VOTE))
    world.host.broadcast(VOTE, skip=(ONE,))
    world.host.send(ONE, world.status())
    assert await world.sent(TWO) == [frame]
    assert await world.sent(ONE) == [consensus_frame(encode_message(world.status()))]
    assert world.heard == [OWN]


async def test_a_new_link_is_greeted_and_asked(world: World) -> None:
    world.host.on_link(world.all[ONE])
    assert await world.sent(ONE) == [consensus_frame(encode_message(Status(5, 1, asks=True)))]


async def test_an_own_block_is_pushed_once_to_each_peer(world: World) -> None:
    world.host.publish_block(DIGEST, b"block")
    world.host.publish_block(DIGEST, b"block")
    await asyncio.sleep(0)
    assert sorted(world.pushed) == [ONE, TWO]


async def test_an_accepted_block_is_announced_to_those_who_may_lack_it(world: World) -> None:
    world.host.on_frame(world.all[ONE], AnnounceFrame(5, DIGEST))
    world.blocks[DIGEST] = b"block"
    world.host.block_accepted(5, DIGEST, b"block")
    world.host.decided(
        DIGEST, b"block", Certificate(VoteKind.FINALIZE, 5, 1, 0, DIGEST, b"\x01", (bytes(64),))
    )
    assert await world.sent(ONE) == []
    assert await world.sent(TWO) == [announce_frame(5, DIGEST)]
    await world.host.close()


async def test_an_announced_block_that_does_not_come_is_fetched(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("node.service.host.ANNOUNCE_GRACE_S", 0)
    world.host.on_frame(world.all[ONE], AnnounceFrame(5, DIGEST))
    world.host.on_frame(world.all[TWO], AnnounceFrame(5, DIGEST))
    assert await world.host.next_input() == BlockArrived(ONE, b"the block")
    assert world.fetched == [ONE]


async def test_a_block_that_came_meanwhile_is_not_fetched(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("node.service.host.ANNOUNCE_GRACE_S", 0)
    world.host.on_frame(world.all[ONE], AnnounceFrame(5, DIGEST))
    world.blocks[DIGEST] = b"block"
    while world.host._tasks:
        await asyncio.sleep(0)
    assert world.fetched == []
    assert world.host._fetching == set()


async def test_an_announcement_from_above_starts_catch_up(world: World) -> None:
    world.host.on_frame(world.all[ONE], AnnounceFrame(9, DIGEST))
    world.host.on_frame(world.all[ONE], AnnounceFrame(4, DIGEST))
    assert world.behind == [(ONE, 9)]
    assert world.fetched == []


async def test_a_failed_fetch_can_be_repeated_with_another_peer(world: World) -> None:
    world.host.request_block(5, DIGEST, TWO)
    while world.host._tasks:
        await asyncio.sleep(0)
    assert world.all[TWO].score < SCORE_MAX
    world.host.request_block(5, DIGEST, ONE)
    assert await world.host.next_input() == BlockArrived(ONE, b"the block")


async def test_a_peer_that_never_answers_holds_up_no_fetch_from_another(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("node.service.host.ANNOUNCE_GRACE_S", 0)
    answer = world.fetch

    async def fetch(info: PeerInfo, digest: bytes) -> bytes:
        if info.key == TWO:
            await asyncio.Event().wait()
        return await answer(info, digest)

    monkeypatch.setattr(world, "fetch", fetch)
    for number in range(100):
        world.host.on_frame(world.all[TWO], AnnounceFrame(5, number.to_bytes(32, "big")))
    world.host.on_frame(world.all[TWO], AnnounceFrame(5, DIGEST))
    await asyncio.sleep(0)
    assert len(world.host._fetching) == FETCHES_PER_PEER
    world.host.request_block(5, bytes(32), ONE)
    world.host.request_block(5, DIGEST, ONE)
    arrived = [await world.host.next_input() for _ in range(2)]
    assert arrived == [BlockArrived(ONE, b"the block")] * 2
    await world.host.close()


@pytest.mark.parametrize("data", [b"bad", b"unsigned"])
async def test_a_pushed_block_that_no_honest_builder_makes_does_not_reach_the_driver(
    world: World, data: bytes
) -> None:
    assert not await world.host.on_block(world.all[ONE], data)
    assert len(world.host.inbox) == 0
    assert world.all[ONE].score < SCORE_MAX


async def test_who_gave_a_block_with_a_bad_signature_because_we_asked_is_not_blamed(
    world: World,
) -> None:
    assert await world.host.on_block(world.all[ONE], b"unsigned", pushed=False)
    assert world.all[ONE].score == SCORE_MAX


async def test_blocks_do_not_pile_up_before_a_busy_driver(world: World) -> None:
    wanted = [await world.host.on_block(world.all[ONE], bytes([each])) for each in range(20)]
    assert sum(wanted) == len(world.host.inbox) == BLOCKS_QUEUED_PER_PEER
    assert await world.host.on_block(world.all[TWO], b"block")


async def test_transactions_go_to_the_intake_and_only_those_of_observers_on(
    world: World,
) -> None:
    world.host.on_frame(world.all[ONE], TransactionsFrame((b"tx", b"bad")))
    info = world.all[TWO].info
    world.all[TWO].info = PeerInfo(TWO, info.name, Role.OBSERVER, info.url)
    world.host.on_frame(world.all[TWO], TransactionsFrame((b"tx",)))
    assert world.transactions == [(ONE, (b"tx", b"bad"), False), (TWO, (b"tx",), True)]
    assert world.all[ONE].score == SCORE_MAX - 1


async def test_a_peer_the_driver_blocks_is_banned(world: World) -> None:
    world.host.block_peer(ONE, "relayed a vote")
    assert world.all[ONE].banned
    assert not world.all[TWO].banned
