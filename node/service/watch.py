"""Sees whether the chain advances and, when it does not, says who is silent.

The watch hears every vote that arrives and every block that becomes final.  It judges nothing for
consensus: its word goes to logs, probes, metrics and the explorer.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from consensus.simplex.types import ValidatorSet, Vote, VoteKind

STALL_FLOOR_MS = 5_000
"""Fast chains get this long before they are called stalled."""


@dataclass(slots=True)
class Watch:
    """Times are of the monotonic clock in ms.  `names` maps account keys to display names."""

    now_ms: Callable[[], int]
    stall_blocks: int
    block_time_ms: int
    height: int = 1
    advanced_ms: int = 0
    stalled: bool = False
    _votes: dict[tuple[int, int], set[VoteKind]] = field(default_factory=dict)
    _heard_ms: dict[bytes, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.advanced_ms = self.now_ms()

    def heard(self, vote: Vote, signer: bytes) -> None:
        """A vote arrived from its signer's own node."""
        self._heard_ms[signer] = self.now_ms()
        if vote.height == self.height and len(self._votes) < 4096:
            self._votes.setdefault((vote.view, vote.signer), set()).add(vote.kind)

    def decided(self, height: int) -> None:
        """The block of `height` is final."""
        self.height = height + 1
        self.advanced_ms = self.now_ms()
        self.stalled = False
        self._votes.clear()

    @property
    def limit_ms(self) -> int:
        """Without a final block for this long, the chain counts as stalled."""
        return max(STALL_FLOOR_MS, self.stall_blocks * self.block_time_ms)

    @property
    def idle_ms(self) -> int:
        """Since the last final block."""
        return self.now_ms() - self.advanced_ms

    def check(self) -> bool:
        """Whether the chain has just become stalled, or still is and it is time to repeat it."""
        if self.idle_ms < self.limit_ms:
            return False
        first, self.stalled = not self.stalled, True
        return first or self.idle_ms % (12 * self.limit_ms) < 1000

    def silent(self, validators: ValidatorSet, own_key: bytes) -> tuple[bytes, ...]:
        """Validators, ourselves apart, of whom no vote arrived within the limit."""
        now = self.now_ms()
        return tuple(
            key
            for key in validators.keys
            if key != own_key and now - self._heard_ms.get(key, -(10**12)) > self.limit_ms
        )

    def votes(self, view: int, size: int) -> Sequence[frozenset[VoteKind]]:
        """What each validator of the set voted in this view, as far as it was heard."""
        return [frozenset(self._votes.get((view, index), ())) for index in range(size)]
