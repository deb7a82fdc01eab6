"""Silent: hears everything and says nothing."""

from consensus.simplex.events import Message
from tests.simulator.adversaries.corrupt import CorruptHost


class Silent(CorruptHost):
    def post(self, receiver: int, message: Message) -> None:
        self.node.world.note("withheld")

    def push_block(self, receiver: int, data: bytes) -> None:
        self.node.world.note("withheld")

    def serve_block(self, receiver: int, data: bytes) -> None:
        self.node.world.note("withheld")
