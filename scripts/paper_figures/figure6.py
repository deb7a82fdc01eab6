"""Figure 6: the resources of whoever writes the blocks, under DT-DPoS and under proof of work.

Servers draw computation, communication and modelling, each uniform in its range; with some chance
a resource takes its level from one they share, which correlates them.  The comprehensive resource
is what the scarcest allows (Eq 4).  Satisfaction rises with it from a floor, with noise.  DT-DPoS
is the chain's election: accrual, cap, clearing and draw, with the lag L of rule E2 and without.

Proof of work needs no run, as its races are independent: each server wins in proportion to its
computation, so the figure is the expectation.  Two more readings of it: the fastest always wins;
and the winner serves with what mining leaves it, half of its computation.

    equal stakes     all servers have one stake
    revenue stakes   a stake is in proportion to the comprehensive resource, as earnings are
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from math import isqrt
from random import Random

from consensus import tokens
from consensus.parameters import ConsensusParameters
from ledger.members import Resources, comprehensive_resource
from ledger.types import PPM
from scripts.paper_figures.books import LEAST_MHZ, LEDGER, MOST_MHZ, resources_from
from scripts.paper_figures.markets import latin_hypercube
from scripts.paper_figures.rows import Panel, Row, Sizes
from scripts.shares import elect

LEAST_SATISFACTION_BP, MOST_SATISFACTION_BP = 500, 10_000
STAKE_MICRO = 10_000_000
LEFT_PERCENT = 50
"""Computation left to a server that mines."""


@dataclass(frozen=True, slots=True)
class Town:
    """What servers are drawn from."""

    correlation_ppm: int = 0
    """Correlation of two resources of a server."""
    floor_bp: int = 1_000
    """Satisfaction with the scarcest resource possible, before noise."""
    noise_bp: int = 500
    """Satisfaction is at most this far off."""


BASE_TOWN = Town()
SPREAD = {"correlation_ppm": (0, 950_000), "floor_bp": (0, 9_000), "noise_bp": (0, 3_000)}


def spread_towns(count: int, seed: int) -> list[Town]:
    """Return towns from a Latin hypercube over SPREAD."""
    return [Town(**drawn) for drawn in latin_hypercube(SPREAD, count, f"towns {seed}")]


@dataclass(frozen=True, slots=True)
class Server:
    """One server: what it declares, what it can serve, how satisfied its buyers are."""

    resources: Resources
    resource: int
    satisfaction_bp: int


def draw_servers(town: Town, count: int, seed: int) -> list[Server]:
    """Return servers; the same seed with a smaller count gives the first of them."""
    random = Random(f"servers {seed}")
    sharing = isqrt(town.correlation_ppm * PPM)
    servers = []
    for _ in range(count):
        shared, *own = (random.randint(0, PPM) for _ in range(4))
        levels = [shared if random.randrange(PPM) < sharing else level for level in own]
        resources = resources_from(levels)
        resource = comprehensive_resource(resources, LEDGER)
        rise = (MOST_SATISFACTION_BP - town.floor_bp) * (resource - LEAST_MHZ)
        satisfaction = town.floor_bp + rise // (MOST_MHZ - LEAST_MHZ)
        satisfaction += random.randint(-town.noise_bp, town.noise_bp)
        satisfaction = min(MOST_SATISFACTION_BP, max(LEAST_SATISFACTION_BP, satisfaction))
        servers.append(Server(resources, resource, satisfaction))
    return servers


Measure = Callable[[Server], int]
MEASURES: Mapping[str, Measure] = {
    "6a": lambda server: server.resource,
    "6b": lambda server: server.resources.communication,
    "6c": lambda server: server.resources.modelling,
    "6d": lambda server: server.resources.computation,
}
STAKES: Mapping[str, Measure] = {
    "equal stakes": lambda _: STAKE_MICRO,
    "revenue stakes": lambda server: STAKE_MICRO * server.resource // LEAST_MHZ,
}


def left_by_mining(server: Server) -> Server:
    """Return a server that can serve with a part of its computation only."""
    held = server.resources
    resources = Resources(
        held.computation * LEFT_PERCENT // 100, held.communication, held.modelling
    )
    return Server(resources, comprehensive_resource(resources, LEDGER), server.satisfaction_bp)


def builders(servers: list[Server], stake: Measure, sizes: Sizes, lag: int, name: str) -> list[int]:
    """Return how many blocks each server builds."""
    added = [tokens.accrual(stake(server), server.satisfaction_bp) for server in servers]
    run = elect(added, sizes.heights, lag, name)
    return [run.builders.count(index) for index in range(len(servers))]


def _mean(servers: list[Server], weights: list[int], measure: Measure) -> int:
    pairs = zip(servers, weights, strict=True)
    return sum(measure(server) * weight for server, weight in pairs) // sum(weights)


@lru_cache(maxsize=1)
def _elections(town: Town, sizes: Sizes, seed: int) -> tuple[Row, ...]:
    everybody = draw_servers(town, max(sizes.members), seed)
    rows = []
    for count in sizes.members:
        servers = everybody[:count]
        power = [server.resources.computation for server in servers]
        fastest = [int(index == power.index(max(power))) for index in range(count)]
        lag = ConsensusParameters().lookback(count)
        for reading, stake in STAKES.items():
            name = f"{seed} {count}"
            shares = {
                "DT-DPoS": builders(servers, stake, sizes, lag, name),
                "DT-DPoS without lag": builders(servers, stake, sizes, 0, name),
                "proof of work": power,
                "the fastest wins": fastest,
                "all servers": [1] * count,
            }
            for panel, measure in MEASURES.items():
                for curve, weights in shares.items():
                    value = _mean(servers, weights, measure)
                    rows.append(Row(panel, reading, curve, count, seed, value))
                spent = _mean([left_by_mining(server) for server in servers], power, measure)
                rows.append(Row(panel, reading, "proof of work, net", count, seed, spent))
    return tuple(rows)


def _panel(name: str, town: Town, sizes: Sizes, seed: int) -> list[Row]:
    return [row for row in _elections(town, sizes, seed) if row.panel == name]


def comprehensive(town: Town, sizes: Sizes, seed: int) -> list[Row]:
    """Panel 6a: the comprehensive resource of builders."""
    return _panel("6a", town, sizes, seed)


def communication(town: Town, sizes: Sizes, seed: int) -> list[Row]:
    """Panel 6b: the communication of builders."""
    return _panel("6b", town, sizes, seed)


def modelling(town: Town, sizes: Sizes, seed: int) -> list[Row]:
    """Panel 6c: the modelling of builders."""
    return _panel("6c", town, sizes, seed)


def computation(town: Town, sizes: Sizes, seed: int) -> list[Row]:
    """Panel 6d: the computation of builders."""
    return _panel("6d", town, sizes, seed)


SERVERS = "servers"
UNSEEN = ("the fastest wins", "proof of work, net")
PANELS = (
    Panel(
        "6a",
        "Comprehensive resource of builders",
        SERVERS,
        "GHz",
        1_000,
        comprehensive,
        unseen=UNSEEN,
    ),
    Panel(
        "6b", "Communication of builders", SERVERS, "Mbit/s", 1_000, communication, unseen=UNSEEN
    ),
    Panel(
        "6c", "Modelling of builders", SERVERS, "thousand units", 1_000, modelling, unseen=UNSEEN
    ),
    Panel("6d", "Computation of builders", SERVERS, "GHz", 1_000, computation, unseen=UNSEEN),
)
