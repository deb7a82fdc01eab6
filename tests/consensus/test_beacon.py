"""Rule E1: seeds come from the builder's VRF output, one per height, whatever it builds or when."""

import inspect
from hashlib import sha256, sha512

import pytest

from consensus import beacon
from ledger import vrf
from ledger.errors import Reason, Rejected

GENESIS = bytes(range(32))
SECRET = sha256(b"secret").digest()


def test_rule_e1_the_seed_chain_is_the_builders_output_hashed_with_height_and_seed() -> None:
    seed = beacon.seed_0(GENESIS)
    proof = vrf.prove(SECRET, beacon.alpha(GENESIS, 1, seed))
    beta = vrf.verify(vrf.public_key(SECRET), beacon.alpha(GENESIS, 1, seed), proof)
    assert beta is not None
    opened = beacon.open_seed(vrf.public_key(SECRET), GENESIS, 1, seed, proof)
    tag = b"twinchain/seed/v1" + bytes(1)
    assert opened == sha512(tag + seed + (1).to_bytes(8, "big") + beta).digest()
    assert len(seed) == len(opened) == beacon.SEED_BYTES


def test_rule_e1_alpha_names_chain_height_and_seed_and_nothing_the_builder_chooses() -> None:
    assert list(inspect.signature(beacon.alpha).parameters) == ["genesis_hash", "height", "seed"]
    alphas = {
        beacon.alpha(genesis, height, seed)
        for genesis in (GENESIS, bytes(32))
        for height in (1, 2)
        for seed in (bytes(64), bytes(63) + b"\1")
    }
    assert len(alphas) == 8


@pytest.mark.parametrize("spoilt", ["proof", "key", "height", "seed", "genesis", "length"])
def test_rule_e1_a_proof_of_anything_else_is_refused(spoilt: str) -> None:
    seed = beacon.seed_0(GENESIS)
    proof = vrf.prove(SECRET, beacon.alpha(GENESIS, 7, seed))
    key, genesis, height = vrf.public_key(SECRET), GENESIS, 7
    if spoilt == "proof":
        proof = proof[:40] + bytes([proof[40] ^ 1]) + proof[41:]
    elif spoilt == "key":
        key = vrf.public_key(bytes(32))
    elif spoilt == "height":
        height = 8
    elif spoilt == "seed":
        seed = bytes(64)
    elif spoilt == "genesis":
        genesis = bytes(32)
    else:
        proof += b"\0"
    with pytest.raises(Rejected) as refusal:
        beacon.open_seed(key, genesis, height, seed, proof)
    assert refusal.value.reason is Reason.BAD_VRF


def test_two_chains_begin_with_different_seeds() -> None:
    assert beacon.seed_0(GENESIS) != beacon.seed_0(bytes(32))
