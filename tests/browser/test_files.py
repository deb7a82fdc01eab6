"""The explorer's files keep their promises before any browser looks: small and self-contained."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

EXPLORER = Path(__file__).resolve().parents[2] / "node" / "explorer"
FIRST_PAGE_BYTES_MAX = 150_000
BYTES_MAX = 300_000
LINES_MAX = 260
FILES = sorted(path for path in EXPLORER.rglob("*") if path.is_file())
SCRIPTS = [path for path in FILES if path.suffix == ".js"]
FORBIDDEN = re.compile(
    r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|setAttributeNS"
    r"|https?://(?!www\.w3\.org/2000/svg)|parseFromString|createContextualFragment"
)
STATIC = re.compile(r"""(?:from|import)\s+["'](\.[^"']+)["']""")
IMPORTED = re.compile(
    r"""(?:from|import)\s+["'](\.[^"']+)["']|(?:new URL|import)\(["'](\.[^"']+)["']"""
)


def test_all_files_together_are_small() -> None:
    assert sum(path.stat().st_size for path in FILES) <= BYTES_MAX


def test_the_first_page_asks_for_little() -> None:
    """All style sheets, the page, and the scripts it imports before anybody clicks."""
    wanted, scripts = [EXPLORER / "js" / "main.js"], dict[Path, None]()
    while wanted:
        path = wanted.pop().resolve()
        if path not in scripts:
            scripts[path] = None
            found = STATIC.findall(path.read_text(encoding="utf-8"))
            wanted.extend(path.parent / name for name in found)
    others = [path for path in FILES if path.suffix in (".html", ".css", ".svg")]
    assert sum(path.stat().st_size for path in [*scripts, *others]) <= FIRST_PAGE_BYTES_MAX
    assert not any(path.parent.name == "pages" for path in scripts)


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_a_script_says_what_it_is_for_and_takes_no_markup_from_strings(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.startswith("// ")
    assert text.count("\n") <= LINES_MAX
    assert not FORBIDDEN.search(text)


def test_every_file_a_script_or_the_page_names_is_there() -> None:
    page = (EXPLORER / "index.html").read_text(encoding="utf-8")
    named = {EXPLORER / name for name in re.findall(r'(?:src|href)="(\w[\w./-]*\.\w+)"', page)}
    for path in SCRIPTS:
        for found in IMPORTED.findall(path.read_text(encoding="utf-8")):
            named.add((path.parent / (found[0] or found[1])).resolve())
    assert [str(path) for path in named if not path.is_file()] == []
    used = {path.resolve() for path in named}
    assert [path.name for path in SCRIPTS if path.resolve() not in used] == []


def test_the_page_holds_no_inline_script_style_or_handler() -> None:
    page = (EXPLORER / "index.html").read_text(encoding="utf-8")
    assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)", page)
