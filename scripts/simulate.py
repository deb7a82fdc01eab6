"""Run many seeds of the consensus simulator: progress, faults counted by kind, failures to replay.

python3 scripts/simulate.py --seeds 0..1000 --jobs 2
python3 scripts/simulate.py --seed 42 --verbose
"""

import argparse
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor

if __name__ == "__main__" and not __package__:
    # Run as a file: go on as a module of the project's own environment.
    from bootstrap import hand_over

    hand_over("scripts.simulate")

from tests.simulator.simulation import Report, Simulation, fault_count, scenario_of


def seed_range(text: str) -> range:
    """`A..B` as the seeds from A up to but not including B."""
    first, _, last = text.partition("..")
    try:
        seeds = range(int(first), int(last))
    except ValueError:
        seeds = range(0)
    if not seeds:
        raise argparse.ArgumentTypeError(f"{text!r} holds no seed; give A..B such as 0..100")
    return seeds


def run(task: tuple[int, tuple[str, ...]]) -> Report:
    """One seed, in a worker process."""
    seed, options = task
    return Simulation(seed, scenario_of(options)).run_reporting()


def reports(seeds: range, options: tuple[str, ...], jobs: int) -> Iterator[Report]:
    """The reports of all seeds, in order."""
    tasks = [(seed, options) for seed in seeds]
    if jobs == 1:
        yield from map(run, tasks)
        return
    with ProcessPoolExecutor(jobs) as pool:
        yield from pool.map(run, tasks, chunksize=4)


def replay_line(seed: int, options: tuple[str, ...]) -> str:
    """The command that runs this seed again, with the whole traceback."""
    chosen = "".join(f" --set {option}" for option in options)
    return f"python3 scripts/simulate.py --seed {seed} --verbose{chosen}"


def replay(seed: int, options: tuple[str, ...]) -> int:
    """Run one seed and let its failure through."""
    simulation = Simulation(seed, scenario_of(options))
    print(simulation.describe())
    report = simulation.run()
    print(f"ok: {report.heights} heights, event hash {report.digest}")
    for kind, count in sorted(report.counts.items()):
        print(f"  {count:8d} {kind}")
    return 0


def run_all(seeds: range, options: tuple[str, ...], jobs: int) -> int:
    """Run a range; the exit code is 1 if any seed failed."""
    began, counts, heights, failed = time.monotonic(), Counter[str](), 0, 0
    for done, report in enumerate(reports(seeds, options, jobs), start=1):
        counts.update(report.counts)
        heights += report.heights
        if report.failure is not None:
            failed += 1
            print(f"seed {report.seed} FAILED: {report.failure}")
            print(f"  {report.description}")
            print(f"  replay: {replay_line(report.seed, options)}", flush=True)
        if done % 50 == 0 or done == len(seeds):
            elapsed = time.monotonic() - began
            print(
                f"{done}/{len(seeds)} seeds, {heights} heights, {fault_count(counts)} faults, "
                f"{failed} failed, {done / elapsed:.1f} seeds/s",
                flush=True,
            )
    for kind, count in sorted(counts.items()):
        print(f"  {count:10d} {kind}")
    return 1 if failed else 0


def main() -> int:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=seed_range, default=range(100), metavar="A..B")
    parser.add_argument("--seed", type=int, help="run this seed alone")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--verbose", action="store_true", help="with --seed: whole traceback")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="fix a part of the scenario: n=4, adversaries=nuller,silent, faults=loss,crash, ...",
    )
    arguments = parser.parse_args()
    options = tuple(arguments.set)
    try:
        scenario_of(options)
    except (ValueError, TypeError) as problem:
        parser.error(f"--set: {problem}")
    if arguments.seed is not None and arguments.verbose:
        return replay(arguments.seed, options)
    seeds = arguments.seeds
    if arguments.seed is not None:
        seeds = range(arguments.seed, arguments.seed + 1)
    return run_all(seeds, options, arguments.jobs)


if __name__ == "__main__":
    sys.exit(main())
