"""The command that remakes the paper's figures: repeatable, nested, and true where it must be."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import pytest

from auction.matching import FREE
from scripts.paper_figures import main as figures
from scripts.paper_figures.books import draw_book, graph_of, outcome_of
from scripts.paper_figures.catalogue import FIGURES, SMALL
from scripts.paper_figures.claims import judge, verdict_of
from scripts.paper_figures.figure4 import RULES
from scripts.paper_figures.figure6 import BASE_TOWN, draw_servers
from scripts.paper_figures.markets import BASE_MARKET, spread_markets
from scripts.paper_figures.rows import Row, by_seed, percentile, points_of
from scripts.paper_figures.statements import STATEMENTS

ROOT = Path(__file__).resolve().parent.parent
SEEDS = 3


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Row]]:
    out = tmp_path_factory.mktemp("figures")
    plan = figures.Plan(figures.chosen(""), SMALL, SEEDS, draws=0)
    rows, _ = figures.run(plan, out, lambda _: None)
    return out, rows


def hashes(out: Path) -> dict[str, str]:
    """Return a digest of each file that two runs share: not of times, nor of claims on them."""
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(out.iterdir())
        if not path.name.startswith(("4-time", "claims"))
    }


def test_two_runs_write_the_same_bytes(drawn: tuple[Path, list[Row]], tmp_path: Path) -> None:
    """The second run is another process, with other hashes of strings."""
    command = [sys.executable, str(ROOT / "scripts" / "figures.py"), "--small", "--json"]
    done = subprocess.run(
        [*command, "--seeds", str(SEEDS), "--out", str(tmp_path)],
        env={**os.environ, "PYTHONHASHSEED": "7"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert hashes(tmp_path) == hashes(drawn[0])
    assert {f"figure{figure.name}.svg" for figure in FIGURES} <= set(hashes(tmp_path))
    printed = json.loads(done.stdout)
    assert len(printed["claims"]) == len(STATEMENTS)
    assert {claim["verdict"] for claim in printed["claims"]} <= {"holds", "mostly", "partly", "no"}


def test_a_panel_alone_is_the_panel_of_the_whole_run(
    drawn: tuple[Path, list[Row]], tmp_path: Path
) -> None:
    plan = figures.Plan(figures.chosen("4b"), SMALL, SEEDS, draws=0)
    figures.run(plan, tmp_path, lambda _: None)
    alone = hashes(tmp_path)
    assert set(alone) == {"4b.csv", "4b-seeds.csv", "4b.svg"}
    assert alone.items() <= hashes(drawn[0]).items()


def test_a_smaller_book_is_the_beginning_of_a_larger_one() -> None:
    small, large = draw_book(BASE_MARKET, 4, 6, 9), draw_book(BASE_MARKET, 7, 8, 9)
    tariff = BASE_MARKET.tariff()
    assert [row[:6] for row in large.quotes(tariff)[:4]] == small.quotes(tariff)
    assert draw_servers(BASE_TOWN, 5, 2) == draw_servers(BASE_TOWN, 9, 2)[:5]


@pytest.mark.parametrize("panel", ["3a", "3b"])
def test_another_agent_never_costs_the_broker_anything(
    drawn: tuple[Path, list[Row]], panel: str
) -> None:
    """A theorem: a matching of the smaller book is one of the larger, of the same income."""
    for curves in by_seed(drawn[1]).values():
        for key, held in curves.items():
            if key[0] == panel:
                assert all(low <= high for low, high in pairwise(held.values()))


def test_no_rule_earns_the_broker_more_than_algorithm_4() -> None:
    book, tariff = draw_book(BASE_MARKET, 12, 12, 1), BASE_MARKET.tariff()
    quotes = book.quotes(tariff)
    graph = graph_of(quotes, 12, 12)
    income = {
        rule: outcome_of(book, quotes, allocate(graph, 12, b"seed"), tariff).broker
        for rule, allocate in RULES.items()
    }
    assert max(income.values()) == income["Algorithm 4"]
    assert income["Algorithm 4"] > income["blind random"]


def test_both_weights_of_figure_4_hold_the_same_pairs() -> None:
    for market in (BASE_MARKET, *spread_markets(4, 5)):
        book = draw_book(market, 8, 8, 0)
        spread, surplus = (
            [[quote is None for quote in row] for row in book.quotes(market.tariff(weights=name))]
            for name in ("spread", "surplus")
        )
        assert spread == surplus


def test_blind_random_pairs_nobody_twice_and_only_who_can_trade() -> None:
    book = draw_book(BASE_MARKET, 9, 5, 3)
    graph = graph_of(book.quotes(BASE_MARKET.tariff()), 9, 5)
    mates = RULES["blind random"](graph, 5, b"seed")
    taken = [mate for mate in mates if mate != FREE]
    assert len(mates) == 9
    assert len(taken) == len(set(taken)) > 0
    assert all(mate == FREE or mate in dict(graph[i]) for i, mate in enumerate(mates))


def test_claims_that_are_sure_hold_on_small_data(drawn: tuple[Path, list[Row]]) -> None:
    verdicts = {
        (claim.panel, claim.sentence, claim.reading): claim.verdict
        for claim in judge(drawn[1], [])
        if claim.panel != "4-time"
    }
    for name in (
        ("3a", "profit rises with sellers", "fee a deal"),
        ("3a", "first fast, then slowly", "fee a deal"),
        ("3a", "more buyers, a higher curve", "fee a deal"),
        ("3b", "profit rises with buyers", "fee a deal"),
        ("3b", "more sellers, a higher curve", "fee a deal"),
        ("3c", "profit rises with the scale", "fee a deal"),
        ("3c", "profit rises with the scale", "fee a round"),
        ("3d", "a higher fee, a higher profit (to twice the fee)", "fee a deal"),
    ):
        assert verdicts[name] == "holds", name
    reversed_ = ("5-price", "who bears less of the fee gets the better price", "clamps")
    assert verdicts[reversed_] == "no"


def test_a_verdict_is_a_share_of_draws_and_those_of_markets_outweigh_seeds() -> None:
    words = [verdict_of(percent) for percent in (100, 95, 94, 75, 74, 25, 24, 0)]
    assert words == ["holds", "holds", "mostly", "mostly", "partly", "partly", "no", "no"]
    rising = [Row("3a", "fee a deal", "8 buyers", x, 0, x) for x in (4, 8, 12)]
    falling = [row._replace(value=-row.value) for row in rising]
    by_seeds, *_ = judge(rising, [])
    assert (by_seeds.verdict, by_seeds.draws_percent) == ("holds", None)
    by_draws, *_ = judge(rising, [rising, falling])
    assert (by_draws.seeds_percent, by_draws.draws_percent) == (100, 50)
    assert by_draws.verdict == "partly"


def test_points_are_means_with_the_tenth_and_ninetieth_percentile() -> None:
    rows = [Row("p", "r", "c", 1, seed, value) for seed, value in enumerate([9, *range(9), 50])]
    (point,) = points_of(rows)
    assert (point.low, point.high, point.seeds) == (1, 9, 11)
    assert f"{point.mean:.3f}" == f"{95 / 11:.3f}"
    assert percentile([5], 90) == 5


def test_pictures_are_whole_and_small_and_show_every_curve(drawn: tuple[Path, list[Row]]) -> None:
    out, rows = drawn
    for figure in FIGURES:
        text = (out / f"figure{figure.name}.svg").read_text()
        assert ElementTree.fromstring(text).tag.endswith("svg")
        assert len(text) < 60_000
        unseen = {panel.name: panel.unseen for panel in figure.panels if not panel.measured}
        for row in rows:
            if row.panel in unseen and row.curve not in unseen[row.panel]:
                assert f">{row.curve}</text>" in text


def test_every_statement_is_about_a_panel_that_is_drawn(drawn: tuple[Path, list[Row]]) -> None:
    panels = {row.panel for row in drawn[1]}
    assert {statement.panel for statement in STATEMENTS} == panels
    for statement in STATEMENTS:
        assert (statement.test is None) != (statement.whole is None)


def test_help_says_what_each_panel_shows() -> None:
    text = figures._help()
    for figure in FIGURES:
        for panel in figure.panels:
            assert (panel.rows.__doc__ or "").startswith(f"Panel {panel.name}: ")
            assert panel.name in text
