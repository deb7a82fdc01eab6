"""Catching up: a lying, slow or silent peer costs one request and its own score, nothing else."""

import asyncio
from collections import Counter
from collections.abc import Callable

import pytest

from consensus.simplex.types import Certificate, VoteKind
from consensus.simplex.wire import encode_certificate
from ledger.errors import Reason, Rejected
from node.driver.host import FinalBlockArrived
from node.peers.exchange import ExchangeFailed
from node.peers.outbox import Outbox
from node.peers.peer import BAN_MS, SCORE_MAX, Peer, PeerInfo, Role
from node.peers.sync import ASKED_AT_ONCE, BLOCKS_PER_REQUEST, Syncer

GOOD, BAD, WORSE = b"g" * 32, b"b" * 32, b"w" * 32
Pair = tuple[bytes, bytes]
Answer = Callable[[int, int], list[Pair]]


def certificate(height: int) -> bytes:
    return encode_certificate(
        Certificate(VoteKind.FINALIZE, height, 1, 0, bytes(32), b"\x01", (bytes(64),))
    )


def pair(height: int) -> Pair:
    return f"block {height}".encode(), certificate(height)


def honest(tip: int) -> Answer:
    return lambda first, count: [pair(at) for at in range(first, min(first + count, tip + 1))]


def silent(first: int, count: int) -> list[Pair]:
    raise AssertionError("never answers")


def failing(*, blame: bool) -> Answer:
    def answer(first: int, count: int) -> list[Pair]:
        raise ExchangeFailed("no", blame=blame)

    return answer


class World:
    """A node at height 0 whose driver accepts block h with certificate h and nothing else."""

    def __init__(self, answers: dict[bytes, Answer]) -> None:
        self.now_ms = 0
        self.tip = 0
        self.asked: Counter[bytes] = Counter()
        self.under_way = self.most_under_way = 0
        self.answers = answers
        self.known = {
            key: Peer(
                PeerInfo(key, key[:1].decode(), Role.MEMBER, ""), Outbox(1, 1), lambda: self.now_ms
            )
            for key in answers
        }
        self.logged: list[str] = []
        self.syncer = Syncer(
            self,
            self,
            lambda: self.tip,
            self.check_signatures,
            self.feed,
            lambda _, **said: self.logged.append(str(said["peer"])),
        )  # type: ignore[arg-type]

    def peer(self, key: bytes) -> Peer | None:
        return self.known.get(key)

    def peers(self) -> tuple[Peer, ...]:
        return tuple(self.known.values())

    async def chain(self, info: PeerInfo, first: int, count: int) -> list[Pair]:
        self.asked[info.key] += 1
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        try:
            await asyncio.sleep(0)
            if self.answers[info.key] is silent:
                await asyncio.Event().wait()
            return self.answers[info.key](first, count)
        finally:
            self.under_way -= 1

    async def check_signatures(self, data: bytes) -> None:
        if data == b"unsigned":
            raise Rejected(Reason.INVALID_SIGNATURE, "")

    async def feed(self, item: FinalBlockArrived) -> None:
        height = self.tip + 1
        if item.data == f"block {height}".encode() and item.certificate.height == height:
            self.tip = height

    async def catch_up(self, tip: int) -> None:
        task = asyncio.create_task(self.syncer.run())
        async with asyncio.timeout(10):
            while self.tip < tip:
                await asyncio.sleep(0)
        await asyncio.sleep(0)
        task.cancel()


async def test_a_late_node_fetches_in_order_until_it_is_there() -> None:
    world = World({GOOD: honest(200)})
    world.syncer.note(GOOD, 201)
    assert world.syncer.syncing
    assert world.syncer.lag == 200
    await world.catch_up(200)
    assert not world.syncer.syncing
    assert world.asked[GOOD] == 200 // BLOCKS_PER_REQUEST + 1
    assert world.syncer.applied == 200


@pytest.mark.parametrize(
    "bad",
    [
        failing(blame=True),
        failing(blame=False),
        lambda first, count: [],
        lambda first, count: [pair(first + 1)],
        lambda first, count: [(b"block 1", certificate(2))],
        lambda first, count: [(b"another block", certificate(first))],
        lambda first, count: [(b"block 1", b"no certificate")],
        lambda first, count: [(b"unsigned", certificate(first))],
    ],
    ids=["slow", "unreachable", "empty", "gap", "wrong", "forged", "garbled", "unsigned"],
)
async def test_a_bad_peer_loses_its_own_score_and_the_sync_goes_on(bad: Answer) -> None:
    world = World({GOOD: honest(100), BAD: bad, WORSE: bad})
    for key in (WORSE, BAD):
        world.syncer.note(key, 10**9)
    world.syncer.note(GOOD, 101)
    world.known[GOOD].score = SCORE_MAX - 10
    await world.catch_up(100)
    assert world.asked[BAD] + world.asked[WORSE] <= 4
    assert world.known[BAD].score < SCORE_MAX
    assert world.known[GOOD].score > SCORE_MAX - 10


async def test_a_claim_that_is_taken_back_is_no_claim() -> None:
    world = World({GOOD: honest(5), BAD: honest(0)})
    world.syncer.note(BAD, 1000)
    world.syncer.note(BAD, 1)
    assert world.syncer.lag == 0
    world.syncer.note(GOOD, 6)
    await world.catch_up(5)
    assert world.asked[BAD] == 0


async def test_half_a_range_is_used_and_the_rest_asked_of_another() -> None:
    def half(first: int, count: int) -> list[Pair]:
        return [*honest(20)(first, count), (b"wrong", certificate(21))]

    world = World({GOOD: honest(40), BAD: half})
    world.syncer.note(BAD, 41)
    world.syncer.note(GOOD, 41)
    world.known[GOOD].score = SCORE_MAX - 1
    await world.catch_up(40)
    assert world.asked[BAD] == 1


async def test_an_unknown_or_banned_claimant_is_not_asked_and_does_not_count() -> None:
    world = World({BAD: honest(10)})
    world.syncer.note(b"x" * 32, 50)
    world.syncer.note(BAD, 11)
    world.known[BAD].ban()
    assert world.syncer.lag == 0
    world.now_ms += BAN_MS
    assert world.syncer.lag == 10


async def test_a_worn_out_peer_is_banned_for_a_while_and_may_start_over() -> None:
    world = World({BAD: honest(1)})
    peer = world.known[BAD]
    peer.penalise(SCORE_MAX)
    assert peer.banned
    assert peer.score == SCORE_MAX // 2
    world.now_ms += BAN_MS
    assert not peer.banned


async def test_the_silent_are_overtaken_once_each_and_asked_last_from_then_on() -> None:
    mute = [bytes([number]) * 32 for number in range(5)]
    world = World({GOOD: honest(1000), **dict.fromkeys(mute, silent)})
    for key in (*mute, GOOD):
        world.syncer.note(key, 1001)
    async with asyncio.timeout(5):
        await world.catch_up(1000)
    assert [world.asked[key] for key in mute] == [1] * len(mute)
    assert world.asked[GOOD] == 1000 // BLOCKS_PER_REQUEST + 1
    assert world.most_under_way == ASKED_AT_ONCE
    assert all(world.known[key].score < SCORE_MAX for key in mute)
    assert world.known[GOOD].score == SCORE_MAX


async def test_when_the_only_claimant_is_silent_whoever_claims_later_is_asked_beside_it() -> None:
    world = World({BAD: silent, GOOD: honest(10)})
    world.syncer.note(BAD, 11)
    task = asyncio.create_task(world.catch_up(10))
    while not world.asked[BAD]:
        await asyncio.sleep(0)
    world.syncer.note(GOOD, 11)
    async with asyncio.timeout(5):
        await task
    assert world.asked[BAD] == 1


async def test_who_gives_less_than_he_could_is_asked_after_the_others() -> None:
    world = World({BAD: lambda first, count: [pair(first)], GOOD: honest(500)})
    for key in (BAD, GOOD):
        world.syncer.note(key, 501)
    await world.catch_up(500)
    assert world.asked[BAD] <= 2


async def test_an_empty_answer_at_the_last_claimed_height_is_no_lie() -> None:
    world = World({GOOD: honest(5)})
    world.syncer.note(GOOD, 7)
    task = asyncio.create_task(world.catch_up(6))
    while world.asked[GOOD] < 2:
        await asyncio.sleep(0)
    assert world.known[GOOD].score >= SCORE_MAX - 1
    world.answers[GOOD] = honest(6)
    await task


async def test_one_liar_among_three_cannot_make_the_node_look_late() -> None:
    world = World({GOOD: honest(9), BAD: honest(9), WORSE: honest(9)})
    for key in (GOOD, BAD):
        world.syncer.note(key, 10)
    world.syncer.note(WORSE, 10**12)
    assert world.syncer.lag == 9
    world.tip = 9
    assert not world.syncer.syncing


async def test_a_failure_that_goes_on_is_logged_once_and_anew_after_it_was_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("node.peers.claims.REST_S", 0.0)
    monkeypatch.setattr("node.peers.claims.LOOK_AGAIN_S", 0.0)
    world = World({GOOD: failing(blame=False)})

    async def ask(times: int) -> None:
        before = world.asked[GOOD]
        world.syncer.note(GOOD, world.tip + 100)
        task = asyncio.create_task(world.syncer.run())
        async with asyncio.timeout(10):
            while world.asked[GOOD] < before + times:
                await asyncio.sleep(0)
        task.cancel()

    await ask(5)
    assert world.logged == ["g"]
    world.answers[GOOD] = honest(10)
    world.syncer.note(GOOD, 11)
    await world.catch_up(10)
    world.answers[GOOD] = failing(blame=False)
    await ask(5)
    assert world.logged == ["g", "g"]
