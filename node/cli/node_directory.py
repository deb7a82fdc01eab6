"""`twinchain node`: make the directory of a node that is to join a running chain."""

import re
import shlex
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
Port = Annotated[
    int | None,
    typer.Option("--port", min=1, max=65_535, help="Port to listen on.  [the endpoint's]"),
]
Password = Annotated[
    Path | None,
    typer.Option(
        "--password-file", help="Password of the keys, copied beside them; else a random one."
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]

_ENDPOINT = re.compile(r"https?://[A-Za-z0-9._\[\]:-]+")
_PAGES_MAX = 50
"""Pages of members that are read, 200 each: far more than a chain can have seats."""


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
    _tell(told, name, f" --node {shlex.quote(member)}" if member else "")


def _tell(told: dict[str, str], name: str, node: str) -> None:
    """What was made, and the commands that come next."""
    directory = told["directory"]
    fields("", told)
    print("Next, once the account holds money for its stake and fees:")
    key = shlex.quote(directory) + "/signing.json"
    print(f"  twinchain tx apply{node} --key {key} --name {shlex.quote(name)} \\")
    print(f"    --vrf-key {told['vrf_key']} \\")
    print(f"    --endpoint {told['endpoint']} --resources MHZ,KBITS,UNITS --wait")
    print(f"  twinchain start --config {shlex.quote(directory)}/config.toml")


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
            for row in rows:
                address, endpoint = str(row.get("address")), str(row.get("endpoint"))
                if row.get("seated") and endpoint != known.get(address):
                    peers += _peer(address, endpoint)
    except GenesisError as problem:
        fail(ExitCode.USAGE, str(problem))
    if wanted_hash is not None and loaded.hash.hex() != wanted_hash:
        fail(ExitCode.USAGE, f"the genesis has the hash {loaded.hash.hex()}, not {wanted_hash}")
    return loaded, peers


def _ask(node: str) -> tuple[bytes, list[dict[str, object]]]:
    """Genesis bytes and members as a running node tells them."""
    from ledger.codec import encode
    from node.cli.remote import connection, data_of

    rows: list[dict[str, object]] = []
    with connection(node) as client:
        genesis = data_of(client.get("/v1/genesis"))
        cursor = None
        for _ in range(_PAGES_MAX):
            page = client.get("/v1/members", limit=200, cursor=cursor)
            found, cursor = page.get("data"), page.get("next_cursor")
            rows += [row for row in found if isinstance(row, dict)] if found else []
            if cursor is None:
                break
    return encode(genesis), rows


def _port(endpoint: str) -> int:
    port = _port_of(endpoint)
    if port is None:
        fail(ExitCode.USAGE, f"--endpoint is http[s]://HOST:PORT, not {endpoint!r}")
    return port


def _port_of(endpoint: str) -> int | None:
    """The port of http[s]://HOST or http[s]://HOST:PORT, None for anything else."""
    if not _ENDPOINT.fullmatch(endpoint):
        return None
    try:
        parts = urlsplit(endpoint)
        port = parts.port
    except ValueError:
        return None
    if port is None:
        port = 443 if parts.scheme == "https" else 80
    return (port or None) if parts.hostname else None


def _peer(address: str, endpoint: str) -> list[str]:
    """A member as a peer; none where the endpoint it has on the chain cannot be dialled."""
    port = _port_of(endpoint)
    if port is not None:
        parts = urlsplit(endpoint)
        whole = endpoint if parts.port else f"{endpoint.rstrip(':')}:{port}"
        return [f"{address}@{whole}"]
    note(f"left out: member {address} has the endpoint {endpoint!r}; name it with --peer")
    return []


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
