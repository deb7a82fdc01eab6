"""What must hold of the market's tables at the end of every block, found by reading all of them."""

from auction import keys
from auction.book_sides import pack
from auction.brokers import MAX_LIVE_TARIFFS, brokers, read_broker
from auction.classes import class_of, price_of_order
from auction.edges import read_edges
from auction.halvings import MAX_HALVINGS, last_deferral, read_halvings
from auction.orders import (
    OpenOrder,
    decode_order,
    live_versions,
    open_count,
    side_byte,
    side_counts,
)
from auction.parameters import market_parameters
from ledger.state import View


def check_tables(view: View, next_round: int) -> None:
    """Assert that orders, indexes, counts and pairs agree with each other."""
    cap = market_parameters(view).degree_cap
    orders: dict[bytes, OpenOrder] = {}
    for key, stored in view.scan(keys.BOOK):
        place = key[len(keys.BOOK) :]
        order = decode_order(stored)
        orders[place[33:]] = order
        assert view.get(keys.ORDER + place[33:]) == place[:33]
        assert place[:33] == bytes.fromhex(order.terms.broker) + side_byte(order)
        assert order.terms.expires >= next_round
        assert view.get(keys.at_height(keys.EXPIRY, order.terms.expires) + place[33:])
    assert len(list(view.scan(keys.ORDER))) == len(orders)
    assert len(list(view.scan(keys.EXPIRY))) == len(orders)
    _check_indexes(view, orders)
    _check_counts(view, orders)
    _check_books(view, orders, next_round)
    armed = {}
    for order_id, order in orders.items():
        edges = read_edges(view, order_id)
        assert len({edge.other for edge in edges}) == len(edges) <= cap
        assert not edges or order.admitted
        for edge in edges:
            assert edge.other in orders
            (back,) = (e for e in read_edges(view, edge.other) if e.other == order_id)
            assert (back.weight, back.due, back.bid, back.ask, back.rounds) == (
                edge.weight,
                edge.due,
                edge.bid,
                edge.ask,
                edge.rounds,
            )
            assert edge.bid >= edge.ask
            assert edge.weight >= 0
        if order.side == "bid" and edges:
            first = min(edge.due for edge in edges)
            armed[order_id] = int.from_bytes((view.get(keys.EDGE + order_id) or b"")[:8], "big")
            if first >= next_round:
                assert armed[order_id] == first
            else:  # put off, not called, or newly paired; of a frozen book until the order closes
                assert first <= armed[order_id] <= next_round
    due = {
        key[len(keys.DUE) + 8 + keys.BOOK_BYTES :]: int.from_bytes(key[len(keys.DUE) :][:8], "big")
        for key, _ in view.scan(keys.DUE)
    }
    assert due == armed
    late = min((height for height in due.values() if height < next_round), default=None)
    assert view.get(keys.DUE_LATE_KEY) == (None if late is None else late.to_bytes(8, "big"))
    assert len(list(view.scan(keys.EDGE))) == sum(
        1 for order_id in orders if read_edges(view, order_id)
    )


def is_frozen(view: View, order: OpenOrder) -> bool:
    """Say whether an order's broker is suspended."""
    broker = read_broker(view, order.terms.broker)
    assert broker is not None
    return broker.status == "suspended"


def _check_indexes(view: View, orders: dict[bytes, OpenOrder]) -> None:
    """What is kept beside the records says what the records say."""
    expiring: dict[bytes, int] = {}
    asks: dict[bytes, None] = {}
    rows: dict[bytes, bytes] = {}
    frozen: dict[bytes, None] = {}
    for order_id, order in orders.items():
        height = keys.height_bytes(order.terms.expires)
        expiring[height] = expiring.get(height, 0) + 1
        if order.side == "ask":
            asks[bytes.fromhex(order.owner) + order_id] = None
        broker = read_broker(view, order.terms.broker)
        assert broker is not None
        if order.admitted and not broker.tariff_of(order.tariff).classes:
            rows[order.book + side_byte(order) + order_id] = pack(order)
        if is_frozen(view, order):
            frozen[bytes.fromhex(order.terms.broker)] = None
    found = {key[len(keys.EXPIRING) :]: value for key, value in view.scan(keys.EXPIRING)}
    assert {key: int.from_bytes(value, "big") for key, value in found.items()} == expiring
    assert {key[len(keys.ASK_SELLER) :] for key, _ in view.scan(keys.ASK_SELLER)} == {*asks}
    assert {key[len(keys.ROW) :]: value for key, value in view.scan(keys.ROW)} == rows
    assert {key[len(keys.FROZEN) :] for key, _ in view.scan(keys.FROZEN)} >= {*frozen}


def _check_books(view: View, orders: dict[bytes, OpenOrder], next_round: int) -> None:
    """Versions, classes and announced tariffs agree with the orders and the brokers."""
    vintages: dict[bytes, int] = {}
    classes: dict[bytes, bytes] = {}
    for order_id, order in orders.items():
        vintages[order.book] = vintages.get(order.book, 0) + 1
        broker = read_broker(view, order.terms.broker)
        assert broker is not None
        tariff = broker.tariff_of(order.tariff)
        if tariff.classes and order.admitted:
            number = class_of(tariff, order.terms, order.resource)
            assert number is not None
            assert not read_edges(view, order_id)
            key = keys.CLASS + order.book + bytes((number,)) + side_byte(order) + order_id
            classes[key] = price_of_order(order.terms).to_bytes(8, "big")
    assert dict(view.scan(keys.CLASS)) == classes
    found = {key[len(keys.VINTAGE) :]: value for key, value in view.scan(keys.VINTAGE)}
    assert {key: int.from_bytes(value, "big") for key, value in found.items()} == vintages
    for key, _ in view.scan(keys.HALVINGS):
        place = key[len(keys.HALVINGS) :]
        assert place[: keys.BOOK_BYTES] in vintages
        assert 1 <= read_halvings(view, place) <= MAX_HALVINGS
        assert 0 < last_deferral(view, place) < next_round
    due = []
    for address, broker in brokers(view):
        live = list(live_versions(view, bytes.fromhex(address)))
        assert {*live} <= {broker.version, *(entry.version for entry in broker.former)}
        assert len({*live, broker.version}) <= MAX_LIVE_TARIFFS
        due += [(entry.effective, address) for entry in broker.pending]
    assert sorted(due) == [
        (int.from_bytes(key[len(keys.TARIFF_DUE) :][:8], "big"), key[-32:].hex())
        for key, _ in view.scan(keys.TARIFF_DUE)
    ]
    for key, _ in view.scan(keys.CLASS_DUE):
        assert int.from_bytes(key[len(keys.CLASS_DUE) :][:8], "big") == next_round


def _check_counts(view: View, orders: dict[bytes, OpenOrder]) -> None:
    tallies: dict[bytes, int] = {}
    sides: dict[bytes, list[int]] = {}
    for _, stored in view.scan(keys.BOOK):
        order = decode_order(stored)
        broker, owner = bytes.fromhex(order.terms.broker), bytes.fromhex(order.owner)
        tallies[broker + owner] = tallies.get(broker + owner, 0) + 1
        sides.setdefault(broker, [0, 0])[order.side == "ask"] += 1
    for place, count in tallies.items():
        assert open_count(view, place[:32], place[32:]) == count
    for broker, (bids, asks) in sides.items():
        assert side_counts(view, broker) == (bids, asks)
    assert len(list(view.scan(keys.TALLY))) == len(tallies)
    assert len(list(view.scan(keys.SIDES))) == len(sides)
