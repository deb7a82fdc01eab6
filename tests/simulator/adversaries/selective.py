"""Selective: shows votes to some, certificates to others, blocks to others still."""

from consensus.simplex.events import Message
from consensus.simplex.types import Certificate, Vote
from tests.simulator.adversaries.corrupt import CorruptHost
from tests.simulator.node import SimulatedNode


class Selective(CorruptHost):
    """The circles are drawn anew with each life."""

    def __init__(self, node: SimulatedNode) -> None:
        super().__init__(node)
        chance, others = node.world.chance, range(len(node.keys))
        votes, certificates, blocks = (
            {index for index in others if chance.randrange(2)} for _ in range(3)
        )
        self.votes, self.certificates, self.blocks = votes, certificates, blocks

    def post(self, receiver: int, message: Message) -> None:
        if isinstance(message, Vote) and receiver not in self.votes:
            return
        if isinstance(message, Certificate) and receiver not in self.certificates:
            return
        super().post(receiver, message)

    def push_block(self, receiver: int, data: bytes) -> None:
        if receiver in self.blocks:
            super().push_block(receiver, data)
