"""Who builds how many blocks?  A long run of the election, beside the law it should follow.

    python3 scripts/shares.py --heights 40000
    python3 scripts/shares.py --stakes 4,1,1,1 --heights 100000 --lookback 1

The weighted draw with clearing gives a share of blocks proportional to the *square root* of stake
times satisfaction, not to the product itself: tokens of age a grow linearly, so waiting times are
Rayleigh distributed, with a mean that falls with the root.  The lag L between earning a weight
and being drawn by it (rule E2) flattens shares further when n is small; the table shows both.

The run uses the chain's own arithmetic (consensus.draw, consensus.tokens, consensus.election) on
members who are always live; only the blocks around it are left out.
"""

import argparse
from collections import deque
from dataclasses import dataclass
from hashlib import sha512
from itertools import pairwise
from math import sqrt
from statistics import fmean, pstdev

if __name__ == "__main__" and not __package__:
    # Run as a file: go on as a module of the project's own environment.
    from bootstrap import RUN, hand_over

    hand_over("scripts.shares", RUN)

from consensus import draw, tokens
from consensus.election import drawn_weights
from consensus.parameters import ConsensusParameters

STAKE_UNIT = 1_000_000
SATISFACTION_BP = 5_000


@dataclass(frozen=True)
class Run:
    """Outcome of one run: who built each height, by index, and draws with all weights zero."""

    builders: tuple[int, ...]
    size: int
    empty_draws: int

    def shares(self) -> list[float]:
        """Each member's part of all blocks."""
        return [self.builders.count(index) / len(self.builders) for index in range(self.size)]

    def gaps(self) -> list[int]:
        """Heights between two turns of the same member, over all members."""
        turns: list[list[int]] = [[] for _ in range(self.size)]
        for height, builder in enumerate(self.builders):
            turns[builder].append(height)
        return [later - earlier for own in turns for earlier, later in pairwise(own)]


def simulate(
    stakes: list[int], heights: int, lookback: int, name: str = "shares", power: int = 1
) -> Run:
    """Elect `heights` builders among members of these stakes, equal satisfaction, with lag L."""
    added = [tokens.accrual(stake * STAKE_UNIT, SATISFACTION_BP) for stake in stakes]
    return elect(added, heights, lookback, name, power)


def elect(added: list[int], heights: int, lookback: int, name: str, power: int = 1) -> Run:
    """Elect `heights` builders among members who earn `added` tokens a block each, with lag L."""
    size = len(added)
    parameters = ConsensusParameters(token_power=power)
    keys = [index.to_bytes(32, "big") for index in range(size)]
    addresses = [key.hex() for key in keys]
    held = list(added)
    bases = deque([list(held)] * (lookback + 1), maxlen=lookback + 1)
    recent: deque[str] = deque(maxlen=lookback)
    seed = sha512(name.encode()).digest()
    builders = []
    empty = 0
    for _ in range(heights):
        base = {
            who: weight**parameters.token_power
            for who, weight in zip(addresses, bases[0], strict=True)
        }
        weights = drawn_weights(addresses, base, recent)
        empty += not any(weights)
        builder = draw.order(seed, list(zip(keys, weights, strict=True)))[0]
        builders.append(builder)
        held[builder] = 0
        held = [
            tokens.grow(amount, more, size, parameters.age_cap_rounds)
            for amount, more in zip(held, added, strict=True)
        ]
        bases.append(list(held))
        recent.append(addresses[builder])
        seed = sha512(seed).digest()
    return Run(tuple(builders), size, empty)


def group_ratio(shares: list[float], stakes: list[int]) -> float:
    """Mean share of the largest stakes over mean share of the smallest."""
    most, least = max(stakes), min(stakes)
    high = fmean(share for share, stake in zip(shares, stakes, strict=True) if stake == most)
    low = fmean(share for share, stake in zip(shares, stakes, strict=True) if stake == least)
    return high / low


def table(stakes: list[int], heights: int, lookback: int | None = None) -> str:
    """The report as text."""
    lag = ConsensusParameters().lookback(len(stakes)) if lookback is None else lookback
    roots = [sqrt(stake) for stake in stakes]
    law = [root / sum(roots) for root in roots]
    linear = [stake / sum(stakes) for stake in stakes]
    pure, lagged = simulate(stakes, heights, 0), simulate(stakes, heights, lag)
    columns = [law, linear, pure.shares(), lagged.shares()]
    names = ["square root", "proportional", "drawn, L=0", f"drawn, L={lag}"]
    lines = [f"n = {len(stakes)}, {heights} heights, equal satisfaction", ""]
    lines.append("member stake" + "".join(f"{name:>14}" for name in names))
    for index, stake in enumerate(stakes):
        cells = "".join(f"{column[index]:14.4f}" for column in columns)
        lines.append(f"{index:6} {stake:5}{cells}")
    ratios = "".join(f"{group_ratio(column, stakes):14.3f}" for column in columns)
    lines.append(f"{'high : low':12}{ratios}")
    spreads = [pstdev(run.gaps()) / fmean(run.gaps()) for run in (pure, lagged)]
    lines.append(f"{'gap CV':12}{'':28}" + "".join(f"{spread:14.3f}" for spread in spreads))
    empty = "".join(f"{run.empty_draws:14}" for run in (pure, lagged))
    lines.append(f"{'zero draws':12}{'':28}{empty}")
    return "\n".join(lines)


def main() -> None:
    """Read the arguments, print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--heights", type=int, default=40_000)
    parser.add_argument("--stakes", default="4,4,4,4,4,1,1,1,1,1", help="whole numbers, by comma")
    parser.add_argument("--lookback", type=int, default=None, help="L; the chain's own by default")
    arguments = parser.parse_args()
    try:
        stakes = [int(part) for part in arguments.stakes.split(",")]
    except ValueError:
        parser.error("stakes are whole numbers by comma, such as 4,1,1,1")
    if arguments.heights < 1 or min(stakes) < 1 or (arguments.lookback or 0) < 0:
        parser.error("heights and stakes are at least 1, the lookback at least 0")
    print(table(stakes, arguments.heights, arguments.lookback))


if __name__ == "__main__":
    main()
