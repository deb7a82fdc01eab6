"""Evidence: two votes of one validator that no honest validator signs both of.

Three pairs convict, and both signatures can be checked by anyone who knows the validator set:

    two NOTARIZE votes of one view for different proposals,
    two FINALIZE votes of one view for different proposals,
    a NULLIFY and a FINALIZE of one view.

NOTARIZE beside NULLIFY is legal (it is how a slow view ends), and so is NOTARIZE for one proposal
beside FINALIZE for another (legal once the other was notarized by a quorum).

The pair is kept in one order, by kind and then by proposal, so that the same offence has the same
bytes whoever saw it and in whichever order the votes came.
"""

from dataclasses import dataclass

from consensus.simplex.types import ValidatorSet, Verify, Vote, VoteKind, vote_message


@dataclass(frozen=True, slots=True)
class Evidence:
    """Two conflicting votes in canonical order; make it with `accuse`."""

    first: Vote
    second: Vote

    @property
    def signer(self) -> int:
        """Index of the offender in the validator set of the height."""
        return self.first.signer

    @property
    def height(self) -> int:
        return self.first.height


def conflicts(left: Vote, right: Vote) -> bool:
    """Whether the two votes, taken as validly signed, convict their signer."""
    if (left.height, left.view, left.signer) != (right.height, right.view, right.signer):
        return False
    if left.kind is right.kind:
        return left.kind is not VoteKind.NULLIFY and left.proposal != right.proposal
    return {left.kind, right.kind} == {VoteKind.NULLIFY, VoteKind.FINALIZE}


def accuse(left: Vote, right: Vote) -> Evidence:
    """The evidence made of two conflicting votes, in canonical order."""
    first, second = sorted((left, right), key=lambda vote: (vote.kind, *vote.proposal))
    return Evidence(first, second)


def verify_evidence(
    evidence: Evidence, validators: ValidatorSet, genesis_hash: bytes, verify: Verify
) -> bool:
    """Whether the pair conflicts, is in canonical order, and both signatures hold in this set."""
    votes = (evidence.first, evidence.second)
    if not conflicts(*votes) or accuse(*votes) != evidence or evidence.signer >= validators.n:
        return False
    return all(
        verify(
            validators.keys[vote.signer],
            vote_message(
                genesis_hash,
                validators.digest,
                vote.kind,
                vote.height,
                vote.view,
                vote.parent_view,
                vote.payload,
            ),
            vote.signature,
        )
        for vote in votes
    )
