"""One side of a book as numbers: what holding a new order against all of it needs.

Each admitted order has a row of integers in the state (`row/`), written when it joins its book.  So
a side of ten thousand orders is read in some milliseconds, in any node and after any restart; the
order behind a row is decoded only where arrays cannot hold its numbers.
"""

from collections.abc import Callable, Iterable, Sequence
from struct import Struct
from typing import Generic, TypeVar

import numpy as np

from auction import keys
from auction.actions import Ask, Bid, CostModel, UtilityModel
from auction.fixed import poisson_step
from auction.fixed_arrays import Integers
from auction.orders import OpenOrder
from auction.pairing import AskSide, BidSide
from auction.paths import Paths, climbed, paths_of
from ledger.types import PPM, Digest

OWNER = slice(0, 4)
"""The owner's address in four integers."""
ADMITTED, EXPIRES, OPENING, STEP = 4, 5, 6, 7
TERMS = slice(8, None)
"""The terms, different for bids and asks."""

CLIMBED_ALONE = 32
"""Ladders up to which climbing each by itself is faster."""

_COMMON = Struct(">32s4q")
_BID = Struct(">8q")
_ASK = Struct(">11q")
BID_WIDTH = (_COMMON.size + _BID.size) // 8
ASK_WIDTH = (_COMMON.size + _ASK.size) // 8

Prepared = TypeVar("Prepared", BidSide, AskSide)


def pack(record: OpenOrder) -> bytes:
    """Return the row of an admitted order, big-endian integers of 64 bits."""
    terms = record.terms
    head = _COMMON.pack(
        bytes.fromhex(record.owner),
        record.admitted,
        terms.expires,
        terms.open_ppm,
        poisson_step(terms.omega_micro, terms.mu),
    )
    if isinstance(terms, Bid):
        return head + _BID.pack(*_worth_of_bid(terms), *_service(terms), record.resource)
    return head + _ASK.pack(*_worth_of_ask(terms), record.resource, terms.longest_blocks)


def _worth_of_bid(bid: Bid) -> tuple[int, int, int]:
    valuation = bid.valuation
    if isinstance(valuation, UtilityModel):
        return 1, valuation.value_micro, valuation.gamma_nano
    return 0, valuation.limit_micro, 0


def _service(bid: Bid) -> tuple[int, int, int, int]:
    return bid.theta_milli, bid.service_blocks, bid.interval_blocks, bid.least_resource


def _worth_of_ask(ask: Ask) -> tuple[int, ...]:
    cost = ask.cost
    if not isinstance(cost, CostModel):
        return 0, cost.floor_micro, 0, 0, PPM, 0, 0, 0, 0
    shape = (cost.r_micro, cost.d_micro, cost.eta_ppm, cost.epsilon_micro)
    return (1, 0, *shape, cost.a_micro, cost.b_micro, cost.c_micro)


def unpack(rows: Sequence[bytes], width: int) -> Integers:
    """Return rows in columns: a line for each field."""
    if not rows:
        return np.zeros((width, 0), dtype=np.int64)
    table = np.frombuffer(b"".join(rows), dtype=">i8").reshape(len(rows), width)
    return np.ascontiguousarray(table.T, dtype=np.int64)


class Side(Generic[Prepared]):
    """Admitted orders of one side of a book, in columns; grows at the end."""

    def __init__(
        self,
        which: bytes,
        entries: Iterable[tuple[Digest, bytes]],
        prepare: Callable[[Digest], Prepared],
    ) -> None:
        """Take (order, row) and how to decode an order."""
        self._is_bids = which == keys.BIDS
        self._width = BID_WIDTH if self._is_bids else ASK_WIDTH
        self._prepare: Callable[[Digest], Prepared] = prepare
        self._prepared: dict[int, Prepared] = {}
        self._paths: Paths | None = None
        self.orders: list[Digest] = []
        self._fresh: list[bytes] = []
        for order, row in entries:
            self.append(order, row)
        self._columns = unpack((), self._width)

    def append(self, order: Digest, row: bytes) -> None:
        """Add an order."""
        self.orders.append(order)
        self._fresh.append(row)

    def columns(self) -> Integers:
        """Return all rows, a line for each field."""
        if self._fresh:
            fresh = unpack(self._fresh, self._width)
            self._columns = np.concatenate([self._columns, fresh], axis=1)
            self._fresh = []
        return self._columns

    def paths(self) -> Paths:
        """Return the price paths of all orders, worked out when first asked for."""
        columns = self.columns()
        known = 0 if self._paths is None else self._paths.admitted.size
        if known < len(self.orders):
            added = self._climb(columns, known)
            self._paths = added if self._paths is None else self._paths.joined(added)
        if self._paths is None:
            raise AssertionError("a side without orders has no paths")
        return self._paths

    def _climb(self, columns: Integers, known: int) -> Paths:
        if len(self.orders) - known <= CLIMBED_ALONE:
            return paths_of([self.prepared(row).path for row in range(known, len(self.orders))])
        fresh = columns[:, known:]
        fields = (fresh[ADMITTED], fresh[EXPIRES], fresh[OPENING], fresh[STEP])
        return climbed(*fields, rising=self._is_bids)

    def prepared(self, row: int) -> Prepared:
        """Return the order of a row as `auction.pairing` takes it."""
        if row not in self._prepared:
            self._prepared[row] = self._prepare(self.orders[row])
        return self._prepared[row]
