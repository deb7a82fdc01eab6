"""Markets to draw books from: the base point, and many around it.

A market is ranges for orders (`node.demo.draws`), a price step, a fee and its split.
`BASE_MARKET` is one point, and what holds there may be luck of the point: `spread_markets` draws
others from wide ranges, as a Latin hypercube in integers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from random import Random

from auction.brokers import FeeBasis, Pricing, Tariff, Weights
from node.demo.draws import BASE, MICRO, MU, OMEGA_MICRO, Range, Ranges

ROUNDS_A_FEE = 5
"""A fee a round is this part of one a deal: trades of the base point need about five rounds."""


@dataclass(frozen=True, slots=True)
class Market:
    """What a book is drawn from and cleared under; micro-tokens, over a service of ten heights."""

    ranges: Ranges = BASE
    omega_micro: int = OMEGA_MICRO
    mu: int = MU
    fee_micro: int = 5 * MICRO
    """Of a deal: about 10 % of a price at the base point."""
    sigma_ppm: int = 500_000

    def tariff(
        self,
        basis: FeeBasis = "deal",
        weights: Weights = "spread",
        pricing: Pricing = "paper",
        fee_percent: int = 100,
    ) -> Tariff:
        """Return the broker's tariff, with some percent of this market's fee, at least one unit."""
        fee = self.fee_micro * fee_percent // 100
        return Tariff(
            lambda_micro=max(1, fee // ROUNDS_A_FEE if basis == "round" else fee),
            sigma_ppm=self.sigma_ppm,
            fee_basis=basis,
            weights=weights,
            pricing=pricing,
        )


BASE_MARKET = Market()

# What `spread_markets` draws: centres of ranges, half widths in percent, and single numbers.
SPREAD: dict[str, Range] = {
    "value": (3 * MICRO, 14 * MICRO),
    "gamma": (20_000, 500_000),
    "epsilon": (200_000, 1_600_000),
    "width": (10, 90),
    "fee": (1, 20),
    "sigma": (100_000, 900_000),
    "omega": (30_000, 600_000),
    "mu": (1, 2),
    "bid_least": (200_000, 500_000),
    "bid_most": (500_000, 900_000),
    "ask_least": (1_100_000, 1_800_000),
    "ask_most": (1_800_000, 3_000_000),
}

FEE_SCALE_MICRO = 56 * MICRO
"""What a drawn fee is a percent of, scaled by v; at the base point prices are about 51 tokens."""


def spread_markets(count: int, seed: int) -> list[Market]:
    """Return markets from a Latin hypercube over SPREAD."""
    return [_market(drawn) for drawn in latin_hypercube(SPREAD, count, f"markets {seed}")]


def latin_hypercube(ranges: Mapping[str, Range], count: int, name: str) -> list[dict[str, int]]:
    """Return `count` draws of a number from each range.

    Each range is cut into `count` layers, and each layer is drawn from once.
    """
    random = Random(name)
    columns: dict[str, list[int]] = {}
    for column, (low, high) in ranges.items():
        layers = list(range(count))
        random.shuffle(layers)
        span = high - low + 1
        columns[column] = [
            low + span * (layer * MICRO + random.randrange(MICRO)) // (count * MICRO)
            for layer in layers
        ]
    return [{column: held[place] for column, held in columns.items()} for place in range(count)]


def _market(drawn: dict[str, int]) -> Market:
    width = drawn["width"]

    def around(centre: int, least: int = 1) -> Range:
        return max(least, centre * (100 - width) // 100), centre * (100 + width) // 100

    def widened(range_: Range) -> Range:
        return around((range_[0] + range_[1]) // 2)

    ranges = replace(
        BASE,
        value_micro=around(drawn["value"]),
        gamma_nano=around(drawn["gamma"]),
        epsilon_micro=around(drawn["epsilon"]),
        bid_open_ppm=(drawn["bid_least"], drawn["bid_most"]),
        ask_open_ppm=(drawn["ask_least"], drawn["ask_most"]),
        theta_milli=widened(BASE.theta_milli),
        r_micro=widened(BASE.r_micro),
        d_micro=widened(BASE.d_micro),
        a_micro=widened(BASE.a_micro),
        b_micro=widened(BASE.b_micro),
        c_micro=widened(BASE.c_micro),
    )
    price = FEE_SCALE_MICRO * drawn["value"] // (8 * MICRO)
    return Market(
        ranges=ranges,
        omega_micro=drawn["omega"],
        mu=drawn["mu"],
        fee_micro=price * drawn["fee"] // 100,
        sigma_ppm=drawn["sigma"],
    )
