"""One peer as this node knows it: who it is, how to reach it, how it has behaved.

Each peer has an outbox, a score and a ban of its own, so whatever one of them does is paid for by
that one alone.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from node.peers.outbox import Outbox

SCORE_MAX = 100
"""Where every peer starts; good deeds earn it back slowly."""

BAN_BELOW = 0
MESSAGES_PER_S = 1000
MESSAGES_BURST = 4000
"""A validator sends some ten messages a view; a retry of a whole height some hundred."""

BAN_MS = 10_000
"""Short on purpose: a validator that is heard again too late costs liveness."""


class Role(StrEnum):
    """What a peer is on this chain."""

    MEMBER = "member"
    OBSERVER = "observer"


@dataclass(frozen=True, slots=True)
class PeerInfo:
    """What state or settings say of a peer.  `url` is http(s)://host:port, "" if unknown."""

    key: bytes
    name: str
    role: Role
    url: str

    @property
    def address(self) -> str:
        return self.key.hex()


class LinkClosed(Exception):
    """The other side is gone, or this side closed the link."""


class Link(Protocol):
    """A message stream to one authenticated peer; dialed or accepted."""

    async def send(self, data: bytes) -> None:
        """Hand one message over, waiting for room.  Raises LinkClosed."""
        ...

    async def receive(self) -> bytes:
        """The next message.  Raises LinkClosed."""
        ...

    async def close(self) -> None:
        """Close; never raises."""
        ...


@dataclass(slots=True, eq=False)
class Peer:
    """A known peer with the state of its link.  Times are of the monotonic clock, in ms."""

    info: PeerInfo
    outbox: Outbox
    now_ms: Callable[[], int]
    link: Link | None = None
    dialed: bool = False
    height: int = 0
    greeted: bool = False
    score: int = SCORE_MAX
    banned_until_ms: int = 0
    last_seen_ms: int | None = None
    round_trip_ms: int | None = None
    bad_frames: int = 0
    throttled: int = 0
    allowance: float = 0.0
    allowance_ms: int = -1_000_000
    known_blocks: dict[bytes, None] = field(default_factory=dict)

    @property
    def key(self) -> bytes:
        return self.info.key

    @property
    def connected(self) -> bool:
        return self.link is not None

    @property
    def banned(self) -> bool:
        return self.now_ms() < self.banned_until_ms

    def seen(self) -> None:
        """The peer has just said something."""
        self.last_seen_ms = self.now_ms()

    def ban(self) -> None:
        """Stop listening to this peer for BAN_MS."""
        self.banned_until_ms = self.now_ms() + BAN_MS

    def penalise(self, points: int) -> None:
        """Take points; at zero the peer is not listened to for a while and starts over at half."""
        self.score -= points
        if self.score <= BAN_BELOW:
            self.ban()
            self.score = SCORE_MAX // 2

    def demote(self, points: int) -> None:
        """Prefer others for a while; for what an honest but slow or lost peer may also do."""
        self.score = max(1, self.score - points)

    def may_speak(self) -> bool:
        """Take one message off the peer's allowance, which refills at MESSAGES_PER_S."""
        now = self.now_ms()
        refill = (now - self.allowance_ms) * MESSAGES_PER_S / 1000
        self.allowance = min(float(MESSAGES_BURST), self.allowance + refill)
        self.allowance_ms = now
        if self.allowance < 1:
            self.throttled += 1
            return False
        self.allowance -= 1
        return True

    def reward(self, points: int = 1) -> None:
        """Give points back for useful work."""
        self.score = min(SCORE_MAX, self.score + points)

    def note_block(self, digest: bytes) -> bool:
        """Remember that the peer has this block; False if that was known.  Bounded to 64."""
        if digest in self.known_blocks:
            return False
        self.known_blocks[digest] = None
        while len(self.known_blocks) > 64:
            del self.known_blocks[next(iter(self.known_blocks))]
        return True
