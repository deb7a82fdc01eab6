"""A book too hard for one round gets its trades in several, whoever made it so."""

from typing import Any

import pytest
from msgspec.structs import replace

from auction import keys, order_views
from auction.actions import Cancel
from auction.clearing import seal
from auction.edges import note_due, read_edges
from auction.halvings import (
    MAX_HALVINGS,
    call_mark,
    crowding,
    is_called,
    note_deferral,
    note_round,
    read_halvings,
)
from auction.mcafee import call_class, live_classes
from auction.parameters import MarketParameters
from auction.rounds import Draw, LiveBook, due_books, live_book, live_books
from auction.sealed import Clearing, decode_clearing
from ledger.codec import encode
from ledger.crypto import digest
from ledger.errors import Reason, Rejected
from ledger.state import Overlay, State
from tests.auction.invariants import check_tables
from tests.auction.tie_book import BOOK, TIED, tie_book
from tests.auction.town import (
    AT_MCAFEE,
    BROKERS,
    BUYERS,
    SERVERS,
    Town,
    ask,
    bid,
    class_ask,
    class_bid,
)


def halvings(town: Town, place: bytes = BOOK) -> int:
    return read_halvings(town.state, place)


def refusal(town: Town, clearing: Clearing) -> str:
    with pytest.raises(Rejected) as refused:
        town.run(sealed=encode(clearing))
    assert refused.value.reason is Reason.BAD_CLEARING
    return refused.value.detail


def called_book(town: Town) -> LiveBook:
    """The only book of the next round, as its draw leaves it."""
    (due,) = due_books(town.state, town.height + 1)
    return live_book(town.state, due, town.height + 1, Draw(town.context().seed))


def put_off(town: Town) -> None:
    """Commit a block whose builder defers all there is, whether it could solve it or not."""
    town.block(put_off=lambda _: True)


def crossed_town(bids: int = 12, **market: Any) -> tuple[Town, list[str]]:
    """A book of so many equal bids, all of which cross with each of eight asks."""
    town = Town(market=MarketParameters(**market))
    entries: list[Any] = [(BUYERS[place % 12], bid(TIED, limit=900)) for place in range(bids)]
    entries += [(server, ask(TIED, floor=100)) for server in SERVERS]
    return town, town.opened(*entries)


# ---------------------------------------------------------------- hard books
def clear_out(town: Town, blocks: int) -> list[dict[str, Any]]:
    """Commit blocks until the hard book is empty; return what its rounds told."""
    told: list[dict[str, Any]] = []
    for _ in range(blocks):
        town.block()
        rounds = town.of_kind("round.cleared")
        told += [data for data in rounds if data["broker"] == BROKERS[TIED].address]
        if not list(town.state.scan(keys.VINTAGE + BOOK)):
            break
    return told


def check_emptied(town: Town, told: list[dict[str, Any]], side: int) -> None:
    assert sum(data["trades"] for data in told) == side
    assert told[0]["deferred"]
    assert not list(town.state.scan(keys.HALVINGS))
    assert not list(town.state.scan(keys.BOOK))


def test_a_book_of_ties_beyond_the_work_of_a_block_gets_all_its_trades() -> None:
    """With the halvings counted no further than 0 it is put off in every block."""
    town = tie_book(side=120, degree=8, work=700)
    check_tables(town.state, 2)
    told = []
    for _ in range(4):
        told += clear_out(town, 1)
        check_tables(town.state, town.height + 1)
    told += clear_out(town, 50)
    check_emptied(town, told, 120)
    assert max(data["halvings"] for data in told) > 1
    again = tie_book(side=120, degree=8, work=700)
    for _ in range(50):
        put_off_if_hard(again)
        assert not again.of_kind("trade.made")


def put_off_if_hard(town: Town) -> None:
    """Commit a block as a chain without halvings would: its next round is as large as this one."""
    town.block()
    overlay = Overlay(town.state)
    overlay.delete(keys.HALVINGS + BOOK)
    town.state.merge(overlay)


def test_other_books_clear_beside_a_hard_one_in_the_block_of_their_orders() -> None:
    town = tie_book(side=120, degree=8, work=700)
    for place in range(6):
        town.opened((BUYERS[place], bid(0, limit=900)), (SERVERS[place], ask(0, floor=100)))
        town.block()
        (other,) = [
            data for data in town.of_kind("round.cleared") if data["broker"] == BROKERS[0].address
        ]
        assert (other["trades"], other["deferred"], other["halvings"]) == (1, 0, 0)


@pytest.mark.slow
def test_two_thousand_orders_a_side_of_degree_sixteen_and_equal_weights_all_trade() -> None:
    """A quarter of the work a chain allows by default: the share of one of four books."""
    share = MarketParameters().work_per_block // 4
    town = tie_book(side=2_000, degree=16, work=share)
    check_emptied(town, clear_out(town, 50), 2_000)


# ---------------------------------------------------------------- crowded blocks
def test_a_block_is_halved_until_about_as_many_are_called_as_it_may_carry_out() -> None:
    table = {0: 0, 200: 0, 201: 1, 401: 1, 402: 2, 10_000: 6, 10**9: MAX_HALVINGS}
    assert {orders: crowding(orders, 200) for orders in table} == table
    assert [crowding(orders, 1) for orders in (0, 1, 2, 3, 4)] == [0, 0, 1, 1, 2]


def test_a_crowded_block_halves_all_its_rounds_and_keeps_no_count_of_it() -> None:
    town = Town(market=MarketParameters(calls_per_block=3))
    entries: list[Any] = [(BUYERS[0], bid(0, limit=900)), (SERVERS[0], ask(0, floor=100))]
    entries += [(buyer, bid(TIED, limit=900)) for buyer in BUYERS]
    entries += [(server, ask(TIED, floor=100)) for server in SERVERS]
    town.opened(*entries)
    trades = blocks = 0
    while list(town.state.scan(keys.DUE)):
        due = sum(len(book.bids) for book in due_books(town.state, town.height + 1))
        good = decode_clearing(town.run().clearings)
        forged = tuple(replace(part, halvings=part.halvings + 1) for part in good.books)
        assert "halvings" in refusal(town, Clearing(forged, ()))
        town.block()
        blocks += 1
        told = town.of_kind("round.cleared")
        assert {data["halvings"] for data in told} == {crowding(due, 3)}
        trades += sum(data["trades"] for data in told)
        check_tables(town.state, town.height + 1)
        assert not list(town.state.scan(keys.HALVINGS))
    assert trades == 8 + 1
    assert blocks > 2


def test_orders_of_a_class_crowd_a_block_by_the_smaller_side() -> None:
    town = class_town(calls_per_block=4)
    town.block()
    (data,) = town.of_kind("round.cleared")
    assert data["halvings"] == 1
    assert data["bids"] + data["asks"] + data["uncalled"] == 20
    assert data["uncalled"]
    town = class_town(calls_per_block=8)
    town.block()
    assert [data["halvings"] for data in town.of_kind("round.cleared")] == [0]


def test_a_bid_that_is_not_called_and_keeps_its_pairs_costs_a_block_no_change() -> None:
    town = tie_book(side=400, degree=8, work=10**6, calls_per_block=12)
    overlay = Overlay(town.state)
    seal(town.context(), overlay, None)
    note_due(overlay, town.height + 1)
    (data,) = (event.data for event in overlay.events if event.kind == "round.cleared")
    trades = [event.data for event in overlay.events if event.kind == "trade.made"]
    assert 0 < len(trades) == data["trades"] < 30
    sold = [bytes.fromhex(str(trade["ask"])) for trade in trades]
    near = {edge.other for order in sold for edge in read_edges(town.state, order)}
    touched = {key[-32:] for key in overlay.changes if key.startswith((keys.DUE, keys.EDGE))}
    waiting = {bytes.fromhex(str(order)) for order in data["uncalled_orders"]}
    assert touched & waiting <= near
    assert len(waiting - touched) > 100
    assert not (waiting - near) & touched


# ---------------------------------------------------------------- counting
def test_halvings_rise_with_deferrals_fall_with_rounds_and_end_with_their_book() -> None:
    overlay = Overlay(State())
    for height in range(1, MAX_HALVINGS + 4):
        note_deferral(overlay, BOOK, height)
        assert read_halvings(overlay, BOOK) == min(height, MAX_HALVINGS)
    for left in range(MAX_HALVINGS - 1, -1, -1):
        note_round(overlay, BOOK)
        assert read_halvings(overlay, BOOK) == left
    note_round(overlay, BOOK)
    assert not list(overlay.scan(keys.HALVINGS))
    town, orders = crossed_town()
    put_off(town)
    assert halvings(town) == 1
    owners = [*BUYERS, *SERVERS]
    town.block(*((owners[place], Cancel(order)) for place, order in enumerate(orders)))
    assert not list(town.state.scan(keys.HALVINGS))


def test_a_builder_that_defers_out_of_malice_costs_the_book_one_halving_and_it_recovers() -> None:
    town, _ = crossed_town()
    put_off(town)
    assert (halvings(town), town.of_kind("trade.made")) == (1, [])
    town.block()
    (data,) = town.of_kind("round.cleared")
    assert (data["halvings"], data["bids"] + data["uncalled"]) == (1, 12)
    assert data["trades"] == min(8, data["bids"])
    assert halvings(town) == 0
    town.block()
    assert len(town.of_kind("trade.made")) == 8 - data["trades"]
    check_tables(town.state, town.height + 1)


def test_a_round_that_calls_nobody_is_sealed_without_pairs_and_the_next_calls_more() -> None:
    town, _ = crossed_town(bids=1)
    for _ in range(MAX_HALVINGS + 2):
        put_off(town)
    assert halvings(town) == MAX_HALVINGS
    empty = 0
    while not town.of_kind("trade.made"):
        before = halvings(town)
        town.block()
        (part,) = decode_clearing(town.sealed).books
        assert (part.deferred, part.halvings) == (False, before)
        assert halvings(town) in (before - 1, 0)
        empty += not part.pairs
        check_tables(town.state, town.height + 1)
    assert 10 < empty <= MAX_HALVINGS


# ---------------------------------------------------------------- who is called
def test_of_many_bids_half_as_many_are_called_with_each_halving_and_none_more_often() -> None:
    orders = [digest("order", b"%d" % number) for number in range(60)]
    broker = bytes(32)
    calls = dict.fromkeys(orders, 0)
    for k in (1, 2, 3):
        count = 0
        for number in range(400):
            seed = digest("seed", b"%d" % number)
            called = [order for order in orders if is_called(seed, broker, order, k)]
            assert called == [o for o in orders if call_mark(seed, broker, o) < 2 ** (64 - k)]
            count += len(called)
            for order in called:
                calls[order] += 1
        assert abs(count - 400 * 60 / 2**k) < 400 * 60 / 2**k / 10
    mean = sum(calls.values()) / 60
    assert all(mean * 0.75 < count < mean * 1.25 for count in calls.values())


def test_of_equal_orders_each_wins_a_thinned_round_about_equally_often() -> None:
    wins = [0] * 12
    town, orders = crossed_town()
    put_off(town)
    for salt in range(300):
        town.salt = salt.to_bytes(2, "big")
        for event in town.run().events:
            if event.kind == "trade.made":
                wins[orders.index(str(event.data["bid"]))] += 1
    mean = sum(wins) / 12
    assert mean > 100
    assert all(mean * 0.65 < count < mean * 1.35 for count in wins)


def test_the_called_part_of_a_book_is_its_pairs_without_those_of_the_other_bids() -> None:
    town, _ = crossed_town()
    put_off(town)
    (whole,) = live_books(town.state, town.height + 1)
    seed = town.context().seed
    part = called_book(town)
    assert sorted((*part.bids, *part.uncalled)) == list(whole.bids)
    assert part.uncalled
    assert set(part.bids) == {
        order for order in whole.bids if is_called(seed, whole.broker, order, 1)
    }

    def pairs(book: Any) -> set[Any]:
        edges = book.edges_at(range(book.pair_count))
        return {(book.bids[at], edge) for at, edge in zip(book.bid.tolist(), edges, strict=True)}

    assert pairs(part) == {pair for pair in pairs(whole) if pair[0] in part.bids}
    assert set(part.asks) == {edge.other for _, edge in pairs(part)}


# ---------------------------------------------------------------- seals
def test_forged_halvings_of_a_book_are_refused_whatever_else_is_sealed() -> None:
    town, _ = crossed_town()
    good = decode_clearing(town.run().clearings)
    for forged in (1, MAX_HALVINGS):
        books = tuple(replace(part, halvings=forged) for part in good.books)
        assert "halvings" in refusal(town, Clearing(books, ()))
        idle = tuple(replace(part, deferred=True, pairs=()) for part in books)
        assert "halvings" in refusal(town, Clearing(idle, ()))
    whole = decode_clearing(town.run().clearings)
    put_off(town)
    (part,) = decode_clearing(town.run().clearings).books
    assert part.halvings == 1
    for forged in (0, 2):
        assert "halvings" in refusal(town, Clearing((replace(part, halvings=forged),), ()))
    too_many = encode(Clearing((part,), ())).replace(b'"halvings":1', b'"halvings":17')
    with pytest.raises(Rejected) as refused:
        town.run(sealed=too_many)
    assert refused.value.reason is Reason.BAD_CLEARING
    called = {pair.bid for pair in part.pairs}
    others = [pair for pair in whole.books[0].pairs if pair.bid not in called]
    assert others
    extra = tuple(sorted((*part.pairs, others[0]), key=lambda pair: pair.bid))
    assert "no such pair" in refusal(town, Clearing((replace(part, pairs=extra),), ()))


def class_town(**market: Any) -> Town:
    town = Town(market=MarketParameters(**market))
    town.opened(
        *((key, class_bid(0, 1_000 + place)) for place, key in enumerate(BUYERS)),
        *((key, class_ask(0, 300 + place)) for place, key in enumerate(SERVERS)),
    )
    return town


CLASS_PLACE = keys.book_key(bytes.fromhex(BROKERS[AT_MCAFEE].address), 1) + b"\0"


def test_forged_halvings_of_a_class_are_refused() -> None:
    town = class_town()
    put_off(town)
    (part,) = decode_clearing(town.run().clearings).classes
    assert part.halvings == 1
    for forged in (0, 2):
        assert "halvings" in refusal(town, Clearing((), (replace(part, halvings=forged),)))


def test_a_thinned_class_is_held_among_the_called_of_both_sides_and_then_among_all() -> None:
    town = class_town()
    put_off(town)
    assert halvings(town, CLASS_PLACE) == 1
    (whole,) = live_classes(town.state, town.height + 1)
    called = call_class(whole, town.context().seed)
    town.block()
    (data,) = town.of_kind("round.cleared")
    assert (data["bids"], data["asks"]) == (len(called.bids), len(called.asks))
    assert data["uncalled"] == len(called.uncalled) == 20 - data["bids"] - data["asks"]
    orders = {order for order, _ in (*called.bids, *called.asks)}
    assert {str(trade["bid"]) for trade in town.of_kind("trade.made")} <= {o.hex() for o in orders}
    told = town.round["classes"][0]["outbid"]
    assert {row["order"] for row in told} <= {order.hex() for order in orders}
    left = 8 - len(town.of_kind("trade.made"))
    assert halvings(town, CLASS_PLACE) == 0
    town.block()
    (data,) = town.of_kind("round.cleared")
    assert (data["halvings"], data["uncalled"]) == (0, 0)
    assert left - 1 <= data["trades"] <= left
    check_tables(town.state, town.height + 1)


def test_a_class_beyond_the_work_of_a_block_trades_in_thinned_rounds() -> None:
    town = Town(market=MarketParameters(work_per_block=80))
    town.opened(
        *((key, class_bid(0, 1_000 + place)) for place, key in enumerate(BUYERS)),
        *((key, class_ask(0, 300 + place)) for place, key in enumerate(SERVERS)),
    )
    trades = 0
    for _ in range(40):
        town.block()
        check_tables(town.state, town.height + 1)
        trades += len(town.of_kind("trade.made"))
    assert trades >= 6


# ---------------------------------------------------------------- what is told
def test_an_open_order_says_that_it_was_deferred_and_then_that_it_was_not_called() -> None:
    town, _ = crossed_town(bids=6)

    def reason(order: bytes) -> object:
        document = order_views.order(town.state, order.hex(), town.height + 1)
        assert document is not None
        told = document["unmatched"]
        assert isinstance(told, dict)
        return told["reason"]

    put_off(town)
    (whole,) = live_books(town.state, town.height + 1)
    assert {reason(order) for order in (*whole.bids, *whole.asks)} == {"deferred"}
    part = called_book(town)
    town.block()
    book = town.round["books"][0]
    assert (book["halvings"], book["uncalled"]) == (1, len(part.uncalled))
    assert book["uncalled_orders"] == [order.hex() for order in part.uncalled]
    (rest,) = live_books(town.state, town.height + 1)
    assert set(rest.bids) <= set(part.uncalled)
    assert {reason(order) for order in (*rest.bids, *rest.asks)} == {"not_called"}
