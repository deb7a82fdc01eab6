"""The dearest block of the market, part by part, on a full book under the default parameters.

    python3 scripts/bench_market.py --worst            # two minutes, most of them to make the books
    python3 scripts/bench_market.py --worst --require  # exit status 1 if a part passes the budget

A full book holds `orders_per_side` orders a side with `degree_cap` pairs each.  Each part is what
the bounds of a block let happen at once; its time is that of the part with the new root of the
state, in processor seconds, the least of a few runs, beside the budget for the whole market.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from msgspec.structs import replace

from auction import keys
from auction.actions import Ask
from auction.admission import ARRIVAL_PAIRS, admit_arrivals
from auction.agreements import Agreement, open_agreement, process_due
from auction.book_sides import pack
from auction.brokers import Broker, PendingTariff, Tariff, write_broker
from auction.clearing import seal
from auction.departures import close_expired, close_stranded, freeze
from auction.edges import Edge, link, note_due
from auction.halvings import crowding
from auction.orders import OpenOrder, commit, insert, row_key
from auction.pairing import AskSide, BidSide, evaluate
from auction.parameters import MarketParameters, write_parameters
from auction.sealed import MAX_BROKERS
from auction.tariffs import put_in_force
from ledger.accounts import Account, account_key
from ledger.codec import encode
from ledger.execution import BlockContext
from ledger.members import Member, Resources, write_member
from ledger.parameters import LedgerParameters
from ledger.state import Overlay, State
from ledger.types import Digest
from scripts.market_benchmark.books import (
    BROKER,
    HEIGHT,
    SPREAD,
    SURPLUS,
    make_ask,
    make_bid,
    name_of,
)

BUDGET_S = 0.25
"""Processor seconds for all market work of a block, half of the block time of 500 ms."""

MARKET = MarketParameters()
ROUND = replace(SPREAD, fee_basis="round", lambda_micro=10)
FAR = HEIGHT + 1_000
RICH = 10**14


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a block: what happens, how much of it, its processor seconds."""

    name: str
    count: int
    seconds: float

    @property
    def ratio(self) -> float:
        """Its share of the budget."""
        return self.seconds / BUDGET_S


def context(height: int = HEIGHT) -> BlockContext:
    """Return the context of a block."""
    return BlockContext(
        genesis_hash=bytes(32),
        parameters=LedgerParameters(chain="bench"),
        height=height,
        time_ms=0,
        view=1,
        builder=BROKER,
        seed=bytes(range(32)),
    )


def cost(state: State, action: Callable[[Overlay], object], times: int = 3) -> float:
    """Return the least processor seconds of an action on a state and of the new root."""
    spans = []
    for _ in range(times):
        overlay = Overlay(state)
        started = time.process_time()
        action(overlay)
        overlay.root()
        spans.append(time.process_time() - started)
    return min(spans)


class Book:
    """A full book, or one of any size, in a state of its own."""

    def __init__(
        self,
        count: int,
        tariff: Tariff,
        *,
        degree: int = MARKET.degree_cap,
        due: int = 0,
        ending: int = 0,
        steps: bool = False,
    ) -> None:
        """`due` bids cross at HEIGHT, `ending` orders end then; `steps` are long ladders."""
        self.chance, self.tariff, self.steps = random.Random(7), tariff, steps
        self.records: dict[Digest, OpenOrder] = {}
        overlay = Overlay(State())
        write_parameters(overlay, MARKET)
        write_broker(overlay, BROKER, Broker(name="bench", tariff=tariff))
        bids = [self._stand(overlay, "bid", number, ending // 2) for number in range(count)]
        asks = [
            self._stand(overlay, "ask", number, ending - ending // 2) for number in range(count)
        ]
        self._link(overlay, bids, asks, degree, due)
        for key, _ in list(overlay.scan(keys.ARRIVAL)):
            overlay.delete(key)
        self.state = State.from_items(
            [(key, value) for key, value in overlay.changes.items() if value is not None]
        )

    def _stand(self, overlay: Overlay, side: str, number: int, ending: int) -> Digest:
        record = self.order(side, number)
        expires = HEIGHT if number < ending else FAR + number // 100
        record = replace(record, admitted=HEIGHT - 1, terms=replace(record.terms, expires=expires))
        order = name_of(side, number)
        insert(overlay, order, record)
        overlay.put(row_key(record, order), pack(record))
        fund(overlay, record)
        self.records[order] = record
        return order

    def order(self, side: str, number: int) -> OpenOrder:
        """Return an order as it is sent, 64 to an owner."""
        record = (make_bid if side == "bid" else make_ask)(self.chance, number)
        owner = name_of(f"owner of {side}s", number // MARKET.orders_per_account)
        terms = replace(record.terms, expires=FAR)
        if self.steps:
            # About the longest ladder the parameters take, another for each order.
            opening = 50_000 if side == "bid" else 20 * 10**6
            terms = replace(terms, open_ppm=opening + number, omega_micro=12_100 + number % 50)
        elif self.tariff.fee_basis == "round":
            terms = replace(terms, omega_micro=self.chance.randint(50_000, 900_000))
        return replace(
            record,
            owner=owner.hex(),
            submitted=HEIGHT,
            admitted=0,
            reserved_micro=10**10,
            terms=terms,
        )

    def _link(
        self, overlay: Overlay, bids: list[Digest], asks: list[Digest], degree: int, due: int
    ) -> None:
        """Every order gets `degree` pairs, bid i with asks i + s for as many s."""
        place, count = keys.book_key(bytes.fromhex(BROKER), 1), len(bids)
        strides = [self.chance.randrange(count) for _ in range(degree)]
        for number, bid in enumerate(bids):
            when = HEIGHT if number < due else FAR
            for other in dict.fromkeys((number + stride) % count for stride in strides):
                edge = self._edge(bids, asks, number, other, when)
                if edge is not None:
                    link(overlay, place, bid, edge, HEIGHT)

    def _edge(
        self, bids: list[Digest], asks: list[Digest], number: int, other: int, due: int
    ) -> Edge | None:
        """Return a pair heavier than what arrives; at what it is worth where it can trade."""
        if due > HEIGHT:
            return Edge(asks[other], self.chance.randint(10**12, 2 * 10**12), due, 2, 1, 1)
        buyer, seller = self.records[bids[number]], self.records[asks[other]]
        quote = evaluate(BidSide(buyer, buyer.terms), AskSide(seller, seller.terms), self.tariff)  # type: ignore[arg-type]
        if quote is None:
            return None
        return Edge(asks[other], quote.weight, due, quote.bid, quote.ask, quote.rounds)

    def arrive(self, overlay: Overlay, side: str, count: int) -> None:
        """Send orders that wait to be paired."""
        for number in range(count):
            insert(overlay, name_of(f"new {side}", number), self.order(side, 50_000 + number))


def fund(overlay: Overlay, record: OpenOrder) -> None:
    """Let an owner have what its orders set aside and commit."""
    overlay.put(account_key(record.owner), encode(Account(RICH, RICH, 0)))
    if isinstance(record.terms, Ask):
        commit(overlay, record.owner, record.terms.resources)
        seat(overlay, record.owner, "active")


def seat(overlay: Overlay, address: str, status: str) -> None:
    """Have an account be a member, or one that left."""
    huge = Resources(10**9, 10**9, 10**9)
    member = Member(
        name="m",
        vrf_key=address,
        endpoint="",
        resources=huge,
        stake_micro=1,
        satisfaction_bp=1,
        status=status,  # type: ignore[arg-type]
    )
    write_member(overlay, address, member)


def merged(state: State, change: Callable[[Overlay], object]) -> State:
    """Return a state after a change."""
    overlay = Overlay(state)
    change(overlay)
    state.merge(overlay)
    return state


def closings(count: int) -> Iterator[Part]:
    """Yield expiry, suspension and departure on a full book."""
    most = MARKET.closings_per_block
    book = Book(count, SPREAD, ending=MARKET.expiries_per_block)
    seconds = cost(book.state, lambda overlay: close_expired(overlay, HEIGHT))
    yield Part("expiry, all with pairs left", MARKET.expiries_per_block, seconds)

    def leave(overlay: Overlay) -> None:
        for number in range(count // MARKET.orders_per_account):
            seat(overlay, name_of("owner of asks", number).hex(), "left")

    def close(overlay: Overlay) -> None:
        close_stranded(overlay, HEIGHT, MARKET)

    def suspend(overlay: Overlay) -> None:
        write_broker(overlay, BROKER, Broker(name="bench", tariff=SPREAD, status="suspended"))
        freeze(overlay, BROKER)

    def suspend_and_close(overlay: Overlay) -> None:
        suspend(overlay)
        close(overlay)

    yield Part("suspension of a full book", most, cost(book.state, suspend_and_close))
    yield Part("departure of all servers: asks", most, cost(merged(book.state, leave), close))


def settlements() -> Iterator[Part]:
    """Yield agreements that end at one height, and those of servers that left."""
    most = MARKET.settlements_per_block

    def sign(overlay: Overlay) -> None:
        write_parameters(overlay, MARKET)
        for number in range(20_000):
            buyer, seller = (
                name_of("buyer", number % 99).hex(),
                name_of("seller", number % 99).hex(),
            )
            for address in (buyer, seller):
                overlay.put(account_key(address), encode(Account(RICH, RICH, 0)))
            commit(overlay, seller, Resources(1, 1, 1))
            record = Agreement(
                bid=name_of("bid", number).hex(),
                ask=name_of("ask", number).hex(),
                buyer=buyer,
                seller=seller,
                broker=BROKER,
                resources=Resources(1, 1, 1),
                start=HEIGHT - 10,
                end=HEIGHT,
                held_micro=5,
            )
            open_agreement(overlay, record)

    state = merged(State(), sign)
    seconds = cost(state, lambda overlay: process_due(overlay, HEIGHT, MARKET))
    yield Part("settlement, 20000 due at once", most, seconds)
    seconds = cost(state, lambda overlay: close_stranded(overlay, HEIGHT - 5, MARKET))
    yield Part("departure of all servers: agreements", MARKET.closings_per_block, seconds)


def admissions(count: int) -> Iterator[Part]:
    """Yield blocks of arrivals at the bound of `pairs_per_block`."""
    small = MARKET.pairs_per_block // ARRIVAL_PAIRS
    for name, tariff, size, steps in (
        ("surplus, full book", SURPLUS, count, False),
        ("fee by the deal, full book", SPREAD, count, False),
        ("fee by the deal, longest ladders", SPREAD, count, True),
        ("fee by the round, full book", ROUND, count, False),
        ("surplus, book of 1000", SURPLUS, count // 10, False),
        ("fee by the deal, book of 1000", SPREAD, count // 10, False),
        ("fee by the round, book of 1000", ROUND, count // 10, False),
        ("fee by the deal, book of 20", SPREAD, 20, False),
        ("fee by the round, book of 20", ROUND, 20, False),
    ):
        book = Book(size, tariff, degree=min(size, MARKET.degree_cap), steps=steps)
        state = merged(book.state, lambda overlay, book=book: book.arrive(overlay, "bid", small))  # type: ignore[misc]
        overlay = Overlay(state)
        admit_arrivals(context(), overlay, MARKET)
        joined = small - len(list(overlay.scan(keys.ARRIVAL)))
        seconds = cost(state, lambda overlay: admit_arrivals(context(), overlay, MARKET))
        yield Part(f"admission: {name}", joined, seconds)


def rounds(count: int) -> Iterator[Part]:
    """Yield rounds of a full book of which as many bids are due as make for the most called.

    Solved as its builder does, then checked as every other node does.
    """
    most = MARKET.calls_per_block
    due = next(due for due in range(count, 0, -1) if due >> crowding(due, most) == min(due, most))
    book = Book(count, SURPLUS, due=due)
    sealed = seal(context(), Overlay(book.state), None)

    def clear(overlay: Overlay, shown: bytes | None) -> None:
        seal(context(), overlay, shown)
        note_due(overlay, HEIGHT)

    for name, shown in (("solved", None), ("checked", sealed)):
        seconds = cost(book.state, lambda overlay, shown=shown: clear(overlay, shown))  # type: ignore[misc]
        yield Part(f"round, {due} bids due: {name}", min(due, most), seconds)


def tariff_changes() -> Iterator[Part]:
    """Yield changes of the tariffs of all brokers at one height."""

    def announce(overlay: Overlay) -> None:
        write_parameters(overlay, MARKET)
        pending = (PendingTariff(HEIGHT + 1, SURPLUS),)
        for number in range(MAX_BROKERS):
            address = name_of("broker", number)
            record = Broker(name="b", tariff=SPREAD, pending=pending)
            write_broker(overlay, address.hex(), record)
            overlay.put(keys.at_height(keys.TARIFF_DUE, HEIGHT + 1) + address, keys.PRESENT)

    state = merged(State(), announce)
    seconds = cost(state, lambda overlay: put_in_force(overlay, HEIGHT))
    yield Part("change of all tariffs", MAX_BROKERS, seconds)


def parts(count: int) -> Iterator[Part]:
    """Yield every part of the dearest block; `count` orders a side."""
    yield from closings(count)
    yield from settlements()
    yield from tariff_changes()
    yield from admissions(count)
    yield from rounds(count)
