"""The journal: what consensus wrote comes back as it was, and no vote is ever contradicted."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from consensus.simplex.journal import HeldBlock, HeldCertificate, OwnVote, Verdict
from consensus.simplex.types import Certificate, VoteKind
from node.storage.errors import DoubleVote, StorageError, StorageFailed
from node.storage.store import Store
from node.storage.writer import Writer
from tests.node.store_kit import GENESIS, run_of_blocks, vote

A, B = b"a" * 32, b"b" * 32


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store.open(tmp_path, GENESIS)
    yield opened
    opened.close()


def test_records_come_back_in_their_order_after_a_restart(tmp_path: Path) -> None:
    skip = Certificate(VoteKind.NULLIFY, 1, 1, 0, b"", b"\x0b", (bytes(64),) * 3)
    first = [HeldBlock(1, A, b"block bytes"), Verdict(1, A, True, 2)]
    second = [vote(VoteKind.NOTARIZE, 1, 2, A), HeldCertificate(skip), Verdict(1, B, False, 0)]
    store = Store.open(tmp_path, GENESIS)
    store.save_journal(first)
    store.save_journal(second)
    store.close()
    store = Store.open(tmp_path, GENESIS)
    assert store.journal() == (*first, *second)
    store.close()


def test_the_records_of_a_height_go_when_it_is_decided_and_later_ones_stay(store: Store) -> None:
    blocks = run_of_blocks(2)
    store.save_journal([vote(VoteKind.NOTARIZE, 1, 1), vote(VoteKind.FINALIZE, 1, 1)])
    store.commit_block(blocks[0])
    assert store.journal() == ()
    later = vote(VoteKind.NOTARIZE, 2, 1)
    store.save_journal([later])
    assert store.journal() == (later,)
    store.commit_block(blocks[1])
    assert store.journal() == ()


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (vote(VoteKind.NOTARIZE, 1, 1, A), vote(VoteKind.NOTARIZE, 1, 1, B)),
        (vote(VoteKind.NULLIFY, 1, 1), vote(VoteKind.FINALIZE, 1, 1, A)),
        (vote(VoteKind.FINALIZE, 1, 1, A), vote(VoteKind.NULLIFY, 1, 1)),
        (vote(VoteKind.FINALIZE, 1, 1, A), vote(VoteKind.FINALIZE, 1, 1, B)),
    ],
)
def test_a_contradicting_vote_is_refused_and_nothing_of_its_batch_stays(
    store: Store, first: OwnVote, second: OwnVote
) -> None:
    store.save_journal([first])
    with pytest.raises(DoubleVote):
        store.save_journal([vote(VoteKind.NOTARIZE, 1, 7), second])
    assert store.journal() == (first,)


def test_votes_that_may_stand_together_do(store: Store) -> None:
    together = [
        vote(VoteKind.NOTARIZE, 1, 1, A),
        vote(VoteKind.NULLIFY, 1, 1),
        vote(VoteKind.NOTARIZE, 1, 2, B),
        vote(VoteKind.FINALIZE, 1, 2, B),
        vote(VoteKind.NOTARIZE, 2, 1, A),
    ]
    store.save_journal(together)
    assert store.journal() == tuple(together)


def test_the_same_vote_again_is_no_second_vote(store: Store) -> None:
    own = vote(VoteKind.NOTARIZE, 1, 1, A)
    store.save_journal([own])
    store.save_journal([own, Verdict(1, A, True, 1)])
    assert store.journal() == (own, Verdict(1, A, True, 1))


# ---------------------------------------------------------------- the writer
async def test_what_was_persisted_is_on_the_disk_and_commits_come_before(store: Store) -> None:
    writer = Writer(store)
    durable: list[int] = []
    writer.on_durable.append(lambda committed: durable.append(committed.height))
    writer.start()
    blocks = run_of_blocks(2)
    await writer.persist([vote(VoteKind.NOTARIZE, 1, 1)])
    assert len(store.journal()) == 1
    writer.submit_commit(blocks[0])
    writer.submit_commit(blocks[1])
    await writer.persist([vote(VoteKind.NOTARIZE, 3, 1)])
    tip = store.tip()
    assert tip is not None
    assert tip.height == 2
    assert store.journal() == (vote(VoteKind.NOTARIZE, 3, 1),)
    await writer.drain()
    assert durable == [1, 2]
    await writer.close()


async def test_after_the_first_error_every_call_fails_and_nothing_more_is_written(
    store: Store,
) -> None:
    writer = Writer(store)
    told: list[BaseException] = []
    writer.on_failure.append(told.append)
    writer.start()
    block = run_of_blocks(1)[0]
    writer.submit_commit(block)
    writer.submit_commit(block)
    with pytest.raises(StorageFailed):
        await writer.persist([vote(VoteKind.NOTARIZE, 2, 1)])
    with pytest.raises(StorageFailed):
        await writer.persist([vote(VoteKind.NOTARIZE, 2, 1)])
    with pytest.raises(StorageFailed):
        writer.submit_commit(block)
    with pytest.raises(StorageFailed):
        await writer.drain()
    await writer.close()
    assert isinstance(writer.failure, StorageError)
    assert told == [writer.failure]
    assert store.journal() == ()


async def test_a_double_vote_stops_the_writer_for_good(store: Store) -> None:
    writer = Writer(store)
    writer.start()
    await writer.persist([vote(VoteKind.NOTARIZE, 1, 1, A)])
    with pytest.raises(StorageFailed, match="different own vote"):
        await writer.persist([vote(VoteKind.NOTARIZE, 1, 1, B)])
    assert isinstance(writer.failure, DoubleVote)
    await writer.close()
