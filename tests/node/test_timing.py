"""What the steps of a block cost is counted, however they end."""

import pytest

from node.application.timing import BOUNDS_S, BlockTiming, Spent
from tests.node.api.small_node import SmallNode


def test_a_time_counts_under_every_bound_it_does_not_pass() -> None:
    spent = Spent()
    for seconds in (0.001, 0.0011, 0.3, 99.0):
        spent.add(seconds)
    rows = dict(spent.cumulative())
    assert rows["0.001"] == 1
    assert rows["0.0025"] == 2
    assert rows["0.25"] == 2
    assert rows["0.5"] == 3
    assert rows["+Inf"] == spent.count == 4
    assert [name for name, _ in spent.cumulative()] == [*map(str, BOUNDS_S), "+Inf"]


def test_a_step_that_raises_is_counted_and_the_error_goes_on() -> None:
    timing = BlockTiming()
    with pytest.raises(ValueError, match="refused"), timing.step("check"):
        raise ValueError("refused")
    assert timing.spent["check"].count == 1
    assert timing.spent["build"].count == 0


def test_a_block_of_the_application_is_timed_by_step() -> None:
    node = SmallNode()
    node.advance(2)
    spent = node.application.chain.timing.spent
    assert (spent["clear"].count, spent["admit"].count) == (4, 4)
    assert spent["check"].count == 2
    assert spent["check"].seconds >= spent["admit"].seconds / 2 > 0
