"""Equivocator: as leader it shows one block to half of its peers and another to the rest."""

from consensus.simplex.events import Message
from consensus.simplex.types import Vote, VoteKind
from tests.simulator.adversaries.corrupt import CorruptHost


class Equivocator(CorruptHost):
    def post(self, receiver: int, message: Message) -> None:
        if isinstance(message, Vote) and message.kind is VoteKind.NOTARIZE and receiver % 2:
            data = self.node.driver.block(message.payload) if self.node.driver else None
            if data is not None and message.parent_view == 0:
                proposal = (0, self.node.plug.digest(self.node.plug.variant(data)))
                message = self.sign(VoteKind.NOTARIZE, message, message.view, proposal)
        super().post(receiver, message)

    def push_block(self, receiver: int, data: bytes) -> None:
        super().push_block(receiver, self.node.plug.variant(data) if receiver % 2 else data)
