"""Forger: garbage, votes under an index out of range, false heights, requests without sense."""

from dataclasses import replace

from consensus.simplex.events import GetCertificate, Message, Status
from consensus.simplex.types import Vote, Want
from tests.simulator.adversaries.corrupt import CorruptHost


class Forger(CorruptHost):
    def post(self, receiver: int, message: Message) -> None:
        super().post(receiver, message)
        chance = self.node.world.chance
        match chance.randrange(8):
            case 0:
                data = chance.randbytes(chance.randrange(200))
                self.node.send_packet(receiver, ("message", data), 100)
            case 1 if isinstance(message, Vote):
                super().post(receiver, replace(message, signer=chance.randrange(256)))
            case 2 if isinstance(message, Vote):
                super().post(receiver, replace(message, signature=bytes(64)))
            case 3:
                height = chance.randrange(1, 1 << 40)
                super().post(receiver, Status(height, chance.randrange(1, 99), asks=True))
            case 4:
                view = chance.randrange(1, 1 << 20)
                super().post(receiver, GetCertificate(message.height, view, Want.ANY))
            case 5:
                junk = chance.randbytes(chance.randrange(400))
                self.node.send_packet(receiver, ("block", junk), 100)
            case _:
                pass
