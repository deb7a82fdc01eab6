"""Twins, systematically: no split of the first views forks the chain or stops the network."""

import random
from collections.abc import Iterable

import pytest

from consensus.simplex import core
from consensus.simplex.types import VoteKind
from tests.simulator.checkers import Violation
from tests.simulator.twins_scenarios import TwinsRun, TwinsScenario, scenario_count, scenarios


def run_all(chosen: Iterable[TwinsScenario]) -> None:
    for scenario in chosen:
        TwinsRun(scenario).run()


def test_the_enumeration_is_whole_and_has_no_scenario_twice() -> None:
    for views in (1, 2, 3):
        found = list(scenarios(views))
        assert len(found) == len(set(found)) == scenario_count(views)


@pytest.mark.parametrize("part", range(8))
def test_every_split_of_two_views_is_survived(part: int) -> None:
    """All 640; each time the network heals and goes on."""
    for scenario in list(scenarios(2))[part::8]:
        assert TwinsRun(scenario).run() >= 1


def test_some_splits_of_four_views_are_survived() -> None:
    """`simulate.py --twins 3` and `--twins 4` run all there are."""
    chance = random.Random(4)
    every = list(scenarios(4))
    for scenario in chance.sample(every, 16):
        assert TwinsRun(scenario).run() >= 1


def test_twins_find_a_missing_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    """F beside X, planted in every process: two splits are enough to see it."""
    monkeypatch.setattr(
        core,
        "may_finalize",
        lambda held, view: (
            held.certified(view) is not None and VoteKind.FINALIZE not in held.record(view).sent
        ),
    )
    with pytest.raises(Violation):
        run_all(scenarios(2))
