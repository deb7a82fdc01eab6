"""The market's benchmark runs, its solvers agree, and it prints what it promises."""

import json

import pytest

from scripts.market_benchmark import main as bench


def test_a_run_holds_a_row_for_each_book_and_figures_for_each_target(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The run itself stops where solvers disagree; times are not judged here."""
    monkeypatch.setattr(bench, "QUICK_BOOKS", [(60, 4), (40, 10)])
    monkeypatch.setattr(bench, "STANDING", 30)
    monkeypatch.setattr(bench, "TARGETS", {"check / SciPy, 60 x 4": 0.0, "no such figure": 1.0})
    assert bench.main(["--quick", "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert [row["name"] for row in printed["cold"]] == ["60 x 4", "40 x 10"]
    for row in printed["cold"]:
        assert 0 < row["trades"] <= 60
        assert row["flow"] is not None
        assert row["networkx"] is not None
    assert printed["targets"] == {"check / SciPy, 60 x 4": {"at_most": 0.0, "met": False}}
    assert "block at 1 % churn / SciPy, 40 x 10" in printed["figures"]
    for tariff in ("surplus", "spread"):
        assert printed["figures"][f"admission against 30 ({tariff}), ms"] > 0


def test_a_target_missed_is_printed_and_fails_where_targets_are_required(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cold = bench.Cold("60 x 4", 240, 50, 0.1, 0.2, None, 0.1, 0.5, None)
    figures = {"check / SciPy, 10000 x 50": 0.5, "block at 1 % churn / SciPy, 10000 x 10": 0.1}
    monkeypatch.setattr(bench, "measure", lambda books, most: ([cold], figures))
    assert bench.main([]) == 0
    assert bench.main(["--require"]) == 1
    printed = capsys.readouterr().out
    assert "target 0.01: MISSED" in printed
    assert "target 0.2: met" in printed
    monkeypatch.setitem(figures, "check / SciPy, 10000 x 50", 0.005)
    assert bench.main(["--require"]) == 0
