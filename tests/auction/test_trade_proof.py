"""Verify my trade: every trade of random markets is proven to the unit; nothing can be bent."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from dataclasses import replace as parts_replaced
from typing import Any

import pytest
from msgspec.structs import replace

from auction import class_proof, keys, proof_keys
from auction.actions import AskPrice, Cancel, FlatFloor, Reprice
from auction.agreements import agreement_id
from auction.brokers import broker_key, brokers, decode_broker
from auction.edges import decode_edges
from auction.orders import decode_order
from auction.parameters import MarketParameters
from auction.proof_keys import closed_by, labels_on_asks, needed_of_block
from auction.proof_parts import ProvenEntries, ProvenTrade
from auction.sealed import Clearing, SealedBook, decode_clearing
from auction.tariffs import ChangeTariff
from auction.trade_proof import verify_trade
from ledger.codec import encode
from ledger.crypto import SigningKey
from ledger.errors import ProofFailed
from ledger.members import Resources
from ledger.proposals import Approve, Propose
from ledger.witness import decode_witnesses, encode_witnesses
from node.proofs.checks import require_figures
from tests.auction.model import Model, ModelOrder
from tests.auction.test_random_market import crowded, random_entries, random_reprice
from tests.auction.town import (
    BROKERS,
    BUYERS,
    KEYS,
    SERVERS,
    TARIFFS,
    Town,
    ask,
    bid,
    class_ask,
    class_bid,
)

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
    seed: bytes
    cancelled: frozenset[bytes] = frozenset()

    def verify(self, trade: dict[str, Any]) -> ProvenTrade:
        agreement = bytes.fromhex(trade["agreement"])
        entries = ProvenEntries(self.height, self.before, self.after, self.cancelled)
        return verify_trade(agreement, self.sealed, entries, self.seed)

    def refusal(self, trade: dict[str, Any], **changed: Any) -> str:
        """The check that refuses the trade with other parts."""
        with pytest.raises(ProofFailed) as caught:
            parts_replaced(self, **changed).verify(trade)
        return caught.value.check


def proven_block(town: Town, *entries: Entry) -> Kept:
    """Commit a block as a node does: keep entries of the state before it and of the one after."""
    seed = town.context().seed
    built = town.run(*entries)
    closed = closed_by(built.overlay.changes, town.height + 1)
    needed = needed_of_block(town.state, built.clearings, closed, town.height + 1)
    before = town.state.witness(needed.before)
    codes = town.block(*entries)
    after = town.state.witness(needed.after)
    before, after = decode_witnesses(encode_witnesses((before, after)))
    cancels = frozenset(
        bytes.fromhex(action.order)
        for (_, action), code in zip(entries, codes, strict=True)
        if isinstance(action, Cancel) and code == "ok"
    )
    trades = town.of_kind("trade.made")
    return Kept(town.height, town.sealed, before.values, after.values, trades, seed, cancels)


CROWDED = 3
"""The seed whose blocks call about two bids."""

AT_CORE_SELLER = [tariff.pricing for tariff in TARIFFS].index("core_seller")
"""The broker whose proofs look at bids, and so at who was called."""


def random_blocks(seed: int, blocks: int) -> Iterator[Kept]:
    """Blocks of a market of all rules: tariffs change, orders are repriced and withdrawn.

    Those of one seed are crowded.
    """
    chance = random.Random(seed)
    market = MarketParameters(
        order_deposit_micro=11,
        largest_resource=400,
        tariff_notice_blocks=4,
        calls_per_block=2 if seed == CROWDED else 200,
    )
    town = Town(market=market, resources=Resources(4_000, 4_000, 4_000), salt=b"%d" % seed)
    for _ in range(blocks):
        model = as_model(town, market)
        entries = random_entries(chance, model, town.height + 1)
        entries += random_entries(chance, model, town.height + 1)
        if seed == CROWDED:
            entries = crowded(entries, model, AT_CORE_SELLER)
        sent = [
            (key, action)
            for key, action, _ in entries
            if not isinstance(action, (Propose, Approve))
        ]
        for order, record in model.orders.items():
            owner = next(key for key in KEYS if key.address == record.owner)
            kind = chance.random()
            if kind < 0.08:
                sent.append((owner, Cancel(order)))
            elif kind < 0.16:
                sent.append((owner, random_reprice(chance, model, town.height + 1)[1]))
        yield proven_block(town, *sent)


def as_model(town: Town, market: MarketParameters) -> Model:
    """What the makers of random entries ask about the market, read from its state."""
    model = Model(market, {})
    for address, broker in brokers(town.state):
        model.brokers[address].tariffs[:] = [broker.tariff]
    for key, stored in town.state.scan(keys.BOOK):
        record = decode_order(stored)
        model.orders[key[-32:].hex()] = ModelOrder(record.owner, record.terms, record.tariff, 0, 0)
    return model


def altered(kept: Kept, trade: dict[str, Any]) -> Iterator[bytes]:
    """The sealed round with one thing of the trade's own book or class changed."""
    clearing = decode_clearing(kept.sealed)
    for at, book in enumerate(clearing.books):
        for place, pair in enumerate(book.pairs):
            if pair.bid != trade["bid"]:
                continue
            for label in (pair.label_micro + 1, max(0, pair.label_micro - 1) or 2):
                pairs = list(book.pairs)
                pairs[place] = replace(pair, label_micro=label)
                yield _with(clearing, "books", at, replace(book, pairs=tuple(pairs)))
            yield _with(clearing, "books", at, replace(book, tariff=book.tariff + 1))
    for at, part in enumerate(clearing.classes):
        if any(pair.bid == trade["bid"] for pair in part.pairs):
            for side in ("buyer_price_micro", "seller_price_micro"):
                for step in (1, -1):
                    forged = replace(part, **{side: getattr(part, side) + step})
                    yield _with(clearing, "classes", at, forged)
            own = tuple(pair for pair in part.pairs if pair.bid == trade["bid"])
            if own != part.pairs:
                yield _with(clearing, "classes", at, replace(part, pairs=own))
            yield _with(clearing, "classes", at, replace(part, number=(part.number + 1) % 8))
            yield _with(clearing, "classes", at, replace(part, tariff=part.tariff + 1))


def _with(clearing: Clearing, table: str, at: int, part: Any) -> bytes:
    parts = list(getattr(clearing, table))
    parts[at] = part
    return encode(replace(clearing, **{table: tuple(parts)}))


def check_altered_parts(kept: Kept, trade: dict[str, Any]) -> None:
    tried = 0
    for sealed in altered(kept, trade):
        with pytest.raises(ProofFailed):
            require_figures(trade, parts_replaced(kept, sealed=sealed).verify(trade).figures)
        tried += 1
    assert tried >= 3


def test_every_trade_of_a_random_market_is_proven_and_each_altered_figure_is_refused() -> None:
    rules: Counter[str] = Counter()
    withdrawn: Counter[str] = Counter()
    versions = set()
    called = {False: 0, True: 0}
    for seed in (0, 1, 2, CROWDED):
        for kept in random_blocks(seed, 40):
            for trade in kept.trades:
                found = kept.verify(trade)
                require_figures(trade, found.figures)
                assert not found.not_proven
                assert found.uncalled == () or seed == CROWDED
                called[bool(found.uncalled)] += 1
                assert found.gain_micro >= found.next_best_micro
                assert (found.pairs > 0) == (found.class_orders == 0) == (not found.service_class)
                rules[found.pricing] += 1
                withdrawn[found.pricing] += len(found.withdrawn)
                versions.add(trade["tariff"])
                for name, value in trade.items():
                    other = value + 1 if isinstance(value, int) else value[::-1] + "0"
                    with pytest.raises(ProofFailed, match="figures"):
                        require_figures({**trade, name: other}, found.figures)
                check_altered_parts(kept, trade)
    assert set(rules) == {*(tariff.pricing for tariff in TARIFFS), "mcafee"}
    assert min(rules.values()) > 5, rules
    assert withdrawn["mcafee"] > 2, withdrawn
    assert withdrawn.total() > 10, withdrawn
    assert len(versions) > 2
    assert min(called.values()) > 5, called


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
    assert kept.refusal(trade, sealed=sealed) == "better_offer"


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
    record = decode_order(kept.before[gone] or b"")
    without = {key: value for key, value in kept.before.items() if key != gone}
    for before, after in (
        (kept.before, {}),
        (kept.before, {gone: encode(record)}),  # as open as before
        (without, kept.after),
    ):
        changed = {"before": before, "after": after, "cancelled": frozenset()}
        assert kept.refusal(trade, **changed) == "better_offer"
    anew = {gone: encode(replace(record, submitted=kept.height))}
    assert parts_replaced(kept, after=anew, cancelled=frozenset()).verify(trade) == found


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
    changed = {"sealed": sealed, "before": before, "after": after}
    assert kept.refusal({"agreement": agreement.hex()}, **changed) == "better_offer"


def test_an_order_repriced_by_the_block_is_no_better_offer_and_that_is_proven() -> None:
    town = Town()
    opened = town.opened(
        (BUYERS[0], bid(0, limit=9_000)),
        (SERVERS[0], ask(0, floor=500)),
        (SERVERS[1], ask(0, floor=2_000)),
    )
    price = AskPrice(expires=50, open_ppm=10**6, omega_micro=500_000, mu=1, cost=FlatFloor(600))
    kept = proven_block(town, (SERVERS[0], Reprice(opened[1], price)))
    (trade,) = kept.trades
    assert trade["ask"] == opened[2]
    assert kept.verify(trade).withdrawn == (opened[1],)
    assert kept.refusal(trade, after={}) == "better_offer"


def test_an_order_keeps_the_tariff_it_was_admitted_under_and_its_proof_uses_that() -> None:
    town = Town(market=MarketParameters(tariff_notice_blocks=2))
    town.block((BROKERS[0], ChangeTariff(TARIFFS[2])))
    town.opened((BUYERS[0], bid(0, limit=9_000)), (SERVERS[0], ask(0, floor=500)))
    kept = proven_block(town)
    (trade,) = kept.trades
    stored = decode_broker(kept.before[broker_key(BROKERS[0].address)] or b"")
    found = kept.verify(trade)
    assert (stored.version, trade["tariff"]) == (2, 1)
    assert (found.pricing, found.figures) == ("paper", trade)
    later = decode_clearing(kept.sealed)
    forged = replace(later, books=(replace(later.books[0], tariff=2),))
    assert kept.refusal(trade, sealed=encode(forged)) == "tariff"


def class_block() -> tuple[Town, Kept, list[str]]:
    """A class of four bids and three asks, one bid of them cancelled by the block of the round."""
    town = Town()
    opened = town.opened(
        *((BUYERS[place], class_bid(0, 900 - 100 * place)) for place in range(4)),
        *((SERVERS[place], class_ask(0, 200 + 100 * place)) for place in range(3)),
        (BUYERS[5], class_bid(2, 100)),
    )
    return town, proven_block(town, (BUYERS[0], Cancel(opened[0]))), opened


def test_a_trade_in_a_class_is_proven_by_working_its_auction_out_again() -> None:
    _, kept, opened = class_block()
    for trade in kept.trades:
        found = kept.verify(trade)
        assert found.figures == trade
        assert (found.service_class, found.class_orders, found.not_proven) == (1, 6, ())
        assert found.withdrawn == (opened[0],)
    assert kept.trades


def test_of_a_class_no_order_can_be_left_out_and_none_claimed_withdrawn() -> None:
    _, kept, opened = class_block()
    trade = kept.trades[0]
    for gone in kept.before:
        before = {key: value for key, value in kept.before.items() if key != gone}
        assert kept.refusal(trade, before=before) == "proof_incomplete"
    assert kept.refusal(trade, seed=b"") == "proof_incomplete"
    assert kept.refusal(trade, after={}, cancelled=frozenset()) == "class"
    rival = next(key for key in kept.before if key.endswith(bytes.fromhex(opened[3])))
    unmatched = {**kept.after, rival: kept.before[rival]}
    assert parts_replaced(kept, after=unmatched).verify(trade) == kept.verify(trade)


def test_equal_prices_in_a_class_are_ranked_by_the_seed_that_is_shown() -> None:
    town = Town()
    town.opened(
        *((BUYERS[place], class_bid(0, 900)) for place in range(6)),
        *((SERVERS[place], class_ask(0, 200)) for place in range(3)),
    )
    kept = proven_block(town)
    trade = kept.trades[0]
    kept.verify(trade)
    others = [parts_replaced(kept, seed=bytes([number]) * 32) for number in range(8)]
    refused = 0
    for other in others:
        try:
            other.verify(trade)
        except ProofFailed as error:
            refused += error.check == "class"
    assert refused > 4


def test_a_class_too_large_to_be_shown_says_what_is_not_proven(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(class_proof, "CLASS_ORDERS", 7)
    monkeypatch.setattr(proof_keys, "CLASS_ORDERS", 7)
    _, kept, _ = class_block()
    assert sum(key.startswith(keys.BOOK) for key in kept.before) == 2 * len(kept.trades)
    for trade in kept.trades:
        found = kept.verify(trade)
        assert found.figures == trade
        assert (found.not_proven, found.class_orders) == (("class",), 0)
        clearing = decode_clearing(kept.sealed)
        (part,) = clearing.classes
        dear = replace(part, buyer_price_micro=trade["bid_micro"] + 1)
        sealed = encode(replace(clearing, classes=(dear,)))
        assert kept.refusal(trade, sealed=sealed) == "price"


def test_a_proof_with_a_part_missing_proves_nothing() -> None:
    _, kept = contest(0)
    trade = kept.trades[0]
    broker, own = bytes.fromhex(trade["broker"]), (trade["bid"], trade["ask"])
    for gone in kept.before:
        before = {key: value for key, value in kept.before.items() if key != gone}
        edges = keys.EDGE + bytes.fromhex(own[0 if labels_on_asks(TARIFFS[0]) else 1])
        if gone.endswith(broker) or gone == edges or (b"book/" in gone and gone[-32:].hex() in own):
            assert kept.refusal(trade, before=before) == "proof_incomplete"
        else:
            partial = parts_replaced(kept, before=before)
            assert partial.verify(trade).figures == trade, "an entry of the other trade"
    unknown = {"agreement": bytes(32).hex()}
    assert kept.refusal(unknown) == "not_in_clearing"
    assert kept.refusal(unknown, sealed=b"{}") == "clearings"
