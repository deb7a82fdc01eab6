"""`twinchain demo`: agents that trade on a running test network, and say what happened."""

import asyncio
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from node.cli.exits import ExitCode, fail
from node.cli.output import note, print_json
from node.cli.remote import DEFAULT_NODE

if TYPE_CHECKING:
    from node.demo.keyring import Signer
    from node.demo.runner import Course


def demo(
    directory: Annotated[
        Path | None, typer.Option("--dir", help="Directory of a test network: nodes and keys.")
    ] = None,
    nodes: Annotated[
        list[str] | None, typer.Option("--node", help="URL of a node; repeat for fail-over.")
    ] = None,
    keys: Annotated[
        Path | None, typer.Option("--keys", help="Directory of key files with their password.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Seed of all draws.")] = 1,
    rounds: Annotated[
        int | None, typer.Option("--rounds", help="Stop after so many blocks.", min=1)
    ] = None,
    duration: Annotated[
        float | None, typer.Option("--duration", help="Stop after so many seconds.", min=0.1)
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="One line of JSON per thing that happened.")
    ] = False,
) -> None:
    """Let ITS subsystems and DT servers trade at the brokers with orders from the paper's table.

    \b
    Examples:
      twinchain demo --dir testnet
      twinchain demo --dir testnet --rounds 100 --json
      twinchain demo --node http://127.0.0.1:8080 --keys testnet
    """
    from node.demo.keyring import open_signers
    from node.demo.runner import Course
    from node.keyfiles import KeyFileError

    if directory is None and keys is None:
        directory = Path("testnet")
    urls = nodes or (_urls(directory) if directory is not None else [DEFAULT_NODE])
    try:
        signers = open_signers(keys or directory or Path("testnet"))
    except KeyFileError as problem:
        fail(ExitCode.USAGE, str(problem))
    _trade(urls, signers, Course(seed, rounds, duration), as_json)


def _trade(urls: list[str], signers: "list[Signer]", course: "Course", as_json: bool) -> None:
    from node.client.client import Unreachable
    from node.demo.network import Network
    from node.demo.runner import Demo, NothingToDo

    def tell(event: Mapping[str, object]) -> None:
        if as_json:
            print_json(event)
        else:
            print(event["text"], flush=True)

    async def run() -> dict[str, int]:
        async with Network(urls) as network:
            return await Demo(network, signers, course, tell).run()

    # A container's first process ignores SIGTERM unless it says otherwise.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        counts = asyncio.run(run())
    except Unreachable as problem:
        fail(ExitCode.UNREACHABLE, str(problem), "is the network running?")
    except NothingToDo as problem:
        fail(ExitCode.USAGE, str(problem))
    except KeyboardInterrupt:
        note("stopped")
        return
    if as_json:
        print_json({"kind": "demo.ended", "counts": counts})
    else:
        print("seen: " + ", ".join(f"{count} {kind}" for kind, count in counts.items()))


def _urls(directory: Path) -> list[str]:
    from node.testnet.layout import Layout, TestnetError, read_description

    try:
        description = read_description(Layout(directory.resolve()))
    except TestnetError as problem:
        fail(ExitCode.USAGE, str(problem))
    if description is None:
        fail(
            ExitCode.USAGE,
            f"{directory}: no test network here",
            "make one with twinchain testnet start, or give --node and --keys",
        )
    return [node.url for node in description.nodes]
