"""What a validator must remember to be honest after a crash: the records of the vote journal.

The journal is appended in order and replayed in order.  Every record of a batch is durable before
any message of that batch leaves, so that the own votes a peer may have seen are always known again:

    OwnVote          a second NOTARIZE in a view, or NULLIFY beside FINALIZE, is never signed
    HeldCertificate  which views are behind us, and the proof for those who are not there yet
    HeldBlock        at least f + 1 honest holders of any notarized block can serve it
    Verdict          whether a block passed its check

Deviation: a FINALIZE certificate is not journaled.  It is committed with its block by the
application; a node that loses it in between asks its peers, or counts the repeated votes again.

Records are keyed by height; those of another height than the one that starts are ignored.  The
votes of a height may be dropped once its block is committed, never before.
"""

from dataclasses import dataclass

from consensus.simplex.types import Certificate, Vote
from ledger.types import Digest


@dataclass(frozen=True, slots=True)
class OwnVote:
    """A vote this validator signed.  Unique by (height, view, kind)."""

    vote: Vote

    @property
    def height(self) -> int:
        return self.vote.height


@dataclass(frozen=True, slots=True)
class HeldCertificate:
    """A verified NOTARIZE or NULLIFY certificate."""

    certificate: Certificate

    @property
    def height(self) -> int:
        return self.certificate.height


@dataclass(frozen=True, slots=True)
class HeldBlock:
    """The bytes of a block that passed its check, before anything is signed about it."""

    height: int
    digest: Digest
    data: bytes


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer of the check of a block; `origin_view` as its header says (0 if unknown)."""

    height: int
    digest: Digest
    valid: bool
    origin_view: int


JournalRecord = OwnVote | HeldCertificate | HeldBlock | Verdict
