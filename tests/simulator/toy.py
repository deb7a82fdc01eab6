"""A toy application: a chain of counters, hash-linked, with changing leaders and validator sets.

It checks what a real one must: the builder is the leader of the origin view, the skipped views
are proven exactly, time rises, the count is the parent's plus one.
"""

from dataclasses import dataclass
from hashlib import sha256

from consensus.simplex.application import BlockFacts, BuildRequest
from consensus.simplex.certificates import verify_certificate
from consensus.simplex.types import (
    Certificate,
    HeightStart,
    ValidatorSet,
    Verify,
    Vote,
    VoteKind,
)
from consensus.simplex.wire import decode_certificate, encode_certificate
from ledger.codec import pack, unpack
from ledger.crypto import digest
from ledger.errors import Corrupt, Reason, Rejected
from tests.simulator.disk import Disk, StoredBlock

MAX_BYTES = 1 << 16


@dataclass(frozen=True)
class ToyChain:
    """What all nodes agree on from the start."""

    genesis_hash: bytes
    genesis_time_ms: int
    block_time_ms: int
    keys: tuple[bytes, ...]
    n: int
    heights_per_set: int
    verify: Verify

    def validators(self, height: int) -> ValidatorSet:
        """n of the keys, another choice every `heights_per_set` heights (0: always the same)."""
        era = height // self.heights_per_set if self.heights_per_set else 0
        ranked = sorted(self.keys, key=lambda key: sha256(b"%d" % era + key).digest())
        chosen = tuple(sorted(ranked[: self.n]))
        return ValidatorSet(chosen, chosen)

    def order(self, height: int, parent: bytes) -> tuple[int, ...]:
        return tuple(
            sorted(
                range(self.n),
                key=lambda index: sha256(b"%d %d " % (height, index) + parent).digest(),
            )
        )


@dataclass(frozen=True)
class ToyBlock:
    height: int
    parent: bytes
    origin_view: int
    builder: bytes
    time_ms: int
    count: int
    salt: int
    skips: tuple[Certificate, ...]

    def encode(self) -> bytes:
        numbers = (self.height, self.origin_view, self.time_ms, self.count, self.salt)
        head = b"".join(number.to_bytes(8, "big") for number in numbers)
        certificates = [encode_certificate(skip) for skip in self.skips]
        return pack([head, self.parent, self.builder, pack(certificates)])


def decode_toy(data: bytes) -> ToyBlock:
    head, parent, builder, packed = _four(unpack(data, 4, MAX_BYTES))
    if len(head) != 40 or len(parent) != 32 or len(builder) != 32:
        raise Rejected(Reason.NOT_CANONICAL, "toy header")
    numbers = [int.from_bytes(head[at : at + 8], "big") for at in range(0, 40, 8)]
    skips = tuple(decode_certificate(item) for item in unpack(packed, 256, MAX_BYTES))
    height, origin_view, time_ms, count, salt = numbers
    return ToyBlock(height, parent, origin_view, builder, time_ms, count, salt, skips)


def _four(items: list[bytes]) -> tuple[bytes, bytes, bytes, bytes]:
    if len(items) != 4:
        raise Rejected(Reason.NOT_CANONICAL, "toy block")
    return (items[0], items[1], items[2], items[3])


class ToyApplication:
    """One node's copy of the chain; `crashed` copies are rebuilt from the disk."""

    def __init__(self, chain: ToyChain, own_key: bytes, disk: Disk) -> None:
        self.chain = chain
        self.own_key = own_key
        self.disk = disk
        self.tip = digest("toy", b"root", chain.genesis_hash)
        self.tip_time_ms = chain.genesis_time_ms
        self.count = 0
        self.height = 0
        self.certificate: Certificate | None = None
        self.checked: dict[bytes, bytes] = {}
        self.final: dict[int, bytes] = {}
        self.late_votes: list[Vote] = []
        self.declines = False
        for height in sorted(disk.blocks):
            stored = disk.blocks[height]
            self._apply(stored.digest, stored.data, stored.certificate)

    def start(self) -> HeightStart:
        height = self.height + 1
        return HeightStart(
            height,
            self.chain.validators(height),
            self.chain.order(height, self.tip),
            self.tip,
            self.certificate,
            self.tip_time_ms + self.chain.block_time_ms,
        )

    def build(self, request: BuildRequest, salt: int = 0) -> bytes | None:
        if self.declines:
            return None
        return ToyBlock(
            request.height,
            request.parent,
            request.view,
            self.own_key,
            max(request.now_ms, self.tip_time_ms + 1),
            self.count + 1,
            salt,
            request.skips,
        ).encode()

    def inspect(self, data: bytes) -> BlockFacts:
        block = decode_toy(data)
        block_digest = digest("toy", data, self.chain.genesis_hash)
        return BlockFacts(
            block_digest, block.height, block.parent, block.origin_view, block.time_ms
        )

    def check(self, data: bytes) -> None:
        block = decode_toy(data)
        start = self.start()
        validators = start.validators
        if (block.height, block.parent, block.count) != (start.height, self.tip, self.count + 1):
            raise Rejected(Reason.BLOCK_INVALID, "wrong place or count")
        if block.origin_view < 1 or validators.keys[start.leader(block.origin_view)] != (
            block.builder
        ):
            raise Rejected(Reason.BLOCK_INVALID, "not the builder's turn")
        if block.time_ms <= self.tip_time_ms:
            raise Rejected(Reason.BLOCK_INVALID, "time does not rise")
        last = block.origin_view - 1 if block.origin_view <= validators.n else 0
        subjects = [(skip.kind, skip.height, skip.view) for skip in block.skips]
        if subjects != [(VoteKind.NULLIFY, block.height, view) for view in range(1, last + 1)]:
            raise Rejected(Reason.BLOCK_INVALID, "wrong skips")
        for skip in block.skips:
            if not verify_certificate(skip, validators, self.chain.genesis_hash, self.chain.verify):
                raise Rejected(Reason.BLOCK_INVALID, "bad skip certificate")
        self.checked[digest("toy", data, self.chain.genesis_hash)] = data

    def commit(self, block_digest: bytes, certificate: Certificate) -> HeightStart:
        data = self.checked[block_digest]
        self.disk.append([StoredBlock(self.height + 1, block_digest, data, certificate)])
        self._apply(block_digest, data, certificate)
        return self.start()

    def note_finalize_votes(self, votes: tuple[Vote, ...]) -> None:
        """Late votes earn, so they must be for the block that is final."""
        for vote in votes:
            if self.final.get(vote.height) != vote.payload or vote.kind is not VoteKind.FINALIZE:
                raise Corrupt(f"a late vote for another block: {vote}")
        self.late_votes.extend(votes)
        del self.late_votes[:-100]

    def _apply(self, block_digest: bytes, data: bytes, certificate: Certificate) -> None:
        block = decode_toy(data)
        assert block.parent == self.tip
        assert block.height == self.height + 1
        self.height, self.tip = block.height, block_digest
        self.final[block.height] = block_digest
        self.tip_time_ms, self.count = block.time_ms, block.count
        self.certificate = certificate
        self.checked.clear()
