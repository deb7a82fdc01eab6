"""`twinchain testnet`: make a test network and run it on this machine, without Docker."""

import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from node.cli.exits import ExitCode, fail
from node.cli.output import note, print_json

if TYPE_CHECKING:
    from node.testnet.create import Wanted
    from node.testnet.layout import Description, Layout
    from node.testnet.supervisor import Supervisor

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Make a test network and run it on this machine, without Docker.",
)

Directory = Annotated[Path, typer.Option("--dir", help="Directory of the test network.")]
Validators = Annotated[
    int | None, typer.Option("--validators", help="Number of validators.  [new networks: 4]")
]
BasePort = Annotated[
    int | None, typer.Option("--base-port", help="Node i serves on this port + i.  [8080]")
]
BlockTime = Annotated[
    str | None, typer.Option("--block-time", help="Such as 500ms or 2s.  [new networks: 500ms]")
]
Chain = Annotated[str | None, typer.Option("--chain", help="Name of the chain.  [twinchain-test]")]
Boundary = Annotated[
    str | None,
    typer.Option("--boundary-blocks", help="Seats change every so many blocks.  [100]"),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command()
def init(
    directory: Directory = Path("testnet"),
    validators: Validators = None,
    base_port: BasePort = None,
    block_time: BlockTime = None,
    chain: Chain = None,
    boundary_blocks: Boundary = None,
    compose: Annotated[
        bool, typer.Option("--compose", help="Addresses for the containers of docker-compose.yml.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Write keys, genesis and configurations; safe to run again, never overwrites a chain.

    \b
    Example:
      twinchain testnet init --validators 4 --dir testnet --base-port 8080 --block-time 500ms
    """
    layout, description, created = _prepare(
        directory,
        _wanted(validators, base_port, block_time, chain, boundary_blocks, compose=compose),
    )
    if as_json:
        print_json(_document(layout, description, created=created))
        return
    what = "made" if created else "is there already"
    print(f"Test network {description.chain} {what} in {layout.root}")
    print(
        f"  validators   {len(description.founders)}, a block every {description.block_time_ms} ms"
    )
    print(f"  genesis      {description.genesis_hash}")
    if not description.compose:
        print(f"Start it:  twinchain testnet start --dir {layout.root}")


@app.command()
def start(
    directory: Directory = Path("testnet"),
    validators: Validators = None,
    base_port: BasePort = None,
    block_time: BlockTime = None,
    chain: Chain = None,
    boundary_blocks: Boundary = None,
    timeout: Annotated[
        float, typer.Option("--timeout", help="Seconds to wait for the first block.")
    ] = 60.0,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one line of JSON when all nodes serve.")
    ] = False,
) -> None:
    """Run all validators as processes of this machine until Ctrl-C; resumes an existing chain.

    \b
    Examples:
      twinchain testnet start
      twinchain testnet start --validators 7 --dir seven --base-port 9000 --block-time 1s
    """
    from node.testnet.layout import TestnetError
    from node.testnet.supervisor import Supervisor, exclusive

    layout, description, _ = _prepare(
        directory,
        _wanted(validators, base_port, block_time, chain, boundary_blocks, compose=False),
    )
    if description.compose:
        fail(ExitCode.USAGE, f"{layout.root} was made for containers: start it by docker compose")
    try:
        with exclusive(layout):
            supervisor = Supervisor(layout, description, note)
            supervisor.install_signals()
            code = _supervise(supervisor, layout, description, timeout, as_json)
    except TestnetError as problem:
        fail(ExitCode.USAGE, str(problem))
    raise typer.Exit(code)


def _supervise(
    supervisor: "Supervisor",
    layout: "Layout",
    description: "Description",
    timeout: float,
    as_json: bool,
) -> int:
    """Start, announce, watch; the children are stopped on every way out."""
    from node.cli.health import height_of
    from node.testnet.layout import TestnetError

    try:
        try:
            supervisor.start()
        except TestnetError as problem:
            note(f"twinchain: {problem}")
            return ExitCode.BAD_CONFIG
        if not as_json:
            print(f"starting {len(description.founders)} validators ...", flush=True)
        supervisor.wait_ready(lambda url: height_of(url, 2.0), timeout)
        if supervisor.stopping:
            return ExitCode.OK
        if as_json:
            print_json({"ready": True, "nodes": [node.url for node in description.founders]})
        else:
            _banner(layout, description)
        return supervisor.watch()
    except TestnetError as problem:
        note(f"twinchain: {problem}")
        return ExitCode.FAILED
    finally:
        supervisor.stop()


def _prepare(directory: Path, wanted: "Wanted") -> "tuple[Layout, Description, bool]":
    from node.keyfiles import KeyFileError
    from node.testnet.create import ensure_testnet
    from node.testnet.layout import Layout, TestnetError

    layout = Layout(directory.resolve())
    try:
        description, created = ensure_testnet(layout, wanted)
    except (TestnetError, KeyFileError) as problem:
        fail(ExitCode.USAGE, str(problem))
    return layout, description, created


def _wanted(
    validators: int | None,
    base_port: int | None,
    block_time: str | None,
    chain: str | None,
    boundary_blocks: str | None,
    *,
    compose: bool,
) -> "Wanted":
    from node.testnet.create import Wanted
    from node.testnet.layout import TestnetError, parse_duration_ms

    try:
        milliseconds = parse_duration_ms(block_time) if block_time else None
    except TestnetError as problem:
        fail(ExitCode.USAGE, str(problem))
    if boundary_blocks and not (boundary_blocks.isdecimal() and 0 < int(boundary_blocks) <= 10**7):
        fail(ExitCode.USAGE, f"--boundary-blocks is 1 to 10000000, not {boundary_blocks}")
    return Wanted(
        validators=validators,
        base_port=base_port,
        block_time_ms=milliseconds,
        chain=chain or None,
        compose=compose,
        boundary_blocks=int(boundary_blocks) if boundary_blocks else None,
    )


def _document(layout: "Layout", description: "Description", *, created: bool) -> dict[str, object]:
    import msgspec

    document: dict[str, object] = msgspec.to_builtins(description)
    return {"created": created, "directory": str(layout.root), **document}


def own_name() -> str:
    """How to call this program again: by its name where that is installed, else from the clone."""
    if shutil.which("twinchain"):
        return "twinchain"
    script = Path(__file__).resolve().parents[2] / "scripts" / "twinchain.py"
    return f"python3 {script}" if script.is_file() else f"{sys.executable} -m node.cli.main"


def _banner(layout: "Layout", description: "Description") -> None:
    first = description.nodes[0].url
    lines = [
        "",
        f"TwinChain test network {description.chain}: {len(description.founders)} validators, "
        f"a block every {description.block_time_ms} ms",
        "",
        f"  explorer   {first}/explorer",
        f"  API        {'  '.join(node.url for node in description.founders)}",
        f"  API docs   {first}/docs",
        f"  files      {layout.root}",
        "",
        "  accounts (testnet only, never for anything of value; keys in accounts/):",
    ]
    lines += [f"    {one.name:<18} {one.address}  {one.role}" for one in description.accounts]
    joined = [node for node in description.nodes if node.joined]
    if joined:
        lines += ["", "  added nodes, to be started by hand as long as they have a seat:"]
        lines += [f"    {own_name()} start --config {layout.config(one.index)}" for one in joined]
    alice, bob = _two_accounts(description)
    program = own_name()
    lines += [
        "",
        "  try:",
        f"    curl -s {first}/v1/status",
        f"    {program} tx transfer --node {first} --key {layout.account_key(alice)} \\",
        f"      --to {bob} --amount 5 --wait",
        f"    {program} demo --dir {layout.root}",
        "",
        "Ctrl-C stops all nodes; the same command resumes the chain.",
    ]
    print("\n".join(lines), flush=True)
    sys.stdout.flush()


def _two_accounts(description: "Description") -> tuple[str, str]:
    plain = [one for one in description.accounts if one.role == "account"]
    return plain[-2].name, plain[-1].address
