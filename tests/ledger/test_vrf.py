"""Verifiable randomness: the RFC's examples, one output per key and input, nothing malleable."""

from hashlib import sha512

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nacl import bindings

from ledger import vrf
from ledger.crypto import FIELD_PRIME, GROUP_ORDER

# RFC 9381, appendix B.3, examples 16 to 18: secret key, public key, alpha, pi, beta.
RFC_9381 = (
    (
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "8657106690b5526245a92b003bb079ccd1a92130477671f6fc01ad16f26f723f26f8a57ccaed74ee1b190bed1f479d"
        "9727d2d0f9b005a6e456a35d4fb0daab1268a1b0db10836d9826a528ca76567805",
        "90cf1df3b703cce59e2a35b925d411164068269d7b2d29f3301c03dd757876ff66b71dda49d2de59d03450451af026"
        "798e8f81cd2e333de5cdf4f3e140fdd8ae",
    ),
    (
        "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "f3141cd382dc42909d19ec5110469e4feae18300e94f304590abdced48aed5933bf0864a62558b3ed7f2fea45c92a4"
        "65301b3bbf5e3e54ddf2d935be3b67926da3ef39226bbc355bdc9850112c8f4b02",
        "eb4440665d3891d668e7e0fcaf587f1b4bd7fbfe99d0eb2211ccec90496310eb5e33821bc613efb94db5e5b54c70a8"
        "48a0bef4553a41befc57663b56373a5031",
    ),
    (
        "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "9bc0f79119cc5604bf02d23b4caede71393cedfbb191434dd016d30177ccbf8096bb474e53895c362d8628ee9f9ea3"
        "c0e52c7a5c691b6c18c9979866568add7a2d41b00b05081ed0f58ee5e31b3a970e",
        "645427e5d00c62a23fb703732fa5d892940935942101e456ecca7bb217c61c452118fec1219202a0edcf038bb63732"
        "41578be7217ba85a2687f7a0310b2df19f",
    ),
)

SEED = b"\x05" * 32
KEY = vrf.public_key(SEED)
ALPHA = b"height 7"
PROOF = vrf.prove(SEED, ALPHA)


@pytest.mark.parametrize(("secret", "public", "alpha", "proof", "beta"), RFC_9381)
def test_rfc_9381_examples_16_to_18(
    secret: str, public: str, alpha: str, proof: str, beta: str
) -> None:
    seed, message = bytes.fromhex(secret), bytes.fromhex(alpha)
    assert vrf.public_key(seed).hex() == public
    assert vrf.prove(seed, message).hex() == proof
    verified = vrf.verify(bytes.fromhex(public), message, bytes.fromhex(proof))
    assert verified is not None
    assert verified.hex() == beta == vrf.output(bytes.fromhex(proof)).hex()


def test_a_flipped_bit_anywhere_in_proof_or_key_is_refused() -> None:
    assert vrf.verify(KEY, ALPHA, PROOF) is not None
    for place in range(vrf.PROOF_BYTES):
        for bit in (0, 3, 7):
            spoilt = bytearray(PROOF)
            spoilt[place] ^= 1 << bit
            assert vrf.verify(KEY, ALPHA, bytes(spoilt)) is None
    for place in range(32):
        spoilt = bytearray(KEY)
        spoilt[place] ^= 1
        assert vrf.verify(bytes(spoilt), ALPHA, PROOF) is None


def test_another_input_another_key_and_other_lengths_are_refused() -> None:
    assert vrf.verify(KEY, ALPHA + b"x", PROOF) is None
    assert vrf.verify(vrf.public_key(b"\x06" * 32), ALPHA, PROOF) is None
    for length in (0, 32, 79, 81):
        assert vrf.verify(KEY, ALPHA, (PROOF + PROOF)[:length]) is None
    assert vrf.verify(KEY[:31], ALPHA, PROOF) is None
    assert vrf.verify(KEY, ALPHA, bytes(80)) is None


def test_a_response_not_below_the_group_order_is_refused() -> None:
    response = int.from_bytes(PROOF[48:], "little") + GROUP_ORDER
    assert vrf.verify(KEY, ALPHA, PROOF[:48] + response.to_bytes(32, "little")) is None


@pytest.mark.parametrize("y", [0, 1, FIELD_PRIME - 1, FIELD_PRIME, FIELD_PRIME + 1])
def test_points_of_low_order_are_refused_as_key_and_as_gamma(y: int) -> None:
    for sign in (0, 1):
        point = (y | sign << 255).to_bytes(32, "little")
        assert vrf.verify(point, ALPHA, PROOF) is None
        assert vrf.verify(KEY, ALPHA, point + PROOF[32:]) is None


def test_gamma_with_a_torsion_part_would_give_the_same_beta_and_is_refused() -> None:
    order_two = (FIELD_PRIME - 1).to_bytes(32, "little")
    shifted = bindings.crypto_core_ed25519_add(PROOF[:32], order_two)
    assert vrf.output(shifted + PROOF[32:]) == vrf.output(PROOF)
    assert vrf.verify(KEY, ALPHA, shifted + PROOF[32:]) is None


def test_proofs_of_drafts_before_the_key_entered_the_challenge_are_refused() -> None:
    """Same Gamma, same beta, other challenge: libraries written to old drafts make these."""
    secret, nonce_key = vrf._expand(SEED)
    point = vrf._encode_to_curve(KEY, ALPHA)
    nonce = bindings.crypto_core_ed25519_scalar_reduce(sha512(nonce_key + point).digest())
    commitments = (
        bindings.crypto_scalarmult_ed25519_base_noclamp(nonce),
        bindings.crypto_scalarmult_ed25519_noclamp(nonce, point),
    )
    text = b"\x03\x02" + point + PROOF[:32] + b"".join(commitments)
    for end in (b"", b"\0"):
        challenge = sha512(text + end).digest()[:16]
        product = bindings.crypto_core_ed25519_scalar_mul(challenge + bytes(16), secret)
        response = bindings.crypto_core_ed25519_scalar_add(nonce, product)
        assert vrf.verify(KEY, ALPHA, PROOF[:32] + challenge + response) is None


@settings(max_examples=25)
@given(st.binary(min_size=32, max_size=32), st.binary(max_size=60))
def test_what_is_proved_verifies_and_is_the_same_every_time(seed: bytes, alpha: bytes) -> None:
    proof = vrf.prove(seed, alpha)
    assert proof == vrf.prove(seed, alpha)
    assert vrf.verify(vrf.public_key(seed), alpha, proof) == vrf.output(proof)


@given(st.binary(max_size=90), st.binary(max_size=34))
def test_verifying_anything_never_raises(proof: bytes, key: bytes) -> None:
    assert vrf.verify(key, ALPHA, proof) is None


def test_a_seed_has_32_bytes() -> None:
    for length in (0, 31, 33, 64):
        with pytest.raises(ValueError, match="seed"):
            vrf.prove(bytes(length), ALPHA)
