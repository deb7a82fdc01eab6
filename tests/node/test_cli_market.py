"""The commands about prices and tariffs: what they sign, and what they refuse beforehand."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from typer.testing import CliRunner

from auction.actions import ACTIONS as MARKET
from auction.actions import (
    AskPrice,
    Bid,
    BidPrice,
    CostModel,
    FlatFloor,
    FlatLimit,
    Reprice,
    UtilityModel,
)
from auction.brokers import ServiceClass, Tariff
from auction.licences import ACTIONS as LICENCES
from auction.licences import ApplyBroker
from auction.tariffs import ACTIONS as TARIFFS
from auction.tariffs import ChangeTariff
from ledger.transactions import Action, TransactionCodec
from tests.auction.town import ask, bid
from tests.node.test_cli import GENESIS, StandIn, run
from tests.node.test_cli import key_file as key_file
from tests.node.test_cli import node as node
from tests.node.test_cli import password_file as password_file
from tests.node.test_cli import runner as runner

ORDER = "33" * 32
KEPT = {"expires": 50, "open_ppm": 10**6, "omega_micro": 500_000, "mu": 1}
BID = msgspec.to_builtins(bid(limit=900))
ASK = msgspec.to_builtins(ask(floor=300))
FEE = ("--fee", "0.5", "--weights")


def tariff(**changed: object) -> Tariff:
    words = {
        "lambda_micro": 500_000,
        "sigma_ppm": 500_000,
        "fee_basis": "deal",
        "weights": "surplus",
        "pricing": "paper",
    }
    return Tariff(**(words | changed))  # type: ignore[arg-type]


def of_class(blocks: int, least: int) -> ServiceClass:
    return ServiceClass(
        service_blocks=blocks, interval_blocks=1, theta_milli=1_500, least_resource=least
    )


def price(**changed: object) -> BidPrice:
    return BidPrice(**(KEPT | {"valuation": FlatLimit(900)} | changed))  # type: ignore[arg-type]


def floor(**changed: object) -> AskPrice:
    return AskPrice(**(KEPT | {"cost": FlatFloor(300)} | changed))  # type: ignore[arg-type]


CHANGES: list[tuple[dict[str, object], tuple[str, ...], Action]] = [
    (BID, ("--limit", "0.0012"), Reprice(ORDER, price(valuation=FlatLimit(1_200)))),
    (BID, ("--open", "0.25"), Reprice(ORDER, price(open_ppm=250_000))),
    (
        BID,
        ("--omega", "0.2", "--expires-in", "5"),
        Reprice(ORDER, price(omega_micro=200_000, expires=105)),
    ),
    (BID, ("--value", "8"), Reprice(ORDER, price(valuation=UtilityModel(8_000_000, 100_000)))),
    (ASK, ("--floor", "0.0007"), Reprice(ORDER, floor(cost=FlatFloor(700)))),
    (ASK, ("--open", "2"), Reprice(ORDER, floor(open_ppm=2_000_000))),
    (
        ASK,
        ("--cost", "r=0.3,d=0.2,eta=1.1,epsilon=1,a=1.5,b=1,c=1"),
        Reprice(
            ORDER,
            floor(
                cost=CostModel(
                    300_000, 200_000, 1_100_000, 1_000_000, 1_500_000, 1_000_000, 1_000_000
                )
            ),
        ),
    ),
]


@pytest.mark.parametrize(("terms", "words", "action"), CHANGES)
def test_reprice_changes_what_is_stated_and_keeps_the_rest(
    runner: CliRunner,
    node: StandIn,
    key_file: Path,
    password_file: Path,
    terms: dict[str, object],
    words: tuple[str, ...],
    action: Action,
) -> None:
    node.answers[f"/v1/orders/{ORDER}"] = (200, {"data": {"terms": terms}, "meta": {"height": 100}})
    assert signed(runner, node, key_file, password_file, "reprice", "--order", ORDER, *words) == (
        action
    )


@pytest.mark.parametrize(
    ("terms", "words"),
    [
        (BID, ("--floor", "1")),
        (ASK, ("--limit", "1")),
        (BID, ("--limit", "1", "--value", "1")),
        (BID, ("--open", "2")),
        (ASK, ("--open", "0.5")),
        (BID, ("--limit", "0")),
        (ASK, ("--omega", "0")),
    ],
)
def test_a_price_for_the_other_side_or_out_of_bounds_is_a_usage_error(
    runner: CliRunner,
    node: StandIn,
    key_file: Path,
    password_file: Path,
    terms: dict[str, object],
    words: tuple[str, ...],
) -> None:
    node.answers[f"/v1/orders/{ORDER}"] = (200, {"data": {"terms": terms}, "meta": {"height": 100}})
    where = ("--key", str(key_file), "--password-file", str(password_file), "--node", node.url)
    result = run(runner, "tx", "reprice", "--order", ORDER, *words, *where)
    assert result.exit_code == 2
    assert not node.sent


@pytest.mark.parametrize("told", [{}, {"terms": BID}])
def test_an_order_that_is_closed_cannot_be_repriced(
    runner: CliRunner,
    node: StandIn,
    key_file: Path,
    password_file: Path,
    told: dict[str, object],
) -> None:
    """Of one that closed lately a node still tells the terms; a reprice of it would cost a fee."""
    node.answers[f"/v1/orders/{ORDER}"] = (
        200,
        {"data": {"status": "closed", **told}, "meta": {"height": 100}},
    )
    where = ("--key", str(key_file), "--password-file", str(password_file), "--node", node.url)
    result = run(runner, "tx", "reprice", "--order", ORDER, "--limit", "1", *where)
    assert result.exit_code == 3
    assert "not open" in result.output
    assert not node.sent


@pytest.mark.parametrize(
    ("words", "action"),
    [
        (
            ("apply-broker", "--name", "north", *FEE, "spread", "--pricing", "paper"),
            ApplyBroker("north", tariff(weights="spread")),
        ),
        (
            ("change-tariff", *FEE, "surplus", "--pricing", "kappa", "--kappa", "0.25"),
            ChangeTariff(tariff(pricing="kappa", kappa_ppm=250_000)),
        ),
        (
            (
                *("change-tariff", *FEE, "surplus", "--pricing", "mcafee", "--buyer-share", "0.4"),
                *("--class", "20,1,1.5,9000", "--class", "10,1,1.5,0"),
            ),
            ChangeTariff(
                tariff(
                    pricing="mcafee",
                    sigma_ppm=400_000,
                    classes=(of_class(10, 0), of_class(20, 9_000)),
                )
            ),
        ),
    ],
)
def test_brokers_sign_their_tariffs(
    runner: CliRunner,
    node: StandIn,
    key_file: Path,
    password_file: Path,
    words: tuple[str, ...],
    action: Action,
) -> None:
    assert signed(runner, node, key_file, password_file, *words) == action


@pytest.mark.parametrize(
    "words",
    [
        ("spread", "--pricing", "core_buyer"),
        ("surplus", "--pricing", "mcafee"),
        ("surplus", "--pricing", "paper", "--kappa", "0.5"),
        ("surplus", "--pricing", "mcafee", "--class", "10,1,1.5"),
        ("surplus", "--pricing", "dutch"),
        ("surplus", "--pricing", "kappa", "--kappa", "1.5"),
    ],
)
def test_a_tariff_that_does_not_hold_is_a_usage_error(
    runner: CliRunner, key_file: Path, words: tuple[str, ...]
) -> None:
    result = run(runner, "tx", "change-tariff", *FEE, *words, "--key", str(key_file))
    assert result.exit_code == 2


@pytest.mark.parametrize("command", ["reprice", "apply-broker", "change-tariff"])
def test_every_one_of_them_shows_an_example(runner: CliRunner, command: str) -> None:
    assert f"twinchain tx {command} --key" in run(runner, "tx", command, "--help").stdout


def signed(
    runner: CliRunner, node: StandIn, key_file: Path, password_file: Path, *words: str
) -> Action:
    """Run a command and return the one action it signed and sent."""
    node.answers["/v1/txs"] = (202, {"data": {"hash": "00" * 32, "status": "pending"}})
    where = ("--key", str(key_file), "--password-file", str(password_file), "--node", node.url)
    result = run(runner, "tx", *words, *where)
    assert result.exit_code == 0, result.output
    codec = TransactionCodec((*MARKET, *LICENCES, *TARIFFS), "test", GENESIS, 65_536)
    (action,) = codec.decode(node.sent[0]).envelope.actions
    return action


def test_brokers_show_when_their_tariff_changes(runner: CliRunner, node: StandIn) -> None:
    terms = msgspec.to_builtins(tariff())
    row = {"name": "north", "address": ORDER, "status": "active", "tariff": terms}
    rows = [{**row, "pending": [{"effective": 4711, "tariff": terms}]}, {**row, "pending": []}]
    node.answers["/v1/brokers"] = (200, {"data": rows, "meta": {"names": {}}})
    result = run(runner, "query", "brokers", "--node", node.url)
    assert result.exit_code == 0, result.output
    assert "4711" in result.stdout


def broker_row(name: str, address: str, pricing: str, weights: str = "spread") -> dict[str, object]:
    terms = {"weights": weights, "pricing": pricing}
    return {"name": name, "address": address, "status": "active", "tariff": terms}


def test_an_order_without_a_broker_goes_to_the_paper_s_own_of_all_pages(
    runner: CliRunner, node: StandIn, key_file: Path, password_file: Path
) -> None:
    """Only the first page was looked at, and any broker with moving prices passed for the paper's.

    The first here is first by name and shares margins, the second is on another page.
    """
    paper = "44" * 32
    pages = [
        {"data": [broker_row("anchor", "55" * 32, "midpoint")], "next_cursor": "55" * 32},
        {"data": [broker_row("basin", "66" * 32, "mcafee", "surplus")], "next_cursor": "66" * 32},
        {"data": [broker_row("city", paper, "paper")], "next_cursor": None},
    ]
    answers = iter([(200, {**page, "meta": {"height": 5}}) for page in pages])
    node.answers["/v1/brokers"] = lambda: next(answers)
    action = signed(runner, node, key_file, password_file, "bid", "--limit", "5")
    assert isinstance(action, Bid)
    assert action.broker == paper


def test_a_list_without_an_end_ends_the_command(
    runner: CliRunner, node: StandIn, key_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("node.cli.remote.PAGES_MAX", 3)
    endless = {"data": [], "next_cursor": "ab", "meta": {"height": 5}}
    node.answers["/v1/brokers"] = (200, endless)
    done = run(runner, "tx", "bid", "--node", node.url, "--key", key_file, "--limit", "5")
    assert done.exit_code == 5
    assert "more than 3 pages" in done.output
