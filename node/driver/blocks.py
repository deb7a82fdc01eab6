"""The blocks of the height worked on: what is here, what is missing and whom to ask for it.

Blocks travel apart from votes.  A builder pushes its block; who lacks one that the core wants
checked asks the sources the core names, one after the other, then every validator in turn, until
it comes or the height ends.  Memory is bounded: a block nobody asked for is kept only from a
validator, two per sender for this height and one for the next.
"""

from dataclasses import dataclass, field

from consensus.simplex.application import BlockFacts
from consensus.simplex.types import PeerKey
from ledger.types import Digest

UNASKED_PER_PEER = 2


@dataclass(slots=True)
class Shelved:
    """A block that is here.  valid: None until checked.  held_until_ms: its time lies ahead.

    `held_until_ms` is when to look again, on the clock of the timers.
    """

    data: bytes
    facts: BlockFacts
    valid: bool | None = None
    held_until_ms: int | None = None


@dataclass(slots=True)
class Fetch:
    """A block that is missing."""

    sources: dict[PeerKey, None]
    next_at_ms: int
    turn: int = 0


@dataclass(slots=True)
class BlockShelf:
    """Blocks and fetches of one height, and early blocks of the next."""

    round_trip_ms: int
    own_key: PeerKey | None
    validators: tuple[PeerKey, ...] = ()
    blocks: dict[Digest, Shelved] = field(default_factory=dict)
    fetches: dict[Digest, Fetch] = field(default_factory=dict)
    _unasked: dict[PeerKey, int] = field(default_factory=dict)
    _early: dict[PeerKey, tuple[BlockFacts, bytes]] = field(default_factory=dict)

    def begin_height(self, height: int, validators: tuple[PeerKey, ...]) -> None:
        """Drop the blocks of the height before; take over those that came early."""
        early, self._early = self._early, {}
        self.validators = validators
        self.blocks.clear()
        self.fetches.clear()
        self._unasked.clear()
        for peer, (facts, data) in early.items():
            if facts.height == height:
                self.offer(peer, facts, data)

    def offer(self, peer: PeerKey | None, facts: BlockFacts, data: bytes) -> bool:
        """Take a block of this height that arrived.  peer: None for our own.  True if kept."""
        if facts.digest in self.blocks:
            return False
        wanted = self.fetches.pop(facts.digest, None) is not None
        if not wanted and peer is not None:
            count = self._unasked.get(peer, 0)
            if peer not in self.validators or count >= UNASKED_PER_PEER:
                return False
            self._unasked[peer] = count + 1
        self.blocks[facts.digest] = Shelved(data, facts)
        return True

    def offer_early(self, peer: PeerKey, facts: BlockFacts, data: bytes) -> None:
        """Keep a block of the next height until that begins; the latest one per validator."""
        if peer in self.validators:
            self._early[peer] = (facts, data)

    def want(
        self, digest: Digest, sources: tuple[PeerKey, ...], now_ms: int, *, expected: bool
    ) -> None:
        """Fetch a block that is not here.  expected: it is being pushed to us, so wait a little.

        More sources (a certificate) make a pending fetch more urgent.
        """
        if digest in self.blocks:
            return
        fetch = self.fetches.get(digest)
        if fetch is None:
            patience = self.round_trip_ms // 2 if expected else 0
            self.fetches[digest] = Fetch(dict.fromkeys(sources), now_ms + patience)
            return
        fetch.sources.update(dict.fromkeys(sources))
        fetch.next_at_ms = min(fetch.next_at_ms, now_ms + self.round_trip_ms // 4)

    def due(self, now_ms: int) -> list[tuple[Digest, PeerKey]]:
        """The requests to send now; each is repeated to the next source after a while."""
        requests: list[tuple[Digest, PeerKey]] = []
        for digest, fetch in self.fetches.items():
            if now_ms < fetch.next_at_ms:
                continue
            everyone = dict.fromkeys((*fetch.sources, *self.validators))
            peers = [key for key in everyone if key != self.own_key]
            if peers:
                requests.append((digest, peers[fetch.turn % len(peers)]))
            fetch.turn += 1
            fetch.next_at_ms = now_ms + self.round_trip_ms
        return requests

    def released(self, now_ms: int) -> list[Digest]:
        """Blocks whose time has come; each is told once."""
        ready = [
            digest
            for digest, shelved in self.blocks.items()
            if shelved.held_until_ms is not None and now_ms >= shelved.held_until_ms
        ]
        for digest in ready:
            self.blocks[digest].held_until_ms = None
        return ready

    def deadline_ms(self) -> int | None:
        """When `due` or `released` has something to say next."""
        times = [fetch.next_at_ms for fetch in self.fetches.values()]
        held = (shelved.held_until_ms for shelved in self.blocks.values())
        times.extend(at for at in held if at is not None)
        return min(times, default=None)
