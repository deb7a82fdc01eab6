"""The least right labels of an optimal matching, over arrays.

Labels rise from below until nobody would rather have another right vertex: a left vertex i matched
to m at weight v holds label_j up to at least label_m + w_ij - v, a free one to w_ij.  What they
come to rest at are longest paths, and the least feasible vector.  A matching that is not optimal
has no such vector: its labels would rise for ever, or that of a free right vertex would.

Only the pairs of those whose own label has just risen are looked at again.
"""

import numpy as np

from auction.bidding import ARRAY_VISITS
from auction.matching import FREE, Budget
from auction.pairs import Integers, Pairs

UNKNOWN = -(1 << 62)
"""Floor of a label that rests on others only."""


PASS_WORK = 128
"""Visits of pairs by plain code that take as long as one pass over short arrays."""


class NotOptimal(Exception):
    """No labels prove the matching: whoever solved it is at fault."""


def least_labels(pairs: Pairs, mate_rows: Integers, floors: Integers, budget: Budget) -> Integers:
    """Return the least labels not below `floors` that leave nobody on the left a better choice.

    Raises NotOptimal, WorkExceeded.
    """
    labels = floors.copy()
    held = mate_rows >= 0
    rights = np.where(held, pairs.right[mate_rows], FREE) if pairs.right.size else mate_rows
    paid = np.where(held, pairs.weight[mate_rows], 0) if pairs.right.size else mate_rows
    holders = np.full(pairs.right_count, FREE, dtype=np.int64)
    holders[rights[held]] = np.flatnonzero(held)
    envious = np.flatnonzero(~held[pairs.left])
    np.maximum.at(labels, pairs.right[envious], pairs.weight[envious])
    if bool((labels[holders == FREE] > 0).any()):
        raise NotOptimal
    budget.spend(PASS_WORK + pairs.left.size // ARRAY_VISITS)
    risen = np.flatnonzero((holders != FREE) & (labels > UNKNOWN))
    for _ in range(pairs.right_count + 1):
        if not risen.size:
            return labels
        lefts = holders[risen]
        rows, counts = pairs.rows_of(lefts)
        budget.spend(PASS_WORK + rows.size // ARRAY_VISITS)
        targets = pairs.right[rows]
        reach = np.repeat(labels[risen] - paid[lefts], counts) + pairs.weight[rows]
        higher = reach > labels[targets]
        targets = targets[higher]
        np.maximum.at(labels, targets, reach[higher])
        risen = np.unique(targets)
        if bool((holders[risen] == FREE).any()):
            raise NotOptimal
    raise NotOptimal
