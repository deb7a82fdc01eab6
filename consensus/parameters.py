"""The chain parameters of the election and its money, fixed in the genesis and kept in the state.

Amounts are micro-tokens, durations heights or milliseconds, as their names say.  Rule numbers
E1-E8 are those of docs/paper.md.
"""

from typing import Annotated, Final

from msgspec import Meta

from ledger.codec import Codec, Record, encode
from ledger.errors import Corrupt, Reason, Rejected
from ledger.parameters import changed
from ledger.state import Overlay, View
from ledger.types import BasisPoints, Micro, ShareOfMillion

PARAMETERS_KEY: Final = b"parameters/consensus"
LATE_VOTE_DEPTH: Final = 4  # finalize votes of h are admitted until block h + 4 (E7)
LOOKBACK_CEILING: Final = 10  # (1/3)^10: a run of colluding builders this long is negligible
MAX_LOOKBACK: Final = 64
LONG_SILENCE: Final = 16  # a liveness window never shorter than this many heights (E8)

_Blocks = Annotated[int, Meta(ge=1, le=10_000_000)]
_Milliseconds = Annotated[int, Meta(ge=1, le=600_000)]
_Power = Annotated[int, Meta(ge=1, le=4)]


class ConsensusParameters(Record):
    """What one DT-DPoS chain agrees on for ever (a later parameter change replaces the record).

    `block_reward_micro` R_b to the builder; `vote_reward_micro` R_v, of which every included
    signer gets R_v / n; `inclusion_bonus_micro` to the next builder per included signer;
    `deposit_micro` held until `deposit_blocks` after the last turn; `skip_fee_micro` at least
    R_b / 4, so that withholding a block to choose between two seeds never pays.
    `boundary_blocks` E_v: the voting set changes only at multiples of it.
    `lookback_override` -1 means the formula of E2.  `age_cap_rounds` c: tokens stop at c n tau s.
    `liveness_blocks` 0 means max(16, 4n).  `satisfaction_power` q and `token_power` k are 1 in
    the paper; q = 2 makes long-run shares proportional to satisfaction.
    `jail_skips` m: more missed turns between two boundaries send to jail, and so do votes on fewer
    than `least_attendance_bp` of the blocks of that time (0: never); `jail_blocks` T: how long at
    least.  `slash_ppm`: the part of stake and unbonding stake an equivocator loses.
    The four before those belong to the finality core's timers and to the rule on block times.
    """

    block_reward_micro: Micro = 1_000_000
    vote_reward_micro: Micro = 400_000
    inclusion_bonus_micro: Micro = 10_000
    deposit_micro: Micro = 5_000_000
    deposit_blocks: _Blocks = 200
    skip_fee_micro: Micro = 500_000
    boundary_blocks: _Blocks = 100
    lookback_override: Annotated[int, Meta(ge=-1, le=MAX_LOOKBACK)] = -1
    age_cap_rounds: Annotated[int, Meta(ge=1, le=1_000)] = 3
    liveness_blocks: Annotated[int, Meta(ge=0, le=1_000_000)] = 0
    satisfaction_power: _Power = 1
    token_power: _Power = 1
    drift_bound_ms: _Milliseconds = 500
    round_trip_ms: _Milliseconds = 400
    execution_budget_ms: _Milliseconds = 250
    timeout_cap: Annotated[int, Meta(ge=1, le=64)] = 8
    jail_skips: Annotated[int, Meta(ge=0, le=1_000_000)] = 5
    least_attendance_bp: BasisPoints = 5_000
    jail_blocks: _Blocks = 600
    slash_ppm: ShareOfMillion = 100_000

    def lookback(self, size: int) -> int:
        """L of rule E2 for a voting set of `size`: max(1, min(10, n // 4)) unless overridden."""
        if self.lookback_override >= 0:
            return self.lookback_override
        return max(1, min(LOOKBACK_CEILING, size // 4))

    def liveness_window(self, size: int) -> int:
        """How many recent heights must hold a sign of life for tokens to accrue (E8)."""
        return self.liveness_blocks or max(LONG_SILENCE, 4 * size)

    def history_heights(self) -> int:
        """How many heights of weights and turns the state keeps: enough for any allowed L."""
        return max(LOOKBACK_CEILING, self.lookback_override, LATE_VOTE_DEPTH) + 1


_codec: Final = Codec(ConsensusParameters)

# The state keeps weights for the lookback it was started with; nodes read their timers at start.
_FIXED: Final = (
    "lookback_override",
    "drift_bound_ms",
    "round_trip_ms",
    "execution_budget_ms",
    "timeout_cap",
)


def validate(parameters: ConsensusParameters) -> None:
    """Rejected(VALIDATION_ERROR) for values out of bounds, or that would make a miss free."""
    _codec.decode(encode(parameters))
    if parameters.skip_fee_micro * 4 < parameters.block_reward_micro:
        raise Rejected(Reason.VALIDATION_ERROR, "skip_fee_micro is below a quarter of the reward")
    if parameters.deposit_micro < parameters.skip_fee_micro:
        raise Rejected(Reason.VALIDATION_ERROR, "deposit_micro does not cover one skip fee")


def consensus_parameters(view: View) -> ConsensusParameters:
    """The parameters in force in this state."""
    stored = view.get(PARAMETERS_KEY)
    if stored is None:
        raise Corrupt("the state holds no consensus parameters")
    return _codec.decode_trusted(stored)


def write_parameters(overlay: Overlay, parameters: ConsensusParameters) -> None:
    """Store `parameters`; Rejected(VALIDATION_ERROR) if unsafe."""
    validate(parameters)
    overlay.put(PARAMETERS_KEY, encode(parameters))


def set_parameter(overlay: Overlay, name: str, value: int) -> None:
    """Change one of the election's parameters.  Raises Rejected(VALIDATION_ERROR)."""
    write_parameters(overlay, changed(consensus_parameters(overlay), name, value, _FIXED))
