"""Several nodes held against each other: each proves its tip, and all must have one chain."""

from collections.abc import Sequence
from dataclasses import dataclass

from ledger.errors import ProofFailed
from ledger.types import Digest, Height
from node.client.light import LightClient


@dataclass(frozen=True, slots=True)
class Comparison:
    """Several nodes held against each other at a height all of them have."""

    height: Height
    hash: Digest
    tips: tuple[tuple[str, Height], ...]


async def compare(lights: Sequence[LightClient]) -> Comparison:
    """Prove the tip of every node, and that they agree at the lowest of them.

    Two final blocks at one height are the one thing a quorum can never sign without a third of it
    being faulty; it is refused as `fork`.  Raises ProofFailed.
    """
    tips = [await light.follow() for light in lights]
    height = min(tip.sighting.height for tip in tips)
    found = [(await light.header(height)).sighting.hash for light in lights]
    for light, digest in zip(lights, found, strict=True):
        if digest != found[0]:
            raise ProofFailed(
                "fork",
                f"two final blocks {height}: {found[0].hex()} at {lights[0].client.url},"
                f" {digest.hex()} at {light.client.url}",
            )
    named = zip(lights, tips, strict=True)
    return Comparison(
        height, found[0], tuple((light.client.url, tip.sighting.height) for light, tip in named)
    )
