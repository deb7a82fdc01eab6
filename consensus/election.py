"""The election of one height: Eq. 2 evaluated on final data, and nothing else (rules E1-E5).

Theory.  For height h every input is a function of the final blocks up to h-1, and a view only
indexes the result.  So whatever certificate brought a node to a view, all nodes agree on its
leader; and an honest leader is found within f+1 views, as the order holds everybody.

    E2  base weights are those of state_{h-1-L}: Tok_j, or 0 if j was then under the resource
        threshold, not active, or without the means for the deposit
    E3  who built or was voted out at a height in (h-1-L, h-1] weighs 0: its clearing is newer
        than the base weights
    E1  the order is drawn from these weights with seed_{h-1}
    E4  who is jailed or ejected in state_{h-1} goes to the end after the draw; the others keep
        their order, so that including evidence cannot be used to draw again
    E5  if all weights are zero the draw is a seeded permutation of all

Why the lag L: the builder of h-1 is the first to know seed_{h-1} and chooses the content of its
block.  Were that content to move the weights of height h, it could choose its successor.

`elect` reads one state, that after block h-1: the state keeps the base weights and the turns of
its last heights itself.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

from consensus.draw import chances_ppm, order
from consensus.history import read_tip, read_turn, read_weights
from consensus.parameters import ConsensusParameters, consensus_parameters
from consensus.sets import voting_set
from consensus.tokens import read_standing
from ledger.accounts import read_account
from ledger.errors import Corrupt
from ledger.members import Member, comprehensive_resource, is_compliant, read_member
from ledger.parameters import LedgerParameters, ledger_parameters
from ledger.state import View
from ledger.types import Address

_MOVED_TO_END: Final = ("jailed", "ejected")


@dataclass(frozen=True, slots=True)
class Entry:
    """One validator in one election.

    `index` in set(h); `tokens` in state_{h-1}; `weight` it was drawn with, after E2 and E3;
    `consumed`: zero by E3; `excluded`: moved to the end by E4, and exempt from clearing and fee;
    `chance_ppm`: of being V*, before the seed was known; `position` in the order, 0 is V*.
    """

    index: int
    address: Address
    name: str
    vrf_key: bytes
    stake_micro: int
    satisfaction_bp: int
    resource: int
    compliant: bool
    status: str
    tokens: int
    weight: int
    consumed: bool
    excluded: bool
    chance_ppm: int
    position: int


@dataclass(frozen=True, slots=True)
class Election:
    """The election of `height`: entries by index, the order as indices, V* first.

    `seed` is seed_{h-1}; `weights_height` the height whose state gave the base weights.
    """

    height: int
    seed: bytes
    lookback: int
    weights_height: int
    entries: tuple[Entry, ...]
    order: tuple[int, ...]

    def leader(self, view: int) -> Entry:
        """leader(h, v) = order[(v - 1) mod n]; views count from 1."""
        return self.entries[self.order[(view - 1) % len(self.order)]]

    def skipped(self, view: int) -> tuple[Entry, ...]:
        """Whose turns a block of origin view `view` consumes as missed (E6), in order.

        The leaders of views 1 .. view-1; nobody when view > n (an outage, not a leader's fault),
        and nobody whom E4 has put at the end.
        """
        if view > len(self.order):
            return ()
        missed = (self.leader(earlier) for earlier in range(1, view))
        return tuple(entry for entry in missed if not entry.excluded)


def base_weight(
    view: View,
    address: Address,
    member: Member | None,
    tokens: int,
    rules: tuple[LedgerParameters, ConsensusParameters],
) -> int:
    """Rule E2 and Eq. 2: chi_j * Tok_j in this state; chi is 1 iff compliant and able.

    chi: active, resources at or above the threshold, free money and deposit together enough for
    the deposit.  `token_power` k other than 1 is our option: Tok^k.
    """
    ledger, consensus = rules
    if member is None or member.status != "active" or not is_compliant(member, ledger):
        return 0
    means = read_account(view, address).free + member.deposit_micro
    return tokens**consensus.token_power if means >= consensus.deposit_micro else 0


def drawn_weights(
    addresses: Collection[Address], base: Mapping[Address, int], consumed: Collection[Address]
) -> tuple[int, ...]:
    """Rule E3: the base weights with consumed turns set to zero."""
    return tuple(0 if who in consumed else base.get(who, 0) for who in addresses)


def move_to_end(drawn: tuple[int, ...], excluded: Collection[int]) -> tuple[int, ...]:
    """Rule E4: the excluded go last; both parts keep their order."""
    first = tuple(index for index in drawn if index not in excluded)
    return first + tuple(index for index in drawn if index in excluded)


def consumed_turns(view: View, height: int, lookback: int) -> tuple[Address, ...]:
    """Whose turns the blocks of heights (height-1-L, height-1] consumed, with repetitions (E3)."""
    consumed: list[Address] = []
    for earlier in range(max(1, height - lookback), height):
        turn = read_turn(view, earlier)
        if turn is None:
            raise Corrupt(f"the state holds no turn of height {earlier}")
        consumed += turn.consumed
    return tuple(consumed)


def elect(view: View, height: int) -> Election:
    """The election of `height` from state_{height-1}.  Corrupt if `view` is another state."""
    tip = read_tip(view)
    if tip.height != height - 1:
        raise Corrupt(f"election of {height} asked of the state of {tip.height}")
    parameters = consensus_parameters(view)
    seats = voting_set(view, height).seats
    addresses = [seat.address for seat in seats]
    people = [read_member(view, address) for address in addresses]
    lookback = parameters.lookback(len(seats))
    base = read_weights(view, height - 1 - lookback)
    consumed = consumed_turns(view, height, lookback)
    weights = drawn_weights(addresses, base, consumed)
    seed = bytes.fromhex(tip.seed)
    excluded = [
        index
        for index, member in enumerate(people)
        if member is None or member.status in _MOVED_TO_END
    ]
    keyed = [(bytes.fromhex(who), weight) for who, weight in zip(addresses, weights, strict=True)]
    leaders = move_to_end(order(seed, keyed), excluded)
    chances = _chances(weights, excluded)
    ledger = ledger_parameters(view)
    entries = tuple(
        Entry(
            index=index,
            address=seat.address,
            name="" if member is None else member.name,
            vrf_key=bytes.fromhex(seat.vrf_key),
            stake_micro=0 if member is None else member.stake_micro,
            satisfaction_bp=0 if member is None else member.satisfaction_bp,
            resource=0 if member is None else comprehensive_resource(member.resources, ledger),
            compliant=member is not None and is_compliant(member, ledger),
            status="ejected" if member is None else member.status,
            tokens=read_standing(view, seat.address).amount,
            weight=weights[index],
            consumed=seat.address in consumed,
            excluded=index in excluded,
            chance_ppm=chances[index],
            position=leaders.index(index),
        )
        for index, (seat, member) in enumerate(zip(seats, people, strict=True))
    )
    weights_height = max(0, height - 1 - lookback)
    return Election(height, seed, lookback, weights_height, entries, leaders)


def _chances(weights: tuple[int, ...], excluded: list[int]) -> tuple[int, ...]:
    """First-place chances after E4: those at the end are out, the others share in proportion.

    Taking a server out of a draw without replacement leaves the law of the others as if it had
    never been in, so this is exact.  If all are out the tail decides among all.
    """
    eligible = [index for index in range(len(weights)) if index not in excluded]
    if not eligible:
        return chances_ppm([0] * len(weights))
    shares = chances_ppm([weights[index] for index in eligible])
    chances = [0] * len(weights)
    for index, share in zip(eligible, shares, strict=True):
        chances[index] = share
    return tuple(chances)
