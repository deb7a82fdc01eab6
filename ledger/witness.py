"""Values of a state that outlive it: some keys, and what of the digest tree proves them.

A state is gone once the next block is merged, and with it every proof under its root.  What a
client will want to see proven later is therefore cut out in time: `State.witness` copies the values
with the buckets and sibling digests of their paths, shared parts once.  `prove` then gives the same
`StateProof` the state itself would have given.

The stored form is MessagePack: it is this node's own affair and under no hash.
"""

import msgspec

from ledger.errors import Corrupt
from ledger.tree import StateProof, TreePart, proof_from
from ledger.types import Digest


class Witness(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Values by key (None: absent), buckets by number, digests by node."""

    values: dict[bytes, bytes | None]
    buckets: dict[int, bytes]
    nodes: dict[int, Digest]

    def prove(self, key: bytes) -> StateProof:
        """Return the proof about one of the keys.  Raises KeyError for another."""
        if key not in self.values:
            raise KeyError(key)
        return proof_from(TreePart(self.buckets, self.nodes), key)


_WITNESSES = msgspec.msgpack.Decoder(tuple[Witness, ...])


def encode_witnesses(witnesses: tuple[Witness, ...]) -> bytes:
    """Return the stored form."""
    return msgspec.msgpack.encode(witnesses)


def decode_witnesses(stored: bytes) -> tuple[Witness, ...]:
    """Return what `encode_witnesses` stored.  Raises Corrupt for anything else."""
    try:
        return _WITNESSES.decode(stored)
    except msgspec.DecodeError as error:
        raise Corrupt(f"stored witnesses do not decode: {error}") from error
