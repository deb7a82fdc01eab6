"""Campaigns add up: cut and resumed they give what one run gives, and watching changes nothing."""

import subprocess
import sys
from pathlib import Path

import pytest

from scripts.simulation import campaign as campaigns
from scripts.simulation import progress
from scripts.simulation.campaign import ROOT, Campaign, run_range, scenario, source_files
from scripts.simulation.main import replay, replay_line, run_all
from tests.simulator.coverage import RULES, RuleWatch, watched
from tests.simulator.simulation import Scenario, fault_count, faults_of, run_seed

SHORT = ("bad_ms=400", "more_heights=1", "observers=0")


def test_a_watched_seed_is_the_same_seed() -> None:
    with watched():
        seen = run_seed(5).digest
    assert seen == run_seed(5).digest


def test_a_cut_campaign_goes_on_where_it_was_and_ends_with_the_same_sum(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(campaigns, "RANGE", 2)
    whole = Campaign(SHORT, plain=False)
    assert run_all(whole, range(6), jobs=1, seconds=600) == 0
    cut = Campaign(SHORT, plain=False, path=tmp_path / "state.json")
    first, end = cut.missing(range(6))[1]
    cut.add(run_range((first, end, SHORT, False)))
    resumed = Campaign(SHORT, plain=False, path=tmp_path / "state.json")
    resumed.load()
    assert resumed.missing(range(6)) == [(0, 2), (4, 6)]
    assert run_all(resumed, range(6), jobs=1, seconds=600) == 0
    assert resumed.total() == whole.total()
    assert resumed.missing(range(6)) == []


def test_a_state_file_of_other_options_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    Campaign(SHORT, plain=False, path=path).add(run_range((0, 0, SHORT, False)))
    with pytest.raises(ValueError, match="other options"):
        Campaign(("n=4",), plain=False, path=path).load()


def test_one_line_replays_a_seed_of_a_campaign(capsys: pytest.CaptureFixture[str]) -> None:
    line = replay_line(3, SHORT, plain=False)
    assert line.startswith("python3 scripts/simulate.py --seed 3 --verbose --set bad_ms=400")
    assert replay(3, SHORT, plain=False) == 0
    digest = run_seed(3, scenario(3, SHORT, plain=False)).digest
    assert digest in capsys.readouterr().out


def test_sizes_and_signatures_are_mixed_and_options_win() -> None:
    drawn = [scenario(seed, (), plain=False) for seed in range(200)]
    sizes = [one.n for one in drawn]
    assert {size for size in sizes if size} == {4, 5, 7, 10}
    assert sizes.count(4) + sizes.count(5) > 120
    assert 10 < sum(bool(one.real_signatures) for one in drawn) < 70
    assert scenario(3, ("n=7",), plain=False).n == 7
    assert scenario(3, (), plain=True) == Scenario()


def test_some_seeds_run_the_application_of_the_node() -> None:
    drawn = [scenario(seed, (), plain=False) for seed in range(1000)]
    assert 10 <= sum(one.application == "node" for one in drawn) <= 40
    assert all(
        one.application == "toy" for one in (scenario(s, ("n=7",), plain=False) for s in range(99))
    )


def test_the_fingerprint_covers_every_file_that_a_seed_uses() -> None:
    """Else a campaign would add up results of different programs."""
    code = (
        "import sys; from scripts.simulation.campaign import run_range\n"
        "run_range((0, 1, ('bad_ms=200', 'more_heights=1', 'application=node'), False))\n"
        "print('\\n'.join(sorted(filter(None, (getattr(module, '__file__', None)"
        " for module in list(sys.modules.values()))))))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    used = [Path(line) for line in done.stdout.splitlines()]
    own = [path for path in used if path.is_relative_to(ROOT) and ".venv" not in path.parts]
    assert len(own) > 50
    covered = set(source_files())
    assert [path for path in own if path not in covered and path.stat().st_size] == []


def test_faults_are_counted_by_kind_and_summed() -> None:
    counts = run_range((0, 8, ("n=4",), False)).events
    kinds = faults_of(counts)
    assert fault_count(counts) == sum(kinds.values()) > 1000
    assert {"packet lost", "node crashed", "link clogged", "partition two-way"} <= set(kinds)


def test_progress_is_told_without_a_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(progress, "EVERY_S", 0)
    progress.Progress("seeds", 10).tell(4, 1)
    assert capsys.readouterr().err.startswith("4 of 10 seeds, ")


def test_every_rule_acts_within_a_few_seeds() -> None:
    watch = RuleWatch()
    watch.counts = run_range((0, 6, ("n=4",), False)).rules
    assert watch.missing() == []
    assert RULES[-1] == "R14"
