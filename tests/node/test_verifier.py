"""Signature checks: the same verdict inline, in the process, and from memory."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator

import pytest

from ledger.crypto import SigningKey
from ledger.errors import Reason, Rejected
from ledger.native import ACTIONS, Transfer
from ledger.transactions import Transaction, TransactionCodec, build_transaction
from node.intake.verifier import INLINE_MAX, Verifier

GENESIS = b"g" * 32
KEY = SigningKey.from_seed(b"\x01" * 32)
CODEC = TransactionCodec(tuple(ACTIONS), "test", GENESIS, 65_536)


def transaction(nonce: int, *, good: bool = True) -> Transaction:
    raw = build_transaction(KEY, GENESIS, "test", nonce, [Transfer(to=KEY.address, amount_micro=1)])
    if not good:
        swapped = b"1" if raw[-3:-2] != b"1" else b"2"
        raw = raw[:-3] + swapped + raw[-2:]
    return CODEC.decode(raw)


@pytest.fixture
async def verifier() -> AsyncIterator[Verifier]:
    made = Verifier(10_000)
    yield made
    await made.close()


async def test_a_small_lot_is_checked_without_a_process(verifier: Verifier) -> None:
    lot = [transaction(nonce, good=nonce != 3) for nonce in range(INLINE_MAX)]
    assert await verifier.verify(lot) == [nonce != 3 for nonce in range(INLINE_MAX)]
    assert verifier.worker_pid is None


async def test_a_large_lot_is_checked_by_the_process_with_the_same_verdicts(
    verifier: Verifier,
) -> None:
    lot = [transaction(nonce, good=nonce % 7 != 0) for nonce in range(600)]
    assert await verifier.verify(lot) == [nonce % 7 != 0 for nonce in range(600)]
    assert verifier.worker_pid is not None
    assert verifier.worker_failures == 0


async def test_what_was_checked_is_not_checked_again(verifier: Verifier) -> None:
    lot = [transaction(0), transaction(1, good=False), transaction(0)]
    assert await verifier.verify(lot) == [True, False, True]
    assert verifier.checked == 2
    assert await verifier.verify(lot) == [True, False, True]
    assert verifier.checked == 2
    assert verifier.known_good(lot[0])
    assert not verifier.known_good(lot[1])


async def test_a_spoilt_signature_is_not_covered_by_the_good_one_of_the_same_content(
    verifier: Verifier,
) -> None:
    good, spoilt = transaction(0), transaction(0, good=False)
    assert good.id == spoilt.id
    assert await verifier.verify([good]) == [True]
    assert await verifier.verify([spoilt]) == [False]
    with pytest.raises(Rejected) as refusal:
        verifier.check_now([good, spoilt])
    assert refusal.value.reason is Reason.INVALID_SIGNATURE


async def test_two_calls_at_once_share_the_check(verifier: Verifier) -> None:
    lot = [transaction(nonce) for nonce in range(100)]
    first, second = await asyncio.gather(verifier.verify(lot), verifier.verify(lot[50:]))
    assert all(first)
    assert all(second)
    assert verifier.checked == 100


async def test_a_dead_process_costs_speed_and_no_verdict(verifier: Verifier) -> None:
    await verifier.verify([transaction(nonce) for nonce in range(40)])
    assert verifier.worker_pid is not None
    os.kill(verifier.worker_pid, signal.SIGKILL)
    lot = [transaction(nonce, good=nonce != 150) for nonce in range(100, 200)]
    assert await verifier.verify(lot) == [nonce != 150 for nonce in range(100, 200)]
    assert verifier.worker_failures == 1


async def test_an_interrupt_from_the_terminal_leaves_the_process_working(
    verifier: Verifier,
) -> None:
    await verifier.verify([transaction(nonce) for nonce in range(40)])
    pid = verifier.worker_pid
    assert pid is not None
    os.kill(pid, signal.SIGINT)
    assert all(await verifier.verify([transaction(nonce) for nonce in range(100, 200)]))
    assert verifier.worker_pid == pid


async def test_the_memory_of_verdicts_is_bounded() -> None:
    verifier = Verifier(10, use_worker=False)
    lot = [transaction(nonce) for nonce in range(50)]
    assert all(await verifier.verify(lot))
    assert len(verifier._cache) == 10
    assert all(await verifier.verify(lot))
