"""docs/api.md says what the API does: routes, codes, and a signing example that runs as printed."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

from fastapi import FastAPI

from ledger.accounts import read_account
from node.api.codes import KINDS
from tests.node.api.small_node import BOB, SmallNode
from tests.node.api.test_server import serving

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "api.md").read_text(encoding="utf-8")


def test_the_page_names_every_route(app: FastAPI) -> None:
    for path, methods in app.openapi()["paths"].items():
        for method in methods:
            assert f"{method.upper()} {path}" in PAGE, path


def test_the_page_lists_every_code_with_its_status() -> None:
    listed = dict(re.findall(r"^\| `(\w+)` \| (\d{3}) \|", PAGE, re.MULTILINE))
    assert listed == {code: str(kind.status) for code, kind in KINDS.items()}


async def test_the_signing_example_runs_as_printed(node: SmallNode) -> None:
    example = re.search(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert example is not None
    async with serving(node) as (port, _):
        names = {
            "NODE": f"http://127.0.0.1:{port}",
            "SEED": b"alice".ljust(32, b"."),
            "RECEIVER": BOB.address,
        }
        await asyncio.to_thread(exec, compile(example[1], "docs/api.md", "exec"), names)
    node.advance()
    assert read_account(node.state(), BOB.address).free == 1_500_000


def test_the_description_has_every_action_and_the_page_every_field_of_it(app: FastAPI) -> None:
    schemas = app.openapi()["components"]["schemas"]
    references = schemas["Envelope"]["properties"]["actions"]["items"]["oneOf"]
    names = {reference["$ref"].rpartition("/")[2] for reference in references}
    money = {"Transfer", "Stake", "Unstake", "Register"}
    assert names == money | {"Bid", "Ask", "Reprice", "Cancel", "Rate"}
    parts = ("BidPrice", "AskPrice", "FlatLimit", "UtilityModel", "FlatFloor", "CostModel")
    for name in (*names, *parts, "Resources"):
        for field in schemas[name]["required"]:
            assert f"`{field}`" in PAGE or f'"{field}"' in PAGE, f"{name}.{field}"
