"""The signed envelope around actions: its bytes, its id, and the checks that need no state.

    {"actions": [...], "chain": ..., "expires": ..., "from": ..., "nonce": ..., "sig": ...}

One to 64 actions stand under one signature and happen all or none.  The signature covers the
transaction id, which is the digest (tag `tx`) of the envelope *without* its signature.  `sig` sorts
last, so the signed bytes are the received bytes with that field cut off: nothing is ever encoded
again, from the client's request to the database.

The id names the content.  A verdict about a signature must be kept under the hash of *all* bytes,
`cache_key`: kept under the id, one block with a spoilt signature would pass on nodes that saw the
good one before and fail on the others.
"""

from collections.abc import Sequence
from functools import reduce
from hashlib import sha256
from operator import or_
from typing import Annotated, Any, Generic, TypeVar

from msgspec import Meta, field

from ledger.codec import Codec, Record, encode
from ledger.crypto import SIGNATURE_BYTES, SigningKey, digest, verify
from ledger.errors import Reason, Rejected
from ledger.types import MAX_ACTIONS, Digest, Height, Nonce

TRANSACTION_LIST = "transaction"
"""Tag of the Merkle list of a block's transactions."""

_SIGNATURE_FIELD_BYTES = len(',"sig":""}') + 2 * SIGNATURE_BYTES
_NO_SIGNATURE = "0" * (2 * SIGNATURE_BYTES)


class Action(Record, tag_field="type"):
    """Base of every action; a subclass gives its `tag`, the word under `type` on the wire."""


A = TypeVar("A")

# The envelope is decoded for every transaction, and a pattern on a string costs more than all the
# rest of its decoding.  So these are bounded in length only, and `decode` does the rest: the chain
# by comparison, the hex by a round trip through bytes.
_ChainText = Annotated[str, Meta(max_length=32)]
_HexText32 = Annotated[str, Meta(min_length=64, max_length=64)]
_HexText64 = Annotated[str, Meta(min_length=128, max_length=128)]


class Envelope(Record, Generic[A]):
    """What a client signs and sends."""

    actions: Annotated[tuple[A, ...], Meta(min_length=1, max_length=MAX_ACTIONS)]
    chain: _ChainText
    expires: Height
    """Last height it may be included at; 0 means no end."""
    from_: _HexText32 = field(name="from")
    nonce: Nonce = field()
    sig: _HexText64 = field()


class Transaction(Record):
    """A decoded transaction with the bytes it came in; the signature is not yet checked."""

    raw: bytes
    id: Digest
    """Digest of the signed content; what the signature covers."""
    cache_key: Digest
    """SHA-256 of all bytes, signature included."""
    envelope: Envelope[Action]


class TransactionCodec:
    """Decoder of transactions of one chain that knows a closed set of actions."""

    __slots__ = ("_chain", "_codec", "_genesis_hash")

    def __init__(
        self,
        actions: tuple[type[Action], ...],
        chain: str,
        genesis_hash: bytes,
        max_bytes: int,
    ) -> None:
        union: Any = reduce(or_, actions)
        self._codec: Codec[Envelope[Action]] = Codec(Envelope[union], max_bytes=max_bytes)
        self._chain = chain
        self._genesis_hash = genesis_hash

    def decode(self, raw: bytes) -> Transaction:
        """Return the transaction of these bytes, its signature unchecked.

        Raises Rejected: BODY_TOO_LARGE, VALIDATION_ERROR, NOT_CANONICAL, WRONG_CHAIN.
        """
        envelope = self._codec.decode(raw)
        if envelope.chain != self._chain:
            raise Rejected(Reason.WRONG_CHAIN, f"made for {envelope.chain}, this is {self._chain}")
        if not (_is_hex(envelope.from_) and _is_hex(envelope.sig)):
            raise Rejected(Reason.VALIDATION_ERROR, "from and sig are lower-case hex")
        return Transaction(
            raw=raw,
            id=digest("tx", _signed_bytes(raw), self._genesis_hash),
            cache_key=sha256(raw).digest(),
            envelope=envelope,
        )


def _is_hex(text: str) -> bool:
    """Say whether text of even length is lower-case hex; `fromhex` alone allows more."""
    try:
        return bytes.fromhex(text).hex() == text
    except ValueError:
        return False


def _signed_bytes(raw: bytes) -> bytes:
    """Return canonical envelope bytes without their last field, the signature."""
    return raw[:-_SIGNATURE_FIELD_BYTES] + b"}"


def check_signature(transaction: Transaction) -> bool:
    """Say whether the sender signed this transaction; 45 us."""
    envelope = transaction.envelope
    signature = bytes.fromhex(envelope.sig)
    return verify(bytes.fromhex(envelope.from_), transaction.id, signature)


def build_transaction(
    key: SigningKey,
    genesis_hash: bytes,
    chain: str,
    nonce: int,
    actions: Sequence[Action],
    expires: int = 0,
) -> bytes:
    """Return the raw bytes of a transaction signed by `key`; bounds are left to the decoder."""
    unsigned = Envelope(
        actions=tuple(actions),
        chain=chain,
        expires=expires,
        from_=key.address,
        nonce=nonce,
        sig=_NO_SIGNATURE,
    )
    body = encode(unsigned)[:-_SIGNATURE_FIELD_BYTES]
    signature = key.sign(digest("tx", body + b"}", genesis_hash))
    return body + b',"sig":"' + signature.hex().encode("ascii") + b'"}'
