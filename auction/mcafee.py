"""McAfee's double auction of one class of equal services: trade reduction.

With b_1 >= b_2 >= ... the limits of the bids less the buyer's own fee, s_1 <= s_2 <= ... the floors
of the asks plus the seller's own fee, and k the last rank with b_k >= s_k:

    p = (b_(k+1) + s_(k+1)) / 2, rounded down, if both exist
    s_k <= p <= b_k:   k trades, everybody pays and gets p
    otherwise:         k - 1 trades, buyers pay b_k, sellers get s_k, the broker keeps b_k - s_k

The price an order gets does not depend on what it states, so nobody gains by a false limit or
floor; nobody loses; the broker pays nothing in.  The k-th pair may be left open though it crosses:
what is left gives no trade in a later round either, until somebody joins or leaves.

Equal prices are ranked by the marks of the round (`certificate.tie_mark`): the seed decides.
The trades are those of the best ranks, the i-th bid with the i-th ask.  This is a sort and one
pass, the same integers everywhere; so whoever checks a sealed class works it out again and says
what differs.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Annotated

from msgspec import Meta

from auction import keys
from auction.brokers import MAX_CLASSES, Tariff, buyer_fee, read_broker, seller_fee
from auction.certificate import tie_mark
from auction.edges import Edge
from auction.halvings import MAX_HALVINGS, Halvings, read_halvings, split_called
from auction.trades import Trade
from ledger.codec import Record
from ledger.errors import Corrupt, Reason, Rejected
from ledger.state import View
from ledger.types import Address, Digest, Hex32, Micro, PositiveCount

MAX_PAIRS = 100_000

WORK_PER_ORDER = 8
"""An order is marked and sorted, by the builder twice: about as long as eight visits of a pair."""

ClassNumber = Annotated[int, Meta(ge=0, le=MAX_CLASSES - 1)]


class ClassPair(Record):
    """One trade of a class."""

    ask: Hex32
    bid: Hex32


class SealedClass(Record, kw_only=True):
    """The round of one class: pairs in ascending order of bid, one price for each side."""

    broker: Address
    tariff: PositiveCount
    """Version of the broker's tariff."""
    number: ClassNumber
    """Place of the class in that tariff's list."""
    deferred: bool
    buyer_price_micro: Micro
    seller_price_micro: Micro
    """Before fees; 0 without a trade."""
    pairs: Annotated[tuple[ClassPair, ...], Meta(max_length=MAX_PAIRS)]
    halvings: Halvings = 0
    """As the state had them: which orders were called."""


@dataclass(frozen=True, slots=True)
class LiveClass:
    """A class with a crossed pair: (order, limit) and (order, floor), ascending by id."""

    broker: bytes
    version: int
    number: int
    tariff: Tariff
    bids: tuple[tuple[Digest, int], ...]
    asks: tuple[tuple[Digest, int], ...]
    halvings: int = 0
    """Which orders of either side a round calls."""
    uncalled: tuple[Digest, ...] = ()
    """Orders that were not called, bids first; the sides have them until `call_class`."""

    @property
    def key(self) -> bytes:
        """The book as it stands in keys."""
        return keys.book_key(self.broker, self.version)

    @property
    def place(self) -> bytes:
        """The class as it stands in keys."""
        return self.key + bytes((self.number,))

    @property
    def work(self) -> int:
        """What clearing it costs, in pairs visited by the solver of other books."""
        return WORK_PER_ORDER * (len(self.bids) + len(self.asks))


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a class comes to: (bid, ask) ascending by bid, and what each side pays and gets."""

    pairs: tuple[tuple[Digest, Digest], ...]
    buyer_price: int
    seller_price: int


def live_classes(view: View, height: int) -> Iterator[LiveClass]:
    """Yield the classes to clear at a height, ascending by broker, tariff version and number.

    Each is whole, and has a crossed pair; `call_class` leaves those a round is held among.
    """
    prefix = keys.at_height(keys.CLASS_DUE, height)
    for key, _ in view.scan(prefix):
        place = key[len(prefix) :]
        book, number = place[:-1], place[-1]
        broker, version = book[:32], int.from_bytes(book[32:], "big")
        record = read_broker(view, broker.hex())
        if record is None:
            raise Corrupt(f"a class without its broker {broker.hex()}")
        if record.status != "active" or not record.remembers(version):
            # It is frozen; or its last order left after a round, and its tariff is forgotten.
            continue
        found = standing_class(view, (broker, version, number), record.tariff_of(version))
        if not found.bids or not found.asks:
            continue
        if max(cap for _, cap in caps_of(found)) >= min(floor for _, floor in floors_of(found)):
            yield found


def standing_class(view: View, place: tuple[bytes, int, int], tariff: Tariff) -> LiveClass:
    """Return a class as it stands, crossed or not: broker, tariff version and number name it."""
    broker, version, number = place
    key = keys.book_key(broker, version) + bytes((number,))
    bids, asks = _side(view, key + keys.BIDS), _side(view, key + keys.ASKS)
    return LiveClass(broker, version, number, tariff, bids, asks, read_halvings(view, key))


def call_class(live: LiveClass, seed: bytes, crowding: int = 0) -> LiveClass:
    """Return the class with the orders that a round under this seed calls.

    `crowding` are the halvings of all rounds of its block, beside its own.
    """
    live = replace(live, halvings=min(live.halvings + crowding, MAX_HALVINGS))
    if not live.halvings:
        return live
    sides: list[tuple[tuple[Digest, int], ...]] = []
    uncalled: list[Digest] = []
    for side in (live.bids, live.asks):
        orders = [order for order, _ in side]
        marks, left = split_called(seed, live.broker, orders, live.halvings)
        sides.append(tuple(entry for entry, each in zip(side, marks, strict=True) if each))
        uncalled += left
    return replace(live, bids=sides[0], asks=sides[1], uncalled=tuple(uncalled))


def _side(view: View, place: bytes) -> tuple[tuple[Digest, int], ...]:
    prefix = keys.CLASS + place
    entries = view.scan(prefix)
    return tuple((key[len(prefix) :], int.from_bytes(price, "big")) for key, price in entries)


def caps_of(live: LiveClass) -> Iterator[tuple[Digest, int]]:
    """Yield the bids with their limits less the buyer's own fee."""
    fee = buyer_fee(live.tariff, 1)
    return ((order, limit - fee) for order, limit in live.bids)


def floors_of(live: LiveClass) -> Iterator[tuple[Digest, int]]:
    """Yield the asks with their floors plus the seller's own fee."""
    fee = seller_fee(live.tariff, 1)
    return ((order, floor + fee) for order, floor in live.asks)


def clear_class(live: LiveClass, seed: bytes) -> Outcome:
    """Return the trades of a class and their two prices.  O(n log n)."""

    def drawn(order: Digest) -> int:
        return tie_mark(seed, live.broker, order)

    bids = sorted(caps_of(live), key=lambda entry: (-entry[1], drawn(entry[0])))
    asks = sorted(floors_of(live), key=lambda entry: (entry[1], drawn(entry[0])))
    count, prices = reduce_trades([cap for _, cap in bids], [floor for _, floor in asks])
    pairs = sorted((bids[rank][0], asks[rank][0]) for rank in range(count))
    return Outcome(tuple(pairs), *prices)


def reduce_trades(caps: Sequence[int], floors: Sequence[int]) -> tuple[int, tuple[int, int]]:
    """Return how many of the best ranks trade, and what buyers pay and sellers get.

    `caps` fall, `floors` rise.  Prices are 0 without a trade.
    """
    ranks = min(len(caps), len(floors))
    crossed = crossed_ranks(caps, floors)
    if not crossed:
        return 0, (0, 0)
    last_cap, last_floor = caps[crossed - 1], floors[crossed - 1]
    if crossed < ranks:
        middle = (caps[crossed] + floors[crossed]) // 2
        if last_floor <= middle <= last_cap:
            return crossed, (middle, middle)
    return crossed - 1, ((last_cap, last_floor) if crossed > 1 else (0, 0))


def crossed_ranks(caps: Sequence[int], floors: Sequence[int]) -> int:
    """Return k: how many ranks have a cap no less than the floor; `caps` fall, `floors` rise."""
    ranks = min(len(caps), len(floors))
    return next((rank for rank in range(ranks) if caps[rank] < floors[rank]), ranks)


def could_trade(live: LiveClass) -> tuple[list[Digest], list[Digest]]:
    """Return the bids and asks as good as the last rank that crosses, ascending by id.

    Those are the ranks that cross and whoever draws with the last of them; no other order of the
    class can trade in its round, whatever the seed.
    """
    bids, asks = list(caps_of(live)), list(floors_of(live))
    caps, floors = sorted((cap for _, cap in bids), reverse=True), sorted(one for _, one in asks)
    crossed = crossed_ranks(caps, floors)
    if not crossed:
        return [], []
    least, most = caps[crossed - 1], floors[crossed - 1]
    return [one for one, cap in bids if cap >= least], [one for one, own in asks if own <= most]


def sealed_class(live: LiveClass, outcome: Outcome | None) -> SealedClass:
    """Return the sealed form of what a class came to; deferred without an outcome."""
    found = outcome or Outcome((), 0, 0)
    return SealedClass(
        broker=live.broker.hex(),
        tariff=live.version,
        number=live.number,
        deferred=outcome is None,
        buyer_price_micro=found.buyer_price,
        seller_price_micro=found.seller_price,
        pairs=tuple(ClassPair(ask.hex(), bid.hex()) for bid, ask in found.pairs),
        halvings=live.halvings,
    )


def check_class(live: LiveClass, part: SealedClass, seed: bytes) -> tuple[Trade, ...]:
    """Return the trades of one sealed class, called already.  Raises Rejected(BAD_CLEARING)."""
    if part.halvings != live.halvings:
        raise Rejected(
            Reason.BAD_CLEARING, f"halvings of a class are {part.halvings}, not {live.halvings}"
        )
    if part.deferred:
        if part != sealed_class(live, None):
            raise Rejected(Reason.BAD_CLEARING, "a deferred class has no pairs and no prices")
        return ()
    outcome = clear_class(live, seed)
    wanted = sealed_class(live, outcome)
    for side in ("buyer_price_micro", "seller_price_micro"):
        found, due = getattr(part, side), getattr(wanted, side)
        if found != due:
            raise Rejected(Reason.BAD_CLEARING, f"{side} of a class is {found}, not {due}")
    if part.pairs != wanted.pairs:
        raise Rejected(Reason.BAD_CLEARING, f"trades of a class: {_difference(part, wanted)}")
    limits, floors = dict(live.bids), dict(live.asks)
    prices = (outcome.buyer_price, outcome.seller_price)
    return tuple(
        trade_of(live.tariff, (bid, limits[bid]), (ask, floors[ask]), prices)
        for bid, ask in outcome.pairs
    )


def _difference(part: SealedClass, wanted: SealedClass) -> str:
    presented = {(pair.bid, pair.ask): None for pair in part.pairs}
    expected = {(pair.bid, pair.ask): None for pair in wanted.pairs}
    missing = sum(pair not in presented for pair in expected)
    extra = [bid for bid, ask in presented if (bid, ask) not in expected]
    if not missing and not extra:
        return "doubled or out of order"
    return (
        f"{missing} missing, {len(extra)} wrong, the first of them of bid {(extra or ['none'])[0]}"
    )


def trade_of(
    tariff: Tariff, bid: tuple[Digest, int], ask: tuple[Digest, int], prices: tuple[int, int]
) -> Trade:
    """Return a trade of a class from (bid, limit), (ask, floor) and what each side pays and gets.

    Micro-tokens; prices before fees.
    """
    cap, floor = bid[1] - buyer_fee(tariff, 1), ask[1] + seller_fee(tariff, 1)
    return Trade(bid[0], ask[0], Edge(ask[0], cap - floor, 0, cap, floor, 1), 0, prices)
