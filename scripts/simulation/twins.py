"""All Twins scenarios of so many views: 640 of two views, 9,216 of three, 139,264 of four."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import islice

from scripts.simulation.progress import Progress
from tests.simulator.twins_scenarios import TwinsRun, TwinsScenario, scenario_count, scenarios

PART = 64


def run_part(part: Sequence[TwinsScenario]) -> list[str]:
    """What went wrong, if anything."""
    failures = []
    for scenario in part:
        try:
            TwinsRun(scenario).run()
        except Exception as error:  # noqa: BLE001  the report names the scenario and goes on
            failures.append(f"{scenario}: {type(error).__name__}: {error}")
    return failures


def parts(views: int) -> Iterator[list[TwinsScenario]]:
    """All scenarios, PART at a time."""
    every = scenarios(views)
    while part := list(islice(every, PART)):
        yield part


def run_twins(views: int, jobs: int) -> int:
    """Run them all; the exit code is 1 if any failed."""
    progress, failed = Progress("scenarios", scenario_count(views)), 0
    done = 0
    with ProcessPoolExecutor(jobs) as pool:
        for failures in pool.map(run_part, parts(views)):
            done = min(done + PART, scenario_count(views))
            failed += len(failures)
            for failure in failures:
                print(failure, flush=True)
            progress.tell(done, failed)
    print(f"{done} twins scenarios of {views} views, {failed} failed")
    return 1 if failed else 0
