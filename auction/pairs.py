"""A weighted bipartite graph in columns of int64: what the solvers over arrays work on."""

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
import numpy.typing as npt

Integers = npt.NDArray[np.int64]
Booleans = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Pairs:
    """One row for each pair, ascending by left vertex; weights in [0, 2^62)."""

    left: Integers
    right: Integers
    weight: Integers
    left_count: int
    right_count: int

    @cached_property
    def bounds(self) -> Integers:
        """Return where the rows of each left vertex begin, and at last where all end."""
        return np.searchsorted(self.left, np.arange(self.left_count + 1)).astype(np.int64)

    def rows_of(self, lefts: Integers) -> tuple[Integers, Integers]:
        """Return the rows of some left vertices, one after the other, and how many each has."""
        begins = self.bounds[lefts]
        counts = self.bounds[lefts + 1] - begins
        ends = np.cumsum(counts)
        total = int(ends[-1]) if ends.size else 0
        return np.arange(total, dtype=np.int64) + np.repeat(
            begins - (ends - counts), counts
        ), counts

    def adjacency(self) -> list[list[tuple[int, int]]]:
        """Return the pairs of each left vertex as `auction.matching` takes them."""
        table = list(zip(self.right.tolist(), self.weight.tolist(), strict=True))
        bounds: list[int] = self.bounds.tolist()
        return [table[begin:end] for begin, end in pairwise(bounds)]
