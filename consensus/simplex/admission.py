"""What a message must show before the core sees it: bounds, sender, signature.

A vote is taken from its signer only, never relayed: the key under which the peer authenticated
itself must be the key at the index the vote names (rule R2).  A certificate proves itself and is
taken from anybody (rule R3).  The cheap tests come first, so that a peer cannot make a node check
signatures of things it has no use for.

Every signature that verified is remembered for a while by its whole content: key, message and
signature.  A certificate made of votes that came singly costs no second check.
"""

from enum import StrEnum

from consensus.simplex.certificates import verify_certificate, verify_vote
from consensus.simplex.types import Certificate, PeerKey, ValidatorSet, Verify, Vote

CACHE_ENTRIES = 4096
"""Enough for some dozens of heights of 21 validators; about 1 MB."""


class Refusal(StrEnum):
    """Why the sender of a message is not listened to for a while."""

    NOT_THE_SIGNER = "vote relayed or with a swapped signer index"
    BAD_SIGNATURE = "vote with a bad signature"
    BAD_CERTIFICATE = "invalid certificate"


class CachedVerify:
    """`verify` with a bounded memory of what held; what did not hold is not remembered."""

    def __init__(self, verify: Verify, capacity: int = CACHE_ENTRIES) -> None:
        self._verify = verify
        self._capacity = capacity
        self._held: dict[tuple[bytes, bytes, bytes], None] = {}

    def __call__(self, public_key: bytes, message: bytes, signature: bytes) -> bool:
        entry = (public_key, message, signature)
        if entry in self._held:
            return True
        if not self._verify(public_key, message, signature):
            return False
        if len(self._held) >= self._capacity:
            del self._held[next(iter(self._held))]
        self._held[entry] = None
        return True


def refuse_vote(
    vote: Vote, peer: PeerKey, validators: ValidatorSet, genesis_hash: bytes, verify: Verify
) -> Refusal | None:
    """None when `peer` is the signer of this vote and its signature holds."""
    if validators.index(peer) != vote.signer:
        return Refusal.NOT_THE_SIGNER
    if not verify_vote(vote, validators, genesis_hash, verify):
        return Refusal.BAD_SIGNATURE
    return None


def refuse_certificate(
    certificate: Certificate, validators: ValidatorSet, genesis_hash: bytes, verify: Verify
) -> Refusal | None:
    """None when the certificate is valid for this set, whoever handed it over."""
    if not verify_certificate(certificate, validators, genesis_hash, verify):
        return Refusal.BAD_CERTIFICATE
    return None
