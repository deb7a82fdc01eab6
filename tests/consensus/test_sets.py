"""The voting set: constant between boundaries, changed within limits, looked up by height."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from consensus.checks import check_commits
from consensus.history import Seat, VotingSet
from consensus.parameters import ConsensusParameters
from consensus.sets import (
    foresee,
    next_seats,
    next_validator_set,
    validator_set,
    voting_set,
)
from consensus.simplex.types import VoteKind
from ledger.accounts import credit
from ledger.crypto import verify
from ledger.errors import Corrupt, Rejected
from ledger.members import Member, Status, write_member
from ledger.state import Overlay
from tests.consensus.chain import Chain, address_of, block_hash, key_of, member

SHORT = ConsensusParameters(boundary_blocks=10, deposit_blocks=30)


def admit(chain: Chain, number: int, stake: int = 4_000_000) -> None:
    """What a membership transaction will do one day."""
    overlay = Overlay(chain.state)
    write_member(overlay, address_of(number), member(number, stake))
    credit(overlay, address_of(number), 10**9)
    chain.keys[address_of(number)] = key_of(number)
    chain.state.merge(overlay)


def sizes(chain: Chain, heights: int) -> dict[int, int]:
    """The size of set(h) while the chain grows, at the heights where it changes."""
    changes = {}
    last = 0
    for _ in range(heights):
        chain.advance()
        size = next_validator_set(chain.state).n
        if size != last:
            changes[chain.height + 1] = size
        last = size
    return changes


def test_a_new_member_votes_from_the_second_boundary_after_its_admission() -> None:
    chain = Chain(4, SHORT)
    chain.advance()
    admit(chain, 9)
    assert sizes(chain, 25) == {3: 4, 20: 5}
    with pytest.raises(Corrupt):
        validator_set(chain.state, -1)


def test_a_member_that_left_loses_its_seat_and_tokens_at_the_next_boundary() -> None:
    chain = Chain(7, SHORT)
    chain.advance()
    chain.change(3, status="left")
    assert sizes(chain, 12) == {3: 7, 10: 6}
    assert chain.tokens(address_of(3)) == 0
    assert address_of(3) not in [seat.address for seat in voting_set(chain.state, 10).seats]


def test_a_set_of_four_keeps_the_seat_of_a_jailed_member_with_weight_zero() -> None:
    chain = Chain(4, SHORT)
    chain.advance()
    chain.change(3, status="jailed")
    assert sizes(chain, 15) == {3: 4}
    entry = next(e for e in chain.election().entries if e.address == address_of(3))
    assert entry.weight == 0
    assert entry.position == 3


def test_at_most_a_third_of_the_seats_change_hands_at_one_boundary() -> None:
    chain = Chain(7, SHORT)
    chain.advance()
    for number in range(4):
        chain.change(number, status="left")
    assert sizes(chain, 32) == {3: 7, 10: 5, 20: 4}


def test_a_new_vrf_key_counts_from_the_second_boundary_on() -> None:
    chain = Chain(4, SHORT)
    chain.advance()
    chain.change(2, vrf_key="ab" * 32)
    seen = {}
    for _ in range(22):
        chain.advance()
        keys = {seat.address: seat.vrf_key for seat in voting_set(chain.state, chain.height).seats}
        seen[chain.height] = keys[address_of(2)] == "ab" * 32
    assert next(height for height, new in seen.items() if new) == 20


def test_certificates_across_a_boundary_are_checked_with_the_set_of_their_own_height() -> None:
    chain = Chain(4, SHORT, signed=True)
    chain.advance()
    admit(chain, 9)
    while chain.height < 19:
        chain.advance()
    check_commits(chain.state, chain.commits(2), chain.claim(2), verify)
    assert (validator_set(chain.state, 19).n, validator_set(chain.state, 20).n) == (4, 5)
    chain.advance(1, chain.commits(absent=[0]))
    late = (chain.late_vote(18, 1),)
    with pytest.raises(Rejected):
        check_commits(chain.state, chain.commits(late=late), chain.claim(), verify)
    late = (chain.late_vote(19, 0),)
    check_commits(chain.state, chain.commits(late=late), chain.claim(), verify)
    before = validator_set(chain.state, 19)
    assert chain.vote(VoteKind.FINALIZE, 19, 1, 3, block_hash(19)).signer < before.n
    chain.advance(1, chain.commits(late=late))
    event = next(event for event in chain.events if event.kind == "reward.paid")
    assert event.data["votes_micro"] == 5 * (400_000 // 5) + 400_000 // 4


def test_old_sets_are_forgotten_when_no_evidence_can_name_them_any_more() -> None:
    chain = Chain(4, SHORT)
    admit(chain, 9)
    while chain.height < 49:
        chain.advance()
    assert validator_set(chain.state, 19).n == 4
    for _ in range(3):
        chain.advance()
    with pytest.raises(Corrupt):
        validator_set(chain.state, 19)
    assert validator_set(chain.state, 20).n == 5


def test_what_the_next_boundary_will_bring_is_foreseen_until_it_comes() -> None:
    chain = Chain(5, SHORT)
    came: list[str] = []
    went: list[str] = []
    foreseen = foresee(chain.state)
    while chain.height < 45:
        if chain.height == 3:
            admit(chain, 9)
            assert foresee(chain.state).announced == (address_of(9),)
        if chain.height == 23:
            left = replace(member(2, 4_000_000), status="left")
            overlay = Overlay(chain.state)
            write_member(overlay, address_of(2), left)
            chain.state.merge(overlay)
        foreseen = foresee(chain.state)
        assert foreseen.height - 1 - chain.height == foreseen.blocks_left > 0
        before = set(next_validator_set(chain.state).keys)
        chain.advance()
        after = set(next_validator_set(chain.state).keys)
        if foreseen.blocks_left == 1:
            assert {key.hex() for key in after - before} == set(foreseen.joining)
            assert {key.hex() for key in before - after} == set(foreseen.leaving)
            assert len(after) == foreseen.size_after
        else:
            assert after == before
        came += foreseen.joining
        went += foreseen.leaving
    assert set(came) == {address_of(9)}
    assert set(went) == {address_of(2)}


STATUSES: tuple[Status, ...] = ("active", "jailed", "left", "ejected")


@given(st.integers(1, 30), st.data())
def test_every_boundary_keeps_the_limits(size: int, data: st.DataObject) -> None:
    people: dict[str, Member] = {}
    for number in range(size + data.draw(st.integers(0, 8))):
        status = data.draw(st.sampled_from(STATUSES))
        made = member(number, data.draw(st.integers(1, 5)))
        people[f"{number:064x}"] = replace(made, status=status)
    seats = tuple(Seat(who, people[who].vrf_key) for who in sorted(people)[:size])
    announced = tuple(Seat(who, people[who].vrf_key) for who in sorted(people))
    after = next_seats(VotingSet(0, seats), announced, people)
    old, new = {seat.address for seat in seats}, {seat.address for seat in after}
    limit = (size - 1) // 3
    assert [seat.address for seat in after] == sorted(new)
    assert len(old - new) <= limit
    assert len(new - old) <= max(1, limit)
    assert all(people[who].status != "active" for who in old - new)
    assert all(people[who].status == "active" for who in new - old)
    assert len(new) >= min(4, size)
