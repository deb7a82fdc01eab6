"""A block's header and body: bytes, hash, and the checks that need no state.

The header is canonical JSON and its digest (tag `block`) is the block's hash.  It commits to every
part of the body: the transactions with their signatures and the receipts by Merkle lists, the
clearings and the commits by digests.  The last two are opaque here: the auction owns the one, and
consensus the other, but both move money, so both are under the hash.

A body is a packed list of header, clearings, commits and the packed transactions.  `decode_block`
checks that the body is the one the header names; it executes nothing and knows no signature.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from ledger.codec import Codec, Record, encode, pack, unpack
from ledger.crypto import digest
from ledger.errors import Reason, Rejected
from ledger.merkle import list_root
from ledger.parameters import BlockLimits
from ledger.transactions import TRANSACTION_LIST
from ledger.types import (
    Address,
    ChainName,
    Digest,
    Hex32,
    Hex80,
    Milliseconds,
    PositiveCount,
    ViewNumber,
)

_MAX_HEADER_BYTES = 4096
"""A header has about 1,100 bytes; this bounds what is read before it is decoded."""

_PARTS = 4
_LENGTHS_BYTES = 4 * (_PARTS + 1)


class Header(Record):
    """What the block's hash covers, and by its roots everything else."""

    chain: ChainName
    height: PositiveCount
    parent: Hex32
    view: ViewNumber
    """Origin view: the view in which the block was first proposed."""
    builder: Address
    """Leader of the origin view."""
    time_ms: Milliseconds
    vrf: Hex80
    """The builder's VRF proof for this height."""
    transactions_root: Hex32
    receipts_root: Hex32
    clearings_root: Hex32
    commits_root: Hex32
    state_root: Hex32
    """Root of the state after this block."""
    validators_hash: Hex32
    """Digest of the voting set of the next height."""


_HEADERS = Codec(Header, max_bytes=_MAX_HEADER_BYTES)


@dataclass(frozen=True, slots=True)
class Block:
    """A header with the body it names, as bytes."""

    header: Header
    header_bytes: bytes
    transactions: tuple[bytes, ...]
    clearings: bytes
    commits: bytes
    hash: Digest


def block_hash(header_bytes: bytes, genesis_hash: bytes) -> Digest:
    """Return the hash of the block with these header bytes."""
    return digest("block", header_bytes, genesis_hash)


def transactions_root(transactions: Sequence[bytes]) -> Digest:
    """Return the root of raw transactions, signatures included."""
    return list_root(TRANSACTION_LIST, transactions)


def clearings_root(clearings: bytes) -> Digest:
    """Return the digest a header holds of the sealed round."""
    return digest("clearings", clearings)


def commits_root(commits: bytes) -> Digest:
    """Return the digest a header holds of last commit, late votes, skips and evidence."""
    return digest("commits", commits)


def make_block(
    header: Header,
    transactions: Sequence[bytes],
    clearings: bytes,
    commits: bytes,
    genesis_hash: bytes,
) -> Block:
    """Return the block of a header and the body whose roots it already holds."""
    header_bytes = encode(header)
    hashed = block_hash(header_bytes, genesis_hash)
    return Block(header, header_bytes, tuple(transactions), clearings, commits, hashed)


def encode_block(block: Block) -> bytes:
    """Return the one byte form of a block."""
    return pack([block.header_bytes, block.clearings, block.commits, pack(block.transactions)])


def decode_header(header_bytes: bytes) -> Header:
    """Return the header of canonical bytes, else raise Rejected."""
    return _HEADERS.decode(header_bytes)


def decode_block(data: bytes, genesis_hash: bytes, limits: BlockLimits) -> Block:
    """Return the block of these bytes, its body checked against its header; nothing is executed.

    Raises Rejected: NOT_CANONICAL, VALIDATION_ERROR, BODY_TOO_LARGE, LIMIT_EXCEEDED, or BAD_ROOT
    for a body that is not the one the header names.
    """
    most = limits.max_bytes + 2 * limits.max_sealed_bytes + _MAX_HEADER_BYTES + _LENGTHS_BYTES
    parts = unpack(data, _PARTS, most)
    if len(parts) != _PARTS:
        raise Rejected(Reason.NOT_CANONICAL, f"a block has {_PARTS} parts, not {len(parts)}")
    header_bytes, clearings, commits, packed = parts
    if max(len(clearings), len(commits)) > limits.max_sealed_bytes:
        raise Rejected(Reason.BODY_TOO_LARGE, "clearings or commits are too large")
    header = decode_header(header_bytes)
    transactions = unpack(packed, limits.max_transactions, limits.max_bytes)
    if any(len(raw) > limits.max_transaction_bytes for raw in transactions):
        raise Rejected(Reason.BODY_TOO_LARGE, "a transaction is too large")
    block = Block(
        header,
        header_bytes,
        tuple(transactions),
        clearings,
        commits,
        block_hash(header_bytes, genesis_hash),
    )
    _require_roots(block)
    return block


def _require_roots(block: Block) -> None:
    found = {
        "transactions_root": transactions_root(block.transactions),
        "clearings_root": clearings_root(block.clearings),
        "commits_root": commits_root(block.commits),
    }
    for name, value in found.items():
        if getattr(block.header, name) != value.hex():
            raise Rejected(Reason.BAD_ROOT, f"{name} is not that of the body")
