"""Whether two orders fit, and the terms of their pair.

A pair is an edge if the seller's comprehensive resource reaches the level the bid asks for, the
service is no longer than the ask allows, the owners differ, the cost stays in bounds, and the two
prices cross while both orders are open (C1-C4).  A prepared order remembers what depends on one
side only, so that one order can be held against thousands.
"""

from auction.actions import Ask, Bid, FlatFloor, FlatLimit
from auction.brokers import Tariff
from auction.orders import OpenOrder
from auction.parameters import MarketParameters
from auction.pricing import Path, Quote, ask_ladder, bid_ladder, quote_pair
from auction.valuation import cost_of_service, value_of_service


def ladder_rounds(tariff: Tariff, parameters: MarketParameters) -> int:
    """Return how many rounds a price may take to its reservation under this tariff."""
    if tariff.fee_basis == "round":
        return parameters.ladder_rounds_under_round_fee
    return parameters.ladder_rounds


def path_of(order: OpenOrder) -> Path:
    """Return how an order's price moves.  Raises STEP_TOO_SMALL; not for an order once open."""
    terms = order.terms
    ladder = bid_ladder if isinstance(terms, Bid) else ask_ladder
    factors = ladder(terms.open_ppm, terms.omega_micro, terms.mu)
    return Path(order.admitted, terms.expires, factors)


class BidSide:
    """A bid prepared for many pairs: its path, and its value at each level met so far."""

    __slots__ = ("_path", "_values", "order", "terms")

    def __init__(self, order: OpenOrder, terms: Bid) -> None:
        self.order, self.terms = order, terms
        self._path: Path | None = None
        self._values: dict[int, int] = {}

    @property
    def path(self) -> Path:
        """How its price moves, worked out when first asked for."""
        if self._path is None:
            self._path = path_of(self.order)
        return self._path

    def value(self, resource: int) -> int:
        """Return G at a resource level, computed once for each."""
        valuation = self.terms.valuation
        if isinstance(valuation, FlatLimit):
            return valuation.limit_micro
        value = self._values.get(resource)
        if value is None:
            value = value_of_service(self.terms, resource, self.order.resource)
            self._values[resource] = value
        return value


class AskSide:
    """An ask prepared for many pairs: its path, and its cost for each service met so far."""

    __slots__ = ("_costs", "_path", "order", "terms")

    def __init__(self, order: OpenOrder, terms: Ask) -> None:
        self.order, self.terms = order, terms
        self._path: Path | None = None
        self._costs: dict[tuple[int, int, int], int | None] = {}

    @property
    def path(self) -> Path:
        """How its price moves, worked out when first asked for."""
        if self._path is None:
            self._path = path_of(self.order)
        return self._path

    def cost(self, bid: Bid) -> int | None:
        """Return C for what a bid wants, computed once for each kind of service."""
        cost = self.terms.cost
        if isinstance(cost, FlatFloor):
            return cost.floor_micro
        service = (bid.theta_milli, bid.service_blocks, bid.interval_blocks)
        if service not in self._costs:
            self._costs[service] = cost_of_service(cost, *service)
        return self._costs[service]


def evaluate(bid: BidSide, ask: AskSide, tariff: Tariff) -> Quote | None:
    """Return the terms of a pair, None if it is no edge: unfit, one owner, or never crossing."""
    wanted = bid.terms
    if (
        ask.order.resource < wanted.least_resource
        or wanted.service_blocks > ask.terms.longest_blocks
        or bid.order.owner == ask.order.owner
    ):
        return None
    cost = ask.cost(wanted)
    if cost is None:
        return None
    return quote_pair(tariff, bid.value(ask.order.resource), cost, bid.path, ask.path)
