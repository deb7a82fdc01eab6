"""Executing blocks: what may stand in one, and that a failure leaves nonce and fee and no more."""

import pytest
from msgspec.structs import replace

from ledger.accounts import BURNED, POOL, account_key, credit, debit, pot_balance, read_account
from ledger.codec import encode
from ledger.errors import Reason, Rejected
from ledger.execution import ActionContext, BlockContext, Receipt, Rules, execute, receipts_root
from ledger.merkle import list_root
from ledger.native import ACTIONS, HANDLERS, Stake, Transfer
from ledger.parameters import LedgerParameters, block_limits
from ledger.state import Event, Overlay
from ledger.transactions import Action
from ledger.types import PositiveMicro
from tests.ledger.chain import FEE, KEYS, MEMBERS, USERS, Chain, contents, parameters

ALICE, BOB, CAROL = USERS[:3]


class Mess(Action, tag="mess"):
    """Writes all over the state, then fails if told to."""

    fail_at: PositiveMicro


def mess(context: ActionContext, overlay: Overlay, action: Mess) -> None:
    steps = [
        lambda: debit(overlay, context.sender, 1, "mess"),
        lambda: credit(overlay, BOB.address, 1),
        lambda: overlay.put(b"order/new", b"value"),
        lambda: overlay.delete(account_key(CAROL.address)),
        lambda: overlay.emit(Event("mess", (), {})),
    ]
    for number, step in enumerate(steps, start=1):
        if number == action.fail_at:
            raise Rejected(Reason.DUPLICATE_ORDER, f"at {number}")
        step()
    raise Rejected(Reason.DUPLICATE_ORDER, "at the end")


def messy_chain() -> Chain:
    return Chain(actions=(*ACTIONS, Mess), handlers={**HANDLERS, Mess: mess})


@pytest.mark.parametrize("fail_at", range(1, 7))
@pytest.mark.parametrize("before", [0, 1, 3])
def test_v22_a_failed_transaction_leaves_nonce_and_fee_and_nothing_else(
    fail_at: int, before: int
) -> None:
    chain = messy_chain()
    start = contents(chain.state)
    actions = [Transfer(BOB.address, 5)] * before + [Mess(fail_at), Transfer(BOB.address, 5)]
    execution = chain.commit(chain.sign(ALICE, *actions))
    fee = FEE * len(actions)
    assert execution.receipts[0].code == Reason.DUPLICATE_ORDER
    assert execution.receipts[0].fee_micro == fee
    assert execution.receipts[0].detail.startswith(f"action {before}")
    assert execution.events == ()
    account = read_account(chain.state, ALICE.address)
    assert (account.free, account.nonce) == (1_000_000 - fee, 1)
    end = contents(chain.state)
    changed = {key for key in start | end if start.get(key) != end.get(key)}
    assert changed == {account_key(ALICE.address), b"pot/pool"}
    assert pot_balance(chain.state, POOL) == 500_000 + fee


def test_a_failed_transaction_does_not_undo_the_one_before_it() -> None:
    chain = messy_chain()
    execution = chain.commit(
        chain.sign(ALICE, Transfer(BOB.address, 5)), chain.sign(ALICE, Mess(3))
    )
    assert [receipt.code for receipt in execution.receipts] == ["ok", "duplicate_order"]
    assert read_account(chain.state, BOB.address).free == 1_000_005


def test_a_refused_block_leaves_the_state_untouched() -> None:
    chain = Chain()
    start, root = contents(chain.state), chain.state.root
    good = chain.sign(ALICE, Transfer(BOB.address, 5))
    with pytest.raises(Rejected) as caught:
        chain.execute([good, chain.sign(ALICE, Transfer(BOB.address, 5), nonce=9)])
    assert caught.value.reason is Reason.BLOCK_INVALID
    assert contents(chain.state) == start
    assert chain.state.root == root


@pytest.mark.parametrize(
    ("nonce", "expires", "free", "reason"),
    [
        (2, 0, 1_000, None),
        (1, 0, 1_000, Reason.NONCE_USED),
        (0, 0, 1_000, Reason.NONCE_USED),
        (3, 0, 1_000, Reason.NONCE_GAP),
        (2**53 - 1, 0, 1_000, Reason.NONCE_GAP),
        (2, 7, 1_000, None),
        (2, 2**53 - 1, 1_000, None),
        (2, 6, 1_000, Reason.EXPIRED),
        (2, 1, 1_000, Reason.EXPIRED),
        (2, 0, FEE, None),
        (2, 0, FEE - 1, Reason.FEE_NOT_COVERED),
        (2, 0, 0, Reason.FEE_NOT_COVERED),
        (1, 1, 0, Reason.NONCE_USED),
        (2, 1, 0, Reason.EXPIRED),
    ],
)
def test_v25_v26_what_may_stand_in_block_7_from_an_account_at_nonce_2(
    nonce: int, expires: int, free: int, reason: Reason | None
) -> None:
    chain = Chain(height=6)
    overlay = Overlay(chain.state)
    account = replace(read_account(overlay, ALICE.address), nonce=2, free=free)
    surplus = 1_000_000 - free
    overlay.put(account_key(ALICE.address), encode(account))
    credit(overlay, BOB.address, surplus)
    chain.state.merge(overlay)
    transaction = chain.sign(ALICE, Transfer(BOB.address, 1), nonce=nonce, expires=expires)
    built = chain.execute([transaction], building=True)
    assert len(built.included) == (reason is None)
    if reason is None:
        assert chain.execute([transaction]).state_root == built.state_root
        return
    with pytest.raises(Rejected) as caught:
        chain.execute([transaction])
    assert caught.value.reason is Reason.BLOCK_INVALID
    assert reason.value in caught.value.detail


def test_a_fee_not_covered_by_free_money_is_not_taken_from_reserved_money() -> None:
    chain = Chain()
    overlay = Overlay(chain.state)
    account = read_account(overlay, ALICE.address)
    moved = replace(account, free=FEE - 1, reserved=account.free - FEE + 1)
    overlay.put(account_key(ALICE.address), encode(moved))
    chain.state.merge(overlay)
    assert chain.execute([chain.sign(ALICE, Stake(1))], building=True).included == ()


def test_the_fee_is_taken_before_the_actions_spend() -> None:
    chain = Chain()
    everything = read_account(chain.state, ALICE.address).free
    assert chain.outcome(ALICE, Transfer(BOB.address, everything)) == "insufficient_funds"
    rest = read_account(chain.state, ALICE.address).free
    assert chain.outcome(ALICE, Transfer(BOB.address, rest - FEE)) == "ok"
    assert read_account(chain.state, ALICE.address).free == 0


def test_nonces_run_on_within_a_block_and_a_replay_is_refused() -> None:
    chain = Chain()
    transactions = [chain.sign(ALICE, Transfer(BOB.address, 1)) for _ in range(5)]
    chain.commit(*transactions)
    assert read_account(chain.state, ALICE.address).nonce == 5
    for transaction in transactions:
        with pytest.raises(Rejected, match="nonce_used"):
            chain.execute([transaction])
    doubled = chain.sign(ALICE, Transfer(BOB.address, 1))
    with pytest.raises(Rejected, match="nonce_used"):
        chain.execute([doubled, doubled])


def test_while_building_transactions_that_may_not_stand_are_left_out() -> None:
    chain = Chain()
    first, gap, second, poor = (
        chain.sign(ALICE, Transfer(BOB.address, 1), nonce=0),
        chain.sign(ALICE, Transfer(BOB.address, 1), nonce=5),
        chain.sign(ALICE, Transfer(BOB.address, 1), nonce=1),
        chain.sign(KEYS[0], Transfer(BOB.address, 1), expires=0, nonce=3),
    )
    built = chain.execute([gap, first, poor, first, second], building=True)
    assert built.included == (first, second)
    assert chain.execute(built.included).state_root == built.state_root


def test_a_block_is_full_at_its_limits_and_invalid_beyond_them() -> None:
    chain = Chain()
    transactions = [chain.sign(ALICE, Transfer(BOB.address, 1)) for _ in range(4)]
    size = len(transactions[0].raw) + 4
    by_count = replace(block_limits(chain.parameters), max_transactions=3)
    by_size = replace(block_limits(chain.parameters), max_bytes=4 + 3 * size)
    for limits in (by_count, by_size):
        built = chain.execute(transactions, building=True, limits=limits)
        assert built.included == tuple(transactions[:3])
        chain.execute(transactions[:3], limits=limits)
        with pytest.raises(Rejected) as caught:
            chain.execute(transactions, limits=limits)
        assert caught.value.reason is Reason.BLOCK_INVALID


def test_the_order_is_opening_transactions_round_closing_and_fees_come_before_the_round() -> None:
    chain = Chain()
    seen: list[tuple[str, int, int]] = []

    def note(name: str, overlay: Overlay) -> None:
        nonce = read_account(overlay, ALICE.address).nonce
        seen.append((name, nonce, pot_balance(overlay, POOL)))

    def opening(_: BlockContext, overlay: Overlay) -> None:
        note("opening", overlay)

    def sealer(_: BlockContext, overlay: Overlay, sealed: bytes | None) -> bytes:
        note("round", overlay)
        return sealed or b"solved"

    def closing(_: BlockContext, overlay: Overlay) -> None:
        note("closing", overlay)

    rules = Rules(HANDLERS, (opening, opening), sealer, (closing,))
    transactions = [chain.sign(ALICE, Transfer(BOB.address, 1))]
    solved = execute(chain.state, chain.context(), transactions, rules, None, building=True)
    assert solved.clearings == b"solved"
    assert seen == [
        ("opening", 0, 500_000),
        ("opening", 0, 500_000),
        ("round", 1, 500_000 + FEE),
        ("closing", 1, 500_000 + FEE),
    ]
    checked = execute(chain.state, chain.context(), transactions, rules, b"told", building=False)
    assert checked.clearings == b"told"


def test_a_round_or_step_that_is_refused_refuses_the_block() -> None:
    chain = Chain()

    def refuse(*_: object) -> bytes:
        raise Rejected(Reason.BAD_CLEARING, "no optimum")

    for rules in (
        Rules(HANDLERS, (), refuse, ()),
        Rules(HANDLERS, (refuse,), lambda *_: b"", ()),
        Rules(HANDLERS, (), lambda *_: b"", (refuse,)),
    ):
        with pytest.raises(Rejected) as caught:
            execute(chain.state, chain.context(), (), rules, None, building=True)
        assert caught.value.reason is Reason.BAD_CLEARING


def test_v40_a_broken_balance_stops_the_node_with_figures() -> None:
    def mint(_: BlockContext, overlay: Overlay) -> None:
        credit(overlay, BOB.address, 7)

    def burn(_: BlockContext, overlay: Overlay) -> None:
        overlay.delete(account_key(CAROL.address))

    for step, figures in ((mint, "1000007"), (burn, "1000000 micro before, 0 micro after")):
        with pytest.raises(AssertionError, match=figures):
            Chain(closing=(step,)).execute(())


def test_receipts_are_under_the_root_with_code_and_fee_but_not_their_wording() -> None:
    receipts = [Receipt("ok", 10), Receipt("expired", 10, "some words"), Receipt("ok", 10)]
    root = receipts_root(receipts)
    leaves = [b'["ok",10]', b'["expired",10]', b'["ok",10]']
    assert root == list_root("receipt", leaves)
    dearer = [replace(receipts[0], fee_micro=20), *receipts[1:]]
    assert receipts_root(dearer) == list_root("receipt", [b'["ok",20]', *leaves[1:]])
    assert root == receipts_root([replace(receipt, detail="x") for receipt in receipts])
    for changed in (
        receipts[:2],
        [receipts[1], receipts[0], receipts[2]],
        [replace(receipts[0], code="okay"), *receipts[1:]],
        [replace(receipts[0], fee_micro=11), *receipts[1:]],
    ):
        assert receipts_root(changed) != root


def test_executing_the_same_block_twice_gives_the_same_of_everything() -> None:
    chain = Chain()
    transactions = [
        chain.sign(key, Transfer(BOB.address, number + 1), Stake(5))
        for number, key in enumerate(MEMBERS)
    ]
    first, second = chain.execute(transactions), chain.execute(transactions)
    assert first.state_root == second.state_root
    assert first.receipts == second.receipts
    assert first.events == second.events
    assert list(first.overlay.changes.items()) == list(second.overlay.changes.items())


def test_a_free_chain_takes_no_fee() -> None:
    free: LedgerParameters = parameters(fee_per_action_micro=0)
    chain = Chain(parameters=free)
    assert chain.outcome(ALICE, Transfer(BOB.address, 1_000_000)) == "ok"
    assert chain.outcome(ALICE, Transfer(BOB.address, 1)) == "insufficient_funds"
    assert pot_balance(chain.state, POOL) == 500_000
    assert pot_balance(chain.state, BURNED) == 0
