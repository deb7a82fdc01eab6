"""Documents of single orders: their terms, the path of their price, and why they have not traded.

Pure reads, as in `auction/views.py`.  An order that closed is told from its transactions.
"""

from collections.abc import Iterator, Sequence

from msgspec.structs import replace

from auction import brokers as brokerage
from auction import keys
from auction.actions import Ask, Bid, BidPrice, Reprice, price_fields
from auction.classes import class_of
from auction.edges import Edge, read_edges
from auction.orders import (
    OpenOrder,
    Side,
    decode_order,
    order_id,
    read_order,
)
from auction.price_views import Priced, Service, middle_service, path_document, service_of, worth_of
from auction.unmatched import FROZEN, why_unmatched
from auction.valuation import value_of_service
from auction.views import Document, plain
from ledger.state import View
from ledger.transactions import Transaction
from ledger.types import Address, Digest


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
                path = path_document(Priced(entry), worth, tariff, height, whole=False)
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
        "path": path_document(Priced(entry), worth, tariff, height, whole=True),
        "valued_for": partner,
        "pairs": [_edge_document(edge) for edge in edges],
        "unmatched": FROZEN
        if record.status == "suspended"
        else why_unmatched(view, tariff, (identity, entry), edges, height),
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
        return first.other.hex(), Priced(entry).worth(service_of(theirs))
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
    path = path_document(one, worth, tariff, end, whole=True)
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
