"""Random lives of members: money is conserved, four seats at least, one fine per member."""

from __future__ import annotations

from random import Random

import pytest

from consensus.actions import Accuse
from ledger.crypto import SigningKey
from ledger.members import read_member
from ledger.membership import Leave, Unjail, Update
from ledger.native import Stake, Unstake
from ledger.proposals import AdmitMember, Approve, EjectMember, Propose, proposals
from ledger.transactions import Action
from tests.node.city import RESOURCES, City, application_of
from tests.node.small_chain import MEMBERS, PEOPLE, TOKEN
from tests.node.test_membership import double_vote

BLOCKS = 60
ACTORS = [*MEMBERS, *PEOPLE[:5]]


def some_action(city: City, chance: Random, actor: SigningKey) -> Action:
    """Anything a member or would-be member may think of, sensible or not."""
    other = chance.choice(ACTORS)
    held = [proposal.hex() for proposal, _ in proposals(city.state)]
    if held and chance.random() < 0.6:
        return Approve(chance.choice(held))
    seated = [key for key in ACTORS if key.address in city.seated()]
    applied = application_of(actor)
    options: list[Action] = [
        applied,
        Stake(chance.randrange(1, 30) * TOKEN),
        Unstake(chance.randrange(1, 30) * TOKEN),
        Update(applied.vrf_key, "", RESOURCES),
        Unjail(),
        Propose(AdmitMember(other.address)),
        Propose(AdmitMember(other.address)),
    ]
    if chance.random() < 0.2:
        culprit = chance.choice(seated)
        height = city.height + 1
        options += [Leave(), Propose(EjectMember(other.address))]
        options.append(Accuse(double_vote(city, culprit, height).hex()))
    return chance.choice(options)


@pytest.mark.parametrize("seed", range(4))
def test_a_random_crowd_never_breaks_the_rules(seed: int) -> None:
    city, chance = City(), Random(seed)
    fines: list[str] = []
    seen: set[str] = set()
    for _ in range(BLOCKS):
        for actor in chance.sample(ACTORS, 4):
            city.send(actor, some_action(city, chance, actor))
        before, old = city.height, city.seated()
        city.advance(chance.choice((1, 1, 1, 2, 3)))  # checks money and the least set itself
        seen.update(city.kinds())
        fines += [str(e.data["address"]) for e in city.events if e.kind == "member.ejected"]
        if city.seated() != old:
            assert (before + 2) % 4 == 0, "only at a boundary"
            limit = (len(old) - 1) // 3
            assert len(set(old) - set(city.seated())) <= limit
            assert len(set(city.seated()) - set(old)) <= max(1, limit)
        people = [read_member(city.state, address) for address in city.seated()]
        jailed = [one for one in people if one is not None and one.status == "jailed"]
        assert len(jailed) <= (len(old) - 1) // 3
    assert len(fines) == len(set(fines))
    assert "member.applied" in seen
