"""Brokers come by application and vote, and go by vote with everything given back (rule M7)."""

from __future__ import annotations

from auction.brokers import Tariff, read_broker
from auction.licences import ApplyBroker
from auction.orders import committed_resources
from auction.tariffs import ChangeTariff
from ledger.accounts import read_account
from ledger.members import read_registration
from ledger.proposals import AdmitBroker, Propose, SetParameter, SuspendBroker
from tests.node.city import City
from tests.node.small_chain import BROKER, FLEETS, MEMBERS, PEOPLE, ask, bid
from tests.node.test_membership import carry

TARIFF = Tariff(lambda_micro=7, sigma_ppm=0, fee_basis="deal", weights="spread", pricing="midpoint")


def test_a_broker_applies_is_admitted_suspended_and_admitted_again() -> None:
    city, key = City(), PEOPLE[1]
    change = AdmitBroker(key.address)
    assert city.outcome(MEMBERS[0], Propose(change)) == "no_application"
    bad = ApplyBroker("b", Tariff(**{**_fields(), "pricing": "core_buyer"}))  # type: ignore[arg-type]
    assert city.outcome(key, bad) == "invalid_tariff"
    assert city.outcome(key, ApplyBroker("south broker", TARIFF)) == "ok"
    assert city.outcome(key, ApplyBroker("south broker", TARIFF)) == "already_registered"
    assert carry(city, change) == ["ok"] * 3
    broker = read_broker(city.state, key.address)
    assert broker is not None
    assert (broker.status, broker.tariff) == ("active", TARIFF)
    registration = read_registration(city.state, key.address)
    assert registration is not None
    assert registration.role == "broker"
    assert carry(city, SuspendBroker(key.address)) == ["ok"] * 3
    assert city.outcome(MEMBERS[0], Propose(SuspendBroker(key.address))) == "unknown_broker"
    assert carry(city, change) == ["ok"] * 3


def test_a_suspended_book_gives_back_what_its_orders_had_set_aside() -> None:
    city = City()
    fleet, server = FLEETS[0], MEMBERS[0]
    assert city.outcome(fleet, bid(1_000_000)) == "ok"
    assert city.outcome(server, ask()) == "ok"
    assert read_account(city.state, fleet.address).reserved > 0
    assert carry(city, SuspendBroker(BROKER.address)) == ["ok"] * 3
    assert read_account(city.state, fleet.address).reserved == 0
    assert read_account(city.state, server.address).reserved == 0
    assert committed_resources(city.state, server.address).computation == 0
    assert city.outcome(fleet, bid()) == "broker_suspended"


def test_the_members_set_the_notice_and_a_broker_changes_its_tariff_after_it() -> None:
    city = City()
    notice = SetParameter("market", "tariff_notice_blocks", 3)
    assert carry(city, notice) == ["ok"] * 3
    assert city.outcome(BROKER, ChangeTariff(TARIFF)) == "ok"
    announced = read_broker(city.state, BROKER.address)
    assert announced is not None
    (pending,) = announced.pending
    assert pending.tariff == TARIFF
    city.run_to(pending.effective)
    changed = read_broker(city.state, BROKER.address)
    assert changed is not None
    assert (changed.tariff, changed.version, changed.pending) == (TARIFF, 2, ())
    assert city.outcome(FLEETS[0], bid()) == "ok"


def _fields() -> dict[str, object]:
    return {name: getattr(TARIFF, name) for name in TARIFF.__struct_fields__}
