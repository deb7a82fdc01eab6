"""Documents of books: demand and supply as they stand, and what the coming round would do.

Pure reads, as in `auction/views.py`.  Orders under different versions of a broker's tariff never
meet, nor do those of different classes, so each has curves of its own: the version in force first,
then former ones with open orders, the newest first.  A curve is a list of steps [price, orders at
that price or better], bids by falling and asks by rising price.  Cost functions are shown for the
service of the middle bid of their version.
"""

from collections.abc import Sequence

from auction import brokers as brokerage
from auction import keys
from auction.class_views import class_prices, class_service
from auction.mcafee import standing_class
from auction.orders import live_versions, side_counts
from auction.price_views import Priced, Service, middle_of, priced, worth_of
from auction.views import Document
from ledger.state import View
from ledger.types import Address

CURVE_ORDERS = 1_000
"""Orders on a side of a broker up to which the curves of a round are kept."""

CURVE_STEPS = 200
"""Steps of a kept curve; of a longer one every so many are left out, never the last."""

Curve = list[list[int]]

Part = tuple[int, int]
"""Orders that may meet: the tariff version, and the class counted from 1, 0 without classes."""


def depth(view: View, address: Address, height: int) -> Document | None:
    """Return the curves of a broker in the round of `height`, None without the broker.

    Those of the tariff in force (of its first class) on top, all others under `others`.
    """
    record = brokerage.read_broker(view, address)
    if record is None:
        return None
    broker = bytes.fromhex(address)
    first, *others = [
        _part_document(view, broker, record, part, height) for part in parts(view, broker, record)
    ]
    return {"broker": address, "height": height, **first, "others": others}


def parts(view: View, broker: bytes, record: brokerage.Broker) -> list[Part]:
    """Return the versions and classes a broker's orders stand in, those in force first."""
    former = [version for version in live_versions(view, broker) if version != record.version]
    found: list[Part] = []
    for version in (record.version, *reversed(former)):
        classes = len(record.tariff_of(version).classes)
        found += [(version, number) for number in range(1, classes + 1)] or [(version, 0)]
    return found


def _part_document(
    view: View, broker: bytes, record: brokerage.Broker, part: Part, height: int
) -> Document:
    service, demand, supply = _prices(view, broker, record, part, height)
    crossing = sum(1 for high, low in zip(demand, supply, strict=False) if high >= low)
    if record.status == "suspended":
        crossing = 0  # its orders are being closed: none will meet
    return {
        "tariff": part[0],
        "service_class": part[1],
        "service": service,
        "demand": [{"price_micro": price, "orders": orders} for price, orders in _steps(demand)],
        "supply": [{"price_micro": price, "orders": orders} for price, orders in _steps(supply)],
        "crossing": crossing,
    }


def curves(
    view: View, broker: bytes, record: brokerage.Broker, part: Part, height: int
) -> Document:
    """Return the curves of a round as they are kept with its block; empty for a very deep book.

    Of long curves `thinned` steps are left out between two that are kept.
    """
    demand: Sequence[int] = ()
    supply: Sequence[int] = ()
    if max(side_counts(view, broker)) <= CURVE_ORDERS:
        _, demand, supply = _prices(view, broker, record, part, height)
    bids, asks = _steps(demand), _steps(supply)
    every = max(1, -(-max(len(bids), len(asks)) // CURVE_STEPS))
    return {"demand": _thin(bids, every), "supply": _thin(asks, every), "thinned": every - 1}


def _thin(steps: Curve, every: int) -> Curve:
    kept = steps[every - 1 :: every]
    return kept if not steps or kept[-1:] == steps[-1:] else [*kept, steps[-1]]


def _prices(
    view: View, broker: bytes, record: brokerage.Broker, part: Part, height: int
) -> tuple[Document, list[int], list[int]]:
    """Return the service asks are valued for, bids by falling and asks by rising price."""
    version, service_class = part
    tariff = record.tariff_of(version)
    if service_class:
        live = standing_class(view, (broker, version, service_class - 1), tariff)
        return class_service(tariff, service_class - 1), *class_prices(live)
    bids = _orders(view, broker + keys.BIDS, version)
    asks = _orders(view, broker + keys.ASKS, version)
    service = middle_of([one for _, one in bids])

    def price(order: tuple[bytes, Priced]) -> int:
        stored, one = order
        return one.price(worth_of(stored, service), tariff, height)

    shown = _service_document(service)
    return shown, sorted(map(price, bids), reverse=True), sorted(map(price, asks))


def _orders(view: View, side: bytes, version: int) -> list[tuple[bytes, Priced]]:
    found = ((stored, priced(stored)) for _, stored in view.scan(keys.BOOK + side))
    return [(stored, one) for stored, one in found if one.entry.tariff == version]


def _service_document(service: Service) -> Document:
    names = ("theta_milli", "service_blocks", "interval_blocks")
    return dict(zip(names, service, strict=True))


def _steps(prices: Sequence[int]) -> Curve:
    steps: Curve = []
    for count, price in enumerate(prices, start=1):
        if steps and steps[-1][0] == price:
            steps[-1][1] = count
        else:
            steps.append([price, count])
    return steps
