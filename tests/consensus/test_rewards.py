"""Rule E7, rewards: who is paid what for block h in block h+1, and what an empty pool does."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consensus.history import read_turn
from consensus.parameters import ConsensusParameters
from consensus.rewards import scale
from ledger.accounts import POOL, pot_balance, read_account, total_money
from tests.consensus.chain import Chain


def wealth(chain: Chain) -> dict[str, int]:
    """Free money and deposit together: what rewards move, whatever is pledged meanwhile."""
    return {
        who: read_account(chain.state, who).free + chain.member(who).deposit_micro
        for who in chain.keys
    }


def gains(chain: Chain, view: int = 1, **commits: object) -> tuple[dict[str, int], str]:
    """What each account gains in the next block, and who builds it."""
    before = wealth(chain)
    made = chain.commits(view, **commits)  # type: ignore[arg-type]
    builder = chain.advance(view, made).leader(view).address
    after = wealth(chain)
    return {who: after[who] - before[who] for who in after}, builder


def test_rule_e7_builder_voters_and_includer_are_paid_in_the_next_block() -> None:
    chain = Chain(4)
    first = chain.advance().leader(1).address
    gained, second = gains(chain, absent=[3])
    rules = chain.parameters
    entries = chain.election().entries
    for entry in entries:
        expected = 0 if entry.index == 3 else rules.vote_reward_micro // 4
        expected += rules.block_reward_micro * (entry.address == first)
        expected += 3 * rules.inclusion_bonus_micro * (entry.address == second)
        assert gained[entry.address] == expected


def test_rule_e7_leaving_votes_out_brings_nobody_more() -> None:
    full, short = Chain(4), Chain(4)
    full.advance()
    short.advance()
    with_all, builder = gains(full)
    without, same = gains(short, absent=[3])
    assert builder == same
    assert all(without[who] <= with_all[who] for who in with_all)
    assert without[builder] < with_all[builder]


def test_rule_e7_block_1_pays_nothing() -> None:
    chain = Chain(4)
    gained, _ = gains(chain)
    assert set(gained.values()) == {0}
    assert "reward.paid" not in [event.kind for event in chain.events]


def test_rule_e7_a_late_vote_is_paid_once_and_its_includer_too() -> None:
    chain = Chain(4)
    chain.advance()
    chain.advance(1, chain.commits(absent=[2]))
    rules = chain.parameters
    late = chain.late_vote(1, 2)
    voter = chain.election().entries[2].address
    gained, builder = gains(chain, absent=[2], late=(late,))
    own = 4 * rules.inclusion_bonus_micro if builder == voter else 0
    own += rules.block_reward_micro * (voter == chain_builder(chain, 2))
    assert gained[voter] == rules.vote_reward_micro // 4 + own


def chain_builder(chain: Chain, height: int) -> str:
    turn = read_turn(chain.state, height)
    assert turn is not None
    return turn.builder


def test_rule_e7_a_block_proposed_again_by_a_backup_is_still_its_builders() -> None:
    """The certificate's view is that of the last proposal; the turn remembers the builder."""
    chain = Chain(4)
    first = chain.advance(2).leader(2).address
    gained, second = gains(chain)
    assert gained[first] >= chain.parameters.block_reward_micro
    assert first != second or gained[first] > chain.parameters.block_reward_micro


def test_a_builder_that_gave_up_its_reward_gets_none_and_voters_are_paid() -> None:
    chain = Chain(4)
    chain.advance(forgo_reward=True)
    gains(chain)
    event = next(event for event in chain.events if event.kind == "reward.paid")
    assert event.data["block_micro"] == 0
    assert event.data["votes_micro"] == chain.parameters.vote_reward_micro


@pytest.mark.parametrize("pool", [0, 1, 2, 3, 999, 100_000, 1_439_999, 1_440_000, 1_440_001])
def test_rule_e7_a_short_pool_pays_less_in_proportion_and_never_goes_below_zero(pool: int) -> None:
    chain = Chain(4, pool=pool)
    chain.advance()
    gained, _ = gains(chain)
    due = 1_000_000 + 400_000 + 4 * 10_000
    paid = sum(gained.values())
    assert paid == min(due, pool) or (pool < due and pool - 6 < paid <= pool)
    assert pot_balance(chain.state, POOL) == pool - paid >= 0
    assert total_money(chain.state) == chain.money
    event = next(event for event in chain.events if event.kind == "reward.paid")
    assert event.data["unpaid_micro"] == due - paid


@given(st.lists(st.integers(0, 2**50), max_size=40), st.integers(0, 2**53))
def test_scaling_floors_pro_rata_and_never_exceeds_what_there_is(
    amounts: list[int], available: int
) -> None:
    paid = scale(amounts, available)
    assert sum(paid) <= available or sum(paid) == sum(amounts) <= available
    assert all(0 <= part <= amount for part, amount in zip(paid, amounts, strict=True))
    if sum(amounts) <= available:
        assert list(paid) == amounts
    else:
        assert available - sum(paid) < max(1, len(amounts))


def test_rewards_are_divided_by_the_size_of_the_set_with_the_rest_left_in_the_pool() -> None:
    chain = Chain(7, ConsensusParameters(vote_reward_micro=100))
    chain.advance()
    gains(chain)
    event = next(event for event in chain.events if event.kind == "reward.paid")
    assert event.data["votes_micro"] == 7 * (100 // 7)
