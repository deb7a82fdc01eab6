"""Money of a trade under every rule: the chain of inequalities and the exact sum of gains."""

import random
from dataclasses import replace

import pytest

from auction.brokers import Tariff, buyer_fee, check_tariff, seller_fee
from auction.settlement import Pair, chain_share, settle
from ledger.errors import Reason, Rejected


def random_pair(chance: random.Random, tariff: Tariff) -> Pair:
    rounds = chance.randint(1, 9)
    own_buyer, own_seller = buyer_fee(tariff, rounds), seller_fee(tariff, rounds)
    cost = chance.randint(0, 10_000)
    ask = cost + own_seller + chance.randint(0, 500)
    bid = ask + chance.randint(0, 500)
    value = bid + own_buyer + chance.randint(0, 500)
    return Pair(value, cost, bid, ask, rounds, chance.randint(0, bid - ask))


def kappa(share: int, weights: str = "surplus") -> Tariff:
    return Tariff(
        lambda_micro=10,
        sigma_ppm=300_000,
        fee_basis="deal",
        weights=weights,  # type: ignore[arg-type]
        pricing="kappa",
        kappa_ppm=share,
    )


@pytest.mark.parametrize("weights", ["spread", "surplus"])
def test_kappa_leaves_its_part_of_the_margin_and_loses_no_unit(weights: str) -> None:
    chance = random.Random(weights)
    for _ in range(3_000):
        share = chance.choice((0, 1, 250_000, 500_000, 999_999, 10**6, chance.randint(0, 10**6)))
        tariff = kappa(share, weights)
        pair = random_pair(chance, tariff)
        money = settle(tariff, pair)
        margin = pair.bid - pair.ask
        kept = money.broker - money.fee
        assert 0 <= kept - margin * share // 10**6 <= 3, "dust of three cuts at most"
        assert kept * 10**6 >= margin * share, "dust is the broker's"
        assert money.paid - money.received == money.broker


def test_kappa_of_one_is_the_paper_and_of_zero_core_or_midpoint() -> None:
    chance = random.Random(8)
    for _ in range(2_000):
        pair = random_pair(chance, kappa(0))
        words = {"lambda_micro": 10, "sigma_ppm": 300_000, "fee_basis": "deal"}
        for weights in ("spread", "surplus"):
            paper = Tariff(**words, weights=weights, pricing="paper")  # type: ignore[arg-type]
            one, own = settle(paper, pair), settle(kappa(10**6, weights), pair)
            assert (own.paid, own.received, own.broker) == (one.paid, one.received, one.broker)
        core = Tariff(**words, weights="surplus", pricing="core_buyer")  # type: ignore[arg-type]
        assert settle(kappa(0), pair) == settle(core, pair)
        middle = Tariff(**words, weights="spread", pricing="midpoint")  # type: ignore[arg-type]
        one, own = settle(middle, pair), settle(kappa(0, "spread"), pair)
        odd = (pair.bid - pair.ask) % 2
        assert (own.paid, own.received) == (one.paid + odd, one.received)
        assert own.broker == one.broker + odd


def test_a_buyer_pays_no_less_and_a_seller_gets_no_more_as_kappa_grows() -> None:
    chance = random.Random(9)
    for _ in range(300):
        pair = random_pair(chance, kappa(0))
        steps = [settle(kappa(share), pair) for share in range(0, 10**6 + 1, 50_000)]
        assert [step.paid for step in steps] == sorted(step.paid for step in steps)
        received = [step.received for step in steps]
        assert received == sorted(received, reverse=True)


def test_a_class_price_outside_its_pair_is_a_bug_not_a_trade() -> None:
    tariff = Tariff(
        lambda_micro=10, sigma_ppm=0, fee_basis="deal", weights="surplus", pricing="mcafee"
    )
    good = Pair(value=100, cost=40, bid=100, ask=50, rounds=1, label=0, class_prices=(80, 60))
    money = settle(tariff, good)
    assert (money.paid, money.received, money.broker, money.fee) == (80, 50, 30, 10)
    for wrong in ((101, 60), (80, 49), (60, 80)):
        with pytest.raises(AssertionError):
            settle(tariff, replace(good, class_prices=wrong))


@pytest.mark.parametrize("pricing", ["paper", "midpoint", "core_buyer", "core_seller"])
def test_nobody_loses_and_gains_add_up_on_every_trade(pricing: str) -> None:
    chance = random.Random(pricing)
    for _ in range(2_000):
        tariff = Tariff(
            lambda_micro=chance.randint(1, 999),
            sigma_ppm=chance.randint(0, 10**6),
            fee_basis=chance.choice(("deal", "round")),
            weights="surplus",
            pricing=pricing,  # type: ignore[arg-type]
        )
        pair = random_pair(chance, tariff)
        money = settle(tariff, pair)
        count = pair.rounds if tariff.fee_basis == "round" else 1
        assert money.fee == count * tariff.lambda_micro
        assert pair.value >= money.paid >= money.received >= pair.cost
        assert pair.bid >= money.price >= pair.ask
        assert money.paid - money.received == money.broker >= money.fee
        gains = (pair.value - money.paid) + (money.received - pair.cost) + money.broker
        assert gains == pair.value - pair.cost
        if pricing != "paper":
            assert money.broker == money.fee


def test_the_paper_rule_gives_the_broker_the_margin() -> None:
    tariff = Tariff(
        lambda_micro=10, sigma_ppm=300_000, fee_basis="deal", weights="spread", pricing="paper"
    )
    money = settle(tariff, Pair(value=120, cost=40, bid=110, ask=60, rounds=1, label=0))
    assert (money.paid, money.received, money.broker) == (113, 53, 60)


def test_a_pair_that_would_cost_somebody_is_a_bug_not_a_trade() -> None:
    tariff = Tariff(
        lambda_micro=10, sigma_ppm=0, fee_basis="deal", weights="surplus", pricing="core_buyer"
    )
    for pair in (
        Pair(value=100, cost=50, bid=90, ask=95, rounds=1, label=0),
        Pair(value=89, cost=50, bid=90, ask=60, rounds=1, label=0),
        Pair(value=100, cost=55, bid=90, ask=60, rounds=1, label=0),
        Pair(value=100, cost=50, bid=90, ask=60, rounds=1, label=31),
        Pair(value=100, cost=50, bid=90, ask=60, rounds=1, label=-1),
    ):
        with pytest.raises(AssertionError):
            settle(tariff, pair)


def test_core_prices_need_surplus_weights() -> None:
    for pricing in ("core_buyer", "core_seller"):
        tariff = Tariff(
            lambda_micro=1,
            sigma_ppm=0,
            fee_basis="deal",
            weights="spread",
            pricing=pricing,  # type: ignore[arg-type]
        )
        with pytest.raises(Rejected) as refusal:
            check_tariff(tariff)
        assert refusal.value.reason is Reason.INVALID_TARIFF


def test_the_chain_share_is_rounded_down() -> None:
    assert [chain_share(broker, 200_000) for broker in (0, 4, 5, 9, 10)] == [0, 0, 1, 1, 2]
