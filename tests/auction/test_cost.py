"""What a block costs follows what changed, counted in reads and writes of the state."""

from collections.abc import Iterator

import pytest

from auction import keys
from auction.actions import Cancel
from auction.clearing import seal
from auction.closing import close
from auction.parameters import MarketParameters
from ledger.members import Resources
from ledger.state import Overlay, View
from tests.auction.town import BUYERS, SERVERS, Town, ask, bid


class Counter:
    """A view that counts what is read through it."""

    def __init__(self, base: View) -> None:
        self.base = base
        self.values = 0

    def get(self, key: bytes) -> bytes | None:
        """Read one value."""
        self.values += 1
        return self.base.get(key)

    def scan(self, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Read a range."""
        for entry in self.base.scan(prefix):
            self.values += 1
            yield entry


def town_with(orders_per_side: int) -> Town:
    """Return a town whose book holds orders that cross in 40 blocks at the earliest."""
    market = MarketParameters(orders_per_account=1_000, degree_cap=4)
    town = Town(market=market, resources=Resources(10**9, 10**9, 10**9))
    slow = {"omega_micro": 20_000, "expires": 5_000}
    left = orders_per_side
    while left > 0:
        count = min(left, 60)
        bids = [bid(limit=1_000 + left, open_ppm=200_000, **slow) for _ in range(count)]
        asks = [ask(floor=500 + left, open_ppm=3_000_000, **slow) for _ in range(count)]
        town.block((BUYERS[left % 12], bids), (SERVERS[left % 8], asks))
        left -= count
    town.block()
    while next(iter(town.state.scan(keys.ARRIVAL)), None) is not None:
        town.block()
    town.block()
    return town


def idle_reads(town: Town) -> int:
    """Return how many values the market reads in a block that brings nothing."""
    counter = Counter(town.state)
    overlay = Overlay(counter)
    context = town.context()
    assert seal(context, overlay, None) == b'{"books":[],"classes":[]}'
    close(context, overlay)
    assert not overlay.changes
    return counter.values


@pytest.mark.parametrize("orders", [10, 240])
def test_an_idle_block_reads_a_few_values_however_full_the_book(orders: int) -> None:
    assert idle_reads(town_with(orders)) <= 4 + 2 * len(SERVERS)


def test_one_cancel_touches_its_neighbours_only() -> None:
    town = town_with(120)
    (order,) = town.opened((BUYERS[0], bid(limit=5_000, expires=900, open_ppm=200_000)))
    before = town.run((BUYERS[0], Cancel(order)))
    assert len(before.overlay.changes) < 40
