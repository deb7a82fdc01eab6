"""What the commands of `twinchain verify` share: whom to ask, what is trusted, how it can end."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from node.cli.exits import ExitCode, fail
from node.cli.output import print_json
from node.cli.remote import DEFAULT_NODE, TIMEOUT_S, TRIES

if TYPE_CHECKING:
    from node.application.genesis import LoadedGenesis
    from node.client.comparison import Comparison
    from node.client.light import LightClient
    from node.proofs.checks import Anchor

Document = dict[str, object]

Nodes = Annotated[
    list[str] | None,
    typer.Option(
        "--node",
        envvar="TWINCHAIN_NODE",
        help="URL of a node's API; give it again for more nodes, which are then compared.",
    ),
]
GenesisFile = Annotated[
    Path | None,
    typer.Option("--genesis", envvar="TWINCHAIN_GENESIS", help="The chain's genesis file."),
]
GenesisHash = Annotated[
    str | None,
    typer.Option("--genesis-hash", help="Its hash, instead of the file (64 hex digits)."),
]
TrustFile = Annotated[
    Path | None,
    typer.Option(
        "--trust-file", help="Remember the newest proven block here, and start from it next time."
    ),
]


@dataclass(frozen=True, slots=True)
class Known:
    """What the user trusts, and whom to ask."""

    nodes: tuple[str, ...]
    genesis: Path | None
    genesis_hash: str | None
    trust_file: Path | None
    as_json: bool


Work = Callable[["LightClient", "Comparison"], Awaitable[Document]]


def prove(known: Known, work: Work) -> Document:
    """Follow every node, then do the work with the first one; every failure is an exit code."""
    import asyncio

    from ledger.errors import ProofFailed
    from node.application.genesis import GenesisError
    from node.client.client import ApiError, ClientError
    from node.client.trust import TrustError

    try:
        found = asyncio.run(_session(known, work))
    except ProofFailed as problem:
        if known.as_json:
            print_json({"proven": False, "check": problem.check, "detail": problem.detail})
        fail(ExitCode.REJECTED, f"not proven: {problem}", "do not rely on what this node says")
    except (GenesisError, TrustError) as problem:
        fail(ExitCode.USAGE, str(problem))
    except ApiError as problem:
        code = ExitCode.USAGE if 400 <= problem.status < 500 else ExitCode.UNREACHABLE
        fail(code, f"{problem.code}: {problem.detail}", problem.hint)
    except ClientError as problem:
        fail(ExitCode.UNREACHABLE, str(problem), "is the network running, is --node right?")
    if known.as_json:
        # Who reads only this one word must not take a part for the whole.
        print_json({"proven": not found.get("not_proven"), **found})
    return found


def require_whole(found: Document) -> None:
    """End the command with 7 if a part of what was asked for stays open; all else is proven."""
    left = found.get("not_proven")
    if isinstance(left, list) and left:
        what = ", ".join(map(str, left))
        fail(ExitCode.IN_PART, f"proven in part, not proven: {what}", "see docs/light-client.md")


async def _session(known: Known, work: Work) -> Document:
    from contextlib import AsyncExitStack

    from node.client.client import Client
    from node.client.comparison import compare
    from node.client.light import LightClient, fetch_genesis
    from node.client.trust import save_trust

    async with AsyncExitStack() as stack:
        clients = [
            await stack.enter_async_context(Client(url, timeout_s=TIMEOUT_S, tries=TRIES))
            for url in known.nodes
        ]
        genesis = _genesis(known)
        if genesis is None:
            genesis = await fetch_genesis(clients[0], digest_of(known.genesis_hash or ""))
        trusted = _trusted(known, genesis)
        lights = [
            await LightClient.open(client, genesis=genesis, trusted=trusted) for client in clients
        ]
        agreed = await compare(lights)
        found = await _first_answer(lights, agreed, work)
        if known.trust_file is not None:
            save_trust(known.trust_file, genesis.hash, lights[0].anchor)
        return found


async def _first_answer(
    lights: "Sequence[LightClient]", agreed: "Comparison", work: Work
) -> Document:
    """Do the work with the first node that has what it takes: one may have pruned it."""
    from node.client.client import ApiError

    for light in lights[:-1]:
        try:
            return await work(light, agreed)
        except ApiError as problem:
            if problem.code not in ("not_found", "pruned"):
                raise
    return await work(lights[-1], agreed)


def _genesis(known: Known) -> "LoadedGenesis | None":
    """The genesis the user gave; None when it is known by its hash only."""
    from node.application.genesis import load

    if known.genesis is not None:
        return load(known.genesis)
    if known.genesis_hash is None:
        fail(
            ExitCode.USAGE,
            "what is trusted? give --genesis FILE or --genesis-hash HASH",
            "a test network keeps it in testnet/genesis.json",
        )
    return None


def _trusted(known: Known, genesis: "LoadedGenesis") -> "Anchor | None":
    from node.client.trust import load_trust

    return None if known.trust_file is None else load_trust(known.trust_file, genesis.hash)


def nodes_of(given: list[str] | None) -> tuple[str, ...]:
    nodes = tuple(given or [DEFAULT_NODE])
    for node in nodes:
        if not node.startswith(("http://", "https://")):
            fail(ExitCode.USAGE, f"{node}: a node is given as http://HOST:PORT")
    return nodes


def digest_of(text: str) -> bytes:
    if len(text) != 64 or any(digit not in "0123456789abcdef" for digit in text):
        fail(ExitCode.USAGE, f"{text!r} is not 64 lower-case hex digits")
    return bytes.fromhex(text)


def plain_of(value: bytes | None) -> object:
    """A value of the state for people: what JSON it is, else hex."""
    import msgspec

    if value is None:
        return None
    try:
        return msgspec.json.decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return value.hex()
