"""The authorisation matrix: for every type of action who may and who may not."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from auction.actions import BidPrice, Cancel, FlatLimit, Rate, Reprice
from auction.brokers import Tariff
from auction.licences import ApplyBroker
from auction.tariffs import ChangeTariff
from consensus.actions import Accuse
from ledger.crypto import SigningKey
from ledger.members import Member, Status, read_member, write_member
from ledger.membership import Leave, Unjail, Update
from ledger.native import Register, Stake, Transfer, Unstake
from ledger.proposals import Approve, Propose, SetParameter, proposal_id
from ledger.state import Overlay
from ledger.transactions import Action
from node.application.chain import ACTIONS, EXECUTORS, HANDLERS
from tests.node.city import RESOURCES, City, application_of
from tests.node.small_chain import BROKER, FLEETS, MEMBERS, PEOPLE, ask, bid
from tests.node.test_membership import double_vote

WHO = ("person", "its", "broker", "active", "jailed", "admitted", "left", "ejected")
CHANGE = SetParameter("ledger", "bond_blocks", 7)
OPEN = SetParameter("ledger", "bond_blocks", 8)
TARIFF = Tariff(lambda_micro=1, sigma_ppm=0, fee_basis="deal", weights="spread", pricing="midpoint")
NOTHING = "00" * 32

# Codes in the order of WHO.  `-` is role_not_allowed, `+` ok.
MATRIX: dict[type[Action], tuple[Action, str]] = {
    Transfer: (Transfer(PEOPLE[5].address, 1), "+ + + + + + + +"),
    Stake: (Stake(1), "- - - + + + - -"),
    Unstake: (Unstake(1), "- - - + + - - -"),
    Register: (Register(PEOPLE[6].address, "x", "its"), "- - - + - - - -"),
    type(application_of(PEOPLE[0])): (
        application_of(PEOPLE[0]),
        "+ already_registered already_registered already_registered already_registered"
        " already_registered + -",
    ),
    Update: (Update(application_of(PEOPLE[0]).vrf_key, "", RESOURCES), "- - - + + + - -"),
    Unjail: (Unjail(), "- - - - + - - -"),
    Leave: (Leave(), "- - - + + + - -"),
    Propose: (Propose(CHANGE), "- - - + - - - -"),
    Approve: (Approve(proposal_id(OPEN).hex()), "- - - + - - - -"),
    Accuse: (Accuse("00"), "+ + + + + + + +"),
    type(bid()): (bid(), "- + - - - - - -"),
    type(ask()): (ask(), "- - - + - - - -"),
    Reprice: (
        Reprice(
            NOTHING,
            BidPrice(expires=9, open_ppm=1, omega_micro=1, mu=1, valuation=FlatLimit(1)),
        ),
        " ".join(["unknown_order"] * 8),
    ),
    Cancel: (Cancel(NOTHING), " ".join(["unknown_order"] * 8)),
    Rate: (Rate(NOTHING, 1), " ".join(["unknown_agreement"] * 8)),
    ApplyBroker: (
        ApplyBroker("x", TARIFF),
        "+ already_registered already_registered already_registered already_registered"
        " already_registered already_registered already_registered",
    ),
}


MATRIX[ChangeTariff] = (
    ChangeTariff(TARIFF),
    "unknown_broker unknown_broker + " + " ".join(["unknown_broker"] * 5),
)


def test_every_type_of_action_and_of_change_has_its_row_and_its_handler() -> None:
    assert set(MATRIX) == set(ACTIONS) == set(HANDLERS)
    assert len(EXECUTORS) == 5


def city_with(status: Status) -> City:
    """A city whose first member has this status and whose second one proposed OPEN."""
    city = City()
    assert city.outcome(MEMBERS[1], Propose(OPEN)) == "ok"
    city.run_to(2)
    if status != "active":
        overlay = Overlay(city.state)
        member = read_member(city.state, MEMBERS[0].address)
        assert isinstance(member, Member)
        bond = 10_000 if status == "admitted" else 0
        write_member(overlay, MEMBERS[0].address, replace(member, status=status, bond_until=bond))
        city.state.merge(overlay)
        city.restart()
    return city


def sender(who: str) -> SigningKey:
    return {"person": PEOPLE[1], "its": FLEETS[0], "broker": BROKER}.get(who, MEMBERS[0])


@pytest.mark.parametrize("kind", ACTIONS, ids=lambda kind: str(kind.__name__))
@pytest.mark.parametrize("place", range(len(WHO)), ids=WHO)
def test_who_may_and_who_may_not(place: int, kind: type[Action]) -> None:
    action, row = MATRIX[kind]
    expected = {"+": "ok", "-": "role_not_allowed"}.get(row.split()[place], row.split()[place])
    who = WHO[place]
    city = city_with(who if who in WHO[3:] else "active")  # type: ignore[arg-type]
    if isinstance(action, Accuse):
        action = Accuse(double_vote(city, MEMBERS[2], 1).hex())
    assert city.outcome(sender(who), action) == expected


def test_costly_actions_stand_first_in_their_transaction() -> None:
    city = City()
    pay = Transfer(PEOPLE[5].address, 1)
    costly = (Propose(CHANGE), Approve(NOTHING), Accuse("00"), application_of(MEMBERS[0]))
    for action in (*costly, MATRIX[Update][0], MATRIX[ApplyBroker][0]):
        assert city.outcome(MEMBERS[0], pay, action) == "limit_exceeded"
