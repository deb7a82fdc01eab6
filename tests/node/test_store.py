"""The database: opened safely, written in whole blocks, guarded against forgotten votes."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import event, text

from consensus.simplex.types import VoteKind
from ledger.state import Event
from node.storage import pending as store_pending
from node.storage import store as store_module
from node.storage.backup import backup
from node.storage.database import writing_engine
from node.storage.errors import (
    SchemaTooNew,
    StorageError,
    StorageFailed,
    StoreLocked,
    StoreMissing,
    WrongGenesis,
)
from node.storage.guard import GuardReason
from node.storage.queries import Queries
from node.storage.store import Store
from node.storage.tables import TELLS_OF_MEMBERSHIP, metadata
from tests.node.store_kit import CODEC, GENESIS, KEY, committed, run_of_blocks, transfer, vote


def queries_of(store: Store) -> Queries:
    return Queries(store.path, lambda raw: CODEC.decode(raw).id, store.pending)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store.open(tmp_path, GENESIS)
    yield opened
    opened.close()


# ---------------------------------------------------------------- opening
def test_the_migrations_build_exactly_the_tables_that_are_declared(store: Store) -> None:
    engine = writing_engine(store.path)
    with engine.begin() as connection:
        context = MigrationContext.configure(connection)
        assert compare_metadata(context, metadata) == []
    engine.dispose()


def test_every_writing_connection_runs_wal_with_synchronous_full(store: Store) -> None:
    engine = writing_engine(store.path)
    with engine.connect() as connection:
        assert connection.execute(text("PRAGMA journal_mode")).scalar() == "wal"
        assert connection.execute(text("PRAGMA synchronous")).scalar() == 2
    engine.dispose()


def test_the_read_side_cannot_write(store: Store) -> None:
    queries = queries_of(store)
    with (
        pytest.raises(StorageFailed, match="readonly"),
        queries._reading() as connection,
    ):
        connection.exec_driver_sql("DELETE FROM meta")
    queries.close()


def test_a_second_opening_of_a_directory_is_refused(store: Store, tmp_path: Path) -> None:
    with pytest.raises(StoreLocked):
        Store.open(tmp_path, GENESIS)


def test_a_second_process_is_refused(store: Store, tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from node.storage.store import Store\n"
        "from node.storage.errors import StoreLocked\n"
        "try: Store.open(Path(sys.argv[1]), bytes.fromhex(sys.argv[2]))\n"
        "except StoreLocked: sys.exit(42)\n"
    )
    command = [sys.executable, "-c", script, str(tmp_path), GENESIS.hex()]
    assert subprocess.run(command, check=False, timeout=60).returncode == 42


def test_the_lock_is_given_back(tmp_path: Path) -> None:
    for _ in range(3):
        Store.open(tmp_path, GENESIS).close()


def test_a_database_of_another_genesis_is_refused_with_both_hashes(tmp_path: Path) -> None:
    Store.open(tmp_path, GENESIS).close()
    with pytest.raises(WrongGenesis) as caught:
        Store.open(tmp_path, bytes(32))
    assert GENESIS.hex() in str(caught.value)
    assert bytes(32).hex() in str(caught.value)
    Store.open(tmp_path, GENESIS).close()


def test_a_missing_database_is_not_made_where_it_must_exist(tmp_path: Path) -> None:
    with pytest.raises(StoreMissing):
        Store.open(tmp_path / "nothing", GENESIS, create=False)
    assert not (tmp_path / "nothing").exists()


def test_a_database_of_a_newer_program_is_refused(tmp_path: Path) -> None:
    Store.open(tmp_path, GENESIS).close()
    with sqlite3.connect(tmp_path / "chain.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    with pytest.raises(SchemaTooNew, match="9999"):
        Store.open(tmp_path, GENESIS)


def test_a_file_that_is_no_database_is_a_storage_failure(tmp_path: Path) -> None:
    (tmp_path / "chain.db").write_bytes(b"no database at all" * 100)
    with pytest.raises(StorageFailed):
        Store.open(tmp_path, GENESIS)


# ---------------------------------------------------------------- blocks
def test_a_block_and_all_it_told_can_be_read_back(store: Store) -> None:
    blocks = run_of_blocks(3)
    for block in blocks:
        store.commit_block(block)
    queries = queries_of(store)
    tip = queries.tip()
    assert tip is not None
    assert (tip.height, tip.hash, tip.trades) == (3, blocks[2].block.hash, 1)
    assert [row.height for row in queries.blocks(3, 10)] == [2, 1]
    assert queries.block_by_hash(blocks[0].block.hash) == queries.block(1)
    assert queries.body(2) == blocks[1].data
    assert queries.events(2) == list(blocks[1].events)
    assert queries.events_after((1, 1), 10) == [
        (2, 1, blocks[1].events[0]),
        (3, 1, blocks[2].events[0]),
    ]
    assert queries.election(4) == b'{"height":4}'
    assert queries.round_document(2) is None
    assert [body for body, _ in queries.chain_range(1, 9, 10**6)] == [b.data for b in blocks]
    assert len(queries.chain_range(1, 9, 1)) == 1
    queries.close()


@pytest.mark.parametrize("flushed", [False, True])
def test_a_transaction_is_found_before_and_after_its_index_is_written(
    store: Store, flushed: bool
) -> None:
    blocks = run_of_blocks(3)
    for block in blocks:
        store.commit_block(block)
    if flushed:
        store.flush()
    wanted = blocks[1].transactions[1]
    queries = queries_of(store)
    found = queries.transaction(wanted.id)
    assert found is not None
    assert (found.height, found.position, found.raw) == (2, 1, wanted.raw)
    assert found.receipt == blocks[1].receipts[1]
    assert queries.final_among([wanted.id, bytes(32)]) == [wanted.id]
    assert queries.transaction(wanted.id[:8] + bytes(24)) is None
    assert queries.activity(KEY.address, None, 10) == [3, 2, 1]
    assert queries.activity(KEY.address, 3, 1) == [2]
    assert queries.transactions_of(KEY.address, None, 3) == [(3, 1), (3, 0), (2, 1)]
    assert queries.transactions_of(KEY.address, (2, 1), 9) == [(2, 0), (1, 1), (1, 0)]
    queries.close()


def test_state_rows_come_in_one_transaction_with_their_height(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_pending, "FLUSH_BLOCKS", 2)
    blocks = run_of_blocks(3)
    store.commit_block(blocks[0])
    assert (store.state_rows(), store.pending.flushed_height) == ([], None)
    store.commit_block(blocks[1])
    account = b"account/" + bytes.fromhex(KEY.address)
    assert store.state_rows() == [(account, b"2"), (b"pot/2", b"x")]
    store.commit_block(blocks[2])
    assert store.pending.flushed_height == 2
    store.flush()
    assert store.state_rows() == [(account, b"3"), (b"pot/3", b"x")]


def test_the_height_of_the_state_survives_a_restart(tmp_path: Path) -> None:
    store = Store.open(tmp_path, GENESIS)
    for block in run_of_blocks(2):
        store.commit_block(block)
    store.flush()
    store.close()
    store = Store.open(tmp_path, GENESIS)
    assert store.pending.flushed_height == 2
    tip = store.tip()
    assert tip is not None
    assert tip.height == 2
    store.close()


def test_a_height_is_written_once(store: Store) -> None:
    (block,) = run_of_blocks(1)
    store.commit_block(block)
    with pytest.raises(StorageFailed):
        store.commit_block(block)


# ---------------------------------------------------------------- guard
def vote_and_commit(directory: Path, first: int, last: int) -> None:
    store = Store.open(directory, GENESIS)
    for block in run_of_blocks(last)[first - 1 :]:
        store.save_journal([vote(VoteKind.NOTARIZE, block.height, 1)])
        store.commit_block(block)
    store.save_journal([vote(VoteKind.NOTARIZE, last + 1, 1)])
    store.close()


def reason_at_open(directory: Path, *, restored: bool = False) -> tuple[GuardReason, int]:
    store = Store.open(directory, GENESIS, restored=restored)
    guard = store.guard
    store.close()
    return guard.reason, guard.floor


def test_a_fresh_directory_signs_at_the_start_of_a_chain_and_waits_in_a_running_one(
    store: Store,
) -> None:
    assert store.guard.reason is GuardReason.FRESH
    assert not store.guard.observing
    assert store.guard.may_sign(0, 0)
    assert not store.guard.may_sign(7, 7)
    assert store.guard.may_sign(8, 7)


def test_a_restart_after_a_crash_goes_on_signing(tmp_path: Path) -> None:
    vote_and_commit(tmp_path, 1, 2)
    assert reason_at_open(tmp_path) == (GuardReason.COMPLETE, 3)


def test_an_older_database_put_back_only_observes_until_its_votes_are_decided(
    tmp_path: Path,
) -> None:
    vote_and_commit(tmp_path, 1, 2)
    shutil.copy(tmp_path / "chain.db", tmp_path / "old.db")
    vote_and_commit(tmp_path, 3, 5)
    for name in ("chain.db", "chain.db-wal", "chain.db-shm"):
        (tmp_path / name).unlink(missing_ok=True)
    shutil.move(tmp_path / "old.db", tmp_path / "chain.db")
    assert reason_at_open(tmp_path) == (GuardReason.OLDER, 6)
    store = Store.open(tmp_path, GENESIS)
    assert store.guard.observing
    assert not store.guard.may_sign(5, 3)
    assert store.guard.may_sign(6, 3)
    assert not store.guard.may_sign(6, 6)
    store.close()


def test_a_lost_database_or_a_lost_guard_file_only_observes(tmp_path: Path) -> None:
    vote_and_commit(tmp_path, 1, 2)
    (tmp_path / "guard").unlink()
    assert reason_at_open(tmp_path)[0] is GuardReason.MISSING
    assert reason_at_open(tmp_path)[0] is GuardReason.MISSING
    other = tmp_path / "other"
    vote_and_commit(other, 1, 2)
    for name in ("chain.db", "chain.db-wal", "chain.db-shm"):
        (other / name).unlink(missing_ok=True)
    assert reason_at_open(other) == (GuardReason.MISSING, 3)
    assert reason_at_open(other) == (GuardReason.OLDER, 3)


def test_a_backup_that_is_cut_short_leaves_no_unmarked_copy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cut(_: Path) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("node.storage.backup._mark", cut)
    out = tmp_path / "out"
    out.mkdir()
    with closing(Store.open(tmp_path / "no #1?", GENESIS)) as store:
        with pytest.raises(KeyboardInterrupt):
            backup(store.path, out / "copy.db")
        assert list(out.iterdir()) == []
        monkeypatch.undo()
        backup(store.path, out / "copy.db")
    assert [path.name for path in out.iterdir()] == ["copy.db"]


def test_a_copy_made_for_backup_only_observes_until_told_otherwise(tmp_path: Path) -> None:
    vote_and_commit(tmp_path / "node", 1, 2)
    store = Store.open(tmp_path / "node", GENESIS)
    (tmp_path / "new").mkdir()
    backup(store.path, tmp_path / "new" / "chain.db")
    with pytest.raises(StorageFailed, match="exists"):
        backup(store.path, tmp_path / "new" / "chain.db")
    store.close()
    assert reason_at_open(tmp_path / "node")[0] is GuardReason.COMPLETE
    assert reason_at_open(tmp_path / "new")[0] is GuardReason.RESTORED
    store = Store.open(tmp_path / "new", GENESIS)
    assert store.guard.observing
    store.end_observation()
    assert not store.guard.observing
    store.close()
    assert reason_at_open(tmp_path / "new")[0] is GuardReason.COMPLETE


def test_a_node_declared_restored_stays_so_over_restarts(tmp_path: Path) -> None:
    vote_and_commit(tmp_path, 1, 2)
    assert reason_at_open(tmp_path, restored=True)[0] is GuardReason.RESTORED
    assert reason_at_open(tmp_path)[0] is GuardReason.RESTORED


# ---------------------------------------------------------------- faults
class Fault:
    """Raises at the k-th statement or commit that reaches the database."""

    def __init__(self, at: int, error: type[Exception]) -> None:
        self.at, self.error, self.count = at, error, 0

    def hit(self) -> None:
        self.count += 1
        if self.count == self.at:
            raise self.error("injected disk error")

    def on_execute(self, *_: Any) -> None:
        self.hit()

    def on_commit(self, _: Any) -> None:
        self.hit()


def write_run(store: Store) -> tuple[int, int]:
    """A three-block run; returns the height and the votes acknowledged before the error."""
    acknowledged, votes = 0, 0
    try:
        for block in run_of_blocks(3):
            store.save_journal([vote(VoteKind.NOTARIZE, block.height, 1)])
            votes += 1
            store.commit_block(block)
            acknowledged = block.height
        store.flush()
    except StorageError:
        return acknowledged, votes
    return acknowledged, -1


@pytest.mark.parametrize("error", [OSError, sqlite3.OperationalError])
def test_whatever_storage_call_fails_nothing_acknowledged_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    monkeypatch.setattr(store_pending, "FLUSH_BLOCKS", 2)
    k, finished = 0, False
    while not finished:
        k += 1
        directory = tmp_path / f"{error.__name__}-{k}"
        store = Store.open(directory, GENESIS)
        fault = Fault(k, error)
        engine = store._connection.engine
        event.listen(engine, "before_cursor_execute", fault.on_execute)
        event.listen(engine, "commit", fault.on_commit)
        acknowledged, votes = write_run(store)
        finished = votes == -1
        event.remove(engine, "before_cursor_execute", fault.on_execute)
        event.remove(engine, "commit", fault.on_commit)
        store.close()
        store = Store.open(directory, GENESIS)
        tip = store.tip()
        assert (0 if tip is None else tip.height) == acknowledged
        if not finished and votes > acknowledged:
            assert len(store.journal()) == votes - acknowledged
        assert (store.pending.flushed_height or 0) <= acknowledged
        store.close()
    assert k > 20, "the sweep must have reached every call"


KILLED_WRITER = """
import sys
from pathlib import Path
from consensus.simplex.types import VoteKind
from node.storage.store import Store
from tests.node.store_kit import GENESIS, run_of_blocks, vote
store = Store.open(Path(sys.argv[1]), GENESIS)
for block in run_of_blocks(400, 1):
    store.save_journal([vote(VoteKind.NOTARIZE, block.height, 1)])
    print("v", block.height, flush=True)
    store.commit_block(block)
    print("b", block.height, flush=True)
"""


@pytest.mark.parametrize("kill_after", [3, 40, 150])
def test_nothing_acknowledged_is_lost_when_the_process_is_killed(
    tmp_path: Path, kill_after: int
) -> None:
    command = [sys.executable, "-c", KILLED_WRITER, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        last = {"v": 0, "b": 0}
        for _ in range(kill_after):
            what, height = process.stdout.readline().split()
            last[what] = int(height)
        os.kill(process.pid, signal.SIGKILL)
        for line in process.stdout:
            what, height = line.split()
            last[what] = int(height)
    store = Store.open(tmp_path, GENESIS)
    assert store.guard.reason is GuardReason.COMPLETE
    tip = store.tip()
    height = 0 if tip is None else tip.height
    assert height >= last["b"]
    assert [row.height for row in store.headers()] == list(range(1, height + 1))
    voted = {record.height for record in store.journal()}
    assert last["v"] <= height or last["v"] in voted
    store.close()


def test_a_full_disk_is_an_error_and_not_a_loss(store: Store) -> None:
    blocks = run_of_blocks(2)
    store.commit_block(blocks[0])
    store._connection.exec_driver_sql("SELECT 1")
    store._connection.rollback()
    raw = store._connection.connection.dbapi_connection
    assert raw is not None
    pages = raw.execute("PRAGMA page_count").fetchone()[0]
    raw.execute(f"PRAGMA max_page_count={pages}")
    big = run_of_blocks(2, per_block=300)[1]
    with pytest.raises(StorageFailed, match="full"):
        store.commit_block(big)
    tip = store.tip()
    assert tip is not None
    assert tip.height == 1


def test_the_module_under_test_is_the_one_of_this_tree() -> None:
    assert Path(store_module.__file__).is_relative_to(Path(__file__).parent.parent.parent)
    assert transfer(0).id != transfer(1).id


# ---------------------------------------------------------------- membership
def test_blocks_that_tell_of_membership_are_found_by_an_index_of_their_own(store: Store) -> None:
    who, quoted = "ab" * 32, '"kind":"member.x'
    other = Event("stake.changed", ("cd" * 32,), {"note": quoted})
    told = {
        2: (Event("member.left", (who,), {"address": who}),),
        5: (Event("broker.applied", (), {"name": "x"}),),
    }
    parent = GENESIS
    for height in range(1, 7):
        block = committed(height, parent, events=(other, *told.get(height, ())))
        store.commit_block(block)
        parent = block.block.hash
    queries = queries_of(store)
    assert [height for height, _ in queries.membership(None, 9)] == [5, 2]
    assert [height for height, _ in queries.membership(5, 9)] == [2]
    ((_, events),) = queries.membership(5, 1)
    assert events == [(2, told[2][0])]  # the other event is not one of them, whatever it quotes
    sql = f"EXPLAIN QUERY PLAN SELECT height FROM body WHERE ({TELLS_OF_MEMBERSHIP})"
    with sqlite3.connect(store.path) as connection:
        plan = str(connection.execute(f"{sql} AND height < 9 ORDER BY height DESC").fetchall())
    assert "ix_body_membership" in plan
    queries.close()


def test_a_database_of_the_first_schema_gains_the_index_and_keeps_its_blocks(
    tmp_path: Path,
) -> None:
    with closing(Store.open(tmp_path, GENESIS)) as store:
        store.commit_block(committed(1, GENESIS, events=(Event("member.left", (), {}),)))
    with closing(sqlite3.connect(tmp_path / "chain.db")) as connection:
        connection.execute("DROP INDEX ix_body_membership")
        for table in ("trade_proof", "voting_set"):
            connection.execute(f"DROP TABLE {table}")
        connection.execute("UPDATE alembic_version SET version_num = '0001'")
        connection.commit()
    with closing(Store.open(tmp_path, GENESIS)) as store:
        queries = queries_of(store)
        assert [height for height, _ in queries.membership(None, 9)] == [1]
        queries.close()
