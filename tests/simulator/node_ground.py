"""The node's own application under the simulator: real blocks, executed, elected, with money.

Four members as in tests/node/small_chain.py.  Transfers, bids and asks are put into the mempools
of all nodes that are up.  The fingerprint that must agree at every height is the state root.
"""

from __future__ import annotations

import random

from consensus.simplex.types import HeightStart, ValidatorSet
from ledger.crypto import verify
from ledger.errors import Rejected
from node.application.application import Application
from node.application.genesis import LoadedGenesis
from node.storage.batch import CommittedBlock
from tests.node import small_chain
from tests.simulator.disk import Disk, StoredBlock
from tests.simulator.ground import TIMING, Ground, Wishes
from tests.simulator.node import Plug, SimulatedNode

OFFERS_PER_FLEET = 12


def node_ground(wishes: Wishes, chance: random.Random) -> Ground:
    """A chain of four members with the node's application; `wishes` cannot change that."""
    genesis = small_chain.make_genesis(block_time_ms=TIMING.block_time_ms)
    workload = Workload(genesis, chance)
    plug = Plug(
        lambda key, disk: opened(genesis, key, disk),
        lambda height: voting_set(genesis, height),
        lambda application: application.state.root,
        variant=lambda data: data,
        invalid=lambda data: data[:-1],
        can_forge_blocks=False,
        work=workload.submit,
    )
    signers = tuple(small_chain.MEMBERS)
    return Ground("node application", genesis.hash, verify, signers, 4, plug)


def voting_set(genesis: LoadedGenesis, height: int) -> ValidatorSet:
    """No member joins or leaves here, so the set of height 1 is the set of every height."""
    if genesis.hash not in _SETS:
        _SETS[genesis.hash] = small_chain.fresh_application(genesis, None).validators
    return _SETS[genesis.hash]


_SETS: dict[bytes, ValidatorSet] = {}


def opened(genesis: LoadedGenesis, key: bytes, disk: Disk) -> tuple[Application, HeightStart]:
    """The application with the blocks of the disk executed again."""
    index = next(i for i, member in enumerate(small_chain.MEMBERS) if member.public_key == key)
    is_replaying = True

    def sink(block: CommittedBlock) -> None:
        if not is_replaying:
            header = block.block.header
            disk.append(
                [StoredBlock(header.height, block.block.hash, block.data, block.certificate)]
            )

    application = small_chain.fresh_application(genesis, index, sink)
    for height in sorted(disk.blocks):
        stored = disk.blocks[height]
        application.check(stored.data)
        application.commit(stored.digest, stored.certificate)
    is_replaying = False
    return application, application.height_start()


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
