"""Silent: hears everything and says nothing; Withholder: votes, but never shows its blocks."""

from consensus.simplex.events import Message
from tests.simulator.adversaries.corrupt import CorruptHost


class Silent(CorruptHost):
    def post(self, receiver: int, message: Message) -> None:
        self.node.world.note("withheld")

    def push_block(self, receiver: int, data: bytes) -> None:
        self.node.world.note("withheld")


class Withholder(CorruptHost):
    def push_block(self, receiver: int, data: bytes) -> None:
        """One peer gets the block, nobody else."""
        if receiver == (self.node.index + 1) % len(self.node.keys):
            super().push_block(receiver, data)
