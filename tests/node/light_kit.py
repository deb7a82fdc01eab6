"""A chain whose members come and go, behind the real API, and a node in between that lies."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import Any

import httpx
from msgspec.structs import replace

from auction.actions import AskPrice, Cancel, FlatFloor, Reprice
from auction.brokers import ServiceClass, Tariff
from auction.orders import order_id
from auction.parameters import MarketParameters
from consensus.parameters import ConsensusParameters
from ledger import vrf
from ledger.crypto import SigningKey
from ledger.errors import ProofFailed
from ledger.genesis import GenesisAccount
from ledger.members import Resources
from ledger.membership import Apply, Leave
from ledger.native import Stake, Transfer
from ledger.proposals import AdmitMember, Approve, Propose, proposal_id
from ledger.transactions import Action
from node.application.chain import chain_of
from node.client.client import Client
from node.client.light import LightClient
from tests.node.api.small_node import (
    ALICE,
    BUS,
    MEMBERS,
    NEWCOMER,
    SmallNode,
    key_of,
    small_genesis,
    vrf_seed,
)
from tests.node.api.test_market_routes import ask, bid

BOUNDARY = 4
TRAM = key_of("tram")
EQUAL = Tariff(
    lambda_micro=500_000,
    sigma_ppm=500_000,
    fee_basis="deal",
    weights="surplus",
    pricing="mcafee",
    classes=(
        ServiceClass(service_blocks=3, interval_blocks=1, theta_milli=1500, least_resource=1000),
    ),
)
"""A tariff of one class of equal services."""

Alter = Callable[[str, Any], Any]


class Living(SmallNode):
    """A chain with short intervals between changes of the voting set."""

    def __init__(self, tariff: Tariff | None = None) -> None:
        """`tariff` is the broker's, if not that of `small_genesis`."""
        parameters = ConsensusParameters(boundary_blocks=BOUNDARY, deposit_blocks=30)
        genesis = small_genesis(parameters)
        market = replace(genesis.market, parameters=MarketParameters(rating_blocks=3))
        if tariff is not None:
            brokers = tuple(replace(broker, tariff=tariff) for broker in market.brokers)
            market = replace(market, brokers=brokers)
        tram = GenesisAccount(TRAM.address, "tram", "its", 10_000_000_000)
        ledger = replace(genesis.ledger, accounts=(*genesis.ledger.accounts, tram))
        super().__init__(replace(genesis, market=market, ledger=ledger))
        self._nonces: dict[str, int] = {}

    def send(self, key: SigningKey, *actions: Action) -> str:
        """Put a transaction into the next block; returns its id."""
        nonce = self._nonces.get(key.address, 0)
        self._nonces[key.address] = nonce + 1
        transaction = self.codec.decode(self.sign(key, nonce, *actions))
        self.mempool.add(transaction)
        return transaction.id.hex()

    def run_to(self, height: int) -> None:
        self.advance(max(0, height - self.tip().height))

    def seats(self) -> int:
        return self.application.validators.n

    def join(self) -> None:
        """Take the newcomer from its application to its seat."""
        key = key_of(NEWCOMER)
        self.send(ALICE, Transfer(key.address, 500_000_000))
        self.advance()
        public = vrf.public_key(vrf_seed(NEWCOMER)).hex()
        self.send(key, Apply(NEWCOMER, public, "", Resources(50_000, 50_000, 50_000)))
        self.advance()
        change = AdmitMember(key.address)
        first, *others = (key_of(name) for name in MEMBERS[:3])
        self.send(first, Propose(change))
        self.advance()
        for other in others:
            self.send(other, Approve(proposal_id(change).hex()))
        self.advance()
        self.send(key, Stake(100_000_000))
        while self.seats() == 4:
            self.advance()

    def leave(self) -> None:
        self.send(key_of(NEWCOMER), Leave())
        while self.seats() == 5:
            self.advance()

    def trade(self, best_expires: int = 500) -> str:
        """A bid with three asks; the best one is withdrawn by the block of the round."""
        server = key_of(MEMBERS[0])
        self.send(BUS, bid())
        sent = [self.send(server, replace(ask(10_000_000), expires=best_expires))]
        sent += [self.send(server, ask(floor)) for floor in (20_000_000, 30_000_000)]
        self.advance()
        best = order_id(bytes.fromhex(sent[0]), 0).hex()
        self.send(server, Cancel(best))
        self.advance()
        made = [
            event.data["agreement"]
            for event in self.queries.events(self.tip().height)
            if event.kind == "trade.made"
        ]
        (agreement,) = made
        return str(agreement)

    def class_trade(self) -> str:
        """A trade of a class (`EQUAL`) whose cheapest ask the block of the round reprices."""
        self.send(BUS, bid(60_000_000))
        self.send(TRAM, bid(50_000_000))
        servers = [key_of(name) for name in MEMBERS[:3]]
        for server, floor in zip(servers, (20_000_000, 30_000_000, 10_000_000), strict=True):
            sent = self.send(server, replace(ask(floor), longest_blocks=3))
        self.advance()
        price = AskPrice(
            expires=500,
            open_ppm=1_000_000,
            omega_micro=100_000,
            mu=1,
            cost=FlatFloor(5_000_000),
        )
        self.send(servers[-1], Reprice(order_id(bytes.fromhex(sent), 0).hex(), price))
        self.advance()
        events = self.queries.events(self.tip().height)
        (agreement,) = [e.data["agreement"] for e in events if e.kind == "trade.made"]
        return str(agreement)


def living() -> Living:
    """Four members, a fifth that comes and goes, views that were skipped, payments, a trade."""
    node = Living()
    node.advance(3)
    node.join()
    node.advance(2)
    node.advance(1, view=2)
    node.run_to(node.tip().height + BOUNDARY)
    node.leave()
    node.advance(3)
    return node


class Liar(httpx.AsyncBaseTransport):
    """A node's answers as `alter(path, data)` wants them, and how many were asked for."""

    def __init__(self, app: Any, alter: Alter | None = None) -> None:
        self.app = app
        self.alter = alter
        self.asked: list[str] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request.url.path)
        answer = await httpx.ASGITransport(app=self.app).handle_async_request(request)
        body = await answer.aread()
        if self.alter is None or answer.status_code != 200:
            return httpx.Response(answer.status_code, headers=answer.headers, content=body)
        document = json.loads(body)
        document["data"] = self.alter(request.url.path, document["data"])
        return httpx.Response(200, json=document)


def light_client(node: SmallNode, transport: httpx.AsyncBaseTransport, **known: Any) -> LightClient:
    client = Client("http://node", transport=transport, tries=1)
    return LightClient(client, chain_of(node.loaded), **known)


def mutations(document: Any) -> Iterator[tuple[str, Any]]:
    """The document with one leaf changed at a time: each character class, number, null, list."""
    for path, value in _leaves(document, ()):
        for changed in _changed(value):
            copy = deepcopy(document)
            inner = copy
            for step in path[:-1]:
                inner = inner[step]
            if changed is _DROP:
                del inner[path[-1]]
            else:
                inner[path[-1]] = changed
            yield ".".join(map(str, path)), copy


_DROP = object()


def _leaves(value: Any, path: tuple[Any, ...]) -> Iterator[tuple[tuple[Any, ...], Any]]:
    if isinstance(value, dict):
        for name in value:
            yield from _leaves(value[name], (*path, name))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _leaves(item, (*path, index))
    if path:
        yield path, value


def _changed(value: Any) -> Iterator[Any]:
    if isinstance(value, bool):
        yield not value
    elif isinstance(value, int):
        yield value + 1
        yield -1
    elif value is None:
        yield "00"
    elif isinstance(value, str):
        middle = len(value) // 2
        other = "0" if value[middle : middle + 1] != "0" else "1"
        yield value[:middle] + other + value[middle + 1 :]
        yield value + "\n"
        yield value[:-2]
        yield value.upper() if value.upper() != value else value + "x"
        yield None
    yield _DROP


def is_refused(check: Callable[[Any], None], document: Any) -> bool:
    try:
        check(document)
    except ProofFailed:
        return True
    return False
