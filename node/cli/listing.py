"""How `twinchain query` prints an answer of the API: lists as tables, objects as named lines."""

import json
from collections.abc import Callable, Mapping, Sequence

from node.cli.exits import ExitCode, fail
from node.cli.output import fields, money, note, percent, print_json, short, table
from node.cli.remote import Document

Row = Mapping[str, object]
Column = tuple[str, Callable[[Row, "Names"], object]]


class Names:
    """Shows an account by its name where the answer tells it, else by a short address."""

    def __init__(self, document: Document) -> None:
        meta = document.get("meta")
        names = meta.get("names") if isinstance(meta, dict) else None
        self._names: dict[str, str] = names if isinstance(names, dict) else {}

    def __call__(self, who: object) -> str:
        if isinstance(who, dict):
            return str(who.get("name") or short(who.get("address", "-")))
        return self._names.get(str(who), "") or short(who)


def show_list(document: Document, as_json: bool, columns: Sequence[Column]) -> None:
    """Print one page of a list."""
    if as_json:
        print_json(document)
        return
    rows = document.get("data")
    if not isinstance(rows, list):
        fail(ExitCode.UNREACHABLE, "this is not the API of a TwinChain node: no list in the answer")
    names = Names(document)
    kept = [row for row in rows if isinstance(row, dict)]
    table(
        "",
        [title for title, _ in columns],
        [[cell(row, names) for _, cell in columns] for row in kept],
    )
    if document.get("next_cursor"):
        note("there are more; --limit shows up to 200, --json has the cursor")


def show_one(document: Document, as_json: bool) -> None:
    """Print one object; nested parts are indented."""
    if as_json:
        print_json(document)
        return
    data = document.get("data", document)
    names = Names(document)
    if isinstance(data, dict):
        fields("", {_label(name): _readable(name, value, names) for name, value in data.items()})
    else:
        print_json(data)


def _label(name: str) -> str:
    """`fee_micro` is shown in tokens and `rating_bp` in percent, so without their units."""
    return name.removesuffix("_micro").removesuffix("_bp")


def _readable(name: str, value: object, names: Names) -> object:
    """One value for people: money in tokens, parties by name, long lists by their length."""
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "-"}[value]
    if name.endswith("_micro"):
        return money(value)
    if name.endswith("_bp"):
        return percent(value)
    if isinstance(value, dict) and set(value) == {"address", "name"}:
        return f"{names(value)}  {value['address']}"
    if isinstance(value, list) and all(isinstance(one, str | int) for one in value):
        return ", ".join(str(one) for one in value) or "-"
    if isinstance(value, dict | list):
        lines = json.dumps(value, indent=2, ensure_ascii=False).splitlines()
        return "\n      ".join(lines[:60] + (["..."] if len(lines) > 60 else []))
    return value
