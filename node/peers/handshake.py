"""The opening of a link: both sides prove, to this other side and for this link, who they are.

dialer -> acceptor   HELLO   magic, genesis hash, dialer account, dialer nonce
acceptor -> dialer   ANSWER  magic, genesis hash, acceptor account, acceptor nonce, signature
dialer -> acceptor   PROOF   signature

Each signs the tagged digest of (role, both accounts, both nonces) under the genesis hash.  The role
byte keeps one side's signature from serving as the other's; the nonces bind it to this link; the
accounts keep a third node from passing proofs on under its own name.  The functions are pure: bytes
in, bytes or a refusal out.  Links then carry no further signatures: votes, certificates and
transactions are signed themselves, and who needs privacy puts TLS around the link.
"""

from dataclasses import dataclass

from ledger.crypto import SigningKey, digest, verify

MAGIC = b"TWC1"
NONCE_BYTES = 32
_HELLO_BYTES = len(MAGIC) + 32 + 32 + NONCE_BYTES
_SIGNATURE_BYTES = 64
_DIALER = b"\x01"
_ACCEPTOR = b"\x02"


class HandshakeError(Exception):
    """The other side is of another chain, unknown, not who it should be, or cannot prove it."""


@dataclass(frozen=True, slots=True)
class Hello:
    """An account with the nonce it chose for this link."""

    account: bytes
    nonce: bytes


def encode_hello(genesis_hash: bytes, hello: Hello) -> bytes:
    """First message of the dialer, first part of the acceptor's."""
    return MAGIC + genesis_hash + hello.account + hello.nonce


def decode_hello(data: bytes, genesis_hash: bytes) -> Hello:
    """The greeting in `data`.  Raises HandshakeError."""
    if len(data) != _HELLO_BYTES or not data.startswith(MAGIC):
        raise HandshakeError("not a greeting of this protocol version")
    if data[4:36] != genesis_hash:
        raise HandshakeError(f"other genesis: {data[4:36].hex()}, ours {genesis_hash.hex()}")
    return Hello(data[36:68], data[68:])


def encode_answer(genesis_hash: bytes, key: SigningKey, dialer: Hello, acceptor: Hello) -> bytes:
    """The acceptor's greeting with its proof."""
    proof = key.sign(_challenge(genesis_hash, _ACCEPTOR, dialer, acceptor))
    return encode_hello(genesis_hash, acceptor) + proof


def check_answer(data: bytes, genesis_hash: bytes, dialer: Hello, expected: bytes) -> Hello:
    """The acceptor behind `data`, which must be `expected` and prove it.  Raises HandshakeError."""
    if len(data) != _HELLO_BYTES + _SIGNATURE_BYTES:
        raise HandshakeError("not an answer of this protocol version")
    acceptor = decode_hello(data[:_HELLO_BYTES], genesis_hash)
    if acceptor.account != expected:
        raise HandshakeError(f"reached {acceptor.account.hex()[:8]}, not the peer of this address")
    challenge = _challenge(genesis_hash, _ACCEPTOR, dialer, acceptor)
    if not verify(acceptor.account, challenge, data[_HELLO_BYTES:]):
        raise HandshakeError("the acceptor's signature is wrong")
    return acceptor


def encode_proof(genesis_hash: bytes, key: SigningKey, dialer: Hello, acceptor: Hello) -> bytes:
    """The dialer's proof, sent once the acceptor has proved itself."""
    return key.sign(_challenge(genesis_hash, _DIALER, dialer, acceptor))


def check_proof(data: bytes, genesis_hash: bytes, dialer: Hello, acceptor: Hello) -> None:
    """Accept the dialer.  Raises HandshakeError."""
    challenge = _challenge(genesis_hash, _DIALER, dialer, acceptor)
    if not verify(dialer.account, challenge, data):
        raise HandshakeError("the dialer's signature is wrong")


def _challenge(genesis_hash: bytes, role: bytes, dialer: Hello, acceptor: Hello) -> bytes:
    body = role + dialer.account + acceptor.account + dialer.nonce + acceptor.nonce
    return digest("peer", body, genesis_hash)
