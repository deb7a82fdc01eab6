"""Digests with domain tags, Ed25519 keys, and the one rule for what is a valid signature.

Signature libraries disagree on crafted input: low-order points, y coordinates not below the
field prime, S not below the group order.  A chain whose nodes disagree forks, so the verdict is a
rule of the protocol, made of checks that leave the library nothing to decide:

    1. the key has 32 bytes and the signature 64;
    2. S < L, the order of the base point                    (no second form of a signature)
    3. y(A) < p and y(R) < p, the field prime                (one byte form of each point)
    4. neither A nor R is one of the 14 encodings of a point of low order (no key for all messages)
    5. the cofactorless equation [S]B = R + [k]A, by libsodium; never a batch, whose equation is
       cofactored and accepts more.

What is signed is always a 32-byte digest with a domain tag: SHA-256(twinchain/<kind>/v1 || 0 ||
genesis hash || body).  The tag keeps a vote from reading as a transaction, the genesis hash keeps
one chain's signature off another chain.
"""

import hashlib
from functools import cache

from nacl import bindings
from nacl.exceptions import CryptoError

from ledger.types import Digest

KEY_BYTES = 32
SIGNATURE_BYTES = 64

FIELD_PRIME = 2**255 - 19
GROUP_ORDER = 2**252 + 27742317777372353535851937790883648493

_Y_MASK = 2**255 - 1
"""Bit 255 of an encoded point is the sign of x."""

_ORDER_EIGHT_Y = 0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826
"""y of two of the four points of order 8; the other two have p - y."""

_LOW_ORDER_Y = frozenset(
    (
        0,  # order 4
        1,  # the identity
        FIELD_PRIME - 1,  # order 2
        _ORDER_EIGHT_Y,
        FIELD_PRIME - _ORDER_EIGHT_Y,
        FIELD_PRIME,  # 0 again, not canonical
        FIELD_PRIME + 1,  # 1 again, not canonical
    )
)
"""Seven values of y with two signs each: the 14 encodings of the 8 points of low order."""


@cache
def _tag(kind: str) -> bytes:
    return b"twinchain/" + kind.encode("ascii") + b"/v1\0"


def digest(kind: str, body: bytes, genesis_hash: bytes = b"") -> Digest:
    """Return the digest of `body` as a thing of this `kind` (a word of the protocol, not input).

    `genesis_hash` binds it to one chain; only the genesis file itself goes without.
    """
    return hashlib.sha256(_tag(kind) + genesis_hash + body).digest()


def is_acceptable_key(public_key: bytes) -> bool:
    """Say whether a key passes the part of the rule that concerns keys (1, 3, 4); about 0.3 us."""
    if len(public_key) != KEY_BYTES:
        return False
    return _is_acceptable_y(int.from_bytes(public_key, "little") & _Y_MASK)


def is_prime_order_key(public_key: bytes) -> bool:
    """Say whether a key is also a point of the prime-order group, as honest keys are; 45 us.

    Asked of the keys of members, whose VRF proofs need it.
    """
    return is_acceptable_key(public_key) and bindings.crypto_core_ed25519_is_valid_point(public_key)


def verify(public_key: bytes, message: bytes, signature: bytes) -> bool:
    """Say whether `signature` is valid by the rule above; never raises for bytes of any length."""
    if len(public_key) != KEY_BYTES or len(signature) != SIGNATURE_BYTES:
        return False
    if int.from_bytes(signature[KEY_BYTES:], "little") >= GROUP_ORDER:
        return False
    if not _is_acceptable_y(int.from_bytes(public_key, "little") & _Y_MASK):
        return False
    if not _is_acceptable_y(int.from_bytes(signature[:KEY_BYTES], "little") & _Y_MASK):
        return False
    try:
        bindings.crypto_sign_open(signature + message, public_key)
    except CryptoError:
        return False
    return True


def _is_acceptable_y(y: int) -> bool:
    return y < FIELD_PRIME and y not in _LOW_ORDER_Y


class SigningKey:
    """An Ed25519 private key; signing is deterministic (RFC 8032)."""

    __slots__ = ("_secret", "address", "public_key")

    def __init__(self, public_key: bytes, secret: bytes) -> None:
        self.public_key = public_key
        self.address = public_key.hex()
        self._secret = secret

    @classmethod
    def from_seed(cls, seed: bytes) -> "SigningKey":
        """Return the key of a 32-byte seed.  Raises ValueError for another length."""
        if len(seed) != KEY_BYTES:
            raise ValueError(f"a seed has {KEY_BYTES} bytes, not {len(seed)}")
        public_key, secret = bindings.crypto_sign_seed_keypair(seed)
        return cls(public_key, secret)

    def sign(self, message: bytes) -> bytes:
        """Return the 64-byte signature of `message`."""
        return bindings.crypto_sign(message, self._secret)[:SIGNATURE_BYTES]

    def __repr__(self) -> str:
        return f"SigningKey({self.address})"
