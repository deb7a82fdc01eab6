"""What a light client remembers between runs: the last block it proved, and who votes next.

A client that starts from the genesis every time believes old voting sets every time, long after
their members have left and perhaps lost their keys.  One that remembers a recent block does not.
"""

import json
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from consensus.simplex.types import ValidatorSet
from ledger.codec import Record
from ledger.errors import ProofFailed
from ledger.types import Digest, Height, Hex32
from node.proofs.checks import Anchor
from node.proofs.documents import SeatDocument


class TrustError(Exception):
    """The trust file cannot be used; the message says why and is meant for people."""


class _TrustFile(Record):
    genesis_hash: Hex32
    height: Height
    hash: Hex32
    seats: Annotated[tuple[SeatDocument, ...], Meta(min_length=1, max_length=256)]


def load_trust(path: Path, genesis_hash: Digest) -> Anchor | None:
    """The block that was proven last, None when there is no file.  Raises TrustError."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise TrustError(f"cannot read {path}: {error.strerror}") from error
    try:
        stored = msgspec.json.decode(data, type=_TrustFile)
        validators = ValidatorSet(
            tuple(bytes.fromhex(seat.address) for seat in stored.seats),
            tuple(bytes.fromhex(seat.vrf_key) for seat in stored.seats),
        )
        anchor = Anchor(stored.height, bytes.fromhex(stored.hash), validators)
    except (msgspec.DecodeError, ValueError) as error:
        raise TrustError(f"{path} is no trust file: {error}") from error
    if stored.genesis_hash != genesis_hash.hex():
        raise TrustError(f"{path} is of another chain: genesis {stored.genesis_hash}")
    return anchor


def save_trust(path: Path, genesis_hash: Digest, anchor: Anchor) -> None:
    """Remember a proven block; the file is replaced in one step.  Raises TrustError."""
    validators = anchor.validators
    document = {
        "genesis_hash": genesis_hash.hex(),
        "height": anchor.height,
        "hash": anchor.hash.hex(),
        "seats": [
            {"address": key.hex(), "vrf_key": vrf_key.hex()}
            for key, vrf_key in zip(validators.keys, validators.vrf_keys, strict=True)
        ],
    }
    fresh = path.with_name(path.name + ".new")
    try:
        fresh.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
        fresh.replace(path)
    except OSError as error:
        raise TrustError(f"cannot write {path}: {error.strerror}") from error


def require_same(anchor: Anchor, height: Height, digest: Digest) -> None:
    """Raises ProofFailed when a node has another block where a trusted one was."""
    if height == anchor.height and digest != anchor.hash:
        raise ProofFailed(
            "fork", f"block {height} was {anchor.hash.hex()} when it was proven before"
        )
