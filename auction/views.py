"""What anyone can ask of the market: documents of state for the API and the explorer.

Pure reads.  A document holds strings, integers, booleans, lists and objects only, money in
micro-tokens.  Open orders and agreements come from the state; what has closed lives in the events.
`height` is that of the next round: the committed height plus one.

Orders are in `auction/order_views.py`, curves and the coming round in `auction/book_views.py`, past
rounds in `auction/round_views.py`.
"""

from collections.abc import Iterator, Mapping

import msgspec

from auction import agreements as contracts
from auction import brokers as brokerage
from auction.orders import committed_resources, side_counts
from auction.parameters import market_parameters
from auction.records import service_record
from ledger.state import View
from ledger.types import Address, Digest

Document = dict[str, object]


def parameters(view: View) -> Document:
    """Return the market's parameters."""
    return plain(market_parameters(view))


def brokers(view: View) -> Iterator[Document]:
    """Yield every broker, in ascending order of address."""
    for address, record in brokerage.brokers(view):
        yield _broker_document(view, address, record)


def broker(view: View, address: Address) -> Document | None:
    """Return one broker, None for an account that is none."""
    record = brokerage.read_broker(view, address)
    return None if record is None else _broker_document(view, address, record)


def _broker_document(view: View, address: Address, record: brokerage.Broker) -> Document:
    bids, asks = side_counts(view, bytes.fromhex(address))
    return {"address": address, **plain(record), "open_bids": bids, "open_asks": asks}


def agreements(
    view: View, *, buyer: Address | None = None, seller: Address | None = None
) -> Iterator[Document]:
    """Yield agreements that run or may still be rated, by id."""
    for agreement_id, record in contracts.agreements(view):
        if buyer in (None, record.buyer) and seller in (None, record.seller):
            yield _agreement_document(agreement_id, record)


def agreement(view: View, agreement_hex: str) -> Document | None:
    """Return one agreement, None when there is none or its rating window has closed."""
    agreement_id = bytes.fromhex(agreement_hex)
    record = contracts.read_agreement(view, agreement_id)
    return None if record is None else _agreement_document(agreement_id, record)


def _agreement_document(agreement_id: Digest, record: contracts.Agreement) -> Document:
    return {"id": agreement_id.hex(), **plain(record)}


def committed(view: View, seller: Address) -> Document:
    """Return what a server has in open asks and running agreements."""
    return plain(committed_resources(view, seller))


def server_record(view: View, address: Address) -> Document:
    """Return what a server has served, been paid and been rated, all zeros if it never served.

    Sums that may pass 2^53 are decimal strings; `mean_rating_bp` is 0 before any paid rating.
    """
    record = service_record(view, address)
    return {
        "served": record.served,
        "cut_short": record.cut_short,
        "paid_micro": str(record.paid_micro),
        "ratings": record.ratings,
        "rated_micro": str(record.rated_micro),
        "mean_rating_bp": record.mean_rating_bp,
    }


def plain(record: msgspec.Struct) -> Document:
    """Return a record as a document."""
    plain: Document = msgspec.json.decode(msgspec.json.encode(record))
    return plain


def integer(data: Mapping[str, object], name: str) -> int:
    """Return a field that is an integer, 0 where it is not."""
    value = data.get(name)
    return value if isinstance(value, int) else 0
