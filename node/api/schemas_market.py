"""Shapes of what the market answers, for the OpenAPI page and for generated clients."""

from typing import Literal

from pydantic import Field

from node.api.schemas import Address, Digest, Document, Model, Number, Open


class RoleFigures(Open):
    """What an account traded in one role; sums in micro-tokens."""

    trades: Number
    gain_micro: int = Field(description="value - paid, received - cost, or what a broker kept.")


class AccountMarketModel(Model):
    """What one account did in the market over some blocks."""

    account: Address
    from_: Number = Field(alias="from", description="First height the figures cover.")
    to: Number
    complete: bool = Field(description="False where the search ended before the window did.")
    as_buyer: RoleFigures
    as_seller: RoleFigures
    as_broker: RoleFigures
    orders: Document
    ratings: Document


class CurvesModel(Model):
    """Demand and supply as steps [price in micro-tokens, orders at that price or better]."""

    demand: list[list[int]]
    supply: list[list[int]]
    thinned: Number = Field(description="Steps left out between two that are shown.")


class RoundBookModel(Open):
    """One book (a broker and a version of its tariff) or one class of it, in the round of a block.

    A class has its `service`, two prices, and says whether trade reduction left a pair out.
    """

    broker: Address
    tariff: Number = Field(description="Version of the broker's tariff.")
    deferred: bool
    halvings: Number = Field(description="Times its round was halved: 2^-halvings were called.")
    uncalled: Number = Field(default=0, description="Orders that were due and not called.")
    uncalled_orders: list[str] = Field(default_factory=list, description="The first 500 of them.")
    pairs: list[Document]
    curves: CurvesModel | None = None
    considered: list[Document] = Field(default_factory=list)
    outbid: list[Document] = Field(default_factory=list)
    unmatched: list[Digest] = Field(
        default_factory=list,
        description="Orders that could have traded and did not: the first 100 of each side.",
    )
    unmatched_count: Number = Field(default=0, description="How many there were.")
    totals: dict[str, int] = Field(default_factory=dict)


class RoundClassModel(RoundBookModel):
    """One class of equal services in the round of a block."""

    number: Number
    buyer_price_micro: Number
    seller_price_micro: Number
    service: Document = Field(default_factory=dict)
    reduced: bool = False


class RoundModel(Model):
    """All books and classes of one round."""

    height: Number
    books: list[RoundBookModel]
    classes: list[RoundClassModel] = Field(description="Classes of equal services.")


class ComingModel(Open):
    """What the coming round would do to a broker as things stand."""

    broker: Address
    height: Number
    bids: Number
    asks: Number
    edges: Number
    solved: bool
    weight_micro: Number
    pairs: list[Document]
    books: list[Document]
    classes: list[Document]
    curves: CurvesModel


class DepthStep(Model):
    """So many orders at this price or better."""

    price_micro: Number
    orders: Number


class DepthPart(Open):
    """Demand and supply of orders that may meet: of one tariff version, and one class if any."""

    tariff: Number = Field(description="Version of the broker's tariff.")
    service_class: Number = Field(description="Class counted from 1; 0 without classes.")
    service: Document
    demand: list[DepthStep]
    supply: list[DepthStep]
    crossing: Number


class DepthModel(DepthPart):
    """Demand and supply of a broker: of the tariff in force, and of all others."""

    broker: Address
    height: Number
    others: list[DepthPart]


class OrderModel(Open):
    """An order, open or closed lately."""

    id: Digest
    side: Literal["bid", "ask"]
    status: Literal["open", "waiting", "closed"]
    owner: Address
    broker: Address


class StandingModel(Open):
    """How far an order is from the edge of the coming round.  Micro-tokens."""

    order: Digest
    height: int
    in_round: bool
    """Whether any pair of it crosses in that round, or its class is cleared in it; the rest is told
    only then."""
    solved: bool = True
    matched: bool | None = None
    short_micro: int | None = None
    """Absent also where it would trade at no price: a class of one pair, which is left out."""
    spare_micro: int | None = None
