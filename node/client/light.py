"""A client that trusts nobody but the genesis: it proves for itself what a node tells it.

    light = await LightClient.open(client, genesis=load(path))
    await light.follow()                      # from the genesis to the tip
    trade = await light.trade(agreement)      # raises ProofFailed, or it holds

This file asks and remembers; what is accepted is decided in `node/proofs/`.  From one change of the
voting set to the next it needs two headers, found by asking for ever closer ones: a lie on the way
only leads to a header that does not verify.
"""

import asyncio
import time
from bisect import bisect_left
from collections import deque
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from auction.proof_parts import ProvenTrade
from consensus.beacon import seed_0
from consensus.history import decode_tip
from consensus.simplex.types import ValidatorSet
from ledger.codec import encode
from ledger.errors import ProofFailed
from ledger.types import Digest, Height
from node.application.chain import Chain, chain_of
from node.application.genesis import GenesisError, LoadedGenesis, from_bytes
from node.client.client import Client
from node.client.trust import require_same
from node.proofs.beacon import ProvenTurn, check_consumed, check_turn, read_election
from node.proofs.checks import (
    Anchor,
    ProvenTransaction,
    Sighting,
    check_state,
    check_trade,
    check_transaction,
    genesis_anchor,
    is_certified,
    open_header,
    open_set,
    require_certified,
    require_links,
)
from node.proofs.documents import (
    HeaderDocument,
    SetDocument,
    StateDocument,
    TradeDocument,
    TransactionDocument,
    read_document,
)

HEADERS_AT_ONCE = 50
ELECTIONS_AT_ONCE = 8
PATIENCE_S = 10.0
_PAUSE_S = 0.25

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ProvenHeader:
    """A final header and the set that made it so."""

    sighting: Sighting
    validators: ValidatorSet


@dataclass(frozen=True, slots=True)
class ProvenState:
    """What the state after a final block says of one thing; `value` is None if nothing."""

    at: Sighting
    value: bytes | None


class LightClient:
    """Follows one node's chain by proofs alone.  Not for use by several tasks at once."""

    def __init__(
        self,
        client: Client,
        chain: Chain,
        trusted: Anchor | None = None,
        *,
        patience_s: float = PATIENCE_S,
    ) -> None:
        """`trusted` is a block that was proven before; nothing that contradicts it is accepted.

        A node that has not reached it yet is given `patience_s` to do so.
        """
        self._patience_s = patience_s
        self.client = client
        self.chain = chain
        self.trusted = trusted
        self._anchors = [genesis_anchor(chain)]
        self._changes: dict[Height, None] = {}
        if trusted is not None and trusted.height > 0:
            self._anchors.append(trusted)

    @classmethod
    async def open(
        cls,
        client: Client,
        *,
        genesis: LoadedGenesis | None = None,
        genesis_hash: Digest | None = None,
        trusted: Anchor | None = None,
    ) -> "LightClient":
        """A light client of the chain of this genesis, or of the genesis with this hash.

        With the hash alone the genesis is fetched from the node.  Raises ProofFailed when it is
        another, ValueError without either.
        """
        if genesis is None:
            if genesis_hash is None:
                raise ValueError("a light client needs a genesis or its hash")
            genesis = await fetch_genesis(client, genesis_hash)
        return cls(client, chain_of(genesis), trusted)

    @property
    def anchor(self) -> Anchor:
        """The highest block proven so far: what to remember for the next time."""
        return self._anchors[-1]

    @property
    def changes(self) -> tuple[Height, ...]:
        """First heights of voting sets that were met on the way, ascending."""
        return tuple(sorted(self._changes))

    # ------------------------------------------------------------ the chain
    async def follow(self) -> ProvenHeader:
        """Prove the node's newest block.  Raises ProofFailed, also if it is behind what is known.

        A block that was proven before must still be there.
        """
        latest = await self._latest()
        if self.trusted is not None:
            until = time.monotonic() + self._patience_s
            while latest.height < self.trusted.height and time.monotonic() < until:
                await asyncio.sleep(_PAUSE_S)
                latest = await self._latest()
            if latest.height < self.trusted.height:
                raise ProofFailed(
                    "behind",
                    f"the node is at {latest.height}, {self.trusted.height} was proven before",
                )
            if self.trusted.height > 0:
                then = await self._sighting(self.trusted.height)
                require_same(self.trusted, then.height, then.hash)
        proven = await self.prove(latest)
        if latest.height > self.anchor.height:
            self._remember(await self._after(latest, proven.validators))
        return proven

    async def header(self, height: Height) -> ProvenHeader:
        """The proven header of a height.  Raises ProofFailed."""
        return await self.prove(await self._sighting(height))

    async def prove(self, sighting: Sighting) -> ProvenHeader:
        """Find the voting set of a header's height and see whether it signed.  Raises ProofFailed.

        Every set that is passed on the way was named by a header its predecessor signed.
        """
        known = bisect_left([anchor.height for anchor in self._anchors], sighting.height) - 1
        anchor = self._anchors[max(0, known)]
        while not is_certified(sighting, anchor.validators, self.chain):
            last = await self._last_of(anchor, sighting.height)
            require_certified(last, anchor.validators, self.chain)
            anchor = await self._after(last, anchor.validators)
            self._remember(anchor)
            self._changes[anchor.height + 1] = None
        place = bisect_left([each.height for each in self._anchors], sighting.height)
        for remembered in self._anchors[place : place + 1]:
            require_same(remembered, sighting.height, sighting.hash)
        return ProvenHeader(sighting, anchor.validators)

    async def _last_of(self, anchor: Anchor, height: Height) -> Sighting:
        """A header below `height` that names another set than `anchor`'s, above one naming it.

        So the set of that header is the anchor's own: whoever wants it accepted shows its votes.
        """
        own = anchor.validators.digest.hex()
        low, high = anchor.height, height - 1
        if high <= low:
            raise ProofFailed("certificate", f"block {height} is not signed by its voting set")
        upper = await self._sighting(high)
        if upper.header.validators_hash == own:
            raise ProofFailed("certificate", f"block {height} is not signed by its voting set")
        while high - low > 1:
            step = max(1, (high - low) // HEADERS_AT_ONCE)
            between = range(low + step, high, step)
            for seen in await self._sightings(between[:HEADERS_AT_ONCE]):
                if seen.header.validators_hash != own:
                    upper, high = seen, seen.height
                    break
                low = seen.height
        return upper

    async def _after(self, sighting: Sighting, validators: ValidatorSet) -> Anchor:
        """What is known after a certified header; its next set is fetched where it is another."""
        digest = bytes.fromhex(sighting.header.validators_hash)
        if digest != validators.digest:
            validators = await self._set(digest)
        return Anchor(sighting.height, sighting.hash, validators)

    def _remember(self, anchor: Anchor) -> None:
        """Keep an anchor in its place; of a run with one set the first and the last are enough."""
        anchors = self._anchors
        place = bisect_left([each.height for each in anchors], anchor.height)
        if place < len(anchors) and anchors[place].height == anchor.height:
            return
        anchors.insert(place, anchor)
        run = {each.validators.digest for each in anchors[-3:]}
        if len(anchors) > 3 and len(run) == 1 and anchors[-2] is not self.trusted:
            del anchors[-2]

    async def walk(self, first: Height, last: Height) -> AsyncIterator[ProvenHeader]:
        """Every header of a range, each linked to the one below and signed by its own set.

        Nothing is skipped: dearer than `follow`, and says more.  Raises ProofFailed.
        """
        below: Sighting | None = None
        for start in range(first, last + 1, HEADERS_AT_ONCE):
            run = await self._sightings(range(start, min(start + HEADERS_AT_ONCE, last + 1)))
            parent = bytes.fromhex(run[0].header.parent) if below is None else below.hash
            if start == 1:
                parent = self.chain.genesis_hash
            require_links([each.header for each in run], [each.hash for each in run], parent)
            for seen in run:
                yield await self.prove(seen)
            below = run[-1]

    # ------------------------------------------------------------ what stands in it
    async def transaction(self, identity: Digest) -> ProvenTransaction:
        """A final transaction.  Raises ProofFailed; ApiError if the node does not know it."""
        path = f"/v1/txs/{identity.hex()}/proof"
        document = await self._fetch(path, TransactionDocument)
        sighting = open_header(document.block, self.chain)
        await self.prove(sighting)
        return check_transaction(document, sighting.header, identity, self.chain)

    async def state(self, kind: str, name: str) -> ProvenState:
        """One thing in the state at the node's tip: see `STATE_KINDS`.

        Raises ProofFailed, also for a state that is older than the newest block known here.
        """
        document = await self._fetch(f"/v1/proofs/{kind}/{name}", StateDocument)
        sighting = open_header(document.block, self.chain)
        if sighting.height < self.anchor.height:
            raise ProofFailed(
                "behind",
                f"the state shown is of {sighting.height}, {self.anchor.height} was proven before",
            )
        await self.prove(sighting)
        return ProvenState(sighting, check_state(document, sighting.header, kind, name))

    async def trade(self, agreement: Digest, height: Height | None = None) -> ProvenTrade:
        """The trade behind an agreement; `height` once the state forgot it.  Raises ProofFailed."""
        path = f"/v1/agreements/{agreement.hex()}/proof"
        document = await self._fetch(path, TradeDocument, height=height)
        sighting = open_header(document.block, self.chain, height)
        await self.prove(sighting)
        return check_trade(document, sighting.header, agreement, self.chain)

    # ------------------------------------------------------------ the beacon
    async def turns(self, first: Height, last: Height) -> AsyncIterator[ProvenTurn]:
        """Seeds, orders and builders of a range of heights, ascending.  Raises ProofFailed."""
        seed: bytes | None = seed_0(self.chain.genesis_hash) if first == 1 else None
        below: Sighting | None = None
        rules = self.chain.genesis.genesis.consensus.parameters
        recent: deque[ProvenTurn] = deque(maxlen=rules.history_heights())
        for start in range(first, last + 1, HEADERS_AT_ONCE):
            heights = range(start, min(start + HEADERS_AT_ONCE, last + 1))
            run = await self._sightings(heights)
            parent = bytes.fromhex(run[0].header.parent) if below is None else below.hash
            if start == 1:
                parent = self.chain.genesis_hash
            require_links([each.header for each in run], [each.hash for each in run], parent)
            await self.prove(run[-1])
            validators = (await self.prove(run[0])).validators
            for seen, document in zip(run, await self._elections(heights), strict=True):
                published = read_election(document)
                check_consumed(published, recent, rules.lookback(validators.n))
                before = _seed_of(published.seed) if seed is None else seed
                turn = check_turn(
                    seen.header, published, before, validators, self.chain.genesis_hash
                )
                seed = turn.seed
                recent.append(turn)
                yield turn
                validators = (await self._after(seen, validators)).validators
            below = run[-1]

    async def tip_seed(self) -> tuple[Height, bytes]:
        """A height at the tip and its seed, as the state proves them.  Raises ProofFailed."""
        proven = await self.state("beacon", "tip")
        stored = None if proven.value is None else decode_tip(proven.value)
        if stored is None or stored.height != proven.at.height:
            raise ProofFailed("seed", f"the state of {proven.at.height} holds no seed of it")
        return stored.height, bytes.fromhex(stored.seed)

    async def _elections(self, heights: Sequence[Height]) -> list[Mapping[str, Any]]:
        documents: list[Mapping[str, Any]] = []
        for start in range(0, len(heights), ELECTIONS_AT_ONCE):
            asked = heights[start : start + ELECTIONS_AT_ONCE]
            documents += await asyncio.gather(*(self.client.election(height) for height in asked))
        return documents

    # ------------------------------------------------------------ asking
    async def _latest(self) -> Sighting:
        return open_header(await self._fetch("/v1/headers/latest", HeaderDocument), self.chain)

    async def _sighting(self, height: Height) -> Sighting:
        document = await self._fetch(f"/v1/headers/{height}", HeaderDocument)
        return open_header(document, self.chain, height)

    async def _sightings(self, heights: "Sequence[Height]") -> list[Sighting]:
        """Headers of an ascending run of heights with one distance; all of them, or a refusal."""
        step = heights[1] - heights[0] if len(heights) > 1 else 1
        query: dict[str, object] = {"from": heights[0], "step": step, "limit": len(heights)}
        answer = await self.client.get("/v1/headers", **query)
        rows = answer.get("data")
        if not isinstance(rows, list) or len(rows) != len(heights):
            raise ProofFailed("gap", f"not all headers from {heights[0]} to {heights[-1]} came")
        return [
            open_header(read_document(row, HeaderDocument), self.chain, height)
            for row, height in zip(rows, heights, strict=True)
        ]

    async def _set(self, digest: Digest) -> ValidatorSet:
        for anchor in self._anchors:
            if anchor.validators.digest == digest:
                return anchor.validators
        document = await self._fetch(f"/v1/sets/{digest.hex()}", SetDocument)
        return open_set(document, digest)

    async def _fetch(self, path: str, kind: type[T], **query: object) -> T:
        answer = await self.client.get(path, **query)
        data = answer.get("data")
        if not isinstance(data, dict):
            raise ProofFailed("form", f"no data in the answer of {path}")
        return read_document(data, kind)


async def fetch_genesis(client: Client, genesis_hash: Digest) -> LoadedGenesis:
    """The genesis with this hash, from any node.  Raises ProofFailed when it has another."""
    answer = await client.get("/v1/genesis")
    data = answer.get("data")
    if not isinstance(data, dict):
        raise ProofFailed("form", "no data in the answer of /v1/genesis")
    try:
        genesis = from_bytes(encode(data))
    except GenesisError as error:
        raise ProofFailed("genesis", str(error)) from None
    if genesis.hash != genesis_hash:
        raise ProofFailed("genesis", f"the node's genesis is {genesis.hash.hex()}")
    return genesis


def _seed_of(text: str) -> bytes:
    """A published seed; a wrong one fails at the first VRF proof that is bound to it."""
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise ProofFailed("seed", "the published seed is not hex") from None
