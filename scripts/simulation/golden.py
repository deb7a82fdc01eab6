"""Golden event hashes: what some seeds give, on every Python, in every process.

The file is tests/vectors/simulator_hashes.json.  It changes whenever the finality core, the driver
or the simulator change what happens in a seed; `simulate.py --golden` writes it anew.  A test
compares it with what the Python at hand gives, so equal hashes on two versions mean equal runs.
"""

from __future__ import annotations

import json

from scripts.simulation.campaign import ROOT
from tests.simulator.simulation import Scenario, run_seed

GOLDEN = ROOT / "tests" / "vectors" / "simulator_hashes.json"
SEEDS = range(12)
SCENARIO = Scenario(real_signatures=False)


def hashes() -> dict[str, str]:
    """The event hash of each golden seed, computed now."""
    return {str(seed): run_seed(seed, SCENARIO).digest for seed in SEEDS}


def write_golden() -> int:
    """Compute and write the file."""
    GOLDEN.write_text(json.dumps(hashes(), indent=1) + "\n", encoding="utf-8")
    print(f"{len(SEEDS)} hashes in {GOLDEN.relative_to(ROOT)}")
    return 0
