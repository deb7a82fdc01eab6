"""No block of the market costs without bound: what closes by itself closes some a block.

Every bound is counted here on small parameters; `scripts/bench_market.py --worst` times them on
full books.
"""

from collections import Counter

import pytest
from msgspec.structs import replace

from auction import keys
from auction.actions import Cancel, Rate
from auction.admission import ARRIVAL_PAIRS
from auction.agreements import agreements
from auction.book_views import depth
from auction.brokers import read_broker
from auction.clearing import seal
from auction.coming_views import coming_book
from auction.expiry import HEIGHTS_TRIED, expiring
from auction.licences import ApplyBroker
from auction.order_views import order as order_document
from auction.orders import committed_resources, orders_of_side, side_counts
from auction.parameters import MarketParameters, set_parameter
from ledger import membership
from ledger.accounts import read_account
from ledger.codec import encode
from ledger.errors import Rejected
from ledger.execution import ActionContext
from ledger.members import Resources, read_member, write_member
from ledger.proposals import AdmitBroker, AdmitMember, SuspendBroker
from ledger.state import Overlay
from tests.auction.invariants import check_tables
from tests.auction.test_cost import Counter as CountingView
from tests.auction.test_orders import FEE
from tests.auction.test_reprice import to_floor, to_limit
from tests.auction.test_tariffs import votes_for
from tests.auction.town import (
    AT_MCAFEE,
    BROKERS,
    BUYERS,
    PAPER,
    RICH,
    SERVERS,
    Town,
    ask,
    bid,
    class_ask,
    class_bid,
)

APART = {"open_ppm": 300_000, "omega_micro": 50_000}


def closed(town: Town) -> Counter[str]:
    """Return why how many orders closed in the last block."""
    return Counter(data["reason"] for data in town.of_kind("order.closed"))


def all_is_given_back(town: Town) -> bool:
    """Say whether nobody has anything reserved or committed."""
    nothing = Resources(0, 0, 0)
    idle = all(committed_resources(town.state, key.address) == nothing for key in SERVERS)
    return idle and not any(read_account(town.state, key.address).reserved for key in BUYERS)


# Expiry


def test_no_more_orders_end_at_one_height_than_a_block_closes() -> None:
    town = Town(market=MarketParameters(expiries_per_block=3))
    first, _, _ = town.opened(*((key, bid(limit=10, expires=9)) for key in BUYERS[:3]))
    assert town.block((BUYERS[3], bid(2, limit=10, expires=9))) == ["expiry_full"]
    assert town.block((SERVERS[0], ask(expires=9))) == ["expiry_full"]
    assert town.block((BUYERS[3], bid(limit=10, expires=10))) == ["ok"]
    assert town.block((BUYERS[0], Cancel(first))) == ["ok"]
    assert town.block((BUYERS[4], bid(limit=10, expires=9))) == ["ok"]
    check_tables(town.state, town.height + 1)
    while town.height < 8:
        town.block()
    town.block()
    assert closed(town) == {"expired": 3}
    town.block()
    assert closed(town) == {"expired": 1}
    assert not list(town.state.scan(keys.EXPIRING))
    assert all_is_given_back(town)


def test_the_refusal_names_the_nearest_height_with_room() -> None:
    town = Town(market=MarketParameters(expiries_per_block=1, order_blocks=20))
    for height in (12, 13):
        town.opened((BUYERS[0], bid(limit=10, expires=height)))

    def detail(expires: int) -> str:
        return town.run((BUYERS[1], bid(limit=10, expires=expires))).receipts[0].detail

    assert "14 has room" in detail(12)
    town.opened((BUYERS[0], bid(limit=10, expires=23)))
    assert "24 has room" in detail(23)
    overlay = Overlay(town.state)
    set_parameter(overlay, "order_blocks", 19)
    town.state.merge(overlay)
    assert "22 has room" in detail(23), "24 would be too long by now"


def test_a_refusal_looks_at_a_bounded_number_of_heights() -> None:
    town = Town(market=MarketParameters(expiries_per_block=1, orders_per_account=500))
    overlay = Overlay(town.state)
    one = (1).to_bytes(4, "big")
    for height in range(1, 1_000):
        overlay.put(keys.at_height(keys.EXPIRING, height), one)
    town.state.merge(overlay)
    execution = town.run((BUYERS[0], bid(limit=10, expires=500)))
    (receipt,) = execution.receipts
    assert receipt.code == "expiry_full"
    assert "each height near it" in receipt.detail
    assert HEIGHTS_TRIED <= 64


def test_a_reprice_moves_its_place_among_those_that_end_at_a_height() -> None:
    town = Town(market=MarketParameters(expiries_per_block=1))
    first, second = town.opened(
        (BUYERS[0], bid(limit=10, expires=30)), (BUYERS[1], bid(limit=10, expires=31))
    )
    assert town.block((BUYERS[1], to_limit(second, 11, expires=30))) == ["expiry_full"]
    assert town.block((BUYERS[0], to_limit(first, 11, expires=30))) == ["ok"]
    assert town.block((BUYERS[0], to_limit(first, 11, expires=32))) == ["ok"]
    assert town.block((BUYERS[1], to_limit(second, 11, expires=30))) == ["ok"]
    assert [expiring(town.state, height) for height in (30, 31, 32)] == [1, 0, 1]
    check_tables(town.state, town.height + 1)


def test_a_trade_frees_the_place_of_both_its_orders() -> None:
    town = Town(market=MarketParameters(expiries_per_block=2))
    town.opened((BUYERS[0], bid(limit=900, expires=30)), (SERVERS[0], ask(floor=100, expires=30)))
    assert expiring(town.state, 30) == 2
    town.block()
    assert town.of_kind("trade.made")
    assert expiring(town.state, 30) == 0


# Suspension


def suspended_town(closings: int, **orders: object) -> tuple[Town, list[str]]:
    """Return a town in which the first broker was suspended with orders that would trade."""
    town = Town(market=MarketParameters(closings_per_block=closings))
    ids = town.opened(
        *((key, [bid(limit=2_000, **orders)] * 2) for key in BUYERS[:4]),
        *((key, ask(floor=500)) for key in SERVERS[:3]),
    )
    assert town.block(*votes_for(SuspendBroker(BROKERS[0].address))) == ["ok"] * 6
    return town, ids


@pytest.mark.parametrize("closings", [1, 4, 11, 500])
def test_a_suspended_book_trades_no_more_and_closes_some_orders_a_block(closings: int) -> None:
    """Pairs are due in the very block of the decision, and in those after it."""
    town, ids = suspended_town(closings)
    left, seen = len(ids), Counter[str]()
    while left:
        assert not town.of_kind("trade.made")
        assert not town.of_kind("round.cleared")
        assert closed(town) == {"broker_suspended": min(left, closings)}
        seen.update(data["order"] for data in town.of_kind("order.closed"))
        left -= closed(town)["broker_suspended"]
        check_tables(town.state, town.height + 1)
        broker = coming_book(town.state, BROKERS[0].address, town.height + 1)
        assert broker is not None
        assert (broker["bids"], broker["pairs"]) == (0, [])
        book = depth(town.state, BROKERS[0].address, town.height + 1)
        assert book is not None
        assert book["crossing"] == 0
        if left:
            town.block()
    assert seen == Counter(ids), "each closes once"
    assert all_is_given_back(town)
    for key in BUYERS[:4]:
        assert read_account(town.state, key.address).free == RICH - 2 * FEE
    town.block()
    assert not list(town.state.scan(keys.FROZEN))


def test_an_owner_may_cancel_at_once_what_waits_to_be_closed_and_nothing_else() -> None:
    town, ids = suspended_town(1)
    mine = max(ids[:8])
    owner = BUYERS[ids.index(mine) // 2]
    document = order_document(town.state, mine, town.height + 1)
    assert document is not None
    assert document["unmatched"]["reason"] == "broker_suspended"  # type: ignore[index]
    assert town.block((owner, to_limit(mine, 900))) == ["broker_suspended"]
    assert town.block((owner, bid())) == ["broker_suspended"]
    assert town.block((owner, Cancel(mine))) == ["ok"]
    assert closed(town) == {"cancelled": 1, "broker_suspended": 1}
    check_tables(town.state, town.height + 1)


def test_an_order_that_waits_to_be_closed_still_expires_at_its_height() -> None:
    town, _ = suspended_town(1, expires=4)
    while town.height < 4:
        town.block()
    assert closed(town)["expired"] > 0
    for _ in range(4):
        town.block()
        check_tables(town.state, town.height + 1)
    assert all_is_given_back(town)


def test_orders_that_wait_to_join_a_suspended_book_never_do() -> None:
    market = MarketParameters(
        closings_per_block=1, pairs_per_block=ARRIVAL_PAIRS, orders_per_side=ARRIVAL_PAIRS
    )
    town = Town(market=market)
    town.opened((BUYERS[0], [bid(limit=10)] * 6), (BUYERS[1], bid(1, limit=10)))
    town.block(*votes_for(SuspendBroker(BROKERS[0].address)))
    for _ in range(3):
        town.block()
    frozen = orders_of_side(town.state, BROKERS[0].public_key, keys.BIDS)
    assert sum(bool(record.admitted) for _, record in frozen) <= 1
    (other,) = orders_of_side(town.state, BROKERS[1].public_key, keys.BIDS)
    assert other[1].admitted
    check_tables(town.state, town.height + 1)


def test_a_broker_comes_back_when_the_last_old_order_has_gone() -> None:
    """Nobody can even propose it before, so no vote is wasted and no old order meets a new one."""
    town, ids = suspended_town(4)
    votes = votes_for(AdmitBroker(BROKERS[0].address))
    for left in (len(ids) - 8, 0):
        assert town.block(*votes) == ["book_closing", *["unknown_proposal"] * 5]
        assert sum(side_counts(town.state, BROKERS[0].public_key)) == left
    assert town.block(*votes) == ["ok"] * 6
    broker = read_broker(town.state, BROKERS[0].address)
    assert broker is not None
    assert broker.status == "active"
    town.opened((BUYERS[0], bid(limit=2_000)), (SERVERS[0], ask(floor=500)))
    town.block()
    assert len(town.of_kind("trade.made")) == 1
    assert not closed(town)["broker_suspended"]
    check_tables(town.state, town.height + 1)


def test_a_class_of_a_suspended_broker_is_frozen_likewise() -> None:
    town = Town(market=MarketParameters(closings_per_block=2))
    town.opened(
        *((key, class_bid(0, 1_000)) for key in BUYERS[:4]),
        *((key, class_ask(0, 100)) for key in SERVERS[:4]),
    )
    town.block(*votes_for(SuspendBroker(BROKERS[AT_MCAFEE].address)))
    for _ in range(4):
        assert not town.of_kind("trade.made")
        check_tables(town.state, town.height + 1)
        town.block()
    assert all_is_given_back(town)
    assert town.block((BROKERS[AT_MCAFEE], ApplyBroker("anew", PAPER))) == ["ok"]


# Departure


def put_out(town: Town, *numbers: int) -> None:
    """Have servers leave, by record."""
    overlay = Overlay(town.state)
    for number in numbers:
        member = read_member(town.state, SERVERS[number].address)
        assert member is not None
        write_member(overlay, SERVERS[number].address, replace(member, status="left"))
    town.state.merge(overlay)


def test_servers_that_left_are_put_out_some_asks_and_agreements_a_block() -> None:
    town = Town(market=MarketParameters(closings_per_block=3))
    ids = town.opened(*((key, [ask(floor=500)] * 3) for key in SERVERS[:3]))
    buyers = [(key, bid(limit=900, service_blocks=10)) for key in BUYERS[:4]]
    town.opened(*buyers)
    town.block()
    trades = town.of_kind("trade.made")
    assert len(trades) == 4
    put_out(town, 0, 1, 2)
    asks, running = len(ids) - 4, 4
    while asks or running:
        town.block()
        ended = len(town.of_kind("agreement.ended"))
        now = min(asks, 3)
        assert closed(town)["server_left"] == now, "asks first: they could still trade"
        assert ended == min(running, 3 - now)
        asks, running = asks - now, running - ended
        check_tables(town.state, town.height + 1)
    assert all_is_given_back(town)
    assert {one.status for _, one in agreements(town.state)} == {"ended"}


def test_who_comes_back_must_declare_what_it_still_has_committed() -> None:
    """Its asks may still be waiting to be closed, and would be more than the server has."""
    town = Town()
    whom = SERVERS[0].address
    town.opened((SERVERS[0], ask(floor=500, resources=Resources(900, 900, 900))))
    put_out(town, 0)
    admit = membership.admit_with(committed_resources)
    context = ActionContext(town.context(), SERVERS[1].address, bytes(32), 0)
    for units, code in ((899, "resources_exceeded"), (900, "ok")):
        member = read_member(town.state, whom)
        assert member is not None
        application = membership.Application(
            name="back",
            vrf_key=member.vrf_key,
            endpoint="",
            resources=Resources(1_000, units, 1_000),
            expires=99,
        )
        overlay = Overlay(town.state)
        overlay.put(membership.APPLICATION_PREFIX + bytes.fromhex(whom), encode(application))
        if code == "ok":
            admit(context, overlay, AdmitMember(whom))
        else:
            with pytest.raises(Rejected, match=code):
                admit(context, overlay, AdmitMember(whom))


def test_the_asks_of_a_server_are_found_without_reading_the_book() -> None:
    town = Town()
    town.opened(
        *((key, [ask(floor=500, **APART | {"open_ppm": 3_000_000})] * 20) for key in SERVERS[:6])
    )
    put_out(town, 0)
    counter = CountingView(town.state)
    overlay = Overlay(counter)
    seal(town.context(), overlay, None)
    assert counter.values < 20 * 14 + 60
    gone = [key for key, value in overlay.changes.items() if value is None]
    assert sum(key.startswith(keys.BOOK) for key in gone) == 20


# Settlement


def test_agreements_that_end_at_one_height_are_paid_some_a_block_and_in_full() -> None:
    town = Town(market=MarketParameters(settlements_per_block=2, rating_blocks=3))
    town.opened(
        *((key, bid(limit=900, service_blocks=3)) for key in BUYERS[:5]),
        *((key, ask(floor=500)) for key in SERVERS[:5]),
    )
    town.block()
    trades = town.of_kind("trade.made")
    assert len(trades) == 5
    paid = []
    for _ in range(8):
        town.block()
        check_tables(town.state, town.height + 1)
        paid.append([data["paid_micro"] for data in town.of_kind("agreement.ended")])
    assert [len(each) for each in paid] == [0, 0, 2, 2, 1, 0, 0, 0]
    assert all(amount == trades[0]["received_micro"] for each in paid for amount in each)
    for _ in range(6):
        town.block()
    assert not list(agreements(town.state))
    assert not list(town.state.scan(keys.LATE_KEY))
    assert all_is_given_back(town)


def test_a_rating_window_ends_when_it_ends_however_long_the_agreement_waits_to_be_dropped() -> None:
    town = Town(market=MarketParameters(settlements_per_block=1, rating_blocks=2))
    town.opened(
        *((key, bid(limit=900, service_blocks=1)) for key in BUYERS[:4]),
        *((key, ask(floor=500)) for key in SERVERS[:4]),
    )
    town.block()
    ended: dict[str, int] = {}
    codes = []
    owners = {data["agreement"]: data["buyer"] for data in town.of_kind("trade.made")}
    by_address = {key.address: key for key in BUYERS}
    for _ in range(8):
        late = [name for name, until in ended.items() if town.height + 1 > until]
        codes += town.block(*((by_address[owners[name]], Rate(name, 1)) for name in late))
        for data in town.of_kind("agreement.ended"):
            ended[data["agreement"]] = data["rating_until"]
    assert len(ended) == 4
    assert codes
    assert set(codes) == {"unknown_agreement"}


# Admission


def test_reading_a_side_counts_as_work_of_the_block() -> None:
    """Two books of 200 asks: one arrival at each would read both sides in one block."""
    market = MarketParameters(
        pairs_per_block=650, orders_per_side=400, orders_per_account=400, expiries_per_block=200
    )
    town = Town(market=market, resources=Resources(10**6, 10**6, 10**6))
    for number in (0, 2):
        for key in SERVERS[:5]:
            town.opened((key, [ask(number, floor=500, expires=900 + number)] * 40))
    while next(town.state.scan(keys.ARRIVAL), None) is not None:
        town.block()
    reads = []
    town.opened((BUYERS[0], bid(0, limit=100)), (BUYERS[0], bid(2, limit=100)))
    while True:
        reads.append(sum(r.admitted == town.height for b in (0, 2) for _, r in bids_at(town, b)))
        if next(town.state.scan(keys.ARRIVAL), None) is None:
            break
        town.block()
    assert reads == [1, 1]


def bids_at(town: Town, number: int) -> list[tuple[bytes, object]]:
    return list(orders_of_side(town.state, BROKERS[number].public_key, keys.BIDS))  # type: ignore[arg-type]


def test_empty_places_in_the_queue_count_as_work_of_the_block() -> None:
    market = MarketParameters(pairs_per_block=3 * ARRIVAL_PAIRS, orders_per_side=100)
    town = Town(market=market)
    overlay = Overlay(town.state)
    for number in range(300):
        overlay.put(keys.at_height(keys.ARRIVAL, 0) + number.to_bytes(32, "big"), keys.PRESENT)
    town.state.merge(overlay)
    waiting = []
    for _ in range(3):
        town.block()
        waiting.append(len(list(town.state.scan(keys.ARRIVAL))))
    assert waiting == [180, 60, 0]


# Reprice


def test_a_reprice_is_refused_where_more_is_committed_than_declared() -> None:
    town = Town()
    (order,) = town.opened((SERVERS[0], ask(floor=500, resources=Resources(900, 900, 900))))
    assert town.block((SERVERS[0], to_floor(order, 600))) == ["ok"]
    overlay = Overlay(town.state)
    member = read_member(town.state, SERVERS[0].address)
    assert member is not None
    write_member(overlay, SERVERS[0].address, replace(member, resources=Resources(800, 900, 900)))
    town.state.merge(overlay)
    assert town.block((SERVERS[0], ask(resources=Resources(1, 1, 1)))) == ["resources_exceeded"]
    assert town.block((SERVERS[0], to_floor(order, 700))) == ["resources_exceeded"]
    assert town.block((SERVERS[0], Cancel(order))) == ["ok"]
