"""Pay for block h-1, in block h: its builder, its voters, and whoever included the votes (E7).

Only the finalize certificate that is *embedded* in block h counts: certificates differ from node
to node, the embedded copy is the same for all.  All payments come from the pool:

    builder of h-1                      R_b, unless it gave it up
    each signer in the certificate      R_v / n, floor; n and the signers are those of set(h-1)
    each late voter of h-4 .. h-2       R_v / n, floor, with the n of its own height, once
    builder of h                        a bonus per vote it included

Dividing by n, not by the number of signers, leaves no gain in leaving votes out.  When the pool
holds less than all this, every payment is its due * pool // total (floor, pro rata), and what the
rounding leaves stays in the pool.  Money is never made: an empty pool pays nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from msgspec.structs import replace

from consensus.commits import Commits
from consensus.history import Turn, read_turn, write_turn
from consensus.parameters import ConsensusParameters
from consensus.sets import voting_set
from consensus.tokens import mark_live
from ledger.accounts import POOL, credit, pot_balance, pot_debit
from ledger.errors import Corrupt
from ledger.state import Event, Overlay
from ledger.types import Address


@dataclass(frozen=True, slots=True)
class Due:
    """One payment owed: to whom, why ("block", "vote" or "inclusion"), and how much."""

    address: Address
    reason: str
    micro: int


def scale(amounts: Sequence[int], available: int) -> tuple[int, ...]:
    """What is paid of each amount when `available` is all there is: floor, pro rata."""
    total = sum(amounts)
    if total <= available:
        return tuple(amounts)
    return tuple(amount * available // total for amount in amounts)


def pay(overlay: Overlay, dues: Sequence[Due]) -> dict[str, int]:
    """Pay `dues` from the pool; returns the sums really paid, by reason."""
    paid = scale([due.micro for due in dues], pot_balance(overlay, POOL))
    sums = {"block": 0, "vote": 0, "inclusion": 0}
    for due, micro in zip(dues, paid, strict=True):
        if micro:
            pot_debit(overlay, POOL, micro)
            credit(overlay, due.address, micro)
        sums[due.reason] += micro
    return sums


def _turn(overlay: Overlay, height: int) -> Turn:
    turn = read_turn(overlay, height)
    if turn is None:
        raise Corrupt(f"the state holds no turn of height {height}")
    return turn


def settle(
    overlay: Overlay,
    height: int,
    builder: Address,
    commits: Commits,
    parameters: ConsensusParameters,
) -> None:
    """Count the votes embedded in block `height`, and pay for them and for the block below.

    `commits` has been checked.  Counted voters become live at the height they voted for (E8).
    Emits one "reward.paid".
    """
    certificate = commits.last_commit
    if certificate is None:
        return
    turn = _turn(overlay, height - 1)
    dues: list[Due] = []
    if not turn.forgone:
        dues.append(Due(turn.builder, "block", parameters.block_reward_micro))
    signers = certificate.signer_indices()
    turn = replace(turn, block=certificate.payload.hex(), counted=signers)
    write_turn(overlay, height - 1, turn)
    dues += _vote_dues(overlay, height - 1, signers, parameters)
    for vote in commits.late_votes:
        earlier = _turn(overlay, vote.height)
        counted = tuple(sorted((*earlier.counted, vote.signer)))
        write_turn(overlay, vote.height, replace(earlier, counted=counted))
        dues += _vote_dues(overlay, vote.height, (vote.signer,), parameters)
    included = len(signers) + len(commits.late_votes)
    dues.append(Due(builder, "inclusion", included * parameters.inclusion_bonus_micro))
    sums = pay(overlay, dues)
    numbers = {
        "height": height - 1,
        "block_micro": sums["block"],
        "signers": len(signers),
        "late_votes": len(commits.late_votes),
        "votes_micro": sums["vote"],
        "inclusion_micro": sums["inclusion"],
        "unpaid_micro": sum(due.micro for due in dues) - sum(sums.values()),
    }
    words = {"builder": turn.builder, "includer": builder}
    accounts = tuple(sorted({due.address for due in dues}))
    overlay.emit(Event("reward.paid", accounts, {**numbers, **words}))


def _vote_dues(
    overlay: Overlay, height: int, signers: Sequence[int], parameters: ConsensusParameters
) -> list[Due]:
    """What the signers of `height` are owed; marks each of them live."""
    seats = voting_set(overlay, height).seats
    share = parameters.vote_reward_micro // len(seats)
    dues = []
    for signer in signers:
        address = seats[signer].address
        mark_live(overlay, address, height)
        dues.append(Due(address, "vote", share))
    return dues
