"""What an account may ask of the market: bid, ask, reprice, cancel, rate; wire form and bounds.

Prices are totals over the whole service in micro-tokens, times are heights.  An order names the
broker whose book it joins, opens at `open_ppm` of its reservation and moves towards it with the
Poisson step of (`omega_micro`, `mu`) each round (Eq 18); `open_ppm` of 1000000 opens at the
reservation itself.

Nobody has to disclose a model: a bid states either its value function (Eq 5) or a flat limit, an
ask either its cost function (Eq 9, 10) or a flat floor.  The service itself (model scale theta,
service time T, interval f between interactions, least resource level) is always stated by the
bid, because the cost of a seller depends on it.

The bounds keep every fixed-point argument inside 62 bits (`auction.fixed`); what they leave open,
the product of several fields, is bounded when the order is submitted.
"""

from typing import Annotated, Any

from msgspec import Meta

from ledger.codec import Record
from ledger.members import Resources
from ledger.transactions import Action
from ledger.types import PPM, Address, BasisPoints, Hex32, PositiveCount, ResourceUnits

MAX_PRICE = 2**50
"""Bound of every price, value and cost: sums of them stay far below 2^62."""

MAX_SERVICE_BLOCKS = 2**20

Price = Annotated[int, Meta(ge=1, le=MAX_PRICE)]
ServiceBlocks = Annotated[int, Meta(ge=1, le=MAX_SERVICE_BLOCKS)]
ThetaMilli = Annotated[int, Meta(ge=1, le=1_000_000)]
GammaNano = Annotated[int, Meta(ge=1, le=1_000_000_000)]
ValueMicro = Annotated[int, Meta(ge=1, le=2**40)]
ModelMicro = Annotated[int, Meta(ge=0, le=1_000_000_000)]
SlopeMicro = Annotated[int, Meta(ge=0, le=1_000_000_000_000)]
EtaPpm = Annotated[int, Meta(ge=PPM, le=1_000 * PPM)]
OmegaMicro = Annotated[int, Meta(ge=1, le=20_000_000)]
Mu = Annotated[int, Meta(ge=1, le=20)]
BidOpening = Annotated[int, Meta(ge=1, le=PPM)]
AskOpening = Annotated[int, Meta(ge=PPM, le=1_000 * PPM)]


class FlatLimit(Record, tag_field="kind", tag="flat"):
    """A buyer's highest total, whatever the seller."""

    limit_micro: Price


class UtilityModel(Record, tag_field="kind", tag="model"):
    """A buyer's value function G = v/theta * ln(1 + gamma R) * T (Eq 5)."""

    value_micro: ValueMicro
    """v: micro-tokens per height at theta = 1 and ln(..) = 1."""
    gamma_nano: GammaNano
    """gamma: 10^-9 per unit of comprehensive resource."""


class FlatFloor(Record, tag_field="kind", tag="flat"):
    """A seller's lowest total, whatever the buyer."""

    floor_micro: Price


class CostModel(Record, tag_field="kind", tag="model"):
    """A seller's cost function (Eq 9, 10); see `auction.valuation` for the formula and units."""

    r_micro: ModelMicro
    d_micro: ModelMicro
    eta_ppm: EtaPpm
    epsilon_micro: ModelMicro
    a_micro: SlopeMicro
    b_micro: SlopeMicro
    c_micro: SlopeMicro


class Bid(Action, tag="bid", kw_only=True):
    """A buyer asks for one service."""

    broker: Address
    expires: PositiveCount
    """Last height whose round it takes part in."""
    open_ppm: BidOpening
    omega_micro: OmegaMicro
    mu: Mu
    service_blocks: ServiceBlocks
    interval_blocks: ServiceBlocks
    theta_milli: ThetaMilli
    least_resource: ResourceUnits
    """Comprehensive resource below which a seller is no match, units of computation."""
    valuation: FlatLimit | UtilityModel


class Ask(Action, tag="ask", kw_only=True):
    """A server offers one slot: these resources, for one buyer, for at most `longest_blocks`."""

    broker: Address
    expires: PositiveCount
    open_ppm: AskOpening
    omega_micro: OmegaMicro
    mu: Mu
    longest_blocks: ServiceBlocks
    resources: Resources
    cost: FlatFloor | CostModel


class Cancel(Action, tag="cancel"):
    """The owner takes an open order back."""

    order: Hex32


class BidPrice(Record, tag_field="side", tag="bid", kw_only=True):
    """What of a bid can be repriced; the service it asks for cannot."""

    expires: PositiveCount
    open_ppm: BidOpening
    omega_micro: OmegaMicro
    mu: Mu
    valuation: FlatLimit | UtilityModel


class AskPrice(Record, tag_field="side", tag="ask", kw_only=True):
    """What of an ask can be repriced; the slot it offers cannot."""

    expires: PositiveCount
    open_ppm: AskOpening
    omega_micro: OmegaMicro
    mu: Mu
    cost: FlatFloor | CostModel


class Reprice(Action, tag="reprice"):
    """The owner gives an open order another price; it keeps its id and joins the book anew."""

    order: Hex32
    price: BidPrice | AskPrice


def price_fields(price: BidPrice | AskPrice) -> dict[str, Any]:
    """Return what a new price changes in the terms of an order, by the names of its fields."""
    return {name: getattr(price, name) for name in price.__struct_fields__}


class Rate(Action, tag="rate"):
    """The buyer of an ended agreement says how good the service was, once."""

    agreement: Hex32
    rating_bp: BasisPoints


ACTIONS: tuple[type[Action], ...] = (Bid, Ask, Reprice, Cancel, Rate)
"""The action types of this floor, for the transaction codec."""
