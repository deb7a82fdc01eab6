"""What a false report can gain under each rule: a search over a grid, every participant in turn.

    python -m tests.auction.test_incentives        # the table, with its figures

One sealed round, private values, a graph that leaves no pair out; the quotes, labels and money are
the market's own.  A participant scales all its values (costs) by one factor; its gain is counted in
its true ones.  Under `mcafee` services are equal, so a participant has one number, and every other
number is tried for it.  The table in `docs/market.md` says what is asserted here.
"""

import random
from dataclasses import dataclass
from functools import lru_cache

import pytest

from auction.brokers import Tariff, buyer_fee, seller_fee
from auction.matching import FREE, solve
from auction.mcafee import LiveClass, clear_class
from auction.pricing import UNIT, Path, Quote, quote_pair
from auction.settlement import Pair, settle

FACTORS = tuple(range(30, 131, 5))
"""Reports in percent of the truth."""

AT_ONCE = Path(0, 9, (UNIT,))
NO_BOUND = 10**9
MARKETS = 12
SIDE = 7


KAPPAS = {"kappa 250000": 250_000, "kappa 500000": 500_000}


def tariff(rule: str) -> Tariff:
    pricing = rule.split()[0]
    weights = "spread" if pricing in ("paper", "midpoint") else "surplus"
    return Tariff(
        lambda_micro=200,
        sigma_ppm=300_000,
        fee_basis="deal",
        weights=weights,  # type: ignore[arg-type]
        pricing=pricing,  # type: ignore[arg-type]
        kappa_ppm=KAPPAS.get(rule, 0),
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


@lru_cache(maxsize=32)
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
        ("kappa 250000", True),
        ("kappa 250000", False),
        ("kappa 500000", True),
        ("kappa 500000", False),
    ],
)
def test_a_false_report_pays_where_the_table_says_so(pricing: str, *, buyer: bool) -> None:
    best = best_lies(tariff(pricing), buyer=buyer)
    assert sum(gain > 0 for gain in best) > len(best) // 10


def test_the_more_a_broker_keeps_the_more_a_lie_gains() -> None:
    for buyer in (True, False):
        rules = ("core_buyer", "kappa 250000", "kappa 500000")
        gains = [sum(best_lies(tariff(rule), buyer=buyer)) for rule in rules]
        assert gains == sorted(gains)
        assert gains[0] < gains[-1]


@dataclass(frozen=True)
class Equals:
    """A class of equal services: what each buyer would pay at most, each seller take at least."""

    limits: tuple[int, ...]
    floors: tuple[int, ...]


MCAFEE = Tariff(
    lambda_micro=20, sigma_ppm=300_000, fee_basis="deal", weights="surplus", pricing="mcafee"
)
NUMBERS = tuple(range(1, 1_200, 13))
"""What may be stated instead of the truth."""

ROUNDS = 30


def class_gain(truth: Equals, stated: Equals, who: int, seed: bytes, *, buyer: bool) -> int:
    """Return what a participant of a class truly gains when these numbers are stated.

    Orders have the ids of their owners, so a false number changes nothing but itself.
    """
    bids = tuple((bytes([1]) * 31 + bytes([at]), limit) for at, limit in enumerate(stated.limits))
    asks = tuple((bytes([2]) * 31 + bytes([at]), floor) for at, floor in enumerate(stated.floors))
    outcome = clear_class(LiveClass(bytes(32), 1, 0, MCAFEE, bids, asks), seed)
    for bid, ask in outcome.pairs:
        if buyer and bid[-1] == who:
            return truth.limits[who] - outcome.buyer_price - buyer_fee(MCAFEE, 1)
        if not buyer and ask[-1] == who:
            return outcome.seller_price - seller_fee(MCAFEE, 1) - truth.floors[who]
    return 0


def best_class_lies(*, buyer: bool) -> tuple[list[int], int]:
    """Return the most each participant gains by a false number, and the lies that were tried."""
    chance = random.Random(22)
    best, tried = [], 0
    for number in range(ROUNDS):
        span = chance.choice((3, 10, 1_000))  # narrow spans make ties
        seed = bytes([number]) * 32
        truth = Equals(
            tuple(200 + 60 * chance.randint(0, span) % 900 for _ in range(chance.randint(1, 7))),
            tuple(100 + 60 * chance.randint(0, span) % 900 for _ in range(chance.randint(1, 7))),
        )
        for who, own in enumerate(truth.limits if buyer else truth.floors):
            honest = class_gain(truth, truth, who, seed, buyer=buyer)
            assert honest >= 0
            others = {*truth.limits, *truth.floors}
            near = {value + step for value in others for step in (-34, -21, -1, 0, 1, 21, 34)}
            gains = []
            for lie in sorted({*NUMBERS, *near} - {own}):
                stated = with_number(truth, who, lie, buyer=buyer)
                gains.append(class_gain(truth, stated, who, seed, buyer=buyer))
            tried += len(gains)
            best.append(max(gains) - honest)
    return best, tried


def with_number(truth: Equals, who: int, lie: int, *, buyer: bool) -> Equals:
    """Return the truth with one number replaced."""
    if buyer:
        return Equals((*truth.limits[:who], lie, *truth.limits[who + 1 :]), truth.floors)
    return Equals(truth.limits, (*truth.floors[:who], lie, *truth.floors[who + 1 :]))


@pytest.mark.parametrize("buyer", [True, False])
def test_nobody_gains_by_a_false_number_under_mcafee(*, buyer: bool) -> None:
    best, tried = best_class_lies(buyer=buyer)
    assert tried > 10_000
    assert max(best) <= 0


def test_the_search_finds_lies_where_a_class_price_is_ones_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Without reduction the last pair would set the price: the search must notice."""

    def greedy(caps: list[int], floors: list[int]) -> tuple[int, tuple[int, int]]:
        ranks = min(len(caps), len(floors))
        count = sum(caps[rank] >= floors[rank] for rank in range(ranks))
        middle = (caps[count - 1] + floors[count - 1]) // 2 if count else 0
        return count, (middle, middle)

    monkeypatch.setattr("auction.mcafee.reduce_trades", greedy)
    for buyer in (True, False):
        assert max(best_class_lies(buyer=buyer)[0]) > 0


def class_welfare(size: int) -> tuple[float, float]:
    """Return the shares of the best welfare and of the best number of trades that are reached."""
    chance = random.Random(size)
    reached = best = trades = most = 0
    for number in range(200):
        limits = tuple(chance.randint(100, 1_000) for _ in range(size))
        floors = tuple(chance.randint(100, 1_000) for _ in range(size))
        bids = tuple((bytes([1]) * 31 + bytes([at]), value) for at, value in enumerate(limits))
        asks = tuple((bytes([2]) * 31 + bytes([at]), value) for at, value in enumerate(floors))
        live = LiveClass(bytes(32), 1, 0, MCAFEE, bids, asks)
        pairs = clear_class(live, bytes([number]) * 32).pairs
        fee = MCAFEE.lambda_micro
        reached += sum(limits[bid[-1]] - floors[ask[-1]] - fee for bid, ask in pairs)
        gains = zip(sorted(limits, reverse=True), sorted(floors), strict=True)
        worth = [high - low - fee for high, low in gains if high - low >= fee]
        best, trades, most = best + sum(worth), trades + len(pairs), most + len(worth)
    return reached / best, trades / most


def test_reduction_costs_little_welfare_and_less_in_larger_classes() -> None:
    small, large = class_welfare(10)[0], class_welfare(40)[0]
    assert 0.95 < small < large < 1


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
    for rule in ("paper", "midpoint", "core_buyer", "core_seller", *KAPPAS):
        for side in ("buyers", "sellers"):
            best = best_lies(tariff(rule), buyer=side == "buyers")
            share = 100 * sum(gain > 0 for gain in best) // len(best)
            print(f"{rule:13} {side:8} {share:8} %   {sum(best) / surplus:.3f}")
    for side in ("buyers", "sellers"):
        best, tried = best_class_lies(buyer=side == "buyers")
        share = 100 * sum(gain > 0 for gain in best) // len(best)
        print(f"{'mcafee':13} {side:8} {share:8} %   of {tried} false numbers tried")
    for size in (10, 20, 40):
        welfare, trades = class_welfare(size)
        print(
            f"mcafee, {size} a side: {welfare:.1%} of the best welfare, {trades:.1%} of its trades"
        )


if __name__ == "__main__":
    main()
