"""Where a test network keeps its files, and its description `testnet.json`.

    DIR/testnet.json        what the network is, and while it runs the process ids; written last
    DIR/genesis.json        the same bytes every node has
    DIR/accounts/           key files of ITS subsystems, broker, treasury; and their password
    DIR/logs/node-<i>.log   stderr and stdout of node i
    DIR/node-<i>/           config.toml, genesis.json, signing.json, vrf.json, password, data/, pid

A node's directory holds all it needs and can be moved to another machine.
"""

import os
import uuid
from dataclasses import dataclass
from pathlib import Path

import msgspec

FORMAT_VERSION = 1


class TestnetError(Exception):
    """The test network cannot be made or started as asked; one line for people."""

    __test__ = False


class TestnetTimeout(TestnetError):
    """It may still come; the same command goes on where this one stopped."""


class NodeEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One validator; paths from the network's directory; `pid` 0: not run by `testnet start`.

    `joined`: added to the running network, so neither in its genesis nor run by `testnet start`.
    """

    index: int
    name: str
    address: str
    url: str
    config: str
    log: str
    pid: int = 0
    joined: bool = False


class AccountEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One funded account whose key file lies in `accounts/`.  Role: its, broker or account."""

    name: str
    address: str
    role: str


class Description(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Content of `testnet.json`; `base_port` is the API port of node 0, node i has + i."""

    version: int
    chain: str
    genesis_hash: str
    block_time_ms: int
    base_port: int
    compose: bool
    supervisor_pid: int = 0
    nodes: tuple[NodeEntry, ...]
    accounts: tuple[AccountEntry, ...]

    @property
    def founders(self) -> tuple[NodeEntry, ...]:
        """The validators of the genesis."""
        return tuple(node for node in self.nodes if not node.joined)


@dataclass(frozen=True, slots=True)
class Layout:
    """Paths under one test network directory."""

    root: Path

    @property
    def description(self) -> Path:
        return self.root / "testnet.json"

    @property
    def genesis(self) -> Path:
        return self.root / "genesis.json"

    @property
    def lock(self) -> Path:
        return self.root / "lock"

    @property
    def accounts(self) -> Path:
        return self.root / "accounts"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    def account_key(self, name: str) -> Path:
        return self.accounts / f"{name}.json"

    def node(self, index: int) -> Path:
        return self.root / f"node-{index}"

    def config(self, index: int) -> Path:
        return self.node(index) / "config.toml"

    def log(self, index: int) -> Path:
        return self.logs / f"node-{index}.log"

    def pid(self, index: int) -> Path:
        return self.node(index) / "pid"


def read_description(layout: Layout) -> Description | None:
    """Return the network in this directory, None when there is none.  Raises TestnetError."""
    try:
        data = layout.description.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as problem:
        raise TestnetError(f"{layout.description}: {problem.strerror}") from None
    try:
        found = msgspec.json.decode(data, type=Description)
    except msgspec.DecodeError as problem:
        raise TestnetError(f"{layout.description}: not a test network: {problem}") from None
    if found.version != FORMAT_VERSION:
        raise TestnetError(f"{layout.description}: version {found.version} is not understood")
    return found


def write_description(layout: Layout, description: Description) -> None:
    """Replace `testnet.json` in one step."""
    data = msgspec.json.format(msgspec.json.encode(description), indent=2) + b"\n"
    write_atomically(layout.description, data)


def write_atomically(path: Path, data: bytes) -> None:
    """Write a file so that a reader sees the old or the new content, never a part."""
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as problem:
        raise TestnetError(f"{path}: cannot write: {problem.strerror}") from None


def parse_duration_ms(text: str) -> int:
    """`500ms`, `2s` or `500` (ms) -> milliseconds.  Raises TestnetError outside 50 ms .. 1 h."""
    word = text.strip().lower()
    try:
        if word.endswith("ms"):
            value = int(word[:-2])
        elif word.endswith("s"):
            seconds, _, fraction = word[:-1].partition(".")
            value = int(seconds or "0") * 1000 + int(fraction.ljust(3, "0")[:3] or "0")
        else:
            value = int(word)
    except ValueError:
        raise TestnetError(f"{text!r} is not a duration such as 500ms or 2s") from None
    if not 50 <= value <= 3_600_000:
        raise TestnetError(f"a block time of {value} ms is outside 50 ms .. 1 h")
    return value
