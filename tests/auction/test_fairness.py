"""The client's own check of its deal, and the dry run."""

from msgspec.structs import replace

from auction import keys
from auction.coming_views import coming_book
from auction.rounds import live_books
from auction.sealed import Clearing, decode_clearing
from tests.auction.fairness import judge
from tests.auction.test_clearing import crowded_town
from tests.auction.town import BROKERS


def test_nobody_envies_anybody_in_a_valid_round() -> None:
    """Every order of the unlabelled side, from its own record and the sealed labels alone."""
    town = crowded_town()
    before = town.state
    height = town.height + 1
    clearing = decode_clearing(town.run().clearings)
    judged = 0
    for book, part in zip(live_books(before, height), clearing.books, strict=True):
        matched = {(pair.bid, pair.ask) for pair in part.pairs}
        for order in book.bids if book.labels_on_asks else book.asks:
            record = before.get(keys.EDGE + order)
            assert record is not None
            verdict = judge(part, order, record, height)
            assert verdict.envied == ()
            assert verdict.gain >= 0
            pair = (order.hex(), verdict.partner)
            in_order = pair if book.labels_on_asks else pair[::-1]
            assert (in_order in matched) == bool(verdict.partner)
            judged += 1
    assert judged >= 15


def test_a_buyer_sees_that_a_worse_partner_was_given_to_it() -> None:
    town = crowded_town(brokers=(3,))
    height = town.height + 1
    (part,) = decode_clearing(town.run().clearings).books
    victim = bytes.fromhex(part.pairs[0].bid)
    robbed = replace(part, pairs=part.pairs[1:])
    record = town.state.get(keys.EDGE + victim)
    assert record is not None
    assert (
        judge(robbed, victim, record, height).envied
        or judge(part, victim, record, height).gain == 0
    )


def test_the_dry_run_weighs_what_the_round_will_weigh() -> None:
    town = crowded_town()
    root = town.state.root
    brokers = [broker.address for broker in BROKERS[:5]]
    shown = {each: coming_book(town.state, each, town.height + 1) for each in brokers}
    assert town.state.root == root
    town.block()
    weights = {str(data["broker"]): data["weight_micro"] for data in town.of_kind("round.cleared")}
    assert len(weights) > 1
    for broker, book in shown.items():
        assert book is not None
        assert book["weight_micro"] == weights.get(broker, 0)
        assert book["solved"] is True
    after = coming_book(town.state, brokers[0], town.height + 1)
    assert after is not None
    assert after["pairs"] == []
    assert coming_book(town.state, "ab" * 32, town.height + 1) is None
    assert decode_clearing(b'{"books":[],"classes":[]}') == Clearing((), ())
