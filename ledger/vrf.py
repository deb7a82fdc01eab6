"""Verifiable randomness: ECVRF-EDWARDS25519-SHA512-TAI (RFC 9381) from point operations.

The holder of a secret key turns an input `alpha` into 64 bytes `beta` that nobody else can foresee,
and a proof `pi` that they are the only ones this key gives for this input.  With G the base point,
x the secret scalar and Y = xG the public key (section numbers of the RFC):

    prove   (5.1)  H = encode_to_curve(Y, alpha), Gamma = xH, k = nonce(H)
                   c = challenge(Y, H, Gamma, kG, kH), s = k + cx mod L, pi = Gamma || c || s
    verify  (5.3)  U = sG - cY, V = sH - c Gamma, and c = challenge(Y, H, Gamma, U, V)
    beta    (5.2)  SHA-512(suite || 3 || 8 Gamma || 0)

A signature would not do: its signer can make many for one message and pick, while beta is unique.
The proof is not unique, so randomness must be taken from beta and never from pi.

Stricter than the RFC: Y and Gamma must lie in the prime-order group (the library's check of a
point), which costs nothing that honest provers need and leaves no second Gamma that gives the same
beta.  The point at infinity never occurs in honest use, and the library refuses it as a factor.

The key must not be an Ed25519 signing key as well: both derive nonces from the same half of the
hashed secret, so a signature over the 32 bytes of H would give the key away.

Deriving, proving and verifying use no other operations than the ones of `nacl.bindings` below; a
proof takes about 0.5 ms, a verification 1.2 ms.
"""

from hashlib import sha512

from nacl import bindings
from nacl.exceptions import CryptoError

from ledger.crypto import FIELD_PRIME, GROUP_ORDER, KEY_BYTES

PROOF_BYTES = 80
OUTPUT_BYTES = 64

_SUITE = b"\x03"
_CURVE_DOMAIN, _CHALLENGE_DOMAIN, _OUTPUT_DOMAIN = b"\x01", b"\x02", b"\x03"
_DOMAIN_END = b"\x00"
_CHALLENGE_BYTES = 16
_SCALAR_BYTES = 32
_IDENTITY = b"\x01" + bytes(31)
_SIGN_MASK = 2**255 - 1

# What the point operations raise: CryptoError for a bad point, RuntimeError for a scalar of zero.
_POINT_ERRORS = (CryptoError, RuntimeError)


def public_key(seed: bytes) -> bytes:
    """Return the 32-byte VRF key of a 32-byte seed."""
    return bindings.crypto_scalarmult_ed25519_base_noclamp(_expand(seed)[0])


def prove(seed: bytes, alpha: bytes) -> bytes:
    """Return the 80-byte proof pi for an input.  Raises ValueError for a seed of another length."""
    secret, nonce_key = _expand(seed)
    public = bindings.crypto_scalarmult_ed25519_base_noclamp(secret)
    point = _encode_to_curve(public, alpha)
    gamma = bindings.crypto_scalarmult_ed25519_noclamp(secret, point)
    nonce = bindings.crypto_core_ed25519_scalar_reduce(sha512(nonce_key + point).digest())
    challenge = _challenge(
        public,
        point,
        gamma,
        bindings.crypto_scalarmult_ed25519_base_noclamp(nonce),
        bindings.crypto_scalarmult_ed25519_noclamp(nonce, point),
    )
    product = bindings.crypto_core_ed25519_scalar_mul(_as_scalar(challenge), secret)
    return gamma + challenge + bindings.crypto_core_ed25519_scalar_add(nonce, product)


def verify(public_key: bytes, alpha: bytes, proof: bytes) -> bytes | None:
    """Return beta, 64 bytes, if the proof holds for this key and input, else None; never raises."""
    if len(public_key) != KEY_BYTES or len(proof) != PROOF_BYTES:
        return None
    gamma, challenge, response = _split(proof)
    if int.from_bytes(response, "little") >= GROUP_ORDER:
        return None
    if not bindings.crypto_core_ed25519_is_valid_point(public_key):
        return None
    if not bindings.crypto_core_ed25519_is_valid_point(gamma):
        return None
    try:
        point = _encode_to_curve(public_key, alpha)
        times = bindings.crypto_scalarmult_ed25519_noclamp
        base_times = bindings.crypto_scalarmult_ed25519_base_noclamp
        minus = bindings.crypto_core_ed25519_sub
        factor = _as_scalar(challenge)
        first = minus(base_times(response), times(factor, public_key))
        second = minus(times(response, point), times(factor, gamma))
    except (*_POINT_ERRORS, ValueError):
        return None
    if _challenge(public_key, point, gamma, first, second) != challenge:
        return None
    return output(proof)


def output(proof: bytes) -> bytes:
    """Return the beta of a proof that is known to hold (our own, or verified before)."""
    gamma, _, _ = _split(proof)
    return sha512(_SUITE + _OUTPUT_DOMAIN + _times_eight(gamma) + _DOMAIN_END).digest()


def _expand(seed: bytes) -> tuple[bytes, bytes]:
    """Return the secret scalar, reduced, and the key of the nonces (RFC 8032, section 5.1.5)."""
    if len(seed) != KEY_BYTES:
        raise ValueError(f"a seed has {KEY_BYTES} bytes, not {len(seed)}")
    hashed = sha512(seed).digest()
    scalar = bytearray(hashed[:_SCALAR_BYTES])
    scalar[0] &= 0b1111_1000
    scalar[31] = scalar[31] & 0b0111_1111 | 0b0100_0000
    reduced = bindings.crypto_core_ed25519_scalar_reduce(bytes(scalar) + bytes(32))
    return reduced, hashed[_SCALAR_BYTES:]


def _split(proof: bytes) -> tuple[bytes, bytes, bytes]:
    middle = KEY_BYTES + _CHALLENGE_BYTES
    return proof[:KEY_BYTES], proof[KEY_BYTES:middle], proof[middle:]


def _as_scalar(challenge: bytes) -> bytes:
    return challenge + bytes(_SCALAR_BYTES - _CHALLENGE_BYTES)


def _times_eight(point: bytes) -> bytes:
    """Return 8P by doubling, which takes any point of the curve; raises off the curve."""
    for _ in range(3):
        point = bindings.crypto_core_ed25519_add(point, point)
    return point


def _encode_to_curve(salt: bytes, alpha: bytes) -> bytes:
    """Return a point for the input by try-and-increment (5.4.1.1).

    Each try fails with probability one half; all 256 fail for about one input in 2^256.
    """
    for attempt in range(256):
        text = _SUITE + _CURVE_DOMAIN + salt + alpha + bytes((attempt,)) + _DOMAIN_END
        candidate = sha512(text).digest()[:KEY_BYTES]
        if int.from_bytes(candidate, "little") & _SIGN_MASK >= FIELD_PRIME:
            continue
        try:
            point = _times_eight(candidate)
        except _POINT_ERRORS:
            continue
        if point != _IDENTITY:
            return point
    raise ValueError("no point for this input")


def _challenge(*points: bytes) -> bytes:
    """Return the 16-byte challenge over five points (5.4.3)."""
    text = _SUITE + _CHALLENGE_DOMAIN + b"".join(points) + _DOMAIN_END
    return sha512(text).digest()[:_CHALLENGE_BYTES]
