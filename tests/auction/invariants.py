"""What must hold of the market's tables at the end of every block, found by reading all of them."""

from auction import keys
from auction.edges import read_edges
from auction.orders import decode_order, open_count, side_byte, side_counts
from auction.parameters import market_parameters
from ledger.state import View


def check_tables(view: View, next_round: int) -> None:
    """Assert that orders, indexes, counts and pairs agree with each other."""
    cap = market_parameters(view).degree_cap
    orders = {}
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
    _check_counts(view, orders)
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
            first = max(next_round, min(edge.due for edge in edges))
            armed[order_id] = first
    due = {
        key[len(keys.DUE) + 8 + keys.BOOK_BYTES :]: int.from_bytes(key[len(keys.DUE) :][:8], "big")
        for key, _ in view.scan(keys.DUE)
    }
    assert due == armed
    assert len(list(view.scan(keys.EDGE))) == sum(
        1 for order_id in orders if read_edges(view, order_id)
    )


def _check_counts(view: View, orders: dict[bytes, object]) -> None:
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
