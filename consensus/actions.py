"""The action of the election's floor: `evidence`, by anyone, against a validator (rule M10).

| action   | who    | effect                                                             |
| -------- | ------ | ------------------------------------------------------------------ |
| evidence | anyone | two conflicting signed votes: the signer is ejected and fined once |

It is the second way of an offence to the chain.  The first is a builder's own: what a node sees, it
puts into its next block.  Both end in `punish`, and the ejected status makes either one the last.
"""

from collections.abc import Mapping
from typing import Annotated

from msgspec import Meta

from consensus.offences import check_evidence, punish
from consensus.simplex.wire import decode_evidence
from ledger.crypto import verify
from ledger.errors import Reason, Rejected
from ledger.execution import ActionContext, Handler, require_first
from ledger.state import Overlay
from ledger.transactions import Action

ProofText = Annotated[str, Meta(pattern=r"\A(?:[0-9a-f]{2})+\Z", max_length=1_024)]


class Accuse(Action, tag="evidence"):
    """Two conflicting votes as consensus/simplex/wire.py writes them, in hex."""

    votes: ProofText


def accuse_signer(context: ActionContext, overlay: Overlay, action: Accuse) -> None:
    """Punish the signer.  Raises LIMIT_EXCEEDED unless first, BAD_EVIDENCE."""
    require_first(context)
    height, genesis_hash = context.block.height, context.block.genesis_hash
    try:
        evidence = decode_evidence(bytes.fromhex(action.votes))
        check_evidence(overlay, evidence, height, genesis_hash, verify)
    except Rejected as refused:
        raise Rejected(Reason.BAD_EVIDENCE, str(refused)) from refused
    punish(overlay, height, evidence)


ACTIONS: tuple[type[Action], ...] = (Accuse,)

HANDLERS: Mapping[type[Action], Handler] = {Accuse: accuse_signer}
