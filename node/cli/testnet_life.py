"""`twinchain testnet`, the part about its members: add a node, admit it, convict one."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from node.cli.exits import ExitCode, fail
from node.cli.output import note, print_json
from node.cli.testnet import Directory, Json, app, own_name
from node.cli.waiting import wait_for

__all__ = ["app"]

if TYPE_CHECKING:
    from node.testnet.layout import Description, Layout, NodeEntry

Index = Annotated[
    int | None, typer.Option("--index", help="Number of the node.  [the newest added]")
]
WAIT_S = 300.0


@app.command()
def add(
    directory: Directory = Path("testnet"),
    index: Annotated[
        int | None, typer.Option("--index", help="Number of the node.  [the next one]")
    ] = None,
    as_json: Json = False,
) -> None:
    """Make keys and configuration of one more node; it still has to be started and admitted.

    \b
    Example:
      twinchain testnet add --dir testnet
    """
    from node.testnet.joining import add_node
    from node.testnet.layout import TestnetError

    layout, description = _network(directory)
    try:
        description, entry, new = add_node(layout, description, index)
    except TestnetError as problem:
        fail(ExitCode.USAGE, str(problem))
    if as_json:
        told = {"index": entry.index, "name": entry.name, "address": entry.address}
        config = str(layout.config(entry.index))
        print_json({"added": new, **told, "url": entry.url, "config": config})
        return
    what = "added" if new else "is there already"
    print(f"node {entry.index}: {entry.name} {what}, to be found at {entry.url}")
    print(f"  address   {entry.address}")
    print(f"  files     {layout.node(entry.index)}")
    if description.compose:
        print(f"Start it:  docker compose --profile join up -d validator-{entry.index}")
        print("Admit it:  docker compose run --rm cli testnet admit --dir .")
    else:
        print(f"Start it:  {own_name()} start --config {layout.config(entry.index)}")
        print(f"Admit it:  {own_name()} testnet admit --dir {layout.root}")


@app.command()
def admit(
    directory: Directory = Path("testnet"),
    index: Index = None,
    wait: Annotated[
        bool, typer.Option("--wait/--no-wait", help="Wait until it has its seat.")
    ] = True,
    timeout: Annotated[float, typer.Option("--timeout", help="Seconds to wait.")] = WAIT_S,
    as_json: Json = False,
) -> None:
    """Take an added node in: money, application, votes of the members, stake; then wait.

    Signs for everybody, as on a test network all keys are at hand; safe to run again.

    \b
    Example:
      twinchain testnet admit --dir testnet
    """
    from node.cli.health import height_of
    from node.client.sync import SyncClient
    from node.keyfiles import read_public
    from node.testnet.admission import Admission, Newcomer

    layout, description = _network(directory)
    entry = _node(description, index)
    url = _answering(description, entry)
    with _refusals(), SyncClient(url) as client:
        vrf_key = read_public(layout.node(entry.index) / "vrf.json").public_key
        newcomer = Newcomer(layout, description, entry, vrf_key)
        Admission(client, newcomer, note, height_of, timeout).run()
    goal = "seated" if wait else "active"
    found = wait_for(url, entry.address, goal, timeout, note)
    if as_json:
        print_json({"data": found})
    else:
        print(f"{entry.name}: {found['status']}" + (", has its seat" if found["seated"] else ""))


@app.command()
def convict(
    index: Annotated[int, typer.Option("--index", help="Number of the node to be ejected.")],
    yes: Annotated[
        bool, typer.Option("--yes", help="Do it: the membership of that key ends for ever.")
    ] = False,
    directory: Directory = Path("testnet"),
    as_json: Json = False,
) -> None:
    """A drill: sign two conflicting votes with a node's key and send them as evidence.

    The chain ejects that validator for ever, burns its deposit and a part of its stake, and takes
    its seat at the next boundary.  Works only with the keys of a test network's directory.

    \b
    Example:
      twinchain testnet convict --index 4 --yes
    """
    from node.client.sync import SyncClient
    from node.client.wallet import Wallet
    from node.testnet import plan
    from node.testnet.admission import FINAL_S, unlock
    from node.testnet.drill import conflicting_votes
    from node.testnet.layout import TestnetError

    layout, description = _network(directory)
    entry = _node(description, index)
    if not yes:
        fail(
            ExitCode.USAGE,
            f"this ends the membership of {entry.name} for ever; add --yes to do it",
        )
    with _refusals(), SyncClient(_answering(description, entry)) as client:
        if client.status()["genesis_hash"] != description.genesis_hash:
            raise TestnetError(f"{client.client.url} belongs to another chain")
        key = unlock(layout.node(index) / "signing.json")
        coming = client.get("/v1/validator-sets/next")["data"]
        action = conflicting_votes(key, bytes.fromhex(description.genesis_hash), coming)
        wallet = Wallet(client.client, unlock(layout.account_key(plan.TREASURY)))
        done = client.run(wallet.send_final(action, timeout_s=FINAL_S))
        if done["code"] != "ok":
            raise TestnetError(f"refused in block {done['height']}: {done['code']}")
        found = client.get(f"/v1/members/{entry.address}")["data"]
    if as_json:
        print_json({"data": found})
        return
    burned = found["offence"]["burned_micro"] // plan.TOKEN
    print(f"block {done['height']}: {entry.name} is {found['status']}, {burned} tokens burned")
    seat = (
        f"loses its seat at block {found['seat_until']}"
        if found["seat_until"]
        else (
            "keeps its seat, without weight: four must stay" if found["seated"] else "has no seat"
        )
    )
    print(f"it {seat}")


def _network(directory: Path) -> "tuple[Layout, Description]":
    from node.testnet.layout import Layout, TestnetError, read_description

    layout = Layout(directory.resolve())
    try:
        description = read_description(layout)
    except TestnetError as problem:
        fail(ExitCode.USAGE, str(problem))
    if description is None:
        fail(ExitCode.USAGE, f"{directory}: no test network here", "give --dir DIR")
    return layout, description


def _node(description: "Description", index: int | None) -> "NodeEntry":
    chosen = len(description.nodes) - 1 if index is None else index
    if not 0 <= chosen < len(description.nodes):
        fail(ExitCode.USAGE, f"there is no node {chosen}")
    entry = description.nodes[chosen]
    if index is None and not entry.joined:
        fail(ExitCode.USAGE, "no node was added yet", "twinchain testnet add")
    return entry


def _answering(description: "Description", but: "NodeEntry") -> str:
    """URL of the first other node that answers."""
    from node.cli.health import height_of

    urls = [node.url for node in description.nodes if node.address != but.address]
    for url in urls:
        with suppress(OSError, ValueError):
            height_of(url, 2.0)
            return url
    words = ", ".join(urls)
    return fail(ExitCode.UNREACHABLE, f"no node answers at {words}", "is the network running?")


@contextmanager
def _refusals() -> Iterator[None]:
    """What may go wrong in a row of transactions, as exit codes."""
    from node.client.client import ApiError, Unreachable, WaitTimeout
    from node.keyfiles import KeyFileError
    from node.testnet.layout import TestnetError, TestnetTimeout

    try:
        yield
    except TestnetTimeout as problem:
        fail(ExitCode.TIMED_OUT, str(problem), "the same command goes on where this one stopped")
    except (TestnetError, KeyFileError) as problem:
        fail(ExitCode.REJECTED, str(problem))
    except ApiError as problem:
        fail(ExitCode.REJECTED, f"{problem.code}: {problem.detail}", problem.hint)
    except WaitTimeout as problem:
        fail(ExitCode.TIMED_OUT, str(problem), "the same command goes on where this one stopped")
    except Unreachable as problem:
        fail(ExitCode.UNREACHABLE, str(problem), "the same command goes on where this one stopped")
