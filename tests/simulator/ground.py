"""What a simulation stands on: keys, signatures, and an application with its own knowledge."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from hashlib import sha256, sha512
from typing import TYPE_CHECKING

from consensus.simplex.pace import Timing
from consensus.simplex.types import HeightStart, Signer, Verify
from ledger.crypto import SigningKey, digest, verify
from tests.simulator.disk import Disk
from tests.simulator.node import Plug
from tests.simulator.toy import MAX_BYTES, ToyApplication, ToyChain, decode_toy
from tests.simulator.world import EPOCH_MS

if TYPE_CHECKING:
    from tests.simulator.audit import Audit

TIMING = Timing(
    block_time_ms=100,
    round_trip_ms=50,
    execution_budget_ms=20,
    growth_cap=8,
    silent_after_ms=1500,
)
"""Ten times faster than a real network; only ratios matter."""


@dataclass(frozen=True)
class Wishes:
    """What a scenario fixes about its ground; None is drawn."""

    n: int | None
    observers: int | None
    heights_per_set: int | None
    real_signatures: bool | None


@dataclass(frozen=True)
class Ground:
    """`n` is the size of every voting set; further signers observe."""

    name: str
    genesis_hash: bytes
    verify: Verify
    signers: tuple[Signer, ...]
    n: int
    plug: Plug
    audit: Audit | None = None


GroundMaker = Callable[[Wishes, random.Random], Ground]


@dataclass(frozen=True)
class StubKey:
    """Signs by hashing the public key: nobody in the simulator signs for another."""

    public_key: bytes

    def sign(self, message: bytes) -> bytes:
        return sha512(self.public_key + message).digest()


def stub_verify(key: bytes, message: bytes, signature: bytes) -> bool:
    return sha512(key + message).digest() == signature


def toy_ground(wishes: Wishes, chance: random.Random) -> Ground:
    """The toy chain, mostly with stub signatures."""
    n = wishes.n or chance.choice((4, 4, 4, 5, 6, 7))
    period = wishes.heights_per_set
    if period is None:
        period = chance.choice((0, 0, 0, 1, 3, 8))
    observers = wishes.observers
    if observers is None:  # a set that changes needs somebody outside it
        observers = chance.choice((1, 1, 2) if period else (0, 0, 1))
    real = wishes.real_signatures
    real = chance.randrange(10) == 0 if real is None else real
    seeds = [sha256(b"node %d" % index).digest() for index in range(n + observers)]
    signers: tuple[Signer, ...] = tuple(
        SigningKey.from_seed(seed) if real else StubKey(seed) for seed in seeds
    )
    keys = tuple(signer.public_key for signer in signers)
    genesis_hash = digest("genesis", b"simulated")
    check = verify if real else stub_verify
    chain = ToyChain(genesis_hash, EPOCH_MS, TIMING.block_time_ms, keys, n, period, check)
    name = "toy, Ed25519" if real else "toy, stub signatures"
    return Ground(name, genesis_hash, check, signers, n, toy_plug(chain))


def toy_plug(chain: ToyChain) -> Plug:
    """The toy application, ready for the simulator."""

    def opened(key: bytes, disk: Disk) -> tuple[ToyApplication, HeightStart]:
        application = ToyApplication(chain, key, disk)
        return application, application.start()

    def variant(data: bytes) -> bytes:
        return replace(decode_toy(data), salt=1).encode()

    return Plug(
        opened,
        chain.validators,
        lambda application: application.tip,  # type: ignore[attr-defined]
        variant,
        spoiled_toy,
        TOY_SPOILS,
        lambda data: digest("toy", data, chain.genesis_hash),
    )


TOY_SPOILS = (
    "wrong result",
    "wrong parent",
    "wrong height",
    "stale view",
    "wrong builder",
    "time goes back",
    "time far ahead",
    "skips missing",
    "oversize",
    "cut short",
)


def spoiled_toy(data: bytes, kind: str) -> bytes:
    """A block that must not become final, made of one that may."""
    block = decode_toy(data)
    match kind:
        case "wrong result":
            block = replace(block, count=block.count + 1)
        case "wrong parent":
            block = replace(block, parent=bytes(32))
        case "wrong height":
            block = replace(block, height=block.height + 1)
        case "stale view":
            block = replace(block, origin_view=max(0, block.origin_view - 1))
        case "wrong builder":
            block = replace(block, builder=bytes(32))
        case "time goes back":
            block = replace(block, time_ms=1)
        case "time far ahead":
            block = replace(block, time_ms=block.time_ms + 3_600_000)
        case "skips missing":
            skips = block.skips[1:] if block.skips else None
            block = replace(block, skips=skips) if skips else replace(block, origin_view=2)
        case "oversize":
            return data + bytes(MAX_BYTES)
        case _:
            return data[:-1]
    return block.encode()
