"""`twinchain node`: make the directory of a node that is to join a running chain."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

import typer

from node.cli.exits import ExitCode, fail
from node.cli.output import fields, note, print_json

if TYPE_CHECKING:
    from node.application.genesis import LoadedGenesis

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Make the directory of a node that is to join a running chain.",
)


Directory = Annotated[Path, typer.Option("--dir", help="New directory of the node.")]
Name = Annotated[str, typer.Option("--name", help="Name of the node and of its keys.")]
Endpoint = Annotated[
    str, typer.Option("--endpoint", help="Where the others reach it: http[s]://HOST:PORT.")
]
Member = Annotated[
    str | None, typer.Option("--from", help="URL of a running node: its genesis and members.")
]
GenesisFile = Annotated[
    Path | None, typer.Option("--genesis", help="Genesis file, instead of --from.")
]
GenesisHash = Annotated[
    str | None, typer.Option("--genesis-hash", help="Refuse any other genesis.")
]
Peers = Annotated[
    list[str] | None,
    typer.Option("--peer", help="ACCOUNT@HOST:PORT, where the genesis does not say it."),
]
Host = Annotated[
    str, typer.Option("--host", help="Address to listen on; 127.0.0.1 behind a proxy.")
]
Port = Annotated[int | None, typer.Option("--port", help="Port to listen on.  [the endpoint's]")]
Password = Annotated[
    Path | None,
    typer.Option("--password-file", help="Password of the keys; else a random one is written."),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.callback()
def group() -> None:
    """Keep `init` a command of its own."""


@app.command()
def init(
    directory: Directory,
    name: Name,
    endpoint: Endpoint,
    member: Member = None,
    genesis: GenesisFile = None,
    genesis_hash: GenesisHash = None,
    peers: Peers = None,
    host: Host = "0.0.0.0",
    port: Port = None,
    password_file: Password = None,
    as_json: Json = False,
) -> None:
    """Write keys, genesis and config.toml of a new node; safe to run again.

    \b
    Example:
      twinchain node init --dir server-5 --name "Server 5" --from http://one.example:8080 \\
        --genesis-hash HASH --endpoint http://five.example:8080
    """
    from node.keyfiles import KeyFileError, read_password_file
    from node.service.config_file import NodeAddresses
    from node.service.directory import DirectoryError, NewNode, make_node

    loaded, known = _chain(member, genesis, genesis_hash)
    where = NodeAddresses(host, port or _port(endpoint), endpoint)
    try:
        made = make_node(
            NewNode(
                directory=directory,
                name=name,
                genesis=loaded.data,
                where=where,
                peers=_checked([*known, *(peers or [])]),
                password=read_password_file(password_file) if password_file else None,
            )
        )
    except (DirectoryError, KeyFileError) as problem:
        fail(ExitCode.USAGE, str(problem))
    told = {
        "directory": str(directory),
        "chain": loaded.genesis.chain,
        "genesis_hash": made.genesis_hash,
        "address": made.address,
        "vrf_key": made.vrf_key,
        "endpoint": endpoint,
    }
    if as_json:
        print_json(told)
        return
    if genesis_hash is None:
        note("Compare the genesis hash with what another member tells you: all trust is in it.")
    _tell(told, name, f" --node {member}" if member else "")


def _tell(told: dict[str, str], name: str, node: str) -> None:
    """What was made, and the commands that come next."""
    directory = told["directory"]
    fields("", told)
    print("Next, once the account holds money for its stake and fees:")
    print(f"  twinchain tx apply{node} --key {directory}/signing.json --name {name!r} \\")
    print(f"    --vrf-key {told['vrf_key']} \\")
    print(f"    --endpoint {told['endpoint']} --resources MHZ,KBITS,UNITS --wait")
    print(f"  twinchain start --config {directory}/config.toml")


def _chain(
    member: str | None, path: Path | None, wanted_hash: str | None
) -> "tuple[LoadedGenesis, list[str]]":
    """The genesis, and the members that it does not know or knows elsewhere."""
    from node.application.genesis import GenesisError, from_bytes, load

    if (member is None) == (path is None):
        fail(ExitCode.USAGE, "give either --from URL or --genesis FILE")
    peers: list[str] = []
    try:
        if path is not None:
            loaded = load(path)
        else:
            data, rows = _ask(str(member))
            loaded = from_bytes(data)
            known = {one.address: one.endpoint for one in loaded.genesis.ledger.members}
            peers = [
                f"{row['address']}@{row['endpoint']}"
                for row in rows
                if row["seated"] and row["endpoint"] != known.get(str(row["address"]))
            ]
    except GenesisError as problem:
        fail(ExitCode.USAGE, str(problem))
    if wanted_hash is not None and loaded.hash.hex() != wanted_hash:
        fail(ExitCode.USAGE, f"the genesis has the hash {loaded.hash.hex()}, not {wanted_hash}")
    return loaded, peers


def _ask(node: str) -> tuple[bytes, list[dict[str, object]]]:
    """Genesis bytes and members as a running node tells them."""
    from ledger.codec import encode
    from node.cli.remote import connection

    with connection(node) as client:
        genesis = client.get("/v1/genesis")["data"]
        rows = client.get("/v1/members", limit=200)["data"]
    return encode(genesis), [row for row in rows if isinstance(row, dict)]


def _port(endpoint: str) -> int:
    try:
        parts = urlsplit(endpoint)
        port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    except ValueError:
        port = None
    if port is None or not parts.hostname:
        fail(ExitCode.USAGE, f"--endpoint is http[s]://HOST:PORT, not {endpoint!r}")
    return port


def _checked(peers: list[str]) -> list[str]:
    from pydantic import TypeAdapter, ValidationError

    from node.service.config import PeerAddress

    adapter = TypeAdapter(PeerAddress)
    for peer in peers:
        try:
            adapter.validate_python(peer)
        except ValidationError:
            fail(ExitCode.USAGE, f"--peer is ACCOUNT@[http[s]://]HOST:PORT, not {peer!r}")
    return peers
