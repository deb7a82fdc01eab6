"""Pages for people: the list of links at `/`, `/docs`, and the files of the explorer.

Nothing comes from anywhere else: no foreign script, font or style.  Only files that were there
when the application was made are served, by exact name, so a path in a request never reaches the
file system.
"""

import base64
import hashlib
import html
import mimetypes
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from node.api.codes import KINDS
from node.api.context import FOREVER, context_of, reply
from node.api.problems import not_found

EXPLORER = Path(__file__).resolve().parent.parent / "explorer"
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".json": "application/json",
    ".ico": "image/x-icon",
    ".woff2": "font/woff2",
    ".png": "image/png",
    ".webmanifest": "application/manifest+json",
}
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; worker-src 'self'; manifest-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)
PAGE_HEADERS = {
    "Content-Security-Policy": POLICY,
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
}
LINKS = {
    "status": "/v1/status",
    "blocks": "/v1/blocks",
    "validators": "/v1/validators",
    "events": "/v1/events",
    "explorer": "/explorer/",
    "docs": "/docs",
    "openapi": "/openapi.json",
    "metrics": "/metrics",
    "live": "/livez",
    "ready": "/readyz",
    "health": "/healthz",
}
_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:60rem;padding:0 1rem;"
    "color-scheme:light dark}table{border-collapse:collapse;width:100%}"
    "td,th{border-bottom:1px solid #8884;padding:.3rem .6rem;text-align:left;vertical-align:top}"
    "code{font-family:ui-monospace,monospace}"
)


@dataclass(frozen=True, slots=True)
class Asset:
    """One file of the explorer."""

    body: bytes
    media_type: str
    tag: str
    index: bool


def load_assets(folder: Path = EXPLORER) -> dict[str, Asset]:
    """The explorer's files by their path under `/explorer/`; empty without the folder."""
    assets: dict[str, Asset] = {}
    if not (folder / "index.html").is_file():
        return assets
    for path in sorted(folder.rglob("*")):
        relative = path.relative_to(folder).as_posix()
        hidden = any(part.startswith((".", "_")) for part in relative.split("/"))
        if hidden or path.is_symlink() or not path.is_file() or path.suffix == ".py":
            continue
        body = path.read_bytes()
        media = TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0]
        tag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
        assets[relative] = Asset(
            body, media or "application/octet-stream", tag, relative == "index.html"
        )
    assets[""] = assets["index.html"]
    return assets


def add_site(app: FastAPI, *, explorer: bool, docs: bool) -> None:
    """Add the pages to the application."""
    app.add_route("/", _links, methods=["GET"], include_in_schema=False)
    app.add_route("/openapi.json", _openapi, methods=["GET"], include_in_schema=False)
    if docs:
        app.add_route("/docs", _docs, methods=["GET"], include_in_schema=False)
    app.state.assets = load_assets() if explorer else {}
    app.add_route("/explorer", _to_explorer, methods=["GET"], include_in_schema=False)
    app.add_route("/explorer/{path:path}", _asset, methods=["GET"], include_in_schema=False)


async def _links(request: Request) -> Response:
    context = context_of(request)
    return reply(request, {"name": "TwinChain", "links": LINKS}, context.tip_meta())


async def _openapi(request: Request) -> Response:
    request.scope["template"] = "/openapi.json"
    app: FastAPI = request.app
    return Response(msgspec.json.encode(app.openapi()), media_type="application/json")


async def _to_explorer(request: Request) -> Response:
    request.scope["template"] = "/explorer"
    return RedirectResponse("/explorer/", status_code=308)


async def _asset(request: Request) -> Response:
    request.scope["template"] = "/explorer/{path}"
    assets: Mapping[str, Asset] = request.app.state.assets
    asset = assets.get(request.path_params["path"])
    if asset is None:
        raise not_found("such page")
    versioned = "v" in request.query_params
    caching = "no-cache" if asset.index or not versioned else FOREVER
    headers = {"ETag": asset.tag, "Cache-Control": caching, **PAGE_HEADERS}
    if asset.tag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    return Response(asset.body, headers=headers, media_type=asset.media_type)


async def _docs(request: Request) -> Response:
    request.scope["template"] = "/docs"
    app: FastAPI = request.app
    page = _page(app.openapi())
    digest = hashlib.sha256(_STYLE.encode()).digest()
    style = base64.b64encode(digest).decode("ascii")
    policy = f"default-src 'none'; style-src 'sha256-{style}'; frame-ancestors 'none'"
    return HTMLResponse(page, headers={**PAGE_HEADERS, "Content-Security-Policy": policy})


def _page(document: Mapping[str, Any]) -> str:
    routes = "".join(_route_rows(document["paths"]))
    codes = "".join(
        f'<tr id="problem-{code}"><td><code>{code}</code><td>{kind.status}'
        f"<td>{html.escape(kind.title)}<td>{html.escape(kind.hint)}"
        for code, kind in sorted(KINDS.items())
    )
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width"><title>TwinChain API</title>'
        f"<style>{_STYLE}</style><h1>TwinChain API</h1>"
        '<p>Machine-readable: <a href="/openapi.json">/openapi.json</a>.</p>'
        f"<h2>Routes</h2><table><tr><th>Route<th>What it does<th>Parameters{routes}</table>"
        f"<h2>Problem codes</h2><table><tr><th>code<th>status<th>meaning<th>what to do{codes}"
        "</table></html>"
    )


def _route_rows(paths: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    for path, methods in sorted(paths.items()):
        for method, operation in methods.items():
            text = operation.get("description") or operation.get("summary", "")
            names = ", ".join(item["name"] for item in operation.get("parameters", ()))
            yield (
                f"<tr><td><code>{method.upper()} {html.escape(path)}</code>"
                f"<td>{html.escape(text)}<td>{html.escape(names)}"
            )
