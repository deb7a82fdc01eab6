"""The mempool: bounded, fair, one entry a transaction, and never more work than what changed."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable, Iterator
from hashlib import sha256

import pytest
from msgspec.structs import replace

from ledger.accounts import Account, account_at, account_key, write_account
from ledger.codec import encode
from ledger.crypto import SigningKey
from ledger.errors import Reason, Rejected
from ledger.execution import refusal
from ledger.state import Overlay, State
from ledger.transactions import Transaction
from node.application.mempool import AddResult, Mempool, MempoolLimits
from tests.node.store_kit import KEY, OTHER, transfer

FEE = 100
KEYS = [SigningKey.from_seed(bytes(30) + b"\x01" + bytes([each])) for each in range(6)]


class World:
    """A committed state with a mempool over it, moved by hand."""

    def __init__(self, limits: MempoolLimits | None = None, free: int = 10**9) -> None:
        self.state = State()
        self.height = 0
        self.set_accounts({key.address: Account(free) for key in (KEY, OTHER, *KEYS)})
        self.pool = Mempool(limits or MempoolLimits(), self.state, 0, FEE)

    def set_accounts(self, accounts: dict[str, Account]) -> list[bytes]:
        overlay = Overlay(self.state)
        for address, account in accounts.items():
            write_account(overlay, address, account)
        self.state.merge(overlay)
        return [account_key(address) for address in accounts]

    def account(self, key: SigningKey) -> Account:
        return account_at(self.state, account_key(key.address))

    def block(self, included: list[Transaction], fee: int = FEE) -> None:
        """Decide a block: nonces and fees move, nothing else."""
        self.height += 1
        changed: dict[str, Account] = {}
        for transaction in included:
            sender = transaction.envelope.from_
            account = changed.get(sender) or account_at(self.state, account_key(sender))
            assert transaction.envelope.nonce == account.nonce
            changed[sender] = Account(account.free - FEE, 0, account.nonce + 1)
        self.pool.advance(self.height, included, self.set_accounts(changed), fee)

    def change(self, key: SigningKey, account: Account) -> None:
        self.height += 1
        self.pool.advance(self.height, [], self.set_accounts({key.address: account}), FEE)

    def offered(self) -> list[Transaction]:
        return list(self.pool.candidates())


def refused(reason: Reason, action: Callable[[], object]) -> None:
    with pytest.raises(Rejected) as caught:
        action()
    assert caught.value.reason is reason


def test_the_same_bytes_are_one_entry() -> None:
    world = World()
    transaction = transfer(0)
    assert world.pool.add(transaction) is AddResult.NEW
    assert world.pool.add(transfer(0)) is AddResult.KNOWN
    assert len(world.pool) == 1
    assert world.pool.total_bytes == len(transaction.raw)
    assert world.pool.find(transaction.raw) is transaction
    assert world.pool.get(transaction.id) is transaction
    assert transaction.id in world.pool


def test_the_same_nonce_with_other_bytes_is_a_conflict_and_changes_nothing() -> None:
    world = World()
    world.pool.add(transfer(0, amount=5))
    refused(Reason.NONCE_CONFLICT, lambda: world.pool.add(transfer(0, amount=6)))
    assert [each.envelope.nonce for each in world.offered()] == [0]


def test_a_spoilt_signature_does_not_pass_as_the_known_transaction() -> None:
    world = World()
    transaction = transfer(0)
    world.pool.add(transaction)
    spoilt = transaction.raw[:-4] + b'00"}'
    assert spoilt != transaction.raw
    assert world.pool.find(spoilt) is None


def test_nonces_may_come_in_any_order_and_only_the_unbroken_run_is_offered() -> None:
    world = World()
    for nonce in (3, 1, 0, 4):
        world.pool.add(transfer(nonce))
    assert [each.envelope.nonce for each in world.offered()] == [0, 1]
    assert world.pool.next_nonce(KEY.address) == 2
    world.pool.add(transfer(2))
    assert [each.envelope.nonce for each in world.offered()] == [0, 1, 2, 3, 4]
    assert world.pool.next_nonce(KEY.address) == 5


def test_a_gap_is_held_up_to_the_bound() -> None:
    world = World(MempoolLimits(max_ahead=4))
    world.pool.add(transfer(3))
    refused(Reason.NONCE_GAP, lambda: world.pool.add(transfer(4)))
    assert world.offered() == []
    assert world.pool.next_nonce(KEY.address) == 0


def test_a_used_nonce_is_refused() -> None:
    world = World()
    world.block([transfer(0)])
    refused(Reason.NONCE_USED, lambda: world.pool.add(transfer(0)))
    assert world.pool.next_nonce(KEY.address) == 1


def test_an_expired_transaction_is_refused_and_one_that_waits_goes_in_time() -> None:
    world = World()
    world.pool.add(transfer(0, expires=2))
    world.pool.add(transfer(1))
    world.block([])
    assert len(world.pool) == 2
    world.block([])
    assert [each.envelope.nonce for each in world.pool.transactions_of(KEY.address)] == [1]
    assert world.offered() == []
    refused(Reason.EXPIRED, lambda: world.pool.add(transfer(0, expires=2)))
    world.pool.add(transfer(0, expires=3))
    assert [each.envelope.nonce for each in world.offered()] == [0, 1]


def test_the_bounds_on_count_and_bytes_hold() -> None:
    size = len(transfer(0).raw)
    for limits in (MempoolLimits(max_transactions=2), MempoolLimits(max_bytes=2 * size + 1)):
        world = World(limits)
        world.pool.add(transfer(0))
        world.pool.add(transfer(1))
        refused(Reason.MEMPOOL_FULL, lambda world=world: world.pool.add(transfer(2)))
        world.block([transfer(0)])
        world.pool.add(transfer(2))


def test_the_fees_of_all_that_waits_must_be_covered() -> None:
    world = World(free=2 * FEE)
    world.pool.add(transfer(0))
    world.pool.add(transfer(1))
    refused(Reason.FEE_NOT_COVERED, lambda: world.pool.add(transfer(2)))
    unknown = SigningKey.from_seed(bytes(32))
    refused(Reason.FEE_NOT_COVERED, lambda: world.pool.add(transfer(0, key=unknown)))


def test_what_the_balance_no_longer_covers_goes_with_the_next_block() -> None:
    world = World(free=10 * FEE)
    for nonce in range(5):
        world.pool.add(transfer(nonce))
    world.change(KEY, Account(2 * FEE, 0, 1))
    assert [each.envelope.nonce for each in world.offered()] == [1, 2]
    assert world.pool.next_nonce(KEY.address) == 3


def test_a_dearer_fee_is_applied_to_what_waits() -> None:
    world = World(free=4 * FEE)
    for nonce in range(4):
        world.pool.add(transfer(nonce))
    world.block([], fee=2 * FEE)
    assert [each.envelope.nonce for each in world.offered()] == [0, 1]


def test_included_transactions_go_and_so_do_those_another_block_made_void() -> None:
    world = World()
    mine = [transfer(nonce, amount=5) for nonce in range(3)]
    for transaction in mine:
        world.pool.add(transaction)
    world.block([transfer(0, amount=7), mine[1]])
    assert [each.envelope.nonce for each in world.offered()] == [2]
    assert len(world.pool) == 1
    assert world.pool.total_bytes == len(mine[2].raw)


def test_the_draw_gives_every_sender_one_place_a_round() -> None:
    world = World()
    for nonce in range(50):
        world.pool.add(transfer(nonce, key=KEYS[0]))
    for key in KEYS[1:]:
        world.pool.add(transfer(0, key=key))
        world.pool.add(transfer(1, key=key))
    senders = [each.envelope.from_ for each in world.offered()]
    for start in (0, len(KEYS)):
        assert set(senders[start : start + len(KEYS)]) == {key.address for key in KEYS}
    assert set(senders[2 * len(KEYS) :]) == {KEYS[0].address}


def test_who_was_served_goes_behind_who_was_not() -> None:
    world = World()
    for key in KEYS[:3]:
        for nonce in range(3):
            world.pool.add(transfer(nonce, key=key))
    world.block(world.offered()[:2])
    order = [each.envelope.from_ for each in world.offered()[:3]]
    assert order == [KEYS[2].address, KEYS[0].address, KEYS[1].address]


def test_an_idle_sender_is_dropped_with_all_that_waits() -> None:
    world = World(MempoolLimits(max_idle_blocks=3))
    world.pool.add(transfer(5))
    world.block([])
    world.pool.add(transfer(5, key=OTHER))
    for _ in range(3):
        world.block([])
    assert [each.envelope.from_ for each in map(world.pool.get, ids(world))] == [OTHER.address]
    world.block([])
    assert len(world.pool) == 0
    assert world.pool.total_bytes == 0


def ids(world: World) -> list[bytes]:
    return [bytes.fromhex(str(each["hash"])) for each in world.pool.documents(100)]


def test_documents_show_the_newest_first_and_whether_a_block_may_hold_them() -> None:
    world = World()
    world.pool.add(transfer(0))
    world.pool.add(transfer(2))
    newest, oldest = world.pool.documents(10)
    assert (newest["nonce"], newest["ready"], oldest["ready"]) == (2, False, True)
    assert newest["types"] == ["transfer"]
    assert world.pool.documents(1) == [newest]


@pytest.mark.parametrize("seed", range(12))
def test_a_random_life_keeps_every_promise(seed: int) -> None:
    """Model: what is offered may stand in the next block, in the order offered, with no gap."""
    chance = random.Random(seed)
    world = World(MempoolLimits(max_transactions=40, max_ahead=8, max_idle_blocks=5), free=30 * FEE)
    for _ in range(150):
        if chance.random() < 0.75:
            key = chance.choice(KEYS)
            nonce = world.account(key).nonce + chance.randrange(-1, 9)
            expires = chance.choice([0, 0, world.height + chance.randrange(4)])
            if nonce >= 0:
                transaction = transfer(nonce, chance.randrange(1, 3), key, expires)
                with contextlib.suppress(Rejected):
                    world.pool.add(transaction)
        else:
            offered = world.offered()
            world.block(offered[: chance.randrange(len(offered) + 1)])
        check_promises(world)


def check_promises(world: World) -> None:
    pool = world.pool
    offered = world.offered()
    accounts: dict[str, Account] = {}
    for transaction in offered:
        sender = transaction.envelope.from_
        account = accounts.get(sender) or account_at(world.state, account_key(sender))
        assert refusal(account, transaction, world.height + 1, FEE) is None
        accounts[sender] = Account(account.free - FEE, 0, account.nonce + 1)
    everything = [pool.get(name) for name in ids(world)]
    held = [each for each in everything if each is not None]
    assert len(held) == len(pool) <= 40
    assert pool.total_bytes == sum(len(each.raw) for each in held)
    assert {each.id for each in offered} <= {each.id for each in held}
    for transaction in held:
        assert pool.find(transaction.raw) is transaction
        assert transaction.envelope.nonce >= world.account(key_of(transaction)).nonce
    for key in KEYS:
        run = [each for each in offered if each.envelope.from_ == key.address]
        assert pool.next_nonce(key.address) == world.account(key).nonce + len(run)


def key_of(transaction: Transaction) -> SigningKey:
    (key,) = [key for key in KEYS if key.address == transaction.envelope.from_]
    return key


class CountingView:
    """A state that counts what is asked of it."""

    def __init__(self, state: State) -> None:
        self.state, self.reads = state, 0

    def get(self, key: bytes) -> bytes | None:
        self.reads += 1
        return self.state.get(key)

    def scan(self, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
        raise AssertionError("the mempool scans nothing")


def test_a_block_costs_what_it_changed_and_not_what_waits() -> None:
    """Hundreds of senders wait; a block that changed one account reads one account."""
    world = World()
    addresses = [each.to_bytes(32, "big").hex() for each in range(300)]
    world.set_accounts({address: Account(10**9) for address in addresses})
    view = CountingView(world.state)
    pool = Mempool(MempoolLimits(), view, 0, FEE)
    for address in addresses:
        for nonce in range(3):
            pool.add(fabricated(transfer(0), address, nonce))
    assert view.reads == len(addresses), "one read a sender, not one a transaction"
    view.reads = 0
    pool.advance(1, [], [], FEE)
    assert view.reads == 0
    changed = [account_key(addresses[0]), account_key(KEY.address), b"pot/pool"]
    pool.advance(2, [], changed, FEE)
    assert view.reads == 1


def fabricated(template: Transaction, address: str, nonce: int) -> Transaction:
    envelope = replace(template.envelope, from_=address, nonce=nonce)
    raw = encode(envelope)
    name = sha256(raw).digest()
    return replace(template, raw=raw, id=name, cache_key=name, envelope=envelope)
