"""What goes into the core and what comes out: two closed unions of frozen values.

`Core.handle(now_ms, input)` returns effects, to be performed strictly in their order.  Whatever
must be durable comes first, as one `Persist`; no later effect of the batch may begin before it
is on disk.  Messages that enter as inputs have been authenticated and their signatures verified
(consensus.simplex.admission); the core trusts them to be what they say, and nothing beyond that.
"""

from dataclasses import dataclass

from consensus.simplex.evidence import Evidence
from consensus.simplex.journal import HeldCertificate, OwnVote, Verdict
from consensus.simplex.types import Certificate, PeerKey, Vote, Want
from ledger.types import Digest


# ---------------------------------------------------------------- messages between nodes
@dataclass(frozen=True, slots=True)
class GetCertificate:
    """A request for a certificate of `view`; answered by what is held, or not at all."""

    height: int
    view: int
    want: Want


@dataclass(frozen=True, slots=True)
class Status:
    """Where the sender stands: the height it works on and its view.

    asks: the sender wants the receiver's Status in return.
    """

    height: int
    view: int
    asks: bool


Message = Vote | Certificate | GetCertificate | Status


# ---------------------------------------------------------------- inputs of the core
@dataclass(frozen=True, slots=True)
class VoteReceived:
    """A verified vote of this height, sent by its signer."""

    vote: Vote


@dataclass(frozen=True, slots=True)
class CertificateReceived:
    """A verified certificate of this height; `peer` handed it over and need not be a signer."""

    certificate: Certificate
    peer: PeerKey


@dataclass(frozen=True, slots=True)
class CertificateRequested:
    """A peer lacks a certificate of this height."""

    peer: PeerKey
    view: int
    want: Want


@dataclass(frozen=True, slots=True)
class PeerStatus:
    """A peer of this height says which view it is in."""

    peer: PeerKey
    view: int


@dataclass(frozen=True, slots=True)
class Built:
    """The answer to AskBuild; None declines the turn."""

    view: int
    payload: Digest | None


@dataclass(frozen=True, slots=True)
class Checked:
    """The one verdict about a block: valid or not, for ever.  Serves rules R7 and R9."""

    payload: Digest
    valid: bool
    origin_view: int


@dataclass(frozen=True, slots=True)
class Tick:
    """The deadline the core asked for may have passed."""


Input = (
    VoteReceived | CertificateReceived | CertificateRequested | PeerStatus | Built | Checked | Tick
)


# ---------------------------------------------------------------- effects of the core
@dataclass(frozen=True, slots=True)
class Persist:
    """Make these durable, all or none, before any later effect.

    A valid Verdict implies that the bytes of its block become durable in the same write.
    """

    records: tuple[OwnVote | HeldCertificate | Verdict, ...]


@dataclass(frozen=True, slots=True)
class Broadcast:
    """Send to every peer but `skip` (who is known to hold it)."""

    message: Message
    skip: tuple[PeerKey, ...] = ()


@dataclass(frozen=True, slots=True)
class Send:
    """Send to one peer."""

    peer: PeerKey
    message: Message


@dataclass(frozen=True, slots=True)
class PublishBlock:
    """Send the bytes of an own block to everybody."""

    payload: Digest


@dataclass(frozen=True, slots=True)
class AskBuild:
    """Build a fresh block with this origin view; `skips` as in BuildRequest."""

    view: int
    skips: tuple[Certificate, ...]


@dataclass(frozen=True, slots=True)
class AskCheck:
    """Find out whether a block is valid; fetch it first if need be.

    sources: who should have the bytes, best first.  May repeat with more sources.
    expected: its builder is pushing it to us; fetch it only if it does not come.
    """

    payload: Digest
    sources: tuple[PeerKey, ...]
    expected: bool


@dataclass(frozen=True, slots=True)
class Deadline:
    """Feed a Tick at this time; replaces the earlier deadline."""

    at_ms: int


@dataclass(frozen=True, slots=True)
class Decide:
    """The height is over: this FINALIZE certificate names its block."""

    certificate: Certificate


@dataclass(frozen=True, slots=True)
class ReportEvidence:
    """Two signatures that no honest validator makes."""

    evidence: Evidence


@dataclass(frozen=True, slots=True)
class BlockPeer:
    """Stop listening to this peer for a while."""

    peer: PeerKey
    why: str


Effect = (
    Persist
    | Broadcast
    | Send
    | PublishBlock
    | AskBuild
    | AskCheck
    | Deadline
    | Decide
    | ReportEvidence
    | BlockPeer
)
