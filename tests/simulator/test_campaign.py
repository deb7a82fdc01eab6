"""Campaigns add up: cut and resumed they give what one run gives, and watching changes nothing."""

from pathlib import Path

import pytest

from scripts.simulation import campaign as campaigns
from scripts.simulation.campaign import Campaign, run_range, scenario
from scripts.simulation.main import replay, replay_line, run_all
from tests.simulator.coverage import RULES, RuleWatch, watched
from tests.simulator.simulation import Scenario, run_seed

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


def test_every_rule_acts_within_a_few_seeds() -> None:
    watch = RuleWatch()
    watch.counts = run_range((0, 6, ("n=4",), False)).rules
    assert watch.missing() == []
    assert RULES[-1] == "R14"
