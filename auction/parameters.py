"""The market's chain parameters: set in genesis, kept in state.

Bounds of this kind decide what the most expensive block costs, so each says what it protects.
"""

from typing import Annotated

from msgspec import Meta

from auction.actions import MAX_PRICE, MAX_SERVICE_BLOCKS
from auction.pricing import LONGEST_LADDER
from ledger.codec import Codec, Record, encode
from ledger.errors import Reason, Rejected
from ledger.parameters import changed
from ledger.state import Overlay, View
from ledger.types import BasisPoints, ShareOfMillion

PARAMETERS_KEY = b"parameters/market"

Deposit = Annotated[int, Meta(ge=0, le=MAX_PRICE)]
Inertia = Annotated[int, Meta(ge=1, le=MAX_PRICE)]
OrderCount = Annotated[int, Meta(ge=1, le=100_000)]
Degree = Annotated[int, Meta(ge=1, le=256)]
Blocks = Annotated[int, Meta(ge=1, le=MAX_SERVICE_BLOCKS)]
Rounds = Annotated[int, Meta(ge=1, le=LONGEST_LADDER)]
Work = Annotated[int, Meta(ge=1, le=2**40)]
Resource = Annotated[int, Meta(ge=1, le=1_000_000_000)]


class MarketParameters(Record, kw_only=True):
    """What the market needs to know about its chain."""

    order_deposit_micro: Deposit = 10_000
    """Set aside with every order and given back when it closes: junk orders bind money."""
    orders_per_account: OrderCount = 64
    """Open orders of one account in one book."""
    orders_per_side: OrderCount = 10_000
    """Open orders on one side of one book: bounds what one admission costs."""
    degree_cap: Degree = 16
    """Edges an order keeps, its heaviest."""
    pairs_per_block: Work = 10_000
    """Pairs valued in one block; arrivals beyond wait for the next block, in order."""
    work_per_block: Work = 1_000_000
    """Visits of pairs the solver may spend in one block; books share it evenly, and one that does
    not get by with its share is deferred."""
    calls_per_block: Work = 200
    """Bids (of a class: orders of the smaller side) that the rounds of a block are held among,
    about: each may become a trade to carry out.  Where more are due a draw says who is called."""
    ladder_rounds: Rounds = 256
    """Rounds within which an order's price must reach its reservation."""
    ladder_rounds_under_round_fee: Rounds = 128
    """The same where the fee counts rounds: there a crossing is found by stepping."""
    expiries_per_block: OrderCount = 200
    """Open orders that may have their last round at one height: they close in one block."""
    closings_per_block: OrderCount = 150
    """Orders of suspended brokers, and asks and agreements of servers that left, ended in one
    block; the others wait for the next."""
    settlements_per_block: OrderCount = 400
    """Agreements paid, or dropped after their rating window, in one block; others wait likewise."""
    order_blocks: Blocks = 10_000
    """Longest life of an order."""
    largest_resource: Resource = 1_000_000
    """Comprehensive resource above which more is worth no more; bounds a bid's reserve."""
    rating_blocks: Blocks = 100
    """Window after the end of an agreement within which its buyer may rate."""
    inertia_micro: Inertia = 100_000_000
    """M of the satisfaction rule: what a satisfaction so far weighs, in money paid."""
    satisfaction_floor_bp: BasisPoints = 500
    tariff_notice_blocks: Blocks = 100
    """Blocks between a broker's change of tariff and the first order it holds for."""
    chain_share_ppm: ShareOfMillion = 200_000
    """Part of every broker's income that goes to the reward pool."""


PARAMETERS = Codec(MarketParameters)


def market_parameters(view: View) -> MarketParameters:
    """Return the parameters in force.  Raises Rejected(NOT_READY) without genesis."""
    stored = view.get(PARAMETERS_KEY)
    if stored is None:
        raise Rejected(Reason.NOT_READY, "the state holds no market parameters")
    return PARAMETERS.decode_trusted(stored)


def write_parameters(overlay: Overlay, parameters: MarketParameters) -> None:
    """Put parameters in force, after `check_parameters`."""
    check_parameters(parameters)
    overlay.put(PARAMETERS_KEY, encode(parameters))


def set_parameter(overlay: Overlay, name: str, value: int) -> None:
    """Change one of the market's parameters.  Raises Rejected(VALIDATION_ERROR)."""
    write_parameters(overlay, changed(market_parameters(overlay), name, value, ()))


def check_parameters(parameters: MarketParameters) -> None:
    """Raise Rejected(VALIDATION_ERROR) unless the parameters are in bounds and fit each other."""
    PARAMETERS.decode(encode(parameters))
    if parameters.pairs_per_block < parameters.orders_per_side:
        raise Rejected(
            Reason.VALIDATION_ERROR, "pairs_per_block must cover one order against a full side"
        )
