"""Votes, certificates and small requests as bytes: fixed binary, big-endian, one form each.

    vote         kind u8, height u64, view u64, [parent_view u64, payload 32], signer u16, sig 64
    certificate  kind u8, height u64, view u64, [parent_view u64, payload 32],
                 bitmap length u8, bitmap, 64 bytes per set bit
    evidence     vote, vote (in canonical order)
    message      tag u8, then: 1 vote | 2 certificate | 3 height u64, view u64, want u8
                 | 4 height u64, view u64, asks u8

What stands in brackets is absent for NULLIFY.  A decoder accepts only what the encoder emits:
no unknown kind, no missing or surplus byte, numbers within bounds, as many signatures as bits.
Whether a bitmap fits its validator set is the business of `verify_certificate`.
"""

from consensus.simplex.certificates import PAYLOAD_BYTES, SIGNATURE_BYTES
from consensus.simplex.events import GetCertificate, Message, Status
from consensus.simplex.evidence import Evidence, accuse, conflicts
from consensus.simplex.types import MAX_VALIDATORS, Certificate, Vote, VoteKind, Want
from ledger.errors import Reason, Rejected
from ledger.types import MAX_INTEGER

_VOTE, _CERTIFICATE, _GET_CERTIFICATE, _STATUS = 1, 2, 3, 4

MAX_BITMAP_BYTES = MAX_VALIDATORS // 8
MAX_MESSAGE_BYTES = 128 + MAX_BITMAP_BYTES + MAX_VALIDATORS * SIGNATURE_BYTES
"""No message of this protocol is longer."""


class _Reader:
    """Cuts fields off the front of a message; any shortage or surplus is a refusal."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._position = 0

    def take(self, count: int) -> bytes:
        end = self._position + count
        if end > len(self._data):
            raise Rejected(Reason.NOT_CANONICAL, "message too short")
        piece = self._data[self._position : end]
        self._position = end
        return piece

    def number(self, width: int, least: int = 0, most: int = MAX_INTEGER) -> int:
        value = int.from_bytes(self.take(width), "big")
        if not least <= value <= most:
            raise Rejected(Reason.NOT_CANONICAL, "number out of bounds")
        return value

    def kind(self) -> VoteKind:
        return VoteKind(self.number(1, VoteKind.NOTARIZE, VoteKind.FINALIZE))

    def subject(self) -> tuple[VoteKind, int, int, int, bytes]:
        kind, height, view = self.kind(), self.number(8, 1), self.number(8, 1)
        if kind is VoteKind.NULLIFY:
            return kind, height, view, 0, b""
        return kind, height, view, self.number(8), self.take(PAYLOAD_BYTES)

    def vote(self) -> Vote:
        kind, height, view, parent_view, payload = self.subject()
        signer = self.number(2, 0, MAX_VALIDATORS - 1)
        return Vote(kind, height, view, parent_view, payload, signer, self.take(SIGNATURE_BYTES))

    def certificate(self) -> Certificate:
        kind, height, view, parent_view, payload = self.subject()
        signers = self.take(self.number(1, 1, MAX_BITMAP_BYTES))
        count = int.from_bytes(signers, "big").bit_count()
        if count == 0:
            raise Rejected(Reason.NOT_CANONICAL, "certificate without signers")
        signatures = tuple(self.take(SIGNATURE_BYTES) for _ in range(count))
        return Certificate(kind, height, view, parent_view, payload, signers, signatures)

    def end(self) -> None:
        if self._position != len(self._data):
            raise Rejected(Reason.NOT_CANONICAL, "bytes left over")


def encode_vote(vote: Vote) -> bytes:
    """123 bytes, or 83 for a NULLIFY."""
    subject = _subject(vote.kind, vote.height, vote.view, vote.parent_view, vote.payload)
    return subject + vote.signer.to_bytes(2, "big") + vote.signature


def decode_vote(data: bytes) -> Vote:
    """Raises Rejected(NOT_CANONICAL)."""
    reader = _Reader(data)
    vote = reader.vote()
    reader.end()
    return vote


def encode_certificate(certificate: Certificate) -> bytes:
    """See the module docstring for the layout."""
    subject = _subject(
        certificate.kind,
        certificate.height,
        certificate.view,
        certificate.parent_view,
        certificate.payload,
    )
    length = len(certificate.signers).to_bytes(1, "big")
    return subject + length + certificate.signers + b"".join(certificate.signatures)


def decode_certificate(data: bytes) -> Certificate:
    """Raises Rejected(NOT_CANONICAL)."""
    reader = _Reader(data)
    certificate = reader.certificate()
    reader.end()
    return certificate


def encode_evidence(evidence: Evidence) -> bytes:
    """The two votes one after the other."""
    return encode_vote(evidence.first) + encode_vote(evidence.second)


def decode_evidence(data: bytes) -> Evidence:
    """Raises Rejected(NOT_CANONICAL), also for votes that do not conflict or stand in wrong order.

    Signatures are not looked at; see `verify_evidence`.
    """
    reader = _Reader(data)
    first, second = reader.vote(), reader.vote()
    reader.end()
    evidence = Evidence(first, second)
    if not conflicts(first, second) or accuse(first, second) != evidence:
        raise Rejected(Reason.NOT_CANONICAL, "not two conflicting votes in order")
    return evidence


def encode_message(message: Message) -> bytes:
    """A message between nodes, with its tag in front."""
    match message:
        case Vote():
            return bytes((_VOTE,)) + encode_vote(message)
        case Certificate():
            return bytes((_CERTIFICATE,)) + encode_certificate(message)
        case GetCertificate(height, view, want):
            return bytes((_GET_CERTIFICATE,)) + _place(height, view) + bytes((want,))
        case Status(height, view, asks):
            return bytes((_STATUS,)) + _place(height, view) + bytes((asks,))


def decode_message(data: bytes) -> Message:
    """Raises Rejected: BODY_TOO_LARGE above MAX_MESSAGE_BYTES, else NOT_CANONICAL."""
    if len(data) > MAX_MESSAGE_BYTES:
        raise Rejected(Reason.BODY_TOO_LARGE, f"{len(data)} bytes, at most {MAX_MESSAGE_BYTES}")
    reader = _Reader(data)
    message: Message
    match reader.number(1):
        case 1:
            message = reader.vote()
        case 2:
            message = reader.certificate()
        case 3:
            height, view = reader.number(8, 1), reader.number(8, 1)
            message = GetCertificate(height, view, Want(reader.number(1, 1, Want.ANY)))
        case 4:
            height, view = reader.number(8, 1), reader.number(8, 1)
            message = Status(height, view, asks=bool(reader.number(1, 0, 1)))
        case tag:
            raise Rejected(Reason.NOT_CANONICAL, f"unknown message tag {tag}")
    reader.end()
    return message


def _place(height: int, view: int) -> bytes:
    return height.to_bytes(8, "big") + view.to_bytes(8, "big")


def _subject(kind: VoteKind, height: int, view: int, parent_view: int, payload: bytes) -> bytes:
    head = bytes((kind,)) + _place(height, view)
    if kind is VoteKind.NULLIFY:
        return head
    return head + parent_view.to_bytes(8, "big") + payload
