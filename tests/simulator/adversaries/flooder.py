"""Flooder: for every message it owes, a heap of validly signed ones that nobody needs."""

from dataclasses import replace

from consensus.simplex.events import GetCertificate, Message, Status
from consensus.simplex.types import Vote, VoteKind, Want
from tests.simulator.adversaries.corrupt import CorruptHost


class Flooder(CorruptHost):
    def post(self, receiver: int, message: Message) -> None:
        super().post(receiver, message)
        if not isinstance(message, Vote):
            return
        chance = self.node.world.chance
        for _ in range(4):
            height = message.height + chance.randrange(-3, 4)
            view = chance.randrange(1, 1 << 30)
            elsewhere = replace(message, height=max(1, height))
            proposal = (0, self.random_payload())
            kind = chance.choice((VoteKind.NOTARIZE, VoteKind.FINALIZE))
            super().post(receiver, self.sign(kind, elsewhere, view, proposal))
            super().post(receiver, GetCertificate(elsewhere.height, view, Want.ANY))
            super().post(receiver, Status(elsewhere.height, view, asks=True))

    def push_block(self, receiver: int, data: bytes) -> None:
        super().push_block(receiver, data)
        for _ in range(4):
            super().push_block(receiver, self.node.plug.variant(data))
            kind = self.node.world.chance.choice(self.node.plug.invalid_kinds)
            super().push_block(receiver, self.node.plug.invalid(data, kind))
