"""What a false report can gain under each rule: a search over a grid, every participant in turn.

    python -m tests.auction.test_incentives        # the table, with its figures

One sealed round, private values, a graph that leaves no pair out; the quotes, labels and money are
the market's own.  A participant scales all its values (costs) by one factor; its gain is counted in
its true ones.  The table in `docs/market.md` says what is asserted here.
"""

import random
from dataclasses import dataclass

import pytest

from auction.brokers import Tariff
from auction.matching import FREE, solve
from auction.pricing import UNIT, Path, Quote, quote_pair
from auction.settlement import Pair, settle

FACTORS = tuple(range(30, 131, 5))
"""Reports in percent of the truth."""

AT_ONCE = Path(0, 9, (UNIT,))
NO_BOUND = 10**9
MARKETS = 12
SIDE = 7


def tariff(pricing: str) -> Tariff:
    weights = "spread" if pricing in ("paper", "midpoint") else "surplus"
    return Tariff(
        lambda_micro=200,
        sigma_ppm=300_000,
        fee_basis="deal",
        weights=weights,  # type: ignore[arg-type]
        pricing=pricing,  # type: ignore[arg-type]
    )


@dataclass(frozen=True)
class Reports:
    """What a round knows: the value of each pair to its buyer, its cost to its seller."""

    values: tuple[tuple[int, ...], ...]
    costs: tuple[tuple[int, ...], ...]


def random_truth(chance: random.Random) -> Reports:
    """Return correlated values and costs: level and length of the service count for both sides."""
    levels = [chance.randint(80, 120) for _ in range(SIDE)]
    lengths = [chance.randint(80, 120) for _ in range(SIDE)]
    buyers = [chance.randint(50, 150) for _ in range(SIDE)]
    sellers = [chance.randint(20, 110) for _ in range(SIDE)]
    values = tuple(tuple(b * level // 10 * 10 for level in levels) for b in buyers)
    costs = tuple(tuple(s * length // 10 * 10 for s in sellers) for length in lengths)
    return Reports(values, costs)


def outcome(rule: Tariff, reports: Reports) -> dict[tuple[int, int], tuple[int, int]]:
    """Return paid and received of every trade, by (buyer, seller)."""
    quotes: dict[tuple[int, int], Quote] = {}
    for buyer in range(SIDE):
        for seller in range(SIDE):
            worth = (reports.values[buyer][seller], reports.costs[buyer][seller])
            quote = quote_pair(rule, *worth, AT_ONCE, AT_ONCE)
            if quote is not None:
                quotes[buyer, seller] = quote
    flipped = rule.pricing == "core_seller"
    adjacency: list[list[tuple[int, int]]] = [[] for _ in range(SIDE)]
    for (buyer, seller), quote in quotes.items():
        left, right = (seller, buyer) if flipped else (buyer, seller)
        adjacency[left].append((right, quote.weight))
    found = solve(adjacency, SIDE, NO_BOUND)
    money = {}
    for left, right in enumerate(found.mates):
        if right == FREE:
            continue
        place = (right, left) if flipped else (left, right)
        quote, (buyer, seller) = quotes[place], place
        worth = (reports.values[buyer][seller], reports.costs[buyer][seller])
        pair = Pair(*worth, quote.bid, quote.ask, quote.rounds, found.labels[right])
        settlement = settle(rule, pair)
        assert settlement.broker >= settlement.fee
        money[place] = (settlement.paid, settlement.received)
    return money


def gain_of(rule: Tariff, truth: Reports, reports: Reports, who: int, *, buyer: bool) -> int:
    """Return what a participant truly gains when these reports are made."""
    for (one, other), (paid, received) in outcome(rule, reports).items():
        if buyer and one == who:
            return truth.values[one][other] - paid
        if not buyer and other == who:
            return received - truth.costs[one][other]
    return 0


def misreported(truth: Reports, who: int, percent: int, *, buyer: bool) -> Reports:
    """Return the truth with one participant's numbers scaled."""
    if buyer:
        row = tuple(value * percent // 100 for value in truth.values[who])
        return Reports((*truth.values[:who], row, *truth.values[who + 1 :]), truth.costs)
    costs = tuple(
        tuple(-(-cost * percent // 100) if at == who else cost for at, cost in enumerate(row))
        for row in truth.costs
    )
    return Reports(truth.values, costs)


def best_lies(rule: Tariff, *, buyer: bool) -> list[int]:
    """Return the most each participant of a side gains by a false report, market by market."""
    chance = random.Random(21)
    best = []
    for _ in range(MARKETS):
        truth = random_truth(chance)
        for who in range(SIDE):
            honest = gain_of(rule, truth, truth, who, buyer=buyer)
            assert honest >= 0
            lies = (misreported(truth, who, percent, buyer=buyer) for percent in FACTORS)
            best.append(max(gain_of(rule, truth, lie, who, buyer=buyer) for lie in lies) - honest)
    return best


def test_no_buyer_gains_by_a_false_value_under_core_buyer() -> None:
    assert max(best_lies(tariff("core_buyer"), buyer=True)) == 0


def test_no_seller_gains_by_a_false_cost_under_core_seller() -> None:
    assert max(best_lies(tariff("core_seller"), buyer=False)) == 0


@pytest.mark.parametrize(
    ("pricing", "buyer"),
    [
        ("paper", True),
        ("paper", False),
        ("midpoint", True),
        ("midpoint", False),
        ("core_buyer", False),
        ("core_seller", True),
    ],
)
def test_a_false_report_pays_where_the_table_says_so(pricing: str, *, buyer: bool) -> None:
    best = best_lies(tariff(pricing), buyer=buyer)
    assert sum(gain > 0 for gain in best) > len(best) // 10


def test_lies_gain_far_less_under_core_prices_than_under_the_paper() -> None:
    """The side that core prices leave open gains a fraction of what it gains by the paper's."""
    paper = sum(best_lies(tariff("paper"), buyer=False))
    assert sum(best_lies(tariff("core_buyer"), buyer=False)) * 3 < paper
    paper = sum(best_lies(tariff("paper"), buyer=True))
    assert sum(best_lies(tariff("core_seller"), buyer=True)) * 3 < paper


def main() -> None:
    """Print who gains by a false report under each rule, and how much of the surplus."""
    chance = random.Random(21)
    honest = tariff("core_buyer")
    surplus = 0
    for _ in range(MARKETS):
        truth = random_truth(chance)
        for (buyer, seller), (paid, received) in outcome(honest, truth).items():
            worth = truth.values[buyer][seller] - truth.costs[buyer][seller]
            surplus += worth - (paid - received)
    print("rule          side     who gains   sum of best gains / surplus")
    for pricing in ("paper", "midpoint", "core_buyer", "core_seller"):
        for side in ("buyers", "sellers"):
            best = best_lies(tariff(pricing), buyer=side == "buyers")
            share = 100 * sum(gain > 0 for gain in best) // len(best)
            print(f"{pricing:13} {side:8} {share:8} %   {sum(best) / surplus:.3f}")


if __name__ == "__main__":
    main()
