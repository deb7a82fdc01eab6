"""What the state remembers of the election: a short history, so that no old state is needed.

Records, all under the table `election/`:

    tip           height and seed of the last closed block
    weights/<h>   base weights of state_h (rule E2), for the last heights
    turn/<h>      who built block h, whose turns it consumed (E3), which votes were counted (E7)
    set/<h>       a voting set and the first height at which it votes
    announced     members seen at the last boundary, who may take a seat at the next one

Heights in keys are big-endian, so a scan is in order of height.  Every block prunes what no rule
can ask for any more; the rest of consensus reads the past only through these functions.
"""

from collections.abc import Iterator
from itertools import pairwise
from typing import Annotated, Final

from msgspec import Meta

from ledger.codec import Codec, Record, encode
from ledger.errors import Corrupt
from ledger.state import Overlay, View
from ledger.types import Height, Hex32, Hex64

Weighty = Annotated[str, Meta(pattern="^[1-9][0-9]*$", min_length=1, max_length=400)]
"""A positive weight in decimal: tokens, perhaps raised to a power (`token_power`)."""

BlockHash = Annotated[str, Meta(pattern="^[0-9a-f]*$", max_length=64)]
"""A block's hash in hex, empty while it is not known."""

TIP_KEY: Final = b"election/tip"
_WEIGHTS: Final = b"election/weights/"
_TURN: Final = b"election/turn/"
_SET: Final = b"election/set/"
_ANNOUNCED: Final = b"election/announced"


class Tip(Record):
    """The last closed block: its height (0 = genesis) and seed_h, 64 bytes as hex."""

    height: Height
    seed: Hex64


class Weight(Record):
    """One member's base weight, positive; who is not listed weighs zero."""

    address: Hex32
    weight: Weighty


class Weights(Record):
    """The base weights of one state, in order of address (E2)."""

    weights: tuple[Weight, ...]


class Turn(Record):
    """The turn of one height.  `block` and `counted` are known one block later.

    `consumed`: the builder and everyone voted out (E3).  `forgone`: the builder gave up its
    reward.  `block`: the block's hash as hex.  `counted`: indices in set(h) whose finalize votes
    were paid, ascending; each is paid once.
    """

    builder: Hex32
    view: Height
    consumed: tuple[Hex32, ...]
    forgone: bool = False
    block: BlockHash = ""
    counted: tuple[Height, ...] = ()


class Seat(Record):
    """A place in the voting set: the member's account and the VRF key it is drawn with."""

    address: Hex32
    vrf_key: Hex32


class VotingSet(Record):
    """Who votes from height `first` on, in order of address; the index in it is the signer's."""

    first: Height
    seats: tuple[Seat, ...]


class Announced(Record):
    """Active members at the last boundary."""

    seats: tuple[Seat, ...]


_tip_codec: Final = Codec(Tip)
_weights_codec: Final = Codec(Weights)
_turn_codec: Final = Codec(Turn)
_set_codec: Final = Codec(VotingSet)
_announced_codec: Final = Codec(Announced)


def _at(table: bytes, height: int) -> bytes:
    return table + height.to_bytes(8, "big")


def decode_tip(stored: bytes) -> Tip:
    """The tip of stored bytes.  Corrupt if they are none."""
    return _tip_codec.decode_trusted(stored)


def read_tip(view: View) -> Tip:
    """Height and seed of the last closed block."""
    stored = view.get(TIP_KEY)
    if stored is None:
        raise Corrupt("the state holds no election tip")
    return decode_tip(stored)


def write_tip(overlay: Overlay, tip: Tip) -> None:
    """Move the tip."""
    overlay.put(TIP_KEY, encode(tip))


def read_weights(view: View, height: int) -> dict[str, int]:
    """Base weights of state_height by address; of state_0 for negative heights (E2)."""
    stored = view.get(_at(_WEIGHTS, max(0, height)))
    if stored is None:
        raise Corrupt(f"the state holds no weights of height {height}")
    listed = _weights_codec.decode_trusted(stored).weights
    return {entry.address: int(entry.weight) for entry in listed}


def write_weights(overlay: Overlay, height: int, weights: list[tuple[str, int]]) -> None:
    """Store the base weights of state_height; zeros are left out."""
    listed = tuple(Weight(who, str(weight)) for who, weight in sorted(weights) if weight > 0)
    overlay.put(_at(_WEIGHTS, height), encode(Weights(listed)))


def read_turn(view: View, height: int) -> Turn | None:
    """The turn of `height`, or None if there was none yet or it is forgotten."""
    stored = view.get(_at(_TURN, height))
    return None if stored is None else _turn_codec.decode_trusted(stored)


def write_turn(overlay: Overlay, height: int, turn: Turn) -> None:
    """Store the turn of `height`."""
    overlay.put(_at(_TURN, height), encode(turn))


def read_sets(view: View) -> Iterator[VotingSet]:
    """All voting sets kept, the oldest first."""
    for _, stored in view.scan(_SET):
        yield _set_codec.decode_trusted(stored)


def write_set(overlay: Overlay, voting_set: VotingSet) -> None:
    """Store a voting set under its first height."""
    overlay.put(_at(_SET, voting_set.first), encode(voting_set))


def read_announced(view: View) -> tuple[Seat, ...]:
    """Who was active at the last boundary."""
    stored = view.get(_ANNOUNCED)
    return () if stored is None else _announced_codec.decode_trusted(stored).seats


def write_announced(overlay: Overlay, seats: tuple[Seat, ...]) -> None:
    """Store who is active at this boundary."""
    overlay.put(_ANNOUNCED, encode(Announced(seats)))


def prune(overlay: Overlay, height: int, keep_heights: int, keep_sets: int) -> None:
    """Forget weights and turns older than `keep_heights`, and sets that stopped voting long ago.

    A set is dropped once its successor has voted for more than `keep_sets` heights: until then
    late votes and evidence about its heights can still be judged.
    """
    for table in (_WEIGHTS, _TURN):
        for key, _ in overlay.scan(table):
            if int.from_bytes(key[len(table) :], "big") > height - keep_heights:
                break
            overlay.delete(key)
    sets = list(read_sets(overlay))
    for old, successor in pairwise(sets):
        if successor.first < height - keep_sets:
            overlay.delete(_at(_SET, old.first))
