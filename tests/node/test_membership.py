"""Membership as a life: rules M1 to M10 of docs/protocol.md, on whole certified blocks."""

from __future__ import annotations

from msgspec.structs import replace

from consensus.actions import Accuse
from consensus.simplex.evidence import accuse
from consensus.simplex.types import VoteKind
from consensus.simplex.wire import encode_evidence
from ledger.accounts import BURNED, pot_balance, read_account
from ledger.crypto import SigningKey
from ledger.members import Resources
from ledger.membership import Leave, Unjail, Update
from ledger.native import Stake, Unstake
from ledger.parameters import ledger_parameters
from ledger.proposals import (
    AdmitMember,
    Approve,
    Changes,
    EjectMember,
    Propose,
    SetParameter,
    proposal_id,
    proposals,
)
from tests.node.city import NEWCOMER, City, application_of
from tests.node.small_chain import MEMBERS, PEOPLE, TOKEN, ask


def carry(city: City, change: Changes, voters: list[SigningKey] = MEMBERS[:3]) -> list[str]:
    """Propose and approve in one block."""
    city.send(voters[0], Propose(change))
    for voter in voters[1:]:
        city.send(voter, Approve(proposal_id(change).hex()))
    return city.advance()


def join(city: City, key: SigningKey = NEWCOMER) -> None:
    """Take a newcomer all the way to its seat."""
    assert city.outcome(key, application_of(key)) == "ok"
    assert carry(city, AdmitMember(key.address)) == ["ok"] * 3
    assert city.outcome(key, Stake(20 * TOKEN)) == "ok"
    city.run_to(city.next_boundary() + 3)
    assert key.address in city.seated()


def double_vote(city: City, key: SigningKey, height: int) -> bytes:
    left = city.vote(VoteKind.FINALIZE, height, 1, key, b"a" * 32)
    right = city.vote(VoteKind.FINALIZE, height, 1, key, b"b" * 32)
    return encode_evidence(accuse(left, right))


def test_a_whole_life_from_application_to_the_last_coin(  # M1 M2 M3 M4
) -> None:
    city = City()
    assert city.outcome(NEWCOMER, application_of(NEWCOMER)) == "ok"
    assert city.outcome(NEWCOMER, application_of(NEWCOMER)) == "already_registered"
    assert carry(city, AdmitMember(NEWCOMER.address), MEMBERS[:2]) == ["ok", "ok"]
    assert city.outcome(NEWCOMER, Stake(20 * TOKEN)) == "role_not_allowed"
    change = AdmitMember(NEWCOMER.address)
    assert city.outcome(MEMBERS[2], Approve(proposal_id(change).hex())) == "ok"
    assert city.member(NEWCOMER).status == "admitted"
    assert city.outcome(NEWCOMER, Stake(TOKEN // 2)) == "ok"
    assert city.member(NEWCOMER).status == "admitted"
    assert city.outcome(NEWCOMER, Stake(20 * TOKEN)) == "ok"
    assert city.member(NEWCOMER).status == "active"
    first = city.next_boundary()  # announced here, seated one boundary later
    city.run_to(first)
    assert NEWCOMER.address not in city.seated()
    city.run_to(first + 2)
    assert NEWCOMER.address not in city.seated()
    city.run_to(first + 3)
    assert len(city.seated()) == 5
    assert NEWCOMER.address in city.seated()
    built = set()
    for _ in range(25):
        built.add(city.head.election.leader(1).address)
        city.advance()
    assert NEWCOMER.address in built
    assert city.outcome(NEWCOMER, Leave()) == "ok"
    assert city.outcome(NEWCOMER, Unstake(TOKEN)) == "role_not_allowed"
    city.run_to(city.next_boundary() - 1)
    assert NEWCOMER.address not in city.seated()
    record = city.member(NEWCOMER)
    assert (record.status, record.stake_micro) == ("left", 0)
    assert sum(entry.amount_micro for entry in record.unbonding) == 20 * TOKEN + TOKEN // 2
    before = read_account(city.state, NEWCOMER.address).free
    city.run_to(record.unbonding[0].unlock_height)
    assert read_account(city.state, NEWCOMER.address).free > before + 20 * TOKEN
    assert city.outcome(NEWCOMER, application_of(NEWCOMER)) == "ok"


def test_m2_who_does_not_bond_in_time_is_out_again() -> None:
    city = City()
    assert carry(city, SetParameter("ledger", "bond_blocks", 2)) == ["ok"] * 3
    assert city.outcome(NEWCOMER, application_of(NEWCOMER)) == "ok"
    assert carry(city, AdmitMember(NEWCOMER.address)) == ["ok"] * 3
    city.advance()
    city.advance()
    assert city.member(NEWCOMER).status == "left"
    assert city.outcome(NEWCOMER, Stake(20 * TOKEN)) == "role_not_allowed"


def test_m4_a_set_of_four_keeps_the_seat_of_one_who_left_but_not_its_weight() -> None:
    city = City()
    assert city.outcome(MEMBERS[3], Leave()) == "ok"
    city.run_to(city.next_boundary() + 12)
    assert MEMBERS[3].address in city.seated()
    assert city.member(MEMBERS[3]).stake_micro == 40 * TOKEN, "it votes, so it stays liable"
    entry = next(e for e in city.head.election.entries if e.address == MEMBERS[3].address)
    assert entry.weight == 0
    join(city)
    city.run_to(city.next_boundary() + 3)
    assert MEMBERS[3].address not in city.seated()
    assert city.member(MEMBERS[3]).stake_micro == 0


def test_m5_an_update_keeps_what_the_market_was_promised_and_a_key_waits_two_boundaries() -> None:
    city, key = City(), MEMBERS[0]
    assert city.outcome(key, ask()) == "ok"
    record = city.member(key)
    fresh = application_of(PEOPLE[1]).vrf_key
    least = Resources(20_000, 40_000, 20_000)
    for scarce in (
        replace(least, computation=19_999),
        replace(least, communication=39_999),
        replace(least, modelling=19_999),
    ):
        assert city.outcome(key, Update(record.vrf_key, "", scarce)) == "resources_exceeded"
    assert city.outcome(key, Update("00" * 32, "", least)) == "unacceptable_key"
    assert city.outcome(key, Update(fresh, "http://new", least)) == "ok"
    assert city.member(key).resources == least
    assert city.member(key).endpoint == "http://new"
    index = city.seated().index(key.address)
    first = city.next_boundary()
    city.run_to(first + 2)
    assert city.head.validators.vrf_keys[index].hex() == record.vrf_key
    city.run_to(first + 3)
    assert city.head.validators.vrf_keys[index].hex() == fresh


def test_m6_more_than_two_thirds_decide_and_only_active_members_count() -> None:
    city = City()
    change = SetParameter("consensus", "block_reward_micro", 900_000)
    approval = Approve(proposal_id(change).hex())
    assert city.outcome(PEOPLE[0], Propose(change)) == "role_not_allowed"
    assert city.outcome(MEMBERS[0], Approve("00" * 32)) == "unknown_proposal"
    assert city.outcome(MEMBERS[0], Propose(change)) == "ok"
    assert city.outcome(MEMBERS[1], Propose(change)) == "already_proposed"
    assert city.outcome(MEMBERS[0], approval) == "already_approved"
    assert city.outcome(PEOPLE[0], approval) == "role_not_allowed"
    assert city.outcome(MEMBERS[0], Leave()) == "ok"
    assert city.outcome(MEMBERS[1], approval) == "ok"
    assert city.outcome(MEMBERS[2], approval) == "ok"
    assert [record.change for _, record in proposals(city.state)] == [change], "two of three"
    assert city.outcome(MEMBERS[3], approval) == "ok"
    assert "parameter.changed" in city.kinds()
    assert not list(proposals(city.state))


def test_m6_a_proposal_ends_with_its_time_and_each_member_has_eight() -> None:
    city = City()
    assert carry(city, SetParameter("ledger", "proposal_blocks", 12)) == ["ok"] * 3
    for value in range(8):
        change = SetParameter("ledger", "unbonding_blocks", value)
        assert city.outcome(MEMBERS[0], Propose(change)) == "ok"
    more = Propose(SetParameter("ledger", "unbonding_blocks", 9))
    assert city.outcome(MEMBERS[0], more) == "limit_exceeded"
    assert city.outcome(MEMBERS[1], more) == "ok"
    city.run_to(city.height + 12)
    assert not list(proposals(city.state))


def test_m7_parameters_outside_their_bounds_or_fixed_are_not_even_proposed() -> None:
    city = City()
    for scope, name, value in (
        ("ledger", "chain", 1),
        ("ledger", "max_transaction_bytes", 600),
        ("ledger", "max_sealed_bytes", 1_024),
        ("ledger", "no_such_name", 1),
        ("ledger", "stake_min_micro", 0),
        ("ledger", "stake_max_micro", 1),
        ("consensus", "lookback_override", 40),
        ("consensus", "skip_fee_micro", 1),
        ("consensus", "boundary_blocks", 0),
        ("market", "pairs_per_block", 1),
        ("market", "chain_share_ppm", 1_000_001),
    ):
        change = SetParameter(scope, name, value)  # type: ignore[arg-type]
        assert city.outcome(MEMBERS[0], Propose(change)) == "validation_error", name
    assert carry(city, SetParameter("ledger", "fee_per_action_micro", 0)) == ["ok"] * 3
    assert ledger_parameters(city.state).fee_per_action_micro == 0


def test_m8_missed_turns_lead_to_jail_the_end_of_the_order_and_back() -> None:
    city = City()
    join(city)
    absent = MEMBERS[
        3
    ]  # the largest stake: led twice between two boundaries soon, whatever the seed
    while city.member(absent).status == "active":
        city.advance(2 if city.head.election.leader(1).address == absent.address else 1)
        assert city.height < 80
    assert "member.jailed" in city.kinds()
    if absent.address in city.seated():
        assert city.head.election.leader(5).address == absent.address
    assert city.outcome(absent, Unjail()) == "still_jailed"
    city.run_to(max(city.next_boundary(), city.member(absent).jailed_until))
    assert absent.address not in city.seated()
    assert city.outcome(absent, Unjail()) == "ok"
    assert city.outcome(absent, Unjail()) == "role_not_allowed"
    city.run_to(city.next_boundary() + 3)
    assert absent.address in city.seated()


def test_m8_who_does_not_vote_is_jailed_at_the_boundary_and_at_most_f_at_once() -> None:
    city = City()
    absent = [MEMBERS[3].address]
    city.run_to(3)
    for _ in range(8):
        city.advance(city.view_without(absent), absent)
    assert city.member(MEMBERS[3]).status == "jailed"
    second = [MEMBERS[2].address]
    while city.height < 15:
        city.advance(city.view_without(second), second)
    assert city.member(MEMBERS[2]).status == "active", "f = 1 is in jail already"
    assert len(city.seated()) == 4


def test_m9_an_outage_is_nobodys_fault() -> None:
    city = City()
    absent = MEMBERS[3].address
    for _ in range(8):
        view = 5 if city.head.election.leader(5).address != absent else 6
        city.advance(view, [absent])
    assert all(city.member(key).status == "active" for key in MEMBERS)


def test_m10_an_offence_is_fined_once_whichever_way_it_comes() -> None:
    city, culprit = City(), MEMBERS[1]
    city.run_to(3)
    proof = double_vote(city, culprit, 2)
    stake, deposit = city.member(culprit).stake_micro, city.member(culprit).deposit_micro
    burned = pot_balance(city.state, BURNED)
    city.evidence = [proof]
    city.send(PEOPLE[2], Accuse(proof.hex()))
    assert city.advance() == ["bad_evidence"], "the builder's own evidence was first"
    assert city.member(culprit).status == "ejected"
    fined = pot_balance(city.state, BURNED) - burned
    assert deposit + stake // 10 <= fined <= deposit + stake // 10 + 5 * TOKEN
    assert city.outcome(PEOPLE[2], Accuse(double_vote(city, culprit, 3).hex())) == "bad_evidence"
    city.evidence = [proof]
    city.advance()
    assert pot_balance(city.state, BURNED) == burned + fined
    assert city.outcome(culprit, application_of(culprit)) == "role_not_allowed"


def test_m10_anybody_may_bring_evidence_and_one_who_left_still_pays() -> None:
    city, culprit = City(), MEMBERS[1]
    join(city)
    height = city.height
    assert city.outcome(culprit, Unstake(10 * TOKEN)) == "ok"
    assert city.outcome(culprit, Leave()) == "ok"
    city.run_to(city.next_boundary() + 3)
    record = city.member(culprit)
    held = sum(entry.amount_micro for entry in record.unbonding)
    assert culprit.address not in city.seated()
    assert held == 20 * TOKEN
    assert city.outcome(PEOPLE[3], Accuse(double_vote(city, culprit, height).hex())) == "ok"
    record = city.member(culprit)
    assert record.status == "ejected"
    assert sum(entry.amount_micro for entry in record.unbonding) == held - held // 10
    assert city.outcome(PEOPLE[3], Accuse("00")) == "bad_evidence"


def test_a_member_voted_out_is_not_fined_and_does_not_come_back() -> None:
    city, victim = City(), MEMBERS[3]
    join(city)
    burned = pot_balance(city.state, BURNED)
    assert carry(city, EjectMember(victim.address), [*MEMBERS[:3], NEWCOMER]) == ["ok"] * 4
    assert city.member(victim).status == "ejected"
    assert pot_balance(city.state, BURNED) == burned
    city.run_to(city.next_boundary())
    assert victim.address not in city.seated()
    assert city.outcome(victim, application_of(victim)) == "role_not_allowed"


def test_m4_the_last_active_member_stays_for_nobody_else_could_admit() -> None:
    city = City()
    for key in MEMBERS[:3]:
        assert city.outcome(key, Leave()) == "ok"
    assert city.outcome(MEMBERS[3], Leave()) == "limit_exceeded"
    assert city.outcome(MEMBERS[3], Propose(EjectMember(MEMBERS[3].address))) == "limit_exceeded"
    assert city.outcome(NEWCOMER, application_of(NEWCOMER)) == "ok"
    assert city.outcome(MEMBERS[3], Propose(AdmitMember(NEWCOMER.address))) == "ok"
    assert city.member(NEWCOMER).status == "admitted"
