"""Orders drawn from the parameter ranges of the paper's evaluation, as exact integers.

One height is one unit of service time, T = 10 and f = 1 as in the paper.  The draws come from a
seeded generator of the caller: the same seed gives the same sequence of orders.
"""

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


def draw_bid(random: Random, broker: str, height: int) -> Bid:
    """A buyer's need: theta in 1..2, gamma in .05...25 per GHz, v in 6..10, opening .3...7."""
    return Bid(
        broker=broker,
        expires=height + BID_LIFE_BLOCKS,
        open_ppm=random.randint(300_000, 700_000),
        omega_micro=OMEGA_MICRO,
        mu=MU,
        service_blocks=SERVICE_BLOCKS,
        interval_blocks=INTERVAL_BLOCKS,
        theta_milli=random.randint(1_000, 2_000),
        least_resource=random.randint(8_000, 16_000),
        valuation=UtilityModel(
            value_micro=random.randint(6 * MICRO, 10 * MICRO),
            gamma_nano=random.randint(50_000, 250_000),
        ),
    )


def draw_ask(random: Random, broker: str, height: int, slot: Resources) -> Ask:
    """A server's offer: cost ranges of the paper's table, opening at 1.3 to 2.2 times the cost."""
    return Ask(
        broker=broker,
        expires=height + ASK_LIFE_BLOCKS,
        open_ppm=random.randint(1_300_000, 2_200_000),
        omega_micro=OMEGA_MICRO,
        mu=MU,
        longest_blocks=4 * SERVICE_BLOCKS,
        resources=slot,
        cost=CostModel(
            r_micro=random.randint(200_000, 500_000),
            d_micro=random.randint(100_000, 300_000),
            eta_ppm=random.randint(1_000_000, 1_300_000),
            epsilon_micro=random.randint(500_000, 1_500_000),
            a_micro=random.randint(1 * MICRO, 2 * MICRO),
            b_micro=random.randint(500_000, 1_500_000),
            c_micro=random.randint(500_000, 1_500_000),
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
