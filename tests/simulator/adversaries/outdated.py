"""Outdated: repeats old messages, and signs proposals of views long gone."""

from collections import deque

from consensus.simplex.events import Message
from consensus.simplex.types import Vote, VoteKind
from tests.simulator.adversaries.corrupt import CorruptHost
from tests.simulator.node import SimulatedNode


class Outdated(CorruptHost):
    def __init__(self, node: SimulatedNode) -> None:
        super().__init__(node)
        self.said: deque[Message] = deque(maxlen=200)

    def post(self, receiver: int, message: Message) -> None:
        super().post(receiver, message)
        self.said.append(message)
        chance = self.node.world.chance
        if chance.randrange(4) == 0:
            super().post(receiver, self.said[chance.randrange(len(self.said))])
        if isinstance(message, Vote) and message.kind is VoteKind.NOTARIZE and message.view > 1:
            view = chance.randrange(1, message.view)
            super().post(receiver, self.sign(VoteKind.NOTARIZE, message, view, message.proposal))
