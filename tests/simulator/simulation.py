"""One seed: a network of real drivers, bad weather, then fair weather, and what must hold."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace

from node.driver.host import DriverSettings
from tests.simulator.adversaries.corrupt import CorruptNode
from tests.simulator.adversaries.menu import ADVERSARIES, NEEDS_OFFENCES
from tests.simulator.adversaries.twins import Twins
from tests.simulator.checkers import Monitor, Violation
from tests.simulator.faults import Faults
from tests.simulator.ground import TIMING, GroundMaker, Wishes, toy_ground
from tests.simulator.network import Network
from tests.simulator.node import SimulatedNode
from tests.simulator.node_ground import node_ground
from tests.simulator.world import EPOCH_MS, FAULT, World

DRIFT_BOUND_MS = 150

GROUNDS: dict[str, GroundMaker] = {"toy": toy_ground, "node": node_ground}
"""Which application runs under the drivers: a toy, or the one of the node."""


@dataclass(frozen=True)
class Scenario:
    """What is fixed about a run; None is drawn from the seed."""

    application: str = "toy"
    n: int | None = None
    observers: int | None = None
    heights_per_set: int | None = None
    adversaries: tuple[str, ...] | None = None
    faults: tuple[str, ...] | None = None
    real_signatures: bool | None = None
    bad_ms: int = 5000
    more_heights: int = 5


@dataclass(frozen=True)
class Report:
    """What came of a seed."""

    seed: int
    digest: str
    heights: int
    counts: Counter[str]
    description: str
    failure: str | None = None


class Simulation:
    """A world drawn from a seed."""

    def __init__(self, seed: int, scenario: Scenario) -> None:
        self.seed = seed
        self.scenario = scenario
        self.world = World(seed)
        chance = self.world.chance
        ground = GROUNDS[scenario.application](
            Wishes(
                scenario.n, scenario.observers, scenario.heights_per_set, scenario.real_signatures
            ),
            chance,
        )
        self.ground = ground
        self.n = ground.n
        self.keys = tuple(signer.public_key for signer in ground.signers)
        self.faulty = (self.n - 1) // 3
        self.kinds = self._adversaries()
        dishonest = tuple(sorted(chance.sample(range(len(self.keys)), len(self.kinds))))
        self.monitor = Monitor(
            ground.genesis_hash, ground.verify, ground.plug.validators, dishonest
        )
        if ground.audit is not None:
            honest = [key for at, key in enumerate(self.keys) if at not in dishonest]
            ground.audit.honest = tuple(honest)
        self.network = Network(self.world)
        settings = DriverSettings(
            ground.genesis_hash, ground.verify, TIMING, drift_bound_ms=DRIFT_BOUND_MS
        )
        self.nodes: list[SimulatedNode] = []
        arguments = (self.world, self.network, self.monitor, ground.plug, settings)
        for index, signer in enumerate(ground.signers):
            if index not in dishonest:
                self.nodes.append(SimulatedNode(*arguments, self.keys, signer))
                continue
            behaviour = ADVERSARIES[self.kinds[dishonest.index(index)]]
            if behaviour is Twins:
                self.nodes.append(Twins(*arguments, self.keys, signer))
            else:
                self.nodes.append(CorruptNode(*arguments, self.keys, signer, behaviour))
        self.stop_ms = EPOCH_MS + scenario.bad_ms
        self.faults = Faults(
            self.world,
            self.network,
            self.nodes,
            TIMING.round_trip_ms,
            self.stop_ms,
            self.faulty - len(dishonest),
        )
        if scenario.faults is not None:
            self.faults.on = scenario.faults or ("none",)
        self.monitor.latest_clock_ms = self.faults.sane_clock_ms
        self.monitor.drift_bound_ms = DRIFT_BOUND_MS

    def _adversaries(self) -> tuple[str, ...]:
        chance = self.world.chance
        if self.scenario.adversaries is not None:
            return self.scenario.adversaries
        count = chance.choice((0, self.faulty, chance.randrange(self.faulty + 1)))
        punishes = self.ground.audit is not None
        kinds = [kind for kind in sorted(ADVERSARIES) if punishes or kind not in NEEDS_OFFENCES]
        return tuple(chance.choice(kinds) for _ in range(count))

    def describe(self) -> str:
        """What the seed drew."""
        return (
            f"n={self.n} nodes={len(self.nodes)} adversaries={list(self.kinds)} "
            f"faults={list(self.faults.on)} ground={self.ground.name}"
        )

    def run(self) -> Report:
        """Bad weather, fair weather; raises Violation."""
        for node in self.nodes:
            node.start()
        self.faults.begin()
        self._work()
        self.world.run_until(self.stop_ms)
        self.faults.heal()
        healthy = [
            node for node in self.nodes if node.is_honest and node.index not in self.faults.dead
        ]
        reached = max(node.height for node in healthy)
        self._expect(healthy, reached + 1, self._patience_ms(1, reached))
        more = self.scenario.more_heights
        self._expect(healthy, reached + 1 + more, self._patience_ms(more, reached + 1))
        self._check_bounds(healthy)
        if self.ground.plug.audit is not None:
            self.ground.plug.audit(healthy)
        return self._report(None)

    def _work(self) -> None:
        """Give the application something to do, now and then."""
        if self.ground.plug.work is not None:
            self.ground.plug.work(self.nodes)
            self.world.after(TIMING.block_time_ms // 2, self._work)

    def _patience_ms(self, heights: int, _from_height: int) -> int:
        """(f + 1) views at the largest growth for each height, and 2 s to come together."""
        cap = TIMING.growth_cap * TIMING.round_trip_ms
        longest = TIMING.block_time_ms + 3 * cap + TIMING.execution_budget_ms
        lagging = max(node.height for node in self.nodes) - min(node.height for node in self.nodes)
        return (self.faulty + 1) * longest + 2000 + (heights - 1) * 400 + lagging * 40

    def _expect(self, nodes: list[SimulatedNode], height: int, within_ms: int) -> None:
        """Liveness: all of these nodes commit `height` in time."""
        limit = self.world.now_ms + within_ms

        def there() -> bool:
            return all(node.is_up and node.height >= height for node in nodes)

        self.world.run_until(limit, there)
        if not there():
            heights = [(node.index, node.is_up, node.height) for node in nodes]
            raise Violation(f"no progress to height {height} within {within_ms} ms: {heights}")

    def _check_bounds(self, nodes: list[SimulatedNode]) -> None:
        """Memory: what a driver holds stays small whatever its peers do."""
        for node in nodes:
            if node.driver is None:
                continue
            for name, held, most in node.driver.occupancy():
                if held > most:
                    raise Violation(f"node {node.index} holds {held} {name}, at most {most}")

    def _report(self, failure: str | None) -> Report:
        heights = max((node.height for node in self.nodes), default=0)
        return Report(
            self.seed, self.world.digest(), heights, self.world.counts, self.describe(), failure
        )

    def run_reporting(self) -> Report:
        """Like `run`, with a violation or any error as the failure of the report."""
        try:
            return self.run()
        except Exception as error:  # noqa: BLE001  the report names the seed and goes on
            return self._report(f"{type(error).__name__}: {error}")


def run_seed(seed: int, scenario: Scenario | None = None) -> Report:
    """Run one seed to its end and report."""
    return Simulation(seed, scenario or Scenario()).run_reporting()


def faults_of(counts: Counter[str]) -> Counter[str]:
    """The faults injected in a run, by kind."""
    cut = len(FAULT)
    return Counter({name[cut:]: count for name, count in counts.items() if name.startswith(FAULT)})


def fault_count(counts: Counter[str]) -> int:
    """How many faults a run injected: the sum over all kinds."""
    return faults_of(counts).total()


def scenario_of(options: tuple[str, ...]) -> Scenario:
    """A scenario from NAME=VALUE texts.  Raises ValueError for a name it does not have."""
    chosen: dict[str, object] = {}
    for option in options:
        name, _, text = option.partition("=")
        if name in ("adversaries", "faults"):
            chosen[name] = tuple(part for part in text.split(",") if part)
        elif name == "real_signatures":
            chosen[name] = text in ("1", "true", "yes")
        elif name == "application":
            chosen[name] = text
        elif name in Scenario.__dataclass_fields__:
            chosen[name] = int(text)
        else:
            raise ValueError(f"a scenario has no {name!r}")
    return replace(Scenario(), **chosen)  # type: ignore[arg-type]
