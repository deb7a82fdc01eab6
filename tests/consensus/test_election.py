"""Rules E2 to E5: which weights an election is drawn with, and who is moved to the end."""

from hashlib import sha512

import pytest
from msgspec.structs import replace

from consensus import draw
from consensus.election import Election, elect, move_to_end
from consensus.history import read_tip, write_tip
from consensus.parameters import ConsensusParameters
from consensus.tokens import accrual, read_standing
from consensus.turns import check_turn
from ledger.accounts import read_account
from ledger.errors import Corrupt, Reason, Rejected
from ledger.members import is_compliant, read_member
from ledger.state import Overlay
from tests.consensus.chain import Chain, address_of


def weights_of(election: Election) -> dict[str, int]:
    return {entry.address: entry.weight for entry in election.entries}


def eligible_tokens(chain: Chain) -> dict[str, int]:
    """Eq. 2's chi times Tok in the present state, written down once more."""
    found = {}
    for number in range(chain.size):
        who = address_of(number)
        member = read_member(chain.state, who)
        assert member is not None
        able = member.status == "active" and is_compliant(member, chain.ledger)
        means = read_account(chain.state, who).free + member.deposit_micro
        able = able and means >= chain.parameters.deposit_micro
        found[who] = chain.tokens(who) if able else 0
    return found


@pytest.mark.parametrize(("size", "lag"), [(1, 1), (4, 1), (10, 2), (21, 5), (40, 10), (100, 10)])
def test_rule_e2_the_lookback_is_a_quarter_of_the_set_between_one_and_ten(
    size: int, lag: int
) -> None:
    assert ConsensusParameters().lookback(size) == lag
    assert ConsensusParameters(lookback_override=0).lookback(size) == 0


@pytest.mark.parametrize("override", [-1, 0, 3])
def test_rules_e2_e3_every_election_equals_one_recomputed_from_all_old_states(
    override: int,
) -> None:
    """The oracle keeps every old state; the chain keeps only what its own state holds."""
    chain = Chain(8, ConsensusParameters(lookback_override=override), stakes={0: 16_000_000})
    lag = chain.parameters.lookback(8)
    old = [eligible_tokens(chain)]
    consumed: list[set[str]] = [set()]
    views = [1, 1, 2, 1, 4, 1, 1, 8, 9, 10, 1, 1, 3, 1, 1, 20, 1, 2, 2, 1, 1, 1, 5, 1, 1]
    for height, view in enumerate(views, start=1):
        expected = dict(old[max(0, height - 1 - lag)])
        for earlier in range(max(1, height - lag), height):
            expected |= dict.fromkeys(consumed[earlier], 0)
        before = read_tip(chain.state).seed
        election = chain.advance(view)
        assert weights_of(election) == expected
        assert election.seed.hex() == before
        keyed = [(bytes.fromhex(who), weight) for who, weight in sorted(expected.items())]
        assert election.order == draw.order(election.seed, keyed)
        leaders = [election.leader(place).address for place in range(1, view + 1)]
        consumed.append(set(leaders) if view <= 8 else {leaders[-1]})
        old.append(eligible_tokens(chain))


def test_rule_e2_weights_are_those_of_the_lagged_state_and_not_of_the_parent() -> None:
    chain = Chain(8)
    for _ in range(5):
        chain.advance()
    election = chain.election()
    assert election.weights_height == chain.height - 2
    assert any(entry.weight != entry.tokens for entry in election.entries)


@pytest.mark.parametrize("fault", ["resource", "status"])
def test_rule_e2_who_is_not_compliant_or_not_active_has_no_weight_after_the_lag(fault: str) -> None:
    chain = Chain(4)
    weak = address_of(2)
    if fault == "resource":
        chain.change(2, resources=replace(chain.member(weak).resources, communication=99))
    else:
        chain.change(2, status="jailed")
    assert weights_of(chain.election())[weak] > 0, "the lag hides the change for L blocks"
    chain.advance()
    chain.advance()
    assert weights_of(chain.election())[weak] == 0
    assert chain.tokens(weak) <= 2 * accrual(4_000_000, 5_000), "and it does not accrue (E8)"


def test_rule_e2_who_cannot_pledge_the_deposit_has_no_weight() -> None:
    unpaid = ConsensusParameters(block_reward_micro=0, vote_reward_micro=0, inclusion_bonus_micro=0)
    chain = Chain(4, unpaid, free={2: unpaid.deposit_micro - 1, 3: unpaid.deposit_micro})
    for _ in range(8):
        weights = weights_of(chain.election())
        assert weights[address_of(2)] == 0
        chain.advance()
    assert chain.tokens(address_of(2)) == 9 * accrual(4_000_000, 5_000), "it accrues all the same"
    assert read_standing(chain.state, address_of(3)).blocks_built > 0


def test_rule_e2_a_deposit_already_held_counts_towards_eligibility() -> None:
    deposit = ConsensusParameters().deposit_micro
    chain = Chain(4, free=dict.fromkeys(range(4), deposit), pool=0)
    for _ in range(12):
        chain.advance()
        holders = [entry.address for entry in chain.election().entries]
        for who in holders:
            held = chain.member(who).deposit_micro
            assert held + read_account(chain.state, who).free == deposit
    assert all(entry.weight > 0 or entry.consumed for entry in chain.election().entries)


def test_rule_e3_who_had_a_turn_since_the_lagged_state_cannot_be_drawn() -> None:
    chain = Chain(8)
    for view in (1, 1, 3):
        chain.advance(view)
    election = chain.advance(1)
    third = chain.election()
    consumed = {entry.address for entry in third.entries if entry.consumed}
    assert election.leader(1).address in consumed
    assert len(consumed) == 4, "one builder, and three turns of the block of view 3"
    assert all(third.entries[index].weight == 0 for index in third.order[4:])


def test_rule_e4_the_jailed_and_ejected_go_last_and_the_others_keep_their_order() -> None:
    chain = Chain(8)
    chain.advance()
    before = chain.election()
    jailed = before.leader(1).address
    ejected = before.leader(3).address
    chain.change(chain.number_of(jailed), status="jailed")
    chain.change(chain.number_of(ejected), status="ejected")
    after = chain.election()
    kept = [
        index for index in before.order if before.entries[index].address not in (jailed, ejected)
    ]
    assert list(after.order[:-2]) == kept
    assert [after.entries[index].address for index in after.order[-2:]] == [jailed, ejected]
    assert [after.entries[index].chance_ppm for index in after.order[-2:]] == [0, 0]
    assert sum(entry.chance_ppm for entry in after.entries) == 1_000_000


def test_rule_e4_when_all_are_out_the_order_is_the_draw_itself() -> None:
    assert move_to_end((2, 0, 1), (0, 1, 2)) == (2, 0, 1)


def test_rule_e5_with_all_weights_zero_everybody_is_in_a_seeded_order() -> None:
    chain = Chain(4, ConsensusParameters(deposit_micro=10**12), pool=0)
    tops = set()
    for _ in range(40):
        election = chain.advance()
        assert all(entry.weight == 0 for entry in election.entries)
        assert sorted(election.order) == [0, 1, 2, 3]
        assert {entry.chance_ppm for entry in election.entries} == {250_000}
        tops.add(election.order[0])
    assert tops == {0, 1, 2, 3}


def test_leaders_repeat_in_order_beyond_the_last_and_only_they_may_build() -> None:
    election = Chain(4).election()
    for view in range(1, 13):
        leader = election.leader(view)
        assert leader.index == election.order[(view - 1) % 4]
        check_turn(election, view, leader.address)
        with pytest.raises(Rejected) as refusal:
            check_turn(election, view + 1, leader.address)
        assert refusal.value.reason is Reason.WRONG_BUILDER


def test_an_election_asked_of_the_wrong_state_is_no_verdict_but_a_broken_store() -> None:
    chain = Chain(4)
    with pytest.raises(Corrupt):
        elect(chain.state, 2)


def test_the_content_of_a_block_does_not_move_the_next_election() -> None:
    """Against grinding: whatever block h-1 does to stakes, order h was fixed before."""
    orders = set()
    for stake in (1_000_000, 4_000_000, 10**9):
        chain = Chain(8)
        for _ in range(3):
            chain.advance()
        chain.change(1, stake_micro=stake)
        orders.add(chain.election().order)
    assert len(orders) == 1


def test_the_order_depends_on_the_seed() -> None:
    orders = set()
    for number in range(20):
        chain = Chain(8)
        overlay = Overlay(chain.state)
        seed = sha512(b"%d" % number).hexdigest()
        write_tip(overlay, replace(read_tip(chain.state), seed=seed))
        chain.state.merge(overlay)
        orders.add(chain.election().order)
    assert len(orders) == 20
