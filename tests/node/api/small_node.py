"""A whole small chain in memory behind the API: real ledger, market and election, no network.

Blocks are made when a test says so, by whoever leads, and signed final by all.  Every block passes
the same `check` as on a real node.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, replace

from auction.brokers import Tariff
from auction.genesis import GenesisBroker, MarketGenesis
from auction.parameters import MarketParameters
from consensus.election import Election
from consensus.genesis import ConsensusGenesis
from consensus.parameters import ConsensusParameters
from consensus.simplex.application import BuildRequest
from consensus.simplex.types import Certificate, VoteKind, vote_message
from consensus.simplex.wire import encode_certificate
from ledger import vrf
from ledger.crypto import SigningKey, verify
from ledger.errors import Rejected
from ledger.execution import Receipt
from ledger.genesis import GenesisAccount, GenesisMember, LedgerGenesis
from ledger.members import Resources
from ledger.parameters import LedgerParameters
from ledger.state import Event, State, StateProof
from ledger.transactions import Action, TransactionCodec, build_transaction, check_signature
from node.api.backend import NodeFacts, PeerFacts, Tip
from node.application.application import Application, Options, election_bytes
from node.application.building import Builder, Material, build_block
from node.application.chain import chain_of
from node.application.genesis import Genesis, from_genesis, genesis_state
from node.application.head import genesis_head
from node.application.mempool import AddResult, Mempool
from node.storage.batch import CommittedBlock
from node.storage.blocks import encode_set

START_MS = 1_760_000_000_000
CHAIN = "small-city"
NOTICE_BLOCKS = 5


def key_of(name: str) -> SigningKey:
    return SigningKey.from_seed(name.encode().ljust(32, b"."))


MEMBERS = tuple(f"server-{index}" for index in range(4))
NEWCOMER = "server-4"
SERVERS = (*MEMBERS, NEWCOMER)
ALICE, BOB, BUS, BROKER = (key_of(name) for name in ("alice", "bob", "bus-fleet", "broker"))


def vrf_seed(name: str) -> bytes:
    return b"vrf" + name.encode().ljust(29, b".")


def small_genesis(consensus: ConsensusParameters | None = None) -> Genesis:
    accounts = [GenesisAccount(key_of(name).address, name, "", 50_000_000) for name in MEMBERS] + [
        GenesisAccount(key_of(NEWCOMER).address, NEWCOMER, "", 200_000_000),
        GenesisAccount(ALICE.address, "alice", "account", 10_000_000_000),
        GenesisAccount(BUS.address, "bus fleet", "its", 10_000_000_000),
        GenesisAccount(BROKER.address, "north broker", "broker", 0),
    ]
    members = [
        GenesisMember(
            key_of(name).address,
            name,
            vrf.public_key(vrf_seed(name)).hex(),
            f"http://{name}:8080",
            Resources(100_000, 100_000, 100_000),
            100_000_000,
            5000,
        )
        for name in MEMBERS
    ]
    tariff = Tariff(
        lambda_micro=500_000,
        sigma_ppm=500_000,
        fee_basis="deal",
        weights="spread",
        pricing="paper",
    )
    broker = GenesisBroker(BROKER.address, "north broker", tariff)
    parameters = LedgerParameters(chain=CHAIN, block_time_ms=1000)
    ledger = LedgerGenesis(parameters, tuple(accounts), tuple(members), 1_000_000_000)
    market = MarketGenesis(MarketParameters(tariff_notice_blocks=NOTICE_BLOCKS), (broker,))
    return Genesis(
        CHAIN, START_MS, ledger, ConsensusGenesis(consensus or ConsensusParameters()), market
    )


@dataclass(frozen=True)
class Row:
    height: int
    hash: bytes
    header: bytes
    certificate: bytes
    time_ms: int
    builder: str
    view: int
    transactions: int
    trades: int
    size: int


@dataclass(frozen=True)
class Place:
    height: int
    position: int
    raw: bytes
    receipt: Receipt


@dataclass(frozen=True)
class Result:
    tx_id: bytes
    status: str
    code: str = ""
    detail: str = ""


class MemoryQueries:
    """The read side over a list of committed blocks."""

    def __init__(self) -> None:
        self.committed: list[CommittedBlock] = []
        self.elections: dict[int, bytes] = {}
        self.pruned: set[int] = set()
        self.first_height = 1
        self.sets: dict[bytes, bytes] = {}

    def blocks_at(self, heights: Sequence[int]) -> list[Row]:
        return [row for height in heights if (row := self.block(height))]

    def trade_proofs(self, height: int) -> bytes | None:
        found = self._at(height)
        return found.trade_proofs or None if found else None

    def voting_set(self, digest: bytes) -> bytes | None:
        return self.sets.get(digest)

    def take(self, block: CommittedBlock) -> None:
        if block.next_set is not None:
            self.sets[block.next_set.digest] = encode_set(block.next_set)
        self.committed.append(block)
        self.elections[block.height + 1] = block.election

    def _at(self, height: int) -> CommittedBlock | None:
        return self.committed[height - 1] if 1 <= height <= len(self.committed) else None

    def block(self, height: int) -> Row | None:
        found = self._at(height)
        if found is None:
            return None
        header = found.block.header
        return Row(
            height,
            found.block.hash,
            found.block.header_bytes,
            encode_certificate(found.certificate),
            header.time_ms,
            header.builder,
            header.view,
            len(found.transactions),
            found.trades,
            len(found.data),
        )

    def block_by_hash(self, digest: bytes) -> Row | None:
        heights = [each.height for each in self.committed if each.block.hash == digest]
        return self.block(heights[0]) if heights else None

    def blocks(self, before_height: int | None, limit: int) -> list[Row]:
        top = len(self.committed) + 1 if before_height is None else before_height
        heights = range(min(top - 1, len(self.committed)), 0, -1)[:limit]
        return [row for height in heights if (row := self.block(height))]

    def body(self, height: int) -> bytes | None:
        found = self._at(height)
        return None if found is None or height in self.pruned else found.data

    def transaction(self, transaction_id: bytes) -> Place | None:
        for found in self.committed:
            for position, transaction in enumerate(found.transactions):
                if transaction.id == transaction_id:
                    receipt = found.receipts[position]
                    return Place(found.height, position, transaction.raw, receipt)
        return None

    def receipts(self, height: int) -> Sequence[Receipt]:
        found = self._at(height)
        return found.receipts if found else ()

    def events(self, height: int) -> Sequence[Event]:
        found = self._at(height)
        return found.events if found else ()

    def activity(self, address: str, before_height: int | None, limit: int) -> list[int]:
        key = bytes.fromhex(address)
        heights = [
            each.height
            for each in reversed(self.committed)
            if any(key in changed for changed in each.changes)
            and (before_height is None or each.height < before_height)
        ]
        return heights[:limit]

    def transactions_of(
        self, address: str, before: tuple[int, int] | None, limit: int
    ) -> list[tuple[int, int]]:
        places = [
            (each.height, position)
            for each in self.committed
            for position, transaction in enumerate(each.transactions)
            if address.encode() in transaction.raw
        ]
        places = sorted((p for p in places if before is None or p < before), reverse=True)
        return places[:limit]

    def membership(
        self, before_height: int | None, limit: int
    ) -> list[tuple[int, Sequence[tuple[int, Event]]]]:
        topics = ("member.", "validators.", "proposal.", "parameter.", "broker.")
        told = [
            (
                each.height,
                [
                    (number, event)
                    for number, event in enumerate(each.events, start=1)
                    if event.kind.startswith(topics)
                ],
            )
            for each in reversed(self.committed)
            if before_height is None or each.height < before_height
        ]
        return [(height, events) for height, events in told if events][:limit]

    def election(self, height: int) -> bytes | None:
        return self.elections.get(height)

    def round_document(self, height: int) -> bytes | None:
        found = self._at(height)
        return found.round or None if found else None


class SmallNode:
    """Satisfies `node.api.backend.Backend`."""

    version = "0.1.0-test"
    block_time_ms = 1000

    def __init__(self, genesis: Genesis | None = None) -> None:
        self.loaded = from_genesis(genesis or small_genesis())
        self.people = list(SERVERS)
        self._chain = chain_of(self.loaded)
        self.queries = MemoryQueries()
        head = genesis_head(genesis_state(self.loaded), self.loaded)
        self.application = Application(self._chain, head, Options(), self.queries.take)
        self.queries.elections[1] = election_bytes(head.election)
        self.now = START_MS
        self.facts = NodeFacts("server-0", key_of(MEMBERS[0]).address, 0, "validating")
        self.peer_list = [
            PeerFacts(key_of(name).address, name, f"http://{name}:8080", True, 0, 3)
            for name in MEMBERS[1:]
        ]
        self.check_list: list[tuple[str, bool, str]] = [("writer", True, "durable")]
        self.submissions = 0
        self.busy: Rejected | None = None
        self.last_state_root = b""
        self._heights: list[asyncio.Queue[int | None]] = []
        self._progress = asyncio.Event()

    # ------------------------------------------------------------ Backend
    @property
    def chain(self) -> str:
        return self._chain.name

    @property
    def genesis_hash(self) -> bytes:
        return self.loaded.hash

    @property
    def genesis_bytes(self) -> bytes:
        return self.loaded.data

    @property
    def codec(self) -> TransactionCodec:
        return self._chain.codec

    @property
    def mempool(self) -> Mempool:
        return self.application.mempool

    def tip(self) -> Tip:
        head = self.application.head
        return Tip(head.height, head.hash, head.time_ms, head.view)

    def state(self) -> State:
        return self.application.state

    def prove(self, key: bytes) -> StateProof:
        return self.application.state.prove(key)

    def election(self) -> Election:
        return self.application.election

    def node_facts(self) -> NodeFacts:
        return self.facts

    def consensus_snapshot(self) -> Mapping[str, object]:
        leader = self.application.election.leader(1)
        return {"height": self.tip().height + 1, "view": 1, "leader": leader.address}

    def peers(self) -> Sequence[PeerFacts]:
        height = self.tip().height
        return [replace(peer, height=height) for peer in self.peer_list]

    def checks(self) -> Sequence[tuple[str, bool, str]]:
        return self.check_list

    def no_room(self) -> Rejected | None:
        return self.busy

    async def submit(self, items: Sequence[bytes]) -> Sequence[Result]:
        self.submissions += len(items)
        return [self._admit(raw, keep=True) for raw in items]

    async def check(self, items: Sequence[bytes]) -> Sequence[Result]:
        return [self._admit(raw, keep=False) for raw in items]

    def _admit(self, raw: bytes, *, keep: bool) -> Result:
        try:
            transaction = self.codec.decode(raw)
        except Rejected as error:
            return Result(b"", "rejected", error.reason, error.detail)
        if not check_signature(transaction):
            return Result(transaction.id, "rejected", "invalid_signature", "")
        if self.queries.transaction(transaction.id):
            return Result(transaction.id, "final")
        if not keep:
            return Result(transaction.id, "pending")
        try:
            added = self.mempool.add(transaction)
        except Rejected as error:
            return Result(transaction.id, "rejected", error.reason, error.detail)
        return Result(transaction.id, "known" if added is AddResult.KNOWN else "pending")

    async def wait_final(self, transaction_id: bytes, timeout_s: float) -> bool:
        try:
            async with asyncio.timeout(timeout_s):
                while self.queries.transaction(transaction_id) is None:
                    await self._progress.wait()
        except TimeoutError:
            return False
        return True

    async def subscribe(self) -> AsyncIterator[int]:
        queue: asyncio.Queue[int | None] = asyncio.Queue()
        self._heights.append(queue)
        while (height := await queue.get()) is not None:
            yield height

    # ------------------------------------------------------------ what tests do
    @property
    def subscribers(self) -> int:
        return len(self._heights)

    def stop(self) -> None:
        for queue in self._heights:
            queue.put_nowait(None)

    def sign(self, key: SigningKey, nonce: int, *actions: Action, expires: int = 0) -> bytes:
        return build_transaction(key, self.genesis_hash, CHAIN, nonce, actions, expires)

    def advance(self, blocks: int = 1, *, view: int = 1) -> None:
        """Make and commit blocks of what waits; `view` 2 and up: the first leaders are skipped."""
        for _ in range(blocks):
            self._one_block(view)

    def _one_block(self, view: int) -> None:
        application = self.application
        head = application.head
        self.now += self.block_time_ms
        leader = head.election.leader(view).address
        name = next(name for name in self.people if key_of(name).address == leader)
        skips = tuple(self._signed(VoteKind.NULLIFY, earlier, b"") for earlier in range(1, view))
        request = BuildRequest(head.height + 1, view, head.hash, self.now, skips)
        material = Material(self.mempool.candidates(), (), ())
        builder = Builder(leader, vrf_seed(name))
        proposal = build_block(self._chain, head, builder, request, material, verify)
        application.check(proposal.data)
        digest = proposal.block.hash
        application.commit(digest, self._signed(VoteKind.FINALIZE, view, digest))
        self.publish()

    def publish(self) -> None:
        """Tell listeners the height, as a node does once a block is durable."""
        for queue in self._heights:
            queue.put_nowait(self.tip().height)
        self._progress.set()
        self._progress = asyncio.Event()

    def _signed(self, kind: VoteKind, view: int, payload: bytes) -> Certificate:
        head = self.application.head
        validators = head.validators
        message = vote_message(
            self.genesis_hash, validators.digest, kind, head.height + 1, view, 0, payload
        )
        keys = {bytes.fromhex(key_of(name).address): key_of(name) for name in self.people}
        signatures = tuple(keys[public].sign(message) for public in validators.keys)
        bitmap = bytes([(1 << validators.n) - 1])
        return Certificate(kind, head.height + 1, view, 0, payload, bitmap, signatures)
