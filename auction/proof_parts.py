"""What the proofs of all trades share: proven entries, withdrawals, the figures of a trade.

`auction/trade_proof.py` proves trades of books with pairs, `auction/class_proof.py` those of
classes of equal services.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from auction import keys
from auction.actions import Ask, Bid
from auction.agreements import has_departed
from auction.brokers import Tariff, broker_key, decode_broker
from auction.orders import OpenOrder, decode_order, record_key
from auction.settlement import settle
from auction.trades import Trade, frozen_pair, labels_of
from ledger.errors import Corrupt, ProofFailed
from ledger.members import member_key, read_member
from ledger.state import View
from ledger.types import Address, Digest

ORDER_BYTES = 32

Figures = dict[str, str | int]
Entries = Mapping[bytes, bytes | None]
"""Values by key, None for what is absent."""

Order = tuple[Digest, OpenOrder]


class NeededKeys(NamedTuple):
    """State keys of a proof: under the parent's root, and under the block's own."""

    before: tuple[bytes, ...]
    after: tuple[bytes, ...]
    seed: bool = False
    """Whether the round's seed is needed too, as the state after the block has it."""


@dataclass(frozen=True, slots=True)
class ProvenTrade:
    """A trade that holds.  Micro-tokens."""

    figures: Figures
    """All fields of the event `trade.made`, recomputed."""
    pricing: str
    gain_micro: int
    """What the unlabelled party gains: u of its pair.  In a class: what the buyer gains."""
    next_best_micro: int = 0
    """The most it would have gained with another pair, 0 without any, and in a class."""
    pairs: int = 0
    """Pairs of it that were held against the labels; 0 in a class."""
    withdrawn: tuple[str, ...] = ()
    """Orders it kept a pair with, or of its class, that the block closed before its round."""
    uncalled: tuple[str, ...] = ()
    """Orders it kept a pair with, or of its class, that a thinned round did not call."""
    service_class: int = 0
    """1 for the first class of a `mcafee` book, and so on; 0 for any other book."""
    class_orders: int = 0
    """Orders of the class from which its auction was worked out again."""
    not_proven: tuple[str, ...] = ()
    """`class`: the class was too large to be shown; its trades and prices were not worked out."""


@dataclass(frozen=True, slots=True)
class ProvenEntries:
    """What a verifier was handed of the states around a block; nothing in it is unproven."""

    height: int
    before: Entries
    after: Entries
    cancelled: frozenset[Digest]
    """Orders that a transaction of the block cancelled."""

    def shown(self, key: bytes) -> bytes:
        """Return a value before the block.  Raises ProofFailed where there is none."""
        value = self.before.get(key)
        if value is None:
            table = key.partition(b"/")[0].decode("ascii", "replace")
            raise ProofFailed("proof_incomplete", f"no entry of table {table} the trade rests on")
        return value

    def order(self, broker: bytes, side: bytes, order: Digest, version: int) -> OpenOrder:
        """Return a party's order as it stood before the block.  Raises ProofFailed."""
        record = decode_order(self.shown(record_key(broker, side, order)))
        if record.tariff != version:
            raise ProofFailed("tariff", f"order {order.hex()} is under version {record.tariff}")
        return record

    def was_withdrawn(self, entry: bytes) -> bool:
        """Whether it is proven that the block took an unmatched order out of its round.

        `entry` is the key of its record.  A record that says the order was sent or repriced in this
        block waits for the next round.  An order that expires at this height is closed after the
        round, all others that go are closed before it: cancelled, its server gone.  (Where a broker
        is suspended nobody trades, so there is nothing to prove.)  One that would have expired was
        closed before the round if its server left in this block.
        """
        order, stored = entry[-ORDER_BYTES:], self.before.get(entry)
        if order in self.cancelled:
            return True
        if stored is None or entry not in self.after:
            return False
        later = self.after[entry]
        if later is not None:
            return decode_order(later).submitted == self.height
        record = decode_order(stored)
        return record.terms.expires > self.height or self._server_left(record)

    def _server_left(self, record: OpenOrder) -> bool:
        """Whether it is proven that the server of an ask left in this block, before its round.

        One that served as active or jailed before the block leaves by a transaction or for evidence
        only, both before the round; and whom a block admits again has at least a block to bond.  So
        if it is gone afterwards, it was gone at the round.  One admitted earlier and not bonded yet
        may go after the round, so it does not count.
        """
        key = member_key(record.owner)
        if not isinstance(record.terms, Ask) or key not in self.after:
            return False
        before = read_member(EntriesView(self.before), record.owner)
        served = before is not None and before.status in ("active", "jailed")
        return served and has_departed(EntriesView(self.after), record.owner)


@dataclass(frozen=True, slots=True)
class EntriesView:
    """Entries that were kept, read like a state."""

    entries: Entries

    def get(self, key: bytes) -> bytes | None:
        """Return the value under a key."""
        return self.entries.get(key)

    def scan(self, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Yield the entries whose key starts with `prefix`, in ascending order of key."""
        for key in sorted(key for key in self.entries if key.startswith(prefix)):
            value = self.entries[key]
            if value is not None:
                yield key, value


def keys_of_withdrawn(view: View, entries: Iterable[bytes], height: int) -> NeededKeys:
    """Return what shows that the orders whose records stand under `entries` were withdrawn.

    `view` is the state before the block of `height`.  How an order ended that would have expired
    with that block's round, a record that is gone does not tell: its server may have left.
    """
    shown: dict[bytes, None] = {}
    for entry in entries:
        shown[entry] = None
        stored = view.get(entry)
        record = None if stored is None else decode_order(stored)
        if record is not None and record.side == "ask" and record.terms.expires <= height:
            shown[member_key(record.owner)] = None
    return NeededKeys(tuple(shown), tuple(shown))


def tariff_of(view: View, address: Address, version: int) -> Tariff:
    """Return the tariff a sealed round was under.  Raises ProofFailed."""
    stored = view.get(broker_key(address))
    if stored is None:
        raise ProofFailed("proof_incomplete", "the broker is not in the state before the block")
    try:
        return decode_broker(stored).tariff_of(version)
    except Corrupt as error:
        raise ProofFailed("tariff", str(error)) from None


def open_under(view: View, broker: bytes, side: bytes, version: int) -> Iterator[Order]:
    """Yield the open orders of a side under one version of the tariff, ascending by id."""
    prefix = keys.BOOK + broker + side
    for key, stored in view.scan(prefix):
        record = decode_order(stored)
        if record.tariff == version:
            yield key[len(prefix) :], record


def figures_of(
    place: tuple[Digest, int], terms: tuple[int, Tariff], trade: Trade, orders: tuple[Order, Order]
) -> Figures:
    """Return all that the event of a trade says, from its orders, its pair and its tariff.

    `place` is the agreement and the height, `terms` the tariff's version and the tariff, `orders`
    those of the bid and the ask.  Raises ProofFailed where somebody would lose.
    """
    (agreement, height), (version, tariff) = place, terms
    (_, buyer), (_, seller) = orders
    bid, ask = buyer.terms, seller.terms
    if not isinstance(bid, Bid) or not isinstance(ask, Ask):
        raise ProofFailed("pair", "a bid and an ask make a pair")
    try:
        pair = frozen_pair(trade, (buyer, bid), (seller, ask))
        money = settle(tariff, pair)
    except AssertionError as error:
        raise ProofFailed("settlement", str(error)) from None
    labels = labels_of(tariff, trade)
    return {
        "agreement": agreement.hex(),
        "bid": trade.bid.hex(),
        "ask": trade.ask.hex(),
        "buyer": buyer.owner,
        "seller": seller.owner,
        "broker": bid.broker,
        "tariff": version,
        "height": height,
        "start": height,
        "end": height + bid.service_blocks,
        "bid_micro": pair.bid,
        "ask_micro": pair.ask,
        "price_micro": money.price,
        "paid_micro": money.paid,
        "received_micro": money.received,
        "broker_micro": money.broker,
        "fee_micro": money.fee,
        "rounds": pair.rounds,
        "value_micro": pair.value,
        "cost_micro": pair.cost,
        "weight_micro": trade.edge.weight,
        "buyer_label_micro": labels[0],
        "seller_label_micro": labels[1],
    }
