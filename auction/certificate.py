"""Checking a round without solving it: strong duality, minimal labels, canonical ties.

Whoever solved it, by whatever method, a matching comes with the labels of its right side.  They
prove it optimal in one pass over the pairs: with u_i = max(0, max_j(w_ij - p_j)) every pair is
covered, so no matching weighs more than sum(u) + sum(p); the one presented weighs exactly that.

Labels move money under some tariffs, so they must not be anybody's choice.  The least vector is
unique, and p is the least iff every p_j > 0 is held up: over tight pairs (u_i + p_j = w_ij) and
matched ones it can be reached from a free left vertex or from a right vertex with p = 0.  That is
one breadth-first search.

Two matchings may weigh the same.  Which one counts is decided by a second objective in the low
digits of the weight: first the number of trades (Eq 16), then a sum of pseudo-random numbers drawn
from the seed of the round and the ids of the two orders.  An order's mark is one hash of the seed
and its id; a pair's number mixes the two marks, by integer steps that an array takes as well.  With
n the size of the smaller side and h < 2^32 the number drawn for a pair,

    W = w * 2^k + n * 2^32 + h,      k such that 2^k > 2 * n (n + 1) 2^32,

so that all second parts of a matching together stay below half a unit of w.  One solution for W is
then optimal for w, among those has the most trades, among those the greatest sum; equal sums have
a chance below (pairs / 2^32).  Its labels split the same way, P = p * 2^k + z with |z| < 2^53: p
are the least labels for w, z those of the second stage on the pairs tight under p.  Pairs of
weight 0 take part, since W > 0.

This is the check in Python integers; `auction/arrays.py` is the same check over arrays.
"""

from collections.abc import Sequence

from auction.matching import FREE, Adjacency
from ledger.crypto import digest
from ledger.errors import Reason, Rejected
from ledger.types import Digest

HASH_BITS = 32
_WORD = 2**64 - 1

MIXING = ((31, 0x9E3779B97F4A7C15), (29, 0xD1B54A32D192ED03))
"""Each step is a bijection of 64 bits: fold the upper bits in, multiply by an odd number.  Without
mixing h would be a sum of the two orders' parts, and exchanging partners would always tie."""


def tie_shift(smaller_side: int) -> int:
    """Return k, the number of low binary digits that hold the second objective."""
    return HASH_BITS + 2 + (smaller_side * (smaller_side + 1)).bit_length()


def tie_mark(seed: bytes, broker: bytes, order: Digest) -> int:
    """Return the mark of an order in a round: 64 bits that nobody knew when it was sealed."""
    return int.from_bytes(digest("tie", seed + broker + order)[:8], "big")


def tie_number(bid_mark: int, ask_mark: int) -> int:
    """Return h of a pair: the upper 32 of 64 bits, the sum of the marks mixed twice."""
    mixed = (bid_mark + ask_mark) & _WORD
    for shift, factor in MIXING:
        mixed = ((mixed ^ (mixed >> shift)) * factor) & _WORD
    return mixed >> HASH_BITS


def combine(weight: int, number: int, smaller_side: int) -> int:
    """Return W of a pair."""
    return (weight << tie_shift(smaller_side)) + (smaller_side << HASH_BITS) + number


def join_label(label: int, tie: int, smaller_side: int) -> int:
    """Return P from its two parts."""
    return (label << tie_shift(smaller_side)) + tie


def split_label(joined: int, smaller_side: int) -> tuple[int, int]:
    """Return (p, z) of P, with z the part nearest to 0."""
    shift = tie_shift(smaller_side)
    label = (joined + (1 << (shift - 1))) >> shift
    return label, joined - (label << shift)


def are_split(ties: Sequence[int], smaller_side: int) -> bool:
    """Say whether each is the second part that `split_label` gives of some label."""
    half = 1 << (tie_shift(smaller_side) - 1)
    return not ties or (-half <= min(ties) and max(ties) < half)


def verify(adjacency: Adjacency, mates: Sequence[int], labels: Sequence[int]) -> list[int]:
    """Check a matching and its right labels; return the left labels they imply.

    `mates` is one-to-one on pairs of the graph (the caller's business); a free right vertex has the
    label 0.  O(pairs).  Raises Rejected(BAD_CLEARING): a negative label, a matching the labels do
    not prove optimal, labels that are not the least.
    """
    if any(label < 0 for label in labels):
        raise Rejected(Reason.BAD_CLEARING, "a label is negative")
    left_labels = []
    matched = 0
    for pairs, mate in zip(adjacency, mates, strict=True):
        left = 0
        for right, weight in pairs:
            gain = weight - labels[right]
            left = max(left, gain)
            if right == mate:
                matched += weight
        left_labels.append(left)
    if sum(left_labels) + sum(labels) != matched:
        raise Rejected(Reason.BAD_CLEARING, "the labels do not prove the matching optimal")
    _require_least(adjacency, mates, labels, left_labels)
    return left_labels


def _require_least(
    adjacency: Adjacency, mates: Sequence[int], labels: Sequence[int], left_labels: Sequence[int]
) -> None:
    left_of = {right: left for left, right in enumerate(mates) if right != FREE}
    held = [label == 0 for label in labels]
    frontier = [left for left, mate in enumerate(mates) if mate == FREE]
    frontier.extend(left for right, left in left_of.items() if held[right])
    while frontier:
        left = frontier.pop()
        own = left_labels[left]
        for right, weight in adjacency[left]:
            if not held[right] and own + labels[right] == weight and mates[left] != right:
                held[right] = True
                frontier.append(left_of[right])
    if not all(held):
        raise Rejected(Reason.BAD_CLEARING, "the labels are not the least")
