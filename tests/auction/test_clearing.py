"""Sealed rounds: what is altered is refused with a reason, ties are nobody's choice."""

import random
from collections.abc import Callable

import pytest
from msgspec.structs import replace

from auction.brokers import Tariff
from auction.checking import check_book
from auction.clearing import deferred_height
from auction.parameters import MarketParameters
from auction.rounds import graph_of, live_books
from auction.sealed import Clearing, SealedBook, SealedPair, decode_clearing
from ledger.codec import encode
from ledger.errors import Reason, Rejected
from tests.auction.town import BROKERS, BUYERS, SERVERS, TARIFFS, Town, ask, bid

EMPTY = b'{"books":[],"classes":[]}'


def crowded_town(seed: int = 1, brokers: tuple[int, ...] = (0, 3, 4)) -> Town:
    """Return a town whose next round has several books with many pairs."""
    chance = random.Random(seed)
    town = Town()
    entries = []
    for broker in brokers:
        for buyer in BUYERS[:9]:
            limit = chance.choice((2_000, 2_500, chance.randint(1_000, 3_000)))
            least = chance.choice((0, 50, 120))
            entries.append((buyer, bid(broker, limit=limit, least_resource=least)))
        for server in SERVERS:
            floor = chance.choice((800, 900, chance.randint(500, 2_000)))
            entries.append((server, ask(broker, floor=floor)))
    town.opened(*entries)
    return town


def refused(town: Town, clearing: Clearing | bytes) -> str:
    """Return why the next block is refused with this clearing; nothing of it stays."""
    sealed = clearing if isinstance(clearing, bytes) else encode(clearing)
    root = town.state.root
    with pytest.raises(Rejected) as refusal:
        town.run(sealed=sealed)
    assert refusal.value.reason is Reason.BAD_CLEARING
    assert town.state.root == root
    return refusal.value.detail


def with_pairs(
    clearing: Clearing, change: Callable[[list[SealedPair]], list[SealedPair]], book: int = 0
) -> Clearing:
    """Return a clearing with the pairs of one book changed."""
    books = list(clearing.books)
    books[book] = replace(books[book], pairs=tuple(change(list(books[book].pairs))))
    return Clearing(tuple(books), ())


def test_a_round_is_sealed_for_each_book_with_crossed_pairs_in_order_of_broker() -> None:
    town = crowded_town()
    clearing = decode_clearing(town.run().clearings)
    assert [book.broker for book in clearing.books] == sorted(
        BROKERS[number].address for number in (0, 3, 4)
    )
    assert all(len(book.pairs) >= 6 for book in clearing.books)
    town.block()
    town.block()
    assert town.sealed == EMPTY


@pytest.mark.parametrize("book", [0, 1, 2])
def test_every_altered_seal_is_refused_with_its_reason(book: int) -> None:
    town = crowded_town()
    good = decode_clearing(town.run().clearings)
    first, second = good.books[book].pairs[:2]
    other = good.books[(book + 1) % 3].pairs[0]

    def reason(change: Callable[[list[SealedPair]], list[SealedPair]]) -> str:
        return refused(town, with_pairs(good, change, book))

    assert "no such pair" in reason(lambda pairs: [replace(first, ask=other.ask), *pairs[1:]])
    assert "no such pair" in reason(lambda pairs: [replace(first, ask="0" * 64), *pairs[1:]])
    assert "doubled" in reason(lambda pairs: [first, *pairs])
    assert "out of order" in reason(lambda pairs: [second, first, *pairs[2:]])
    assert "prove" in reason(lambda pairs: pairs[1:])
    assert "prove" in reason(lambda pairs: [])
    for change in (1, -1):
        for field in ("label_micro", "tie"):
            value = getattr(first, field) + change
            if field == "label_micro" and value < 0:
                continue
            changed = replace(first, **{field: value})
            assert reason(lambda pairs, changed=changed: [changed, *pairs[1:]])  # type: ignore[misc]


def test_an_ask_in_two_pairs_is_refused() -> None:
    town = crowded_town(brokers=(0,))
    good = decode_clearing(town.run().clearings)
    (live,) = live_books(town.state, town.height + 1)
    for bid_index, ask_index in zip(live.bid.tolist(), live.ask.tolist(), strict=True):
        pairs = good.books[0].pairs
        used = next((p for p in pairs if p.ask == live.asks[ask_index].hex()), None)
        own = next((p for p in pairs if p.bid == live.bids[bid_index].hex()), None)
        if used is None or own is None or used is own:
            continue
        doubled = replace(own, ask=used.ask)
        reason = refused(
            town, with_pairs(good, lambda ps, a=own, b=doubled: [b if p == a else p for p in ps])
        )
        assert "used twice" in reason
        return
    raise AssertionError("no such case")


def test_missing_extra_doubled_and_reordered_books_are_refused() -> None:
    town = crowded_town()
    good = decode_clearing(town.run().clearings)
    one, two, three = good.books
    stranger = SealedBook(BROKERS[1].address, 1, deferred=False, pairs=())
    for books in (
        (),
        (one, two),
        (one, two, three, stranger),
        (one, one, two, three),
        (two, one, three),
        (replace(one, tariff=2), two, three),
    ):
        assert "books" in refused(town, Clearing(books, ()))
    assert town.run(sealed=encode(good)).clearings == encode(good)


def test_bytes_that_are_not_canonical_are_refused() -> None:
    town = crowded_town()
    good = town.run().clearings
    spaced = good.replace(b":", b": ", 1)
    for sealed in (b"", b"{}", b"null", good + b" ", spaced, good[:-1], b"[]", b"\xff", good * 2):
        assert "sealed bytes" in refused(town, sealed)
    assert refused(town, good.replace(b'"tie":', b'"tie":9', 1))
    assert refused(town, EMPTY)


def test_a_seal_for_a_block_without_a_round_is_refused() -> None:
    town = crowded_town()
    sealed = town.run().clearings
    town.block()
    assert refused(town, sealed)


def test_the_seal_depends_on_the_orders_and_the_seed_only() -> None:
    """The order of submission picks no winners: ids stand in for the orders."""
    town = crowded_town(seed=5, brokers=(0,))
    (book,) = live_books(town.state, town.height + 1)
    seed = town.context().seed
    part = decode_clearing(town.run().clearings).books[0]
    assert check_book(book, part, seed)
    winners = set()
    for salt in range(12):
        other = crowded_town(seed=5, brokers=(0,))
        other.salt = bytes([salt])
        winners.add(other.run().clearings)
    assert len(winners) > 1


def test_of_equal_orders_each_wins_about_equally_often() -> None:
    """Ten equal bids for one ask: the hash of the seed decides, not the place in the block."""
    wins = [0] * 8
    for salt in range(160):
        town = Town(salt=salt.to_bytes(2, "big"))
        orders = town.opened(
            *((buyer, bid(limit=900)) for buyer in BUYERS[:8]), (SERVERS[0], ask(floor=100))
        )
        town.block()
        (trade,) = town.of_kind("trade.made")
        wins[orders.index(str(trade["bid"]))] += 1
    assert min(wins) >= 8
    assert max(wins) <= 35


def test_pairs_of_weight_nothing_trade_too() -> None:
    free = Tariff(
        lambda_micro=1, sigma_ppm=0, fee_basis="deal", weights="surplus", pricing="core_buyer"
    )
    town = Town(tariffs=(free,))
    town.opened((BUYERS[0], bid(limit=500)), (SERVERS[0], ask(floor=499)))
    town.block()
    (trade,) = town.of_kind("trade.made")
    assert trade["weight_micro"] == 0
    assert trade["paid_micro"] - trade["received_micro"] == 1


def test_a_round_too_hard_to_solve_is_deferred_and_prices_stay() -> None:
    market = MarketParameters(work_per_block=20)
    town = Town(market=market)
    town.opened(
        *((buyer, bid(limit=1_000 + place)) for place, buyer in enumerate(BUYERS[:6])),
        *((server, ask(floor=500 + place)) for place, server in enumerate(SERVERS[:6])),
    )
    (before,) = live_books(town.state, town.height + 1)
    assert "deferred" in refused(town, deferred_with_pairs(town))
    town.block()
    assert decode_clearing(town.sealed).books[0].deferred
    assert deferred_height(town.state) == town.height
    assert not town.of_kind("trade.made")
    (after,) = live_books(town.state, town.height + 1)
    assert (after.bids, after.asks) == (before.bids, before.asks)
    rows = range(before.pair_count)
    assert after.edges_at(rows) == before.edges_at(rows)
    assert (before.halvings, after.halvings) == (0, 1)


def deferred_with_pairs(town: Town) -> Clearing:
    (book,) = live_books(town.state, town.height + 1)
    pair = SealedPair(book.asks[0].hex(), book.bids[0].hex(), 0, 0)
    return Clearing((SealedBook(BROKERS[0].address, 1, deferred=True, pairs=(pair,)),), ())


def test_a_deferred_book_may_be_solved_by_the_next_builder() -> None:
    town = crowded_town(brokers=(0,))
    deferred = encode(Clearing((SealedBook(BROKERS[0].address, 1, deferred=True, pairs=()),), ()))
    execution = town.run(sealed=deferred)
    town.state.merge(execution.overlay)
    town.height += 1
    trades = 0
    for _ in range(2):
        town.block()
        trades += len(town.of_kind("trade.made"))
    assert trades >= 6
    assert deferred_height(town.state) == town.height - 2


@pytest.mark.parametrize("number", range(len(TARIFFS)))
def test_no_crossed_pair_is_left_between_two_open_orders(number: int) -> None:
    town = crowded_town(seed=number, brokers=(number,))
    for _ in range(6):
        town.block()
        assert not list(live_books(town.state, town.height))


def test_ties_are_part_of_every_weight() -> None:
    town = crowded_town(brokers=(0,))
    (book,) = live_books(town.state, town.height + 1)
    weights = [w for pairs in graph_of(book, b"\1" * 32).adjacency() for _, w in pairs]
    assert len(set(weights)) == len(weights) == book.pair_count
    assert min(weights) > 0
