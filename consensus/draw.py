"""The weighted draw: one seed and integer weights give the whole order of leaders.

Theory.  Equation 2 of the paper gives every compliant server the chance P_j = Tok_j / sum Tok.
The order V*, V^b_1, V^b_2, ... is drawn one place after the other, each time among those not yet
drawn and in proportion to their weights.  So the first place follows Eq. 2 exactly, and each
backup follows Eq. 2 exactly, conditional on the places before it: "cleared when it wins",
applied inside one order.

A number below `total` must be uniform, or heavy totals would favour low keys.  SHA-512 gives 512
bits; values in the last, incomplete multiple of `total` are rejected and the next counter is
hashed.  Rejection is rarer than total / 2^512 per draw, and always ends in practice.

Servers of weight zero are not drawn: they follow at the end, ordered by a hash of seed and key,
so that every order contains all servers (a network whose token holders have all failed still
finds a leader) and an idle network, all weights zero, elects uniformly without a special case.

Integers and hashes only: the same input gives the same order on every machine.
"""

from bisect import bisect_right
from collections.abc import Sequence
from hashlib import sha512
from itertools import accumulate
from typing import Final

_DRAW_TAG: Final = b"twinchain/draw/v1\0"
_TAIL_TAG: Final = b"twinchain/tail/v1\0"
_RANGE: Final = 1 << 512
PARTS_PER_MILLION: Final = 1_000_000


def uniform(seed: bytes, place: int, total: int) -> int:
    """A uniform integer in 0..total-1 from `seed` for one `place` of the order.

    `total` >= 1 and far below 2^512.  Rejection sampling: no value is favoured.
    """
    if total < 1:
        raise ValueError("nothing to draw from")
    limit = _RANGE // total * total
    counter = 0
    while True:
        body = place.to_bytes(4, "big") + counter.to_bytes(4, "big") + seed
        value = int.from_bytes(sha512(_DRAW_TAG + body).digest(), "big")
        if value < limit:
            return value % total
        counter += 1


def order(seed: bytes, weights: Sequence[tuple[bytes, int]]) -> tuple[int, ...]:
    """The order of all servers as indices into `weights`, V* first.

    `weights` holds (public key, weight >= 0); keys are distinct.  The result does not depend on
    the sequence's own arrangement.  Eq. 2 and Algorithm 1, lines 15-16.
    """
    by_key = sorted(range(len(weights)), key=lambda index: weights[index][0])
    remaining = [index for index in by_key if weights[index][1] > 0]
    drawn: list[int] = []
    while remaining:
        reach = list(accumulate(weights[index][1] for index in remaining))
        hit = bisect_right(reach, uniform(seed, len(drawn), reach[-1]))
        drawn.append(remaining.pop(hit))
    tail = [index for index in by_key if weights[index][1] <= 0]
    tail.sort(key=lambda index: sha512(_TAIL_TAG + seed + weights[index][0]).digest())
    return tuple(drawn + tail)


def chances_ppm(weights: Sequence[int]) -> tuple[int, ...]:
    """Every server's chance to be V*, in parts per million, adding up to exactly one million.

    Largest remainder, ties to the lower index.  All weights zero: an equal share each, as the
    hashed tail elects.  For display only; the draw itself uses the weights.
    """
    if not weights:
        return ()
    shares = list(weights) if any(weights) else [1] * len(weights)
    total = sum(shares)
    floors = [share * PARTS_PER_MILLION // total for share in shares]
    remainders = [share * PARTS_PER_MILLION % total for share in shares]
    neediest = sorted(range(len(shares)), key=lambda index: (-remainders[index], index))
    for index in neediest[: PARTS_PER_MILLION - sum(floors)]:
        floors[index] += 1
    return tuple(floors)
