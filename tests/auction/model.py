"""A slow, obvious twin of the market: what should be open, reserved and traded, from scratch.

It keeps plain lists, values every pair of open orders again at every height by walking the price
path round by round, and asks SciPy for the best weight of a round.  It shares with the market the
fixed-point functions and the valuation, nothing else.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy
from scipy.optimize import linear_sum_assignment

from auction.actions import Ask, Bid
from auction.parameters import MarketParameters
from auction.pricing import Quote
from auction.valuation import cost_of_service, value_of_service
from tests.auction.test_pricing import slow_pair
from tests.auction.town import BROKERS, TARIFFS

TARIFF_OF = {key.address: tariff for key, tariff in zip(BROKERS, TARIFFS, strict=False)}


@dataclass
class ModelOrder:
    """One open order."""

    owner: str
    terms: Bid | Ask
    admitted: int
    reserved: int

    @property
    def walk(self) -> tuple[int, ...]:
        """What `slow_pair` needs of an order."""
        terms = self.terms
        return (self.admitted, terms.expires, terms.open_ppm, terms.omega_micro, terms.mu)


@dataclass
class ModelAgreement:
    """One running agreement."""

    buyer: str
    seller: str
    held: int
    end: int
    ask: Ask


@dataclass
class Model:
    """Orders, agreements and balances, all recomputed the long way."""

    market: MarketParameters
    free: dict[str, int]
    orders: dict[str, ModelOrder] = field(default_factory=dict)
    agreements: dict[str, ModelAgreement] = field(default_factory=dict)
    pool: int = 0
    quotes: dict[tuple[str, str], Quote | None] = field(default_factory=dict)

    def opened(self, order: str, owner: str, terms: Bid | Ask, height: int) -> None:
        """Take in an order and what it sets aside."""
        reserved = self.market.order_deposit_micro
        if isinstance(terms, Bid):
            largest = self.market.largest_resource
            reserved += value_of_service(terms, largest, largest)
        self.orders[order] = ModelOrder(owner, terms, height, reserved)
        self.free[owner] -= reserved

    def closed(self, order: str) -> None:
        """Drop an order without a trade; all it set aside comes back."""
        gone = self.orders.pop(order)
        self.free[gone.owner] += gone.reserved

    def quote(self, bid: str, ask: str) -> Quote | None:
        """Return the terms of a pair by the slow walk."""
        if (bid, ask) not in self.quotes:
            self.quotes[bid, ask] = self._quote(self.orders[bid], self.orders[ask])
        return self.quotes[bid, ask]

    def _quote(self, buyer: ModelOrder, seller: ModelOrder) -> Quote | None:
        wanted, offered = buyer.terms, seller.terms
        assert isinstance(wanted, Bid)
        assert isinstance(offered, Ask)
        parts = offered.resources
        level = min(parts.computation, parts.communication, parts.modelling)
        service = (wanted.theta_milli, wanted.service_blocks, wanted.interval_blocks)
        cost = cost_of_service(offered.cost, *service)
        fits = level >= wanted.least_resource and wanted.service_blocks <= offered.longest_blocks
        if not fits or buyer.owner == seller.owner or cost is None:
            return None
        value = value_of_service(wanted, level, self.market.largest_resource)
        return slow_pair(TARIFF_OF[wanted.broker], value, cost, buyer.walk, seller.walk)

    def best(self, broker: str, height: int) -> tuple[int, int]:
        """Return the best weight of a round, and the most trades at that weight."""
        mine = {name: order for name, order in self.orders.items() if order.terms.broker == broker}
        bids = [name for name, order in mine.items() if isinstance(order.terms, Bid)]
        asks = [name for name, order in mine.items() if isinstance(order.terms, Ask)]
        if not bids or not asks:
            return 0, 0
        weights = numpy.zeros((len(bids), len(asks)), dtype=numpy.int64)
        for row, bid in enumerate(bids):
            for column, ask in enumerate(asks):
                quote = self.quote(bid, ask)
                if quote is not None and quote.crossed <= height:
                    weights[row, column] = quote.weight * 1_000 + 1
        rows, columns = linear_sum_assignment(weights, maximize=True)
        return divmod(int(weights[rows, columns].sum()), 1_000)

    def traded(self, trade: dict[str, Any]) -> None:
        """Carry out a trade as the rules of its broker say; every number is recomputed."""
        bid, ask = self.orders.pop(trade["bid"]), self.orders.pop(trade["ask"])
        assert isinstance(ask.terms, Ask)
        tariff = TARIFF_OF[trade["broker"]]
        quote = self.quotes[trade["bid"], trade["ask"]]
        assert quote is not None
        fee = tariff.lambda_micro * (quote.rounds if tariff.fee_basis == "round" else 1)
        own_buyer = fee * tariff.sigma_ppm // 10**6
        high, low = quote.bid, quote.ask
        if tariff.pricing != "paper":
            low = high = {
                "midpoint": (high + low) // 2,
                "core_buyer": low + trade["seller_label_micro"],
                "core_seller": high - trade["buyer_label_micro"],
            }[tariff.pricing]
        paid, received = high + own_buyer, low - (fee - own_buyer)
        assert (paid, received) == (trade["paid_micro"], trade["received_micro"])
        chain = (paid - received) * self.market.chain_share_ppm // 10**6
        self.free[bid.owner] += bid.reserved - paid
        self.free[ask.owner] += ask.reserved
        self.free[trade["broker"]] += paid - received - chain
        self.pool += chain
        self.agreements[trade["agreement"]] = ModelAgreement(
            bid.owner, ask.owner, received, trade["end"], ask.terms
        )

    def pass_height(self, height: int) -> None:
        """Pay what ends, expire what is over."""
        for name, running in list(self.agreements.items()):
            if running.end == height:
                self.free[running.seller] += running.held
                del self.agreements[name]
        for name, order in list(self.orders.items()):
            if order.terms.expires == height:
                self.closed(name)

    def reserved(self, owner: str) -> int:
        """Return what an account has reserved: its orders and what it owes for services."""
        orders = sum(order.reserved for order in self.orders.values() if order.owner == owner)
        owed = sum(a.held for a in self.agreements.values() if a.buyer == owner)
        return orders + owed

    def committed(self, seller: str) -> tuple[int, int, int]:
        """Return a server's resources in open asks and running agreements."""
        asks = [
            order.terms
            for order in self.orders.values()
            if order.owner == seller and isinstance(order.terms, Ask)
        ]
        asks += [running.ask for running in self.agreements.values() if running.seller == seller]
        return (
            sum(entry.resources.computation for entry in asks),
            sum(entry.resources.communication for entry in asks),
            sum(entry.resources.modelling for entry in asks),
        )
