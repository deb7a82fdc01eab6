"""The beacon and the draw, checked by a stranger: seeds, orders, and who was allowed to build.

Every block extends the seed by its builder's VRF output (rule E1).  The proof stands in the header
and is bound to seed_{h-1}, so a certified header shows which seed its builder extended: a claimed
seed that is not that one does not verify, and a range can begin anywhere.

The order V*, V^b_1, ... of a height is a function of seed_{h-1} and the weights.  The seed is
proven; the weights are those the node publishes: the order has to follow from them, the builder has
to lead its origin view in that order, and who had its turn within the last L heights weighs nothing
(rule E3; L is fixed by the genesis and the size of the set).  A positive weight itself is not
proven: it was in a state that is gone, and the quorum that signed the header stands for it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from consensus.beacon import open_seed
from consensus.documents import role_name
from consensus.draw import order
from consensus.election import move_to_end
from consensus.simplex.types import ValidatorSet
from ledger.blocks import Header
from ledger.errors import ProofFailed, Rejected
from ledger.types import Address, Digest, Height

_MOVED_TO_END = ("jailed", "ejected")


class PublishedEntry(msgspec.Struct, frozen=True):
    """What a node says of one validator in an election; other fields are for display."""

    index: int
    address: Address
    status: str
    weight: Annotated[str, Meta(pattern=r"^(0|[1-9][0-9]*)\Z", max_length=400)]
    consumed: bool
    position: int
    role: str


class PublishedPlace(msgspec.Struct, frozen=True):
    """One place of the published order."""

    position: int
    role: str
    address: Address


class PublishedElection(msgspec.Struct, frozen=True):
    """What a node says of the election of a height."""

    height: Height
    seed: str
    entries: Annotated[tuple[PublishedEntry, ...], Meta(max_length=256)]
    order: Annotated[tuple[PublishedPlace, ...], Meta(max_length=256)]


@dataclass(frozen=True, slots=True)
class ProvenTurn:
    """A height whose seed, order and builder fit together."""

    height: Height
    seed: bytes
    """seed_h, after the builder's output."""
    builder: Address
    view: int
    order: tuple[Address, ...]
    consumed: tuple[Address, ...]
    """Whose turns the block used up: the builder's, and those of leaders that were voted out."""


def read_election(document: Mapping[str, Any]) -> PublishedElection:
    """An answer of `/v1/elections/{height}`.  Raises ProofFailed."""
    try:
        return msgspec.convert(document, PublishedElection)
    except msgspec.ValidationError as error:
        raise ProofFailed("form", f"the answer is no election: {error}") from None


def check_election(
    published: PublishedElection, height: Height, seed: bytes, validators: ValidatorSet
) -> tuple[Address, ...]:
    """The order of a height, drawn again from the proven seed and the published weights.

    `seed` is seed_{height-1}, `validators` set(height).  Raises ProofFailed.
    """
    if published.height != height:
        raise ProofFailed("election", f"asked for {height}, got that of {published.height}")
    if published.seed != seed.hex():
        raise ProofFailed("seed", f"the published seed before {height} is not the chain's")
    keys = tuple(entry.address for entry in published.entries)
    if keys != tuple(key.hex() for key in validators.keys):
        raise ProofFailed("election", f"its entries at {height} are not the voting set")
    weights = [(bytes.fromhex(e.address), int(e.weight)) for e in published.entries]
    excluded = [i for i, e in enumerate(published.entries) if e.status in _MOVED_TO_END]
    drawn = move_to_end(order(seed, weights), excluded)
    places = {index: position for position, index in enumerate(drawn)}
    for index, entry in enumerate(published.entries):
        stated = (entry.index, entry.position, entry.role)
        if stated != (index, places[index], role_name(places[index])):
            raise ProofFailed("order", f"{entry.address} is not at its place at {height}")
        if entry.consumed and entry.weight != "0":
            raise ProofFailed("weight", f"{entry.address} had its turn, yet has a weight")
    leaders = tuple(keys[index] for index in drawn)
    stated_order = [(place.position, place.role, place.address) for place in published.order]
    if stated_order != [(at, role_name(at), who) for at, who in enumerate(leaders)]:
        raise ProofFailed("order", f"the published order of {height} is not the one drawn")
    return leaders


def check_turn(
    header: Header,
    published: PublishedElection,
    seed: bytes,
    validators: ValidatorSet,
    genesis_hash: Digest,
) -> ProvenTurn:
    """That a proven header was built by the leader of its view, and the seed it leads to.

    `seed` is seed_{h-1}, `validators` set(h).  Raises ProofFailed.
    """
    height = header.height
    seed_after = next_seed(header, seed, validators, genesis_hash)
    leaders = check_election(published, height, seed, validators)
    leader = leaders[(header.view - 1) % len(leaders)]
    if header.builder != leader:
        raise ProofFailed(
            "builder", f"view {header.view} of {height} is {leader}'s, not {header.builder}'s"
        )
    exempt = {e.address for e in published.entries if e.status in _MOVED_TO_END}
    passed = leaders[: header.view - 1] if header.view <= len(leaders) else ()
    missed = tuple(who for who in passed if who not in exempt)
    return ProvenTurn(
        height, seed_after, header.builder, header.view, leaders, (*missed, header.builder)
    )


def check_consumed(
    published: PublishedElection, recent: Sequence[ProvenTurn], lookback: int
) -> None:
    """That whoever had its turn within the lookback has no weight, and nobody else is said to have.

    `recent`: the turns proven below this height, the last ones, in order.  Where they do not reach
    back to the lookback, only what they show is held against the node.  Raises ProofFailed.
    """
    height = published.height
    within = [turn for turn in recent if height - 1 - lookback < turn.height < height]
    known = len(within) == min(lookback, height - 1)
    consumed = {who for turn in within for who in turn.consumed}
    for entry in published.entries:
        had = entry.address in consumed
        if had and not (entry.consumed and entry.weight == "0"):
            raise ProofFailed("weight", f"{entry.address} had its turn before {height}")
        if known and entry.consumed and not had:
            raise ProofFailed("weight", f"{entry.address} had no turn before {height}")


def next_seed(header: Header, seed: bytes, validators: ValidatorSet, genesis_hash: Digest) -> bytes:
    """seed_h from seed_{h-1} and the builder's VRF proof.  Raises ProofFailed."""
    index = validators.index(bytes.fromhex(header.builder))
    if index is None:
        raise ProofFailed("builder", f"{header.builder} has no seat at {header.height}")
    key, proof = validators.vrf_keys[index], bytes.fromhex(header.vrf)
    try:
        return open_seed(key, genesis_hash, header.height, seed, proof)
    except Rejected as error:
        raise ProofFailed("vrf", error.detail) from None
