"""How the price of an order is shown: what it is worth, where it stands, where it goes.

The path of a price follows from the order and its own version of the tariff alone, so it can be
told for an order that closed long ago as well.
"""

from collections.abc import Sequence
from functools import lru_cache

from auction import brokers as brokerage
from auction import keys
from auction.actions import Bid
from auction.fixed import FRACTION_BITS
from auction.orders import (
    OpenOrder,
    decode_order,
)
from auction.pairing import path_of
from auction.pricing import Path, ask_price, bid_price, factor_at
from auction.valuation import cost_of_service, value_of_service
from auction.views import Document
from ledger.state import View

Service = tuple[int, int, int]
"""Theta, T and f: what a cost function is valued for."""

REFERENCE_SERVICE: Service = (1_000, 1, 1)
"""The service at which a cost function is shown where no bid says another."""

LISTED_ROUNDS = 12
"""Rounds of the path ahead that an order's document lists in a list of orders."""

SHOWN_ROUNDS = 1_024
"""Rounds behind and ahead that the document of one order lists."""


class Priced:
    """An order with what its price needs: how it moves, and its worth for a service."""

    __slots__ = ("entry", "path")

    def __init__(self, entry: OpenOrder) -> None:
        self.entry, self.path = entry, path_of(entry)

    def worth(self, service: Service = REFERENCE_SERVICE) -> int:
        """Return the reservation: a bid's at the largest resource, an ask's for `service`."""
        terms = self.entry.terms
        if isinstance(terms, Bid):
            return value_of_service(terms, self.entry.resource, self.entry.resource)
        return cost_of_service(terms.cost, *service) or 0

    def price(self, worth: int, tariff: brokerage.Tariff, at: int) -> int:
        """Return the price at a height; before the admission, as if it were admitted then.

        Where weights are `surplus` no price moves: orders meet at their reservations, own fee off.
        """
        path = self.path
        if not path.admitted or at < path.admitted:
            path = Path(at, path.expires, path.ladder)
        moves = tariff.weights == "spread"
        if isinstance(self.entry.terms, Bid):
            cap = worth - brokerage.buyer_fee(tariff, 1)
            return bid_price(worth, cap, path, at) if moves else cap
        floor = worth + brokerage.seller_fee(tariff, 1)
        return ask_price(worth, floor, path, at) if moves else floor


@lru_cache(maxsize=32_768)
def priced(stored: bytes) -> Priced:
    """Return the order of stored bytes, prepared once: books are drawn after every block."""
    return Priced(decode_order(stored))


@lru_cache(maxsize=32_768)
def worth_of(stored: bytes, service: Service) -> int:
    """Return the reservation of the order of stored bytes for a service, worked out once."""
    return priced(stored).worth(service)


def middle_service(view: View, broker: bytes, version: int) -> Service:
    """Return the service of the middle bid of a book: what its asks are shown for."""
    found = (priced(stored) for _, stored in view.scan(keys.BOOK + broker + keys.BIDS))
    return middle_of([one for one in found if one.entry.tariff == version])


def middle_of(bids: Sequence[Priced]) -> Service:
    """Return the service of the middle one of some bids."""
    services = sorted(
        service_of(terms) for one in bids if isinstance(terms := one.entry.terms, Bid)
    )
    return services[len(services) // 2] if services else REFERENCE_SERVICE


def service_of(bid: Bid) -> Service:
    return (bid.theta_milli, bid.service_blocks, bid.interval_blocks)


def path_document(
    one: Priced, worth: int, tariff: brokerage.Tariff, height: int, *, whole: bool
) -> Document:
    """Show where a price stands, where it opened, and where it goes while nobody takes it.

    `ahead` are the prices from the height on: until they settle if `whole`, else a few.  Only a
    whole path has `behind`, the prices from height `from` up to the height before.
    """
    start = one.path.admitted or height
    now, last = max(start, height), one.path.expires
    settles = start + (len(one.path.ladder) - 1 if tariff.weights == "spread" else 0)

    def price(at: int) -> int:
        return one.price(worth, tariff, max(at, start))

    shown = SHOWN_ROUNDS if whole else LISTED_ROUNDS
    reach = max(now, settles) + 1 if whole else now + shown
    document: Document = {
        "worth_micro": worth,
        "opening_micro": price(start),
        "now_micro": price(now),
        "next_micro": price(now + 1),
        "factor_ppm": factor_at(Path(start, last, one.path.ladder), now) >> FRACTION_BITS,
        "settles": settles,
        "ahead": [price(at) for at in range(now, min(last, reach, now + shown) + 1)],
    }
    if whole:
        begin = max(start, now - shown)
        document["from"] = begin
        document["behind"] = [price(at) for at in range(begin, now)]
    return document
