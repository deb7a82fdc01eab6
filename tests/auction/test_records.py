"""What a server has to show adds up over its agreements, exactly, in a record that never grows."""

from auction import keys, views
from auction.actions import Rate
from auction.records import ServiceRecord, note_end, note_rating, service_record
from ledger.state import Overlay, State
from tests.auction.test_orders import change_member
from tests.auction.test_views import plain
from tests.auction.town import BUYERS, SERVERS, Town, ask, bid

SERVER = SERVERS[0].address


def test_a_served_and_rated_agreement_is_on_record() -> None:
    town = Town()
    assert service_record(town.state, SERVER) == ServiceRecord()
    town.opened((BUYERS[0], bid(limit=1_000, service_blocks=2)), (SERVERS[0], ask(floor=500)))
    town.block()
    agreement = str(town.of_kind("trade.made")[0]["agreement"])
    paid = town.of_kind("trade.made")[0]["received_micro"]
    assert service_record(town.state, SERVER) == ServiceRecord()
    town.block()
    town.block()
    assert service_record(town.state, SERVER) == ServiceRecord(1, 0, paid, 0, 0, 0)
    town.block((BUYERS[0], Rate(agreement, 9_000)))
    assert service_record(town.state, SERVER) == ServiceRecord(1, 0, paid, 1, paid, 9_000 * paid)
    assert views.server_record(town.state, SERVER)["mean_rating_bp"] == 9_000


def test_an_agreement_cut_short_counts_as_that_with_what_was_paid() -> None:
    town = Town()
    town.opened((BUYERS[0], bid(limit=1_000, service_blocks=10)), (SERVERS[0], ask(floor=500)))
    town.block()
    for _ in range(3):
        town.block()
    change_member(town, "ejected")
    town.block()
    assert service_record(town.state, SERVER) == ServiceRecord(0, 1, 200, 0, 0, 0)


def test_ratings_weigh_by_money_and_a_rating_of_nothing_counts_but_weighs_nothing() -> None:
    overlay = Overlay(State())
    note_rating(overlay, SERVER, 10_000, 0)
    assert service_record(overlay, SERVER).mean_rating_bp == 0
    note_rating(overlay, SERVER, 10_000, 300)
    note_rating(overlay, SERVER, 1_000, 100)
    record = service_record(overlay, SERVER)
    assert (record.ratings, record.rated_micro) == (3, 400)
    assert record.mean_rating_bp == (10_000 * 300 + 1_000 * 100) // 400


def test_the_record_has_one_size_and_room_for_any_life() -> None:
    overlay = Overlay(State())
    for _ in range(3):
        note_end(overlay, SERVER, 2**53, served=True)
        note_rating(overlay, SERVER, 10_000, 2**53)
    (stored,) = [value for _, value in overlay.scan(keys.SERVICE)]
    assert len(stored) == 72
    document = plain(views.server_record(overlay, SERVER))
    assert document == {
        "served": 3,
        "cut_short": 0,
        "paid_micro": str(3 * 2**53),
        "ratings": 3,
        "rated_micro": str(3 * 2**53),
        "mean_rating_bp": 10_000,
    }
