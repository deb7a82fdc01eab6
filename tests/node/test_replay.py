"""A database leads to the state it was written in, or the node does not start on it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from node.application import startup
from node.application.application import Application
from node.application.chain import chain_of
from node.application.replay import Read, replay
from node.application.startup import open_application
from node.storage import pending as store_pending
from node.storage.errors import StoreCorrupt
from node.storage.queries import Queries
from node.storage.store import Store
from node.storage.writer import Writer
from tests.node.small_chain import (
    FLEETS,
    MEMBERS,
    PEOPLE,
    Wallet,
    ask,
    bid,
    build,
    decide,
    fresh_application,
    options,
)
from tests.node.stored_chain import GENESIS, HEIGHTS, open_node, run_chain


def same(reopened: Application, first: Application) -> None:
    assert reopened.head.hash == first.head.hash
    assert reopened.state.root == first.state.root
    assert dict(reopened.state.items()) == dict(first.state.items())
    assert reopened.height_start() == first.height_start()
    assert reopened.election == first.election


@pytest.mark.parametrize("flush_blocks", [1, 3, 64])
def test_a_restart_leads_to_the_same_state_whatever_was_written_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flush_blocks: int
) -> None:
    monkeypatch.setattr(store_pending, "FLUSH_BLOCKS", flush_blocks)
    first = run_chain(tmp_path)
    for _ in range(2):
        store, reopened = open_node(tmp_path)
        same(reopened, first)
        store.close()
    store, reopened = open_node(tmp_path)
    store.flush()
    store.close()
    store, reopened = open_node(tmp_path)
    same(reopened, first)
    assert store.pending.flushed_height == HEIGHTS
    store.close()


def test_a_restart_at_every_height_leads_to_the_same_chain(tmp_path: Path) -> None:
    straight = run_chain(tmp_path / "straight", 4)
    others = [fresh_application(GENESIS, index) for index in (1, 2, 3)]
    wallet = Wallet(others[0].chain)
    for height in range(1, 5):
        store, node = open_node(tmp_path / "broken")
        nodes = [node, *others]
        transactions = [wallet.pay(PEOPLE[height % 5], PEOPLE[height % 7 + 5])]
        if height == 1:
            transactions.append(wallet.sign(FLEETS[0], bid()))
            transactions.append(wallet.sign(MEMBERS[1], ask()))
        for each in nodes:
            for transaction in transactions:
                each.mempool.add(transaction)
        decide(nodes, build(nodes))
        store.close()
    store, node = open_node(tmp_path / "broken")
    same(node, straight)
    store.close()


async def test_blocks_that_go_through_the_writer_are_there_after_a_restart(tmp_path: Path) -> None:
    store = Store.open(tmp_path, GENESIS.hash)
    writer = Writer(store)
    writer.start()
    node = open_application(store, GENESIS, options(0), writer.submit_commit)
    nodes = [node, *(fresh_application(GENESIS, index) for index in (1, 2, 3))]
    for _ in range(3):
        decide(nodes, build(nodes))
    await writer.drain()
    queries = Queries(store.path, node.chain.transaction_id, store.pending)
    assert [row.height for row in queries.blocks(None, 9)] == [3, 2, 1]
    assert [queries.election(height) is not None for height in range(1, 6)] == [True] * 4 + [False]
    queries.close()
    await writer.close()
    store.close()
    store, reopened = open_node(tmp_path)
    same(reopened, node)
    store.close()


def reader(store: Store) -> tuple[Queries, Read]:
    chain = chain_of(GENESIS)
    queries = Queries(store.path, chain.transaction_id, store.pending)

    def read(height: int) -> tuple[bytes, bytes] | None:
        found = queries.chain_range(height, height, 1)
        return found[0] if found else None

    return queries, read


@pytest.mark.parametrize("signatures", [False, True])
def test_a_replay_from_genesis_meets_every_root(tmp_path: Path, signatures: bool) -> None:
    first = run_chain(tmp_path)
    store = Store.open(tmp_path, GENESIS.hash)
    queries, read = reader(store)
    heights = list(replay(chain_of(GENESIS), read, signatures=signatures))
    assert [each.height for each in heights] == list(range(1, HEIGHTS + 1))
    for each in heights:
        row = queries.block(each.height)
        assert row is not None
        assert row.hash == each.hash
    assert heights[-1].state_root == first.state.root
    queries.close()
    store.close()


def test_a_replay_finds_an_altered_block_and_an_unsigned_certificate(tmp_path: Path) -> None:
    run_chain(tmp_path)
    store = Store.open(tmp_path, GENESIS.hash)
    queries, read = reader(store)

    def altered(height: int) -> tuple[bytes, bytes] | None:
        found = read(height)
        if found is None or height != 3:
            return found
        return found[0][:-5] + bytes([found[0][-5] ^ 1]) + found[0][-4:], found[1]

    def unsigned(height: int) -> tuple[bytes, bytes] | None:
        found = read(height)
        return None if found is None else (found[0], found[1][:-1] + bytes([found[1][-1] ^ 1]))

    with pytest.raises(StoreCorrupt, match="block 3"):
        list(replay(chain_of(GENESIS), altered, signatures=False))
    with pytest.raises(StoreCorrupt, match="block 1"):
        list(replay(chain_of(GENESIS), unsigned, signatures=True))
    queries.close()
    store.close()


# ---------------------------------------------------------------- a database that was altered
def alter(directory: Path, statement: str, *values: object) -> None:
    connection = sqlite3.connect(directory / "chain.db")
    with connection:
        assert connection.execute(statement, values).rowcount == 1
    connection.close()


def flip(directory: Path, table: str, column: str, height: int, place: int) -> None:
    connection = sqlite3.connect(directory / "chain.db")
    query = f"SELECT {column} FROM {table} WHERE height = ?"
    data = bytearray(connection.execute(query, (height,)).fetchone()[0])
    connection.close()
    data[place] ^= 1
    alter(directory, f"UPDATE {table} SET {column} = ? WHERE height = ?", bytes(data), height)


Damage = Callable[[Path], None]
DAMAGE: dict[str, Damage] = {
    "a bit of an old body": lambda path: flip(path, "body", "data", 3, -3),
    "a bit of the last body": lambda path: flip(path, "body", "data", HEIGHTS, -3),
    "a bit of a clearing": lambda path: flip(path, "body", "data", HEIGHTS, 1_200),
    "a bit of a header": lambda path: flip(path, "block", "header", 2, 40),
    "a bit of a hash": lambda path: flip(path, "block", "hash", 2, 4),
    "a bit of a certificate's subject": lambda path: flip(path, "block", "certificate", 2, 30),
    "a body lost": lambda path: alter(path, "DELETE FROM body WHERE height = 6"),
    "a block lost": lambda path: alter(path, "DELETE FROM block WHERE height = 4"),
    "the first block lost": lambda path: alter(path, "DELETE FROM block WHERE height = 1"),
    "a state row altered": lambda path: alter(
        path, "UPDATE state SET value = ? WHERE key = ?", b'{"micro":1}', b"pot/pool"
    ),
    "a state row lost": lambda path: alter(path, "DELETE FROM state WHERE key = ?", b"pot/pool"),
    "a flushed height that is not there": lambda path: alter(
        path,
        "UPDATE meta SET value = ? WHERE name = 'flushed_height'",
        (HEIGHTS + 1).to_bytes(8, "big"),
    ),
    "a flushed height that is not the state's": lambda path: alter(
        path, "UPDATE meta SET value = ? WHERE name = 'flushed_height'", (3).to_bytes(8, "big")
    ),
}


@pytest.mark.parametrize("what", list(DAMAGE))
def test_a_node_does_not_start_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    monkeypatch.setattr(store_pending, "FLUSH_BLOCKS", 4)
    run_chain(tmp_path)
    DAMAGE[what](tmp_path)
    store = Store.open(tmp_path, GENESIS.hash)
    assert store.pending.flushed_height in (3, 4, HEIGHTS + 1)
    with pytest.raises(StoreCorrupt):
        startup.open_application(store, GENESIS, options(0), store.commit_block)
    store.close()
