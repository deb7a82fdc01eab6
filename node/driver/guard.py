"""When a node that may have forgotten votes is allowed to vote again.

A vote journal that is lost or older than what this key signed is worse than a dead node: it may
sign against itself.  Such a node only follows, until a height is final that no forgotten vote can
belong to.  Two signs are asked for, because each has a hole that the other closes:

- The height is above all that peers worked on when the node came up.  The first Status of each
  validator is noted; once a quorum (with ourselves) has shown one, the highest is the bound.  A
  liar could name a height that never comes and so silence us: the bound is cut at SLACK_HEIGHTS
  above the (f+1)-th highest, which an honest node has shown or surpassed.  (The hole: those who
  answer may all be liars or behind.)
- The block below was made after the node came up: its header time lies two drift bounds after our
  clock at the start.  Honest voters let no block through whose time lies further ahead than one
  drift bound, so its quorum formed when we had signed nothing.  (The hole: our own clock.)

A validator that is alone has nobody to wait for; only the known floor holds it.
"""

from dataclasses import dataclass, field

from consensus.simplex.types import PeerKey, ValidatorSet

SLACK_HEIGHTS = 16
"""How far an honest node may be ahead of the (f+1)-th highest; at most that many blocks' delay."""


@dataclass(slots=True)
class VoteGuard:
    """Inactive (always allowing) unless the journal may be incomplete.

    floor: the highest height we know to have voted at.
    """

    active: bool
    floor: int
    own_key: PeerKey | None
    drift_bound_ms: int
    _fresh_after_ms: int | None = None
    _is_fresh: bool = False
    _first_seen: dict[PeerKey, int] = field(default_factory=dict)
    _bound: int | None = None

    def begin(self, now_ms: int) -> None:
        """The node comes up; the first call counts."""
        if self._fresh_after_ms is None:
            self._fresh_after_ms = now_ms + 2 * self.drift_bound_ms

    def note_status(self, peer: PeerKey, height: int, validators: ValidatorSet) -> None:
        """A peer says, on a connection of this life, that it works on `height`."""
        if self.active and self._bound is None and peer != self.own_key:
            if peer in validators.keys:
                self._first_seen.setdefault(peer, height)
            self._close(validators)

    def note_final(self, time_ms: int) -> None:
        """A block with this header time is final."""
        if self._fresh_after_ms is not None and time_ms > self._fresh_after_ms:
            self._is_fresh = True

    def may_vote(self, height: int, validators: ValidatorSet) -> bool:
        """Whether votes of `height` may be signed; once true, it stays true."""
        if self.active and (self._is_fresh or validators.n == 1):
            self._close(validators)
            if self._bound is not None and height > max(self._bound, self.floor):
                self.active = False
        return not self.active

    @property
    def is_asking(self) -> bool:
        """Whether peers should still be asked where they are."""
        return self.active and self._bound is None

    def _close(self, validators: ValidatorSet) -> None:
        if self._bound is None and len(self._first_seen) >= validators.quorum - 1:
            heights = sorted(self._first_seen.values(), reverse=True)
            if not heights:
                self._bound = 0
                return
            vouched = heights[min(validators.f, len(heights) - 1)]
            self._bound = min(heights[0], vouched + SLACK_HEIGHTS)
