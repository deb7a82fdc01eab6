"""The one deposit of each member, and the fee for a turn that produced no block (rule E7).

A member whose turn comes pledges a deposit out of its free money, and has it back when
`deposit_blocks` heights have passed since its last turn.  There is one deposit, topped up and
held longer by each further turn, not one per turn: else whoever wins often runs dry.

A member that has too little gives what is free, and the block stands: its means are then simply
exhausted, and eligibility (E2) is what keeps such a member out of later draws.

The fee for a skipped turn is taken from the deposit, then from free money, then from the stake,
never more than there is.  It goes to the reward pool.  A proven equivocation burns the deposit and
a share of the stake.
"""

from msgspec.structs import replace

from ledger.accounts import BURNED, POOL, credit, debit, pot_credit, read_account
from ledger.members import member_money, members, read_member, write_member
from ledger.state import Overlay
from ledger.types import PPM, Address


def top_up(overlay: Overlay, address: Address, deposit_micro: int, until: int) -> None:
    """Fill the member's deposit up to `deposit_micro` from its free money; hold it to `until`."""
    member = read_member(overlay, address)
    if member is None:
        return
    missing = max(0, deposit_micro - member.deposit_micro)
    paid = min(missing, read_account(overlay, address).free)
    if paid:
        debit(overlay, address, paid, "deposit")
    held = member.deposit_micro + paid
    until = max(until, member.deposit_until)
    write_member(overlay, address, replace(member, deposit_micro=held, deposit_until=until))


def charge(overlay: Overlay, address: Address, fee_micro: int) -> int:
    """Take the skip fee: deposit, then free, then stake.  Returns what was really taken."""
    member = read_member(overlay, address)
    if member is None:
        return 0
    from_deposit = min(fee_micro, member.deposit_micro)
    from_free = min(fee_micro - from_deposit, read_account(overlay, address).free)
    from_stake = min(fee_micro - from_deposit - from_free, member.stake_micro)
    taken = from_deposit + from_free + from_stake
    if from_free:
        debit(overlay, address, from_free, "skip fee")
    if from_deposit or from_stake:
        charged = replace(
            member,
            deposit_micro=member.deposit_micro - from_deposit,
            stake_micro=member.stake_micro - from_stake,
        )
        write_member(overlay, address, charged)
    if taken:
        pot_credit(overlay, POOL, taken)
    return taken


def burn(overlay: Overlay, address: Address) -> int:
    """Burn the whole deposit of an equivocator.  Returns how much it was."""
    member = read_member(overlay, address)
    if member is None or not member.deposit_micro:
        return 0
    write_member(overlay, address, replace(member, deposit_micro=0))
    pot_credit(overlay, BURNED, member.deposit_micro)
    return member.deposit_micro


def slash(overlay: Overlay, address: Address, share_ppm: int) -> int:
    """Burn a share of an equivocator's stake and of what is unbonding, each rounded down.

    Returns how much it was.
    """
    member = read_member(overlay, address)
    if member is None:
        return 0
    left = []
    for entry in member.unbonding:
        kept = entry.amount_micro - entry.amount_micro * share_ppm // PPM
        if kept:
            left.append(replace(entry, amount_micro=kept))
    stake = member.stake_micro - member.stake_micro * share_ppm // PPM
    slashed = replace(member, stake_micro=stake, unbonding=tuple(left))
    burned = member_money(member) - member_money(slashed)
    write_member(overlay, address, slashed)
    pot_credit(overlay, BURNED, burned)
    return burned


def release_due(overlay: Overlay, height: int) -> None:
    """Give back every deposit whose time is over, at the end of block `height`."""
    for address, member in list(members(overlay)):
        if member.deposit_micro and member.deposit_until <= height:
            write_member(overlay, address, replace(member, deposit_micro=0))
            credit(overlay, address, member.deposit_micro)
