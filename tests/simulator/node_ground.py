"""The node's own application under the simulator: real blocks, executed, elected, with money.

Four members as in tests/node/small_chain.py.  Transfers, bids and asks are put into the mempools
of all nodes that are up.  The fingerprint that must agree at every height is the state root; what
the chain did with its money and its draws is judged by `audit.py`.
"""

from __future__ import annotations

import random
from dataclasses import replace as replace_value

from msgspec.structs import replace

from consensus.commits import Commits
from consensus.parameters import ConsensusParameters
from consensus.simplex.application import Application as AnyApplication
from consensus.simplex.evidence import Evidence, accuse
from consensus.simplex.types import HeightStart, Vote, VoteKind
from consensus.simplex.wire import encode_evidence
from ledger.blocks import (
    block_hash,
    commits_root,
    decode_block,
    encode_block,
    make_block,
    transactions_root,
)
from ledger.codec import unpack
from ledger.crypto import verify
from ledger.errors import Rejected
from node.application.application import Application
from node.application.genesis import LoadedGenesis
from node.application.startup import STORED_LIMITS
from node.storage.batch import CommittedBlock
from tests.node import small_chain
from tests.simulator.audit import Audit
from tests.simulator.disk import Disk, StoredBlock
from tests.simulator.ground import TIMING, Ground, Wishes
from tests.simulator.node import Plug, SimulatedNode

OFFERS_PER_FLEET = 12
HOUR_MS = 3_600_000

NODE_SPOILS = (
    "wrong state root",
    "wrong parent",
    "stale view",
    "wrong builder",
    "wrong VRF proof",
    "wrong next set",
    "time goes back",
    "time far ahead",
    "no last commit",
    "transaction twice",
    "false evidence",
    "evidence twice",
    "junk evidence",
    "oversize",
    "cut short",
)


def node_ground(wishes: Wishes, chance: random.Random) -> Ground:
    """A chain of four members with the node's application; `wishes` cannot change that."""
    parameters = ConsensusParameters(
        drift_bound_ms=150, boundary_blocks=6, jail_skips=3, jail_blocks=8, deposit_blocks=12
    )
    genesis = small_chain.make_genesis(TIMING.block_time_ms, consensus=parameters)
    workload = Workload(genesis, chance)
    audit = Audit(genesis)
    plug = Plug(
        lambda key, disk: opened(genesis, key, disk, audit),
        audit.validators,
        lambda application: application.state.root,  # type: ignore[attr-defined]
        lambda data: variant(genesis.hash, data),
        lambda data, kind: spoiled_block(genesis.hash, data, kind),
        NODE_SPOILS,
        lambda data: node_digest(genesis.hash, data),
        evidence=take_evidence,
        work=workload.submit,
        audit=audit.finish,
    )
    signers = tuple(small_chain.MEMBERS)
    return Ground("node application", genesis.hash, verify, signers, 4, plug, audit)


def take_evidence(application: AnyApplication, evidence: Evidence) -> None:
    """As the service does: the next own block may carry it."""
    if isinstance(application, Application):
        application.note_evidence(encode_evidence(evidence))


def opened(
    genesis: LoadedGenesis, key: bytes, disk: Disk, audit: Audit
) -> tuple[Application, HeightStart]:
    """The application with the blocks of the disk executed again."""
    index = next(i for i, member in enumerate(small_chain.MEMBERS) if member.public_key == key)
    is_replaying = True
    running: list[Application] = []

    def sink(block: CommittedBlock) -> None:
        if not is_replaying:
            stored = StoredBlock(block.height, block.block.hash, block.data, block.certificate)
            disk.append([stored])
            audit.committed(running[0], block)

    application = small_chain.fresh_application(genesis, index, sink)
    running.append(application)
    for height in sorted(disk.blocks):
        stored = disk.blocks[height]
        application.check(stored.data)
        application.commit(stored.digest, stored.certificate)
    is_replaying = False
    return application, application.height_start()


# ---------------------------------------------------------------- blocks of adversaries


def node_digest(genesis_hash: bytes, data: bytes) -> bytes:
    """The hash of what stands where a header should."""
    try:
        header = unpack(data, 4, 1 << 26)[0]
    except (Rejected, IndexError):
        header = data
    return block_hash(header, genesis_hash)


def variant(genesis_hash: bytes, data: bytes) -> bytes:
    """The same block, one millisecond later."""
    block = decode_block(data, genesis_hash, STORED_LIMITS)
    later = replace(block.header, time_ms=block.header.time_ms + 1)
    return encode_block(
        make_block(later, block.transactions, block.clearings, block.commits, genesis_hash)
    )


def spoiled_block(genesis_hash: bytes, data: bytes, kind: str) -> bytes:
    """A block that must not become final, made of one that may."""
    if kind == "oversize":
        return data + bytes(1 << 16)
    if kind == "cut short":
        return data[:-1]
    block = decode_block(data, genesis_hash, STORED_LIMITS)
    header, transactions, commits = block.header, block.transactions, block.commits
    match kind:
        case "wrong parent":
            header = replace(header, parent="00" * 32)
        case "stale view":
            header = replace(header, view=header.view + 1)
        case "wrong builder":
            header = replace(header, builder="00" * 32)
        case "wrong VRF proof":
            header = replace(header, vrf="00" * 80)
        case "wrong next set":
            header = replace(header, validators_hash="00" * 32)
        case "time goes back":
            header = replace(header, time_ms=small_chain.START_MS)
        case "time far ahead":
            header = replace(header, time_ms=header.time_ms + HOUR_MS)
        case "transaction twice" if transactions:
            transactions = (*transactions, transactions[0])
            header = replace(header, transactions_root=transactions_root(transactions).hex())
        case "no last commit" | "false evidence" | "evidence twice" | "junk evidence":
            commits = _spoiled_commits(Commits.decode(commits), header.height, kind)
            header = replace(header, commits_root=commits_root(commits).hex())
        case _:
            header = replace(header, state_root="00" * 32)
    return encode_block(make_block(header, transactions, block.clearings, commits, genesis_hash))


def _spoiled_commits(commits: Commits, height: int, kind: str) -> bytes:
    """Evidence that nobody signed, the same twice, or no evidence at all."""
    if kind == "no last commit":
        return replace_value(commits, last_commit=None, late_votes=()).encode()
    signer = height % 4
    votes = [
        Vote(VoteKind.FINALIZE, height, 1, 0, bytes((mark,)) * 32, signer, bytes((mark,)) * 64)
        for mark in (1, 2)
    ]
    item = encode_evidence(accuse(*votes))
    items = {"false evidence": (item,), "evidence twice": (item, item)}.get(kind, (b"junk",))
    return replace_value(commits, evidence=items).encode()


# ---------------------------------------------------------------- something to do


class Workload:
    """Signs transactions with rising nonces and offers them to every node that is up."""

    def __init__(self, genesis: LoadedGenesis, chance: random.Random) -> None:
        self.chance = chance
        self.wallet = small_chain.Wallet(small_chain.fresh_application(genesis, None).chain)
        self.offers = 0

    def submit(self, nodes: list[SimulatedNode]) -> None:
        transaction = self._transaction()
        for node in nodes:
            application = node.application
            if node.is_up and isinstance(application, Application):
                try:
                    application.mempool.add(transaction)
                except Rejected:
                    node.world.counts["transaction refused"] += 1

    def _transaction(self) -> small_chain.Transaction:
        people, fleets = small_chain.PEOPLE, small_chain.FLEETS
        if self.offers < 2 * OFFERS_PER_FLEET and self.chance.randrange(2):
            self.offers += 1
            if self.offers % 2:
                return self.wallet.sign(fleets[0], small_chain.bid())
            return self.wallet.sign(small_chain.MEMBERS[self.offers // 2 % 4], small_chain.ask())
        payer, payee = self.chance.sample(people, 2)
        return self.wallet.pay(payer, payee, self.chance.randrange(1, 1000))
