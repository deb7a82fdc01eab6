"""Accrued tokens: what each member has earned since its last turn (Eq. 1, rules E8 and E6).

Theory.  In every block each live, compliant member of the voting set earns

    tau_j * s_j        (stake in micro-tokens times satisfaction in basis points, an integer)

and the sum since its last turn is Tok_j, its weight in the draw.  A turn clears the sum, whether
the member built (won) or was voted out (missed): without the second, one dead member soaks up the
chain, as its tokens grow while nobody takes them.  For the same reason a silent member earns
nothing until a vote or block of it is on chain again, and the sum stops at c n tau_j s_j (c = 3),
which no honest member reaches in practice, so that nobody can hoard a turn.

Tokens are never money.  They have no upper bound of 53 bits, so the state keeps them as decimal
strings.  `s_j` is taken at accrual time; a stake that changes counts from the next block on.
"""

from typing import Final

from msgspec.structs import replace

from consensus.parameters import ConsensusParameters
from ledger.codec import Codec, Record, encode
from ledger.members import Member
from ledger.state import Overlay, View
from ledger.types import Address, Decimal, Height

_TABLE: Final = b"tokens/"


class Standing(Record):
    """One member's record in the election: tokens and signs of life.

    `last_live`: the latest height with an included finalize vote of this member or a block built
    by it; its first height in the voting set counts as one.  `last_turn`: the latest height at
    which it built or was voted out.
    """

    tokens: Decimal = "0"
    last_live: Height = 0
    last_turn: Height = 0
    blocks_built: Height = 0
    turns_skipped: Height = 0

    @property
    def amount(self) -> int:
        """The tokens as an integer."""
        return int(self.tokens)


_codec: Final = Codec(Standing)


def read_standing(view: View, address: Address) -> Standing:
    """The member's standing; a member never seen before stands at zero."""
    stored = view.get(_TABLE + bytes.fromhex(address))
    return Standing() if stored is None else _codec.decode_trusted(stored)


def write_standing(overlay: Overlay, address: Address, standing: Standing) -> None:
    """Store the member's standing."""
    overlay.put(_TABLE + bytes.fromhex(address), encode(standing))


def accrual(stake_micro: int, satisfaction_bp: int, satisfaction_power: int = 1) -> int:
    """What one block adds: tau * s (Eq. 1), in micro-tokens times basis points.

    `satisfaction_power` q other than 1 is our option, not the paper's: tau * s^q.
    """
    return int(stake_micro * satisfaction_bp**satisfaction_power)


def grow(tokens: int, added: int, size: int, cap_rounds: int) -> int:
    """Tokens after one accrual of `added`, stopped at cap_rounds * size * added (E8)."""
    return min(tokens + added, cap_rounds * size * added)


def is_live(standing: Standing, height: int, window: int) -> bool:
    """Is there a sign of life among the last `window` heights, up to `height` (E8)?"""
    return standing.last_live > height - window


def accrue(
    standing: Standing, member: Member, size: int, parameters: ConsensusParameters
) -> Standing:
    """The standing after one block's accrual; the caller has checked that the member earns."""
    added = accrual(member.stake_micro, member.satisfaction_bp, parameters.satisfaction_power)
    total = grow(standing.amount, added, size, parameters.age_cap_rounds)
    return replace(standing, tokens=str(total))


def clear(overlay: Overlay, address: Address) -> int:
    """Take all tokens of a member whose turn is over; returns how many there were (E6, E8)."""
    standing = read_standing(overlay, address)
    if standing.tokens != "0":
        write_standing(overlay, address, replace(standing, tokens="0"))
    return standing.amount


def mark_live(overlay: Overlay, address: Address, height: int) -> None:
    """Note an included vote of `height`, or a block built at it (E8)."""
    standing = read_standing(overlay, address)
    if standing.last_live < height:
        write_standing(overlay, address, replace(standing, last_live=height))
