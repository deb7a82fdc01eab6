"""Nullify-only: answers each proposal with NULLIFY, never notarizes another's, never finalizes."""

from consensus.simplex.events import Message
from consensus.simplex.types import Vote, VoteKind
from tests.simulator.adversaries.corrupt import CorruptHost


class NullifyOnly(CorruptHost):
    def post(self, receiver: int, message: Message) -> None:
        if isinstance(message, Vote) and message.kind is not VoteKind.NULLIFY:
            message = self.sign(VoteKind.NULLIFY, message, message.view, (0, b""))
        super().post(receiver, message)
