"""The figures of a live market, from the blocks that were seen and the nodes' own clocks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from scripts.benchmark.load import percentile
from scripts.live_market.watch import SeenBlock, StepTimes, total

MICRO = 1_000_000
STEPS = ("build", "check", "clear", "admit")
Figures = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Phase:
    """Blocks in a row, with the times of every node before and after."""

    name: str
    blocks: Sequence[SeenBlock]
    before: Sequence[Mapping[str, StepTimes]]
    after: Sequence[Mapping[str, StepTimes]]

    def times(self, step: str) -> StepTimes:
        """What a step took all nodes together in this phase."""
        found = StepTimes()
        for before, after in zip(self.before, self.after, strict=True):
            spent = total(after, step).since(total(before, step))
            found.count += spent.count
            found.seconds += spent.seconds
            for at, count in spent.within.items():
                found.within[at] = found.within.get(at, 0.0) + count
        return found

    def over(self, step: str, seconds: float) -> int:
        """How often a step certainly may have taken longer than this, by histogram bound."""
        times = self.times(step)
        below = [count for at, count in times.within.items() if at <= seconds]
        return int(times.count - max(below, default=0.0))


def reckon(
    phases: Sequence[Phase], *, budget_ms: int, block_time_ms: int, books: Figures
) -> Figures:
    """All figures of a run."""
    return {
        "block_time_ms": block_time_ms,
        "execution_budget_ms": budget_ms,
        "phases": [_phase(phase, budget_ms) for phase in phases],
        "books": books,
    }


def _phase(phase: Phase, budget_ms: int) -> Figures:
    blocks = phase.blocks
    gaps = [later.time_ms - sooner.time_ms for sooner, later in pairwise(blocks)]
    missed = [block for block in blocks if block.view > 1]
    slow = {step: phase.over(step, budget_ms / 1000) for step in ("clear", "admit")}
    trades = sum(block.trades for block in blocks)
    return {
        "name": phase.name,
        "blocks": len(blocks),
        "turns_missed": len(missed),
        "views_lost": sum(block.view - 1 for block in missed),
        "turns_missed_by_clearing": min(len(missed), slow["clear"]),
        # No clearing and no admission above the budget: then the market cost nobody its turn.
        "turns_missed_by_the_market": min(len(missed), sum(slow.values())),
        "steps_over_budget": slow,
        "books_deferred": sum(block.deferred for block in blocks),
        "interval_p50_ms": percentile(gaps, 0.5),
        "interval_p95_ms": percentile(gaps, 0.95),
        "steps": {step: _step(phase.times(step)) for step in STEPS},
        "open_a_side": _depths(blocks),
        "transactions": sum(block.transactions for block in blocks),
        "trades": trades,
        "trades_per_block": round(trades / max(1, len(blocks)), 2),
        "blocks_with_trades": sum(block.trades > 0 for block in blocks),
        "welfare_micro": sum(block.welfare_micro for block in blocks),
        "paid_micro": sum(block.paid_micro for block in blocks),
        "broker_micro": sum(block.broker_micro for block in blocks),
    }


def _depths(blocks: Sequence[SeenBlock]) -> Figures:
    """Open orders of a side: the fewest and most seen, and the mean of the thinnest side."""
    sides = list(zip(*(block.depths for block in blocks), strict=True))
    return {
        "least": min((min(side) for side in sides), default=0),
        "most": max((max(side) for side in sides), default=0),
        "mean_of_thinnest": round(min((sum(side) / len(side) for side in sides), default=0.0), 1),
    }


def _step(times: StepTimes) -> Figures:
    mean = 1000 * times.seconds / times.count if times.count else 0.0
    return {
        "count": int(times.count),
        "mean_ms": round(mean, 1),
        "below_ms": times.bound_s() * 1000,
    }


def failures(figures: Figures) -> list[str]:
    """What contradicts the claim that no leader misses its turn because of clearing."""
    wrong = []
    for phase in figures["phases"]:
        if phase["turns_missed_by_the_market"]:
            wrong.append(f"{phase['name']}: turns missed while the market was over its budget")
        if phase["books_deferred"]:
            wrong.append(f"{phase['name']}: {phase['books_deferred']} books deferred")
    wanted = figures["books"]["wanted_a_side"]
    thinnest = figures["phases"][-1]["open_a_side"]["mean_of_thinnest"]
    if thinnest * 10 < wanted * 9:
        wrong.append(f"a side held {thinnest} open orders on average, {wanted} were wanted")
    if not figures["phases"][-1]["trades"]:
        wrong.append("nothing traded")
    return wrong


def report(figures: Figures) -> str:
    """The figures for people."""
    phases = figures["phases"]
    lines = [
        f"block time {figures['block_time_ms']} ms, "
        f"execution budget {figures['execution_budget_ms']} ms",
        "",
        f"{'':30}" + "".join(f"{phase['name']:>12}" for phase in phases),
    ]
    for title, key in (
        ("blocks", "blocks"),
        ("turns missed", "turns_missed"),
        ("  by clearing, at most", "turns_missed_by_clearing"),
        ("  or admission, at most", "turns_missed_by_the_market"),
        ("books deferred", "books_deferred"),
        ("block interval p50, ms", "interval_p50_ms"),
        ("block interval p95, ms", "interval_p95_ms"),
        ("transactions", "transactions"),
        ("trades", "trades"),
        ("trades a block", "trades_per_block"),
    ):
        lines.append(f"{title:30}" + "".join(f"{phase[key]:>12}" for phase in phases))
    for title, key in (
        ("open a side, fewest", "least"),
        ("open a side, most", "most"),
        ("thinnest side, mean", "mean_of_thinnest"),
    ):
        row = [f"{phase['open_a_side'][key]:>12}" for phase in phases]
        lines.append(f"{title:30}" + "".join(row))
    for step in STEPS:
        for title, key in (("mean ms", "mean_ms"), ("all below ms", "below_ms")):
            row = [f"{phase['steps'][step][key]:>12}" for phase in phases]
            lines.append(f"{step + ', ' + title:30}" + "".join(row))
    for title, key in (
        ("welfare, tokens", "welfare_micro"),
        ("paid, tokens", "paid_micro"),
        ("brokers kept, tokens", "broker_micro"),
    ):
        lines.append(f"{title:30}" + "".join(f"{phase[key] // MICRO:>12,}" for phase in phases))
    books = figures["books"]
    lines += [
        "",
        "open    " + ", ".join(f"{name} {count}" for name, count in sorted(books["open"].items())),
        "closed  " + ", ".join(f"{count} {why}" for why, count in sorted(books["closed"].items())),
        "sent    " + ", ".join(f"{count} {kind}" for kind, count in sorted(books["sent"].items())),
        f"refused {books['refused'] or 'none'}; without effect {books['failed'] or 'none'}",
        f"all nodes list the same books at height {books['same_at_height']}",
    ]
    return "\n".join(lines)
