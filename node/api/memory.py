"""What the API remembers of orders the state has forgotten, and what holds for one height only.

Filled from the events of final blocks; bounded, and empty again after a restart but for the last
blocks.  Where it has forgotten, routes read the blocks, if they are told which.
"""

from collections import OrderedDict
from collections.abc import Iterator, Mapping

from ledger.state import Event

CLOSED_ORDERS_MAX = 20_000


class ClosedOrders:
    """How orders that left the state lately ended, from their last events; bounded."""

    def __init__(self, count_max: int = CLOSED_ORDERS_MAX) -> None:
        self._count_max = count_max
        self._orders: OrderedDict[str, dict[str, object]] = OrderedDict()

    def note(self, height: int, event: Event) -> None:
        """Remember the event if it closes an order."""
        order = event.data.get("order")
        if event.kind != "order.closed" or not isinstance(order, str):
            return
        known: dict[str, object] = {"id": order, "status": "closed", "closed_height": height}
        self._orders[order] = known | event.data
        if len(self._orders) > self._count_max:
            self._orders.popitem(last=False)

    def get(self, order: str) -> dict[str, object] | None:
        """The last event of the order, None when it is not known."""
        return self._orders.get(order)

    def newest(self) -> Iterator[dict[str, object]]:
        """All that are known, the latest first."""
        return iter(tuple(reversed(self._orders.values())))


class LostRounds:
    """The last round that listed an order among those that could have traded; bounded.

    A round lists `auction.trades.UNMATCHED_LISTED` a side.
    """

    def __init__(self, count_max: int = CLOSED_ORDERS_MAX) -> None:
        self._count_max = count_max
        self._heights: OrderedDict[str, int] = OrderedDict()

    def note(self, height: int, event: Event) -> None:
        """Remember who lost, if the event tells of a round."""
        losers = event.data.get("unmatched")
        if event.kind != "round.cleared" or not isinstance(losers, list):
            return
        for order in losers:
            self._heights[str(order)] = height
            self._heights.move_to_end(str(order))
        while len(self._heights) > self._count_max:
            self._heights.popitem(last=False)

    def get(self, order: str) -> int | None:
        """The height, None for an order that has not lost as far as is known."""
        return self._heights.get(order)


class PerHeight:
    """Documents that hold for one height; those of an older one are forgotten together."""

    def __init__(self) -> None:
        self._height = -1
        self._documents: dict[str, Mapping[str, object]] = {}

    def get(self, key: str, height: int) -> Mapping[str, object] | None:
        """The document, None when it has to be made."""
        return self._documents.get(key) if height == self._height else None

    def put(self, key: str, height: int, document: Mapping[str, object]) -> None:
        """Keep a document of `height`; one of an older height than is kept is too late."""
        if height < self._height:
            return
        if height > self._height:
            self._height, self._documents = height, {}
        self._documents[key] = document
