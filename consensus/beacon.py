"""The randomness of the draw: a chain of seeds, each extended by one builder's VRF output.

Theory (rule E1).  The builder of block h proves, with its own VRF key, the output beta_h on

    alpha_h = tag || genesis hash || u64(h) || seed_{h-1}
    seed_h  = SHA-512(tag || seed_{h-1} || u64(h) || beta_h),   seed_0 = SHA-512(tag || genesis)

alpha names neither the view nor the block's content, so each server has exactly one beta per
height: it cannot grind it by choosing transactions, nor by waiting for a later view.  All a
builder can do is withhold its block, which costs it the turn, its tokens and a fee (E6).
The seed is made of beta, never of the proof: proofs are not unique, outputs are.
seed_{h-1} is final before view 1 of height h begins; it draws the order of height h.
"""

from hashlib import sha512
from typing import Final

from ledger import vrf
from ledger.errors import Reason, Rejected

_VRF_TAG: Final = b"twinchain/vrf/v1\0"
_SEED_TAG: Final = b"twinchain/seed/v1\0"
SEED_BYTES: Final = 64


def seed_0(genesis_hash: bytes) -> bytes:
    """The seed before block 1: 64 bytes that depend on the genesis alone."""
    return sha512(_SEED_TAG + genesis_hash).digest()


def alpha(genesis_hash: bytes, height: int, seed: bytes) -> bytes:
    """What the builder of block `height` proves its VRF on; `seed` is seed_{height-1} (E1)."""
    return _VRF_TAG + genesis_hash + height.to_bytes(8, "big") + seed


def next_seed(seed: bytes, height: int, beta: bytes) -> bytes:
    """seed_h from seed_{h-1} and the VRF output of the builder of block `height` (E1)."""
    return sha512(_SEED_TAG + seed + height.to_bytes(8, "big") + beta).digest()


def open_seed(vrf_key: bytes, genesis_hash: bytes, height: int, seed: bytes, proof: bytes) -> bytes:
    """seed_h from the builder's proof, or Rejected(BAD_VRF) if the proof is not the builder's."""
    beta = vrf.verify(vrf_key, alpha(genesis_hash, height, seed), proof)
    if beta is None:
        raise Rejected(Reason.BAD_VRF, f"VRF proof of block {height} does not verify")
    return next_seed(seed, height, beta)
