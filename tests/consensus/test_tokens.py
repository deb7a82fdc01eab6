"""Rule E8: who accrues how much, when it stops, and the long-run shares that follow."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consensus import tokens
from consensus.parameters import ConsensusParameters
from consensus.tokens import Standing, accrual, read_standing
from scripts import shares
from tests.consensus.chain import Chain, address_of

ONE = accrual(4_000_000, 5_000)


def test_equation_1_is_stake_times_satisfaction_in_integers() -> None:
    assert accrual(123_456_789, 4_321) == 123_456_789 * 4_321
    assert accrual(10**15, 10_000, 2) == 10**15 * 10**8


def test_rule_e8_everybody_starts_with_one_accrual_and_earns_one_per_block() -> None:
    chain = Chain(4)
    assert {chain.tokens(who) for who in chain.keys} == {ONE}
    election = chain.advance()
    winner = election.leader(1).address
    for who in chain.keys:
        assert chain.tokens(who) == (ONE if who == winner else 2 * ONE)


def test_rule_e8_satisfaction_and_stake_count_as_they_are_when_the_block_is_made() -> None:
    chain = Chain(4)
    chain.change(2, satisfaction_bp=10_000, stake_micro=6_000_000)
    election = chain.advance()
    before = 0 if election.leader(1).address == address_of(2) else ONE
    assert chain.tokens(address_of(2)) == before + 60_000_000_000


@given(st.integers(0, 10**30), st.integers(0, 10**25), st.integers(1, 256), st.integers(1, 9))
def test_rule_e8_tokens_never_pass_the_age_cap(held: int, added: int, size: int, cap: int) -> None:
    grown = tokens.grow(held, added, size, cap)
    assert grown <= cap * size * added
    assert grown == held + added or grown == cap * size * added


def test_rule_e8_a_member_passed_over_stops_at_three_rounds() -> None:
    """Weight zero for want of a deposit: it is never drawn, but it is live and accrues."""
    unpaid = ConsensusParameters(block_reward_micro=0, vote_reward_micro=0, inclusion_bonus_micro=0)
    chain = Chain(4, unpaid, free={1: 0})
    for _ in range(20):
        chain.advance()
    assert chain.tokens(address_of(1)) == 3 * 4 * ONE


def test_rule_e8_the_silent_accrue_nothing_until_a_vote_of_theirs_is_on_chain() -> None:
    chain = Chain(4, ConsensusParameters(jail_skips=100))
    silent = chain.election().entries[2]
    window = chain.parameters.liveness_window(4)
    assert window == 16
    earned = []
    for _ in range(2 * window):
        view = 2 if chain.election().leader(1).address == silent.address else 1
        before = chain.tokens(silent.address)
        chain.advance(view, chain.commits(view, absent=[silent.index]))
        earned.append(chain.tokens(silent.address) - before)
    assert all(earned[height - 1] <= 0 or height < window for height in range(1, 2 * window + 1))
    assert ONE in earned[: window - 1]
    assert read_standing(chain.state, silent.address).last_live == 0
    chain.advance(1, chain.commits())
    assert read_standing(chain.state, silent.address).last_live == chain.height - 1
    assert chain.tokens(silent.address) in (ONE, 2 * ONE)


def test_rule_e8_a_late_vote_counts_as_a_sign_of_life() -> None:
    chain = Chain(4)
    chain.advance()
    for _ in range(2):
        chain.advance(1, chain.commits(absent=[0]))
    assert read_standing(chain.state, chain.election().entries[0].address).last_live <= 1
    chain.advance(1, chain.commits(absent=[0], late=(chain.late_vote(2, 0),)))
    assert read_standing(chain.state, chain.election().entries[0].address).last_live >= 2


@pytest.mark.parametrize(("height", "live"), [(15, True), (16, False), (17, False)])
def test_rule_e8_the_window_counts_heights_up_to_the_present_one(height: int, live: bool) -> None:
    assert tokens.is_live(Standing(), height, 16) is live


def test_rule_e8_the_zero_sum_all_cleared_and_none_live_still_elects() -> None:
    chain = Chain(1, ConsensusParameters(liveness_blocks=1))
    for _ in range(5):
        election = chain.advance()
        assert election.order == (0,)


def test_rule_e8_one_dead_member_of_ten_misses_below_one_percent_after_ten_rounds() -> None:
    """It votes no more from the start: it is voted out a few times, and then never drawn again."""
    chain = Chain(10)
    dead = chain.election().entries[4]
    missed = []
    for _ in range(500):
        view = 2 if chain.election().leader(1).address == dead.address else 1
        missed.append(view == 2)
        chain.advance(view, chain.commits(view, absent=[dead.index] if chain.height else []))
    assert 1 <= sum(missed[:100]) <= 12
    assert sum(missed[100:]) < 0.01 * 400
    assert read_standing(chain.state, dead.address).turns_skipped == sum(missed)
    assert chain.tokens(dead.address) == 0


def test_long_run_shares_follow_the_square_root_of_the_stake() -> None:
    """n = 10, stakes 4:1, equal satisfaction, no lag: 2:1 within ten percent."""
    stakes = [4] * 5 + [1] * 5
    pure = shares.simulate(stakes, 20_000, 0)
    ratio = shares.group_ratio(pure.shares(), stakes)
    assert 1.8 < ratio < 2.2
    lag = ConsensusParameters().lookback(10)
    lagged = shares.group_ratio(shares.simulate(stakes, 20_000, lag).shares(), stakes)
    print(f"high : low = {ratio:.3f} without lag, {lagged:.3f} with L = {lag}")
    assert 1.5 < lagged < ratio, "the lag flattens shares further"


def test_token_power_two_moves_the_law_towards_proportionality() -> None:
    """Our option k: share ~ w^(k/(k+1)), so stakes 4:1 stand 4^(2/3) = 2.52 to 1."""
    stakes = [4] * 5 + [1] * 5
    ratio = shares.group_ratio(shares.simulate(stakes, 20_000, 0, power=2).shares(), stakes)
    assert 2.27 < ratio < 2.77


def test_the_simulation_of_shares_is_the_election_of_the_chain() -> None:
    """Same weights as a real chain gives them, for the same builders, height by height."""
    chain = Chain(8, stakes=dict.fromkeys(range(4), 16_000_000))
    index_of = {entry.address: entry.index for entry in chain.election().entries}
    by_index = sorted(chain.keys, key=index_of.__getitem__)
    stakes = [chain.member(who).stake_micro // 4_000_000 for who in by_index]
    unit = accrual(shares.STAKE_UNIT, shares.SATISFACTION_BP)
    held = [stake * unit for stake in stakes]
    for _ in range(60):
        election = chain.advance()
        held[election.order[0]] = 0
        held = [
            tokens.grow(amount, stake * unit, 8, 3)
            for amount, stake in zip(held, stakes, strict=True)
        ]
        assert [chain.tokens(who) for who in by_index] == [4 * amount for amount in held]
