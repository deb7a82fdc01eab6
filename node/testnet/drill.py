"""A drill: signs two conflicting votes with a validator's key, which convict it for ever.

The pair is what a validator that runs twice sends sooner or later: two proposals for one view.
"""

from consensus.actions import Accuse
from consensus.simplex.evidence import accuse
from consensus.simplex.types import Vote, VoteKind, vote_message
from consensus.simplex.wire import encode_evidence
from ledger.crypto import SigningKey, digest
from node.client.client import Document
from node.testnet.layout import TestnetError

VIEW = 1


def conflicting_votes(key: SigningKey, genesis_hash: bytes, coming: Document) -> Accuse:
    """The action that accuses `key`; `coming` is what /v1/validator-sets/next says.

    Raises TestnetError when the key has no seat in the set that votes now.
    """
    current, height = coming["current"], coming["height"] + 1
    seats = {seat["address"]: seat["index"] for seat in current["seats"]}
    if key.address not in seats:
        raise TestnetError("this key has no seat, so its votes convict nobody")
    signer, members = seats[key.address], bytes.fromhex(current["digest"])
    votes = []
    for word in (b"one", b"other"):
        payload = digest("drill", word)
        message = vote_message(genesis_hash, members, VoteKind.NOTARIZE, height, VIEW, 0, payload)
        votes.append(Vote(VoteKind.NOTARIZE, height, VIEW, 0, payload, signer, key.sign(message)))
    return Accuse(encode_evidence(accuse(*votes)).hex())
