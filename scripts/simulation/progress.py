"""Tells how a long run gets on: one line that changes on a terminal, now and then one if not."""

import sys
import time

EVERY_S = 30


class Progress:
    """Speaks on stderr about `whole` things to be done."""

    def __init__(self, what: str, whole: int) -> None:
        self._what = what
        self._whole = whole
        self._began_s = time.monotonic()
        self._told_s = self._began_s

    def tell(self, done: int, failed: int) -> None:
        """Call after each part; on a terminal it always speaks."""
        now_s = time.monotonic()
        on_terminal = sys.stderr.isatty()
        if not on_terminal and now_s - self._told_s < EVERY_S:
            return
        self._told_s = now_s
        rate = done / max(now_s - self._began_s, 0.001)
        left_s = (self._whole - done) / max(rate, 0.001)
        ends = time.strftime("%H:%M", time.localtime(time.time() + left_s))
        line = (
            f"{done} of {self._whole} {self._what}, {rate:.1f}/s, {failed} failed, ends at {ends}"
        )
        start, end = ("\r", " ") if on_terminal else ("", "\n")
        print(f"{start}{line}", end=end, file=sys.stderr, flush=True)
