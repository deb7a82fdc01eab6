"""Documents of classes: curves, dry run, both prices, trade reduction, who was left out and why."""

from auction import book_views, coming_views, order_views
from auction.actions import Cancel
from tests.auction.test_mcafee import busy_town, class_bids
from tests.auction.test_views import plain
from tests.auction.town import AT_MCAFEE, BROKERS, BUYERS

BROKER = BROKERS[AT_MCAFEE].address


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
    document = order_views.order(town.state, str(left["id"]), town.height + 1)
    assert document is not None
    assert plain(document)["unmatched"]["reason"] == "outside_class_price"


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
