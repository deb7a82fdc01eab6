"""Rules E6 and E7: whose turn a block consumes, what a missed turn costs, what a deposit is."""

import pytest

from consensus.history import read_turn
from consensus.parameters import ConsensusParameters
from consensus.tokens import accrual, read_standing
from ledger.accounts import BURNED, POOL, pot_balance, read_account, total_money
from tests.consensus.chain import Chain, address_of

ONE = accrual(4_000_000, 5_000)


def money_of(chain: Chain, address: str) -> tuple[int, int, int]:
    member = chain.member(address)
    return read_account(chain.state, address).free, member.deposit_micro, member.stake_micro


@pytest.mark.parametrize("view", [1, 2, 3, 4])
def test_rule_e6_a_block_of_view_w_consumes_the_turns_of_leaders_1_to_w(view: int) -> None:
    chain = Chain(4)
    for _ in range(6):
        chain.advance()
    election = chain.advance(view)
    turn = read_turn(chain.state, chain.height)
    assert turn is not None
    assert list(turn.consumed) == [election.leader(place).address for place in range(1, view + 1)]
    skipped = [event for event in chain.events if event.kind == "turn.skipped"]
    assert [event.data["view"] for event in skipped] == list(range(1, view))
    for entry in election.entries:
        standing = read_standing(chain.state, entry.address)
        took_turn = entry.position < view
        assert (chain.tokens(entry.address) == ONE) == took_turn
        assert (standing.last_turn == chain.height) == took_turn
        if took_turn:
            charged = chain.parameters.skip_fee_micro if entry.position < view - 1 else 0
            held = chain.member(entry.address).deposit_micro
            assert held == chain.parameters.deposit_micro - charged


@pytest.mark.parametrize("view", [5, 6, 8, 9, 4_000_000])
def test_rule_e6_beyond_view_n_only_the_builder_loses_its_turn_and_nobody_pays(view: int) -> None:
    chain = Chain(4)
    for _ in range(6):
        chain.advance()
    before = {who: chain.tokens(who) for who in chain.keys}
    election = chain.advance(view)
    builder = election.leader(view).address
    turn = read_turn(chain.state, chain.height)
    assert turn is not None
    assert turn.consumed == (builder,)
    assert [event.kind for event in chain.events if event.kind == "turn.skipped"] == []
    for who in chain.keys:
        assert chain.tokens(who) == (ONE if who == builder else before[who] + ONE)


def test_rule_e6_the_skip_fee_goes_to_the_pool() -> None:
    chain = Chain(4)
    before = pot_balance(chain.state, POOL)
    chain.advance(3)
    assert pot_balance(chain.state, POOL) == before + 2 * chain.parameters.skip_fee_micro


def test_rule_e6_members_put_at_the_end_are_exempt_from_fee_and_clearing() -> None:
    chain = Chain(4)
    for _ in range(6):
        chain.advance()
    chain.change(1, status="jailed")
    chain.change(2, status="jailed")
    election = chain.election()
    out = {entry.address for entry in election.entries if entry.excluded}
    assert out == {address_of(1), address_of(2)}
    first_out = election.leader(3).address
    money, tokens = money_of(chain, first_out), chain.tokens(first_out)
    chain.advance(4)
    assert [event.data["view"] for event in chain.events if event.kind == "turn.skipped"] == [1, 2]
    assert chain.tokens(first_out) == tokens, "neither cleared nor accruing"
    share = chain.parameters.vote_reward_micro // 4
    free, deposit, stake = money_of(chain, first_out)
    assert (free - share, deposit, stake) == money
    turn = read_turn(chain.state, chain.height)
    assert turn is not None
    assert first_out not in turn.consumed
    assert election.leader(4).address in turn.consumed


def test_rule_e6_a_jailed_builder_of_last_resort_pledges_nothing_and_loses_its_tokens() -> None:
    chain = Chain(4)
    for number in range(4):
        chain.change(number, status="jailed")
    builder = chain.advance(3).leader(3).address
    assert all(chain.member(who).deposit_micro == 0 for who in chain.keys)
    assert chain.tokens(builder) == 0
    assert all(chain.tokens(who) == ONE for who in chain.keys if who != builder)


@pytest.mark.parametrize(
    ("deposit", "free", "stake", "expected"),
    [
        (500_000, 0, 10**6, (0, 0, 10**6)),
        (300_000, 150_000, 10**6, (0, 0, 950_000)),
        (0, 0, 200_000, (0, 0, 0)),
        (0, 0, 0, (0, 0, 0)),
    ],
)
def test_rule_e7_a_fee_takes_deposit_then_free_then_stake_and_never_more_than_there_is(
    deposit: int, free: int, stake: int, expected: tuple[int, int, int]
) -> None:
    """`free` has already been drawn into the deposit when the fee is taken."""
    numbers = dict.fromkeys(range(4), free)
    chain = Chain(4, free=numbers, pool=0, stakes=dict.fromkeys(range(4), stake))
    victim = chain.election().leader(1).address
    chain.change(chain.number_of(victim), deposit_micro=deposit)
    before = sum(money_of(chain, victim))
    chain.advance(2)
    event = next(event for event in chain.events if event.kind == "turn.skipped")
    assert money_of(chain, victim) == expected
    assert event.data["fee_micro"] == before - sum(expected)
    assert total_money(chain.state) == chain.money


def test_rule_e7_there_is_one_deposit_a_further_turn_extends_it_and_does_not_add() -> None:
    chain = Chain(4, ConsensusParameters(deposit_blocks=6))
    last_turn: dict[str, int] = {}
    for _ in range(60):
        election = chain.advance()
        last_turn[election.leader(1).address] = chain.height
        for who, height in last_turn.items():
            member = chain.member(who)
            held = chain.height < height + 6
            assert member.deposit_micro == (chain.parameters.deposit_micro if held else 0)
            assert member.deposit_until == height + 6


def test_rule_e7_a_leader_with_too_little_gives_what_is_free_and_the_block_stands() -> None:
    chain = Chain(4, free=dict.fromkeys(range(4), 70), pool=0)
    election = chain.advance(2)
    for place in (1, 2):
        free, deposit, _ = money_of(chain, election.leader(place).address)
        assert (free, deposit) == (0, 70 if place == 2 else 0)


def test_a_turn_taken_is_told_with_the_tokens_it_cleared() -> None:
    chain = Chain(4)
    election = chain.advance()
    event = chain.events[-1]
    assert event.kind == "turn.taken"
    assert event.accounts == (election.leader(1).address,)
    assert event.data["tokens_cleared"] == str(ONE)
    assert read_standing(chain.state, election.leader(1).address).blocks_built == 1


def test_nothing_is_burned_without_an_offence() -> None:
    chain = Chain(4)
    for view in (1, 2, 9, 3, 4, 1):
        chain.advance(view)
    assert pot_balance(chain.state, BURNED) == 0
