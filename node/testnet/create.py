"""Makes a test network: keys, genesis and one configuration per node; safe to run again.

A network is made once.  Files are written in an order in which `testnet.json` comes last: a run
that was cut short is simply finished by the next one, which keeps the keys it finds.  A network
that is there already is checked against what is wanted now and never overwritten.
"""

import re
import secrets
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import msgspec

from consensus.parameters import ConsensusParameters
from node.application.genesis import (
    GenesisError,
    from_bytes,
    from_genesis,
    genesis_hash,
    genesis_state,
)
from node.keyfiles import (
    KeyKind,
    new_seed,
    read_password_file,
    read_public,
    write_key_file,
    write_secret,
)
from node.service.config_file import NodeAddresses, render_config
from node.testnet import plan
from node.testnet.genesis import AccountPlan, ValidatorPlan, build_genesis
from node.testnet.layout import (
    FORMAT_VERSION,
    AccountEntry,
    Description,
    Layout,
    NodeEntry,
    TestnetError,
    read_description,
    write_atomically,
    write_description,
)

DEFAULT_VALIDATORS = 4
DEFAULT_BASE_PORT = 8080
DEFAULT_BLOCK_TIME_MS = 500
DEFAULT_CHAIN = "twinchain-test"
CHAIN_NAME = re.compile(r"[a-z][a-z0-9-]*\Z")
CONTAINER_PORT = 8080


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the user asked for; None means "as it is", or the default for a new network."""

    validators: int | None = None
    base_port: int | None = None
    block_time_ms: int | None = None
    chain: str | None = None
    compose: bool = False
    boundary_blocks: int | None = None
    slots: int | None = None
    """Service slots of each server, for new networks only; what the plan has when None."""


@dataclass(frozen=True, slots=True)
class _KeyOrder:
    """One key file that has to exist."""

    path: Path
    password: Path
    kind: KeyKind
    name: str


def ensure_testnet(layout: Layout, wanted: Wanted) -> tuple[Description, bool]:
    """Return the network in `layout`, making it first if needed, and whether it was made now.

    Raises TestnetError when another network is there, or when what is wanted differs from its
    genesis.  Ports may differ: they are moved.
    """
    found = read_description(layout)
    if found is None:
        return _create(layout, wanted), True
    _require_same(layout, found, wanted)
    if wanted.base_port is not None and wanted.base_port != found.base_port:
        return _move(layout, found, wanted.base_port), False
    return found, False


def _create(layout: Layout, wanted: Wanted) -> Description:
    count = DEFAULT_VALIDATORS if wanted.validators is None else wanted.validators
    base_port = DEFAULT_BASE_PORT if wanted.base_port is None else wanted.base_port
    if not 1 <= count <= plan.MAX_VALIDATORS:
        raise TestnetError(f"--validators is 1 to {plan.MAX_VALIDATORS}, not {count}")
    if not 1 <= base_port <= 65_535 - count:
        raise TestnetError(f"--base-port {base_port} leaves no room for {count} ports")
    if wanted.chain and not CHAIN_NAME.match(wanted.chain):
        raise TestnetError(
            f"--chain {wanted.chain!r}: a name starts with a letter and goes on with a-z, 0-9, '-'"
        )
    if wanted.slots is not None and not 1 <= wanted.slots <= plan.MAX_SLOTS:
        raise TestnetError(f"--slots is 1 to {plan.MAX_SLOTS}, not {wanted.slots}")
    _refuse_leftovers(layout, count)
    addresses = [node_addresses(index, base_port, wanted.compose) for index in range(count)]
    _make_keys(layout, count)
    validators = _validators(layout, addresses, wanted.slots)
    accounts = _accounts(layout)
    block_time_ms = wanted.block_time_ms or DEFAULT_BLOCK_TIME_MS
    chain = wanted.chain or DEFAULT_CHAIN
    parameters = ConsensusParameters()
    if wanted.boundary_blocks is not None:
        parameters = msgspec.structs.replace(parameters, boundary_blocks=wanted.boundary_blocks)
    genesis = _genesis_bytes(chain, block_time_ms, validators, accounts, parameters)
    for index in range(count):
        write_atomically(layout.node(index) / "genesis.json", genesis)
        _write_config(layout, index, addresses[index], [], wanted.compose)
    write_atomically(layout.genesis, genesis)
    description = Description(
        version=FORMAT_VERSION,
        chain=chain,
        genesis_hash=genesis_hash(genesis).hex(),
        block_time_ms=block_time_ms,
        base_port=base_port,
        compose=wanted.compose,
        nodes=tuple(
            NodeEntry(
                index=index,
                name=validator.name,
                address=validator.address,
                url=validator.endpoint,
                config=str(layout.config(index).relative_to(layout.root)),
                log=str(layout.log(index).relative_to(layout.root)),
            )
            for index, validator in enumerate(validators)
        ),
        accounts=tuple(
            AccountEntry(name=one.name, address=one.address, role=one.role) for one in accounts
        ),
    )
    write_description(layout, description)
    return description


def _genesis_bytes(
    chain: str,
    block_time_ms: int,
    validators: Sequence[ValidatorPlan],
    accounts: Sequence[AccountPlan],
    parameters: ConsensusParameters,
) -> bytes:
    """Build the genesis and seed a state from it, so that no node stumbles over it later."""
    now_ms = time.time_ns() // 1_000_000
    try:
        loaded = from_genesis(
            build_genesis(chain, now_ms, block_time_ms, validators, accounts, parameters)
        )
        genesis_state(loaded)
    except GenesisError as problem:
        raise TestnetError(str(problem)) from None
    return loaded.data


def _refuse_leftovers(layout: Layout, count: int) -> None:
    """Without testnet.json there must be no chain data: they would belong to another genesis."""
    for index in range(count):
        data = layout.node(index) / "data"
        if data.exists():
            raise TestnetError(
                f"{data} holds a chain, but {layout.description} is missing; "
                "choose another --dir or remove the old network"
            )


def _ms(value: int | None) -> str | None:
    return None if value is None else f"{value}ms"


def _require_same(layout: Layout, found: Description, wanted: Wanted) -> None:
    pairs: Sequence[tuple[str, object, object]] = (
        ("--validators", wanted.validators, len(found.founders)),
        ("--block-time", _ms(wanted.block_time_ms), _ms(found.block_time_ms)),
        ("--chain", wanted.chain, found.chain),
    )
    for option, asked, there in pairs:
        if asked is not None and asked != there:
            raise TestnetError(
                f"{layout.root} holds chain {found.chain} with {option} {there}, not {asked}: "
                "a genesis does not change; choose another --dir"
            )
    genesis = read_genesis(layout, found)
    if wanted.boundary_blocks is not None:
        there = from_bytes(genesis).genesis.consensus.parameters.boundary_blocks
        if wanted.boundary_blocks != there:
            raise TestnetError(
                f"{layout.root} was made with --boundary-blocks {there}; while it runs, propose "
                "set-parameter consensus.boundary_blocks"
            )


def read_genesis(layout: Layout, found: Description) -> bytes:
    """The genesis of this network, which must be the one it was made with.  Raises TestnetError."""
    try:
        data = layout.genesis.read_bytes()
    except OSError as problem:
        raise TestnetError(f"{layout.genesis}: {problem.strerror}") from None
    actual = genesis_hash(data).hex()
    if actual != found.genesis_hash:
        raise TestnetError(
            f"{layout.genesis} was changed: its hash is {actual}, the chain's {found.genesis_hash}"
        )
    return data


def _make_keys(layout: Layout, count: int) -> None:
    orders = [
        _KeyOrder(layout.account_key(name), layout.accounts / "password", KeyKind.SIGNING, name)
        for name in (*plan.ITS_SUBSYSTEMS, *plan.BROKERS, plan.TREASURY, *plan.DEMO_ACCOUNTS)
    ]
    for index in range(count):
        home, name = layout.node(index), plan.server_name(index)
        for kind in KeyKind:
            path = home / f"{kind}.json"
            orders.append(_KeyOrder(path, home / "password", kind, name))
    passwords = {order.password for order in orders}
    for password in sorted(passwords):
        if not password.exists():
            write_secret(password, secrets.token_hex(16).encode() + b"\n")
    # scrypt works outside the interpreter's lock.
    with ThreadPoolExecutor(max_workers=4) as pool:
        list(pool.map(_make_key, orders))


def _make_key(order: _KeyOrder) -> None:
    if not order.path.exists():
        password = read_password_file(order.password)
        write_key_file(
            order.path, new_seed(), password, kind=order.kind, name=order.name, light=True
        )


def _validators(
    layout: Layout, addresses: Sequence[NodeAddresses], slots: int | None
) -> list[ValidatorPlan]:
    return [
        ValidatorPlan(
            name=plan.server_name(index),
            address=read_public(layout.node(index) / "signing.json").public_key,
            vrf_key=read_public(layout.node(index) / "vrf.json").public_key,
            endpoint=where.url,
            profile=plan.server_profile(index, slots),
        )
        for index, where in enumerate(addresses)
    ]


def _accounts(layout: Layout) -> list[AccountPlan]:
    rows = [(name, "its", plan.ITS_MICRO) for name in plan.ITS_SUBSYSTEMS]
    rows += [(name, "broker", plan.BROKER_MICRO) for name in plan.BROKERS]
    rows += [(plan.TREASURY, "account", plan.TREASURY_MICRO)]
    rows += [(name, "account", plan.DEMO_MICRO) for name in plan.DEMO_ACCOUNTS]
    return [
        AccountPlan(name, read_public(layout.account_key(name)).public_key, role, free_micro)
        for name, role, free_micro in rows
    ]


def node_addresses(index: int, base_port: int, compose: bool) -> NodeAddresses:
    """Where node `index` listens and is found."""
    if compose:
        url = f"http://validator-{index}:{CONTAINER_PORT}"
        return NodeAddresses("0.0.0.0", CONTAINER_PORT, url)
    port = base_port + index
    return NodeAddresses("127.0.0.1", port, f"http://127.0.0.1:{port}")


def _move(layout: Layout, found: Description, base_port: int) -> Description:
    """Give the nodes other ports; as the genesis names the old ones, each lists its peers."""
    if found.compose:
        raise TestnetError("the ports of a network for containers are set in docker-compose.yml")
    if not 1 <= base_port <= 65_535 - len(found.nodes):
        raise TestnetError(f"--base-port {base_port} leaves no room for {len(found.nodes)} ports")
    if found.supervisor_pid and _still_running(layout):
        raise TestnetError(f"{layout.root}: this test network is running already")
    places = [node_addresses(node.index, base_port, compose=False) for node in found.nodes]
    peers = [f"{node.address}@{where.url}" for node, where in zip(found.nodes, places, strict=True)]
    for node, where in zip(found.nodes, places, strict=True):
        others = [peer for peer in peers if not peer.startswith(node.address)]
        _write_config(layout, node.index, where, others, compose=False)
    nodes = tuple(
        msgspec.structs.replace(node, url=where.url)
        for node, where in zip(found.nodes, places, strict=True)
    )
    moved = msgspec.structs.replace(found, base_port=base_port, nodes=nodes)
    write_description(layout, moved)
    return moved


def _still_running(layout: Layout) -> bool:
    from node.testnet.supervisor import exclusive

    try:
        with exclusive(layout):
            return False
    except TestnetError:
        return True


def _write_config(
    layout: Layout, index: int, where: NodeAddresses, peers: Sequence[str], compose: bool
) -> None:
    log_format = "console" if compose else "json"
    text = render_config(plan.server_name(index), where, peers, log_format)
    write_atomically(layout.config(index), text.encode())
