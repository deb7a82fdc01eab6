"""What a test network consists of: names, resources and money of members and accounts.

Numbers follow the parameter ranges of the paper's evaluation, scaled to a server that can serve
several buyers at once.  They are fixed, not drawn: two networks made alike differ only in keys.
Units: MHz of computation, kbit/s of communication, model units; micro-tokens of money.
"""

from dataclasses import dataclass, replace

from auction.brokers import FeeBasis, Pricing, ServiceClass, Weights

TOKEN = 1_000_000

ITS_SUBSYSTEMS = (
    "bus-fleet",
    "traffic-lights",
    "charging-network",
    "metro-line",
    "parking-guidance",
    "emergency-dispatch",
)
TREASURY = "treasury"
DEMO_ACCOUNTS = ("alice", "bob")

ITS_MICRO = 10_000_000 * TOKEN
BROKER_MICRO = 100_000 * TOKEN
TREASURY_MICRO = 500_000_000 * TOKEN
DEMO_MICRO = 1_000_000 * TOKEN
MEMBER_MICRO = 1_000_000 * TOKEN
POOL_MICRO = 100_000_000 * TOKEN

# The broker's fee of a deal: 0.5 per unit of service time, at the usual 10 units.
FEE_MICRO = 5 * TOKEN
# The fee of one round, where rounds are counted: a pair takes ten or so until it crosses.
ROUND_FEE_MICRO = TOKEN // 2
LARGEST_RESOURCE_MHZ = 50_000

MAX_VALIDATORS = 100
MAX_SLOTS = 1_000


@dataclass(frozen=True, slots=True)
class BrokerProfile:
    """One broker and its tariff; the fee is shared evenly by buyer and seller."""

    name: str
    fee_micro: int
    fee_basis: FeeBasis
    weights: Weights
    pricing: Pricing
    kappa_ppm: int = 0
    classes: tuple[ServiceClass, ...] = ()


def _equal(service_blocks: int) -> ServiceClass:
    """A class that a slot of every server of the plan can serve."""
    return ServiceClass(
        service_blocks=service_blocks,
        interval_blocks=1,
        theta_milli=1_500,
        least_resource=10_000,
    )


# The first trades by the paper's own rule; the next two show what its readers may compare it with.
# The last two complete the rules a broker may choose: one between keeping the whole margin and
# halving it, one for classes of equal services, where nobody gains by a false price.
BROKER_PROFILES = (
    BrokerProfile("city-broker", FEE_MICRO, "deal", "spread", "paper"),
    BrokerProfile("harbour-broker", ROUND_FEE_MICRO, "round", "spread", "midpoint"),
    BrokerProfile("campus-broker", FEE_MICRO, "deal", "surplus", "core_buyer"),
    BrokerProfile("river-broker", FEE_MICRO, "deal", "spread", "kappa", kappa_ppm=250_000),
    BrokerProfile(
        "station-broker",
        FEE_MICRO,
        "deal",
        "surplus",
        "mcafee",
        classes=(_equal(10), _equal(20)),
    ),
)
BROKERS = tuple(profile.name for profile in BROKER_PROFILES)
MEASURED_BROKERS = BROKERS[:3]
"""The books `scripts/market_live.py` fills: the same ones in every run, so that figures compare."""


@dataclass(frozen=True, slots=True)
class ServerProfile:
    """Hardware class of a DT server: what one service slot offers, and how many slots it has."""

    computation_mhz: int
    communication_kbps: int
    modelling: int
    slots: int


# Slots of 26 to 44 GHz: the upper part of the paper's 10-50 GHz, so that every server is eligible.
PROFILES = (
    ServerProfile(computation_mhz=44_000, communication_kbps=92_000, modelling=23_000, slots=16),
    ServerProfile(computation_mhz=38_000, communication_kbps=78_000, modelling=20_000, slots=16),
    ServerProfile(computation_mhz=32_000, communication_kbps=66_000, modelling=17_000, slots=16),
    ServerProfile(computation_mhz=26_000, communication_kbps=54_000, modelling=14_000, slots=16),
)


def server_name(index: int) -> str:
    """Name of validator `index` (0-based): dt-server-1, dt-server-2, ..."""
    return f"dt-server-{index + 1}"


def server_profile(index: int, slots: int | None = None) -> ServerProfile:
    """Hardware class of validator `index`; the classes repeat.  `slots` None: as the class has."""
    profile = PROFILES[index % len(PROFILES)]
    return profile if slots is None else replace(profile, slots=slots)


def broker_profile(name: str) -> BrokerProfile:
    """The tariff of a broker of the plan.  Raises KeyError for another."""
    return {profile.name: profile for profile in BROKER_PROFILES}[name]
