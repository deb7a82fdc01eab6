"""The paper's figures 3 to 6, remade from seeds with the project's own market and election.

    python3 scripts/figures.py                          # everything, some minutes
    python3 scripts/figures.py --small                  # the same with little in it, seconds
    python3 scripts/figures.py --only 3a,4a --seeds 100
    python3 scripts/figures.py --only 6 --draws 0 --out /tmp/figures
    python3 scripts/figures.py --json > figures.json

Into --out go, for each panel, PANEL.csv (mean, 10th and 90th percentile over the seeds),
PANEL-seeds.csv (every value) and PANEL.svg; figureN.svg with all panels of a figure; and claims.csv
and claims.md: what the paper says about each panel, the percent of seeds at the base point for
which it is true, the percent of markets drawn around that point (--draws), and a verdict: holds
(95 and more), mostly (75), partly (25), no.  Values are micro-tokens, MHz, kbit/s and units.

The same arguments give the same bytes, except for panel 4-time, which holds processor time.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path

from scripts.paper_figures.catalogue import DRAWN, FIGURES, FULL, SMALL, Figure
from scripts.paper_figures.chart import Block, picture_of
from scripts.paper_figures.claims import HEAD, Claim, claims_csv_of, judge, markdown_of, table_of
from scripts.paper_figures.rows import Panel, Row, Sizes, csv_of, points_of

Tell = Callable[[str], None]
SEEDS, SMALL_SEEDS = 40, 4
DRAWS, SMALL_DRAWS = 60, 0
SEEDS_A_DRAW = 4
DRAWS_SEED = 1


@dataclass(frozen=True, slots=True)
class Plan:
    """What to draw: the panels of each figure, and how often."""

    panels: dict[str, tuple[Panel, ...]]
    sizes: Sizes
    seeds: int
    draws: int


def point_rows(figure: Figure, plan: Plan, tell: Tell) -> list[Row]:
    """Return the rows of a figure at the base point, panel by panel."""
    rows: dict[str, list[Row]] = {panel.name: [] for panel in plan.panels[figure.name]}
    for seed in range(plan.seeds):
        tell(f"figure {figure.name}: seed {seed + 1} of {plan.seeds}")
        for panel in plan.panels[figure.name]:
            rows[panel.name] += panel.rows(figure.terms, plan.sizes, seed)
    return [row for held in rows.values() for row in held]


def drawn_rows(figure: Figure, plan: Plan, tell: Tell) -> Iterator[list[Row]]:
    """Yield the rows of a figure for each of the terms drawn around the base point."""
    drawn = figure.spread(plan.draws, DRAWS_SEED) if plan.draws else ()
    panels = [panel for panel in plan.panels[figure.name] if not panel.measured]
    for number, terms in enumerate(drawn):
        tell(f"figure {figure.name}: draw {number + 1} of {len(drawn)}")
        yield [
            row
            for seed in range(SEEDS_A_DRAW)
            for panel in panels
            for row in panel.rows(terms, DRAWN, seed)
        ]


def write_figure(figure: Figure, panels: Sequence[Panel], rows: list[Row], out: Path) -> None:
    """Write the files of a figure's panels, and its own picture if all panels are there."""
    points = points_of(rows)
    blocks = []
    for panel in panels:
        mine = [point for point in points if point.panel == panel.name]
        blocks.append(Block(panel, mine))
        (out / f"{panel.name}.csv").write_text(csv_of(mine))
        values = csv_of([row for row in rows if row.panel == panel.name])
        (out / f"{panel.name}-seeds.csv").write_text(values)
        (out / f"{panel.name}.svg").write_text(picture_of(blocks[-1:]))
    shown = [block for block in blocks if not block.panel.measured]
    if len(blocks) == len(figure.panels):
        (out / f"figure{figure.name}.svg").write_text(picture_of(shown))


def write_claims(claims: list[Claim], out: Path) -> None:
    """Write the claims as a table for a page and as CSV."""
    (out / "claims.md").write_text(markdown_of(claims))
    (out / "claims.csv").write_text(claims_csv_of(claims))


def chosen(words: str) -> dict[str, tuple[Panel, ...]]:
    """Return the panels that words by comma name, a figure's number for all of its.

    Raises ValueError for a word that names none.
    """
    wanted = [word.strip() for word in words.split(",") if word.strip()]
    known = {panel.name for figure in FIGURES for panel in figure.panels}
    for word in wanted:
        if word not in known and word not in {figure.name for figure in FIGURES}:
            raise ValueError(f"no panel or figure {word!r}; there are {', '.join(sorted(known))}")
    return {
        figure.name: tuple(
            panel
            for panel in figure.panels
            if not wanted or panel.name in wanted or figure.name in wanted
        )
        for figure in FIGURES
    }


def run(plan: Plan, out: Path, tell: Tell) -> tuple[list[Row], list[Claim]]:
    """Draw, write and judge what was planned; return all rows and claims."""
    out.mkdir(parents=True, exist_ok=True)
    all_rows: list[Row] = []
    claims: list[Claim] = []
    for figure in FIGURES:
        panels = plan.panels[figure.name]
        if not panels:
            continue
        rows = point_rows(figure, plan, tell)
        write_figure(figure, panels, rows, out)
        claims += judge(rows, list(drawn_rows(figure, plan, tell)))
        all_rows += rows
    write_claims(claims, out)
    return all_rows, claims


def _help() -> str:
    lines = ["panels:"]
    for figure in FIGURES:
        lines.append(f"  figure {figure.name}: {figure.title}")
        for panel in figure.panels:
            says = (panel.rows.__doc__ or "").partition(": ")[2].rstrip(".")
            lines.append(f"    {panel.name:9} {says}")
    return "\n".join(lines)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="figures.py",
        description=__doc__,
        epilog=_help(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--only", default="", metavar="PANELS", help="by comma: 3a,4c or 5")
    parser.add_argument("--small", action="store_true", help="few agents, few seeds, no draws")
    parser.add_argument("--seeds", type=int, metavar="N", help=f"at the base point; {SEEDS}")
    parser.add_argument(
        "--draws", type=int, metavar="N", help=f"markets and towns around it; {DRAWS}, 0 for none"
    )
    parser.add_argument("--out", type=Path, default=Path("figures"), metavar="DIR")
    parser.add_argument("--json", action="store_true", help="points and claims to standard output")
    return parser


def _teller() -> Tell:
    """Return what shows progress: a line that changes on a terminal, else a line for each part."""
    if sys.stderr.isatty():
        return lambda words: print(f"\r\x1b[K{words}", end="", file=sys.stderr, flush=True)

    def tell(words: str) -> None:
        if " 1 of " in words:
            print(words.replace(" 1 of ", "s: "), file=sys.stderr, flush=True)

    return tell


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the arguments, draw, print the claims."""
    parser = _parser()
    asked = parser.parse_args(arguments)
    seeds = asked.seeds if asked.seeds is not None else SMALL_SEEDS if asked.small else SEEDS
    draws = asked.draws if asked.draws is not None else SMALL_DRAWS if asked.small else DRAWS
    if seeds < 1 or draws < 0:
        parser.error("at least one seed, and no negative number of draws")
    try:
        panels = chosen(asked.only)
    except ValueError as problem:
        parser.error(str(problem))
    tell = _teller()
    rows, claims = run(Plan(panels, SMALL if asked.small else FULL, seeds, draws), asked.out, tell)
    tell("")
    if asked.json:
        points = [point._asdict() for point in points_of(rows)]
        judged = [dict(zip(HEAD, astuple(claim), strict=True)) for claim in claims]
        print(json.dumps({"points": points, "claims": judged}, indent=1))
    else:
        print(table_of(claims))
        print(f"\nfigures, values and claims are in {asked.out}/", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
