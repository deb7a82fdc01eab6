"""Verify my trade: every trade of random markets is proven to the unit; nothing can be bent."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from msgspec.structs import replace

from auction import keys
from auction.actions import Cancel
from auction.agreements import agreement_id
from auction.clearing import SealedBook, decode_clearing
from auction.edges import decode_edges
from auction.orders import decode_order
from auction.trade_proof import closed_by, labels_on_asks, needed_of_block, verify_trade
from ledger.codec import encode
from ledger.crypto import SigningKey
from ledger.errors import ProofFailed
from ledger.state import State
from ledger.witness import decode_witnesses, encode_witnesses
from tests.auction.test_random_market import random_ask, random_bid
from tests.auction.town import BUYERS, KEYS, SERVERS, TARIFFS, Town, ask, bid

Entry = tuple[SigningKey, Any]
Shown = dict[bytes, bytes | None]


@dataclass(frozen=True)
class Kept:
    """What a node keeps of a block for its trades, and what the trades said."""

    height: int
    sealed: bytes
    before: Shown
    after: Shown
    trades: list[dict[str, Any]]
    cancelled: frozenset[bytes] = frozenset()

    def verify(self, trade: dict[str, Any]) -> Any:
        agreement = bytes.fromhex(trade["agreement"])
        return verify_trade(
            agreement, self.height, self.sealed, self.before, self.after, self.cancelled
        )


def proven_block(town: Town, *entries: Entry) -> Kept:
    """Commit a block as a node does: keep entries of the state before it and of the one after."""
    built = town.run(*entries)
    closed = closed_by(built.overlay.changes, town.height + 1)
    needed = needed_of_block(town.state.get, built.clearings, closed)
    before = town.state.witness(needed.before)
    town.block(*entries)
    after = town.state.witness(needed.after)
    before, after = decode_witnesses(encode_witnesses((before, after)))
    cancels = frozenset(
        bytes.fromhex(action.order) for _, action in entries if isinstance(action, Cancel)
    )
    trades = town.of_kind("trade.made")
    return Kept(town.height, town.sealed, before.values, after.values, trades, cancels)


def orders_of(state: State) -> Iterator[tuple[str, SigningKey]]:
    owners = {key.address: key for key in KEYS}
    for key, stored in state.scan(keys.BOOK):
        yield key[-32:].hex(), owners[decode_order(stored).owner]


def random_blocks(seed: int, blocks: int) -> Iterator[Kept]:
    """Blocks of a market where many orders are withdrawn in the block that would match them."""
    chance, town = random.Random(seed), Town(salt=b"%d" % seed)
    for _ in range(blocks):
        height = town.height + 1
        entries: list[Entry] = []
        for _ in range(chance.randint(2, 18)):
            if chance.random() < 0.5:
                entries.append((chance.choice(BUYERS), random_bid(chance, height)))
            else:
                entries.append((chance.choice(SERVERS), random_ask(chance, height)))
        for order, owner in list(orders_of(town.state)):
            if chance.random() < 0.15:
                entries.append((owner, Cancel(order)))
        yield proven_block(town, *entries)


def test_every_trade_of_a_random_market_is_proven_and_its_figures_are_those_of_its_event() -> None:
    proven, withdrawn, rules = 0, 0, set()
    for seed in range(2):
        for kept in random_blocks(seed, 24):
            for trade in kept.trades:
                found = kept.verify(trade)
                assert found.figures == trade
                assert found.gain_micro >= found.next_best_micro
                assert found.pairs >= 1
                proven += 1
                withdrawn += len(found.withdrawn)
                rules.add(found.pricing)
    assert proven > 50
    assert withdrawn > 2
    assert rules == {tariff.pricing for tariff in TARIFFS}


def contest(broker: int) -> tuple[Town, Kept]:
    """Two bids want one of two asks; one bid and one ask make the better pair."""
    town = Town()
    town.block(
        (BUYERS[0], bid(broker, limit=9_000)),
        (BUYERS[1], bid(broker, limit=5_000)),
        (SERVERS[0], ask(broker, floor=500)),
        (SERVERS[1], ask(broker, floor=2_000)),
    )
    return town, proven_block(town)


@pytest.mark.parametrize("broker", range(len(TARIFFS)))
def test_a_worse_partner_than_the_pairs_allow_is_seen(broker: int) -> None:
    _, kept = contest(broker)
    trade = kept.trades[0]
    kept.verify(trade)
    (book,) = decode_clearing(kept.sealed).books
    # The same pair with the other pair struck out of the round: its ask would cost nothing.
    (other,) = [pair for pair in book.pairs if pair.bid != trade["bid"]]
    alone = replace(book, pairs=tuple(pair for pair in book.pairs if pair is not other))
    on_asks = labels_on_asks(TARIFFS[broker])
    judged = trade["bid"] if on_asks else trade["ask"]
    edges = decode_edges(kept.before[keys.EDGE + bytes.fromhex(judged)] or b"")
    rival = other.ask if on_asks else other.bid
    (offer,) = [edge.weight for edge in edges if edge.other.hex() == rival]
    forged = replace(kept_book := alone, pairs=tuple(_worse(kept_book, offer, edges)))
    sealed = encode(replace(decode_clearing(kept.sealed), books=(forged,)))
    with pytest.raises(ProofFailed) as caught:
        verify_trade(
            bytes.fromhex(trade["agreement"]), kept.height, sealed, kept.before, kept.after
        )
    assert caught.value.check == "better_offer"


def _worse(book: SealedBook, offer: int, edges: list[Any]) -> Iterator[Any]:
    """The pair at a label that leaves its unlabelled side one micro less than the other offer."""
    (pair,) = book.pairs
    names = (pair.bid, pair.ask)
    own = next(edge.weight for edge in edges if edge.other.hex() in names)
    yield replace(pair, label_micro=max(0, own - offer + 1))


def test_an_order_withdrawn_by_the_block_is_no_better_offer_but_only_with_its_proof() -> None:
    town = Town()
    opened = town.opened(
        (BUYERS[0], bid(0, limit=9_000)),
        (SERVERS[0], ask(0, floor=500)),
        (SERVERS[1], ask(0, floor=2_000)),
    )
    kept = proven_block(town, (SERVERS[0], Cancel(opened[1])))
    (trade,) = kept.trades
    assert trade["ask"] == opened[2]
    found = kept.verify(trade)
    assert found.withdrawn == (opened[1],)
    (gone,) = kept.after
    agreement = bytes.fromhex(trade["agreement"])
    record = decode_order(kept.before[gone] or b"")
    without = {key: value for key, value in kept.before.items() if key != gone}
    for before, after in (
        (kept.before, {}),
        (kept.before, {gone: encode(record)}),  # as open as before
        (without, kept.after),
    ):
        with pytest.raises(ProofFailed) as caught:
            verify_trade(agreement, kept.height, kept.sealed, before, after)
        assert caught.value.check == "better_offer"
    anew = {gone: encode(replace(record, submitted=kept.height))}
    assert verify_trade(agreement, kept.height, kept.sealed, kept.before, anew) == found


def test_an_order_that_expires_with_the_round_took_part_in_it() -> None:
    """It is gone afterwards like one withdrawn, but it could have been had."""
    town = Town()
    opened = town.opened(
        (BUYERS[0], bid(0, limit=9_000)),
        (SERVERS[0], ask(0, floor=500, expires=2)),
        (SERVERS[1], ask(0, floor=2_000)),
    )
    kept = proven_block(town)
    (trade,) = kept.trades
    assert trade["ask"] == opened[1]
    (book,) = decode_clearing(kept.sealed).books
    worse = replace(book, pairs=(replace(book.pairs[0], ask=opened[2], label_micro=0),))
    sealed = encode(replace(decode_clearing(kept.sealed), books=(worse,)))
    ask_key = keys.BOOK + bytes.fromhex(book.broker) + keys.ASKS
    before = dict(kept.before)
    seller = decode_order(before[ask_key + bytes.fromhex(opened[1])] or b"")
    before[ask_key + bytes.fromhex(opened[2])] = encode(seller)
    after = {ask_key + bytes.fromhex(opened[1]): None}
    agreement = agreement_id(bytes.fromhex(opened[0]), bytes.fromhex(opened[2]))
    with pytest.raises(ProofFailed) as caught:
        verify_trade(agreement, kept.height, sealed, before, after)
    assert caught.value.check == "better_offer"


def test_a_proof_with_a_part_missing_proves_nothing() -> None:
    _, kept = contest(0)
    trade = kept.trades[0]
    broker, own = bytes.fromhex(trade["broker"]), (trade["bid"], trade["ask"])
    for gone in kept.before:
        before = {key: value for key, value in kept.before.items() if key != gone}
        partial = replace_before(kept, before)
        edges = keys.EDGE + bytes.fromhex(own[0 if labels_on_asks(TARIFFS[0]) else 1])
        if gone.endswith(broker) or gone == edges or (b"book/" in gone and gone[-32:].hex() in own):
            with pytest.raises(ProofFailed) as caught:
                partial.verify(trade)
            assert caught.value.check == "proof_incomplete"
        else:
            assert partial.verify(trade).figures == trade, "an entry of the other trade"
    with pytest.raises(ProofFailed) as caught:
        verify_trade(bytes(32), kept.height, kept.sealed, kept.before, kept.after)
    assert caught.value.check == "not_in_clearing"
    with pytest.raises(ProofFailed) as caught:
        verify_trade(bytes(32), kept.height, b"{}", kept.before, kept.after)
    assert caught.value.check == "clearings"


def replace_before(kept: Kept, before: Shown) -> Kept:
    return Kept(kept.height, kept.sealed, before, kept.after, kept.trades)
