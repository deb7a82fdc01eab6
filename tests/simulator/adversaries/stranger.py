"""Stranger: runs the same program from another genesis; its signatures are for another chain."""

from dataclasses import replace
from hashlib import sha256

from consensus.simplex.events import Message
from consensus.simplex.types import Vote, vote_message
from tests.simulator.adversaries.corrupt import CorruptHost

OTHER_GENESIS = sha256(b"another genesis").digest()


class Stranger(CorruptHost):
    def post(self, receiver: int, message: Message) -> None:
        if isinstance(message, Vote):
            validators = self.node.plug.validators(message.height)
            subject = (message.kind, message.height, message.view, *message.proposal)
            signed = vote_message(OTHER_GENESIS, validators.digest, *subject)
            message = replace(message, signature=self.node.signer.sign(signed))
        super().post(receiver, message)
