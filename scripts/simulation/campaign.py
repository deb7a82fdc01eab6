"""A campaign of simulator seeds that can be cut at any time, resumed, and added to.

Seeds are worked on in ranges of equal length.  The result of each range goes into the state file
as soon as it is there: counts, failures, and a hash over the event hashes of its seeds.  Another
run over more seeds adds the ranges that are missing.  The sum over all ranges is what is reported,
and its hash is the same however the work was cut.

A state file belongs to one version of the code and one set of options; a seed draws another world
when either changes, so results are never added across that border.
"""

from __future__ import annotations

import json
import os
import random
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from tests.simulator.coverage import watched
from tests.simulator.simulation import Report, Scenario, Simulation, scenario_of

ROOT = Path(__file__).resolve().parents[2]
RANGE = 20
"""Seeds in a range: what is lost at most when a campaign is cut, for each worker."""

SIZES = (4, 4, 4, 4, 4, 5, 5, 5, 5, 7, 7, 10)
REAL_SIGNATURES_ONE_IN = 6
APPLICATION_ONE_IN = 40
"""One seed in so many runs the node's own application, which has four members."""

SOURCES = (
    "ledger",
    "auction",
    "consensus",
    "node",
    "tests/simulator",
    "tests/node/small_chain.py",
    "scripts/simulation",
)
"""Files and folders that decide what a seed does; a test compares them with what is imported."""


@dataclass
class RangeResult:
    """What came of the seeds from `first` up to but not including `end`."""

    first: int
    end: int
    digest: str = ""
    heights: int = 0
    failures: list[tuple[int, str, str]] = field(default_factory=list)
    """seed, what was drawn, what went wrong"""
    events: Counter[str] = field(default_factory=Counter)
    rules: Counter[str] = field(default_factory=Counter)
    worlds: Counter[str] = field(default_factory=Counter)

    @property
    def seeds(self) -> int:
        return self.end - self.first

    @classmethod
    def restored(cls, entry: dict[str, Any]) -> RangeResult:
        """From a line of the state file."""
        result = cls(entry["first"], entry["end"], entry["digest"], entry["heights"])
        result.failures = [(seed, drawn, why) for seed, drawn, why in entry["failures"]]
        result.events = Counter(entry["events"])
        result.rules = Counter(entry["rules"])
        result.worlds = Counter(entry["worlds"])
        return result


def mixed(seed: int, options: Sequence[str]) -> tuple[str, ...]:
    """The options with application, size and signatures drawn from the seed, unless set."""
    chance = random.Random(f"mix {seed}")
    size, real = chance.choice(SIZES), chance.randrange(REAL_SIGNATURES_ONE_IN) == 0
    names = {option.partition("=")[0] for option in options}
    drawn = {"n": str(size), "real_signatures": str(int(real))}
    if "application" in names:
        drawn = {}
    elif chance.randrange(APPLICATION_ONE_IN) == 0 and "n" not in names:
        drawn = {"application": "node"}
    return (*(f"{name}={text}" for name, text in drawn.items() if name not in names), *options)


def scenario(seed: int, options: Sequence[str], *, plain: bool) -> Scenario:
    """What is fixed about this seed; plain: nothing but the options, as in the tests."""
    return scenario_of(tuple(options) if plain else mixed(seed, options))


def run_range(task: tuple[int, int, tuple[str, ...], bool]) -> RangeResult:
    """All seeds of one range, in a worker process."""
    first, end, options, plain = task
    result, digest = RangeResult(first, end), sha256()
    for seed in range(first, end):
        with watched() as watch:
            simulation = Simulation(seed, scenario(seed, options, plain=plain))
            report = simulation.run_reporting()
        result.rules.update(watch.counts)
        digest.update(bytes.fromhex(report.digest))
        _add(result, report, simulation)
    result.digest = digest.hexdigest()
    return result


def _add(result: RangeResult, report: Report, simulation: Simulation) -> None:
    result.heights += report.heights
    result.events.update(report.counts)
    worlds = [f"n={simulation.n}", simulation.ground.name]
    worlds += [f"adversary {kind}" for kind in sorted(set(simulation.kinds))]
    worlds += [f"fault {name}" for name in simulation.faults.on]
    result.worlds.update(worlds)
    if report.failure is not None:
        result.failures.append((report.seed, report.description, report.failure))


@cache
def code_fingerprint() -> str:
    """A hash of all sources that decide what a seed does, as they were when first asked for."""
    digest = sha256()
    for path in source_files():
        digest.update(str(path.relative_to(ROOT)).encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def source_files() -> list[Path]:
    """All files of SOURCES but tests, in a fixed order."""
    found: list[Path] = []
    for name in SOURCES:
        place = ROOT / name
        found += [place] if place.is_file() else place.rglob("*.py")
    return sorted(path for path in found if not path.name.startswith("test_"))


@dataclass
class Campaign:
    """The results so far; kept in `path`, if there is one."""

    options: tuple[str, ...]
    plain: bool
    path: Path | None = None
    ranges: dict[int, RangeResult] = field(default_factory=dict)

    def load(self) -> None:
        """Take up what the state file holds.  Raises ValueError when it is of another campaign."""
        identity = self._identity()
        if self.path is None or not self.path.exists():
            return
        found = json.loads(self.path.read_text(encoding="utf-8"))
        for name, mine in identity.items():
            if found[name] != mine:
                raise ValueError(f"{self.path} is of other {name}; give another file")
        for entry in found["ranges"]:
            result = RangeResult.restored(entry)
            self.ranges[result.first] = result

    def add(self, result: RangeResult) -> None:
        """Keep the result of one range, in the file too, whole or not at all."""
        self.ranges[result.first] = result
        if self.path is None:
            return
        document = {**self._identity(), "ranges": [vars(each) for each in self._sorted()]}
        beside = self.path.with_name(self.path.name + ".new")
        beside.write_text(json.dumps(document, indent=1, sort_keys=True), encoding="utf-8")
        beside.replace(self.path)

    def missing(self, seeds: range) -> list[tuple[int, int]]:
        """Ranges of these seeds without a result, widened to whole ranges."""
        first = seeds.start // RANGE * RANGE
        starts = range(first, seeds.stop, RANGE)
        if self.path is None:
            bounds = [(max(at, seeds.start), min(at + RANGE, seeds.stop)) for at in starts]
        else:
            bounds = [(at, at + RANGE) for at in starts]
        return [(start, end) for start, end in bounds if start not in self.ranges]

    def total(self) -> RangeResult:
        """All ranges added up; its digest is the hash of theirs, in order of the seeds."""
        return add_up(self._sorted())

    def _sorted(self) -> list[RangeResult]:
        return [self.ranges[first] for first in sorted(self.ranges)]

    def _identity(self) -> dict[str, object]:
        how = [*self.options, *(["--plain"] if self.plain else [])]
        return {"options": how, "code": code_fingerprint()}


def add_up(results: Iterable[RangeResult]) -> RangeResult:
    """The sum of results; `first` is 0 and `end` the number of seeds."""
    total, digest = RangeResult(0, 0), sha256()
    for result in results:
        total.end += result.seeds
        total.heights += result.heights
        total.failures += result.failures
        total.events += result.events
        total.rules += result.rules
        total.worlds += result.worlds
        digest.update(bytes.fromhex(result.digest))
    total.digest = digest.hexdigest()
    return total


def workers() -> int:
    """One for each processor."""
    return os.cpu_count() or 1
