"""The ledger's chain parameters: set in genesis, kept in state, changed only by the members.

A parameter is part of the state, so every node reads the same value at the same height.  Units are
last in the names.  `check_parameters` holds what the bounds of single fields cannot say, and is
called wherever a value comes from outside: a chain must not be able to vote itself into a halt.
"""

from collections.abc import Collection
from typing import Annotated, Any, Final, TypeVar

from msgspec import Meta
from msgspec.structs import replace

from ledger.codec import Codec, Record, encode
from ledger.errors import Reason, Rejected
from ledger.state import Overlay, View
from ledger.types import (
    MAX_INTEGER,
    PPM,
    BasisPoints,
    ChainName,
    Micro,
    PositiveMicro,
    ResourceUnits,
)

PARAMETERS_KEY = b"parameters/ledger"

_MEBIBYTE = 2**20

BlockTime = Annotated[int, Meta(ge=1, le=3_600_000)]
BlockBytes = Annotated[int, Meta(ge=1024, le=64 * _MEBIBYTE)]
BlockTransactions = Annotated[int, Meta(ge=1, le=1_000_000)]
TransactionBytes = Annotated[int, Meta(ge=512, le=_MEBIBYTE)]
Fee = Annotated[int, Meta(ge=0, le=MAX_INTEGER // 2**20)]
Delay = Annotated[int, Meta(ge=0, le=10_000_000)]
"""Blocks; far enough from 2^53 - 1 that no height plus a delay leaves the alphabet."""
Ratio = Annotated[int, Meta(ge=1, le=1_000 * PPM)]
Window = Annotated[int, Meta(ge=1, le=10_000_000)]

_FIXED: Final = ("chain", "max_transaction_bytes", "max_sealed_bytes")
"""Never changed: what the node's transaction codec is made with, once, and the bound under which
certificates must fit, since a chain that voted it too low could not make another block."""


class LedgerParameters(Record, kw_only=True):
    """What the ledger needs to know about its chain."""

    chain: ChainName
    block_time_ms: BlockTime = 1_000
    """A block is due this long after its parent, empty or not."""
    fee_per_action_micro: Fee = 100
    """Flat fee of an action, paid to the reward pool; 0 is allowed."""
    max_block_bytes: BlockBytes = 2 * _MEBIBYTE
    """Bound of the packed transactions of a block."""
    max_block_transactions: BlockTransactions = 5_000
    max_sealed_bytes: BlockBytes = 16 * _MEBIBYTE
    """Bound of a block's clearings, and of its commits, each."""
    max_transaction_bytes: TransactionBytes = 65_536
    stake_min_micro: PositiveMicro = 1_000_000
    stake_max_micro: PositiveMicro = 1_000_000_000_000
    unbonding_blocks: Delay = 100
    """Blocks from `unstake` until the money is free."""
    alpha_ppm: Ratio = PPM
    """Communication units needed per unit of computation (Eq 4)."""
    beta_ppm: Ratio = PPM
    """Modelling units needed per unit of computation (Eq 4)."""
    resource_threshold: ResourceUnits = 100
    """Comprehensive resource below which a member is not compliant, units of computation."""
    bond_blocks: Window = 1_000
    """Blocks within which one admitted must bond the least stake."""
    proposal_blocks: Window = 10_000
    """Blocks for which an application stands, and a proposal may be approved."""
    initial_satisfaction_bp: BasisPoints = 5_000
    """Satisfaction of a new member, before anybody rated it."""


class BlockLimits(Record):
    """What one block may hold."""

    max_bytes: int
    max_transactions: int
    max_transaction_bytes: int
    max_sealed_bytes: int


PARAMETERS = Codec(LedgerParameters)


def ledger_parameters(view: View) -> LedgerParameters:
    """Return the parameters in force in this state.  Raises Rejected(NOT_READY) without genesis."""
    stored = view.get(PARAMETERS_KEY)
    if stored is None:
        raise Rejected(Reason.NOT_READY, "the state holds no ledger parameters")
    return PARAMETERS.decode_trusted(stored)


def write_parameters(overlay: Overlay, parameters: LedgerParameters) -> None:
    """Put parameters in force, after `check_parameters`."""
    check_parameters(parameters)
    overlay.put(PARAMETERS_KEY, encode(parameters))


def check_parameters(parameters: LedgerParameters) -> None:
    """Raise Rejected(VALIDATION_ERROR) unless the parameters are in bounds and fit each other."""
    PARAMETERS.decode(encode(parameters))
    if parameters.stake_min_micro > parameters.stake_max_micro:
        raise Rejected(Reason.VALIDATION_ERROR, "stake_min_micro is above stake_max_micro")
    if parameters.max_transaction_bytes + 8 > parameters.max_block_bytes:
        raise Rejected(Reason.VALIDATION_ERROR, "a largest transaction does not fit in a block")


P = TypeVar("P", bound=Record)


def changed(parameters: P, name: str, value: int, fixed: Collection[str]) -> P:
    """Return parameters with one value replaced, bounds unchecked.

    Raises Rejected(VALIDATION_ERROR) for a name that is unknown or fixed for the chain's life.
    """
    if name not in parameters.__struct_fields__ or name in fixed:
        raise Rejected(Reason.VALIDATION_ERROR, f"{name} is no parameter that can be changed")
    values: dict[str, Any] = {name: value}
    return replace(parameters, **values)


def set_parameter(overlay: Overlay, name: str, value: int) -> None:
    """Change one of the ledger's parameters.  Raises Rejected(VALIDATION_ERROR)."""
    write_parameters(overlay, changed(ledger_parameters(overlay), name, value, _FIXED))


def block_limits(parameters: LedgerParameters) -> BlockLimits:
    """Return the limits of a block under these parameters."""
    return BlockLimits(
        max_bytes=parameters.max_block_bytes,
        max_transactions=parameters.max_block_transactions,
        max_transaction_bytes=parameters.max_transaction_bytes,
        max_sealed_bytes=parameters.max_sealed_bytes,
    )


def fee_of(parameters: LedgerParameters, actions: int) -> Micro:
    """Return the fee of a transaction with so many actions, in micro-tokens."""
    return parameters.fee_per_action_micro * actions
