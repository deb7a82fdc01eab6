"""Documents of the market: JSON-able, and saying what the state and the events say."""

import json
from typing import Any

from auction import book_views, coming_views, order_views, views
from auction.actions import Cancel, CostModel, UtilityModel
from auction.parameters import MarketParameters
from auction.tariffs import ChangeTariff
from ledger.members import Resources
from tests.auction.test_clearing import crowded_town
from tests.auction.town import BROKERS, BUYERS, SERVERS, TARIFFS, Town, ask, bid

BROKER = BROKERS[0].address


def plain(document: Any) -> Any:
    """Return the document after a trip through JSON; it must hold no float and no null."""

    def look(value: Any) -> None:
        assert isinstance(value, (dict, list, str, int)), value
        if isinstance(value, (dict, list)):
            for part in value.values() if isinstance(value, dict) else value:
                look(part)

    loaded = json.loads(json.dumps(document))
    look(loaded)
    assert loaded == document
    return loaded


def busy_town() -> tuple[Town, list[str]]:
    town = Town()
    slow = {"omega_micro": 100_000}
    orders = town.opened(
        (BUYERS[0], bid(limit=1_000, open_ppm=400_000, **slow)),
        (BUYERS[1], bid(valuation=UtilityModel(10**6, 10**6), open_ppm=300_000, **slow)),
        (SERVERS[0], ask(floor=500, open_ppm=2_000_000, **slow)),
        (SERVERS[1], ask(cost=CostModel(1, 1, 10**6, 1, 1, 1, 9), open_ppm=3 * 10**6, **slow)),
        (BUYERS[2], bid(1)),
    )
    return town, orders


def test_orders_are_listed_with_filters() -> None:
    town, orders = busy_town()
    height = town.height + 1
    listed = plain(list(order_views.orders(town.state, height=height)))
    assert sorted(entry["id"] for entry in listed) == sorted(orders)
    assert len(list(order_views.orders(town.state, height=height, broker=BROKER))) == 4
    assert len(list(order_views.orders(town.state, height=height, side="ask"))) == 2
    assert len(list(order_views.orders(town.state, height=height, owner=BUYERS[2].address))) == 1
    assert not list(order_views.orders(town.state, height=height, broker=BUYERS[0].address))


def test_an_order_shows_its_path_its_pairs_and_why_it_waits() -> None:
    town, orders = busy_town()
    document = plain(order_views.order(town.state, orders[0], town.height + 1))
    path = document["path"]
    assert path["opening_micro"] == 400
    assert path["opening_micro"] < path["now_micro"] < path["next_micro"] == path["ahead"][1]
    assert document["unmatched"]["reason"] == "prices_apart"
    assert document["unmatched"]["height"] == min(pair["crosses"] for pair in document["pairs"])
    crossing = document["unmatched"]["height"]
    for _ in range(crossing - town.height - 1):
        town.block()
        assert not town.of_kind("trade.made")
    town.block()
    assert town.of_kind("trade.made")


def test_a_lonely_order_knows_that_nobody_is_there() -> None:
    town, orders = busy_town()
    lonely = plain(order_views.order(town.state, orders[4], town.height + 1))
    assert lonely["unmatched"]["reason"] == "other_side_empty"
    town.opened((SERVERS[2], ask(1, longest_blocks=1)))
    shunned = plain(order_views.order(town.state, orders[4], town.height + 1))
    assert shunned["unmatched"]["reason"] == "no_partner"
    town.block((BUYERS[2], Cancel(orders[4])))
    assert order_views.order(town.state, orders[4], town.height + 1) is None


def test_depth_has_falling_demand_and_rising_supply() -> None:
    town = Town()
    town.opened(
        *((key, bid(limit=1_000 + 100 * place)) for place, key in enumerate(BUYERS[:4])),
        (BUYERS[5], bid(limit=1_000)),
        (SERVERS[0], ask(floor=5_000)),
        (SERVERS[1], ask(floor=700)),
    )
    document = plain(book_views.depth(town.state, BROKER, town.height + 1))
    prices = [step["price_micro"] for step in document["demand"]]
    assert prices == [1_250, 1_150, 1_050, 950]
    assert [step["orders"] for step in document["demand"]] == [1, 2, 3, 5]
    assert [step["price_micro"] for step in document["supply"]] == [750, 5_050]
    assert document["crossing"] == 1
    assert book_views.depth(town.state, BUYERS[0].address, 1) is None


def test_a_round_shows_pairs_labels_prices_and_totals() -> None:
    town = Town()
    town.opened(
        *((key, bid(3, limit=1_000 + 100 * place)) for place, key in enumerate(BUYERS[:4])),
        (SERVERS[0], ask(3, floor=700)),
        (SERVERS[1], ask(3, floor=800, resources=Resources(70, 70, 70))),
    )
    town.block()
    (book,) = plain(town.round)["books"]
    assert (book["trades"], len(book["unmatched"]), book["deferred"]) == (2, 2, False)
    for pair in book["pairs"]:
        assert pair["weight_micro"] == pair["buyer_label_micro"] + pair["seller_label_micro"]
        assert pair["seller_label_micro"] == pair["label_micro"]
    totals = book["totals"]
    assert totals["paid_micro"] == totals["received_micro"] + totals["broker_micro"]
    town.block()
    assert town.round == {"books": [], "classes": []}


def test_agreements_brokers_and_parameters_are_shown() -> None:
    town = Town()
    town.opened((BUYERS[0], bid()), (SERVERS[0], ask()))
    town.block()
    (agreement,) = plain(list(views.agreements(town.state)))
    assert agreement["status"] == "running"
    assert plain(views.agreement(town.state, agreement["id"])) == agreement
    assert views.agreement(town.state, "0" * 64) is None
    assert list(views.agreements(town.state, seller=SERVERS[1].address)) == []
    assert len(list(views.agreements(town.state, buyer=BUYERS[0].address))) == 1
    shown = plain(list(views.brokers(town.state)))
    assert len(shown) == len(town.tariffs)
    assert plain(views.broker(town.state, BROKER)) in shown
    assert views.broker(town.state, BUYERS[0].address) is None
    assert plain(views.parameters(town.state))["degree_cap"] == 16
    assert plain(views.committed(town.state, SERVERS[0].address))["computation"] == 100


def test_an_order_left_over_learns_how_far_it_was_from_its_nearest_partner() -> None:
    town = crowded_town()
    town.block()
    told = 0
    for book in plain(town.round)["books"]:
        assert [row["order"] for row in book["outbid"]] == book["unmatched"]
        weights = {pair["bid"]: pair["weight_micro"] for pair in book["pairs"]}
        weights |= {pair["ask"]: pair["weight_micro"] for pair in book["pairs"]}
        partners = {pair["bid"]: pair["ask"] for pair in book["pairs"]}
        partners |= {ask: bid for bid, ask in partners.items()}
        for row in book["outbid"]:
            assert row["lacking_micro"] == row["label_micro"] - row["weight_micro"] >= 0
            assert row["behind_micro"] == weights[row["partner"]] - row["weight_micro"]
            assert row["lacking_micro"] <= row["behind_micro"]
            assert partners[row["partner"]] == row["winner"]
            told += 1
    assert told > 3


def two_versions() -> tuple[Town, list[str], list[str]]:
    """A town whose broker changed from slow prices to surplus weights, with a pair under each."""
    town = Town(market=MarketParameters(tariff_notice_blocks=3))
    slow = {"open_ppm": 100_000, "omega_micro": 100_000}
    old = town.opened((BUYERS[0], bid(limit=900, **slow)), (SERVERS[0], ask(floor=100)))
    town.block((BROKERS[0], ChangeTariff(TARIFFS[3])))
    record = plain(views.broker(town.state, BROKER))
    while town.height + 1 < record["pending"][0]["effective"]:
        town.block()
    new = town.opened((BUYERS[1], bid(limit=900)), (SERVERS[1], ask(floor=100)))
    return town, old, new


def test_each_tariff_version_has_its_own_curves_and_an_order_the_price_of_its_own() -> None:
    town, old, new = two_versions()
    height = town.height + 1
    depth = plain(book_views.depth(town.state, BROKER, height))
    (former,) = depth["others"]
    assert (depth["tariff"], former["tariff"]) == (2, 1)
    shown = {}
    for part in (depth, former):
        assert part["demand"][-1]["orders"] == part["supply"][-1]["orders"] == 1
        shown[part["tariff"]] = part["demand"][0]["price_micro"]
    for version, order in ((1, old[0]), (2, new[0])):
        document = plain(order_views.order(town.state, order, height))
        assert document["tariff"] == version
        assert document["path"]["now_micro"] == shown[version]
    assert plain(order_views.order(town.state, old[0], height))["path"]["settles"] > height
    assert shown[2] == 900 - 33


def test_a_dry_run_and_the_round_keep_versions_apart() -> None:
    town, _, new = two_versions()
    coming = plain(coming_views.coming_book(town.state, BROKER, town.height + 1))
    assert [(book["tariff"], book["trades"]) for book in coming["books"]] == [(2, 1)]
    assert [(pair["tariff"], pair["bid"]) for pair in coming["pairs"]] == [(2, new[0])]
    town.block()
    (book,) = plain(town.round)["books"]
    assert (book["tariff"], book["terms"]["weights"]) == (2, "surplus")
    assert book["curves"]["demand"] == [[900 - 33, 1]]
    town.opened((BUYERS[2], bid(limit=900)))
    lonely = order_views.order(town.state, next(iter(town.of_kind("order.opened")))["order"], 1)
    assert lonely is not None
    assert plain(lonely)["unmatched"]["reason"] == "other_side_empty"
