"""Certificates: made from a quorum of equal votes, taken apart again, and verified.

A certificate is valid for a validator set iff its bitmap has exactly ceil(n / 8) bytes and no bit
at or above n, it names at least a quorum of signers, it has one signature per signer in index
order, and every signature verifies over the vote it stands for.  A surplus signature that does not
verify makes the whole certificate invalid, on every node alike.

The set is always the one of the certificate's own height, handed in by the caller.
"""

from collections.abc import Iterable, Sequence

from consensus.simplex.types import (
    Certificate,
    ValidatorSet,
    Verify,
    Vote,
    VoteKind,
    vote_message,
)

SIGNATURE_BYTES = 64
PAYLOAD_BYTES = 32


def assemble(votes: Sequence[Vote], n: int) -> Certificate:
    """The certificate of these equal votes of distinct signers below n; the caller counted them.

    Raises ValueError when there is no vote, they differ in what they say, or a signer repeats.
    """
    ordered = sorted(votes, key=lambda vote: vote.signer)
    subjects = {(vote.kind, vote.height, vote.view, vote.proposal) for vote in ordered}
    signers = [vote.signer for vote in ordered]
    if len(subjects) != 1 or len(set(signers)) != len(signers):
        raise ValueError("a certificate needs equal votes of distinct signers")
    first = ordered[0]
    return Certificate(
        kind=first.kind,
        height=first.height,
        view=first.view,
        parent_view=first.parent_view,
        payload=first.payload,
        signers=bitmap(signers, n),
        signatures=tuple(vote.signature for vote in ordered),
    )


def bitmap(signers: Iterable[int], n: int) -> bytes:
    """ceil(n / 8) bytes with the bits of `signers` (each below n) set, low bit first."""
    octets = bytearray((n + 7) // 8)
    for signer in signers:
        octets[signer >> 3] |= 1 << (signer & 7)
    return bytes(octets)


def votes_of(certificate: Certificate) -> tuple[Vote, ...]:
    """The votes a well-formed certificate is made of, by ascending signer."""
    return tuple(
        Vote(
            certificate.kind,
            certificate.height,
            certificate.view,
            certificate.parent_view,
            certificate.payload,
            signer,
            signature,
        )
        for signer, signature in zip(
            certificate.signer_indices(), certificate.signatures, strict=True
        )
    )


def extend_certificate(certificate: Certificate, votes: Iterable[Vote], n: int) -> Certificate:
    """The same certificate with the signatures of further equal votes; others are left out."""
    merged = {vote.signer: vote for vote in votes_of(certificate)}
    subject = (certificate.kind, certificate.height, certificate.view, certificate.proposal)
    for vote in votes:
        if (vote.kind, vote.height, vote.view, vote.proposal) == subject and vote.signer < n:
            merged.setdefault(vote.signer, vote)
    return assemble(tuple(merged.values()), n)


def is_well_formed(certificate: Certificate, validators: ValidatorSet) -> bool:
    """Everything about a certificate that needs no signature check."""
    if len(certificate.signers) != (validators.n + 7) // 8:
        return False
    signers = certificate.signer_indices()
    if signers and signers[-1] >= validators.n:
        return False
    if len(signers) < validators.quorum or len(signers) != len(certificate.signatures):
        return False
    return _has_subject(certificate.kind, certificate.parent_view, certificate.payload)


def verify_certificate(
    certificate: Certificate, validators: ValidatorSet, genesis_hash: bytes, verify: Verify
) -> bool:
    """Whether the certificate is valid for the set of its height."""
    if not is_well_formed(certificate, validators):
        return False
    message = vote_message(
        genesis_hash,
        validators.digest,
        certificate.kind,
        certificate.height,
        certificate.view,
        certificate.parent_view,
        certificate.payload,
    )
    return all(
        verify(validators.keys[signer], message, signature)
        for signer, signature in zip(
            certificate.signer_indices(), certificate.signatures, strict=True
        )
    )


def verify_vote(vote: Vote, validators: ValidatorSet, genesis_hash: bytes, verify: Verify) -> bool:
    """Whether the vote is signed by the validator at its index in the set of its height."""
    if not 0 <= vote.signer < validators.n:
        return False
    if not _has_subject(vote.kind, vote.parent_view, vote.payload):
        return False
    message = vote_message(
        genesis_hash,
        validators.digest,
        vote.kind,
        vote.height,
        vote.view,
        vote.parent_view,
        vote.payload,
    )
    return verify(validators.keys[vote.signer], message, vote.signature)


def _has_subject(kind: VoteKind, parent_view: int, payload: bytes) -> bool:
    """A NULLIFY names no proposal, the others name one by a whole digest."""
    if kind is VoteKind.NULLIFY:
        return parent_view == 0 and payload == b""
    return len(payload) == PAYLOAD_BYTES
