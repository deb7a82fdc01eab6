"""Withholder: votes, but never shows its blocks; one peer alone gets them."""

from tests.simulator.adversaries.corrupt import CorruptHost


class Withholder(CorruptHost):
    def push_block(self, receiver: int, data: bytes) -> None:
        if receiver == (self.node.index + 1) % len(self.node.keys):
            super().push_block(receiver, data)

    def serve_block(self, receiver: int, data: bytes) -> None:
        self.node.world.note("withheld")
