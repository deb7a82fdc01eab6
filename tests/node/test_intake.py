"""The way in for transactions: every item is answered, every queue bounded, gossip goes once."""

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest

from ledger.crypto import SigningKey
from ledger.errors import Reason, Rejected
from ledger.native import ACTIONS, Transfer
from ledger.transactions import Transaction, TransactionCodec, build_transaction
from node.application.mempool import AddResult
from node.intake.intake import Intake
from node.intake.verifier import Verifier

GENESIS = b"g" * 32
KEY = SigningKey.from_seed(b"\x01" * 32)
CODEC = TransactionCodec(tuple(ACTIONS), "test", GENESIS, 65_536)
PEER = b"p" * 32


def raw(nonce: int, chain: str = "test") -> bytes:
    return build_transaction(KEY, GENESIS, chain, nonce, [Transfer(to=KEY.address, amount_micro=1)])


def spoilt(nonce: int) -> bytes:
    good = raw(nonce)
    return good[:-3] + (b"1" if good[-3:-2] != b"1" else b"2") + good[-2:]


class Pool:
    """A mempool that holds what it gets; nonces from 1000 on are used, of which 1001 is final."""

    def __init__(self) -> None:
        self.held: dict[bytes, Transaction] = {}
        self.crowded = False

    def add(self, transaction: Transaction) -> AddResult:
        if transaction.envelope.nonce >= 1000:
            raise Rejected(Reason.NONCE_USED, "used")
        if transaction.raw in self.held:
            return AddResult.KNOWN
        self.held[transaction.raw] = transaction
        return AddResult.NEW

    def find(self, raw: bytes) -> Transaction | None:
        return self.held.get(raw)


class Fixture:
    def __init__(self, queue_max: int) -> None:
        self.pool = Pool()
        self.sent: list[tuple[list[bytes], bytes]] = []
        self.blamed: list[tuple[bytes, int]] = []
        final = {CODEC.decode(raw(1001)).id}
        self.intake = Intake(
            CODEC,
            Verifier(1000, use_worker=False),
            self.pool,
            lambda ids: [each for each in ids if each in final],
            self.gossip,
            lambda peer, count: self.blamed.append((peer, count)),
            queue_max,
        )

    def gossip(self, raws: Sequence[bytes], origin: bytes) -> None:
        self.sent.append((list(raws), origin))

    async def settle(self) -> None:
        while self.intake.queued:
            await asyncio.sleep(0)


@pytest.fixture
async def running() -> AsyncIterator[Fixture]:
    fixture = Fixture(queue_max=400)
    task = asyncio.create_task(fixture.intake.run())
    yield fixture
    task.cancel()


async def test_each_item_of_a_batch_gets_its_own_answer_in_order(running: Fixture) -> None:
    await running.intake.submit([raw(5)])
    batch = [raw(0), b"{}", spoilt(1), raw(2, chain="other"), raw(5), raw(1000), raw(1001)]

    results = await running.intake.submit(batch)

    assert [(each.status, each.code) for each in results] == [
        ("pending", ""),
        ("rejected", "validation_error"),
        ("rejected", "invalid_signature"),
        ("rejected", "wrong_chain"),
        ("known", ""),
        ("rejected", "nonce_used"),
        ("final", ""),
    ]
    assert results[0].tx_id == CODEC.decode(raw(0)).id
    assert results[1].tx_id == b""


async def test_only_fresh_valid_transactions_are_gossiped_and_once(running: Fixture) -> None:
    await running.intake.submit([raw(0), spoilt(1), raw(1000), b"x"])
    await running.intake.submit([raw(0)])
    assert running.sent == [([raw(0)], b"")]


async def test_what_a_member_sent_is_kept_and_not_passed_on(running: Fixture) -> None:
    assert running.intake.from_peer(PEER, [raw(0), raw(1)], relay=False) == 0
    await running.settle()
    assert set(running.pool.held) == {raw(0), raw(1)}
    assert running.sent == []


async def test_what_an_observer_sent_is_passed_on_but_not_back_to_it(running: Fixture) -> None:
    running.intake.from_peer(PEER, [raw(0)], relay=True)
    await running.settle()
    assert running.sent == [([raw(0)], PEER)]


async def test_bytes_that_no_honest_node_sends_are_counted_against_the_peer(
    running: Fixture,
) -> None:
    assert running.intake.from_peer(PEER, [b"x", raw(0), b"{}"], relay=False) == 2


async def test_a_peer_that_passes_on_bad_signatures_is_blamed_and_a_client_is_not(
    running: Fixture,
) -> None:
    await running.intake.submit([spoilt(7)])
    running.intake.from_peer(PEER, [raw(0), spoilt(1), spoilt(2)], relay=False)
    await running.settle()
    assert running.blamed == [(PEER, 2)]


async def test_a_check_keeps_and_sends_nothing(running: Fixture) -> None:
    results = await running.intake.submit([raw(0), spoilt(1)], keep=False)
    assert [each.status for each in results] == ["pending", "rejected"]
    assert running.pool.held == {}
    assert running.sent == []


async def test_a_full_queue_refuses_the_rest_item_by_item() -> None:
    fixture = Fixture(queue_max=40)
    submission = asyncio.create_task(fixture.intake.submit([raw(nonce) for nonce in range(15)]))
    await asyncio.sleep(0)
    late = await fixture.intake.submit([raw(99)])
    assert late[0].code == Reason.RATE_LIMITED.value
    consumer = asyncio.create_task(fixture.intake.run())
    results = await submission
    consumer.cancel()
    assert [each.status for each in results] == ["pending"] * 10 + ["rejected"] * 5
    assert fixture.intake.queued == 0


async def test_clients_are_refused_while_the_pool_is_crowded_and_peers_are_not() -> None:
    fixture = Fixture(queue_max=40)
    fixture.pool.crowded = True
    refused = await fixture.intake.submit([raw(0)])
    assert refused[0].code == Reason.MEMPOOL_FULL.value
    consumer = asyncio.create_task(fixture.intake.run())
    fixture.intake.from_peer(b"p" * 32, [raw(0)], relay=False)
    while not fixture.pool.held:
        await asyncio.sleep(0)
    consumer.cancel()


async def test_one_peer_cannot_take_the_queue_from_the_others() -> None:
    fixture = Fixture(queue_max=40)
    fixture.intake.from_peer(PEER, [raw(nonce) for nonce in range(100)], relay=False)
    assert fixture.intake.queued == 10
    assert fixture.intake.counters.dropped == 90
    fixture.intake.from_peer(b"q" * 32, [raw(nonce) for nonce in range(200, 205)], relay=False)
    assert fixture.intake.queued == 15
