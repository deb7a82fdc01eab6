"""Impersonator: sends right votes under the index of another validator."""

from dataclasses import replace

from consensus.simplex.events import Message
from consensus.simplex.types import Vote
from tests.simulator.adversaries.corrupt import CorruptHost


class Impersonator(CorruptHost):
    def post(self, receiver: int, message: Message) -> None:
        if isinstance(message, Vote):
            n = len(self.node.plug.validators(message.height).keys)
            step = self.node.world.chance.randrange(1, n)
            message = replace(message, signer=(message.signer + step) % n)
        super().post(receiver, message)
