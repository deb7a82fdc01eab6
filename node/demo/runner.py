"""Runs the agents of the demo: looks at each new height, lets everybody act, tells what happened.

One loop, one height at a time, and at most so many transactions per height: the demo shows a
market, it does not load a network.  Everything is read back from the chain, so a node that stops,
or all of them, only makes it wait.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random

import msgspec

from auction.brokers import ServiceClass
from ledger.crypto import SigningKey
from ledger.members import Resources
from ledger.transactions import Action, build_transaction
from node.client.client import ApiError, Client, Document
from node.demo.agents import Buyer, ClassBook, Scene, Seller, slot_of
from node.demo.keyring import Signer
from node.demo.network import Network
from node.demo.story import Story, tokens

OBSERVE_EVERY = 20
MAX_CATCH_UP = 20
MAX_PER_HEIGHT = 12

Tell = Callable[[Mapping[str, object]], None]
"""Takes one thing that happened: `text` for people beside the fields for scripts."""


class NothingToDo(Exception):
    """None of the keys may trade on this chain."""


@dataclass(frozen=True, slots=True)
class Course:
    """How long the demo runs; None is without end."""

    seed: int
    rounds: int | None
    duration_s: float | None


@dataclass(slots=True)
class _Agent:
    name: str
    key: SigningKey
    mind: Buyer | Seller


class Demo:
    """All agents of one run."""

    def __init__(
        self, network: Network, signers: Sequence[Signer], course: Course, tell: Tell
    ) -> None:
        self._network = network
        self._signers = signers
        self._course = course
        self._tell = tell
        self._story = Story()
        self._agents: list[_Agent] = []
        self._servers: dict[str, int] = {}
        self._chain = ""
        self._genesis_hash = b""

    async def run(self) -> dict[str, int]:
        """Trade until the course is over; returns how often each kind of event was seen.

        Raises NothingToDo, and Unreachable when all nodes stay away.
        """
        loop = asyncio.get_running_loop()
        ends = None if self._course.duration_s is None else loop.time() + self._course.duration_s
        await self._meet()
        status = await self._network.call(Client.status)
        first = last = int(status["height"])
        pause = max(0.05, int(status["block_time_ms"]) / 4000)
        while ends is None or loop.time() < ends:
            height = int((await self._network.call(Client.status))["height"])
            if height <= last:
                await asyncio.sleep(pause)
                continue
            await self._narrate(max(last, height - MAX_CATCH_UP), height)
            await self._act(height)
            if height // OBSERVE_EVERY > last // OBSERVE_EVERY:
                await self._observe(height)
            last = height
            if self._course.rounds is not None and height - first >= self._course.rounds:
                break
        return self._story.summary()

    async def _meet(self) -> None:
        """Learn the chain and find out what each key may do on it."""
        status = await self._network.call(Client.status)
        self._chain = str(status["chain"])
        self._genesis_hash = bytes.fromhex(status["genesis_hash"])
        for signer in self._signers:
            address = signer.address
            account = await self._account(address)
            roles = account["roles"]
            random = Random(f"{self._course.seed}/{signer.name}")
            if "member" in roles:
                self._servers[address] = len(self._servers)
                declared = msgspec.convert(account["member"]["resources"], Resources)
                self._agents.append(
                    _Agent(signer.name, signer.key, Seller(random, slot_of(declared)))
                )
            elif "its" in roles:
                self._agents.append(_Agent(signer.name, signer.key, Buyer(random)))
            if account["name"]:
                self._story.names[address] = str(account["name"])
        kinds = Counter(type(agent.mind).__name__ for agent in self._agents)
        if not kinds:
            raise NothingToDo("none of these keys belongs to an ITS subsystem or a DT server")
        self._say(
            "demo.started",
            f"{kinds['Buyer']} ITS subsystems and {kinds['Seller']} DT servers trade "
            f"on {self._chain}, node {self._network.url}",
            buyers=kinds["Buyer"],
            sellers=kinds["Seller"],
        )

    async def _narrate(self, after: int, height: int) -> None:
        """Tell the events of the blocks above `after`."""
        for number in range(after + 1, height + 1):
            answer = await self._read(f"/v1/blocks/{number}")
            if answer is None:
                continue
            self._story.names.update(answer["meta"].get("names") or {})
            for event in answer["data"].get("events", ()):
                text = self._story.tell(number, event)
                if text is not None:
                    self._say(str(event["kind"]), text, height=number, data=event["data"])

    async def _act(self, height: int) -> None:
        """Let every agent decide on what it sees and send what it decided."""
        scene = await self._look(height)
        if not scene.brokers and not scene.class_books:
            return
        sent = 0
        for agent in self._agents:
            if sent >= MAX_PER_HEIGHT:
                break
            actions = agent.mind.decide(agent.key.address, scene)
            if actions:
                sent += 1
                await self._send(agent, actions, height)

    async def _look(self, height: int) -> Scene:
        orders = await self._network.call(Client.orders)
        agreements = await self._network.call(Client.agreements)
        brokers = await self._network.call(Client.brokers)
        ratable: dict[str, list[tuple[str, str]]] = {}
        for row in agreements:
            if row.get("status") == "ended" and not row.get("rated"):
                pair = (str(_first(row, "agreement", "id")), _address(row["seller"]))
                ratable.setdefault(_address(row["buyer"]), []).append(pair)
        active = [row for row in brokers if row.get("status") == "active"]
        # The paper's rule first: most orders go to the first broker's book.
        active.sort(key=lambda row: (row["tariff"]["pricing"] != "paper", str(row["name"])))
        books = [_class_book(row, orders) for row in active if row["tariff"]["classes"]]
        held = {book.broker: None for book in books}
        names = [_address(_first(row, "address", "broker")) for row in active]
        anywhere = [row for row in orders if _address(row["broker"]) not in held]
        return Scene(
            height=height,
            brokers=tuple(name for name in names if name not in held),
            open_orders=Counter(_address(row["owner"]) for row in anywhere),
            ratable=ratable,
            servers=self._servers,
            class_books=tuple(books),
        )

    async def _send(self, agent: _Agent, actions: Sequence[Action], height: int) -> None:
        """Sign and send; a refusal is told and the agent tries again at a later height."""
        address = agent.key.address
        try:
            nonce = await self._network.call(lambda client: client.next_nonce(address))
            raw = build_transaction(agent.key, self._genesis_hash, self._chain, nonce, actions)
            submitted = await self._network.call(lambda client: client.submit(raw))
        except ApiError as problem:
            self._say(
                "tx.refused",
                f"[{height}] {agent.name}: refused, {problem}",
                account=address,
                code=problem.code,
            )
            agent.mind.done([], height)
            return
        agent.mind.done(actions, height)
        kinds = Counter(type(action).__name__.lower() for action in actions)
        words = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))
        self._say(
            "tx.sent",
            f"[{height}] {agent.name} sends {words}",
            account=address,
            hash=submitted.hash,
            actions=dict(kinds),
        )

    async def _observe(self, height: int) -> None:
        """What a broker sees: its book and its account."""
        orders = await self._network.call(Client.orders)
        for row in await self._network.call(Client.brokers):
            address = _address(_first(row, "address", "broker"))
            sides = Counter(
                str(order.get("side")) for order in orders if _address(order["broker"]) == address
            )
            free = (await self._account(address))["free_micro"]
            self._say(
                "broker.observed",
                f"[{height}] {row.get('name')}: {sides['bid']} bids and {sides['ask']} asks open, "
                f"{tokens(free)} on its account",
                broker=address,
                bids=sides["bid"],
                asks=sides["ask"],
                free_micro=free,
            )

    async def _account(self, address: str) -> Document:
        return await self._network.call(lambda client: client.account(address))

    async def _read(self, path: str) -> Document | None:
        """One object, None where the node has no such thing (it may lag behind the last one)."""
        try:
            return await self._network.call(lambda client: client.get(path))
        except ApiError:
            return None

    def _say(self, kind: str, text: str, **values: object) -> None:
        self._tell({"kind": kind, "text": text, **values})


def _class_book(broker: Document, orders: Sequence[Document]) -> ClassBook:
    """A broker of classes with all who have an order open there."""
    address = _address(_first(broker, "address", "broker"))
    return ClassBook(
        address,
        msgspec.convert(broker["tariff"]["classes"], tuple[ServiceClass, ...]),
        frozenset(_address(row["owner"]) for row in orders if _address(row["broker"]) == address),
    )


def _address(party: object) -> str:
    """An address, whether given plainly or as {address, name}."""
    return str(party["address"]) if isinstance(party, dict) else str(party)


def _first(row: Document, *names: str) -> object:
    """The value of the first of these fields that is there."""
    return next((row[name] for name in names if name in row), "")
