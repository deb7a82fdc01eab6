"""What the paper says about its figures, each sentence as a test of curves.

A test looks at the curves of one draw: those of one seed, or the means of one drawn market.  So the
share of draws for which it is true can be counted.  Tests of spread look at all seeds of a draw.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from scripts.paper_figures.curve_tests import (
    OWN,
    RIVALS,
    Test,
    WholeTest,
    all_of,
    best,
    better_prices,
    fewer_rounds,
    larger_steps,
    lies_above,
    ordered,
    rises,
    rises_with_fee,
    slowest,
    slows,
    small_gaps,
    steadiest,
    textbook_slowest,
)
from scripts.paper_figures.figure3 import BASES
from scripts.paper_figures.figure4 import PRICES, WEIGHTS
from scripts.paper_figures.figure6 import STAKES


@dataclass(frozen=True, slots=True)
class Statement:
    """One sentence about a panel under one reading, and its test."""

    panel: str
    sentence: str
    reading: str
    test: Test | None = None
    whole: WholeTest | None = None
    needs: tuple[str, ...] = ()
    """Panels whose curves the test looks at, beside `panel`."""


def _figure_3() -> Iterator[Statement]:
    deal, by_round = (reading for _, reading in BASES)
    for panel, side, other in (("3a", "sellers", "buyers"), ("3b", "buyers", "sellers")):
        yield Statement(panel, f"profit rises with {side}", deal, rises(panel, deal))
        yield Statement(panel, "first fast, then slowly", deal, slows(panel, deal))
        yield Statement(panel, f"more {other}, a higher curve", deal, ordered(panel, deal))
    for reading in (deal, by_round):
        yield Statement("3c", "profit rises with the scale", reading, rises("3c", reading))
    for reading in (deal, by_round):
        test = larger_steps("3c", reading, 1)
        yield Statement("3c", "a larger omega (< mu), a larger profit", reading, test)
    for reading in (deal, by_round):
        sentence = "the gap between omegas is not obvious (below a fifth)"
        yield Statement("3c", sentence, reading, small_gaps(reading))
    test = larger_steps("3c-fees", by_round, -1)
    yield Statement("3c-fees", "a larger omega, fewer fees", by_round, test)
    for reading in (deal, by_round):
        sentence = "a higher fee, a higher profit (to twice the fee)"
        yield Statement("3d", sentence, reading, rises_with_fee(reading, 200))
    for reading in (deal, by_round):
        yield Statement(
            "3d", "the same however high the fee", reading, rises_with_fee(reading, 10**6)
        )


def _figure_4() -> Iterator[Statement]:
    for panel, side in (("4a", "buyers"), ("4b", "sellers")):
        for weights in WEIGHTS:
            for price, _ in PRICES:
                reading = f"{weights} weights, {price} prices"
                rivals = (*RIVALS, "blind random")
                sentence = f"{side} gain most under Algorithm 4"
                yield Statement(panel, sentence, reading, best(panel, reading, rivals))
                sentence = f"{side} gain more than under random"
                yield Statement(panel, sentence, reading, best(panel, reading, ("random",)))
        reading = f"{WEIGHTS[0]} weights, {PRICES[0][0]} prices"
        test = rises(panel, reading, OWN)
        yield Statement(panel, f"what {side} gain rises with the scale", reading, test)
    for panel in ("4c", "4d"):
        for weights in WEIGHTS:
            reading = f"{weights} weights"
            for rival in (*RIVALS, "blind random"):
                sentence = f"no fewer trades than {rival}"
                yield Statement(panel, sentence, reading, best(panel, reading, (rival,)))
        reading = f"{WEIGHTS[0]} weights"
        sentence = "trades under the other rules spread more"
        yield Statement(panel, sentence, reading, whole=steadiest(panel, reading))
    yield Statement("4-time", "Algorithm 4 takes longest", "the chain's solver", slowest)
    yield Statement("4-time", "Algorithm 4 takes longest", "textbook form", textbook_slowest)


def _figure_5() -> Iterator[Statement]:
    for reading in ("clamps", "larger steps"):
        sentence = "who bears less of the fee gets the better price"
        yield Statement("5-price", sentence, reading, better_prices(reading))
    for reading in ("clamps", "larger steps"):
        sentence = "the more the buyer bears, the fewer rounds"
        yield Statement("5-rounds", sentence, reading, fewer_rounds(reading))


def _figure_6() -> Iterator[Statement]:
    dpos, race, population = "DT-DPoS", "proof of work", "all servers"
    names = {"6a": "comprehensive resource", "6b": "communication", "6c": "modelling"}
    for reading in STAKES:
        tests = {panel: lies_above(panel, reading, dpos, race) for panel in names}
        tests["6d"] = lies_above("6d", reading, race, dpos)
        for panel, name in names.items():
            yield Statement(panel, f"more {name} than proof of work", reading, tests[panel])
        yield Statement("6d", "proof of work has more computation", reading, tests["6d"])
        needs = ("6b", "6c", "6d")
        yield Statement("6a", "6a to 6d together", reading, all_of(*tests.values()), needs=needs)
        pure = [lies_above(panel, reading, "DT-DPoS without lag", race) for panel in names]
        pure.append(lies_above("6d", reading, race, "DT-DPoS without lag"))
        sentence = "6a to 6d together, without the lag of the chain"
        yield Statement("6a", sentence, reading, all_of(*pure), needs=needs)
        fastest = [lies_above(panel, reading, dpos, "the fastest wins") for panel in names]
        sentence = "6a to 6c where the fastest always wins"
        yield Statement("6a", sentence, reading, all_of(*fastest), needs=needs[:2])
        net = "proof of work, net"
        sentence = "more comprehensive resource than mining leaves"
        yield Statement("6a", sentence, reading, lies_above("6a", reading, dpos, net))
        sentence = "what mining leaves is still more computation"
        yield Statement("6d", sentence, reading, lies_above("6d", reading, net, dpos))
        sentence = "builders serve better than the average server"
        yield Statement("6a", sentence, reading, lies_above("6a", reading, dpos, population))


STATEMENTS: tuple[Statement, ...] = (
    *_figure_3(),
    *_figure_4(),
    *_figure_5(),
    *_figure_6(),
)
