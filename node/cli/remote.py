"""A node's HTTP API as the command line uses it; every failure becomes an exit code."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from node.cli.exits import ExitCode, fail

if TYPE_CHECKING:
    from node.client.sync import SyncClient

DEFAULT_NODE = "http://127.0.0.1:8080"
TIMEOUT_S = 10.0
TRIES = 2
PAGE_ROWS = 200
PAGES_MAX = 1_000

Document = dict[str, object]

Node = Annotated[
    str,
    typer.Option("--node", envvar="TWINCHAIN_NODE", help="URL of a node's API."),
]
Json = Annotated[bool, typer.Option("--json", help="Print the API's answer as JSON.")]


@contextmanager
def connection(node: str, refused: ExitCode = ExitCode.USAGE) -> "Iterator[SyncClient]":
    """A client of one node; its errors end the command.

    Nobody answers, or the node is in trouble (5xx): 5.  The node refuses: `refused`.
    """
    import httpx

    from node.client.client import ApiError, ClientError, Unreachable
    from node.client.sync import SyncClient

    if not node.startswith(("http://", "https://")):
        fail(ExitCode.USAGE, f"{node}: a node is given as http://HOST:PORT")
    try:
        with SyncClient(node, timeout_s=TIMEOUT_S, tries=TRIES) as client:
            yield client
    except Unreachable as problem:
        fail(
            ExitCode.UNREACHABLE,
            f"{node} does not answer ({problem})",
            "is the network running (twinchain testnet start), is --node right?",
        )
    except ApiError as problem:
        code = refused if 400 <= problem.status < 500 else ExitCode.UNREACHABLE
        fail(code, f"{problem.code}: {problem.detail}", problem.hint)
    except ClientError as problem:
        fail(ExitCode.UNREACHABLE, str(problem), "is this the API of a TwinChain node?")
    except httpx.InvalidURL as problem:
        fail(ExitCode.USAGE, f"{node}: {problem}")


def fetch(node: str, path: str, query: Mapping[str, object] | None = None) -> Document:
    """Return the JSON answer of GET `path`, envelope included."""
    with connection(node) as client:
        return client.get(path, **(query or {}))


def fetch_all(node: str, path: str) -> tuple[list[Document], int]:
    """Return all rows of a list, page after page, and the height of the last page.

    Ends with 5 when something else answers at that address, or when the list has no end.
    """
    rows: list[Document] = []
    query: dict[str, object] = {"limit": PAGE_ROWS}
    pages = 0
    while True:
        pages += 1
        if pages > PAGES_MAX:
            fail(ExitCode.UNREACHABLE, f"{node}: {path} has more than {PAGES_MAX} pages")
        answer = fetch(node, path, query)
        height, page = height_of(node, answer), answer.get("data")
        if not isinstance(page, list):
            fail(ExitCode.UNREACHABLE, f"{node}: this is not the API of a TwinChain node")
        rows += [row for row in page if isinstance(row, dict)]
        if not answer.get("next_cursor"):
            return rows, height
        query["cursor"] = answer["next_cursor"]


def height_of(node: str, answer: Mapping[str, object]) -> int:
    """Return the height an answer belongs to; ends with 5 when it has none."""
    meta = answer.get("meta")
    height = meta.get("height") if isinstance(meta, dict) else None
    if not isinstance(height, int):
        fail(ExitCode.UNREACHABLE, f"{node}: this is not the API of a TwinChain node")
    return height


def data_of(document: Mapping[str, object]) -> Document:
    """Return the `data` object; ends with 5 when something else answers at that address."""
    data = document.get("data")
    if not isinstance(data, dict):
        fail(ExitCode.UNREACHABLE, "this is not the API of a TwinChain node: no data in the answer")
    return data


def address_of(who: str) -> str:
    """Return an address from 64 hex characters or from a key file's path."""
    from node.keyfiles import KeyFileError, read_public

    if len(who) == 64 and all(character in "0123456789abcdef" for character in who):
        return who
    if not Path(who).is_file():
        fail(ExitCode.USAGE, f"{who!r} is neither an address (64 hex characters) nor a key file")
    try:
        return read_public(Path(who)).public_key
    except KeyFileError as problem:
        fail(ExitCode.USAGE, str(problem))
