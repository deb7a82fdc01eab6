"""A slow, obvious twin of the market: what should be open, reserved and traded, from scratch.

It keeps plain lists, values every pair of open orders again by walking the price path round by
round, asks SciPy for the best weight of a round, and works out classes of equal services by their
definition at every height.  It shares with the market the fixed-point functions and the valuation,
nothing else.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy
from scipy.optimize import linear_sum_assignment

from auction.actions import Ask, Bid, Reprice
from auction.brokers import Tariff
from auction.parameters import MarketParameters
from auction.pricing import Quote
from auction.valuation import cost_of_service, value_of_service
from ledger.crypto import digest
from tests.auction.test_pricing import slow_pair
from tests.auction.town import BROKERS, MCAFEE, SERVERS, TARIFFS

ALL = (*TARIFFS, MCAFEE)
MILLION = 10**6

Part = tuple[str, int, int]
"""What has a round of its own: broker, tariff version, class counted from 1 (0 without classes)."""


@dataclass
class ModelOrder:
    """One open order."""

    owner: str
    terms: Bid | Ask
    version: int
    admitted: int
    reserved: int

    @property
    def walk(self) -> tuple[int, ...]:
        """What `slow_pair` needs of an order."""
        terms = self.terms
        return (self.admitted, terms.expires, terms.open_ppm, terms.omega_micro, terms.mu)


@dataclass
class ModelAgreement:
    """One agreement, running or ended."""

    buyer: str
    seller: str
    held: int
    start: int
    end: int
    ask: Ask
    until: int = 0
    """Last height at which it may be rated; 0 while it runs."""
    rated: bool = False
    dropped: bool = False
    """Whether its rating window was closed for good."""


@dataclass
class ModelBroker:
    """A broker's tariffs, by version from 1."""

    tariffs: list[Tariff]
    pending: tuple[int, Tariff] | None = None
    suspended: bool = False


@dataclass
class Model:
    """Orders, agreements and balances, all recomputed the long way."""

    market: MarketParameters
    free: dict[str, int]
    orders: dict[str, ModelOrder] = field(default_factory=dict)
    agreements: dict[str, ModelAgreement] = field(default_factory=dict)
    pool: int = 0
    quotes: dict[tuple[str, str, int, int], Quote | None] = field(default_factory=dict)
    brokers: dict[str, ModelBroker] = field(default_factory=dict)
    ejected: list[str] = field(default_factory=list)
    records: dict[str, list[int]] = field(default_factory=dict)
    """Of each seller: served, cut short, paid, ratings, money of rated services, weighted sum."""
    halvings: dict[Part, int] = field(default_factory=dict)
    """How often rounds were put off, less how often they were carried out since; none at 0."""
    crowding: int = 0
    """How often every round of this block is halved beside that."""

    def __post_init__(self) -> None:
        self.satisfaction = dict.fromkeys((key.address for key in SERVERS), 5_000)
        for key, tariff in zip(BROKERS, ALL, strict=True):
            self.brokers[key.address] = ModelBroker([tariff])

    def tariff(self, broker: str, version: int) -> Tariff:
        """Return the terms of a version."""
        return self.brokers[broker].tariffs[version - 1]

    def opened(self, order: str, owner: str, terms: Bid | Ask) -> None:
        """Take in an order that waits for its admission, and what it sets aside."""
        reserved = self.market.order_deposit_micro
        if isinstance(terms, Bid):
            largest = self.market.largest_resource
            reserved += value_of_service(terms, largest, largest)
        version = len(self.brokers[terms.broker].tariffs)
        self.orders[order] = ModelOrder(owner, terms, version, 0, reserved)
        self.free[owner] -= reserved

    def closed(self, order: str) -> None:
        """Drop an order without a trade; all it set aside comes back."""
        gone = self._pop(order)
        self.free[gone.owner] += gone.reserved

    def _pop(self, order: str) -> ModelOrder:
        """Take out an order; with the last one of its book its halvings are forgotten."""
        gone = self.orders.pop(order)
        place = (gone.terms.broker, gone.version)
        if all((one.terms.broker, one.version) != place for one in self.orders.values()):
            self.halvings = {part: k for part, k in self.halvings.items() if part[:2] != place}
        return gone

    def is_called(self, order: str, part: Part, seed: bytes) -> bool:
        """Whether the draw of a round takes an order: as a fraction its mark is below 2^-k."""
        mark = digest("call", seed + bytes.fromhex(part[0]) + bytes.fromhex(order))
        return int.from_bytes(mark[:8], "big") * 2 ** self.thinned(part) < 2**64

    def thinned(self, part: Part) -> int:
        """Return how often the round of a part is halved in this block."""
        return min(self.halvings.get(part, 0) + self.crowding, 16)

    def crowd(self, due: int) -> None:
        """Start the rounds of a block that may come to so many trades."""
        self.crowding = 0
        while due // 2**self.crowding > self.market.calls_per_block:
            self.crowding += 1

    def held(self, part: Part, *, deferred: bool) -> None:
        """Count a round that was put off or carried out."""
        k = self.halvings.pop(part, 0) + (1 if deferred else -1)
        if k > 0:
            self.halvings[part] = min(k, 16)

    def repriced(self, action: Reprice) -> None:
        """Close an order and open it again under its id with other terms."""
        before = self.orders[action.order]
        self.closed(action.order)
        words = {name: getattr(before.terms, name) for name in before.terms.__struct_fields__}
        words |= {name: getattr(action.price, name) for name in action.price.__struct_fields__}
        self.opened(action.order, before.owner, type(before.terms)(**words))

    def quote(self, bid: str, ask: str) -> Quote | None:
        """Return the terms of a pair by the slow walk."""
        buyer, seller = self.orders[bid], self.orders[ask]
        place = (bid, ask, buyer.admitted, seller.admitted)
        if place not in self.quotes:
            self.quotes[place] = self._quote(buyer, seller)
        return self.quotes[place]

    def _quote(self, buyer: ModelOrder, seller: ModelOrder) -> Quote | None:
        wanted, offered = buyer.terms, seller.terms
        assert isinstance(wanted, Bid)
        assert isinstance(offered, Ask)
        level = level_of(offered)
        service = (wanted.theta_milli, wanted.service_blocks, wanted.interval_blocks)
        cost = cost_of_service(offered.cost, *service)
        fits = level >= wanted.least_resource and wanted.service_blocks <= offered.longest_blocks
        if not fits or buyer.owner == seller.owner or cost is None:
            return None
        value = value_of_service(wanted, level, self.market.largest_resource)
        tariff = self.tariff(wanted.broker, buyer.version)
        return slow_pair(tariff, value, cost, buyer.walk, seller.walk)

    def books(self) -> dict[tuple[str, int], list[str]]:
        """Return the admitted orders of every book, a broker and a tariff version."""
        found: dict[tuple[str, int], list[str]] = {}
        for name, order in self.orders.items():
            if order.admitted and not self.brokers[order.terms.broker].suspended:
                found.setdefault((order.terms.broker, order.version), []).append(name)
        return found

    def best(self, names: list[str], height: int) -> tuple[int, int]:
        """Return the best weight of a round among these orders, and the most trades at it."""
        bids = [name for name in names if isinstance(self.orders[name].terms, Bid)]
        asks = [name for name in names if isinstance(self.orders[name].terms, Ask)]
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

    def due_bids(self, names: list[str], height: int) -> list[str]:
        """Return the bids of a book that cross with one of its asks at a height."""
        asks = [name for name in names if isinstance(self.orders[name].terms, Ask)]

        def crosses(bid: str, ask: str) -> bool:
            quote = self.quote(bid, ask)
            return quote is not None and quote.crossed <= height

        bids = [name for name in names if isinstance(self.orders[name].terms, Bid)]
        return [bid for bid in bids if any(crosses(bid, ask) for ask in asks)]

    def members(self, names: list[str], tariff: Tariff, number: int) -> list[str]:
        """Return the orders of one class of a `mcafee` book."""
        return [name for name in names if class_number(self.orders[name].terms, tariff) == number]

    def class_trades(self, names: list[str], tariff: Tariff) -> list[tuple[int, ...]]:
        """Return (limit, floor, buyer's price, seller's price) of the trades among a class.

        By the definition; ranks decide, so the limits and floors of the winners are known,
        whoever of equals it is.
        """
        own_buyer = tariff.lambda_micro * tariff.sigma_ppm // MILLION
        own_seller = tariff.lambda_micro - own_buyer
        members = [self.orders[name].terms for name in names]
        caps = [flat(terms) - own_buyer for terms in members if isinstance(terms, Bid)]
        floors = [flat(terms) + own_seller for terms in members if isinstance(terms, Ask)]
        caps.sort(reverse=True)
        floors.sort()
        size = min(len(caps), len(floors))
        k = max([0, *(i for i in range(1, size + 1) if caps[i - 1] >= floors[i - 1])])
        if not k:
            return []
        price = (caps[k] + floors[k]) // 2 if k < size else -1
        if floors[k - 1] <= price <= caps[k - 1]:
            pays = gets = price
        else:
            pays, gets = caps[k - 1], floors[k - 1]
            k -= 1
        return [(caps[i], floors[i], pays, gets) for i in range(k)]

    def traded(self, trade: dict[str, Any]) -> None:
        """Carry out a trade as the rules of its broker say; every number is recomputed."""
        quote = self.quote(trade["bid"], trade["ask"])
        assert quote is not None
        bid, ask = self._pop(trade["bid"]), self._pop(trade["ask"])
        assert isinstance(ask.terms, Ask)
        assert bid.version == ask.version == trade["tariff"]
        tariff = self.tariff(trade["broker"], bid.version)
        fee = tariff.lambda_micro * (quote.rounds if tariff.fee_basis == "round" else 1)
        own_buyer = fee * tariff.sigma_ppm // MILLION
        high, low = prices(tariff, quote, trade)
        paid, received = high + own_buyer, low - (fee - own_buyer)
        assert (paid, received) == (trade["paid_micro"], trade["received_micro"])
        chain = (
            (trade["value_micro"], paid),
            (paid - own_buyer, trade["price_micro"]),
            (trade["price_micro"], received + (fee - own_buyer)),
            (received, trade["cost_micro"]),
        )
        assert all(upper >= lower for upper, lower in chain), chain
        share = (paid - received) * self.market.chain_share_ppm // MILLION
        self.free[bid.owner] += bid.reserved - paid
        self.free[ask.owner] += ask.reserved
        self.free[trade["broker"]] += paid - received - share
        self.pool += share
        self.agreements[trade["agreement"]] = ModelAgreement(
            bid.owner, ask.owner, received, trade["start"], trade["end"], ask.terms
        )

    def pass_height(self, height: int) -> None:
        """Pay what ends, expire what is over, admit what waits, put tariffs in force."""
        due = [
            (one.until or one.end, name)
            for name, one in self.agreements.items()
            if not one.dropped and (one.until or one.end) <= height
        ]
        for _, name in sorted(due)[: self.market.settlements_per_block]:
            if self.agreements[name].until:
                self.agreements[name].dropped = True
            else:
                self.ended(self.agreements[name], height)
        for name, order in list(self.orders.items()):
            if order.terms.expires == height:
                self.closed(name)
            elif not order.admitted and not self.brokers[order.terms.broker].suspended:
                order.admitted = height
        for broker in self.brokers.values():
            if broker.pending and broker.pending[0] == height + 1:
                broker.tariffs.append(broker.pending[1])
                broker.pending = None

    def ended(self, running: ModelAgreement, height: int) -> None:
        """Pay a seller for the time it served."""
        served = min(height, running.end) - running.start
        paid = running.held * served // (running.end - running.start)
        self.free[running.seller] += paid
        self.free[running.buyer] += running.held - paid
        running.held, running.until = paid, height + self.market.rating_blocks
        record = self.records.setdefault(running.seller, [0] * 6)
        record[0 if height >= running.end else 1] += 1
        record[2] += paid

    def rated(self, agreement: str, rating: int) -> None:
        """Count a rating."""
        ended = self.agreements[agreement]
        ended.rated = True
        record = self.records[ended.seller]
        record[3] += 1
        record[4] += ended.held
        record[5] += rating * ended.held
        inertia, before = self.market.inertia_micro, self.satisfaction[ended.seller]
        after = (before * inertia + rating * ended.held) // (inertia + ended.held)
        self.satisfaction[ended.seller] = max(self.market.satisfaction_floor_bp, after)

    def rating_code(self, agreement: str, sender: str, height: int) -> str:
        """Return the code a rating must get."""
        found = self.agreements[agreement]
        if found.until and height > found.until:
            return "unknown_agreement"
        if found.buyer != sender:
            return "not_owner"
        return "ok" if found.until and not found.rated else "rating_closed"

    def strand(self, height: int) -> None:
        """Before a round: end what servers and brokers that went have open, so many a block.

        Asks of servers that left first, then their agreements, pro rata, then suspended books.
        """
        asks = [
            (order.owner, name)
            for name, order in self.orders.items()
            if order.owner in self.ejected
        ]
        running = [
            (one.seller, name)
            for name, one in self.agreements.items()
            if one.seller in self.ejected and not one.until
        ]
        left = self.market.closings_per_block
        for _, name in sorted(asks)[:left]:
            self.closed(name)
        left -= min(left, len(asks))
        for _, name in sorted(running)[:left]:
            self.ended(self.agreements[name], height)
        left -= min(left, len(running))
        frozen = [
            (order.terms.broker, isinstance(order.terms, Ask), name)
            for name, order in self.orders.items()
            if self.brokers[order.terms.broker].suspended
        ]
        for _, _, name in sorted(frozen)[:left]:
            self.closed(name)

    def suspended(self, broker: str) -> None:
        """Freeze a book."""
        self.brokers[broker].suspended = True
        self.brokers[broker].pending = None

    def is_full(self, expires: int, order: str | None) -> bool:
        """Say whether no more orders may end at a height; `order` is what is repriced."""
        if order is not None and self.orders[order].terms.expires == expires:
            return False
        ending = sum(one.terms.expires == expires for one in self.orders.values())
        return ending >= self.market.expiries_per_block

    def changed(self, broker: str, tariff: Tariff, height: int) -> str:
        """Announce or withdraw a tariff; return the code the market must give."""
        record = self.brokers[broker]
        if record.suspended:
            return "broker_suspended"
        if tariff == record.tariffs[-1]:
            if record.pending is None:
                return "invalid_tariff"
            record.pending = None
            return "ok"
        mine = (order for order in self.orders.values() if order.terms.broker == broker)
        if len({order.version for order in mine} - {len(record.tariffs)}) > 2:
            return "limit_exceeded"
        record.pending = (height + self.market.tariff_notice_blocks, tariff)
        return "ok"

    def reserved(self, owner: str) -> int:
        """Return what an account has reserved: its orders and what it owes for services."""
        orders = sum(order.reserved for order in self.orders.values() if order.owner == owner)
        return orders + sum(a.held for a in self.running() if a.buyer == owner)

    def running(self) -> list[ModelAgreement]:
        """Return the agreements that have not ended."""
        return [agreement for agreement in self.agreements.values() if not agreement.until]

    def committed(self, seller: str) -> tuple[int, int, int]:
        """Return a server's resources in open asks and running agreements."""
        asks = [
            order.terms
            for order in self.orders.values()
            if order.owner == seller and isinstance(order.terms, Ask)
        ]
        asks += [running.ask for running in self.running() if running.seller == seller]
        return (
            sum(entry.resources.computation for entry in asks),
            sum(entry.resources.communication for entry in asks),
            sum(entry.resources.modelling for entry in asks),
        )


def level_of(ask: Ask) -> int:
    """Return the comprehensive resource of an ask; alpha and beta are 1 here."""
    return min(ask.resources.computation, ask.resources.communication, ask.resources.modelling)


def flat(terms: Bid | Ask) -> int:
    """Return the one number of a flat order."""
    price: Any = terms.valuation if isinstance(terms, Bid) else terms.cost
    return int(price.limit_micro if isinstance(terms, Bid) else price.floor_micro)


def class_number(terms: Bid | Ask, tariff: Tariff) -> int:
    """Return the class of an order by its definition, -1 for none."""
    if isinstance(terms, Bid):
        wanted = (terms.service_blocks, terms.interval_blocks, terms.theta_milli)
        mine = [
            number
            for number, one in enumerate(tariff.classes)
            if wanted == (one.service_blocks, one.interval_blocks, one.theta_milli)
            and terms.least_resource == one.least_resource
        ]
    else:
        able = [
            (one.least_resource, number)
            for number, one in enumerate(tariff.classes)
            if one.service_blocks == terms.longest_blocks and one.least_resource <= level_of(terms)
        ]
        mine = [max(able)[1]] if able else []
    return mine[0] if mine else -1


def prices(tariff: Tariff, quote: Quote, trade: dict[str, Any]) -> tuple[int, int]:
    """Return what the buyer pays and the seller gets before fees, from the labels in the event."""
    bid, ask = quote.bid, quote.ask
    match tariff.pricing:
        case "paper":
            return bid, ask
        case "midpoint":
            return (bid + ask) // 2, (bid + ask) // 2
        case "core_buyer":
            return ask + trade["seller_label_micro"], ask + trade["seller_label_micro"]
        case "core_seller":
            return bid - trade["buyer_label_micro"], bid - trade["buyer_label_micro"]
        case "kappa":
            left = MILLION - tariff.kappa_ppm
            shares = (trade["buyer_label_micro"], trade["seller_label_micro"])
            if tariff.weights == "spread":
                shares = ((bid - ask) // 2, (bid - ask) // 2)
            return bid - shares[0] * left // MILLION, ask + shares[1] * left // MILLION
        case _:
            own = tariff.lambda_micro * tariff.sigma_ppm // MILLION
            return trade["paid_micro"] - own, trade["received_micro"] + tariff.lambda_micro - own
