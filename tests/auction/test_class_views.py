"""Documents of classes: curves, dry run, both prices, trade reduction, who was left out and why."""

import pytest

from auction import book_views, class_views, coming_views, order_views, trades
from auction.actions import Cancel
from auction.edges import Edge
from auction.mcafee import LiveClass
from auction.parameters import MarketParameters
from ledger.codec import encode
from ledger.state import Overlay
from tests.auction.test_mcafee import busy_town, class_bids
from tests.auction.test_views import plain
from tests.auction.town import (
    AT_MCAFEE,
    BROKERS,
    BUYERS,
    MCAFEE,
    SERVERS,
    Town,
    class_ask,
    class_bid,
)

BROKER = BROKERS[AT_MCAFEE].address


def why(town: Town, order: str) -> tuple[str, int, int]:
    """Why an order of a class is open, its own price and the best of the other side."""
    told = plain(order_views.order(town.state, order, town.height + 1))["unmatched"]
    return told["reason"], told["own_micro"], told["other_micro"]


def events_and_rows(town: Town) -> tuple[list[str], dict[tuple[str, int], str]]:
    """The orders the class's event lists, and the reason of each row by side and own price."""
    (cleared,) = town.of_kind("round.cleared")
    (part,) = plain(town.round)["classes"]
    assert cleared["unmatched_count"] == len(cleared["unmatched"])
    reasons = {(row["side"], row["own_micro"]): row["reason"] for row in part["outbid"]}
    told = {row["order"] for row in part["outbid"] if row["reason"] != "outside_class_price"}
    assert told == set(cleared["unmatched"])
    return cleared["unmatched"], reasons


def test_a_class_is_shown_before_and_after_its_round() -> None:
    town = busy_town((1_000, 900, 500), (300, 400, 700))
    waiting = order_views.order(town.state, class_bids(town)[0][0], town.height + 1)
    assert waiting is not None
    assert (waiting["tariff"], waiting["service_class"]) == (1, 1)
    assert plain(waiting)["unmatched"]["reason"] == "class_due"
    coming = plain(coming_views.coming_book(town.state, BROKER, town.height + 1))
    (kind,) = coming["classes"]
    assert (kind["trades"], kind["reduced"]) == (2, False)
    assert kind["service"]["service_blocks"] == 4
    assert kind["buyer_price_micro"] == kind["seller_price_micro"] == 603
    depth = plain(book_views.depth(town.state, BROKER, town.height + 1))
    assert [depth["service_class"], *(part["service_class"] for part in depth["others"])] == [
        1,
        2,
        3,
    ]
    assert [step["price_micro"] for step in depth["demand"]] == [988, 888, 488]
    assert [step["price_micro"] for step in depth["supply"]] == [318, 418, 718]
    town.block()
    shown = plain(town.round)
    assert shown["books"] == []
    (part,) = shown["classes"]
    assert (part["number"], part["service_class"], part["trades"]) == (0, 1, 2)
    assert part["buyer_price_micro"] == part["seller_price_micro"] == 603
    assert part["totals"]["fee_micro"] == 60
    assert {pair["price_micro"] for pair in part["pairs"]} == {603}
    pairs = [(pair["bid"], pair["ask"], pair["weight_micro"]) for pair in part["pairs"]]
    assert pairs == [(one["bid"], one["ask"], one["weight_micro"]) for one in coming["pairs"]]
    assert part["curves"]["demand"] == [[988, 1], [888, 2], [488, 3]]
    assert not part["reduced"]
    assert {row["reason"] for row in part["outbid"]} == {"outside_class_price"}
    assert [(row["own_micro"], row["price_micro"]) for row in part["outbid"]] == [
        (488, 603),
        (718, 603),
    ]
    listed = order_views.orders(town.state, height=town.height + 1)
    left = next(row for row in listed if row["side"] == "bid")
    assert why(town, str(left["id"])) == ("outside_class_price", 488, 718)


def test_a_reduced_class_says_which_pair_was_left_out_and_that_its_sides_have_two_prices() -> None:
    town = busy_town((1_000, 900, 800), (300, 400, 500))
    coming = plain(coming_views.coming_book(town.state, BROKER, town.height + 1))
    town.block()
    (part,) = plain(town.round)["classes"]
    assert part["reduced"]
    assert coming["classes"][0]["reduced"]
    assert (part["trades"], part["buyer_price_micro"], part["seller_price_micro"]) == (2, 788, 518)
    rows = {row["side"]: row for row in part["outbid"]}
    assert sorted(rows) == ["ask", "bid"]
    assert {row["reason"] for row in rows.values()} == {"reduced"}
    assert (rows["bid"]["own_micro"], rows["ask"]["own_micro"]) == (788, 518)
    assert part["totals"]["balance_micro"] == 0


def test_an_order_withdrawn_in_the_block_of_a_round_is_no_part_of_the_round_it_shows() -> None:
    """The state before the block still has it; without it the class is not the same."""
    town = busy_town((1_000, 900, 800), (300, 400, 500))
    orders = dict(class_bids(town))
    top = next(order for order, limit in orders.items() if limit == 1_000)
    town.block((BUYERS[0], Cancel(top)))
    (part,) = plain(town.round)["classes"]
    assert (part["trades"], part["reduced"]) == (1, True)
    reasons = {(row["side"], row["own_micro"]): row["reason"] for row in part["outbid"]}
    assert reasons == {
        ("bid", 788): "reduced",
        ("ask", 418): "reduced",
        ("ask", 518): "outside_class_price",
    }


def test_the_event_of_a_class_names_only_orders_that_could_have_traded() -> None:
    """It named every order of the class that stayed, however far from any price."""
    town = busy_town((1_000, 900, 800, 50, 40), (300, 400, 500, 5_000))
    town.block()
    left, reasons = events_and_rows(town)
    assert len(left) == 2
    assert reasons == {
        ("bid", 788): "reduced",
        ("bid", 38): "outside_class_price",
        ("bid", 28): "outside_class_price",
        ("ask", 518): "reduced",
        ("ask", 5_018): "outside_class_price",
    }
    # The state tells the same of each of them while it waits.
    for row in plain(town.round)["classes"][0]["outbid"]:
        best = 518 if row["side"] == "bid" else 788
        assert why(town, row["order"]) == (row["reason"], row["own_micro"], best)


def test_whoever_draws_with_the_last_rank_could_have_traded() -> None:
    """Three bids of 500 for the second place, and a price that fits all who trade."""
    town = busy_town((1_000, 512, 512, 512), (300, 400, 483))
    town.block()
    left, reasons = events_and_rows(town)
    assert (len(left), reasons) == (2, {("bid", 500): "draw", ("ask", 501): "outside_class_price"})
    for order in left:
        assert why(town, order) == ("outside_class_price", 500, 501)


def test_a_class_without_a_crossing_has_no_round_and_its_orders_say_what_they_lack() -> None:
    town = busy_town((500, 400), (700, 800))
    town.block()
    assert town.of_kind("round.cleared") == []
    bids = order_views.orders(town.state, height=town.height + 1, side="bid")
    told = sorted(why(town, str(row["id"])) for row in bids)
    assert told == [("outside_class_price", 388, 718), ("outside_class_price", 488, 718)]


def test_an_order_alone_in_its_class_is_told_so_though_its_book_has_others() -> None:
    town = busy_town((), ())
    order, _ = town.opened((BUYERS[0], class_bid(0, 900)), (SERVERS[0], class_ask(2, 300)))
    town.block()
    told = plain(order_views.order(town.state, order, town.height + 1))["unmatched"]
    assert told["reason"] == "other_side_empty"


def test_of_a_class_put_off_only_ranks_that_cross_are_deferred() -> None:
    market = MarketParameters(work_per_block=5)
    town = busy_town((1_000, 900, 50), (300, 400, 5_000), market=market)
    town.block()
    left, reasons = events_and_rows(town)
    assert len(left) == 4
    assert reasons[("bid", 988)] == reasons[("ask", 418)] == "deferred"
    assert reasons[("bid", 38)] == reasons[("ask", 5_018)] == "outside_class_price"


def test_a_class_lists_so_many_of_a_side_and_counts_them_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for module in (trades, class_views):
        monkeypatch.setattr(module, "UNMATCHED_LISTED", 2)
    town = busy_town((512,) * 6 + (90, 80), (300, 300, 5_000))
    town.block()
    (cleared,) = town.of_kind("round.cleared")
    (part,) = plain(town.round)["classes"]
    assert (cleared["trades"], cleared["unmatched_count"]) == (1, 6)
    assert cleared["unmatched"][:2] == sorted(cleared["unmatched"][:2])
    assert [row["side"] for row in part["outbid"]] == ["bid", "bid", "ask", "ask"]
    assert [row["order"] for row in part["outbid"]][:3] == cleared["unmatched"]


def test_the_event_of_the_fullest_book_stays_small() -> None:
    """It listed 20,000 ids of 64 digits, for ever, in the event and in the stored round."""
    town = Town()
    overlay = Overlay(town.state)
    bids = tuple(number.to_bytes(32, "big") for number in range(10_000))
    asks = tuple(number.to_bytes(32, "big") for number in range(10_000, 20_000))
    book = LiveClass(bytes.fromhex(BROKER), 1, 0, MCAFEE, (), ())
    tally = trades.Tally(len(bids), len(asks), 20_000, (bids, asks))
    made = trades.Trade(bids[1], asks[0], Edge(asks[0], 1, 1, 1, 1, 1), 0)
    trades.report_round(overlay, 1, book, tally, [made], deferred=False)
    (event,) = overlay.events
    assert event.data["unmatched_count"] == 20_000 - 2
    kept = [bids[0], *bids[2:101], *asks[1:101]]
    assert event.data["unmatched"] == [order.hex() for order in kept]
    assert len(encode(event.data)) < 16_000
