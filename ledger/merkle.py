"""Merkle roots of lists, with proofs of membership.

    leaf = SHA-256(twinchain/list-leaf/v1 || 0 || item)
    node = SHA-256(twinchain/list-node/v1 || 0 || left || right)
    root = SHA-256(twinchain/list-root/v1 || 0 || tag || 0 || u64 count || top)

Three known mistakes are kept out.  A leaf can never be read as a node (CVE-2012-2459's relatives),
since they carry different tags.  An odd node moves up unchanged instead of being paired with
itself, and the count is under the root, so no list has the root of a longer one.  Items are hashed
one by one, so moving a boundary between two of them changes both leaves (CVE-2023-46132).  The
tag keeps a list of receipts from standing for a list of transactions.
"""

import hashlib
from collections.abc import Sequence
from typing import Annotated

from msgspec import Meta

from ledger.codec import Record
from ledger.types import Count, Digest, Hex32

_LEAF_TAG = b"twinchain/list-leaf/v1\0"
_NODE_TAG = b"twinchain/list-node/v1\0"
_ROOT_TAG = b"twinchain/list-root/v1\0"
_NO_ITEMS = bytes(32)

MAX_DEPTH = 53


class ListProof(Record):
    """Evidence that an item stands at `index` in a list of `count` items."""

    index: Count
    count: Count
    siblings: Annotated[tuple[Hex32, ...], Meta(max_length=MAX_DEPTH)]
    """Digests beside the path, from the leaf up; a level where the node had none is left out."""


def _hash(data: bytes) -> Digest:
    return hashlib.sha256(data).digest()


def _seal(tag: str, count: int, top: Digest) -> Digest:
    return _hash(_ROOT_TAG + tag.encode("ascii") + b"\0" + count.to_bytes(8, "big") + top)


def _leaves(items: Sequence[bytes]) -> list[Digest]:
    sha256 = hashlib.sha256
    return [sha256(_LEAF_TAG + item).digest() for item in items]


def _parents(level: list[Digest]) -> list[Digest]:
    sha256 = hashlib.sha256
    pairs = zip(level[::2], level[1::2], strict=False)
    parents = [sha256(_NODE_TAG + left + right).digest() for left, right in pairs]
    if len(level) % 2:
        parents.append(level[-1])
    return parents


def list_root(tag: str, items: Sequence[bytes]) -> Digest:
    """Return the root of a list of this kind; `tag` is a word of the protocol, not input."""
    level = _leaves(items)
    while len(level) > 1:
        level = _parents(level)
    return _seal(tag, len(items), level[0] if level else _NO_ITEMS)


def list_proof(items: Sequence[bytes], index: int) -> ListProof:
    """Return the proof for the item at `index`.  Raises IndexError outside the list."""
    if not 0 <= index < len(items):
        raise IndexError(f"no item {index} in a list of {len(items)}")
    level, at = _leaves(items), index
    siblings = []
    while len(level) > 1:
        if at ^ 1 < len(level):
            siblings.append(level[at ^ 1].hex())
        level, at = _parents(level), at >> 1
    return ListProof(index, len(items), tuple(siblings))


def verify_list_proof(root: Digest, tag: str, item: bytes, proof: ListProof) -> bool:
    """Say whether the proof shows `item` at `proof.index` of the list with this root."""
    if not 0 <= proof.index < proof.count:
        return False
    node, at, width = _hash(_LEAF_TAG + item), proof.index, proof.count
    siblings = list(map(bytes.fromhex, reversed(proof.siblings)))
    while width > 1:
        if at ^ 1 < width:
            if not siblings:
                return False
            sibling = siblings.pop()
            node = _hash(_NODE_TAG + (sibling + node if at & 1 else node + sibling))
        at, width = at >> 1, (width + 1) // 2
    return not siblings and _seal(tag, proof.count, node) == root
