"""Verify my trade in a class of equal services (`mcafee`): the auction is worked out again.

There are no pairs and no labels here.  That nobody was passed over and that both prices are right
follows from all limits and floors of the class and the round's seed alone (`auction.mcafee`), so
the proof shows the class whole.  A state proof cannot show that nothing was left out, a count can:
`vintage/<book>` counts the open orders of the book before the block, and so many of its records
must be shown.  Of them the class is made of those that were admitted, stand in it by their terms,
and were not withdrawn by the block (proven as in `auction/trade_proof.py`); of those again the
auction is held among the ones that its seed and the sealed halvings call (`auction/halvings.py`).

A book with more than CLASS_ORDERS open orders is not shown.  Then the sealed pair and prices, both
orders, the class they stand in, the limit and floor around the two prices and all figures are
proven, the auction is not; `ProvenTrade.not_proven` says so.  Whether that is so the count decides,
not whoever makes the proof.
"""

from collections.abc import Collection, Iterator

from auction import keys
from auction.brokers import Tariff, broker_key
from auction.classes import class_of, price_of_order
from auction.mcafee import (
    ClassPair,
    LiveClass,
    SealedClass,
    call_class,
    clear_class,
    sealed_class,
    trade_of,
)
from auction.orders import OpenOrder, record_key, side_byte
from auction.proof_parts import (
    EntriesView,
    NeededKeys,
    Order,
    ProvenEntries,
    ProvenTrade,
    figures_of,
    keys_of_withdrawn,
    open_under,
    tariff_of,
)
from auction.trades import Trade
from ledger.errors import Corrupt, ProofFailed
from ledger.state import View
from ledger.types import Digest

CLASS_ORDERS = 500
"""Most open orders of a book whose classes are shown whole."""


def needed_of_class(
    view: View, part: SealedClass, pair: ClassPair, gone: tuple[Collection[bytes], int]
) -> NeededKeys:
    """Return the keys of the proof of one trade; see `trade_proof.needed_keys`."""
    withdrawn, height = gone
    broker, bid, ask = (bytes.fromhex(text) for text in (part.broker, pair.bid, pair.ask))
    before = [
        broker_key(part.broker),
        _vintage_key(part),
        record_key(broker, keys.BIDS, bid),
        record_key(broker, keys.ASKS, ask),
    ]
    lost = []
    if open_orders(view, part) <= CLASS_ORDERS:
        for order, record in _book(view, part):
            entry = record_key(broker, side_byte(record), order)
            before.append(entry)
            if order in withdrawn:
                lost.append(entry)
    extra = keys_of_withdrawn(view, lost, height)
    shown = tuple(dict.fromkeys((*before, *extra.before)))
    return NeededKeys(shown, extra.after, seed=True)


def open_orders(view: View, part: SealedClass) -> int:
    """Return how many orders were open in the book of a class before its block."""
    return int.from_bytes(view.get(_vintage_key(part)) or b"", "big")


def verify_class_trade(
    agreement: Digest, part: SealedClass, pair: ClassPair, entries: ProvenEntries, seed: bytes
) -> ProvenTrade:
    """Hold a trade of a class against proven entries.  Raises ProofFailed.

    `seed` is that of the block's round, as the state after it has it; empty for none shown.
    """
    view = EntriesView(entries.before)
    tariff = tariff_of(view, part.broker, part.tariff)
    if part.deferred or tariff.pricing != "mcafee" or part.number >= len(tariff.classes):
        raise ProofFailed("class", "the tariff has no such class, or it was deferred")
    broker, bid, ask = (bytes.fromhex(text) for text in (part.broker, pair.bid, pair.ask))
    parties = (
        (bid, entries.order(broker, keys.BIDS, bid, part.tariff)),
        (ask, entries.order(broker, keys.ASKS, ask, part.tariff)),
    )
    limit, floor = (_price(tariff, part, record) for _, record in parties)
    prices = (part.buyer_price_micro, part.seller_price_micro)
    trade = trade_of(tariff, (bid, limit), (ask, floor), prices)
    gain = _own_gain(trade)
    figures = figures_of((agreement, entries.height), (part.tariff, tariff), trade, parties)
    found = ProvenTrade(
        figures, tariff.pricing, gain, service_class=part.number + 1, not_proven=("class",)
    )
    entries.shown(_vintage_key(part))
    if open_orders(view, part) > CLASS_ORDERS:
        return found
    if not seed:
        raise ProofFailed("proof_incomplete", "the seed of the round is not shown")
    whole, withdrawn = _class(tariff, part, entries)
    live = call_class(whole, seed)
    if sealed_class(live, clear_class(live, seed)) != part:
        raise ProofFailed("class", "the orders of the class come to other trades or prices")
    return ProvenTrade(
        figures,
        tariff.pricing,
        gain,
        withdrawn=withdrawn,
        uncalled=tuple(order.hex() for order in live.uncalled),
        service_class=part.number + 1,
        class_orders=len(live.bids) + len(live.asks),
    )


def _own_gain(trade: Trade) -> int:
    """What the buyer gains; neither side may trade beyond its own limit or floor."""
    buyer, seller = trade.class_prices
    if not trade.edge.bid >= buyer >= seller >= trade.edge.ask:
        raise ProofFailed("price", f"{buyer} and {seller} are not between {trade.edge}")
    return trade.edge.bid - buyer


def _price(tariff: Tariff, part: SealedClass, record: OpenOrder) -> int:
    """The limit or floor of an order that stood in this class before the block."""
    if not _stands(tariff, part.number, record):
        raise ProofFailed("class", "an order of the trade did not stand in its class")
    return _flat(record)


def _flat(record: OpenOrder) -> int:
    try:
        return price_of_order(record.terms)
    except Corrupt as error:
        raise ProofFailed("class", str(error)) from None


def _stands(tariff: Tariff, number: int, record: OpenOrder) -> bool:
    return bool(record.admitted) and class_of(tariff, record.terms, record.resource) == number


def _class(
    tariff: Tariff, part: SealedClass, entries: ProvenEntries
) -> tuple[LiveClass, tuple[str, ...]]:
    """The class as its round saw it, and which of its orders the block withdrew before."""
    view, broker = EntriesView(entries.before), bytes.fromhex(part.broker)
    book = list(_book(view, part))
    count = open_orders(view, part)
    if len(book) != count:
        raise ProofFailed("proof_incomplete", f"{len(book)} of {count} open orders are shown")
    matched = {order: None for pair in part.pairs for order in (pair.bid, pair.ask)}
    sides: dict[bytes, list[tuple[Digest, int]]] = {keys.BIDS: [], keys.ASKS: []}
    withdrawn = []
    for order, record in book:
        if not _stands(tariff, part.number, record):
            continue
        side = side_byte(record)
        if order.hex() not in matched and entries.was_withdrawn(record_key(broker, side, order)):
            withdrawn.append(order.hex())
        else:
            sides[side].append((order, _flat(record)))
    bids, asks = tuple(sides[keys.BIDS]), tuple(sides[keys.ASKS])
    live = LiveClass(broker, part.tariff, part.number, tariff, bids, asks, part.halvings)
    return live, tuple(withdrawn)


def _book(view: View, part: SealedClass) -> Iterator[Order]:
    for side in (keys.BIDS, keys.ASKS):
        yield from open_under(view, bytes.fromhex(part.broker), side, part.tariff)


def _vintage_key(part: SealedClass) -> bytes:
    return keys.VINTAGE + keys.book_key(bytes.fromhex(part.broker), part.tariff)
