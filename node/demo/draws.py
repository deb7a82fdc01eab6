"""Orders drawn from ranges for the paper's equations, as exact integers.

The paper names no ranges, so these are ours: prices of about 50 tokens, two pairs in three can
trade.  One height is one unit of service time, T = 10 and f = 1.  The draws come from a seeded
generator of the caller: the same seed gives the same sequence of orders.
"""

from dataclasses import dataclass
from random import Random

from auction.actions import Ask, Bid, CostModel, FlatFloor, FlatLimit, UtilityModel
from auction.brokers import ServiceClass
from ledger.members import Resources
from ledger.types import PPM

MICRO = 1_000_000
SERVICE_BLOCKS = 10
INTERVAL_BLOCKS = 1
# Price step of Eq 18: omega = 0.1 at mu = 1 moves a price by 9 % a round.
OMEGA_MICRO = 100_000
MU = 1
BID_LIFE_BLOCKS = 40
ASK_LIFE_BLOCKS = 60

Range = tuple[int, int]
"""Both ends are drawn."""


@dataclass(frozen=True, slots=True)
class Ranges:
    """Where each number of an order is drawn from; units as in the orders."""

    bid_open_ppm: Range = (300_000, 700_000)
    theta_milli: Range = (1_000, 2_000)
    least_resource: Range = (8_000, 16_000)
    value_micro: Range = (6 * MICRO, 10 * MICRO)
    gamma_nano: Range = (50_000, 250_000)
    ask_open_ppm: Range = (1_300_000, 2_200_000)
    r_micro: Range = (200_000, 500_000)
    d_micro: Range = (100_000, 300_000)
    eta_ppm: Range = (1_000_000, 1_300_000)
    epsilon_micro: Range = (500_000, 1_500_000)
    a_micro: Range = (1 * MICRO, 2 * MICRO)
    b_micro: Range = (500_000, 1_500_000)
    c_micro: Range = (500_000, 1_500_000)


BASE = Ranges()


def draw_bid(random: Random, broker: str, height: int, ranges: Ranges = BASE) -> Bid:
    """A buyer's need: theta in 1..2, gamma in .05...25 per GHz, v in 6..10, opening .3...7."""
    return Bid(
        broker=broker,
        expires=height + BID_LIFE_BLOCKS,
        open_ppm=random.randint(*ranges.bid_open_ppm),
        omega_micro=OMEGA_MICRO,
        mu=MU,
        service_blocks=SERVICE_BLOCKS,
        interval_blocks=INTERVAL_BLOCKS,
        theta_milli=random.randint(*ranges.theta_milli),
        least_resource=random.randint(*ranges.least_resource),
        valuation=UtilityModel(
            value_micro=random.randint(*ranges.value_micro),
            gamma_nano=random.randint(*ranges.gamma_nano),
        ),
    )


def draw_ask(
    random: Random, broker: str, height: int, slot: Resources, ranges: Ranges = BASE
) -> Ask:
    """A server's offer of a slot, opening at 1.3 to 2.2 times its cost."""
    return Ask(
        broker=broker,
        expires=height + ASK_LIFE_BLOCKS,
        open_ppm=random.randint(*ranges.ask_open_ppm),
        omega_micro=OMEGA_MICRO,
        mu=MU,
        longest_blocks=4 * SERVICE_BLOCKS,
        resources=slot,
        cost=CostModel(
            r_micro=random.randint(*ranges.r_micro),
            d_micro=random.randint(*ranges.d_micro),
            eta_ppm=random.randint(*ranges.eta_ppm),
            epsilon_micro=random.randint(*ranges.epsilon_micro),
            a_micro=random.randint(*ranges.a_micro),
            b_micro=random.randint(*ranges.b_micro),
            c_micro=random.randint(*ranges.c_micro),
        ),
    )


def draw_class_bid(random: Random, broker: str, height: int, kind: ServiceClass) -> Bid:
    """A bid for a class of equal services: 4.5 to 9 tokens for each height of service."""
    return Bid(
        broker=broker,
        expires=height + BID_LIFE_BLOCKS,
        open_ppm=PPM,
        omega_micro=OMEGA_MICRO,
        mu=MU,
        service_blocks=kind.service_blocks,
        interval_blocks=kind.interval_blocks,
        theta_milli=kind.theta_milli,
        least_resource=kind.least_resource,
        valuation=FlatLimit(kind.service_blocks * random.randint(45 * MICRO // 10, 9 * MICRO)),
    )


def draw_class_ask(
    random: Random, broker: str, height: int, kind: ServiceClass, slot: Resources
) -> Ask:
    """An ask that stands in a class: 2.5 to 7.5 tokens for each height of service."""
    return Ask(
        broker=broker,
        expires=height + ASK_LIFE_BLOCKS,
        open_ppm=PPM,
        omega_micro=OMEGA_MICRO,
        mu=MU,
        longest_blocks=kind.service_blocks,
        resources=slot,
        cost=FlatFloor(kind.service_blocks * random.randint(25 * MICRO // 10, 75 * MICRO // 10)),
    )


# What buyers find at each server, in basis points: the first serves well, the last badly, so that
# satisfaction spreads and the election has something to see.
QUALITY_BP = (9_500, 8_000, 5_500, 2_000)
QUALITY_NOISE_BP = 500


def draw_rating(random: Random, server: int) -> int:
    """What a buyer says of one service of server number `server` (0-based), 0..10000 bp."""
    quality = QUALITY_BP[server % len(QUALITY_BP)]
    return max(0, min(10_000, quality + random.randint(-QUALITY_NOISE_BP, QUALITY_NOISE_BP)))
