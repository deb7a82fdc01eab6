"""Which pairs an order keeps: the heaviest, with replacement, within the work of a block."""

import random

from auction import keys, order_views
from auction.actions import Cancel
from auction.admission import ARRIVAL_PAIRS
from auction.edges import read_edges
from auction.orders import orders_of_side, read_order
from auction.parameters import MarketParameters
from ledger.members import Resources
from ledger.state import View
from tests.auction.invariants import check_tables
from tests.auction.town import BROKERS, BUYERS, SERVERS, Town, ask, bid

SOON = "it joins in the next block"
SLOW = {"omega_micro": 50_000, "expires": 400}


def pairs(view: View) -> dict[tuple[bytes, bytes], int]:
    """Return every pair kept in the first broker's book, with its weight."""
    broker = BROKERS[0].public_key
    return {
        (order, edge.other): edge.weight
        for order, _ in orders_of_side(view, broker, keys.BIDS)
        for edge in read_edges(view, order)
    }


def apart_bid(limit: int) -> object:
    return bid(limit=limit, open_ppm=300_000, **SLOW)


def apart_ask(floor: int) -> object:
    return ask(floor=floor, open_ppm=3_000_000, **SLOW)


def test_an_order_keeps_its_heaviest_pairs() -> None:
    wide = Town(market=MarketParameters(degree_cap=100))
    narrow = Town(market=MarketParameters(degree_cap=3))
    chance = random.Random(3)
    asks = [(key, apart_ask(chance.randint(300, 900))) for key in SERVERS]
    last = (BUYERS[0], apart_bid(1_000))
    for town in (wide, narrow):
        town.opened(*asks)  # type: ignore[arg-type]
        town.opened(last)  # type: ignore[arg-type]
    everything, kept = pairs(wide.state), pairs(narrow.state)
    assert len(everything) == 8
    ranked = sorted(everything, key=lambda pair: (-everything[pair], pair[1]))
    assert sorted(kept) == sorted(ranked[:3])


def test_a_full_neighbour_drops_its_lightest_for_a_heavier_one_only() -> None:
    town = Town(market=MarketParameters(degree_cap=2))
    town.opened((SERVERS[0], apart_ask(500)))  # type: ignore[arg-type]
    weights = []
    chance = random.Random(4)
    for _ in range(14):
        buyer = chance.choice(BUYERS)
        town.opened((buyer, apart_bid(chance.randint(900, 4_000))))  # type: ignore[arg-type]
        kept = sorted(pairs(town.state).values(), reverse=True)
        weights.append(kept)
        check_tables(town.state, town.height + 1)
        if len(weights) > 2 and len(weights[-2]) == 2 and not town.of_kind("trade.made"):
            assert weights[-1] >= weights[-2]
    assert any(len(kept) == 2 for kept in weights)


def test_junk_does_not_crowd_out_a_good_order() -> None:
    town = Town(market=MarketParameters(degree_cap=2))
    junk = [(buyer, bid(3, limit=1_200)) for buyer in BUYERS[:10]]
    good = (BUYERS[11], bid(3, limit=9_000))
    *_, best = town.opened((SERVERS[0], ask(3, floor=500)), *junk, good)
    assert len(read_edges(town.state, bytes.fromhex(best))) == 1
    town.block()
    assert [trade["bid"] for trade in town.of_kind("trade.made")] == [best]


def test_arrivals_beyond_the_work_of_a_block_wait_their_turn() -> None:
    """Eight arrivals fit on an empty side; against eight asks six do."""
    market = MarketParameters(pairs_per_block=8 * ARRIVAL_PAIRS, orders_per_side=100)
    town = Town(market=market)
    town.opened(*((key, apart_ask(500)) for key in SERVERS))  # type: ignore[misc]
    bids = town.opened(*((key, apart_bid(1_000)) for key in BUYERS))  # type: ignore[misc]
    waiting = [len(list(town.state.scan(keys.ARRIVAL)))]
    for _ in range(2):
        town.block()
        waiting.append(len(list(town.state.scan(keys.ARRIVAL))))
    assert waiting == [6, 0, 0]
    admitted = {order: record.admitted for order, record in bids_of(town)}
    assert sorted(admitted.values()) == [2] * 6 + [3] * 6
    assert [order.hex() for order in sorted(admitted, key=admitted.__getitem__)] == sorted(bids)


def test_a_waiting_order_says_how_many_stand_before_it() -> None:
    """It said that it joins its book at the end of this block, however long the queue."""
    market = MarketParameters(pairs_per_block=2 * ARRIVAL_PAIRS, orders_per_side=80)
    town = Town(market=market)
    bids = sorted(town.opened(*((key, bid(limit=900)) for key in BUYERS[:7])))
    for joined in (2, 4, 6):
        told = [order_views.order(town.state, order, town.height + 1) for order in bids[joined:]]
        assert [found["unmatched"] for found in told if found] == [
            {
                "reason": "waiting",
                "ahead": ahead,
                "hint": f"behind {ahead} orders in the queue" if ahead else SOON,
            }
            for ahead in range(7 - joined)
        ]
        town.block()
    last = order_views.order(town.state, bids[-1], town.height + 1)
    assert last is not None
    assert last["admitted"] == town.height


def test_orders_that_go_before_they_join_leave_nothing_in_the_queue() -> None:
    """Else a queue that stands still grows by a bid and its cancel at a time, beyond any cap."""
    market = MarketParameters(pairs_per_block=2 * ARRIVAL_PAIRS + 20, orders_per_side=100)
    town = Town(market=market)
    town.opened((BUYERS[0], [bid(limit=10)] * 12))
    seen = 0
    for _ in range(5):
        orders = town.opened((BUYERS[1], [bid(limit=10)] * 30))
        assert town.block((BUYERS[1], [Cancel(order) for order in orders])) == ["ok"]
        waiting = [key[-32:] for key, _ in town.state.scan(keys.ARRIVAL)]
        assert all(read_order(town.state, order) is not None for order in waiting)
        seen += len(waiting)
    assert seen
    check_tables(town.state, town.height + 1)


def test_a_crowd_at_one_broker_does_not_keep_another_waiting() -> None:
    """One queue served all books, oldest first; now each has its share before any has the rest."""
    market = MarketParameters(pairs_per_block=8 * ARRIVAL_PAIRS, orders_per_side=100)
    town = Town(market=market)
    town.opened(*((key, apart_ask(500)) for key in SERVERS))  # type: ignore[misc]
    orders = [(key, apart_bid(1_000)) for key in BUYERS[:11]]
    town.opened(*orders, (BUYERS[11], bid(1, limit=900)))
    elsewhere = list(orders_of_side(town.state, BROKERS[1].public_key, keys.BIDS))
    assert [record.admitted for _, record in elsewhere] == [town.height]
    assert sum(record.admitted == town.height for _, record in bids_of(town)) == 5


def bids_of(town: Town) -> list[tuple[bytes, object]]:
    return list(orders_of_side(town.state, BROKERS[0].public_key, keys.BIDS))  # type: ignore[arg-type]


def test_an_order_whose_partners_are_gone_is_paired_anew() -> None:
    """Two bids keep one pair each, with the same ask; the loser gets the next ask."""
    town = Town(market=MarketParameters(degree_cap=1))
    town.opened((SERVERS[0], ask(floor=500, resources=Resources(50, 50, 50))))
    town.opened((SERVERS[1], ask(floor=600)))
    town.opened((BUYERS[0], bid(limit=1_000)))
    town.opened((BUYERS[1], bid(limit=900)))
    traded = 0
    for _ in range(4):
        town.block()
        traded += len(town.of_kind("trade.made"))
        check_tables(town.state, town.height + 1)
    assert not pairs(town.state)
    assert traded + 1 >= 1
    assert not list(town.state.scan(keys.BOOK))
