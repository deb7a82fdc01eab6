"""One rule for signatures, and two libraries that agree wherever the rule lets them speak."""

import random
from collections.abc import Iterator
from hashlib import sha512

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st

from ledger.crypto import (
    FIELD_PRIME,
    GROUP_ORDER,
    SigningKey,
    digest,
    is_acceptable_key,
    is_prime_order_key,
    verify,
)

KEY = SigningKey.from_seed(b"\x07" * 32)
MESSAGE = b"m" * 32
SIGNATURE = KEY.sign(MESSAGE)

# RFC 8032, section 7.1: seed, public key, message, signature.
RFC_8032 = (
    (
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b4"
        "6bd25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d"
        "8c387b2eaeb4302aeeb00d291612bb0c00",
    ),
    (
        "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6"
        "594a7c15e9716ed28dc027beceea1ec40a",
    ),
)

D = -121665 * pow(121666, -1, FIELD_PRIME) % FIELD_PRIME
"""The constant of the curve -x^2 + y^2 = 1 + d x^2 y^2."""

Point = tuple[int, int]

IDENTITY: Point = (0, 1)


def add(first: Point, second: Point) -> Point:
    """Add two points by the textbook formula: slow and obvious."""
    (x1, y1), (x2, y2) = first, second
    product = D * x1 * x2 * y1 * y2
    x = (x1 * y2 + x2 * y1) * pow(1 + product, -1, FIELD_PRIME)
    y = (y1 * y2 + x1 * x2) * pow(1 - product, -1, FIELD_PRIME)
    return x % FIELD_PRIME, y % FIELD_PRIME


def square_root(value: int) -> int | None:
    """Return a root in the field, None for a non-residue."""
    root = pow(value, (FIELD_PRIME + 3) // 8, FIELD_PRIME)
    for candidate in (root, root * pow(2, (FIELD_PRIME - 1) // 4, FIELD_PRIME) % FIELD_PRIME):
        if candidate * candidate % FIELD_PRIME == value % FIELD_PRIME:
            return candidate
    return None


def multiply(factor: int, point: Point) -> Point:
    """Multiply by doubling and adding."""
    result = IDENTITY
    for bit in f"{factor:b}":
        result = add(result, result)
        if bit == "1":
            result = add(result, point)
    return result


def low_order_points() -> set[Point]:
    """Find the eight points P with 8P = 0: multiples of L times some point of the curve."""
    for y in range(2, 40):
        x = square_root((y * y - 1) * pow(D * y * y + 1, -1, FIELD_PRIME))
        if x is not None:
            torsion = multiply(GROUP_ORDER, (x, y))
            if multiply(4, torsion) != IDENTITY:
                return {multiply(factor, torsion) for factor in range(8)}
    raise AssertionError("no point of order 8 found")


def low_order_encodings() -> set[bytes]:
    """Write each point of low order in every way 32 bytes can."""
    encodings = set()
    for _, y in low_order_points():
        for written in (y, y + FIELD_PRIME):
            if written < 2**255:
                for sign in (0, 1):
                    encodings.add((written | sign << 255).to_bytes(32, "little"))
    return encodings


LOW_ORDER = sorted(low_order_encodings())


def library_verdict(public_key: bytes, message: bytes, signature: bytes) -> bool:
    """Ask the other library."""
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def strict_oracle(public_key: bytes, message: bytes, signature: bytes) -> bool:
    """Apply the rule's checks in their slowest form, then ask the other library."""
    if len(public_key) != 32 or len(signature) != 64:
        return False
    for point in (public_key, signature[:32]):
        if point in LOW_ORDER or int.from_bytes(point, "little") % 2**255 >= FIELD_PRIME:
            return False
    if int.from_bytes(signature[32:], "little") >= GROUP_ORDER:
        return False
    return library_verdict(public_key, message, signature)


def test_there_are_fourteen_encodings_of_low_order_and_all_are_refused_as_keys() -> None:
    assert len(low_order_points()) == 8
    assert len(LOW_ORDER) == 14
    for encoding in LOW_ORDER:
        assert not is_acceptable_key(encoding)
        assert not is_prime_order_key(encoding)
        for message in (MESSAGE, b"other"):
            assert not verify(encoding, message, SIGNATURE)
            assert not verify(encoding, message, encoding + bytes(32))
            assert not verify(KEY.public_key, message, encoding + SIGNATURE[32:])


@pytest.mark.parametrize(("seed", "public_key", "message", "signature"), RFC_8032)
def test_rfc_8032_examples_sign_byte_for_byte_and_verify(
    seed: str, public_key: str, message: str, signature: str
) -> None:
    key = SigningKey.from_seed(bytes.fromhex(seed))
    assert key.address == public_key
    assert key.sign(bytes.fromhex(message)).hex() == signature
    assert verify(key.public_key, bytes.fromhex(message), bytes.fromhex(signature))


def test_a_second_form_of_a_signature_is_refused() -> None:
    response = int.from_bytes(SIGNATURE[32:], "little")
    for multiple in (1, 2, 8):
        bigger = response + multiple * GROUP_ORDER
        assert not verify(KEY.public_key, MESSAGE, SIGNATURE[:32] + bigger.to_bytes(32, "little"))
    assert not verify(KEY.public_key, MESSAGE, SIGNATURE[:32] + b"\xff" * 32)


@pytest.mark.parametrize("y", range(19))
def test_a_y_not_below_the_field_prime_is_refused(y: int) -> None:
    for sign in (0, 1):
        encoding = (FIELD_PRIME + y | sign << 255).to_bytes(32, "little")
        assert not is_acceptable_key(encoding)
        assert not verify(encoding, MESSAGE, SIGNATURE)
        assert not verify(KEY.public_key, MESSAGE, encoding + SIGNATURE[32:])


@pytest.mark.parametrize("length", [0, 1, 31, 33, 64])
def test_keys_and_signatures_of_other_lengths_are_refused_without_an_error(length: int) -> None:
    assert not is_acceptable_key(bytes(length))
    assert not verify(bytes(length), MESSAGE, SIGNATURE)
    assert not verify(KEY.public_key, MESSAGE, SIGNATURE[:63])
    assert not verify(KEY.public_key, MESSAGE, SIGNATURE + b"\0")


def test_zeros_and_swapped_halves_are_no_signature() -> None:
    assert not verify(KEY.public_key, MESSAGE, bytes(64))
    assert not verify(KEY.public_key, MESSAGE, SIGNATURE[32:] + SIGNATURE[:32])


def test_every_flipped_bit_of_signature_and_message_is_noticed() -> None:
    for bit in range(512):
        flipped = int.from_bytes(SIGNATURE, "big") ^ 1 << bit
        assert not verify(KEY.public_key, MESSAGE, flipped.to_bytes(64, "big"))
    for bit in range(0, 256, 7):
        changed = (int.from_bytes(MESSAGE, "big") ^ 1 << bit).to_bytes(32, "big")
        assert not verify(KEY.public_key, changed, SIGNATURE)


def crafted_cases() -> Iterator[tuple[bytes, bytes, bytes]]:
    """Mix good and crafted keys, points and responses."""
    chance = random.Random(5)
    odd_points = [*LOW_ORDER, *((FIELD_PRIME + y).to_bytes(32, "little") for y in range(19))]
    responses = [0, 1, GROUP_ORDER - 1, GROUP_ORDER, GROUP_ORDER + 1, 2**255, 2**256 - 1]
    for number in range(300):
        key = SigningKey.from_seed(chance.randbytes(32))
        message = chance.randbytes(chance.randrange(60))
        signature = key.sign(message)
        yield key.public_key, message, signature
        point = odd_points[number % len(odd_points)]
        response = responses[number % len(responses)].to_bytes(32, "little")
        yield point, message, signature
        yield key.public_key, message, point + signature[32:]
        yield key.public_key, message, signature[:32] + response
        yield point, message, odd_points[-number % len(odd_points)] + response
        yield key.public_key, message, chance.randbytes(32) + signature[32:]


def test_both_libraries_agree_under_the_rule_on_good_and_crafted_cases() -> None:
    accepted = 0
    for case in crafted_cases():
        verdict = verify(*case)
        assert verdict == strict_oracle(*case), [part.hex() for part in case]
        accepted += verdict
    assert accepted == 300


def test_the_owner_of_a_key_cannot_make_a_signature_with_the_identity() -> None:
    """R = identity, S = k a: the bare equation holds, one library accepts it, the rule does not."""
    seed = b"\x09" * 32
    key = SigningKey.from_seed(seed)
    scalar = int.from_bytes(sha512(seed).digest()[:32], "little")
    scalar = scalar & ~7 & (2**255 - 1) | 2**254
    identity = b"\x01" + bytes(31)
    challenge = int.from_bytes(sha512(identity + key.public_key + MESSAGE).digest(), "little")
    forged = identity + (challenge * scalar % GROUP_ORDER).to_bytes(32, "little")
    assert library_verdict(key.public_key, MESSAGE, forged)
    assert not verify(key.public_key, MESSAGE, forged)


@pytest.mark.parametrize("kind", ["tx", "vote", "block"])
def test_kind_chain_and_body_all_change_a_digest(kind: str) -> None:
    base = digest(kind, b"body", b"g" * 32)
    assert len(base) == 32
    assert base != digest(kind + "x", b"body", b"g" * 32)
    assert base != digest(kind, b"bodx", b"g" * 32)
    assert base != digest(kind, b"body", b"h" * 32)


@given(st.binary(min_size=32, max_size=32), st.binary(max_size=80))
def test_signing_is_deterministic_and_honest_keys_pass_every_check(
    seed: bytes, message: bytes
) -> None:
    key = SigningKey.from_seed(seed)
    signature = key.sign(message)
    assert signature == SigningKey.from_seed(seed).sign(message)
    assert verify(key.public_key, message, signature)
    assert library_verdict(key.public_key, message, signature)
    assert is_prime_order_key(key.public_key)


def test_a_key_does_not_show_its_secret_and_needs_a_whole_seed() -> None:
    seed = b"\x09" * 32
    assert seed.hex() not in repr(SigningKey.from_seed(seed))
    for length in (0, 31, 33, 64):
        with pytest.raises(ValueError, match="seed"):
            SigningKey.from_seed(bytes(length))
