"""Twins, enumerated: one key twice among four validators, every way to split them, view by view.

The processes are A, A' (the same key), B, C and D.  A scenario says which place A's key has in the
order of leaders of height 1, and for each of the first views how the five are split in two; what
belongs to a view passes within a side only.  B, C and D are interchangeable, so their order is
fixed; A and A' are too, so of two scenarios that differ by swapping them one is run.  With R views
that leaves 4 * (16^R + 8^R) / 2: all there are.

After those views, or a long time, the network heals: then B, C and D must agree and go on.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from itertools import product

from consensus.simplex.types import Certificate, Vote
from consensus.simplex.wire import decode_message
from ledger.crypto import digest
from node.driver.host import DriverSettings
from tests.simulator.checkers import Monitor, Violation
from tests.simulator.ground import TIMING, StubKey, stub_verify, toy_plug
from tests.simulator.network import Network
from tests.simulator.node import SimulatedNode
from tests.simulator.toy import ToyChain
from tests.simulator.world import EPOCH_MS, World

N = 4
PROCESSES = ("A", "A'", "B", "C", "D")
SPLITS = 1 << (len(PROCESSES) - 1)
"""A split is a number: bit i is set iff process i + 1 is on the other side than A."""

TWIN_ADDRESS = N
"""Where A' is reached; the others are at the index of their key."""

DRIFT_BOUND_MS = 150


@dataclass(frozen=True)
class TwinsScenario:
    """place: of the twins' key in the order of leaders, 0 is the leader of view 1."""

    place: int
    splits: tuple[int, ...]

    def together(self, view: int, one: int, other: int) -> bool:
        """Whether two processes are on one side in this view."""
        if view > len(self.splits):
            return True
        sides = self.splits[view - 1] << 1
        return sides >> one & 1 == sides >> other & 1


def swapped(split: int) -> int:
    """The same split with A and A' in each other's place."""
    return split ^ (SPLITS - 2) if split & 1 else split


def scenarios(views: int) -> Iterator[TwinsScenario]:
    """All scenarios of so many views, one of each pair that differs by swapping the twins."""
    for place in range(N):
        for splits in product(range(SPLITS), repeat=views):
            if splits <= tuple(map(swapped, splits)):
                yield TwinsScenario(place, splits)


def scenario_count(views: int) -> int:
    """How many `scenarios` gives."""
    return int(N * (SPLITS**views + (SPLITS // 2) ** views) // 2)


@dataclass(frozen=True)
class ScriptedChain(ToyChain):
    """The toy chain, with the leaders of height 1 as the scenario wants them."""

    first_order: tuple[int, ...] = ()

    def order(self, height: int, parent: bytes) -> tuple[int, ...]:
        return self.first_order if height == 1 else super().order(height, parent)


class Process(SimulatedNode):
    """One of the five; whatever it sends is filtered by the scenario."""

    process = 0
    stage: TwinsRun

    def send_packet(self, receiver: int, packet: object, size: int) -> None:
        addresses = (0, TWIN_ADDRESS) if receiver == 0 else (receiver,)
        for address in addresses:
            if self.stage.passes(self, address, packet):
                self.network.send(self.index, address, packet, size)


class TwinsRun:
    """The five processes of one scenario."""

    def __init__(self, scenario: TwinsScenario) -> None:
        self.scenario = scenario
        self.world = World(sum(split * 17**at for at, split in enumerate(scenario.splits)))
        self.healed = False
        signers = sorted(
            (StubKey(sha256(b"twin %d" % index).digest()) for index in range(N)),
            key=lambda signer: signer.public_key,
        )
        keys = tuple(signer.public_key for signer in signers)
        others = list(range(1, N))
        order = (*others[: scenario.place], 0, *others[scenario.place :])
        genesis_hash = digest("genesis", b"twins")
        block_time_ms = TIMING.block_time_ms
        chain = ScriptedChain(
            genesis_hash, EPOCH_MS, block_time_ms, keys, N, 0, stub_verify, first_order=order
        )
        plug = toy_plug(chain)
        self.monitor = Monitor(genesis_hash, stub_verify, plug.validators, (0,))
        network = Network(self.world)
        settings = DriverSettings(genesis_hash, stub_verify, TIMING, drift_bound_ms=DRIFT_BOUND_MS)
        self.processes: list[Process] = []
        for process in range(len(PROCESSES)):
            signer = signers[max(0, process - 1)]
            node = Process(self.world, network, self.monitor, plug, settings, keys, signer)
            node.process, node.stage = process, self
            node.is_honest = process > 1
            self.processes.append(node)
        network.deliver[0] = self.processes[0].receive
        network.deliver[TWIN_ADDRESS] = self.processes[1].receive
        self.honest = self.processes[2:]

    def passes(self, sender: Process, address: int, packet: object) -> bool:
        """Whether this packet stays on its side in the view it belongs to."""
        if self.healed or sender.driver is None:
            return True
        height, view = sender.driver.height, sender.driver.view
        match packet:
            case ("message", bytes() as data):
                message = decode_message(data)
                if isinstance(message, Vote | Certificate):
                    height, view = message.height, message.view
        receiver = 1 if address == TWIN_ADDRESS else address + 1 if address else 0
        return height > 1 or self.scenario.together(view, sender.process, receiver)

    def run(self) -> int:
        """Split, heal, progress; returns the height reached.  Raises Violation."""
        for node in self.processes:
            node.start()
        self.world.run_until(EPOCH_MS + self._split_ms(), self._all_through)
        self.healed = True
        goal = max(node.height for node in self.honest) + 1
        longest = TIMING.block_time_ms + 3 * TIMING.growth_cap * TIMING.round_trip_ms
        limit = 2 * (longest + TIMING.execution_budget_ms) + 2000 + 2 * TIMING.block_time_ms
        self.world.run_until(
            self.world.now_ms + limit, lambda: all(node.height >= goal for node in self.honest)
        )
        reached = min(node.height for node in self.honest)
        if reached < goal:
            raise Violation(f"{self.scenario}: height {reached} after {limit} ms, not {goal}")
        return reached

    def _split_ms(self) -> int:
        """How long the split views take when each runs into its last timer, and a bit more."""
        views = range(1, len(self.scenario.splits) + 1)
        grown = sum(3 * TIMING.grown_ms(view) + TIMING.execution_budget_ms for view in views)
        return TIMING.block_time_ms + grown + 4 * TIMING.round_trip_ms

    def _all_through(self) -> bool:
        views = len(self.scenario.splits)
        return all(
            node.driver is not None and (node.height > 0 or node.driver.view > views)
            for node in self.honest
        )
