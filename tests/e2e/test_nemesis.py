"""A minute of kills, pauses, cut and stalled links and a full disk, under payments."""

from pathlib import Path

import pytest

from scripts.chaos.faults import FAULTS
from scripts.chaos.main import Plan, possible, work

pytestmark = pytest.mark.slow


def test_four_nodes_keep_every_promise_through_every_fault(tmp_path: Path) -> None:
    names = possible(tuple(FAULTS))
    found = work(Plan(seed=1, seconds=40.0, faults=names), tmp_path, loud=False)
    assert sum(found.faults.values()) >= 3
    assert found.height > 20
    assert found.payments_final > 0
