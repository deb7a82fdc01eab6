"""Makes the directory of a new node: keys, password, genesis and config.toml; safe to run again.

A node's directory holds all it needs and can be moved to another machine.  What is there is kept,
so a run that was cut short is finished by the next one; a directory that holds anything else, of
another chain or with other settings, is refused and left as it was.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from node.application.genesis import GenesisError, from_bytes
from node.keyfiles import (
    KeyKind,
    new_seed,
    read_password_file,
    read_public,
    write_key_file,
    write_secret,
)
from node.service.config_file import NodeAddresses, render_config

WHY_PEERS = "Members that the genesis does not know, or knows at another endpoint."


class DirectoryError(Exception):
    """The directory cannot be made as asked; one line for people."""


@dataclass(frozen=True, slots=True)
class NewNode:
    """What a new node is made of.  `genesis`: the chain's bytes; `light`: keys of no value."""

    directory: Path
    name: str
    genesis: bytes
    where: NodeAddresses
    peers: Sequence[str] = ()
    password: bytes | None = None
    light: bool = False
    log_format: str = "auto"


@dataclass(frozen=True, slots=True)
class NodeIdentity:
    """Public keys of a node, hex; the address is the account."""

    address: str
    vrf_key: str
    genesis_hash: str


def make_node(wanted: NewNode) -> NodeIdentity:
    """Write the directory.  Raises DirectoryError, KeyFileError; never overwrites anything.

    The password, a random one if none is given, is written beside the keys, for a node that starts
    unattended.
    """
    home = wanted.directory
    try:
        loaded = from_bytes(wanted.genesis)
    except GenesisError as problem:
        raise DirectoryError(str(problem)) from None
    try:
        text = render_config(
            wanted.name,
            wanted.where,
            wanted.peers,
            wanted.log_format,
            why_peers=WHY_PEERS,
            in_genesis=False,
        )
        config, genesis = home / "config.toml", home / "genesis.json"
        home.mkdir(parents=True, exist_ok=True)
        _require_same_chain(genesis, loaded.data)
        _require_same(config, text.encode(), "has other settings; edit it, or take it away")
        if wanted.password is not None:
            _require_same(home / "password", wanted.password, "holds another password")
        keys = {kind: _key(wanted, kind) for kind in KeyKind}
        _write_whole(genesis, loaded.data)
        _write_whole(config, text.encode())
    except OSError as problem:
        raise DirectoryError(f"{problem.filename or home}: {problem.strerror}") from None
    return NodeIdentity(keys[KeyKind.SIGNING], keys[KeyKind.VRF], loaded.hash.hex())


def _require_same_chain(path: Path, genesis: bytes) -> None:
    if path.exists() and path.read_bytes().rstrip(b"\n") != genesis:
        raise DirectoryError(f"{path} is another chain's; choose another directory")


def _require_same(path: Path, data: bytes, otherwise: str) -> None:
    if path.exists() and path.read_bytes().rstrip(b"\r\n") != data.rstrip(b"\r\n"):
        raise DirectoryError(f"{path} is there already and {otherwise}")


def _write_whole(path: Path, data: bytes) -> None:
    """Make a file that is complete under its name, or leave what is there."""
    if not path.exists():
        fresh = path.with_name(path.name + ".new")
        fresh.write_bytes(data)
        fresh.replace(path)


def _key(wanted: NewNode, kind: KeyKind) -> str:
    path, password = wanted.directory / f"{kind}.json", wanted.directory / "password"
    if not path.exists():
        if not password.exists():
            secret = wanted.password or secrets.token_hex(16).encode()
            write_secret(password, secret + b"\n")
        write_key_file(
            path,
            new_seed(),
            read_password_file(password),
            kind=kind,
            name=wanted.name,
            light=wanted.light,
        )
    return read_public(path).public_key
