"""Spammer: accuses honest validators in its blocks, and fills everybody's store of evidence.

Needs an application that punishes offences.
"""

from dataclasses import replace

from consensus.simplex.events import Message
from consensus.simplex.evidence import accuse
from consensus.simplex.types import Vote, VoteKind
from tests.simulator.adversaries.spoiler import Spoiler


class Spammer(Spoiler):
    def spoiled(self, data: bytes) -> bytes:
        """Half of its blocks are right as they are, and carry what it could make of evidence."""
        if data not in self._spoiled and self.node.world.chance.randrange(2):
            self._spoiled[data] = data
        return super().spoiled(data)

    def kinds(self) -> tuple[str, ...]:
        return ("false evidence", "evidence twice", "junk evidence")

    def post(self, receiver: int, message: Message) -> None:
        """Also convicts itself now and then, over and over: it may be punished once."""
        super().post(receiver, message)
        if not isinstance(message, Vote) or message.kind is not VoteKind.FINALIZE:
            return
        self._accuse_another(message)
        if self.node.world.chance.randrange(4) == 0:
            proposal = (message.parent_view, self.random_payload())
            super().post(receiver, self.sign(message.kind, message, message.view, proposal))

    def _accuse_another(self, vote: Vote) -> None:
        """Two votes that their signer never signed, for the next block of our own."""
        n = len(self.node.plug.validators(vote.height).keys)
        signer = (vote.signer + 1) % n
        rivals = [replace(vote, payload=self.random_payload(), signer=signer) for _ in range(2)]
        if self.node.application is not None:
            self.node.plug.evidence(self.node.application, accuse(*rivals))
