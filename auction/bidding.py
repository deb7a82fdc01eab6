"""A start for the solver over arrays: all free left vertices bid at once, round after round.

Each bids for the right vertex it gains most at, and raises its label by as much as that beats its
second choice (0, to stay free, counts as one).  The highest bid takes the right vertex; whoever
held it bids again.  At every moment the labels are feasible, matched pairs are tight and a right
vertex without a mate has the label 0, so the left vertices still outside can be taken in by the
searches of `auction.matching`, and they are few: bids over arrays are cheap while most are outside.

Equal choices raise nothing, and small differences raise slowly: bidding ends once it stalls.
"""

from dataclasses import dataclass

import numpy as np

from auction.matching import FREE, LEFT, Budget, Matcher
from auction.pairs import Booleans, Integers, Pairs

PATIENCE = 300
"""Rounds without fewer vertices outside than ever before, after which searches are cheaper;
fewer in small graphs."""

ROUND_WORK = 256
"""Visits of pairs by plain code that take as long as a step over short arrays."""

ARRAY_VISITS = 8
"""Pairs visited by a step over arrays in the time of one visit by plain code."""


LISTED = 4
"""Pairs put from columns into lists in the time of one visit by plain code."""


@dataclass(frozen=True, slots=True)
class Start:
    """Feasible labels, tight pairs, and who is still outside."""

    mate_rows: Integers
    """The row of each left vertex's pair, FREE without one."""
    left_labels: Integers
    right_labels: Integers
    outside: Integers


def solve_by_searches(pairs: Pairs, budget: Budget) -> Integers:
    """Return the row of each left vertex in a maximum-weight matching, FREE without one.

    Bids first, then a search for each vertex still outside.  Raises WorkExceeded.
    """
    start = bid(pairs, budget)
    if not start.outside.size:
        return start.mate_rows
    return rows_of_mates(pairs, _search_on(pairs, start, budget).mates[LEFT])


def solved_matcher(pairs: Pairs, budget: Budget) -> Matcher:
    """Return a matcher that holds a maximum-weight matching of the pairs.  Raises WorkExceeded."""
    return _search_on(pairs, bid(pairs, budget), budget)


def _search_on(pairs: Pairs, start: Start, budget: Budget) -> Matcher:
    budget.spend(pairs.left.size // LISTED)
    matcher = Matcher(pairs.adjacency(), pairs.right_count, budget)
    mates = np.where(start.mate_rows < 0, FREE, pairs.right[start.mate_rows])
    matcher.resume(mates.tolist(), start.left_labels.tolist(), start.right_labels.tolist())
    for left in start.outside.tolist():
        matcher.enter(LEFT, left)
    return matcher


def rows_of_mates(pairs: Pairs, mates: list[int]) -> Integers:
    """Return the rows of a matching given by the right mate of each left vertex."""
    rows = np.full(pairs.left_count, FREE, dtype=np.int64)
    chosen = np.flatnonzero(np.array(mates, dtype=np.int64)[pairs.left] == pairs.right)
    rows[pairs.left[chosen]] = chosen
    return rows


def bid(pairs: Pairs, budget: Budget) -> Start:
    """Let all left vertices bid until nobody is outside or bidding stalls.  Raises WorkExceeded."""
    prices = np.zeros(pairs.right_count, dtype=np.int64)
    holders = np.full(pairs.right_count, FREE, dtype=np.int64)
    mate_rows = np.full(pairs.left_count, FREE, dtype=np.int64)
    outside = np.flatnonzero(np.diff(pairs.bounds))
    allowed = min(PATIENCE, 8 + pairs.left.size // 16)
    fewest, patience = outside.size, allowed
    while outside.size and patience:
        bidders, rows, offers, visits = _offers(pairs, prices, outside)
        budget.spend(ROUND_WORK + visits // ARRAY_VISITS)
        takers = _highest(pairs.right[rows], offers)
        wanted = pairs.right[rows[takers]]
        raised = (offers[takers] > prices[wanted]) | (holders[wanted] == FREE)
        takers, wanted = takers[raised], wanted[raised]
        robbed = holders[wanted]
        robbed = robbed[robbed != FREE]
        mate_rows[robbed] = FREE
        holders[wanted] = bidders[takers]
        prices[wanted] = offers[takers]
        mate_rows[bidders[takers]] = rows[takers]
        still = np.ones(bidders.size, dtype=np.bool_)
        still[takers] = False
        outside = np.concatenate([bidders[still], robbed])
        patience = allowed if outside.size < fewest else patience - 1
        fewest = min(fewest, outside.size)
        if not takers.size:
            break
    held = mate_rows >= 0
    left_labels = np.zeros(pairs.left_count, dtype=np.int64)
    mine = mate_rows[held]
    left_labels[held] = pairs.weight[mine] - prices[pairs.right[mine]]
    return Start(mate_rows, left_labels, prices, outside)


def _offers(
    pairs: Pairs, prices: Integers, outside: Integers
) -> tuple[Integers, Integers, Integers, int]:
    """Return who still gains anything, the row each wants, what it offers, and rows visited."""
    rows, counts = pairs.rows_of(outside)
    firsts = np.cumsum(counts) - counts
    gains = pairs.weight[rows] - prices[pairs.right[rows]]
    best = np.maximum.reduceat(gains, firsts)
    places = np.flatnonzero(gains == np.repeat(best, counts))
    owners = np.searchsorted(firsts, places, side="right") - 1
    places = places[_first_of_each(owners)]
    gains[places] = 0
    second = np.maximum(0, np.maximum.reduceat(gains, firsts))
    keen = best > 0
    wanted = rows[places[keen]]
    return outside[keen], wanted, pairs.weight[wanted] - second[keen], rows.size


def _highest(targets: Integers, offers: Integers) -> Integers:
    """Return for each target the place of its highest offer."""
    ranked = np.lexsort((-offers, targets))
    return ranked[_first_of_each(targets[ranked])]


def _first_of_each(values: Integers) -> Booleans:
    """Mark the first of each run of equal values."""
    first = np.ones(values.size, dtype=np.bool_)
    first[1:] = values[1:] != values[:-1]
    return first
