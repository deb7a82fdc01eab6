"""Liar: claims heights it does not have; serves garbage, wrong blocks or nothing to who asks."""

from dataclasses import replace

from consensus.simplex.events import Message, Status
from consensus.simplex.wire import encode_certificate
from tests.simulator.adversaries.corrupt import CorruptHost
from tests.simulator.disk import StoredBlock


class Liar(CorruptHost):
    def post(self, receiver: int, message: Message) -> None:
        chance = self.node.world.chance
        if isinstance(message, Status):
            height = message.height + chance.choice((-1, 0, 1, 2, 50, 1 << 30))
            message = replace(message, height=max(1, height))
        super().post(receiver, message)
        if chance.randrange(4) == 0:
            super().post(receiver, Status(message.height + 2, 1, asks=True))

    def serve_block(self, receiver: int, data: bytes) -> None:
        """Another block than the one asked for, or junk, or nothing."""
        match self.node.world.chance.randrange(3):
            case 0:
                super().serve_block(receiver, self.node.plug.variant(data))
            case 1:
                super().serve_block(receiver, self.node.world.chance.randbytes(200))
            case _:
                self.node.world.note("withheld")

    def serve_final(self, receiver: int, height: int, stored: StoredBlock | None) -> None:
        chance, node = self.node.world.chance, self.node
        if stored is None:
            if not node.blocks:
                return
            stored = node.blocks[max(node.blocks)]
        data, certificate = stored.data, stored.certificate
        match chance.randrange(6):
            case 0:
                data = node.plug.variant(data)
            case 1:
                data = chance.randbytes(100)
            case 2:
                certificate = replace(certificate, height=height)
            case 3:
                certificate = replace(certificate, signatures=certificate.signatures[::-1])
            case 4:
                packet = ("final", data, chance.randbytes(90))
                node.send_packet(receiver, packet, len(data))
                return
            case _:
                node.world.note("withheld")
                return
        node.send_packet(receiver, ("final", data, encode_certificate(certificate)), len(data))
