"""The node's two clocks: time that passed, for timers, and the time of day, for header times.

Somebody may set the machine's clock while the node runs.  The time of day then steps, forward or
back, and is right at once; timers of consensus must not notice, or a step would end views early or
hold them up for as long as it was wide.
"""

import time
from collections.abc import Callable


class Clock:
    """Both in milliseconds; the sources are replaced in tests only."""

    def __init__(
        self,
        wall_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
        elapsed_ms: Callable[[], int] = lambda: time.monotonic_ns() // 1_000_000,
    ) -> None:
        self._wall_ms = wall_ms
        self._elapsed_ms = elapsed_ms

    def now_ms(self) -> int:
        """Milliseconds since some fixed moment; never below any earlier answer."""
        return self._elapsed_ms()

    def wall_ms(self) -> int:
        """Milliseconds since 1970 by the machine's clock; any answer may follow any other."""
        return self._wall_ms()
