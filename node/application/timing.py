"""How long the steps of a block take this node, in processor time of its own thread.

A leader that is slow loses its turn, so an operator must be able to see what a turn went into:

    build    a whole block of our own           check    a whole block of another
    clear    the auction round inside either    admit    the market's end of a block: what expires,
                                                         and pairing the orders that arrived

Figures only: nothing in the state machine reads them.
"""

from bisect import bisect_left
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import thread_time

BOUNDS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
STEPS = ("build", "check", "clear", "admit")


@dataclass(slots=True)
class Spent:
    """What one step took so far: how often, seconds together, and how often within each bound."""

    count: int = 0
    seconds: float = 0.0
    within: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS_S) + 1))

    def add(self, seconds: float) -> None:
        """Count one more."""
        self.count += 1
        self.seconds += seconds
        self.within[bisect_left(BOUNDS_S, seconds)] += 1

    def cumulative(self) -> list[tuple[str, float]]:
        """Upper bound and count up to it, ascending, as a Prometheus histogram has them."""
        rows, total = [], 0
        for bound, count in zip((*map(str, BOUNDS_S), "+Inf"), self.within, strict=True):
            total += count
            rows.append((bound, float(total)))
        return rows


class BlockTiming:
    """Takes the time of the steps of one node."""

    def __init__(self) -> None:
        self.spent = {step: Spent() for step in STEPS}

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Count what runs inside as one occurrence of a step; also when it raises."""
        began = thread_time()
        try:
            yield
        finally:
            self.spent[name].add(thread_time() - began)
