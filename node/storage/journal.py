"""The journal of consensus in the database: appended in order, read back in order, dropped late.

The core and its driver decide what is written and when; this file only sees to it that a row is
a row.  Behind the core's own rule that it never signs twice stands the unique index over
(height, view, slot): a second and different vote is `DoubleVote`, whatever asked for it.
"""

from collections.abc import Iterator, Sequence

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from consensus.simplex.journal import (
    HeldBlock,
    HeldCertificate,
    JournalRecord,
    OwnVote,
    Verdict,
)
from consensus.simplex.types import VoteKind
from consensus.simplex.wire import (
    decode_certificate,
    decode_vote,
    encode_certificate,
    encode_vote,
)
from ledger.errors import Rejected
from ledger.types import Height
from node.storage.errors import DoubleVote, StoreCorrupt

KIND_VOTE, KIND_CERTIFICATE, KIND_BLOCK, KIND_VERDICT = 1, 2, 3, 4
SLOT_NONE, SLOT_NOTARIZE, SLOT_SKIP_OR_FINALIZE = 0, 1, 2
_DIGEST = 32

_Row = tuple[Height, int, int, int, bytes]
_INSERT = "INSERT INTO journal (height, view, slot, kind, data) VALUES (?, ?, ?, ?, ?)"


def slot_of(kind: VoteKind) -> int:
    """Votes of one view that share a slot exclude one another."""
    return SLOT_NOTARIZE if kind is VoteKind.NOTARIZE else SLOT_SKIP_OR_FINALIZE


def _row(record: JournalRecord) -> _Row:
    match record:
        case OwnVote(vote):
            return vote.height, vote.view, slot_of(vote.kind), KIND_VOTE, encode_vote(vote)
        case HeldCertificate(held):
            return held.height, held.view, SLOT_NONE, KIND_CERTIFICATE, encode_certificate(held)
        case HeldBlock(height, digest, data):
            return height, 0, SLOT_NONE, KIND_BLOCK, digest + data
        case Verdict(height, digest, valid, origin_view):
            return height, origin_view, SLOT_NONE, KIND_VERDICT, digest + bytes([valid])


def _record(height: Height, view: int, kind: int, data: bytes) -> JournalRecord:
    if kind == KIND_VOTE:
        return OwnVote(decode_vote(data))
    if kind == KIND_CERTIFICATE:
        return HeldCertificate(decode_certificate(data))
    if kind == KIND_BLOCK:
        return HeldBlock(height, data[:_DIGEST], data[_DIGEST:])
    if kind == KIND_VERDICT and len(data) == _DIGEST + 1:
        return Verdict(height, data[:_DIGEST], data[_DIGEST] == 1, view)
    raise StoreCorrupt(f"journal row of unknown kind {kind}")


def append(connection: Connection, records: Sequence[JournalRecord]) -> Height:
    """Add `records` in the caller's transaction; returns the highest height voted in, or 0.

    A vote that is already there, byte for byte, is not written again.  `DoubleVote` otherwise.
    """
    voted = 0
    for record in records:
        row = _row(record)
        try:
            connection.exec_driver_sql(_INSERT, row)
        except IntegrityError as error:
            if not _already(connection, row):
                where = f"height {row[0]}, view {row[1]}"
                raise DoubleVote(f"a different own vote is on record for {where}") from error
        if isinstance(record, OwnVote):
            voted = max(voted, record.height)
    return voted


def _already(connection: Connection, row: _Row) -> bool:
    found = connection.exec_driver_sql(
        "SELECT data FROM journal WHERE height = ? AND view = ? AND slot = ?", row[:3]
    ).first()
    return found is not None and bytes(found[0]) == row[4]


def read(connection: Connection, above: Height) -> Iterator[JournalRecord]:
    """All records of heights above `above`, in the order they were written."""
    rows = connection.exec_driver_sql(
        "SELECT height, view, kind, data FROM journal WHERE height > ? ORDER BY sequence",
        (above,),
    )
    for height, view, kind, data in rows:
        try:
            yield _record(height, view, kind, data)
        except Rejected as error:
            raise StoreCorrupt(f"journal of height {height} cannot be read: {error}") from error


def prune(connection: Connection, height: Height) -> None:
    """Drop the records of `height` and below; they are decided and never voted on again."""
    connection.exec_driver_sql("DELETE FROM journal WHERE height <= ?", (height,))


def latest_voted(connection: Connection) -> Height:
    """The highest height with an own vote on record, or 0."""
    row = connection.exec_driver_sql("SELECT max(height) FROM journal WHERE slot > 0").first()
    return 0 if row is None or row[0] is None else int(row[0])
