"""Money: free and reserved balances, nonces, pots, and the proof that none is made or lost.

An account holds `free` money, which it may spend, and `reserved` money, which stands behind its
open orders and running agreements.  A pot is money of the chain itself: `pool` pays rewards and
takes fees, `burned` only grows.  Stakes, unbonding stakes and deposits lie in the members' records.
All amounts are integers in micro-tokens, and their total is below 2^53 from genesis on.

Conservation: over everything a block changed, money after equals money before.  That is an
invariant and not a verdict: a block that would break it means a bug in this program, so the check
raises AssertionError and the node stops instead of going on wrong.
"""

from ledger.codec import Codec, Record, encode
from ledger.errors import Reason, Rejected
from ledger.members import MEMBER_PREFIX, decode_member, member_money
from ledger.state import Overlay, View
from ledger.types import MAX_INTEGER, Address, Micro, Nonce

ACCOUNT_PREFIX = b"account/"
POT_PREFIX = b"pot/"

POOL = "pool"
"""Pot that pays rewards; fees, fines and the chain's share of brokers' fees fill it."""

BURNED = "burned"
"""Pot that nothing takes from."""


class Account(Record):
    """Balances in micro-tokens, and the nonce the next transaction must carry."""

    free: Micro = 0
    reserved: Micro = 0
    nonce: Nonce = 0


class Pot(Record):
    """Balance of a pot, micro-tokens."""

    micro: Micro


_ACCOUNTS = Codec(Account)
_POTS = Codec(Pot)
_MONEY_PREFIXES = (ACCOUNT_PREFIX, MEMBER_PREFIX, POT_PREFIX)
_EMPTY = Account()


def account_key(address: Address) -> bytes:
    """Return the state key of an account."""
    return ACCOUNT_PREFIX + bytes.fromhex(address)


def account_at(view: View, key: bytes) -> Account:
    """Return the account under a state key, an empty one when there is none."""
    stored = view.get(key)
    return _EMPTY if stored is None else _ACCOUNTS.decode_trusted(stored)


def read_account(view: View, address: Address) -> Account:
    """Return the account, an empty one when it was never seen."""
    return account_at(view, account_key(address))


def write_account(overlay: Overlay, address: Address, account: Account) -> None:
    """Store an account."""
    overlay.put(account_key(address), encode(account))


def credit(overlay: Overlay, address: Address, micro: int) -> None:
    """Add to the free balance; the caller takes the money from elsewhere."""
    _require_amount(micro)
    key = account_key(address)
    account = account_at(overlay, key)
    changed = Account(account.free + micro, account.reserved, account.nonce)
    overlay.put(key, encode(changed))


def debit(overlay: Overlay, address: Address, micro: int, why: str) -> None:
    """Take from the free balance for `why`; the caller puts it elsewhere.

    Raises Rejected(INSUFFICIENT_FUNDS).
    """
    _require_amount(micro)
    key = account_key(address)
    account = account_at(overlay, key)
    if account.free < micro:
        raise Rejected(Reason.INSUFFICIENT_FUNDS, f"{why}: {micro} of {account.free} micro free")
    changed = Account(account.free - micro, account.reserved, account.nonce)
    overlay.put(key, encode(changed))


def reserve(overlay: Overlay, address: Address, micro: int) -> None:
    """Move free money into the reserve.  Raises Rejected(INSUFFICIENT_FUNDS)."""
    _require_amount(micro)
    key = account_key(address)
    account = account_at(overlay, key)
    if account.free < micro:
        raise Rejected(Reason.INSUFFICIENT_FUNDS, f"reserve: {micro} of {account.free} micro free")
    changed = Account(account.free - micro, account.reserved + micro, account.nonce)
    overlay.put(key, encode(changed))


def release(overlay: Overlay, address: Address, micro: int) -> None:
    """Move reserved money back to the free balance; more than is reserved is a bug."""
    key, account = _with_reserved(overlay, address, micro)
    changed = Account(account.free + micro, account.reserved - micro, account.nonce)
    overlay.put(key, encode(changed))


def spend_reserved(overlay: Overlay, address: Address, micro: int) -> None:
    """Take reserved money; the caller puts it elsewhere.  More than is reserved is a bug."""
    key, account = _with_reserved(overlay, address, micro)
    changed = Account(account.free, account.reserved - micro, account.nonce)
    overlay.put(key, encode(changed))


def _with_reserved(overlay: Overlay, address: Address, micro: int) -> tuple[bytes, Account]:
    _require_amount(micro)
    key = account_key(address)
    account = account_at(overlay, key)
    if account.reserved < micro:
        raise AssertionError(f"{address} has {account.reserved} micro reserved, not {micro}")
    return key, account


def _require_amount(micro: int) -> None:
    if not 0 <= micro <= MAX_INTEGER:
        raise AssertionError(f"no amount of money: {micro}")


def pot_key(name: str) -> bytes:
    """Return the state key of a pot."""
    return POT_PREFIX + name.encode("ascii")


def pot_balance(view: View, name: str) -> int:
    """Return what a pot holds, micro-tokens; a pot never seen is empty."""
    stored = view.get(pot_key(name))
    return 0 if stored is None else _POTS.decode_trusted(stored).micro


def pot_credit(overlay: Overlay, name: str, micro: int) -> None:
    """Add to a pot; the caller takes the money from elsewhere."""
    _require_amount(micro)
    overlay.put(pot_key(name), encode(Pot(pot_balance(overlay, name) + micro)))


def pot_debit(overlay: Overlay, name: str, micro: int) -> None:
    """Take from a pot.  Raises Rejected(INSUFFICIENT_FUNDS) when it holds less."""
    _require_amount(micro)
    balance = pot_balance(overlay, name)
    if balance < micro:
        raise Rejected(Reason.INSUFFICIENT_FUNDS, f"pot {name}: {micro} of {balance} micro")
    overlay.put(pot_key(name), encode(Pot(balance - micro)))


def check_conservation(overlay: Overlay) -> None:
    """Stop the node unless money over the changed keys is what it was; O(changed keys).

    Raises AssertionError with both sums.
    """
    before = after = 0
    base = overlay.base
    for key, changed in overlay.changes.items():
        if key.startswith(_MONEY_PREFIXES):
            before += _money_at(key, base.get(key))
            after += _money_at(key, changed)
    if before != after:
        raise AssertionError(f"money not conserved: {before} micro before, {after} micro after")


def total_money(view: View) -> int:
    """Return all money of the chain, burned included: a full scan, for start-up and tests."""
    return sum(
        _money_at(key, stored) for prefix in _MONEY_PREFIXES for key, stored in view.scan(prefix)
    )


def _money_at(key: bytes, stored: bytes | None) -> int:
    if stored is None:
        return 0
    if key.startswith(ACCOUNT_PREFIX):
        account = _ACCOUNTS.decode_trusted(stored)
        return account.free + account.reserved
    if key.startswith(POT_PREFIX):
        return _POTS.decode_trusted(stored).micro
    return member_money(decode_member(stored))
