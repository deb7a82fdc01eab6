"""Money of a trade under every rule: the chain of inequalities and the exact sum of gains."""

import random

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
