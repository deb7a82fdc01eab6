"""The demo's agents: seeded, within the plan's ranges, and faithful to what the chain shows."""

from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from random import Random

import httpx
import pytest

from auction.actions import Ask, Bid, CostModel, FlatFloor, FlatLimit, Rate, UtilityModel
from auction.brokers import Tariff
from auction.classes import class_of, require_class
from auction.mcafee import crossed_ranks, reduce_trades
from auction.valuation import cost_of_service, value_of_service
from ledger.codec import Codec, encode
from ledger.members import Resources, comprehensive_resource
from ledger.parameters import LedgerParameters
from node.client.client import ApiError, Client, Unreachable
from node.demo.agents import (
    BUYER_OPEN_BIDS,
    SELLER_OPEN_ASKS,
    SLOTS,
    WAVE_BLOCKS,
    Buyer,
    ClassBook,
    Scene,
    Seller,
    choose_broker,
    slot_of,
)
from node.demo.draws import (
    QUALITY_BP,
    draw_ask,
    draw_bid,
    draw_class_ask,
    draw_class_bid,
    draw_rating,
)
from node.demo.network import Network
from node.demo.story import Story, tokens
from node.testnet.plan import (
    BROKER_PROFILES,
    ITS_SUBSYSTEMS,
    LARGEST_RESOURCE_MHZ,
    PROFILES,
    TOKEN,
)

BROKER = "ab" * 32
BUYER = "01" * 32
SERVER = "02" * 32
SLOT = Resources(computation=32_000, communication=66_000, modelling=17_000)


def scene(
    height: int = 100,
    open_orders: dict[str, int] | None = None,
    ratable: dict[str, list[tuple[str, str]]] | None = None,
) -> Scene:
    return Scene(
        height=height,
        brokers=(BROKER,),
        open_orders=open_orders or {},
        ratable=ratable or {},
        servers={SERVER: 3},
    )


def test_the_same_seed_draws_the_same_orders() -> None:
    def draws(seed: int) -> list[bytes]:
        random = Random(seed)
        bids = [encode(draw_bid(random, BROKER, 9)) for _ in range(5)]
        return bids + [encode(draw_ask(random, BROKER, 9, SLOT)) for _ in range(5)]

    assert draws(1) == draws(1)
    assert draws(1) != draws(2)


def test_drawn_orders_are_acceptable_to_the_chain() -> None:
    random, bids, asks = Random(7), Codec(Bid), Codec(Ask)
    for height in range(1, 200):
        bids.decode(encode(draw_bid(random, BROKER, height)))
        asks.decode(encode(draw_ask(random, BROKER, height, SLOT)))


def test_most_drawn_pairs_can_trade_at_prices_like_the_paper_s() -> None:
    random = Random(3)
    resource = PROFILES[1].computation_mhz
    gains = 0
    for _ in range(300):
        bid, ask = draw_bid(random, BROKER, 1), draw_ask(random, BROKER, 1, SLOT)
        assert isinstance(bid.valuation, UtilityModel)
        assert isinstance(ask.cost, CostModel)
        value = value_of_service(bid, resource, LARGEST_RESOURCE_MHZ)
        cost = cost_of_service(ask.cost, bid.theta_milli, bid.service_blocks, bid.interval_blocks)
        assert cost is not None
        assert 10 * TOKEN < cost < 200 * TOKEN
        gains += value > cost
    assert gains > 180


def test_ratings_spread_with_the_quality_of_the_server() -> None:
    random = Random(5)
    means = [
        sum(draw_rating(random, server) for _ in range(200)) // 200
        for server in range(len(QUALITY_BP))
    ]
    assert all(abs(mean - quality) < 100 for mean, quality in zip(means, QUALITY_BP, strict=True))
    assert all(0 <= draw_rating(random, server) <= 10_000 for server in range(40))


def test_a_buyer_rates_every_ended_service_exactly_once() -> None:
    buyer = Buyer(Random(1))
    ended = scene(ratable={BUYER: [("aa" * 32, SERVER)]}, open_orders={BUYER: BUYER_OPEN_BIDS})
    first = buyer.decide(BUYER, ended)
    assert [type(action) for action in first] == [Rate]
    buyer.done(first, ended.height)
    assert buyer.decide(BUYER, ended) == []


def test_a_refused_rating_is_tried_again() -> None:
    buyer = Buyer(Random(1))
    ended = scene(ratable={BUYER: [("aa" * 32, SERVER)]}, open_orders={BUYER: BUYER_OPEN_BIDS})
    buyer.decide(BUYER, ended)
    buyer.done([], ended.height)
    assert len(buyer.decide(BUYER, ended)) == 1


def test_agents_never_keep_more_orders_open_than_they_want() -> None:
    for seed in range(20):
        buyer, seller = Buyer(Random(seed)), Seller(Random(seed), SLOT)
        full = scene(open_orders={BUYER: BUYER_OPEN_BIDS, SERVER: SELLER_OPEN_ASKS})
        assert buyer.decide(BUYER, full) == []
        assert seller.decide(SERVER, full) == []
        one_missing = scene(open_orders={SERVER: SELLER_OPEN_ASKS - 1})
        assert len(seller.decide(SERVER, one_missing)) == 1


def test_an_agent_waits_until_the_chain_shows_what_it_sent() -> None:
    seller = Seller(Random(1), SLOT)
    sent = seller.decide(SERVER, scene(height=100))
    seller.done(sent, 100)
    assert seller.decide(SERVER, scene(height=101)) == []
    assert seller.decide(SERVER, scene(height=110)) != []


def test_all_slots_together_never_exceed_the_server() -> None:
    declared = Resources(computation=100_001, communication=99, modelling=16)
    slot = slot_of(declared)
    assert slot.computation * SLOTS <= declared.computation
    assert slot.communication * SLOTS <= declared.communication
    assert slot.modelling * SLOTS <= declared.modelling


def test_half_the_orders_go_to_the_first_broker_and_the_others_share_the_rest() -> None:
    random = Random(2)
    chosen = [choose_broker(random, ("a", "b", "c")) for _ in range(400)]
    assert 160 < chosen.count("a") < 240
    assert chosen.count("b") > 60
    assert chosen.count("c") > 60


def class_tariff() -> Tariff:
    (profile,) = (profile for profile in BROKER_PROFILES if profile.classes)
    return Tariff(
        lambda_micro=profile.fee_micro,
        sigma_ppm=500_000,
        fee_basis=profile.fee_basis,
        weights=profile.weights,
        pricing=profile.pricing,
        classes=profile.classes,
    )


def test_what_is_drawn_for_a_class_stands_in_it_at_every_server_of_the_plan() -> None:
    random, tariff = Random(4), class_tariff()
    parameters = LedgerParameters(chain="any", alpha_ppm=2_000_000, beta_ppm=500_000)
    for number, kind in enumerate(tariff.classes):
        for profile in PROFILES:
            units = (profile.computation_mhz, profile.communication_kbps, profile.modelling)
            whole = Resources(*(each * profile.slots for each in units))
            bid = draw_class_bid(random, BROKER, 1, kind)
            ask = draw_class_ask(random, BROKER, 1, kind, slot_of(whole))
            level = comprehensive_resource(ask.resources, parameters)
            require_class(tariff, bid, 0, 0)
            require_class(tariff, ask, level, 0)
            assert class_of(tariff, bid, 0) == class_of(tariff, ask, level) == number


def test_a_wave_brings_one_order_of_everybody_to_the_same_class() -> None:
    """Two orders of an account are refused there, and a class with one pair trades nothing."""
    tariff = class_tariff()
    book = ClassBook(BROKER, tariff.classes, frozenset({SERVER}))
    seen = []
    buyer, seller = Buyer(Random(1)), Seller(Random(2), SLOT)
    for height in range(100, 100 + 3 * WAVE_BLOCKS):
        here = replace(scene(height), brokers=(), class_books=(book,))
        assert seller.decide(SERVER, here) == []
        for action in buyer.decide(BUYER, here):
            assert isinstance(action, Bid)
            seen.append((height, action.service_blocks))
    short, long = (kind.service_blocks for kind in tariff.classes)
    assert [height for height, _ in seen] == [100, 110, 120]
    assert sorted(blocks for _, blocks in seen) == [short, short, long]
    (offer,) = Seller(Random(2), SLOT).decide(
        SERVER, replace(scene(110), brokers=(), class_books=(replace(book, owners=frozenset()),))
    )
    assert isinstance(offer, Ask)
    assert offer.longest_blocks == book.wave(110).service_blocks


def test_most_waves_of_a_class_bring_trades() -> None:
    random, (kind, _) = Random(6), class_tariff().classes
    traded = reduced = 0
    for _ in range(200):
        limits = [draw_class_bid(random, BROKER, 1, kind).valuation for _ in ITS_SUBSYSTEMS]
        costs = [draw_class_ask(random, BROKER, 1, kind, SLOT).cost for _ in PROFILES]
        caps = [one.limit_micro - TOKEN for one in limits if isinstance(one, FlatLimit)]
        floors = [one.floor_micro + TOKEN for one in costs if isinstance(one, FlatFloor)]
        ranks = sorted(caps, reverse=True), sorted(floors)
        count, _ = reduce_trades(*ranks)
        traded += count > 0
        reduced += count < crossed_ranks(*ranks)
    assert traded > 150
    assert 50 < reduced < 200


def test_the_story_names_accounts_and_counts_what_it_told() -> None:
    story = Story(names={BUYER: "bus-fleet", SERVER: "dt-server-1"})
    event = {
        "kind": "satisfaction.changed",
        "data": {
            "buyer": BUYER,
            "seller": SERVER,
            "rating_bp": 9_200,
            "before_bp": 5_000,
            "after_bp": 5_350,
        },
    }
    line = story.tell(12, event)
    assert line == "[12] bus-fleet rates dt-server-1 92.0 %: satisfaction 50.0 % -> 53.5 %"
    assert story.tell(12, {"kind": "reward.paid", "data": {}}) is None
    assert story.summary() == {"satisfaction.changed": 1}


def test_money_is_told_without_rounding_up() -> None:
    assert tokens(1_234_567_899) == "1,234.56"
    assert tokens(9_999) == "0.00"
    assert tokens(None) == "?"


Answer = Callable[[httpx.Request], httpx.Response]


@pytest.fixture
async def two_nodes() -> AsyncIterator[tuple[Network, dict[str, Answer]]]:
    answers: dict[str, Answer] = {}

    def serve(request: httpx.Request) -> httpx.Response:
        return answers[request.url.host](request)

    network = Network(["http://one", "http://two"], patience_s=0.0)
    for place, url in enumerate(("http://one", "http://two")):
        await network._clients[place].close()
        network._clients[place] = Client(url, tries=1, transport=httpx.MockTransport(serve))
    async with network:
        yield network, answers


def down(request: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError("down", request=request)


def at_height(height: int) -> Answer:
    return lambda _: httpx.Response(200, json={"data": {"height": height}})


async def test_a_node_that_is_down_is_replaced_by_the_next(
    two_nodes: tuple[Network, dict[str, Answer]],
) -> None:
    network, answers = two_nodes
    answers.update(one=down, two=at_height(5))
    assert (await network.call(Client.status))["height"] == 5
    assert network.url == "http://two"
    answers.update(one=at_height(6), two=down)
    assert (await network.call(Client.status))["height"] == 6


async def test_a_refusal_is_an_answer_and_no_reason_to_ask_another_node(
    two_nodes: tuple[Network, dict[str, Answer]],
) -> None:
    network, answers = two_nodes
    problem = {"status": 422, "code": "insufficient_funds", "detail": ""}
    answers.update(one=lambda _: httpx.Response(422, json=problem), two=at_height(5))
    with pytest.raises(ApiError, match="insufficient_funds"):
        await network.call(Client.status)
    assert network.url == "http://one"


async def test_when_nobody_answers_the_demo_says_so(
    two_nodes: tuple[Network, dict[str, Answer]],
) -> None:
    network, answers = two_nodes
    answers.update(one=down, two=down)
    network._patience_s = -1.0
    with pytest.raises(Unreachable, match=r"http://one, http://two"):
        await network.call(Client.status)
