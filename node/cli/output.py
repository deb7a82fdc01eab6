"""How commands print: JSON for scripts, tables for people; data on stdout, the rest on stderr."""

import json
import sys
from collections.abc import Mapping, Sequence

MICRO = 1_000_000


def print_json(document: object) -> None:
    """Print one document as one line of JSON and flush it, so that a pipe gets it at once."""
    print(json.dumps(document, ensure_ascii=False, separators=(", ", ": ")), flush=True)


def note(line: str) -> None:
    """Say something to the person in front; never mixed into the data on stdout."""
    print(line, file=sys.stderr, flush=True)


def money(micro: object) -> str:
    """`1234500000` -> `1,234.50`; tokens, from integer micro-tokens, without any float."""
    if not isinstance(micro, int):
        return "-"
    sign, size = ("-", -micro) if micro < 0 else ("", micro)
    whole, fraction = divmod(size, MICRO)
    digits = f"{fraction:06d}".rstrip("0").ljust(2, "0")
    return f"{sign}{whole:,}.{digits}"


def percent(basis_points: object) -> str:
    """`8750` -> `87.5 %`, from integer basis points."""
    if not isinstance(basis_points, int):
        return "-"
    whole, rest = divmod(basis_points, 100)
    return f"{whole}.{rest // 10} %"


def short(identifier: object, size: int = 10) -> str:
    """The first characters of a long hex identifier, enough to recognise it."""
    text = str(identifier)
    return text if len(text) <= size + 1 else f"{text[:size]}…"


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print rows as a table that fits the terminal; wide and plain when piped."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    grid = Table(title=title or None, title_justify="left", box=box.SIMPLE_HEAD)
    numeric = [
        bool(rows) and all(isinstance(row[index], int) for row in rows)
        for index in range(len(columns))
    ]
    for column, right in zip(columns, numeric, strict=True):
        grid.add_column(column, justify="right" if right else "left", overflow="fold")
    for row in rows:
        # Text, not markup: names and memos come from strangers.
        grid.add_row(*(Text(str(cell)) for cell in row))
    console = Console(width=None if sys.stdout.isatty() else 220)
    console.print(grid)


def fields(title: str, values: Mapping[str, object]) -> None:
    """Print one thing as aligned `name  value` lines."""
    if title:
        print(title)
    width = max((len(name) for name in values), default=0)
    for name, value in values.items():
        print(f"  {name:<{width}}  {value}")
