"""Spoiler: as leader it proposes blocks that must not become final, of every kind there is."""

from consensus.simplex.events import Message
from consensus.simplex.types import Vote, VoteKind
from tests.simulator.adversaries.corrupt import CorruptHost
from tests.simulator.node import SimulatedNode


class Spoiler(CorruptHost):
    def __init__(self, node: SimulatedNode) -> None:
        super().__init__(node)
        self._spoiled: dict[bytes, bytes] = {}

    def kinds(self) -> tuple[str, ...]:
        """How its blocks are spoiled."""
        return self.node.plug.invalid_kinds

    def spoiled(self, data: bytes) -> bytes:
        """The same spoiled block each time, for everybody."""
        if data not in self._spoiled:
            kind = self.node.world.chance.choice(self.kinds())
            self.node.world.counts[f"block spoiled, {kind}"] += 1
            self._spoiled[data] = self.node.plug.invalid(data, kind)
        return self._spoiled[data]

    def post(self, receiver: int, message: Message) -> None:
        if isinstance(message, Vote) and message.kind is VoteKind.NOTARIZE:
            driver, application = self.node.driver, self.node.application
            data = driver.block(message.payload) if driver else None
            if data is not None and application is not None and message.parent_view == 0:
                facts = application.inspect(data)
                leader = driver.start.leader(message.view) if driver else None
                if facts.origin_view == message.view and leader == message.signer:
                    digest = self.node.plug.digest(self.spoiled(data))
                    message = self.sign(VoteKind.NOTARIZE, message, message.view, (0, digest))
        super().post(receiver, message)

    def push_block(self, receiver: int, data: bytes) -> None:
        super().push_block(receiver, self.spoiled(data))

    def serve_block(self, receiver: int, data: bytes) -> None:
        super().serve_block(receiver, self._spoiled.get(data, data))
