"""What the crash tests hold against a network: its votes, its payments, and agents that trade."""

import asyncio
import json

from ledger.native import Transfer
from node.application.genesis import load as load_genesis
from node.client.client import Client, Document
from node.client.wallet import Wallet
from tests.e2e.kit import Net, spawn
from tests.e2e.vote_tap import VoteTap, genesis_validators, own_votes, votes_on_chain


class Town:
    """The network with a tap on its votes, and all payments a node has called final."""

    def __init__(self, net: Net, tap: VoteTap) -> None:
        self.net, self.tap = net, tap
        self.genesis = load_genesis(net.layout.genesis)
        self.validators = genesis_validators(self.genesis)
        self.final: dict[str, tuple[int, int]] = {}

    def pay(self, node: int, count: int = 5) -> None:
        """Send payments through one node and wait until it says that all are final."""
        key, receiver = self.net.key("alice"), self.net.account("bob")

        async def send() -> list[Document]:
            async with Client(self.net.url(node)) as client:
                wallet = Wallet(client, key)
                sent = await wallet.send_all([[Transfer(receiver, 1)] for _ in range(count)])
                return [await client.wait_final(each.hash, 60.0) for each in sent]

        for done in asyncio.run(send()):
            assert done["code"] == "ok"
            self.final[done["hash"]] = (done["height"], done["index"])

    def require_payments(self, node: int) -> None:
        """Every payment that was ever called final stands at its place on this node."""
        for identity, place in self.final.items():
            found = self.net.data(node, f"/v1/txs/{identity}")
            assert (found["status"], found["height"], found["index"]) == ("final", *place)

    def keep_journals(self) -> None:
        """Take note of what every node, dead or alive, has on record as signed."""
        for index in range(self.net.size):
            self.tap.ledger.add(own_votes(self.net.layout.node(index) / "data"))

    def require_no_second_vote(self) -> None:
        """Nobody signed against itself: over what was heard, journals, and all blocks."""
        self.keep_journals()
        for index in range(self.net.size):
            data = self.net.layout.node(index) / "data"
            self.tap.ledger.add(votes_on_chain(data, self.genesis.hash))
        votes = self.tap.ledger
        assert votes.forged(self.validators, self.genesis.hash) == []
        assert votes.signed_twice() == []
        # Blocks alone hold little more than four votes a height: the others were heard.
        assert votes.per_height() > 5
        assert not [line for line in self.net.logs() if "conflicting votes" in line]


class Demo:
    """`twinchain demo` at work, and what it has told."""

    def __init__(self, net: Net) -> None:
        self.out = net.layout.root.parent / "demo.txt"
        arguments = ("demo", "--dir", str(net.layout.root), "--json")
        self.process = spawn(arguments, self.out, net.stderr, {})

    def told(self, kind: str) -> list[Document]:
        lines = [
            line for line in self.out.read_text().splitlines(keepends=True) if line[-1] == "\n"
        ]
        return [event for line in lines if (event := json.loads(line))["kind"] == kind]
