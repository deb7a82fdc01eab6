"""Spoiler: as leader it proposes blocks that every check refuses."""

from consensus.simplex.events import Message
from consensus.simplex.types import Vote, VoteKind
from tests.simulator.adversaries.corrupt import CorruptHost


class Spoiler(CorruptHost):
    def post(self, receiver: int, message: Message) -> None:
        if isinstance(message, Vote) and message.kind is VoteKind.NOTARIZE:
            data = self.node.driver.block(message.payload) if self.node.driver else None
            leads = data is not None and message.parent_view == 0
            if leads and self.node.application.inspect(data).origin_view == message.view:
                facts = self.node.application.inspect(self.node.plug.invalid(data))
                message = self.sign(VoteKind.NOTARIZE, message, message.view, (0, facts.digest))
        super().post(receiver, message)

    def push_block(self, receiver: int, data: bytes) -> None:
        super().push_block(receiver, self.node.plug.invalid(data))
