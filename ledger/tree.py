"""The digest tree of the state: 4,096 buckets under a binary tree, updated incrementally.

    entry    = SHA-256(key) || SHA-256(value)                              64 bytes
    bucket   = SHA-256(bucket tag || u32 count || entries, ascending)      12 bits of SHA-256(key)
    node     = SHA-256(node tag || left || right)
    root     = node 1; node i has the children 2i and 2i + 1, nodes 4096 + b are the buckets

The shape is fixed, so the root depends on the entries alone and not on the order in which they
came.  A change costs two hashes for the entry, one for its bucket and twelve for its path, and the
path is shared: a block of 2,000 changes pays about two node hashes per change.  The bucket's hash
grows with the number of entries, 16 kB at a million; SHA-256 takes that in 9 us.

Tags and the count separate a bucket from a node and two buckets from each other, so no list of
entries reads as another.  A proof is the entries of the key's bucket and the twelve siblings of its
path.  Because it shows the whole bucket it proves absence as well as presence.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from itertools import pairwise
from typing import Annotated, NamedTuple

from msgspec import Meta

from ledger.codec import Record
from ledger.types import Digest, Hex32, Hex64

DEPTH = 12
BUCKETS = 1 << DEPTH

_DIGEST_BYTES = 32
_ENTRY_BYTES = 2 * _DIGEST_BYTES
_BUCKET_TAG = b"twinchain/state-bucket/v1\0"
_NODE_TAG = b"twinchain/state-node/v1\0"

MAX_PROOF_ENTRIES = 65_536
"""Entries a proof may show: far above what a bucket holds, a bound for who verifies."""


class StateProof(Record):
    """Evidence about one key under a state root."""

    entries: Annotated[tuple[Hex64, ...], Meta(max_length=MAX_PROOF_ENTRIES)]
    """The key's bucket: SHA-256 of key and of value of each entry, ascending."""
    siblings: Annotated[tuple[Hex32, ...], Meta(min_length=DEPTH, max_length=DEPTH)]
    """Digests beside the path, from the bucket up."""


@dataclass(frozen=True, slots=True)
class TreeChange:
    """New buckets and digests of nodes, relative to the tree they were computed from."""

    root: Digest
    buckets: dict[int, bytes]
    nodes: dict[int, Digest]


def _bucket_digest(bucket: bytes) -> Digest:
    count = len(bucket) // _ENTRY_BYTES
    return sha256(_BUCKET_TAG + count.to_bytes(4, "big") + bucket).digest()


def _bucket_number(key_hash: bytes) -> int:
    return (key_hash[0] << 8 | key_hash[1]) >> (16 - DEPTH)


def _with_entry(bucket: bytes, key_hash: bytes, value: bytes | None) -> bytes:
    """Return the bucket with one entry set, or removed for None."""
    start = bucket.find(key_hash)
    if start % _ENTRY_BYTES:  # not there (-1), or bytes that straddle entries look like it
        start = _position(bucket, key_hash)
    end = start + _DIGEST_BYTES
    rest = bucket[end + _DIGEST_BYTES :] if bucket[start:end] == key_hash else bucket[start:]
    if value is None:
        return bucket[:start] + rest
    return bucket[:start] + key_hash + sha256(value).digest() + rest


def _position(bucket: bytes, key_hash: bytes) -> int:
    """Return the offset of the first entry whose key is not below this one."""
    low, high = 0, len(bucket) // _ENTRY_BYTES
    while low < high:
        middle = (low + high) // 2
        start = middle * _ENTRY_BYTES
        if bucket[start : start + _DIGEST_BYTES] < key_hash:
            low = middle + 1
        else:
            high = middle
    return low * _ENTRY_BYTES


class Tree:
    """The tree of one committed state."""

    __slots__ = ("_buckets", "_nodes")

    def __init__(self) -> None:
        self._buckets = [b""] * BUCKETS
        self._nodes = [b""] * BUCKETS + [_bucket_digest(b"")] * BUCKETS
        for node in range(BUCKETS - 1, 0, -1):
            children = self._nodes[2 * node] + self._nodes[2 * node + 1]
            self._nodes[node] = sha256(_NODE_TAG + children).digest()

    @property
    def root(self) -> Digest:
        """Digest of node 1."""
        return self._nodes[1]

    def change(self, changes: Mapping[bytes, bytes | None]) -> TreeChange:
        """Return what these changes of keys lead to; the tree stays as it is."""
        buckets: dict[int, bytes] = {}
        for key, value in changes.items():
            key_hash = sha256(key).digest()
            number = _bucket_number(key_hash)
            bucket = buckets.get(number)
            if bucket is None:
                bucket = self._buckets[number]
            buckets[number] = _with_entry(bucket, key_hash, value)
        nodes = {BUCKETS + number: _bucket_digest(bucket) for number, bucket in buckets.items()}
        level = nodes
        for _ in range(DEPTH):
            level = self._parents(level)
            nodes.update(level)
        return TreeChange(nodes.get(1, self.root), buckets, nodes)

    def _parents(self, level: dict[int, Digest]) -> dict[int, Digest]:
        old = self._nodes
        parents: dict[int, Digest] = {}
        for node in level:
            parent = node >> 1
            if parent not in parents:
                left = parent + parent
                right = left + 1
                first = level[left] if left in level else old[left]
                second = level[right] if right in level else old[right]
                parents[parent] = sha256(_NODE_TAG + first + second).digest()
        return parents

    def apply(self, change: TreeChange) -> None:
        """Take over a change computed from this very tree."""
        for number, bucket in change.buckets.items():
            self._buckets[number] = bucket
        for node, value in change.nodes.items():
            self._nodes[node] = value

    def prove(self, key: bytes) -> StateProof:
        """Return the proof about a key, present or not."""
        return proof_from(self.part((key,)), key)

    def part(self, keys: Iterable[bytes]) -> "TreePart":
        """Return what of the tree is needed to prove each of these keys, shared parts once."""
        buckets: dict[int, bytes] = {}
        nodes: dict[int, Digest] = {}
        for key in keys:
            number = _bucket_number(sha256(key).digest())
            if number in buckets:
                continue
            buckets[number] = self._buckets[number]
            node = BUCKETS + number
            while node > 1 and node ^ 1 not in nodes:
                nodes[node ^ 1] = self._nodes[node ^ 1]
                node >>= 1
        return TreePart(buckets, nodes)


class TreePart(NamedTuple):
    """Buckets by number and digests by node: enough to prove the keys it was cut out for."""

    buckets: dict[int, bytes]
    nodes: dict[int, Digest]


def proof_from(part: TreePart, key: bytes) -> StateProof:
    """Return the proof about a key that `part` was cut out for.  Raises KeyError for another."""
    number = _bucket_number(sha256(key).digest())
    bucket = part.buckets[number]
    starts = range(0, len(bucket), _ENTRY_BYTES)
    entries = tuple(bucket[start : start + _ENTRY_BYTES].hex() for start in starts)
    node = BUCKETS + number
    siblings = tuple(part.nodes[(node >> level) ^ 1].hex() for level in range(DEPTH))
    return StateProof(entries, siblings)


def verify_state_proof(root: Digest, key: bytes, value: bytes | None, proof: StateProof) -> bool:
    """Say whether the proof shows that `key` has `value` (None: is absent) under `root`.

    Needs nothing but the arguments, so a client can check what a node told it.  Never raises for a
    proof that came through a codec.
    """
    entries = [bytes.fromhex(entry) for entry in proof.entries]
    keys = [entry[:_DIGEST_BYTES] for entry in entries]
    if any(first >= second for first, second in pairwise(keys)):
        return False
    if len(proof.siblings) != DEPTH:
        return False
    key_hash = sha256(key).digest()
    number = _bucket_number(key_hash)
    if any(_bucket_number(other) != number for other in keys):
        return False
    shown = dict(zip(keys, (entry[_DIGEST_BYTES:] for entry in entries), strict=True))
    if shown.get(key_hash) != (None if value is None else sha256(value).digest()):
        return False
    node, at = _bucket_digest(b"".join(entries)), BUCKETS + number
    for sibling in map(bytes.fromhex, proof.siblings):
        children = sibling + node if at & 1 else node + sibling
        node = sha256(_NODE_TAG + children).digest()
        at >>= 1
    return node == root
