"""`twinchain status`: what one node is doing, and why the chain does not advance if it does not."""

import time
from typing import Annotated

import typer

from node.cli.exits import ExitCode, fail
from node.cli.output import fields, print_json
from node.cli.remote import DEFAULT_NODE, Document, Json, Node, fetch

WATCH_S = 1.0


def status(
    node: Node = DEFAULT_NODE,
    watch: Annotated[bool, typer.Option("--watch", help="Again every second.")] = False,
    as_json: Json = False,
) -> None:
    """Show what a node is doing: height, view, peers, and whom it waits for.

    \b
    Examples:
      twinchain status
      twinchain status --node http://127.0.0.1:8081 --watch
    """
    while True:
        document = fetch(node, "/v1/status")
        data = document.get("data")
        if not isinstance(data, dict):
            fail(ExitCode.UNREACHABLE, f"{node}: this is not the API of a TwinChain node")
        if as_json:
            print_json(data)
        elif watch:
            print(_line(data), flush=True)
        else:
            fields(f"{node}", _summary(data))
        if not watch:
            return
        time.sleep(WATCH_S)


def _summary(data: Document) -> dict[str, object]:
    peers, mempool, leader = (
        _part(data, "peers"),
        _part(data, "mempool"),
        _part(data, "next_leader"),
    )
    who = _part(data, "node")
    index = who.get("index", -1)
    role = f"validator {index}" if who.get("validator") else "observer"
    summary: dict[str, object] = {
        "state": data.get("state"),
        "chain": f"{data.get('chain')}, a block every {data.get('block_time_ms')} ms",
        "node": f"{who.get('name')} ({role})",
        "height": data.get("height"),
        "hash": data.get("hash"),
        "tip age": f"{data.get('tip_age_ms')} ms",
        "view": data.get("view"),
        "next leader": leader.get("name") or "-",
        "peers": f"{peers.get('connected')} of {peers.get('known')} connected",
        "mempool": f"{mempool.get('transactions')} transactions, {mempool.get('bytes')} bytes",
    }
    waiting = data.get("stalled_on")
    if isinstance(waiting, list) and waiting:
        summary["waiting for"] = "; ".join(str(reason) for reason in waiting)
    return summary


def _line(data: Document) -> str:
    peers, mempool = _part(data, "peers"), _part(data, "mempool")
    line = (
        f"height {data.get('height')}  view {data.get('view')}  {data.get('state')}  "
        f"tip {data.get('tip_age_ms')} ms old  peers {peers.get('connected')}/{peers.get('known')}"
        f"  mempool {mempool.get('transactions')}"
    )
    waiting = data.get("stalled_on")
    if isinstance(waiting, list) and waiting:
        line += f"  waiting for: {'; '.join(str(reason) for reason in waiting)}"
    return line


def _part(data: Document, name: str) -> Document:
    part = data.get(name)
    return part if isinstance(part, dict) else {}
