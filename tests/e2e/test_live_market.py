"""Half a minute of a live market of three brokers on four real nodes."""

import asyncio
from pathlib import Path

import pytest

from node.testnet.create import Wanted, ensure_testnet
from node.testnet.layout import Layout
from node.testnet.plan import MEASURED_BROKERS
from scripts.live_market.main import Course, run
from tests.e2e.kit import Net, free_port_run

pytestmark = pytest.mark.slow

COURSE = Course(orders=25, arrivals=3, baseline=4, seconds=15.0, block_time_ms=500, seed=3)


def test_three_books_trade_and_no_turn_is_lost_to_the_market(tmp_path: Path) -> None:
    net = Net(tmp_path / "net")
    wanted = Wanted(validators=4, base_port=free_port_run(4), block_time_ms=500, slots=64)
    ensure_testnet(Layout(net.layout.root), wanted)
    try:
        net.start()
        figures = asyncio.run(run(COURSE, net))
        net.require_one_chain()
        net.require_clean_logs()
    finally:
        net.close()
    baseline, _, market = figures["phases"]
    assert baseline["trades"] == 0
    assert market["trades"] > 20
    assert market["blocks_with_trades"] * 2 > market["blocks"]
    assert market["welfare_micro"] > 0
    assert sum(phase["turns_missed_by_the_market"] for phase in figures["phases"]) == 0
    assert sum(phase["books_deferred"] for phase in figures["phases"]) == 0
    books = figures["books"]
    assert {name.split("/")[0] for name in books["open"]} == set(MEASURED_BROKERS)
    assert books["closed"]["matched"] > 0
    assert books["sent"]["cancel"] > 0
    assert books["same_at_height"] > 0
    # An order may be matched before its cancellation; a server that lost its turns to a busy
    # machine may sit in jail.  Nothing else is refused.
    assert books["refused"] == {}
    assert set(books["failed"]) <= {"unknown_order", "role_not_allowed"}
