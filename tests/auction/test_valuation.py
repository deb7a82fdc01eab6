"""Eqs 4-10 against decimal arithmetic, and the direction of every rounding."""

import random
from decimal import Context, Decimal
from itertools import pairwise

from auction.actions import MAX_PRICE, Bid, CostModel, FlatFloor, UtilityModel
from auction.valuation import cost_of_service, value_of_service
from tests.auction.town import bid

EXACT = Context(prec=80)


def true_value(order: Bid, resource: int) -> Decimal:
    model = order.valuation
    assert isinstance(model, UtilityModel)
    level = Decimal(1) + Decimal(model.gamma_nano) * resource / Decimal(10**9)
    unit = Decimal(model.value_micro) * 1_000 / Decimal(order.theta_milli)
    return EXACT.multiply(EXACT.multiply(unit, EXACT.ln(level)), Decimal(order.service_blocks))


def true_cost(model: CostModel, theta: int, blocks: int, interval: int) -> Decimal:
    """In micro-tokens, the formula of the docs as it stands."""
    million = Decimal(10**6)
    cmd = Decimal(model.r_micro) / million * theta / 1_000 + Decimal(model.d_micro) / million
    count = -(-blocks // interval)
    exponent = Decimal(model.epsilon_micro) / million * cmd
    ccm = count * (Decimal(model.eta_ppm) / million * EXACT.exp(exponent) - 1)
    a, b, c = (Decimal(x) / million for x in (model.a_micro, model.b_micro, model.c_micro))
    ccp = count * (a * cmd * cmd + b * cmd + c)
    return (cmd + ccm + ccp) * million


def test_the_value_is_rounded_down_and_close() -> None:
    chance = random.Random(4)
    for _ in range(1_500):
        order = bid(
            valuation=UtilityModel(
                chance.randrange(1, 2 ** chance.randint(1, 30)),
                chance.randrange(1, 10 ** chance.randint(1, 9)),
            ),
            theta_milli=chance.randint(1, 10**6),
            service_blocks=chance.randint(1, 2**20),
        )
        resource = chance.randrange(10 ** chance.randint(1, 9))
        truth = true_value(order, resource)
        scale = Decimal(order.valuation.value_micro) * 1_000 * order.service_blocks  # type: ignore[union-attr]
        slack = 1 + scale / order.theta_milli * 16 / 2**40
        assert 0 <= truth - value_of_service(order, resource, 10**9) < slack


def test_more_than_the_largest_resource_is_worth_no_more() -> None:
    order = bid(valuation=UtilityModel(10**6, 10**5))
    assert value_of_service(order, 5_000, 2_000) == value_of_service(order, 2_000, 2_000)
    assert value_of_service(order, 0, 2_000) == 0


def test_the_value_grows_with_resources_and_time_and_falls_with_the_scale() -> None:
    def value(resource: int, theta: int, blocks: int) -> int:
        model = UtilityModel(10**6, 10**5)
        order = bid(valuation=model, theta_milli=theta, service_blocks=blocks)
        return value_of_service(order, resource, 10**6)

    levels = [value(resource, 1_000, 10) for resource in range(100, 100_000, 999)]
    assert levels == sorted(levels)
    gains = [high - low for low, high in pairwise(levels)]
    assert gains[0] > gains[-1]
    assert value(10_000, 1_000, 10) > value(10_000, 2_000, 10)
    assert value(10_000, 1_000, 11) > value(10_000, 1_000, 10)


def test_the_cost_is_rounded_up_and_close() -> None:
    chance = random.Random(5)
    seen = 0
    for _ in range(3_000):
        model = CostModel(
            r_micro=chance.randrange(10 ** chance.randint(1, 7)),
            d_micro=chance.randrange(10 ** chance.randint(1, 7)),
            eta_ppm=10**6 + chance.randrange(10 ** chance.randint(1, 7)),
            epsilon_micro=chance.randrange(10 ** chance.randint(1, 7)),
            a_micro=chance.randrange(10 ** chance.randint(1, 9)),
            b_micro=chance.randrange(10 ** chance.randint(1, 9)),
            c_micro=chance.randrange(10 ** chance.randint(1, 9)),
        )
        theta, blocks = chance.randint(1, 20_000), chance.randint(1, 1_000)
        interval = chance.randint(1, 50)
        cost = cost_of_service(model, theta, blocks, interval)
        if cost is None:
            continue
        seen += 1
        truth = true_cost(model, theta, blocks, interval)
        count = -(-blocks // interval)
        slope = true_cost(
            CostModel(
                model.r_micro,
                model.d_micro + 1,
                model.eta_ppm,
                model.epsilon_micro,
                model.a_micro,
                model.b_micro,
                model.c_micro,
            ),
            theta,
            blocks,
            interval,
        )
        assert 0 <= cost - truth < (slope - truth) + 4 * count + 1 + truth / 2**30
    assert seen > 1_000


def test_a_cost_out_of_bounds_is_no_cost() -> None:
    steep = CostModel(0, 21_000_000, 10**6, 10**6, 0, 0, 0)
    assert cost_of_service(steep, 1_000, 1, 1) is None
    just = CostModel(0, 20_000_000, 10**6, 10**6, 0, 0, 0)
    assert cost_of_service(just, 1_000, 1, 1) is not None
    dear = CostModel(10**9, 10**9, 10**9, 0, 10**12, 10**12, 10**12)
    assert cost_of_service(dear, 10**6, 2**20, 1) is None


def test_eta_of_one_and_no_model_cost_never_makes_the_cost_negative() -> None:
    free = CostModel(0, 0, 10**6, 0, 0, 0, 0)
    assert cost_of_service(free, 1, 1, 1) == 1


def test_the_flat_kinds_stand_for_the_whole_function() -> None:
    assert cost_of_service(FlatFloor(MAX_PRICE), 1, 1, 1) == MAX_PRICE
    assert value_of_service(bid(limit=77), 0, 1) == 77


def test_an_interval_longer_than_the_service_is_one_interaction() -> None:
    model = CostModel(0, 0, 10**6, 0, 0, 0, 1_000)
    assert cost_of_service(model, 1_000, 10, 100) == cost_of_service(model, 1_000, 10, 10)
    assert cost_of_service(model, 1_000, 11, 10) == 2 * (1_000 + 1)
