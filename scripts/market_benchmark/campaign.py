"""The long campaign of random operations against the slow model of the market.

    python3 scripts/market_campaign.py                        # 1000000 operations, 2 processes
    python3 scripts/market_campaign.py --operations 20000 --first 500
    python3 scripts/market_campaign.py --jobs 1 --state campaign.json     # go on where it stopped
    python3 scripts/market_campaign.py --seed 1234            # one seed again

Seeds are handed out in rounds to a few processes; a seed that fails is printed with the reason.
With `--state` the count so far and the next seed are kept in a file after every round, so that a
campaign can be stopped at any time and goes on from there; a failing seed is tried again first.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import traceback
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from tests.auction.test_random_market import BLOCKS, run_seed

SEEDS_A_ROUND = 16


def attempt(seed: int) -> tuple[int, Counter[str], str]:
    """Return the seed, how often what happened, and what went wrong or an empty string."""
    try:
        happened = run_seed(seed, BLOCKS)
    except Exception:  # noqa: BLE001 - a failing seed is the campaign's result
        return seed, Counter(), traceback.format_exc()
    return seed, happened, ""


class Progress:
    """How far a campaign has come, kept in a file if it has one."""

    def __init__(self, first: int, path: Path | None) -> None:
        self.path = path
        self.first = self.next = first
        self.happened: Counter[str] = Counter()
        self.seconds = 0.0
        if path is not None and path.exists():
            held = json.loads(path.read_text(encoding="utf-8"))
            self.first, self.next, self.seconds = held["first"], held["next"], held["seconds"]
            self.happened = Counter(held["happened"])

    def keep(self) -> None:
        """Write the file anew; a crash leaves the one before."""
        if self.path is None:
            return
        held = {
            "first": self.first,
            "next": self.next,
            "seconds": round(self.seconds, 1),
            "happened": dict(sorted(self.happened.items())),
        }
        fresh = self.path.with_suffix(".new")
        fresh.write_text(json.dumps(held, indent=2) + "\n", encoding="utf-8")
        fresh.replace(self.path)

    def __str__(self) -> str:
        counts = self.happened
        rate = counts["operations"] / self.seconds if self.seconds else 0.0
        return (
            f"seeds {self.first}..{self.next - 1}: {counts['operations']} operations,"
            f" {counts['trades']} trades, {self.seconds:.0f} s, {rate:.0f} a second"
        )


def campaign(progress: Progress, wanted: int, jobs: int) -> int:
    """Run seeds until `wanted` operations are done in all; return how many failed."""
    failures = 0
    with ProcessPoolExecutor(jobs) as pool:
        while progress.happened["operations"] < wanted and not failures:
            started = time.monotonic()
            batch = range(progress.next, progress.next + SEEDS_A_ROUND)
            done: Counter[str] = Counter()
            for number, happened, wrong in pool.map(attempt, batch):
                done += happened
                if wrong:
                    failures += 1
                    print(f"seed {number} fails:\n{wrong}", flush=True)
            progress.seconds += time.monotonic() - started
            if not failures:
                progress.next += SEEDS_A_ROUND
                progress.happened += done
                progress.keep()
            print(progress, flush=True)
    for kind, count in sorted(progress.happened.items()):
        print(f"  {kind:28} {count}")
    return failures


def main() -> None:
    """Run the campaign."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--operations", type=int, default=1_000_000)
    parser.add_argument("--first", type=int, default=0, help="first seed")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--state", type=Path, help="file that keeps how far it has come")
    parser.add_argument("--seed", type=int, help="run this seed only")
    arguments = parser.parse_args()
    if arguments.seed is not None:
        _, happened, wrong = attempt(arguments.seed)
        print(wrong or f"seed {arguments.seed}: {dict(happened)}, no fault")
        sys.exit(bool(wrong))
    progress = Progress(arguments.first, arguments.state)
    sys.exit(bool(campaign(progress, arguments.operations, arguments.jobs)))


if __name__ == "__main__":
    main()
