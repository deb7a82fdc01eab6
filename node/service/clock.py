"""The node's clock: wall time that never runs backwards and never stands still.

Timers of consensus must fire even when somebody sets the machine's clock back, and header times
must follow the wall clock.  So: a step forward is taken at once; after a step back the clock goes
on at half speed until the wall has caught up.
"""

import time
from collections.abc import Callable


class Clock:
    """Milliseconds since 1970, strictly tied to elapsed time, loosely to the wall."""

    def __init__(
        self,
        wall_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
        elapsed_ms: Callable[[], int] = lambda: time.monotonic_ns() // 1_000_000,
    ) -> None:
        self._wall_ms = wall_ms
        self._elapsed_ms = elapsed_ms
        self._last_elapsed = elapsed_ms()
        self._now = wall_ms()

    def now_ms(self) -> int:
        """The current time; not below any earlier answer."""
        elapsed = self._elapsed_ms()
        passed = elapsed - self._last_elapsed
        wall = self._wall_ms()
        if wall >= self._now + passed:
            self._now = wall
        else:
            passed -= passed % 2
            ahead = self._now + passed - wall
            self._now += passed - min(passed // 2, ahead)
            elapsed = self._last_elapsed + passed
        self._last_elapsed = elapsed
        return self._now
