"""The values of the finality core: votes, certificates, validator sets, and the start of a height.

Simplex runs as one instance per height.  Inside a height, attempts are numbered by *views*
1, 2, 3, ...; view 0 stands for the final block of the height below.  In a view each validator
may sign three kinds of vote:

    NOTARIZE  "this proposal is valid, and I can show that everything between its parent view
              and this view was skipped".  The leader's own NOTARIZE is the proposal.
    NULLIFY   "skip this view": the vote that takes the turn from its leader.
    FINALIZE  "I saw this proposal notarized and never asked to skip its view".

A quorum of equal votes is a certificate.  With n validators of which at most f = (n-1)//3 are
faulty, a quorum is n - f.  Two quorums then share at least n - 2f > f validators, one of them
honest.  (2f + 1 is not enough: with n = 5 or 6 two quorums of that size may meet in faulty
validators only.)

What is signed is a 32-byte digest with the tag "vote", over the digest of the validator set and
the fixed-length fields of the vote, so that a vote is worth nothing on another chain, in another
set, in another height or view, or as a vote of another kind.  A vote to nullify names no
proposal: its `parent_view` is 0 and its `payload` empty.

`payload` is the 32-byte digest of a block and opaque here.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Protocol

from ledger.crypto import digest
from ledger.types import Digest

MAX_VALIDATORS = 256
"""Bitmaps and tables are bounded by this; far above what all-to-all votes can carry."""

PeerKey = bytes
"""The 32-byte public key under which a peer authenticated itself (validators and observers)."""

Verify = Callable[[bytes, bytes, bytes], bool]
"""verify(public_key, message, signature): pure, total, never raises."""


class Signer(Protocol):
    """Whoever holds the key of this validator.  Signatures must be deterministic."""

    @property
    def public_key(self) -> bytes: ...

    def sign(self, message: bytes) -> bytes: ...


class VoteKind(IntEnum):
    """The three kinds of vote; the number is the byte on the wire."""

    NOTARIZE = 1
    NULLIFY = 2
    FINALIZE = 3


class Want(IntEnum):
    """Which certificate of a view a peer asks for."""

    NOTARIZATION = 1
    NULLIFICATION = 2
    ANY = 3


@dataclass(frozen=True, slots=True)
class Vote:
    """One signed vote.  `signer` is the index in the validator set of `height`."""

    kind: VoteKind
    height: int
    view: int
    parent_view: int
    payload: bytes
    signer: int
    signature: bytes

    @property
    def proposal(self) -> tuple[int, bytes]:
        """What the vote is about beside its view: equal for votes that count together."""
        return (self.parent_view, self.payload)


@dataclass(frozen=True, slots=True)
class Certificate:
    """A quorum of equal votes: bit i mod 8 (low first) of byte i div 8 of `signers` is index i.

    `signatures` are in index order.  Certificates are not canonical (any quorum of signers
    makes a valid one), so nothing may be derived from their bytes.
    """

    kind: VoteKind
    height: int
    view: int
    parent_view: int
    payload: bytes
    signers: bytes
    signatures: tuple[bytes, ...]

    @property
    def proposal(self) -> tuple[int, bytes]:
        """The parent view and payload that every signer signed."""
        return (self.parent_view, self.payload)

    def signer_indices(self) -> tuple[int, ...]:
        """The indices whose bit is set, ascending."""
        return tuple(
            position * 8 + bit
            for position, octet in enumerate(self.signers)
            for bit in range(8)
            if octet >> bit & 1
        )


@dataclass(frozen=True, slots=True)
class ValidatorSet:
    """The voting set of a height: public keys in ascending order, VRF keys beside them.

    A validator is its index in `keys`.  Raises ValueError when the keys are not strictly
    ascending, the lists differ in length, or the size is outside 1..MAX_VALIDATORS.
    """

    keys: tuple[bytes, ...]
    vrf_keys: tuple[bytes, ...]
    digest: Digest = field(init=False)

    def __post_init__(self) -> None:
        if not 1 <= len(self.keys) <= MAX_VALIDATORS or len(self.keys) != len(self.vrf_keys):
            raise ValueError(f"{len(self.keys)} keys and {len(self.vrf_keys)} VRF keys")
        if any(left >= right for left, right in zip(self.keys, self.keys[1:], strict=False)):
            raise ValueError("validator keys are not strictly ascending")
        if any(len(key) != 32 for key in self.keys + self.vrf_keys):
            raise ValueError("keys are 32 bytes")
        body = len(self.keys).to_bytes(2, "big") + b"".join(
            key + vrf_key for key, vrf_key in zip(self.keys, self.vrf_keys, strict=True)
        )
        object.__setattr__(self, "digest", digest("validators", body))

    @property
    def n(self) -> int:
        """How many validators vote, each with one equal vote."""
        return len(self.keys)

    @property
    def f(self) -> int:
        """How many of them may be faulty: (n - 1) // 3."""
        return max_faulty(len(self.keys))

    @property
    def quorum(self) -> int:
        """How many equal votes make a certificate: n - f."""
        return quorum_size(len(self.keys))

    def index(self, key: bytes) -> int | None:
        """The position of `key`, or None for an outsider."""
        try:
            return self.keys.index(key)
        except ValueError:
            return None


@dataclass(frozen=True, slots=True)
class HeightStart:
    """All that the core must know to begin a height; a function of final blocks only.

    order: every index of `validators` once; the leader of view v is order[(v - 1) % n].
    parent: digest of the final block below.  parent_certificate: its FINALIZE certificate, None
    below block 1.  pace_until_ms: no fresh block is sent before this time; the application names
    it on the wall clock, the core is given it on the clock of its timers.
    """

    height: int
    validators: ValidatorSet
    order: tuple[int, ...]
    parent: Digest
    parent_certificate: Certificate | None
    pace_until_ms: int

    def __post_init__(self) -> None:
        if self.height < 1 or sorted(self.order) != list(range(self.validators.n)):
            raise ValueError("the order of leaders must name every validator once")

    def leader(self, view: int) -> int:
        """The index of the validator whose turn view `view` >= 1 is."""
        return self.order[(view - 1) % len(self.order)]


def max_faulty(n: int) -> int:
    """f: the largest number of faulty validators that n can bear."""
    return (n - 1) // 3


def quorum_size(n: int) -> int:
    """n - f: any two sets of this size share an honest validator."""
    return n - max_faulty(n)


def vote_message(
    genesis_hash: bytes,
    set_digest: Digest,
    kind: VoteKind,
    height: int,
    view: int,
    parent_view: int,
    payload: bytes,
) -> Digest:
    """The 32 bytes a validator signs.  A NULLIFY covers height and view only."""
    body = set_digest + bytes((kind,)) + height.to_bytes(8, "big") + view.to_bytes(8, "big")
    if kind is not VoteKind.NULLIFY:
        body += parent_view.to_bytes(8, "big") + payload
    return digest("vote", body, genesis_hash)
