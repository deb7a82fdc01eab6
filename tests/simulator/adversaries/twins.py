"""Twins: two honest nodes that share one key, each seen by some of the peers.

Which peer sees which twin changes all the time; some see both.  Neither twin lies, and together
they are as Byzantine as it gets: everything they sign is well meant and contradictory.
"""

from consensus.simplex.types import Signer
from node.driver.host import DriverSettings
from tests.simulator.adversaries.corrupt import CorruptNode
from tests.simulator.checkers import Monitor
from tests.simulator.network import Network
from tests.simulator.node import Plug, SimulatedNode
from tests.simulator.world import World

TURN_MS = 300


class Twin(SimulatedNode):
    """One of the two; `masks[peer]` has bit 1 for the first and bit 2 for the second."""

    bit = 1
    masks: dict[int, int]

    def sees(self, peer: int) -> bool:
        return bool(self.masks.get(peer, 3) & self.bit)

    def send_packet(self, receiver: int, packet: object, size: int) -> None:
        if self.sees(receiver):
            super().send_packet(receiver, packet, size)

    def receive(self, sender: int, packet: object) -> None:
        if self.sees(sender):
            super().receive(sender, packet)


class Twins(CorruptNode):
    """Looks like one node from outside: same index, same key, two lives."""

    def __init__(
        self,
        world: World,
        network: Network,
        monitor: Monitor,
        plug: Plug,
        settings: DriverSettings,
        keys: tuple[bytes, ...],
        signer: Signer,
    ) -> None:
        arguments = (world, network, monitor, plug, settings, keys, signer)
        super().__init__(*arguments)
        self.masks: dict[int, int] = {}
        self.pair = (Twin(*arguments), Twin(*arguments))
        for bit, twin in enumerate(self.pair, start=1):
            twin.bit, twin.masks = bit, self.masks
            twin.is_honest = False
        network.deliver[self.index] = self.receive
        self._turns = False

    @property
    def processes(self) -> tuple[SimulatedNode, ...]:
        return self.pair

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
