"""Which missing certificates were asked for, and whom to ask next.

Rule R7: what the proposal of a view builds on is fetched from its leader first, who must hold it,
then from any validator in turn.  A view asks for each certificate once per round trip, and only
while it matters; a new view starts afresh.
"""

from dataclasses import dataclass, field

from consensus.simplex.events import GetCertificate, Send
from consensus.simplex.types import ValidatorSet, Want


@dataclass(slots=True)
class CertificateRequests:
    """Requests of the current view."""

    validators: ValidatorSet
    height: int
    own_index: int | None
    round_trip_ms: int
    again_at: int | None = None
    _turn: int = 0
    _asked: dict[tuple[int, Want], None] = field(default_factory=dict)

    def reset(self) -> None:
        """Nothing is missing, or a new view began."""
        self.again_at = None
        self._turn = 0
        self._asked.clear()

    def ask(
        self, now_ms: int, leader: int, missing: tuple[tuple[int, Want], ...]
    ) -> tuple[Send, ...]:
        """The requests that are due; `again_at` is when to call again."""
        if self.again_at is not None and now_ms >= self.again_at:
            self._turn += 1
            self._asked.clear()
            self.again_at = None
        fresh = [entry for entry in missing if entry not in self._asked]
        peer = self._peer(leader)
        if not fresh or peer is None:
            return ()
        if self.again_at is None:
            self.again_at = now_ms + self.round_trip_ms
        self._asked.update(dict.fromkeys(fresh))
        key = self.validators.keys[peer]
        return tuple(Send(key, GetCertificate(self.height, view, want)) for view, want in fresh)

    def _peer(self, leader: int) -> int | None:
        """The leader on the first turn, then everybody else in turn; never ourselves."""
        n = self.validators.n
        others = [(leader + step) % n for step in range(n)]
        others = [index for index in others if index != self.own_index]
        return others[self._turn % len(others)] if others else None
