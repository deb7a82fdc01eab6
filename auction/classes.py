"""Classes of equal services: which order of a `mcafee` book stands in which, and how it gets there.

A broker under `mcafee` lists its classes in its tariff, before any bid.  A bid stands in the class
whose service it asks for, field by field.  An ask stands in the class whose service time is the
longest it offers and whose least resource is the greatest its slot reaches; so it can serve every
bid of its class, and is compared with nobody outside it.  Prices are single numbers there: a flat
limit or floor, open at once.  An account holds one order in such a book at a time, because trade
reduction is truthful for those who want one thing.

A class is cleared when something in it changed: who joins or leaves marks it for the next round.
"""

from auction import keys
from auction.actions import Ask, Bid, FlatFloor, FlatLimit
from auction.brokers import Tariff, read_broker
from auction.orders import OpenOrder, side_byte
from ledger.errors import Corrupt, Reason, Rejected
from ledger.state import Overlay
from ledger.types import PPM, Digest


def class_of(tariff: Tariff, terms: Bid | Ask, resource: int) -> int | None:
    """Return the number of the class an order stands in, None for none.

    `resource` is the comprehensive resource of an ask; it does not count for a bid.
    """
    found = None
    for number, kind in enumerate(tariff.classes):
        if isinstance(terms, Bid):
            wanted = (terms.service_blocks, terms.interval_blocks, terms.theta_milli)
            offered = (kind.service_blocks, kind.interval_blocks, kind.theta_milli)
            if (*wanted, terms.least_resource) == (*offered, kind.least_resource):
                return number
        elif kind.service_blocks == terms.longest_blocks and kind.least_resource <= resource:
            found = number
    return found


def require_class(tariff: Tariff, terms: Bid | Ask, resource: int, others: int) -> None:
    """Refuse what a `mcafee` book cannot hold; other books hold anything.

    `others` counts what else the owner has open with this broker.  Raises UNFIT_FOR_CLASS.
    """
    if tariff.pricing != "mcafee":
        return
    price = terms.valuation if isinstance(terms, Bid) else terms.cost
    if not isinstance(price, FlatLimit | FlatFloor):
        raise Rejected(Reason.UNFIT_FOR_CLASS, "this book takes a flat limit or floor only")
    if terms.open_ppm != PPM:
        raise Rejected(Reason.UNFIT_FOR_CLASS, "this book has no price ladder: open at 1000000 ppm")
    if others:
        raise Rejected(Reason.UNFIT_FOR_CLASS, "one open order of an account in this book")
    if class_of(tariff, terms, resource) is None:
        raise Rejected(Reason.UNFIT_FOR_CLASS, "no class of this book has this service")


def price_of_order(terms: Bid | Ask) -> int:
    """Return the limit or floor of an order that a class took, micro-tokens."""
    price = terms.valuation if isinstance(terms, Bid) else terms.cost
    if isinstance(price, FlatLimit):
        return price.limit_micro
    if isinstance(price, FlatFloor):
        return price.floor_micro
    raise Corrupt("an order without a flat price stands in a class")


class ClassBook:
    """How orders join the classes of one book at the end of a block; see `auction.admission`."""

    def __init__(self, overlay: Overlay, tariff: Tariff, next_round: int) -> None:
        self.overlay, self.tariff, self.next_round = overlay, tariff, next_round

    def work_against(self, _record: OpenOrder) -> int:
        """Return the work of one arrival, in pairs: it is compared with nobody yet."""
        return 1

    def join(self, order: Digest, record: OpenOrder) -> None:
        """Take an order into its class."""
        place = _place(self.tariff, record)
        if place is None:
            raise Corrupt(f"order {order.hex()} stands in no class of its book")
        price = price_of_order(record.terms).to_bytes(8, "big")
        self.overlay.put(keys.CLASS + place + side_byte(record) + order, price)
        mark(self.overlay, place, self.next_round)

    def keep_heaviest(self, _order: Digest, _record: OpenOrder) -> None:
        """Keep no pair: everybody in a class fits everybody."""


def leave_class(overlay: Overlay, order: Digest, record: OpenOrder, next_round: int) -> None:
    """Take an order out of its class, if it stands in one."""
    broker = read_broker(overlay, record.terms.broker)
    if broker is None:
        raise Corrupt(f"an open order names {record.terms.broker}, which is no broker")
    tariff = broker.tariff_of(record.tariff)
    place = _place(tariff, record) if tariff.pricing == "mcafee" and record.admitted else None
    if place is not None:
        overlay.delete(keys.CLASS + place + side_byte(record) + order)
        mark(overlay, place, next_round)


def mark(overlay: Overlay, place: bytes, next_round: int) -> None:
    """Have a class, given by book and number, looked at in a round."""
    overlay.put(keys.at_height(keys.CLASS_DUE, next_round) + place, keys.PRESENT)


def _place(tariff: Tariff, record: OpenOrder) -> bytes | None:
    number = class_of(tariff, record.terms, record.resource)
    return None if number is None else record.book + bytes((number,))
