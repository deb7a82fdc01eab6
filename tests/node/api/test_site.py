"""Static files: what is served, with which headers, and what never is."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from node.api.site import load_assets


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    files = {
        "index.html": "<!doctype html>",
        "js/app.js": "export {};",
        "style.css": "body{}",
        ".secret": "no",
        "js/.map": "no",
        "build.py": "no",
    }
    for name, text in files.items():
        path = tmp_path / "explorer" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (tmp_path / "outside.txt").write_text("no")
    (tmp_path / "explorer" / "link.txt").symlink_to(tmp_path / "outside.txt")
    return tmp_path / "explorer"


def test_only_plain_files_of_the_folder_are_assets(folder: Path) -> None:
    assets = load_assets(folder)
    assert set(assets) == {"", "index.html", "js/app.js", "style.css"}
    assert assets["js/app.js"].media_type == "text/javascript; charset=utf-8"


def test_no_folder_no_explorer(tmp_path: Path) -> None:
    assert load_assets(tmp_path) == {}


async def test_pages_are_strict_about_what_they_load(
    app: FastAPI, http: httpx.AsyncClient, folder: Path
) -> None:
    app.state.assets = load_assets(folder)
    page = await http.get("/explorer/")
    assert page.headers["cache-control"] == "no-cache"
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert "unsafe" not in page.headers["content-security-policy"]
    assert page.headers["x-content-type-options"] == "nosniff"
    script = await http.get("/explorer/js/app.js?v=1")
    assert "immutable" in script.headers["cache-control"]
    again = await http.get("/explorer/js/app.js", headers={"if-none-match": script.headers["etag"]})
    assert again.status_code == 304
    for path in ("..%2foutside.txt", "link.txt", ".secret", "js/", "js/..%2findex.html", "%00"):
        assert (await http.get(f"/explorer/{path}")).status_code == 404, path
    moved = await http.get("/explorer")
    assert (moved.status_code, moved.headers["location"]) == (308, "/explorer/")


async def test_the_shipped_explorer_is_served(http: httpx.AsyncClient) -> None:
    page = await http.get("/explorer/")
    assert page.status_code == 200
    assert page.headers["content-type"] == "text/html; charset=utf-8"
