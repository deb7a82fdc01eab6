"""Proofs of trades whose better partners the round never had: not called, or their server gone."""

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace as parts_replaced
from typing import Any

import pytest
from msgspec.structs import replace

from auction import keys
from auction.actions import Ask, Bid, Cancel
from auction.agreements import agreement_id
from auction.halvings import is_called
from auction.sealed import decode_clearing
from ledger.codec import encode
from ledger.crypto import SigningKey
from ledger.members import Resources, decode_member, member_key, read_member
from ledger.proposals import Approve, EjectMember, Propose, needed, proposal_id
from ledger.transactions import Action
from node.proofs.checks import require_figures
from tests.auction.test_halvings import class_town, put_off
from tests.auction.test_trade_proof import Kept, proven_block
from tests.auction.town import (
    BROKERS,
    BUYERS,
    SERVERS,
    TARIFFS,
    Town,
    ask,
    bid,
    class_ask,
    class_bid,
)

CORE_SELLER = next(at for at, tariff in enumerate(TARIFFS) if tariff.pricing == "core_seller")


# ---------------------------------------------------------------- thinned rounds
def dense_blocks(seed: int, blocks: int) -> Iterator[Kept]:
    """Blocks of a book under `core_seller` and of a class, both put off in every other block."""
    chance = random.Random(seed)
    town = Town(resources=Resources(10**6, 10**6, 10**6), salt=b"%d" % seed)
    opened: list[tuple[SigningKey, str]] = []
    for _ in range(blocks):
        life = {"expires": town.height + chance.randint(2, 8)}
        sent: list[tuple[SigningKey, Action]] = []
        for key in chance.sample(BUYERS, 4):
            sent.append((key, bid(CORE_SELLER, limit=chance.randint(500, 3_000), **life)))
            sent.append((key, class_bid(0, chance.randint(500, 1_500), **life)))
        for key in chance.sample(SERVERS, 3):
            sent.append((key, ask(CORE_SELLER, floor=chance.randint(100, 1_000), **life)))
            sent.append((key, class_ask(0, chance.randint(100, 800), **life)))
        sent += [(key, Cancel(order)) for key, order in opened[-20:] if chance.random() < 0.1]
        if chance.random() < 0.5:
            town.block(*sent, put_off=lambda _: True)
        else:
            yield proven_block(town, *sent)
        keys_of = {key.address: key for key in (*BUYERS, *SERVERS)}
        told = town.of_kind("order.opened")
        opened += [(keys_of[str(data["owner"])], str(data["order"])) for data in told]


def test_every_trade_of_rounds_that_were_thinned_is_proven() -> None:
    uncalled: Counter[str] = Counter()
    withdrawn: Counter[str] = Counter()
    for seed in range(3):
        for kept in dense_blocks(seed, 30):
            for trade in kept.trades:
                found = kept.verify(trade)
                require_figures(trade, found.figures)
                assert found.gain_micro >= found.next_best_micro
                uncalled[found.pricing] += len(found.uncalled)
                withdrawn[found.pricing] += len(found.withdrawn)
    assert min(uncalled["core_seller"], uncalled["mcafee"]) > 20, uncalled
    assert min(withdrawn["core_seller"], withdrawn["mcafee"]) > 2, withdrawn


def thinned_contest() -> tuple[Kept, list[str]]:
    """One ask, a heavy and a light bid; the round is halved and calls the light one."""
    town = Town()
    opened = town.opened(
        (BUYERS[0], bid(CORE_SELLER, limit=9_000)),
        (BUYERS[1], bid(CORE_SELLER, limit=5_000)),
        (SERVERS[0], ask(CORE_SELLER, floor=500)),
    )
    put_off(town)
    broker = bytes.fromhex(BROKERS[CORE_SELLER].address)
    for salt in range(100):
        town.salt = bytes([salt])
        seed = town.context().seed
        heavy, light = (is_called(seed, broker, bytes.fromhex(order), 1) for order in opened[:2])
        if light and not heavy:
            return proven_block(town), opened
    raise AssertionError("no such seed")


def test_a_heavier_bid_that_was_not_called_is_no_better_offer_but_only_by_the_seed() -> None:
    kept, opened = thinned_contest()
    (trade,) = kept.trades
    assert trade["bid"] == opened[1]
    found = kept.verify(trade)
    assert (found.uncalled, found.pairs) == ((opened[0],), 1)
    assert kept.refusal(trade, seed=b"") == "proof_incomplete"
    broker, seeds = bytes.fromhex(trade["broker"]), [bytes([n]) * 32 for n in range(30)]
    for seed in seeds:
        heavy, light = (is_called(seed, broker, bytes.fromhex(order), 1) for order in opened[:2])
        if not light:
            assert kept.refusal(trade, seed=seed) == "not_called"
        elif heavy:
            assert kept.refusal(trade, seed=seed) == "better_offer"
    clearing = decode_clearing(kept.sealed)
    whole = replace(clearing, books=(replace(clearing.books[0], halvings=0),))
    assert kept.refusal(trade, sealed=encode(whole)) == "better_offer"


def test_under_labels_of_asks_a_thinned_round_changes_nothing_but_who_bids() -> None:
    town = Town()
    town.opened(
        *((buyer, bid(0, limit=5_000 + place)) for place, buyer in enumerate(BUYERS)),
        *((server, ask(0, floor=500 + place)) for place, server in enumerate(SERVERS)),
    )
    put_off(town)
    kept = proven_block(town)
    assert kept.trades
    for trade in kept.trades:
        found = kept.verify(trade)
        assert (found.uncalled, found.pairs) == ((), 8)
        assert kept.refusal(trade, seed=b"") == "proof_incomplete"


def test_the_auction_of_a_thinned_class_is_worked_out_among_those_its_seed_calls() -> None:
    town = class_town()
    put_off(town)
    kept = proven_block(town)
    assert kept.trades
    (told,) = town.of_kind("round.cleared")
    for trade in kept.trades:
        found = kept.verify(trade)
        assert found.class_orders == told["bids"] + told["asks"]
        assert sorted(found.uncalled) == sorted(told["uncalled_orders"])
        assert kept.refusal(trade, seed=b"") == "proof_incomplete"
        assert kept.refusal(trade, seed=bytes(32)) == "class"
        clearing = decode_clearing(kept.sealed)
        whole = replace(clearing, classes=(replace(clearing.classes[0], halvings=0),))
        assert kept.refusal(trade, sealed=encode(whole)) == "class"


# ---------------------------------------------------------------- servers that leave
GONE = SERVERS[0]


def ejected_in_its_last_round(*orders: tuple[Any, Bid | Ask]) -> tuple[Kept, list[str]]:
    """Orders, the last round of some being the block's that ejects their server."""
    town = Town()
    change = EjectMember(GONE.address)
    proposal = proposal_id(change).hex()
    first, *others = SERVERS[1 : 1 + needed(len(SERVERS))]
    opened = town.opened(
        *orders, (first, Propose(change)), *((key, Approve(proposal)) for key in others[:-1])
    )
    return proven_block(town, (others[-1], Approve(proposal))), opened


def left_in_its_last_round() -> tuple[Kept, list[str]]:
    return ejected_in_its_last_round(
        (BUYERS[0], bid(0, limit=9_000)),
        (GONE, ask(0, floor=500, expires=2)),
        (SERVERS[1], ask(0, floor=2_000)),
    )


def test_an_ask_whose_server_left_in_its_last_round_is_no_better_offer_and_that_is_proven() -> None:
    kept, opened = left_in_its_last_round()
    (trade,) = kept.trades
    assert trade["ask"] == opened[2]
    assert kept.verify(trade).withdrawn == (opened[1],)
    assert member_key(GONE.address) in kept.after


def test_a_server_counts_as_gone_only_if_it_served_before_the_block_and_not_after_it() -> None:
    kept, _ = left_in_its_last_round()
    (trade,) = kept.trades
    key = member_key(GONE.address)
    stored = kept.before[key]
    assert stored is not None
    member = decode_member(stored)
    assert member.status == "active"
    jailed = {**kept.before, key: encode(replace(member, status="jailed"))}
    assert parts_replaced(kept, before=jailed).verify(trade).withdrawn

    for states in (
        {"before": {each: value for each, value in kept.before.items() if each != key}},
        {"after": {each: value for each, value in kept.after.items() if each != key}},
        {"after": {**kept.after, key: encode(member)}},
        {"before": {**kept.before, key: encode(replace(member, status="admitted"))}},
        {"before": {**kept.before, key: encode(replace(member, status="left"))}},
        {"before": {**kept.before, key: None}},
    ):
        assert kept.refusal(trade, **states) == "better_offer"


def test_a_bid_that_expires_with_the_round_is_not_excused_by_what_its_owner_is() -> None:
    town = Town()
    opened = town.opened(
        (BUYERS[0], bid(CORE_SELLER, limit=9_000, expires=2)),
        (BUYERS[1], bid(CORE_SELLER, limit=8_000)),
        (SERVERS[0], ask(CORE_SELLER, floor=500)),
    )
    kept = proven_block(town)
    (trade,) = kept.trades
    assert trade["bid"] == opened[0]
    (book,) = decode_clearing(kept.sealed).books
    worse = replace(book, pairs=(replace(book.pairs[0], bid=opened[1], label_micro=0),))
    sealed = encode(replace(decode_clearing(kept.sealed), books=(worse,)))
    side = keys.BOOK + bytes.fromhex(book.broker) + keys.BIDS
    stored = kept.before[side + bytes.fromhex(opened[0])]
    member, owner = read_member(town.state, SERVERS[0].address), member_key(BUYERS[0].address)
    assert member is not None
    before = {**kept.before, side + bytes.fromhex(opened[1]): stored, owner: encode(member)}
    left = encode(replace(member, status="left"))
    gone = {side + bytes.fromhex(opened[0]): None, owner: left}
    agreement = agreement_id(bytes.fromhex(opened[1]), bytes.fromhex(opened[2]))
    changed = {"sealed": sealed, "before": before, "after": gone}
    assert kept.refusal({"agreement": agreement.hex()}, **changed) == "better_offer"


def test_in_a_class_an_ask_whose_server_left_in_its_last_round_took_no_part() -> None:
    kept, opened = ejected_in_its_last_round(
        *((BUYERS[place], class_bid(0, 900 - 100 * place)) for place in range(3)),
        (GONE, class_ask(0, 100, expires=2)),
        *((SERVERS[place], class_ask(0, 200 + 100 * place)) for place in range(1, 4)),
    )
    assert kept.trades
    for trade in kept.trades:
        assert kept.verify(trade).withdrawn == (opened[3],)
        without = {key: value for key, value in kept.after.items() if b"member/" not in key}
        assert kept.refusal(trade, after=without) == "class"


@pytest.mark.parametrize("expires", [2, 50])
def test_where_nobody_expires_with_the_round_no_member_is_shown(expires: int) -> None:
    kept, _ = ejected_in_its_last_round(
        (BUYERS[0], bid(0, limit=9_000)),
        (GONE, ask(0, floor=500, expires=expires)),
        (SERVERS[1], ask(0, floor=2_000)),
    )
    shown = [key for key in kept.after if key.startswith(b"member/")]
    assert bool(shown) == (expires == 2)
    kept.verify(kept.trades[0])
