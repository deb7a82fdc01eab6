"""Virtual time: one heap of events, one source of chance, one running hash of what happened."""

import heapq
import random
from collections import Counter
from collections.abc import Callable
from hashlib import sha256

EPOCH_MS = 1_700_000_000_000
"""Where virtual wall clocks begin."""

FAULT = "fault: "
"""What the counts of injected faults are called by, before their kind."""


class World:
    """Events happen in the order of (time, scheduling); the seed decides everything else."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.now_ms = EPOCH_MS
        self.counts: Counter[str] = Counter()
        self._heap: list[tuple[int, int, Callable[[], None]]] = []
        self._serial = 0
        self._hash = sha256(str(seed).encode())

    def after(self, delay_ms: int, action: Callable[[], None]) -> None:
        """Do this `delay_ms` from now."""
        self._serial += 1
        heapq.heappush(self._heap, (self.now_ms + max(0, delay_ms), self._serial, action))

    def run_until(self, stop_ms: int, done: Callable[[], bool] = lambda: False) -> None:
        """Let events happen until `stop_ms`, or until `done` says so."""
        while self._heap and self._heap[0][0] <= stop_ms and not done():
            at_ms, _, action = heapq.heappop(self._heap)
            self.now_ms = at_ms
            action()
        if not done():
            self.now_ms = max(self.now_ms, stop_ms)

    def note(self, kind: str, data: bytes = b"") -> None:
        """Count something that happened and mix it into the hash of the run."""
        self.counts[kind] += 1
        self._hash.update(b"%d %s " % (self.now_ms, kind.encode()))
        self._hash.update(data)

    def fault(self, kind: str) -> None:
        """Note a fault that was injected; campaigns count these by kind."""
        self.note(FAULT + kind)

    def digest(self) -> str:
        """The hash of everything noted so far."""
        return self._hash.hexdigest()
