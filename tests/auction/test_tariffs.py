"""A broker's tariff changes after notice, and open orders never feel it."""

from collections import Counter

import pytest
from msgspec.structs import replace

from auction.actions import Cancel
from auction.brokers import (
    Broker,
    ServiceClass,
    Tariff,
    check_tariff,
    read_broker,
    write_broker,
)
from auction.edges import read_edges
from auction.licences import ApplyBroker
from auction.order_views import orders
from auction.orders import read_order
from auction.parameters import MarketParameters
from auction.sealed import least_bytes
from auction.tariffs import ChangeTariff
from ledger.crypto import SigningKey
from ledger.errors import Reason, Rejected
from ledger.proposals import AdmitBroker, Approve, Propose, SuspendBroker, proposal_id
from ledger.state import Overlay
from ledger.transactions import Action
from tests.auction.invariants import check_tables
from tests.auction.test_reprice import to_limit
from tests.auction.town import (
    AT_MCAFEE,
    BROKERS,
    BUYERS,
    CLASSES,
    MCAFEE,
    OTHERS,
    PAPER,
    SERVERS,
    TARIFFS,
    Town,
    ask,
    bid,
    class_bid,
)

BOOK = BROKERS[0]
NOTICE = 3
DEARER = replace(PAPER, lambda_micro=300)


def small_town() -> Town:
    return Town(market=MarketParameters(tariff_notice_blocks=NOTICE))


def broker_of(town: Town) -> Broker:
    broker = read_broker(town.state, BOOK.address)
    assert broker is not None
    return broker


def wait_for_the_change(town: Town) -> None:
    while broker_of(town).pending:
        town.block()


def test_a_change_is_seen_at_once_and_in_force_after_the_notice() -> None:
    town = small_town()
    assert town.block((BOOK, ChangeTariff(DEARER))) == ["ok"]
    (said,) = town.of_kind("broker.tariff_announced")
    assert said["effective"] == town.height + NOTICE
    (pending,) = broker_of(town).pending
    assert (pending.effective, pending.tariff) == (town.height + NOTICE, DEARER)
    while town.height + 1 < pending.effective:
        assert broker_of(town).tariff == PAPER
        town.opened((BUYERS[0], bid(limit=10)))
    (order,) = town.opened((BUYERS[0], bid(limit=10)))
    assert broker_of(town).tariff == DEARER
    assert (broker_of(town).version, broker_of(town).pending) == (2, ())
    record = read_order(town.state, bytes.fromhex(order))
    assert record is not None
    assert record.tariff == 2
    assert [entry.version for entry in broker_of(town).former] == [1]
    check_tables(town.state, town.height + 1)


def test_an_open_order_trades_under_the_terms_it_came_under_and_with_no_other() -> None:
    """Old bids meet the old ask at the old fee, new ones the new; across the two no pair forms."""
    town = small_town()
    old_bid, _ = town.opened(
        (BUYERS[0], bid(limit=900, open_ppm=100_000, omega_micro=200_000)),
        (SERVERS[0], ask(floor=400)),
    )
    town.block((BOOK, ChangeTariff(DEARER)))
    wait_for_the_change(town)
    new_bid, _ = town.opened((BUYERS[1], bid(limit=5_000)), (SERVERS[1], ask(floor=100)))
    (old_edge,) = read_edges(town.state, bytes.fromhex(old_bid))
    (new_edge,) = read_edges(town.state, bytes.fromhex(new_bid))
    assert old_edge.other != new_edge.other
    fees = {}
    while len(fees) < 2:
        town.block()
        check_tables(town.state, town.height + 1)
        fees |= {t["bid"]: (t["tariff"], t["fee_micro"]) for t in town.of_kind("trade.made")}
    assert fees == {old_bid: (1, 100), new_bid: (2, 300)}


def test_one_block_clears_books_of_several_versions_by_their_own_rules() -> None:
    town = small_town()
    late = {"open_ppm": 100_000, "omega_micro": 100_000}
    town.opened((BUYERS[0], bid(limit=900, **late)), (SERVERS[0], ask(floor=100)))
    town.block((BOOK, ChangeTariff(TARIFFS[3])))
    wait_for_the_change(town)
    seen: Counter[int] = Counter()
    for _ in range(20):
        town.opened((BUYERS[1], bid(limit=900)), (SERVERS[1], ask(floor=100)))
        seen.update(data["tariff"] for data in town.of_kind("round.cleared"))
        if len({data["tariff"] for data in town.of_kind("round.cleared")}) == 2:
            assert [data["tariff"] for data in town.of_kind("round.cleared")] == [1, 2]
            return
    raise AssertionError(f"no block with both: {seen}")


def test_a_repriced_order_comes_under_the_tariff_in_force() -> None:
    town = small_town()
    (order,) = town.opened((BUYERS[0], bid(limit=900)))
    town.block((BOOK, ChangeTariff(DEARER)))
    wait_for_the_change(town)
    town.block((BUYERS[0], to_limit(order, 900)))
    record = read_order(town.state, bytes.fromhex(order))
    assert record is not None
    assert record.tariff == 2
    check_tables(town.state, town.height + 1)


def test_another_change_takes_the_place_of_the_one_under_way_with_a_notice_of_its_own() -> None:
    town = small_town()
    town.block((BOOK, ChangeTariff(DEARER)))
    town.block()
    town.block((BOOK, ChangeTariff(TARIFFS[3])))
    (pending,) = broker_of(town).pending
    assert (pending.effective, pending.tariff) == (town.height + NOTICE, TARIFFS[3])
    check_tables(town.state, town.height + 1)
    wait_for_the_change(town)
    assert (broker_of(town).tariff, broker_of(town).version) == (TARIFFS[3], 2)


def test_stating_the_tariff_in_force_withdraws_a_change_and_is_refused_otherwise() -> None:
    town = small_town()
    town.block((BOOK, ChangeTariff(DEARER)))
    assert town.block((BOOK, ChangeTariff(PAPER))) == ["ok"]
    assert town.of_kind("broker.tariff_withdrawn")
    assert broker_of(town).pending == ()
    for _ in range(NOTICE + 1):
        town.block()
        check_tables(town.state, town.height + 1)
    assert broker_of(town).version == 1
    assert town.block((BOOK, ChangeTariff(PAPER))) == ["invalid_tariff"]


def test_only_an_active_broker_changes_its_tariff() -> None:
    town = small_town()
    for key in (BUYERS[0], SERVERS[0]):
        assert town.block((key, ChangeTariff(DEARER))) == ["unknown_broker"]
    overlay = Overlay(town.state)
    write_broker(overlay, BOOK.address, replace(broker_of(town), status="suspended"))
    town.state.merge(overlay)
    assert town.block((BOOK, ChangeTariff(DEARER))) == ["broker_suspended"]


def test_a_broker_cannot_keep_orders_under_any_number_of_tariffs() -> None:
    town = small_town()
    opened = []
    for fee in range(1, 5):
        opened += town.opened((BUYERS[0], bid(limit=10)))
        codes = town.block((BOOK, ChangeTariff(replace(PAPER, lambda_micro=fee))))
        if fee == 4:
            assert codes == ["limit_exceeded"]
            break
        assert codes == ["ok"]
        wait_for_the_change(town)
        check_tables(town.state, town.height + 1)
    assert town.block((BUYERS[0], Cancel(opened[1]))) == ["ok"]
    assert town.block((BOOK, ChangeTariff(replace(PAPER, lambda_micro=9)))) == ["ok"]
    wait_for_the_change(town)
    assert [entry.version for entry in broker_of(town).former] == [1, 3, 4]
    check_tables(town.state, town.height + 1)


def test_the_last_order_of_a_class_may_leave_just_before_another_tariff_is_in_force() -> None:
    """Its leaving marks the class for a round at which the tariff that listed it is forgotten."""
    town = small_town()
    book = BROKERS[AT_MCAFEE]
    assert town.block((book, ChangeTariff(PAPER))) == ["ok"]
    last = town.height + NOTICE - 1
    town.opened((BUYERS[0], class_bid(0, 900, expires=last)))
    while town.height < last:
        town.block()
    assert [closed["reason"] for closed in town.of_kind("order.closed")] == ["expired"]
    town.block()
    assert town.sealed == b'{"books":[],"classes":[]}'
    check_tables(town.state, town.height + 1)


def test_a_broker_of_classes_is_licensed_anew_once_the_orders_of_its_old_book_have_closed() -> None:
    """In the block that suspends it they are still open."""
    town = small_town()
    book = BROKERS[AT_MCAFEE]
    town.opened((BUYERS[0], class_bid(0, 900)))
    again = votes_for(AdmitBroker(book.address))
    codes = town.block(
        *votes_for(SuspendBroker(book.address)), (book, ApplyBroker("anew", PAPER)), again[0]
    )
    assert codes == ["ok"] * 7 + ["book_closing"]
    assert town.block(*again) == ["ok"] * 6
    broker = read_broker(town.state, book.address)
    assert broker is not None
    assert (broker.tariff, broker.version, broker.former) == (PAPER, 2, ())
    check_tables(town.state, town.height + 1)


def decide(town: Town, change: AdmitBroker | SuspendBroker) -> None:
    assert town.block(*votes_for(change)) == ["ok"] * 6


def test_a_list_of_orders_goes_on_while_tariffs_change() -> None:
    """A slow reader of a long list takes one side before the change and the other after it."""
    town = small_town()
    first, _ = town.opened((BUYERS[0], bid(limit=10)), (SERVERS[0], ask()))
    rows = orders(town.state, height=town.height + 1, broker=BOOK.address)
    assert next(rows)["id"] == first
    town.block((BOOK, ChangeTariff(DEARER)))
    wait_for_the_change(town)
    town.opened((SERVERS[1], ask()))
    assert sorted(int(str(row["tariff"])) for row in rows) == [1, 2]


def votes_for(change: AdmitBroker | SuspendBroker) -> list[tuple[SigningKey, Action]]:
    proposal = proposal_id(change).hex()
    return [(SERVERS[0], Propose(change)), *((key, Approve(proposal)) for key in SERVERS[1:6])]


def test_suspension_withdraws_a_change_and_a_new_licence_gets_a_new_version() -> None:
    town = small_town()
    town.opened((BUYERS[0], bid(limit=10)))
    town.block((BOOK, ChangeTariff(DEARER)))
    decide(town, SuspendBroker(BOOK.address))
    assert broker_of(town).pending == ()
    check_tables(town.state, town.height + 1)
    assert town.block((BOOK, ApplyBroker("anew", TARIFFS[2]))) == ["ok"]
    decide(town, AdmitBroker(BOOK.address))
    broker = broker_of(town)
    assert (broker.name, broker.tariff, broker.version) == ("anew", TARIFFS[2], 2)
    assert (broker.status, broker.former) == ("active", ())


def test_no_more_brokers_are_admitted_than_a_block_can_seal_rounds_of() -> None:
    town = small_town()
    (newcomer, *_), count = OTHERS, len(BROKERS)
    assert town.block((newcomer, ApplyBroker("one more", PAPER))) == ["ok"]
    *yes, last = votes_for(AdmitBroker(newcomer.address))
    assert set(town.block(*yes)) == {"ok"}
    enough = least_bytes(count + 1)
    town.parameters = replace(town.parameters, max_sealed_bytes=enough - 1)
    assert town.block(last) == ["limit_exceeded"]
    town.parameters = replace(town.parameters, max_sealed_bytes=enough)
    assert town.block(last) == ["ok"]
    assert read_broker(town.state, newcomer.address) is not None


def test_admitted_again_without_a_new_application_a_broker_has_its_old_version() -> None:
    town = small_town()
    decide(town, SuspendBroker(BOOK.address))
    decide(town, AdmitBroker(BOOK.address))
    assert (broker_of(town).tariff, broker_of(town).version) == (PAPER, 1)


CLASS = CLASSES[0]


@pytest.mark.parametrize(
    "tariff",
    [
        replace(PAPER, pricing="core_buyer"),
        replace(PAPER, pricing="core_seller"),
        replace(PAPER, kappa_ppm=1),
        replace(TARIFFS[3], kappa_ppm=1),
        replace(PAPER, classes=(CLASS,)),
        replace(MCAFEE, classes=()),
        replace(MCAFEE, weights="spread"),
        replace(MCAFEE, fee_basis="round"),
        replace(MCAFEE, kappa_ppm=1),
        replace(MCAFEE, classes=(CLASS, CLASS)),
        replace(MCAFEE, classes=(CLASSES[1], CLASSES[0])),
        replace(MCAFEE, classes=(CLASS, replace(CLASS, theta_milli=7))),
    ],
)
def test_terms_that_contradict_each_other_are_refused(tariff: Tariff) -> None:
    with pytest.raises(Rejected) as refusal:
        check_tariff(tariff)
    assert refusal.value.reason is Reason.INVALID_TARIFF
    town = small_town()
    assert town.block((BOOK, ChangeTariff(tariff))) == ["invalid_tariff"]
    assert broker_of(town).pending == ()


def test_more_classes_than_the_bound_do_not_decode() -> None:
    many = tuple(
        ServiceClass(service_blocks=n, interval_blocks=1, theta_milli=1, least_resource=0)
        for n in range(1, 10)
    )
    town = small_town()
    with pytest.raises(Rejected) as refusal:
        town.block((BOOK, ChangeTariff(replace(MCAFEE, classes=many))))
    assert refusal.value.reason is Reason.VALIDATION_ERROR
