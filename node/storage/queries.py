"""Read models over the database for the API and for peers that catch up; consensus never asks.

Every call opens a read transaction on a connection of its own pool that cannot write, so readers
neither wait for the writer nor hold it up.  A call costs 0.1 to 2 ms and is safe in any thread.

What is written behind (see `node/storage/pending.py`) is not in the tables yet, so it is asked for
there first: a block that is durable is found by everything here.
"""

import sqlite3
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import Any, Protocol

import msgspec
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from ledger.codec import unpack
from ledger.execution import Receipt
from ledger.state import Event
from ledger.types import Address, Digest, Height
from node.storage.blocks import read_anchor
from node.storage.database import reading_engine
from node.storage.errors import StorageFailed
from node.storage.pending import prefix_of
from node.storage.tables import MEMBERSHIP_KINDS, TELLS_OF_MEMBERSHIP

MAX_ROWS = 1_000
_BODY_PARTS = 4
# Explorer pages ask for many transactions of one block in a row.
CACHED_BODIES = 8

_BLOCK = (
    "SELECT height, hash, header, certificate, time_ms, builder, view, transactions, trades, size"
    " FROM block"
)
_RECEIPTS = msgspec.json.Decoder(list[Receipt])


class _StoredEvent(msgspec.Struct):
    """An event as JSON gives it back; the ledger's own type names its lists more exactly."""

    kind: str
    accounts: tuple[str, ...]
    data: dict[str, Any]


_EVENTS = msgspec.json.Decoder(list[_StoredEvent])


class _SkimmedEvent(msgspec.Struct, gc=False):
    """An event of which only the kind was looked at."""

    kind: str
    accounts: msgspec.Raw
    data: msgspec.Raw


_SKIMMED = msgspec.json.Decoder(list[_SkimmedEvent])
_ACCOUNTS = msgspec.json.Decoder(tuple[str, ...])
_DATA = msgspec.json.Decoder(dict[str, Any])


class Recent(Protocol):
    """Knows what is durable and not indexed yet: the store's `pending`."""

    def recent(self, transaction_id: Digest) -> tuple[Height, int] | None: ...
    def recent_activity(self, account: bytes) -> list[Height]: ...


@dataclass(frozen=True, slots=True)
class BlockRow:
    """A stored block without its body."""

    height: Height
    hash: Digest
    header: bytes
    certificate: bytes
    time_ms: int
    builder: Address
    view: int
    transactions: int
    trades: int
    size: int


@dataclass(frozen=True, slots=True)
class StoredTransaction:
    """A final transaction, its place and what became of it."""

    height: Height
    position: int
    raw: bytes
    receipt: Receipt


class Queries:
    """The read side of one database file."""

    def __init__(
        self,
        path: Path,
        transaction_id: Callable[[bytes], Digest],
        recent: Recent | None = None,
    ) -> None:
        """`transaction_id` gives the id of raw bytes; `recent` is the pending part of the store.

        Without `recent` (the database of a node that is down) the indices may lag some blocks.
        """
        self._engine = reading_engine(path)
        self._transaction_id = transaction_id
        self._recent = recent
        self._bodies: OrderedDict[Height, Sequence[bytes]] = OrderedDict()
        self._lock = Lock()

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        try:
            with self._engine.begin() as connection:
                yield connection
        except (SQLAlchemyError, sqlite3.Error, OSError) as error:
            raise StorageFailed(f"{type(error).__name__}: {error}") from error

    # ------------------------------------------------------------ blocks
    @cached_property
    def first_height(self) -> Height:
        """The lowest height whose block can be here: 1, or the one above the snapshot's."""
        with self._reading() as connection:
            anchor = read_anchor(connection)
        return 1 if anchor is None else anchor.height + 1

    def tip(self) -> BlockRow | None:
        """The newest stored block, None at genesis."""
        return next(iter(self.blocks(None, 1)), None)

    def block(self, height: Height) -> BlockRow | None:
        """The block at `height`."""
        return self._one_block("height = ?", height)

    def block_by_hash(self, digest: Digest) -> BlockRow | None:
        """The block with this hash."""
        return self._one_block("hash = ?", digest)

    def _one_block(self, condition: str, value: object) -> BlockRow | None:
        with self._reading() as connection:
            row = connection.exec_driver_sql(f"{_BLOCK} WHERE {condition}", (value,)).first()
        return None if row is None else BlockRow(*row)

    def blocks(self, before_height: Height | None, limit: int) -> list[BlockRow]:
        """Blocks below `before_height` (None: from the tip), newest first, at most `limit`."""
        below = 2**62 if before_height is None else before_height
        with self._reading() as connection:
            rows = connection.exec_driver_sql(
                f"{_BLOCK} WHERE height < ? ORDER BY height DESC LIMIT ?",
                (below, min(limit, MAX_ROWS)),
            ).all()
        return [BlockRow(*row) for row in rows]

    def blocks_at(self, heights: Sequence[Height]) -> list[BlockRow]:
        """The blocks at these heights that there are, ascending; at most MAX_ROWS are looked at."""
        wanted = tuple(heights[:MAX_ROWS])
        marks = ",".join("?" * len(wanted))
        with self._reading() as connection:
            rows = connection.exec_driver_sql(
                f"{_BLOCK} WHERE height IN ({marks}) ORDER BY height", wanted
            ).all()
        return [BlockRow(*row) for row in rows]

    def body(self, height: Height) -> bytes | None:
        """The encoded block at `height`, as it was decided."""
        return self._body_column("data", height)

    def _body_column(self, column: str, height: Height) -> bytes | None:
        with self._reading() as connection:
            row = connection.exec_driver_sql(
                f"SELECT {column} FROM body WHERE height = ?",
                (height,),
            ).first()
        return None if row is None else bytes(row[0])

    def chain_range(self, first: Height, last: Height, max_bytes: int) -> list[tuple[bytes, bytes]]:
        """(block bytes, certificate bytes) of `first`.. ascending, the first whatever its size.

        Empty unless `first` itself is here: what came after a gap would look like a lie.
        """
        chosen: list[tuple[bytes, bytes]] = []
        total = 0
        with self._reading() as connection:
            rows = connection.exec_driver_sql(
                "SELECT height, body.data, block.certificate FROM block JOIN body USING (height)"
                " WHERE height BETWEEN ? AND ? ORDER BY height",
                (first, min(last, first + MAX_ROWS - 1)),
            )
            for height, data, certificate in rows:
                if height != first + len(chosen):
                    break
                total += len(data) + len(certificate)
                if chosen and total > max_bytes:
                    break
                chosen.append((data, certificate))
        return chosen

    # ------------------------------------------------------------ transactions
    def transaction(self, transaction_id: Digest) -> StoredTransaction | None:
        """The final transaction with this id."""
        place = self.locate(transaction_id)
        if place is None:
            return None
        height, position = place
        raw = self._transactions(height)[position]
        return StoredTransaction(height, position, raw, self.receipts(height)[position])

    def locate(self, transaction_id: Digest) -> tuple[Height, int] | None:
        """Height and position of a final transaction."""
        for height, position in self._places(transaction_id):
            raws = self._transactions(height)
            if position < len(raws) and self._transaction_id(raws[position]) == transaction_id:
                return height, position
        return None

    def final_among(self, transaction_ids: Sequence[Digest]) -> list[Digest]:
        """Those of these transactions that are in final blocks."""
        return [name for name in transaction_ids if self.locate(name) is not None]

    def _places(self, transaction_id: Digest) -> list[tuple[Height, int]]:
        place = None if self._recent is None else self._recent.recent(transaction_id)
        if place is not None:
            return [place]
        with self._reading() as connection:
            rows = connection.exec_driver_sql(
                "SELECT height, position FROM transaction_location WHERE prefix = ?",
                (prefix_of(transaction_id),),
            ).all()
        return [(height, position) for height, position in rows]

    def _transactions(self, height: Height) -> Sequence[bytes]:
        with self._lock:
            held = self._bodies.get(height)
        if held is not None:
            return held
        body = self.body(height)
        raws = () if body is None else _transactions_in(body)
        if body is not None:
            with self._lock:
                self._bodies[height] = raws
                while len(self._bodies) > CACHED_BODIES:
                    self._bodies.popitem(last=False)
        return raws

    def receipts(self, height: Height) -> list[Receipt]:
        """The receipts of a block, in its order; empty where it is not stored."""
        stored = self._body_column("receipts", height)
        return [] if stored is None else _RECEIPTS.decode(stored)

    def activity(self, address: Address, before_height: Height | None, limit: int) -> list[Height]:
        """Heights below `before_height` at which the account changed, newest first.

        The index holds eight bytes of the address: a height may, very rarely, be another's.
        """
        below = 2**62 if before_height is None else before_height
        account, most = bytes.fromhex(address), min(limit, MAX_ROWS)
        recent = [] if self._recent is None else self._recent.recent_activity(account)
        with self._reading() as connection:
            rows = connection.exec_driver_sql(
                "SELECT height FROM activity WHERE account = ? AND height < ?"
                " ORDER BY height DESC LIMIT ?",
                (prefix_of(account), below, most),
            ).all()
        heights = {height for height in recent if height < below} | {row[0] for row in rows}
        return sorted(heights, reverse=True)[:most]

    def transactions_of(
        self, address: Address, before: tuple[Height, int] | None, limit: int
    ) -> list[tuple[Height, int]]:
        """Places of transactions that name the account, newest first, below `before`."""
        name = address.encode("ascii")
        below = (2**62, 0) if before is None else before
        found: list[tuple[Height, int]] = []
        for height in self.activity(address, below[0] + 1, MAX_ROWS):
            raws = self._transactions(height)
            for position in range(len(raws) - 1, -1, -1):
                if (height, position) < below and name in raws[position]:
                    found.append((height, position))
                    if len(found) == limit:
                        return found
        return found

    # ------------------------------------------------------------ what blocks told
    def events(self, height: Height) -> list[Event]:
        """The events of a block, in the order they happened."""
        stored = self._body_column("events", height)
        return [] if stored is None else _events(stored)

    def events_after(
        self, after: tuple[Height, int], limit: int
    ) -> list[tuple[Height, int, Event]]:
        """(height, index, event) above `after`, ascending; indices count from 1 in each block."""
        with self._reading() as connection:
            rows = connection.exec_driver_sql(
                "SELECT height, events FROM body WHERE height >= ? ORDER BY height LIMIT ?",
                (after[0], MAX_ROWS),
            )
            found: list[tuple[Height, int, Event]] = []
            for height, stored in rows:
                for index, event in enumerate(_events(stored), start=1):
                    if (height, index) > after:
                        found.append((height, index, event))
                if len(found) >= limit:
                    break
        return found[:limit]

    def membership(
        self, before_height: Height | None, limit: int
    ) -> list[tuple[Height, Sequence[tuple[int, Event]]]]:
        """Blocks that tell of members, sets, proposals, parameters or brokers, newest first.

        Each with those events and their numbers in the block, from 1; the others, of which a busy
        block has thousands, are skimmed and never held.  Below `before_height` (None: from the
        tip), at most `limit` blocks.
        """
        below = 2**62 if before_height is None else before_height
        with self._reading() as connection:
            rows = connection.exec_driver_sql(
                f"SELECT height, events FROM body WHERE ({TELLS_OF_MEMBERSHIP}) AND height < ?"
                " ORDER BY height DESC LIMIT ?",
                (below, min(limit, MAX_ROWS)),
            )
            return [(height, _membership_events(stored)) for height, stored in rows]

    def election(self, height: Height) -> bytes | None:
        """The election document of a height up to the next one, JSON."""
        with self._reading() as connection:
            row = connection.exec_driver_sql(
                "SELECT document FROM election WHERE height = ?", (height,)
            ).first()
        return None if row is None else bytes(row[0])

    def trade_proofs(self, height: Height) -> bytes | None:
        """What proves the trades of a block; None where nothing was kept."""
        return self._one_value("SELECT data FROM trade_proof WHERE height = ?", height)

    def voting_set(self, digest: Digest) -> bytes | None:
        """Key and VRF key of each validator of a set, 64 bytes each."""
        return self._one_value("SELECT data FROM voting_set WHERE digest = ?", digest)

    def _one_value(self, statement: str, name: object) -> bytes | None:
        with self._reading() as connection:
            row = connection.exec_driver_sql(statement, (name,)).first()
        return None if row is None else bytes(row[0])

    def round_document(self, height: Height) -> bytes | None:
        """The document of the auction rounds sealed in a block, JSON; None where there is none."""
        return self._body_column("round", height) or None


def _membership_events(stored: bytes) -> list[tuple[int, Event]]:
    """The events that `TELLS_OF_MEMBERSHIP` looks for, with their numbers, from 1."""
    return [
        (number, Event(each.kind, _ACCOUNTS.decode(each.accounts), _DATA.decode(each.data)))
        for number, each in enumerate(_SKIMMED.decode(stored), start=1)
        if each.kind.startswith(MEMBERSHIP_KINDS)
    ]


def _events(stored: bytes) -> list[Event]:
    return [Event(each.kind, each.accounts, each.data) for each in _EVENTS.decode(stored)]


def _transactions_in(body: bytes) -> list[bytes]:
    """The raw transactions of an encoded block of ours."""
    packed = unpack(body, _BODY_PARTS, len(body))[-1]
    return unpack(packed, len(packed), len(packed))
