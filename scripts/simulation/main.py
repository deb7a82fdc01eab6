"""Run many seeds of the consensus simulator: rules and faults counted, failures to replay.

python3 scripts/simulate.py --seeds 0..1000
python3 scripts/simulate.py --seeds 0..100000 --state campaign.json --seconds 600
python3 scripts/simulate.py --seed 42 --verbose
python3 scripts/simulate.py --twins 3
python3 scripts/simulate.py --golden

With a state file a campaign may be cut at any time and goes on where it was; see campaign.py.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from pathlib import Path

from scripts.simulation.campaign import Campaign, RangeResult, run_range, scenario, workers
from scripts.simulation.golden import write_golden
from scripts.simulation.progress import Progress
from scripts.simulation.twins import run_twins
from tests.simulator.coverage import RuleWatch, watched
from tests.simulator.simulation import Simulation, fault_count, faults_of
from tests.simulator.world import FAULT


def seed_range(text: str) -> range:
    """`A..B` as the seeds from A up to but not including B.  Raises ArgumentTypeError."""
    first, _, last = text.partition("..")
    if not (first.isdecimal() and last.isdecimal() and int(first) < int(last)):
        raise argparse.ArgumentTypeError(f"{text!r} is not A..B with A below B")
    return range(int(first), int(last))


def replay_line(seed: int, options: Sequence[str], *, plain: bool) -> str:
    """The command that runs this seed again, with the whole traceback."""
    chosen = "".join(f" --set {option}" for option in options)
    return f"python3 scripts/simulate.py --seed {seed} --verbose{chosen}{' --plain' * plain}"


def replay(seed: int, options: Sequence[str], *, plain: bool) -> int:
    """Run one seed and let its failure through."""
    simulation = Simulation(seed, scenario(seed, options, plain=plain))
    print(simulation.describe())
    with watched() as watch:
        report = simulation.run()
    print(f"ok: {report.heights} heights, event hash {report.digest}")
    table("rules", watch.counts)
    show_events(report.counts)
    return 0


def show_events(counts: Counter[str]) -> None:
    """What was injected, and what else happened."""
    table("faults injected", faults_of(counts))
    others = {name: count for name, count in counts.items() if not name.startswith(FAULT)}
    table("events", Counter(others))


def table(title: str, counts: Counter[str]) -> None:
    """Counts by name."""
    print(f"{title}:")
    for name, count in sorted(counts.items(), key=lambda entry: _by_number(entry[0])):
        print(f"  {count:12d}  {name}")


def _by_number(name: str) -> tuple[int, str]:
    word = name.split(" ", 1)[0]
    return (int(word[1:]) if word[:1] == "R" and word[1:].isdigit() else 0, name)


def results(
    ranges: Sequence[tuple[int, int]],
    options: tuple[str, ...],
    plain: bool,
    jobs: int,
    until: float,
) -> Iterator[RangeResult]:
    """Results as they come; no range is begun after `until` (of the monotonic clock)."""
    waiting = iter(ranges)
    if jobs == 1:
        for first, end in waiting:
            if time.monotonic() >= until:
                return
            yield run_range((first, end, options, plain))
        return
    with ProcessPoolExecutor(jobs) as pool:
        running: set[Future[RangeResult]] = set()
        while True:
            while len(running) < jobs and time.monotonic() < until:
                bounds = next(waiting, None)
                if bounds is None:
                    break
                running.add(pool.submit(run_range, (*bounds, options, plain)))
            if not running:
                return
            done, running = wait(running, return_when=FIRST_COMPLETED)
            yield from (future.result() for future in done)


def run_all(campaign: Campaign, seeds: range, jobs: int, seconds: float) -> int:
    """Run what is missing of a range; the exit code is 1 if any seed of the campaign failed."""
    began = time.monotonic()
    missing, done = campaign.missing(seeds), 0
    progress = Progress("seeds", sum(end - first for first, end in missing))
    before = campaign.total()
    if before.seeds:
        print(f"{before.seeds} seeds are in {campaign.path}, {len(missing)} ranges to go")
    try:
        for result in results(missing, campaign.options, campaign.plain, jobs, began + seconds):
            campaign.add(result)
            done += result.seeds
            tell(campaign, result)
            progress.tell(done, len(campaign.total().failures))
    except KeyboardInterrupt:
        print("cut; run the same command again to go on", file=sys.stderr)
    total = campaign.total()
    show(total, done, time.monotonic() - began)
    return 1 if total.failures else 0


def tell(campaign: Campaign, result: RangeResult) -> None:
    """Say at once what failed, and how to see it again."""
    for seed, drawn, why in result.failures:
        print(f"seed {seed} FAILED: {why}\n  {drawn}")
        print(f"  replay: {replay_line(seed, campaign.options, plain=campaign.plain)}", flush=True)


def show(total: RangeResult, done: int, elapsed_s: float) -> None:
    """The sum of the campaign."""
    table("worlds", total.worlds)
    table("rules", total.rules)
    show_events(total.events)
    watch = RuleWatch()
    watch.counts = total.rules
    if total.rules and watch.missing():
        print(f"rules that never acted: {', '.join(watch.missing())}")
    print(
        f"{total.seeds} seeds ({done} of them now, {done / max(elapsed_s, 0.001):.1f}/s), "
        f"{total.heights} heights, {fault_count(total.events)} faults, "
        f"{len(total.failures)} failed"
    )
    print(f"event hash {total.digest}")


def main() -> int:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", type=seed_range, default=range(100), metavar="A..B")
    parser.add_argument("--seed", type=int, help="run this seed alone")
    parser.add_argument("--jobs", type=int, default=workers())
    parser.add_argument("--seconds", type=float, default=float("inf"), help="begin nothing later")
    parser.add_argument("--state", type=Path, help="keep results here, add to what is there")
    parser.add_argument("--verbose", action="store_true", help="with --seed: whole traceback")
    parser.add_argument("--twins", type=int, metavar="VIEWS", help="all splits of so many views")
    parser.add_argument("--golden", action="store_true", help="write the golden event hashes")
    parser.add_argument("--plain", action="store_true", help="draw sizes as the tests do")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="fix a part of the scenario: n=4, adversaries=nuller,silent, faults=loss,crash, ...",
    )
    arguments = parser.parse_args()
    options = tuple(arguments.set)
    if arguments.golden:
        return write_golden()
    if arguments.twins is not None:
        return run_twins(arguments.twins, arguments.jobs)
    if arguments.seed is not None and arguments.verbose:
        return replay(arguments.seed, options, plain=arguments.plain)
    seeds = arguments.seeds
    if arguments.seed is not None:
        seeds = range(arguments.seed, arguments.seed + 1)
    campaign = Campaign(options, arguments.plain, arguments.state)
    try:
        scenario(0, options, plain=arguments.plain)
        campaign.load()
    except ValueError as problem:
        parser.error(str(problem))
    return run_all(campaign, seeds, arguments.jobs, arguments.seconds)


if __name__ == "__main__":
    sys.exit(main())
