"""What the benchmark needs before its clock starts: accounts with money, and signed transactions.

Accounts are funded from the test network's treasury and, for those that bid, registered by its
first member, all through the public API.  Transactions are signed beforehand, in two processes, so
that signing costs nothing in the timed window.  They come in rounds: one transaction of every
account, then the next of every account, so that an account's nonces arrive in order.
"""

from __future__ import annotations

import asyncio
import multiprocessing
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import httpx
from msgspec.structs import replace

from auction.actions import Ask, Bid, FlatFloor, FlatLimit
from ledger.crypto import SigningKey
from ledger.members import Resources
from ledger.native import Register, Transfer
from ledger.transactions import Action, TransactionCodec, build_transaction
from node.keyfiles import KeyKind, load_seed, read_password_file
from node.testnet.layout import Description, Layout, read_description
from scripts.benchmark.load import Prepared

FUNDING_MICRO = 50_000_000
PER_TRANSACTION = 64
SERVICE_BLOCKS = 4


@dataclass(frozen=True, slots=True)
class Network:
    """The running test network, as the load generator needs it."""

    urls: tuple[str, ...]
    chain: str
    genesis_hash: bytes
    broker: str
    treasury: SigningKey
    members: tuple[SigningKey, ...]


def read_network(directory: Path) -> Network:
    """Read names, addresses and keys of a test network made by `twinchain testnet init`."""
    layout = Layout(directory)
    description = read_description(layout)
    if description is None:
        raise SystemExit(f"no test network in {directory}")
    brokers = [one.address for one in description.accounts if one.role == "broker"]
    return Network(
        urls=tuple(node.url for node in description.nodes),
        chain=description.chain,
        genesis_hash=bytes.fromhex(description.genesis_hash),
        broker=brokers[0],
        treasury=_account_key(layout, "treasury"),
        members=tuple(_member_key(layout, description, node.index) for node in description.nodes),
    )


def _account_key(layout: Layout, name: str) -> SigningKey:
    password = read_password_file(layout.accounts / "password")
    return SigningKey.from_seed(load_seed(layout.account_key(name), password, KeyKind.SIGNING))


def _member_key(layout: Layout, _description: Description, index: int) -> SigningKey:
    home = layout.node(index)
    password = read_password_file(home / "password")
    return SigningKey.from_seed(load_seed(home / "signing.json", password, KeyKind.SIGNING))


def make_keys(kind: str, count: int) -> list[SigningKey]:
    """Deterministic keys, so that two runs send the same bytes on the same chain."""
    seeds = (sha256(f"bench {kind} {index}".encode()).digest() for index in range(count))
    return [SigningKey.from_seed(seed) for seed in seeds]


async def fund(
    client: httpx.AsyncClient, network: Network, keys: Sequence[SigningKey], buyers: int
) -> None:
    """Send money to every key and register the first `buyers` of them as ITS subsystems."""
    payments: list[Action] = [Transfer(to=k.address, amount_micro=FUNDING_MICRO) for k in keys]
    entries: list[Action] = [
        Register(account=key.address, name=f"bench-its-{index}", role="its")
        for index, key in enumerate(keys[:buyers])
    ]
    for key, actions in ((network.treasury, payments), (network.members[0], entries)):
        nonce = await next_nonce(client, network.urls[0], key.address)
        for start in range(0, len(actions), PER_TRANSACTION):
            part = actions[start : start + PER_TRANSACTION]
            raw = build_transaction(key, network.genesis_hash, network.chain, nonce, part)
            await send_and_wait(client, network.urls[0], raw)
            nonce += 1


async def next_nonce(client: httpx.AsyncClient, url: str, address: str) -> int:
    """Return the nonce an account's next transaction must carry."""
    answer = await client.get(f"{url}/v1/accounts/{address}")
    answer.raise_for_status()
    return int(answer.json()["data"]["next_nonce"])


async def send_and_wait(client: httpx.AsyncClient, url: str, raw: bytes) -> None:
    """Submit one transaction and wait until it is final with code ok."""
    headers = {"content-type": "application/json"}
    for _ in range(100):
        answer = await client.post(f"{url}/v1/txs", content=raw, headers=headers)
        if answer.status_code not in {429, 503}:
            break
        await asyncio.sleep(0.2)
    answer.raise_for_status()
    name = answer.json()["data"]["hash"]
    answer = await client.get(f"{url}/v1/txs/{name}?wait=final&timeout=30", timeout=40)
    data = answer.json()["data"]
    if data["status"] != "final" or data["code"] != "ok":
        raise SystemExit(f"set-up transaction {name} is {data}")


ORDERS_PER_HEIGHT = 100
"""Orders with one last height."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to sign: `rounds` transfers for every payer, and `orders` order transactions each."""

    network: Network
    payers: tuple[SigningKey, ...]
    buyers: tuple[SigningKey, ...]
    first_nonces: dict[str, int]
    rounds: int
    orders_percent: int
    expires: int
    """Last height of the first orders; the chain bounds how many may share one."""


def _bid(plan: Plan) -> Bid:
    return Bid(
        broker=plan.network.broker,
        expires=plan.expires,
        open_ppm=1_000_000,
        omega_micro=1_000_000,
        mu=1,
        service_blocks=SERVICE_BLOCKS,
        interval_blocks=1,
        theta_milli=1000,
        least_resource=1,
        valuation=FlatLimit(limit_micro=9_000_000),
    )


def _ask(plan: Plan) -> Ask:
    return Ask(
        broker=plan.network.broker,
        expires=plan.expires,
        open_ppm=1_000_000,
        omega_micro=1_000_000,
        mu=1,
        longest_blocks=SERVICE_BLOCKS,
        resources=Resources(computation=100, communication=200, modelling=50),
        cost=FlatFloor(floor_micro=1_000_000),
    )


def _unsigned(plan: Plan) -> Iterator[tuple[SigningKey, int, Action]]:
    """Every transaction as (key, nonce, action), in the order in which it is sent."""
    nonces = dict(plan.first_nonces)
    traders: list[tuple[SigningKey, Bid | Ask]] = []
    for index, buyer in enumerate(plan.buyers):
        traders.append((buyer, _bid(plan)))
        traders.append((plan.network.members[index % len(plan.network.members)], _ask(plan)))
    every = 100 // plan.orders_percent if plan.orders_percent else 0
    order = transfer = 0
    for _ in range(plan.rounds):
        for index, payer in enumerate(plan.payers):
            receiver = plan.payers[(index * 7 + 1) % len(plan.payers)]
            action: Action = Transfer(to=receiver.address, amount_micro=1 + transfer % 1000)
            yield payer, nonces[payer.address], action
            nonces[payer.address] += 1
            transfer += 1
            if every and transfer % every == 0:
                key, terms = traders[order % len(traders)]
                expires = plan.expires + order // ORDERS_PER_HEIGHT
                yield key, nonces[key.address], replace(terms, expires=expires)
                nonces[key.address] += 1
                order += 1


def _sign_share(arguments: tuple[Plan, int, int]) -> list[Prepared]:
    plan, share, shares = arguments
    network = plan.network
    codec = TransactionCodec((Transfer, Bid, Ask), network.chain, network.genesis_hash, 65_536)
    signed = []
    for position, (key, nonce, action) in enumerate(_unsigned(plan)):
        if position % shares == share:
            raw = build_transaction(key, network.genesis_hash, network.chain, nonce, [action])
            signed.append(Prepared(raw, codec.decode(raw).id.hex()))
    return signed


def sign_all(plan: Plan, processes: int = 2) -> list[Prepared]:
    """Sign everything in `processes` processes; the order is that of `_unsigned`."""
    context = multiprocessing.get_context("fork")
    with context.Pool(processes) as pool:
        shares = pool.map(_sign_share, [(plan, index, processes) for index in range(processes)])
    merged = [item for group in zip(*shares, strict=False) for item in group]
    longest = max(shares, key=len)
    return merged + longest[len(merged) // processes :]
