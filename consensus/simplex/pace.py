"""Time as integers: how long a view may take, and when the core wants to be woken.

With D the round trip bound of the network and k the views spent in this height so far,

    D'  = D * min(1.5^k, cap)               growth, so that an unknown real bound is reached
    t_l = pace + 2 D'                       no proposal yet: the leader is given up
    t_a = pace + 3 D' + execution budget    no certified proposal yet: the view is given up
    t_r = 2 D, plus or minus 20 per cent    what may have been lost is sent again

all counted from the entry into the view.  `pace` is the time still to wait before a fresh block
may be sent: for the leader by its wall clock, for those who wait for it the longest that may be,
so that no timer depends on what anybody's clock shows.  After an entry by a notarization everyone
adds a grace of 2 D for the finalization of the view before.  The growth is capped: otherwise a
long outage would be followed by a longer one.  k returns to 0 with every finalization, since every
height starts at view 1.

Nothing here draws chance: the spread of t_r is a fixed function of validator, view and attempt.
"""

from dataclasses import dataclass

MAX_GROWTH_EXPONENT = 64
"""1.5^64 is beyond any cap; the exponent is cut there to keep the integers small."""


@dataclass(frozen=True, slots=True)
class Timing:
    """Bounds in milliseconds; round_trip_ms is D, growth_cap the largest factor on D."""

    block_time_ms: int = 1000
    round_trip_ms: int = 400
    execution_budget_ms: int = 400
    growth_cap: int = 8
    silent_after_ms: int = 10_000
    """A leader not heard for this long, while a quorum was, is not waited for."""

    def grown_ms(self, view: int) -> int:
        """D' of a view: D * min(1.5^(view - 1), growth_cap), rounded down."""
        exponent = min(view - 1, MAX_GROWTH_EXPONENT)
        grown = self.round_trip_ms * int(3**exponent) >> exponent
        return min(grown, self.round_trip_ms * self.growth_cap)

    def grace_ms(self) -> int:
        """How long the finalization of a notarized view is waited for before re-proposing."""
        return 2 * self.round_trip_ms

    def retry_ms(self, index: int, view: int, attempt: int) -> int:
        """t_r: 2 D spread over 80..120 per cent, so that validators do not speak at once."""
        percent = 80 + (index * 17 + view * 7 + attempt * 23) % 41
        return 2 * self.round_trip_ms * percent // 100


@dataclass(slots=True)
class Pacemaker:
    """The armed timers of the current view; times in ms of the local clock, None is unarmed.

    propose_at: pace and grace are over.  leader_at: t_l.  advance_at: t_a.  retry_at: t_r.
    """

    timing: Timing
    propose_at: int = 0
    leader_at: int | None = None
    advance_at: int | None = None
    retry_at: int | None = None
    attempt: int = 0
    announced: int | None = None

    def enter(self, now_ms: int, view: int, paces: tuple[int, int], *, graced: bool) -> None:
        """Arm the timers of a view entered now.  Rules R1, R14 and the grace of mode H.

        paces: until when we hold a fresh block back, and until when another leader may.
        """
        begin = now_ms + (self.timing.grace_ms() if graced else 0)
        grown = self.timing.grown_ms(view)
        self.propose_at = begin + max(0, paces[0] - now_ms)
        latest = begin + max(0, max(paces) - now_ms)
        self.leader_at = latest + 2 * grown
        self.advance_at = latest + 3 * grown + self.timing.execution_budget_ms
        self.attempt = 0

    def arm_retry(self, now_ms: int, index: int, view: int) -> None:
        """Arm t_r anew; `attempt` only feeds the spread."""
        self.retry_at = now_ms + self.timing.retry_ms(index, view, self.attempt)
        self.attempt += 1

    def proposal_seen(self) -> None:
        """R6: the leader spoke; only t_a stays armed."""
        self.leader_at = None

    def expire_now(self, now_ms: int) -> None:
        """The leader is known to be silent: do not wait for it."""
        self.leader_at = self.advance_at = now_ms

    def is_expired(self, now_ms: int) -> bool:
        """Whether t_l or t_a has passed."""
        times = (self.leader_at, self.advance_at)
        return any(at is not None and now_ms >= at for at in times)

    def settle(self) -> None:
        """The view needs no t_l and t_a any more."""
        self.leader_at = self.advance_at = None

    def next_deadline(self, now_ms: int, other_at: int | None) -> int | None:
        """The earliest time to come of all timers and `other_at`, unless announced last (R14)."""
        times = (self.propose_at, self.leader_at, self.advance_at, self.retry_at, other_at)
        deadline = min((at for at in times if at is not None and at > now_ms), default=None)
        if deadline is None or deadline == self.announced:
            return None
        self.announced = deadline
        return deadline
