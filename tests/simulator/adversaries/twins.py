"""Twins: two honest nodes that share one key, each seen by some of the peers.

Which peer sees which twin changes all the time; some see both.  Neither twin lies, and together
they are as Byzantine as it gets: everything they sign is well meant and contradictory.
"""

from consensus.simplex.events import Message
from tests.simulator.adversaries.corrupt import CorruptNode
from tests.simulator.host import SimulatedHost
from tests.simulator.node import SimulatedNode

TURN_MS = 300


class TwinHost(SimulatedHost):
    """Speaks only to the peers that see this twin."""

    def post(self, receiver: int, message: Message) -> None:
        if self.node.sees(receiver):
            super().post(receiver, message)

    def push_block(self, receiver: int, data: bytes) -> None:
        if self.node.sees(receiver):
            super().push_block(receiver, data)


class Twin(SimulatedNode):
    """One of the two; `masks[peer]` has bit 1 for the first and bit 2 for the second."""

    bit = 1
    masks: dict[int, int]

    def make_host(self) -> SimulatedHost:
        return TwinHost(self)

    def sees(self, peer: int) -> bool:
        return bool(self.masks.get(peer, 3) & self.bit)

    def receive(self, sender: int, packet: object) -> None:
        if self.sees(sender):
            super().receive(sender, packet)


class Twins(CorruptNode):
    """Looks like one node from outside: same index, same key, two lives."""

    def __init__(self, world, network, monitor, plug, settings, keys, signer) -> None:
        arguments = (world, network, monitor, plug, settings, keys, signer)
        super().__init__(*arguments)
        self.masks: dict[int, int] = {}
        self.pair = (Twin(*arguments), Twin(*arguments))
        for bit, twin in enumerate(self.pair, start=1):
            twin.bit, twin.masks = bit, self.masks
        network.deliver[self.index] = self.receive
        self._turns = False

    @property
    def is_up(self) -> bool:
        return any(twin.is_up for twin in self.pair)

    @property
    def height(self) -> int:
        return max(twin.height for twin in self.pair)

    def start(self) -> None:
        for twin in self.pair:
            if not twin.is_up:
                twin.start()
        if not self._turns:
            self._turns = True
            self._turn()

    def crash(self) -> None:
        for twin in self.pair:
            if twin.is_up:
                twin.crash()

    def receive(self, sender: int, packet: object) -> None:
        for twin in self.pair:
            twin.receive(sender, packet)

    def _turn(self) -> None:
        chance = self.world.chance
        for peer in range(len(self.keys)):
            self.masks[peer] = chance.choice((1, 1, 2, 2, 3))
        self.world.after(TURN_MS, self._turn)
