"""Statements for decided blocks: one transaction writes one, and start-up reads them back."""

from collections.abc import Iterator, Sequence

from sqlalchemy import Connection

from consensus.simplex.types import ValidatorSet
from consensus.simplex.wire import encode_certificate
from ledger.codec import encode, pack, unpack
from ledger.errors import Rejected
from ledger.types import Height
from node.storage.batch import CommittedBlock, StoredTip
from node.storage.errors import StoreCorrupt

HEADERS_AT_ONCE = 512
STATE_ROWS_AT_ONCE = 1_000

# The block a database begins after when it was made from a snapshot: no row of `block`, since its
# body was never here.
ANCHOR = "snapshot"
_ANCHOR_PARTS = 4
_KEY_BYTES = 32

_INSERT_BLOCK = (
    "INSERT INTO block (height, hash, time_ms, view, builder, transactions, trades, size,"
    " header, certificate) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_INSERT_BODY = "INSERT INTO body (height, receipts, events, round, data) VALUES (?, ?, ?, ?, ?)"
_SAVE_ELECTION = (
    "INSERT INTO election (height, document) VALUES (?, ?)"
    " ON CONFLICT (height) DO UPDATE SET document = excluded.document"
)

_INSERT_PROOFS = "INSERT INTO trade_proof (height, data) VALUES (?, ?)"
_SAVE_SET = "INSERT OR IGNORE INTO voting_set (digest, data) VALUES (?, ?)"


def insert_block(connection: Connection, committed: CommittedBlock) -> None:
    """Write block, body and the next election.  A height twice is an error of the caller."""
    block, header = committed.block, committed.block.header
    connection.exec_driver_sql(
        _INSERT_BLOCK,
        (
            header.height,
            block.hash,
            header.time_ms,
            header.view,
            header.builder,
            len(committed.transactions),
            committed.trades,
            len(committed.data),
            block.header_bytes,
            encode_certificate(committed.certificate),
        ),
    )
    connection.exec_driver_sql(
        _INSERT_BODY,
        (
            header.height,
            encode(list(committed.receipts)),
            encode(list(committed.events)),
            committed.round,
            committed.data,
        ),
    )
    save_election(connection, header.height + 1, committed.election)
    if committed.trade_proofs:
        connection.exec_driver_sql(_INSERT_PROOFS, (header.height, committed.trade_proofs))
    if committed.next_set is not None:
        save_set(connection, committed.next_set)


def save_set(connection: Connection, validators: ValidatorSet) -> None:
    """Keep a voting set for good: the state forgets it, who follows the chain needs it."""
    connection.exec_driver_sql(_SAVE_SET, (validators.digest, encode_set(validators)))


def encode_set(validators: ValidatorSet) -> bytes:
    """64 bytes for each validator: its key, then its VRF key."""
    pairs = zip(validators.keys, validators.vrf_keys, strict=True)
    return b"".join(key + vrf_key for key, vrf_key in pairs)


def decode_set(stored: bytes) -> ValidatorSet:
    """The voting set that `encode_set` stored."""
    keys = [stored[at : at + _KEY_BYTES] for at in range(0, len(stored), _KEY_BYTES)]
    return ValidatorSet(tuple(keys[::2]), tuple(keys[1::2]))


def save_election(connection: Connection, height: Height, document: bytes) -> None:
    """Keep the election document of `height`; it cannot be made again from later states."""
    connection.exec_driver_sql(_SAVE_ELECTION, (height, document))


def write_anchor(connection: Connection, anchor: StoredTip) -> None:
    """Let the database begin after this block, whose body is not here."""
    height = anchor.height.to_bytes(8, "big")
    packed = pack([height, anchor.hash, anchor.header, anchor.certificate])
    write_meta(connection, ANCHOR, packed)


def read_anchor(connection: Connection) -> StoredTip | None:
    """The block of the snapshot this database was made from; None if it begins at genesis."""
    packed = read_meta(connection, ANCHOR)
    if packed is None:
        return None
    try:
        height, digest, header, certificate = unpack(packed, _ANCHOR_PARTS, len(packed))
    except (Rejected, ValueError) as error:
        raise StoreCorrupt(f"the block of the snapshot does not read back: {error}") from error
    return StoredTip(int.from_bytes(height, "big"), digest, header, certificate)


def read_tip(connection: Connection) -> StoredTip | None:
    """The highest stored block or the one of the snapshot, or None at genesis."""
    row = connection.exec_driver_sql(
        "SELECT height, hash, header, certificate FROM block ORDER BY height DESC LIMIT 1"
    ).first()
    return read_anchor(connection) if row is None else StoredTip(*row)


def read_header(connection: Connection, height: Height) -> StoredTip | None:
    """The block at `height` without its body; also the one of the snapshot."""
    row = connection.exec_driver_sql(
        "SELECT height, hash, header, certificate FROM block WHERE height = ?", (height,)
    ).first()
    if row is not None:
        return StoredTip(*row)
    anchor = read_anchor(connection)
    return anchor if anchor is not None and anchor.height == height else None


def read_headers(connection: Connection) -> Iterator[StoredTip]:
    """Every stored block without its body, ascending, a few hundred at a time."""
    below = 0
    while True:
        rows = connection.exec_driver_sql(
            "SELECT height, hash, header, certificate FROM block WHERE height > ?"
            " ORDER BY height LIMIT ?",
            (below, HEADERS_AT_ONCE),
        ).all()
        if not rows:
            return
        yield from (StoredTip(*row) for row in rows)
        below = rows[-1][0]


def read_body(connection: Connection, height: Height) -> bytes | None:
    """The encoded block at `height` as it was decided, or None where it is not stored."""
    row = connection.exec_driver_sql("SELECT data FROM body WHERE height = ?", (height,)).first()
    return None if row is None else bytes(row[0])


def read_state(connection: Connection) -> Iterator[tuple[bytes, bytes]]:
    """All state rows as of the flushed height, ascending by key, never all in memory."""
    rows = connection.exec_driver_sql("SELECT key, value FROM state ORDER BY key")
    yield from ((key, value) for key, value in rows.yield_per(STATE_ROWS_AT_ONCE))


def insert_state(connection: Connection, rows: Sequence[tuple[bytes, bytes]]) -> None:
    """Add state rows to a new database."""
    connection.exec_driver_sql("INSERT INTO state (key, value) VALUES (?, ?)", list(rows))


def state_size(connection: Connection) -> tuple[int, int]:
    """Number of state rows, and bytes of all keys and values."""
    row = connection.exec_driver_sql(
        "SELECT count(*), coalesce(sum(length(key) + length(value)), 0) FROM state"
    ).one()
    return int(row[0]), int(row[1])


def read_meta(connection: Connection, name: str) -> bytes | None:
    """A named value of the `meta` table."""
    row = connection.exec_driver_sql("SELECT value FROM meta WHERE name = ?", (name,)).first()
    return None if row is None else bytes(row[0])


def write_meta(connection: Connection, name: str, value: bytes) -> None:
    """Set a named value of the `meta` table."""
    connection.exec_driver_sql(
        "INSERT INTO meta (name, value) VALUES (?, ?)"
        " ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        (name, value),
    )
