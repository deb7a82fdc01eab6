"""House rules as tests: who may import whom, what the pure floors may not hold, sizes, the map."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FLOORS = ("ledger", "auction", "consensus", "node")
PURE = ("ledger", "auction", "consensus")
MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 60

# A floor may import itself, the floors named here, and the libraries named here.
MAY_IMPORT = {
    "ledger": {"ledger", "msgspec", "nacl"},
    "auction": {"auction", "ledger", "msgspec", "numpy", "ortools"},
    "consensus": {"consensus", "ledger", "msgspec"},
}
SIMPLEX_LEDGER = {"ledger.types", "ledger.errors", "ledger.codec", "ledger.crypto"}
PURE_STANDARD_LIBRARY = {
    "__future__",
    "bisect",
    "collections",
    "dataclasses",
    "decimal",
    "enum",
    "functools",
    "hashlib",
    "heapq",
    "itertools",
    "math",
    "operator",
    "struct",
    "types",
    "typing",
    "unicodedata",
}
WORLD_CALLS = {"open", "print", "input", "exec", "eval", "float", "id", "hash", "complex"}


def sources(*floors: str) -> list[Path]:
    return sorted(path for floor in floors for path in (ROOT / floor).rglob("*.py"))


def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def imports_of(path: Path) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: relative import"
            module = node.module or ""
            yield node.lineno, module
            if module in FLOORS or module == "consensus.simplex":
                for alias in node.names:
                    yield node.lineno, f"{module}.{alias.name}"


def place(path: Path, line: int) -> str:
    return f"{path.relative_to(ROOT)}:{line}"


@pytest.mark.parametrize("floor", PURE)
def test_a_pure_floor_imports_only_floors_below_and_pure_libraries(floor: str) -> None:
    wrong = []
    for path in sources(floor):
        for line, module in imports_of(path):
            top = module.split(".")[0]
            if top in PURE_STANDARD_LIBRARY or top in MAY_IMPORT[floor]:
                continue
            if module == "collections.abc":
                continue
            wrong.append(f"{place(path, line)} imports {module}")
    assert not wrong


def test_the_finality_core_knows_only_the_alphabet_of_the_ledger() -> None:
    wrong = []
    for path in sorted((ROOT / "consensus" / "simplex").rglob("*.py")):
        for line, module in imports_of(path):
            if module.startswith("ledger") and module not in SIMPLEX_LEDGER | {"ledger"}:
                wrong.append(f"{place(path, line)} imports {module}")
            if module.startswith("consensus") and not module.startswith("consensus.simplex"):
                wrong.append(f"{place(path, line)} imports {module}")
    assert not wrong


def test_nothing_shipped_imports_tests_or_scripts() -> None:
    wrong = [
        f"{place(path, line)} imports {module}"
        for path in sources(*FLOORS)
        for line, module in imports_of(path)
        if module.split(".")[0] in {"tests", "scripts"}
    ]
    assert not wrong


def impurities(path: Path) -> Iterator[str]:
    for node in ast.walk(tree_of(path)):
        line = getattr(node, "lineno", 0)
        if isinstance(node, ast.Constant) and isinstance(node.value, float | complex):
            yield f"{place(path, line)} float literal"
        elif isinstance(node, ast.BinOp | ast.AugAssign) and isinstance(node.op, ast.Div):
            yield f"{place(path, line)} true division"
        elif isinstance(node, ast.AsyncFunctionDef | ast.Await | ast.AsyncFor | ast.AsyncWith):
            yield f"{place(path, line)} async"
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            if node.func.id in WORLD_CALLS:
                yield f"{place(path, line)} calls {node.func.id}()"
        elif isinstance(node, ast.For | ast.comprehension):
            iterated = node.iter
            if isinstance(iterated, ast.Set | ast.SetComp) or (
                isinstance(iterated, ast.Call)
                and isinstance(iterated.func, ast.Name)
                and iterated.func.id in {"set", "frozenset"}
            ):
                yield f"{place(path, iterated.lineno)} iterates over a set"
        elif isinstance(node, ast.Global | ast.Nonlocal):
            yield f"{place(path, line)} module state"


@pytest.mark.parametrize("floor", PURE)
def test_a_pure_floor_holds_no_float_clock_chance_async_or_set_iteration(floor: str) -> None:
    assert not [found for path in sources(floor) for found in impurities(path)]


def test_only_the_crypto_modules_import_the_signature_library() -> None:
    allowed = {"ledger/crypto.py", "ledger/vrf.py"}
    wrong = [
        place(path, line)
        for path in sources(*FLOORS)
        for line, module in imports_of(path)
        if module.split(".")[0] == "nacl" and str(path.relative_to(ROOT)) not in allowed
    ]
    assert not wrong


def test_files_and_functions_stay_short() -> None:
    long = []
    for path in sources(*FLOORS):
        lines = path.read_text(encoding="utf-8").count("\n")
        if lines > MAX_FILE_LINES:
            long.append(f"{path.relative_to(ROOT)}: {lines} lines")
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = (node.end_lineno or node.lineno) - node.lineno + 1
                if length > MAX_FUNCTION_LINES:
                    long.append(f"{place(path, node.lineno)} {node.name}: {length} lines")
    assert not long


def test_package_files_are_empty_and_modules_say_what_they_are_for() -> None:
    wrong = []
    for path in sources(*FLOORS):
        if path.name == "__init__.py":
            if path.read_text(encoding="utf-8").strip():
                wrong.append(f"{path.relative_to(ROOT)} is not empty")
        elif not (ast.get_docstring(tree_of(path)) or "").strip():
            wrong.append(f"{path.relative_to(ROOT)} has no docstring")
    assert not wrong


def test_no_broad_except_below_the_service() -> None:
    wrong = []
    for path in sources(*PURE):
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.ExceptHandler):
                name = node.type.id if isinstance(node.type, ast.Name) else ""
                if node.type is None or name in {"Exception", "BaseException"}:
                    wrong.append(place(path, node.lineno))
    assert not wrong


def test_the_map_names_every_source_file() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`([\w/.\-]+\.py)`", page))
    there = {
        str(path.relative_to(ROOT)) for path in sources(*FLOORS) if path.name != "__init__.py"
    } - {
        str(path.relative_to(ROOT))
        for path in (ROOT / "node" / "storage" / "migrations").rglob("*.py")
    }
    assert sorted(there - named) == [], "files without a sentence in docs/architecture.md"
    gone = {name for name in named if name.startswith(FLOORS)} - there
    assert sorted(gone) == [], "sentences about files that are gone"


def test_relative_links_in_the_documentation_lead_somewhere() -> None:
    dead = []
    for page in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]:
        targets = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
        dead += [
            f"{page.relative_to(ROOT)} -> {target}"
            for target in targets
            if "://" not in target and not (page.parent / target).exists()
        ]
    assert not dead
