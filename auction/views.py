"""What anyone can ask of the market: documents of state and events for the API and the explorer.

Pure reads.  A document holds strings, integers, booleans, lists and objects only, money in
micro-tokens.  Open orders and agreements come from the state; what has closed lives in the events.
`height` is that of the next round: the committed height plus one.
"""

from collections.abc import Iterator, Sequence

import msgspec

from auction import agreements as contracts
from auction import brokers as brokerage
from auction import keys
from auction.actions import Bid
from auction.classes import class_of
from auction.edges import Edge, read_edges
from auction.fixed import FRACTION_BITS
from auction.mcafee import SealedClass
from auction.orders import (
    OpenOrder,
    Side,
    committed_resources,
    orders_of_side,
    read_order,
    side_counts,
)
from auction.pairing import path_of
from auction.parameters import market_parameters
from auction.pricing import Path, ask_price, bid_price, factor_at
from auction.records import service_record
from auction.sealed import SealedBook, decode_clearing
from auction.valuation import cost_of_service, value_of_service
from ledger.state import Event, View
from ledger.types import Address, Digest

Document = dict[str, object]

_REFERENCE_SERVICE = (1_000, 1, 1)
"""Theta, T and f at which a cost function is shown when its book holds no bid."""

PATH_PREVIEW_ROUNDS = 12
"""Rounds of the path ahead that an order's document lists."""


def parameters(view: View) -> Document:
    """Return the market's parameters."""
    return _plain(market_parameters(view))


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
    return {"address": address, **_plain(record), "open_bids": bids, "open_asks": asks}


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
        record = brokerage.read_broker(view, address)
        if record is None:
            continue
        for side_key in sides:
            for order_id, entry in orders_of_side(view, bytes.fromhex(address), side_key):
                if owner is None or entry.owner == owner:
                    yield _order_document(order_id, entry, record, height)


def order(view: View, order_hex: str, height: int) -> Document | None:
    """Return one open order with its pairs and why it has not traded; None if it is not open."""
    order_id = bytes.fromhex(order_hex)
    entry = read_order(view, order_id)
    if entry is None:
        return None
    record = brokerage.read_broker(view, entry.terms.broker)
    if record is None:
        return None
    edges = read_edges(view, order_id)
    document = _order_document(order_id, entry, record, height)
    document["pairs"] = [_edge_document(edge) for edge in edges]
    tariff = record.tariff_of(entry.tariff)
    document["unmatched"] = _unmatched(view, tariff, entry, edges, height)
    return document


def _unmatched(
    view: View,
    tariff: brokerage.Tariff,
    entry: OpenOrder,
    edges: Sequence[Edge],
    height: int,
) -> Document:
    """Say why an open order has not traded, as far as the state tells."""
    if not entry.admitted:
        return {"reason": "waiting", "hint": "it joins the book when the block closes"}
    bids, asks = side_counts(view, bytes.fromhex(entry.terms.broker))
    if not (asks if entry.side == "bid" else bids):
        return {"reason": "other_side_empty", "hint": "nobody on the other side of this book"}
    if class_of(tariff, entry.terms, entry.resource) is not None:
        return {
            "reason": "outside_class_price",
            "hint": "its class has not enough orders yet, or trades at a price it does not meet",
        }
    if not edges:
        return {
            "reason": "no_partner",
            "hint": "no open order of the other side fits, or all that fit prefer others",
        }
    first = min(edge.due for edge in edges)
    if first < height:
        return {"reason": "deferred", "hint": "the round of its book was deferred"}
    return {"reason": "prices_apart", "hint": "prices cross at this height", "height": first}


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
    order_id: Digest,
    entry: OpenOrder,
    record: brokerage.Broker,
    height: int,
) -> Document:
    document: Document = {
        "id": order_id.hex(),
        "side": entry.side,
        "status": "open" if entry.admitted else "waiting",
        "owner": entry.owner,
        "broker": entry.terms.broker,
        "tariff": entry.tariff,
        "submitted": entry.submitted,
        "admitted": entry.admitted,
        "expires": entry.terms.expires,
        "reserved_micro": entry.reserved_micro,
        "resource": entry.resource if entry.side == "ask" else 0,
        "terms": _plain(entry.terms),
    }
    path = path_of(entry)
    tariff = record.tariff_of(entry.tariff)
    document["path"] = _path_document(entry, path, tariff, height)
    return document


def _path_document(
    entry: OpenOrder,
    path: Path,
    tariff: brokerage.Tariff,
    height: int,
) -> Document:
    """Show where a price stands, where it opened, and where it goes while nobody takes it."""
    start = path.admitted or height
    moving = Path(start, path.expires, path.ladder)
    now = max(start, height)
    worth = _worth(entry, _REFERENCE_SERVICE)
    ahead = range(now, min(path.expires, now + PATH_PREVIEW_ROUNDS) + 1)
    return {
        "worth_micro": worth,
        "opening_micro": _price(entry, worth, moving, tariff, start),
        "now_micro": _price(entry, worth, moving, tariff, now),
        "next_micro": _price(entry, worth, moving, tariff, now + 1),
        "factor_ppm": factor_at(moving, now) >> FRACTION_BITS,
        "settles": start + len(path.ladder) - 1,
        "ahead": [_price(entry, worth, moving, tariff, at) for at in ahead],
    }


def _worth(entry: OpenOrder, service: tuple[int, int, int]) -> int:
    """Return the reservation shown: a bid's at the largest resource, an ask's for `service`."""
    terms = entry.terms
    if isinstance(terms, Bid):
        return value_of_service(terms, entry.resource, entry.resource)
    return cost_of_service(terms.cost, *service) or 0


def _price(entry: OpenOrder, worth: int, path: Path, tariff: brokerage.Tariff, at: int) -> int:
    if isinstance(entry.terms, Bid):
        return bid_price(worth, worth - brokerage.buyer_fee(tariff, 1), path, at)
    return ask_price(worth, worth + brokerage.seller_fee(tariff, 1), path, at)


def depth(view: View, address: Address, height: int) -> Document | None:
    """Return the demand and supply curves of a book at the next round, None without the broker.

    Each curve is a list of steps (price, orders at that price or better).  Cost functions are
    shown for the service of the middle bid of the book.
    """
    record = brokerage.read_broker(view, address)
    if record is None:
        return None
    book = bytes.fromhex(address)
    bids = [entry for _, entry in orders_of_side(view, book, keys.BIDS)]
    asks = [entry for _, entry in orders_of_side(view, book, keys.ASKS)]
    service = _middle_service(bids)

    def price(entry: OpenOrder) -> int:
        path = path_of(entry)
        moving = Path(path.admitted or height, path.expires, path.ladder)
        at = max(height, moving.admitted)
        tariff = record.tariff_of(entry.tariff)
        return _price(entry, _worth(entry, service), moving, tariff, at)

    demand = sorted((price(entry) for entry in bids), reverse=True)
    supply = sorted(price(entry) for entry in asks)
    crossing = sum(1 for high, low in zip(demand, supply, strict=False) if high >= low)
    return {
        "broker": address,
        "height": height,
        "service": {
            "theta_milli": service[0],
            "service_blocks": service[1],
            "interval_blocks": service[2],
        },
        "demand": _steps(demand),
        "supply": _steps(supply),
        "crossing": crossing,
    }


def _middle_service(bids: Sequence[OpenOrder]) -> tuple[int, int, int]:
    services = sorted(
        (entry.terms.theta_milli, entry.terms.service_blocks, entry.terms.interval_blocks)
        for entry in bids
        if isinstance(entry.terms, Bid)
    )
    return services[len(services) // 2] if services else _REFERENCE_SERVICE


def _steps(prices: Sequence[int]) -> list[Document]:
    steps: list[Document] = []
    for count, price in enumerate(prices, start=1):
        if steps and steps[-1]["price_micro"] == price:
            steps[-1]["orders"] = count
        else:
            steps.append({"price_micro": price, "orders": count})
    return steps


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
    return {"id": agreement_id.hex(), **_plain(record)}


def committed(view: View, seller: Address) -> Document:
    """Return what a server has in open asks and running agreements."""
    return _plain(committed_resources(view, seller))


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


def round_document(sealed: bytes, events: Sequence[Event]) -> Document:
    """Return what a block's round did: per book and class its pairs, prices, labels and totals.

    `sealed` and `events` are those of one block.
    """
    trades = {event.data["bid"]: event.data for event in events if event.kind == "trade.made"}
    summaries = {
        (event.data["broker"], event.data["tariff"], event.data["service_class"]): event.data
        for event in events
        if event.kind == "round.cleared"
    }
    clearing = decode_clearing(sealed)
    found: dict[str, list[Document]] = {"books": [], "classes": []}
    parts: list[tuple[str, SealedBook | SealedClass, int]]
    parts = [("books", part, 0) for part in clearing.books]
    parts += [("classes", part, part.number + 1) for part in clearing.classes]
    for where, part, service_class in parts:
        made = [trades[pair.bid] for pair in part.pairs if pair.bid in trades]
        found[where].append(
            {
                **summaries.get((part.broker, part.tariff, service_class), {}),
                **_plain(part),
                "pairs": [{**_plain(pair), **trades.get(pair.bid, {})} for pair in part.pairs],
                "totals": {
                    name: sum(value for trade in made if isinstance(value := trade[name], int))
                    for name in _TOTALS
                },
            }
        )
    return {**found}


_TOTALS = (
    "paid_micro",
    "received_micro",
    "broker_micro",
    "fee_micro",
    "value_micro",
    "cost_micro",
    "weight_micro",
)


def _plain(record: msgspec.Struct) -> Document:
    plain: Document = msgspec.json.decode(msgspec.json.encode(record))
    return plain
