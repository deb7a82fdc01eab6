"""One fault after another on a network of real processes under load, then the reckoning.

Payments run all the time.  A fault begins, is undone, and the network must come back: every node
level and two blocks further.  Afterwards, over the chains, journals and logs of all nodes and the
votes that were heard on the wire:

    one chain        the same block at every height on every node
    no double vote   nobody signed against itself, on the wire, in blocks or journals
    nothing lost     every payment that a node called final stands at its place on every node
    turns            with one node down, after ten rounds of all leaders, less than 1 % of the
                     heights miss their first turn (only with --turns, it takes long)

    python3 scripts/nemesis.py --seconds 600 --seed 3
    python3 scripts/nemesis.py --seconds 0 --turns 200
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from scripts.chaos.faults import FAULTS
from scripts.chaos.stage import Stage
from tests.e2e.kit import until

ROUNDS_TO_SETTLE = 10


@dataclass
class Reckoning:
    """What came of a run; a broken promise raises AssertionError instead."""

    seed: int
    validators: int
    faults: Counter[str] = field(default_factory=Counter)
    stories: list[str] = field(default_factory=list)
    slowest_recovery_s: float = 0.0
    height: int = 0
    payments_final: int = 0
    sends_refused: int = 0
    votes_per_height: float = 0.0
    turns: int = 0
    turns_missed: int = 0


@dataclass(frozen=True)
class Plan:
    """How long and what.  turns: heights to look at with one node down, 0 for none."""

    seed: int = 1
    validators: int = 4
    seconds: float = 60.0
    block_time_ms: int = 400
    faults: tuple[str, ...] = tuple(FAULTS)
    turns: int = 0


def possible(faults: tuple[str, ...]) -> tuple[str, ...]:
    """Without the full disk where we are not root, said aloud."""
    if "full disk" in faults and os.geteuid() != 0:
        print("no full disk: only root can mount a small one", file=sys.stderr)
        return tuple(name for name in faults if name != "full disk")
    return faults


def work(plan: Plan, directory: Path, *, loud: bool = True) -> Reckoning:
    """Make a network in `directory`, be its nemesis, and judge it."""
    names = possible(plan.faults)
    chance = random.Random(plan.seed)
    small_disk = plan.validators - 1 if "full disk" in names else None
    found = Reckoning(plan.seed, plan.validators)
    with Stage(directory, plan.validators, plan.block_time_ms, small_disk) as stage:
        stop = time.monotonic() + plan.seconds
        order: list[str] = []
        while time.monotonic() < stop and names:
            # Every fault once before any comes again.
            order = order or chance.sample(names, len(names))
            name = order.pop()
            story = FAULTS[name](stage, chance)
            recovery_s = stage.recover()
            found.faults[name] += 1
            found.stories.append(f"{story}; level again after {recovery_s:.1f} s")
            found.slowest_recovery_s = max(found.slowest_recovery_s, recovery_s)
            if loud:
                print(found.stories[-1], file=sys.stderr, flush=True)
        stage.quiet()
        if plan.turns:
            found.turns = plan.turns
            found.turns_missed = turns_missed(stage, plan.turns)
            stage.recover()
        judge(stage, found)
    return found


def judge(stage: Stage, found: Reckoning) -> None:
    """All promises but the one about turns; raises AssertionError."""
    final = stage.town.final
    highest = max((height for height, _ in final.values()), default=0)
    until(lambda: min(stage.net.heights()) >= highest, "the last payment on every node")
    found.height = len(stage.net.require_one_chain())
    for index in range(stage.net.size):
        stage.town.require_payments(index)
    stage.town.require_no_second_vote()
    found.payments_final = len(final)
    found.sends_refused = stage.refused
    found.votes_per_height = round(stage.tap.ledger.per_height(), 1)


def turns_missed(stage: Stage, heights: int) -> int:
    """Kill a node, let its tokens go, then count the heights whose first leader was skipped."""
    net, victim = stage.net, 0
    witness = 1
    net.kill(victim)
    first = net.height(witness) + ROUNDS_TO_SETTLE * net.size
    last = first + heights
    until(lambda: net.height(witness) >= last, f"{last} blocks", 30.0 + 2.0 * (last - first + 40))
    blocks = [block for block in net.blocks(witness, above=first) if block["height"] <= last]
    return sum(block["view"] > 1 for block in blocks)


def main() -> int:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--validators", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--block-time-ms", type=int, default=400)
    parser.add_argument("--faults", default=",".join(FAULTS), help="names, with commas between")
    parser.add_argument("--turns", type=int, default=0, help="heights to look at with one down")
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    faults = tuple(name for name in chosen.faults.split(",") if name)
    unknown = set(faults) - set(FAULTS)
    if unknown:
        parser.error(f"no such fault: {', '.join(sorted(unknown))}")
    plan = Plan(
        chosen.seed, chosen.validators, chosen.seconds, chosen.block_time_ms, faults, chosen.turns
    )
    with tempfile.TemporaryDirectory(prefix="nemesis-") as directory:
        found = work(plan, Path(directory))
    if chosen.json:
        print(json.dumps(vars(found), indent=2))
    else:
        print(
            f"{found.height} blocks, {found.payments_final} payments final on all nodes, "
            f"{sum(found.faults.values())} faults {dict(found.faults)}, one chain, no double "
            f"vote ({found.votes_per_height} votes seen a height), slowest recovery "
            f"{found.slowest_recovery_s:.1f} s"
        )
        if found.turns:
            print(f"{found.turns_missed} of {found.turns} first turns missed with one node down")
    return 0 if found.turns_missed * 100 < max(found.turns, 1) else 1


if __name__ == "__main__":
    sys.exit(main())
