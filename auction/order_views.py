"""Documents of single orders: their terms, the path of their price, and why they have not traded.

Pure reads, as in `auction/views.py`.  The path of a price follows from the order and its own
version of the tariff alone, so it can be told for an order that closed long ago as well.
"""

from collections.abc import Iterator, Sequence
from functools import lru_cache

from msgspec.structs import replace

from auction import brokers as brokerage
from auction import keys
from auction.actions import Ask, Bid, BidPrice, Reprice, price_fields
from auction.class_views import why_open
from auction.classes import class_of
from auction.edges import Edge, read_edges
from auction.fixed import FRACTION_BITS
from auction.halvings import last_deferral
from auction.mcafee import standing_class
from auction.orders import (
    QUEUE_COUNTED,
    OpenOrder,
    Side,
    decode_order,
    live_versions,
    order_id,
    queue_place,
    read_order,
    side_counts,
)
from auction.pairing import path_of
from auction.pricing import Path, ask_price, bid_price, factor_at
from auction.valuation import cost_of_service, value_of_service
from auction.views import Document, plain
from ledger.state import View
from ledger.transactions import Transaction
from ledger.types import Address, Digest

Service = tuple[int, int, int]
"""Theta, T and f: what a cost function is valued for."""

REFERENCE_SERVICE: Service = (1_000, 1, 1)
"""The service at which a cost function is shown where no bid says another."""

LISTED_ROUNDS = 12
"""Rounds of the path ahead that an order's document lists in a list of orders."""

SHOWN_ROUNDS = 1_024
"""Rounds behind and ahead that the document of one order lists."""


_FROZEN: Document = {
    "reason": "broker_suspended",
    "hint": "its broker was suspended: it is closed soon and gets everything back",
}


def orders(
    view: View,
    *,
    height: int,
    side: Side | None = None,
    broker: Address | None = None,
    owner: Address | None = None,
) -> Iterator[Document]:
    """Yield open orders by broker, side (bids first within a book) and id."""
    addresses = [address for address, _ in brokerage.brokers(view)] if broker is None else [broker]
    sides = {"bid": (keys.BIDS,), "ask": (keys.ASKS,), None: (keys.BIDS, keys.ASKS)}[side]
    for address in addresses:
        services: dict[int, Service] = {}
        for side_key in sides:
            # Read with the side it is for: a reader may take rows while blocks go by.
            record = brokerage.read_broker(view, address)
            if record is None:
                break
            prefix = keys.BOOK + bytes.fromhex(address) + side_key
            for key, stored in view.scan(prefix):
                entry = decode_order(stored)
                if owner is not None and entry.owner != owner:
                    continue
                version, identity = entry.tariff, key[len(prefix) :]
                if version not in services:
                    services[version] = middle_service(view, bytes.fromhex(address), version)
                tariff = record.tariff_of(version)
                worth = worth_of(stored, services[version])
                path = _path_document(Priced(entry), worth, tariff, height, whole=False)
                yield {**_order_document(identity, entry, tariff), "path": path}


def order(view: View, order_hex: str, height: int) -> Document | None:
    """Return one open order with its whole path, its pairs and why it has not traded, or None."""
    identity = bytes.fromhex(order_hex)
    entry = read_order(view, identity)
    if entry is None:
        return None
    record = brokerage.read_broker(view, entry.terms.broker)
    if record is None:
        return None
    edges = read_edges(view, identity)
    partner, worth = _first_partner(view, entry, edges)
    tariff = record.tariff_of(entry.tariff)
    return {
        **_order_document(identity, entry, tariff),
        "path": _path_document(Priced(entry), worth, tariff, height, whole=True),
        "valued_for": partner,
        "pairs": [_edge_document(edge) for edge in edges],
        "unmatched": _FROZEN
        if record.status == "suspended"
        else _unmatched(view, tariff, (identity, entry), edges, height),
    }


def _first_partner(view: View, entry: OpenOrder, edges: Sequence[Edge]) -> tuple[str, int]:
    """Return the partner an order meets first and what it is worth with it.

    Without a partner: "", and the reservation for the largest resource or the middle service.
    """
    first = min(edges, key=lambda edge: (edge.due, -edge.weight), default=None)
    other = None if first is None else read_order(view, first.other)
    if first is None or other is None:
        service = middle_service(view, bytes.fromhex(entry.terms.broker), entry.tariff)
        return "", Priced(entry).worth(service)
    terms, theirs = entry.terms, other.terms
    if isinstance(terms, Bid):
        return first.other.hex(), value_of_service(terms, other.resource, entry.resource)
    if isinstance(theirs, Bid):
        return first.other.hex(), Priced(entry).worth(_service(theirs))
    return "", Priced(entry).worth()


def is_open(view: View, order_hex: str) -> bool:
    """Say whether an order is open."""
    return view.get(keys.ORDER + bytes.fromhex(order_hex)) is not None


def closed_order(
    view: View, told: Sequence[Transaction], closing: Document, worth: int | None
) -> Document | None:
    """Return an order that has closed, as it was: its terms and the path its price took.

    `closing` is what its closing event told with `closed_height`, `told` the transactions that may
    have opened or repriced it, oldest first, `worth` what it was worth with the partner it got.
    The path is that of its last price, under its own version of the tariff; it is left out where
    the broker has forgotten that version.  None where no transaction opened such an order.
    """
    terms = _last_terms(str(closing["order"]), str(closing["owner"]), told)
    record = None if terms is None else brokerage.read_broker(view, terms.broker)
    if terms is None or record is None:
        return None
    names = ("submitted", "admitted", "resource", "tariff", "closed_height")
    numbers = [value if isinstance(value := closing.get(name), int) else 0 for name in names]
    submitted, admitted, resource, version, end = numbers
    entry = OpenOrder(
        owner=str(closing["owner"]),
        submitted=submitted,
        admitted=admitted,
        reserved_micro=0,
        tariff=version,
        resource=resource,
        terms=terms,
    )
    identity = bytes.fromhex(str(closing["order"]))
    if not record.remembers(version):
        return {**closing, **_order_document(identity, entry, None), "status": "closed"}
    one, tariff = Priced(entry), record.tariff_of(version)
    if worth is None:
        worth = one.worth(middle_service(view, bytes.fromhex(terms.broker), version))
    path = _path_document(one, worth, tariff, end, whole=True)
    return {
        **closing,
        **_order_document(identity, entry, tariff),
        "path": path,
        "status": "closed",
    }


def _last_terms(order: str, owner: Address, told: Sequence[Transaction]) -> Bid | Ask | None:
    """Return the terms an order had last, None without the transaction that opened it."""
    terms: Bid | Ask | None = None
    for transaction in told:
        for index, action in enumerate(transaction.envelope.actions):
            if isinstance(action, Bid | Ask):
                if order_id(transaction.id, index).hex() == order:
                    terms = action
            elif isinstance(action, Reprice) and terms is not None and action.order == order:
                own = transaction.envelope.from_ == owner
                if own and isinstance(terms, Bid) == isinstance(action.price, BidPrice):
                    terms = replace(terms, **price_fields(action.price))
    return terms


def _unmatched(
    view: View,
    tariff: brokerage.Tariff,
    order: tuple[Digest, OpenOrder],
    edges: Sequence[Edge],
    height: int,
) -> Document:
    """Say why an open order has not traded, as far as the state tells."""
    identity, entry = order
    if not entry.admitted:
        ahead = queue_place(view, identity, entry)
        many = f"{QUEUE_COUNTED} or more" if ahead == QUEUE_COUNTED else str(ahead)
        hint = f"behind {many} orders in the queue" if ahead else "it joins in the next block"
        return {"reason": "waiting", "hint": hint, "ahead": ahead}
    kind = class_of(tariff, entry.terms, entry.resource)
    if kind is not None:
        place = (bytes.fromhex(entry.terms.broker), entry.tariff, kind)
        stored = entry.book + bytes((kind,))
        if entry.admitted < height - 1 and last_deferral(view, stored) == height - 1:
            return {"reason": "deferred", "hint": "the round of its class was deferred"}
        return why_open(view, identity, standing_class(view, place, tariff), height)
    if not _faced(view, entry):
        return {"reason": "other_side_empty", "hint": "nobody on the other side of this book"}
    if not edges:
        return {
            "reason": "no_partner",
            "hint": "no open order of the other side fits, or all that fit prefer others",
        }
    first = min(edge.due for edge in edges)
    if first < height and last_deferral(view, entry.book) == height - 1:
        return {"reason": "deferred", "hint": "the round of its book was deferred"}
    if first < height:
        hint = "its round called only some of the bids that were due"
        return {"reason": "not_called", "hint": hint}
    return {"reason": "prices_apart", "hint": "prices cross at this height", "height": first}


def _faced(view: View, entry: OpenOrder) -> bool:
    """Say whether the other side of the order's book, of its own tariff version, has any order."""
    broker = bytes.fromhex(entry.terms.broker)
    bids, asks = side_counts(view, broker)
    if not (asks if entry.side == "bid" else bids):
        return False
    if live_versions(view, broker) == (entry.tariff,):
        return True
    side = keys.ASKS if entry.side == "bid" else keys.BIDS
    others = view.scan(keys.BOOK + broker + side)
    return any(priced(stored).entry.tariff == entry.tariff for _, stored in others)


def _edge_document(edge: Edge) -> Document:
    return {
        "order": edge.other.hex(),
        "weight_micro": edge.weight,
        "crosses": edge.due,
        "bid_micro": edge.bid,
        "ask_micro": edge.ask,
        "rounds": edge.rounds,
    }


def _order_document(
    identity: Digest, entry: OpenOrder, tariff: brokerage.Tariff | None
) -> Document:
    """`service_class` counts the classes of a `mcafee` tariff from 1, 0 under any other rule."""
    kind = None if tariff is None else class_of(tariff, entry.terms, entry.resource)
    return {
        "id": identity.hex(),
        "side": entry.side,
        "status": "open" if entry.admitted else "waiting",
        "owner": entry.owner,
        "broker": entry.terms.broker,
        "tariff": entry.tariff,
        "service_class": 0 if kind is None else kind + 1,
        "submitted": entry.submitted,
        "admitted": entry.admitted,
        "expires": entry.terms.expires,
        "reserved_micro": entry.reserved_micro,
        "resource": entry.resource if entry.side == "ask" else 0,
        "terms": plain(entry.terms),
    }


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
    services = sorted(_service(terms) for one in bids if isinstance(terms := one.entry.terms, Bid))
    return services[len(services) // 2] if services else REFERENCE_SERVICE


def _service(bid: Bid) -> Service:
    return (bid.theta_milli, bid.service_blocks, bid.interval_blocks)


def _path_document(
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
