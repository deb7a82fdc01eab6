"""What one WebSocket message between peers may be, and its bytes.

A frame is one kind byte and a body.  Numbers are big-endian.  Whatever a peer sends, decoding ends
in a frame or in `BadFrame`; counts and lengths are checked before anything is built from them.

| kind | body |
| --- | --- |
| CONSENSUS | one message of the finality core |
| TRANSACTIONS | packed raw transactions |
| ANNOUNCE | height u64, block hash: "I hold this block" |
| PING, PONG | 8 bytes, echoed |
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

from ledger.codec import pack, unpack
from ledger.errors import Rejected
from ledger.types import MAX_INTEGER

TRANSACTIONS_MAX = 4096
_HEIGHT_AND_HASH = struct.Struct(">Q32s")
PING_BYTES = 8


class FrameKind(IntEnum):
    CONSENSUS = 1
    TRANSACTIONS = 2
    ANNOUNCE = 3
    PING = 4
    PONG = 5


class BadFrame(Exception):
    """The peer sent bytes that are no frame."""


@dataclass(frozen=True, slots=True)
class ConsensusFrame:
    """One message of the finality core, still encoded."""

    message: bytes


@dataclass(frozen=True, slots=True)
class TransactionsFrame:
    """Raw transactions for the mempool."""

    raws: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class AnnounceFrame:
    """The sender holds this block and serves it by hash."""

    height: int
    digest: bytes


@dataclass(frozen=True, slots=True)
class PingFrame:
    """To be answered by the same bytes."""

    token: bytes


@dataclass(frozen=True, slots=True)
class PongFrame:
    """The answer to a ping."""

    token: bytes


Frame = ConsensusFrame | TransactionsFrame | AnnounceFrame | PingFrame | PongFrame


def consensus_frame(message: bytes) -> bytes:
    """Bytes that carry one message of the finality core."""
    return bytes((FrameKind.CONSENSUS,)) + message


def transactions_frame(raws: Sequence[bytes]) -> bytes:
    """Bytes that carry 1..TRANSACTIONS_MAX raw transactions."""
    return bytes((FrameKind.TRANSACTIONS,)) + pack(raws)


def announce_frame(height: int, digest: bytes) -> bytes:
    """Bytes that say: I hold this block."""
    return bytes((FrameKind.ANNOUNCE,)) + _HEIGHT_AND_HASH.pack(height, digest)


def ping_frame(token: bytes) -> bytes:
    """Bytes that ask for their echo."""
    return bytes((FrameKind.PING,)) + token


def pong_frame(token: bytes) -> bytes:
    """Bytes that echo a ping."""
    return bytes((FrameKind.PONG,)) + token


def decode_frame(data: bytes, max_bytes: int) -> Frame:
    """The frame in `data`, at most `max_bytes` long.  Raises BadFrame."""
    if not data or len(data) > max_bytes:
        raise BadFrame("empty or too long")
    kind, body = data[0], data[1:]
    match kind:
        case FrameKind.CONSENSUS:
            return ConsensusFrame(body)
        case FrameKind.TRANSACTIONS:
            return TransactionsFrame(_transactions(body))
        case FrameKind.ANNOUNCE:
            return AnnounceFrame(*_height_and_hash(body))
        case FrameKind.PING if len(body) == PING_BYTES:
            return PingFrame(body)
        case FrameKind.PONG if len(body) == PING_BYTES:
            return PongFrame(body)
        case _:
            raise BadFrame(f"unknown kind {kind} or wrong length")


def _transactions(body: bytes) -> tuple[bytes, ...]:
    try:
        raws = tuple(unpack(body, TRANSACTIONS_MAX, len(body)))
    except Rejected as error:
        raise BadFrame(error.detail) from None
    if not raws or not all(raws):
        raise BadFrame("no transactions, or an empty one")
    return raws


def _height_and_hash(body: bytes) -> tuple[int, bytes]:
    if len(body) != _HEIGHT_AND_HASH.size:
        raise BadFrame("wrong length")
    height, digest = _HEIGHT_AND_HASH.unpack(body)
    if height > MAX_INTEGER:
        raise BadFrame("height out of bounds")
    return height, digest
