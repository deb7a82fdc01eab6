"""Nuller: signs NULLIFY and FINALIZE for every view it votes in."""

from consensus.simplex.events import Message
from consensus.simplex.types import Vote, VoteKind
from tests.simulator.adversaries.corrupt import CorruptHost


class Nuller(CorruptHost):
    def post(self, receiver: int, message: Message) -> None:
        super().post(receiver, message)
        if isinstance(message, Vote) and message.kind is VoteKind.NOTARIZE:
            super().post(receiver, self.sign(VoteKind.NULLIFY, message, message.view, (0, b"")))
            finalize = self.sign(VoteKind.FINALIZE, message, message.view, message.proposal)
            super().post(receiver, finalize)
