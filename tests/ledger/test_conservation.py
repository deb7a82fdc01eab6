"""Random native transactions against an independent model: same outcome, and money is conserved."""

from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.accounts import POOL, pot_balance, read_account, total_money
from ledger.errors import Rejected
from ledger.members import read_member, read_registration
from ledger.native import Register, Stake, Transfer, Unstake, unlock_unbonding
from ledger.transactions import Action
from tests.ledger.chain import FEE, KEYS, MEMBER_COUNT, STAKE_MAX, STAKE_MIN, Chain

UNBONDING_BLOCKS = 5
SIX_WAYS = 6

people = st.integers(0, SIX_WAYS - 1)
amounts = st.sampled_from([0, 1, 7, 500, 9_000, 500_000, 999_990, 2_000_000, 2**53 - 1])
plans = st.one_of(
    st.tuples(st.just("transfer"), people, amounts),
    st.tuples(st.just("stake"), people, amounts.filter(bool)),
    st.tuples(st.just("unstake"), people, amounts.filter(bool)),
    st.tuples(st.just("register"), people, st.just(0)),
)
Plan = tuple[str, int, int]
signed_plans = st.tuples(people, st.integers(-1, 1), st.lists(plans, min_size=1, max_size=4))
blocks = st.lists(st.lists(signed_plans, max_size=6), min_size=1, max_size=9)


@dataclass
class Model:
    """The rules again, in plain numbers: people 0 to 3 are members, 4 and 5 are not."""

    free: list[int] = field(default_factory=lambda: [1_000_000] * SIX_WAYS)
    nonce: list[int] = field(default_factory=lambda: [0] * SIX_WAYS)
    stake: list[int] = field(default_factory=lambda: [10_000] * MEMBER_COUNT)
    waiting: list[tuple[int, int, int]] = field(default_factory=list)
    registered: list[int] = field(default_factory=list)
    pool: int = 500_000

    def clone(self) -> "Model":
        return Model(
            [*self.free],
            [*self.nonce],
            [*self.stake],
            [*self.waiting],
            [*self.registered],
            self.pool,
        )

    def act(self, who: int, plan: Plan, height: int) -> bool:
        kind, whom, amount = plan
        if kind == "transfer":
            if amount == 0 or who == whom or self.free[who] < amount:
                return False
            self.free[who] -= amount
            self.free[whom] += amount
            return True
        if who >= MEMBER_COUNT:
            return False
        if kind == "stake":
            if self.stake[who] + amount > STAKE_MAX or self.free[who] < amount:
                return False
            self.free[who] -= amount
            self.stake[who] += amount
            return True
        if kind == "unstake":
            under_way = sum(owner == who for owner, _, _ in self.waiting)
            if self.stake[who] - amount < STAKE_MIN or under_way >= 16:
                return False
            self.stake[who] -= amount
            self.waiting.append((who, amount, height + UNBONDING_BLOCKS))
            return True
        if whom < MEMBER_COUNT or whom in self.registered:
            return False
        self.registered.append(whom)
        return True

    def transaction(self, who: int, plans: list[Plan], height: int) -> bool | None:
        """Return None if it may not stand in a block, else whether it succeeds."""
        fee = FEE * len(plans)
        if self.free[who] < fee:
            return None
        self.free[who] -= fee
        self.nonce[who] += 1
        self.pool += fee
        attempt = self.clone()
        if not all(attempt.act(who, plan, height) for plan in plans):
            return False
        self.__dict__.update(attempt.__dict__)
        return True

    def close(self, height: int) -> None:
        for who, amount, unlock in self.waiting:
            if unlock <= height:
                self.free[who] += amount
        self.waiting = [entry for entry in self.waiting if entry[2] > height]

    def total(self) -> int:
        return sum(self.free) + sum(self.stake) + self.pool + sum(part[1] for part in self.waiting)


def action_of(plan: Plan) -> Action:
    kind, whom, amount = plan
    address = KEYS[whom].address
    match kind:
        case "transfer":
            return Transfer(address, amount)
        case "stake":
            return Stake(amount)
        case "unstake":
            return Unstake(amount)
        case _:
            return Register(address, "Someone", "account")


def require_same(chain: Chain, model: Model) -> None:
    for who in range(SIX_WAYS):
        account = read_account(chain.state, KEYS[who].address)
        assert (account.free, account.reserved) == (model.free[who], 0)
        assert account.nonce == model.nonce[who]
        registered = read_registration(chain.state, KEYS[who].address) is not None
        assert registered == (who in model.registered)
    for who in range(MEMBER_COUNT):
        member = read_member(chain.state, KEYS[who].address)
        assert member is not None
        assert member.stake_micro == model.stake[who]
        waiting = [entry.amount_micro for entry in member.unbonding]
        assert waiting == [amount for owner, amount, _ in model.waiting if owner == who]
    assert pot_balance(chain.state, POOL) == model.pool


@settings(max_examples=150, deadline=None)
@given(blocks)
def test_random_blocks_do_what_an_independent_model_does_and_conserve_money(
    plan: list[list[tuple[int, int, list[Plan]]]],
) -> None:
    chain, model = Chain(closing=(unlock_unbonding,)), Model()
    outsiders = total_money(chain.state) - model.total()
    for number, block in enumerate(plan, start=1):
        transactions, expected = [], []
        for who, shift, plans in block:
            nonce = max(0, model.nonce[who] + shift)
            actions = [action_of(part) for part in plans]
            transaction = chain.sign(KEYS[who], *actions, nonce=nonce)
            if nonce == model.nonce[who]:
                outcome = model.transaction(who, plans, number)
                if outcome is not None:
                    expected.append((transaction.id, outcome))
            transactions.append(transaction)
        model.close(number)
        built = chain.execute(transactions, building=True)
        outcomes = [receipt.code == "ok" for receipt in built.receipts]
        ids = [transaction.id for transaction in built.included]
        assert list(zip(ids, outcomes, strict=True)) == expected
        checked = chain.commit(*built.included)
        assert checked.state_root == built.state_root == chain.state.root
        require_same(chain, model)
        assert total_money(chain.state) == model.total() + outsiders


def test_what_the_model_calls_too_much_the_chain_refuses() -> None:
    chain, model = Chain(), Model()
    model.free[4] = 0
    assert model.transaction(4, [("transfer", 5, 1)], 1) is None
    spend = chain.sign(KEYS[4], Transfer(KEYS[5].address, 1_000_000 - FEE))
    chain.commit(spend)
    with pytest.raises(Rejected, match="fee_not_covered"):
        chain.execute([chain.sign(KEYS[4], Transfer(KEYS[5].address, 1))])
