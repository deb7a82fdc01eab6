"""Conflicter: doubles each of its votes with one for a random block, to some of its peers."""

from consensus.simplex.events import Message
from consensus.simplex.types import Vote, VoteKind
from tests.simulator.adversaries.corrupt import CorruptHost


class Conflicter(CorruptHost):
    def post(self, receiver: int, message: Message) -> None:
        if isinstance(message, Vote) and message.kind is not VoteKind.NULLIFY:
            proposal = (message.parent_view, self.random_payload())
            if self.node.world.chance.randrange(3) == 0:
                lie = self.sign(message.kind, message, message.view, proposal)
                super().post(receiver, lie)
        super().post(receiver, message)
