"""Reconfigurer: honest, but lives one height further on, and with the set of that height."""

from dataclasses import replace

from consensus.simplex.events import GetCertificate, Message, Status
from consensus.simplex.types import Vote
from tests.simulator.adversaries.corrupt import CorruptHost


class Reconfigurer(CorruptHost):
    def post(self, receiver: int, message: Message) -> None:
        match message:
            case Vote():
                above = replace(message, height=message.height + 1)
                signed = self.sign(above.kind, above, above.view, above.proposal)
                super().post(receiver, signed)
            case Status() | GetCertificate():
                super().post(receiver, replace(message, height=message.height + 1))
            case _:
                super().post(receiver, message)
