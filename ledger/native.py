"""The ledger's own actions: transfer, stake, unstake, register; and the end of unbonding.

| action   | who                       | effect                                              |
| -------- | ------------------------- | --------------------------------------------------- |
| transfer | anyone                    | free money to another account, which may be new     |
| stake    | member, not left, ejected | free money into the stake, up to the greatest stake |
| unstake  | member, active or jailed  | stake into unbonding, free after `unbonding_blocks` |
| register | active member, as sponsor | gives an account its name and role, once            |

A member in office keeps at least the least stake.  The stake of one that left or was ejected is
unbonded as a whole when its seat is gone (ledger/membership.py); until then it stays bound.
Unbonding money stays in the member's record, so a fault found in the meantime can still be fined.
Brokers are not registered here: they need more than one member's word.
"""

from collections.abc import Mapping
from typing import Literal

from msgspec.structs import replace

from ledger.accounts import account_key, credit, debit
from ledger.crypto import is_acceptable_key
from ledger.errors import Reason, Rejected
from ledger.execution import ActionContext, BlockContext, Handler
from ledger.members import (
    MAX_UNBONDING,
    Registration,
    Unbonding,
    members,
    read_member,
    read_registration,
    require_member,
    write_member,
    write_registration,
)
from ledger.membership import activated
from ledger.state import Event, Overlay
from ledger.transactions import Action
from ledger.types import Address, Memo, Micro, Name, PositiveMicro


class Transfer(Action, tag="transfer"):
    """Pay free money to an account."""

    to: Address
    amount_micro: Micro
    memo: Memo = ""


class Stake(Action, tag="stake"):
    """Invest free money."""

    amount_micro: PositiveMicro


class Unstake(Action, tag="unstake"):
    """Withdraw invested money, after a delay."""

    amount_micro: PositiveMicro


class Register(Action, tag="register"):
    """Vouch for an account: a subsystem of the city, or anyone who should have a name."""

    account: Address
    name: Name
    role: Literal["its", "account"]


def transfer(context: ActionContext, overlay: Overlay, action: Transfer) -> None:
    """Move money.  Raises ZERO_AMOUNT, SELF_TRANSFER, UNACCEPTABLE_KEY, INSUFFICIENT_FUNDS."""
    if action.amount_micro == 0:
        raise Rejected(Reason.ZERO_AMOUNT, "a transfer moves something")
    if action.to == context.sender:
        raise Rejected(Reason.SELF_TRANSFER, "sender and receiver are the same account")
    if overlay.get(account_key(action.to)) is None:
        _require_acceptable(action.to)
    debit(overlay, context.sender, action.amount_micro, "transfer")
    credit(overlay, action.to, action.amount_micro)


def stake(context: ActionContext, overlay: Overlay, action: Stake) -> None:
    """Add to the stake.  Raises ROLE_NOT_ALLOWED, STAKE_OUT_OF_BOUNDS, INSUFFICIENT_FUNDS."""
    member = require_member(overlay, context.sender, "active", "jailed", "admitted")
    staked = member.stake_micro + action.amount_micro
    most = context.block.parameters.stake_max_micro
    if staked > most:
        raise Rejected(Reason.STAKE_OUT_OF_BOUNDS, f"{staked} micro, at most {most}")
    debit(overlay, context.sender, action.amount_micro, "stake")
    grown = replace(member, stake_micro=staked)
    grown = activated(overlay, context.sender, grown, context.block.parameters)
    write_member(overlay, context.sender, grown)
    _emit_stake(overlay, context.sender, staked)


def unstake(context: ActionContext, overlay: Overlay, action: Unstake) -> None:
    """Start a withdrawal.  Raises ROLE_NOT_ALLOWED, STAKE_OUT_OF_BOUNDS, LIMIT_EXCEEDED."""
    member = require_member(overlay, context.sender, "active", "jailed")
    left = member.stake_micro - action.amount_micro
    least = context.block.parameters.stake_min_micro
    if left < least:
        raise Rejected(Reason.STAKE_OUT_OF_BOUNDS, f"{left} micro would be left, least {least}")
    if len(member.unbonding) == MAX_UNBONDING:
        raise Rejected(Reason.LIMIT_EXCEEDED, f"{MAX_UNBONDING} withdrawals are under way")
    unlock = context.block.height + context.block.parameters.unbonding_blocks
    unbonding = (*member.unbonding, Unbonding(action.amount_micro, unlock))
    changed = replace(member, stake_micro=left, unbonding=unbonding)
    write_member(overlay, context.sender, changed)
    _emit_stake(overlay, context.sender, left)


def register(context: ActionContext, overlay: Overlay, action: Register) -> None:
    """Register an account.  Raises ROLE_NOT_ALLOWED, ALREADY_REGISTERED, UNACCEPTABLE_KEY."""
    require_member(overlay, context.sender, "active")
    if read_registration(overlay, action.account) is not None:
        raise Rejected(Reason.ALREADY_REGISTERED, "the account has a name and a role")
    if read_member(overlay, action.account) is not None:
        raise Rejected(Reason.ALREADY_REGISTERED, "the account is a member's")
    _require_acceptable(action.account)
    registration = Registration(action.name, action.role, context.sender, context.block.height)
    write_registration(overlay, action.account, registration)
    overlay.emit(
        Event(
            kind="account.registered",
            accounts=(action.account, context.sender),
            data={"name": action.name, "role": action.role},
        )
    )


def unlock_unbonding(context: BlockContext, overlay: Overlay) -> None:
    """Closing step: free the withdrawals whose time has come."""
    for address, member in members(overlay):
        due = [entry for entry in member.unbonding if entry.unlock_height <= context.height]
        if not due:
            continue
        waiting = tuple(entry for entry in member.unbonding if entry not in due)
        amount = sum(entry.amount_micro for entry in due)
        write_member(overlay, address, replace(member, unbonding=waiting))
        credit(overlay, address, amount)
        overlay.emit(Event("stake.unlocked", (address,), {"amount_micro": amount}))


def _require_acceptable(address: Address) -> None:
    if not is_acceptable_key(bytes.fromhex(address)):
        raise Rejected(Reason.UNACCEPTABLE_KEY, "nobody could own this account")


def _emit_stake(overlay: Overlay, address: Address, stake_micro: int) -> None:
    overlay.emit(Event("stake.changed", (address,), {"stake_micro": stake_micro}))


ACTIONS: tuple[type[Action], ...] = (Transfer, Stake, Unstake, Register)

HANDLERS: Mapping[type[Action], Handler] = {
    Transfer: transfer,
    Stake: stake,
    Unstake: unstake,
    Register: register,
}
