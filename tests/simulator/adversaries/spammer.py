"""Spammer: accuses honest validators in its blocks, and fills everybody's store of evidence.

Needs an application that punishes offences.
"""

from consensus.simplex.events import Message
from consensus.simplex.types import Vote, VoteKind
from tests.simulator.adversaries.spoiler import Spoiler


class Spammer(Spoiler):
    def kinds(self) -> tuple[str, ...]:
        return ("false evidence", "evidence twice", "junk evidence")

    def post(self, receiver: int, message: Message) -> None:
        """Also convicts itself now and then, over and over: it may be punished once."""
        super().post(receiver, message)
        convicts = isinstance(message, Vote) and message.kind is VoteKind.FINALIZE
        if convicts and self.node.world.chance.randrange(4) == 0:
            proposal = (message.parent_view, self.random_payload())
            super().post(receiver, self.sign(message.kind, message, message.view, proposal))
