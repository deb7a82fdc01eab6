"""The long campaign of random operations against the slow model of the market.

    python3 scripts/market_campaign.py                        # 1000000 operations, 2 processes
    python3 scripts/market_campaign.py --operations 20000 --first 500
    python3 scripts/market_campaign.py --seed 1234            # one seed again

Seeds are handed out in rounds to a few processes; a seed that fails is printed with the reason.
"""

from __future__ import annotations

import argparse
import sys
import time
import traceback
from concurrent.futures import ProcessPoolExecutor

from tests.auction.test_random_market import BLOCKS, run_seed

SEEDS_A_ROUND = 16


def attempt(seed: int) -> tuple[int, int, int, str]:
    """Return seed, operations, trades, and what went wrong or an empty string."""
    try:
        operations, trades = run_seed(seed, BLOCKS)
    except Exception:  # noqa: BLE001 - a failing seed is the campaign's result
        return seed, 0, 0, traceback.format_exc()
    return seed, operations, trades, ""


def campaign(first: int, wanted: int, jobs: int) -> int:
    """Run seeds from `first` until `wanted` operations are done; return how many failed."""
    seed, operations, trades, failures = first, 0, 0, 0
    started = time.monotonic()
    with ProcessPoolExecutor(jobs) as pool:
        while operations < wanted and not failures:
            batch = range(seed, seed + SEEDS_A_ROUND)
            seed += SEEDS_A_ROUND
            for number, done, made, wrong in pool.map(attempt, batch):
                operations, trades = operations + done, trades + made
                if wrong:
                    failures += 1
                    print(f"seed {number} fails:\n{wrong}", flush=True)
            spent = time.monotonic() - started
            print(
                f"seeds {first}..{seed - 1}: {operations} operations, {trades} trades,"
                f" {failures} failures, {spent:.0f} s",
                flush=True,
            )
    return failures


def main() -> None:
    """Run the campaign."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--operations", type=int, default=1_000_000)
    parser.add_argument("--first", type=int, default=0, help="first seed")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--seed", type=int, help="run this seed only")
    arguments = parser.parse_args()
    if arguments.seed is not None:
        _, operations, trades, wrong = attempt(arguments.seed)
        print(wrong or f"seed {arguments.seed}: {operations} operations, {trades} trades, no fault")
        sys.exit(bool(wrong))
    sys.exit(bool(campaign(arguments.first, arguments.operations, arguments.jobs)))


if __name__ == "__main__":
    main()
