"""Is what a block says about votes true?  Signatures and rules, judged on the parent's state.

`check_commits` decides everything that the execution of a block then takes for granted:

- last commit: a finalize certificate of the parent, by a quorum of set(h-1); none in block 1;
- late votes (E7): finalize votes for the final blocks of heights h-4 .. h-2, by signers of those
  heights who have not been counted yet;
- skips (E6): with origin view w <= n exactly the nullify certificates of views 1 .. w-1 of this
  height; with w > n none, because then nobody is charged;
- evidence: each item convicts somebody not yet ejected.

A refusal is the same for every correct node: it depends on the block and final history only.
`assemble` is the builder's counterpart: it puts together commits that pass.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

from consensus.commits import MAX_EVIDENCE, MAX_LATE_VOTES, Commits
from consensus.history import read_turn
from consensus.offences import check_evidence
from consensus.parameters import LATE_VOTE_DEPTH
from consensus.sets import validator_set
from consensus.simplex.certificates import verify_certificate, verify_vote
from consensus.simplex.types import Certificate, Verify, Vote, VoteKind
from consensus.simplex.wire import decode_evidence
from ledger.errors import Reason, Rejected
from ledger.state import View
from ledger.types import Digest


@dataclass(frozen=True, slots=True)
class Claim:
    """Where a block says it stands: its height, origin view and parent, on this chain."""

    genesis_hash: bytes
    height: int
    view: int
    parent: Digest


def _refuse(detail: str) -> Rejected:
    return Rejected(Reason.BAD_COMMITS, detail)


def check_commits(view: View, commits: Commits, claim: Claim, verify: Verify) -> None:
    """Rejected(BAD_COMMITS) unless all of `commits` holds for a block at `claim`.

    `view` is the state of the parent; `verify(public_key, message, signature)` is pure.
    """
    _check_last_commit(view, commits.last_commit, claim, verify)
    _check_skips(view, commits.skips, claim, verify)
    for vote in commits.late_votes:
        _check_late_vote(view, vote, claim, verify)
    accused = [
        check_evidence(view, decode_evidence(item), claim.height, claim.genesis_hash, verify)
        for item in commits.evidence
    ]
    if any(left >= right for left, right in pairwise(accused)):
        raise _refuse("offenders are not in ascending order")


def _check_last_commit(
    view: View, certificate: Certificate | None, claim: Claim, verify: Verify
) -> None:
    if claim.height == 1:
        if certificate is not None:
            raise _refuse("block 1 has no last commit")
        return
    if certificate is None:
        raise _refuse("the last commit is missing")
    if certificate.kind is not VoteKind.FINALIZE or certificate.height != claim.height - 1:
        raise _refuse("the last commit is not a finalization of the height below")
    if certificate.payload != claim.parent:
        raise _refuse("the last commit does not finalize the parent")
    validators = validator_set(view, claim.height - 1)
    if not verify_certificate(certificate, validators, claim.genesis_hash, verify):
        raise _refuse("the last commit does not verify")


def _check_skips(view: View, skips: tuple[Certificate, ...], claim: Claim, verify: Verify) -> None:
    validators = validator_set(view, claim.height)
    expected = claim.view - 1 if claim.view <= validators.n else 0
    if [skip.view for skip in skips] != list(range(1, expected + 1)):
        raise _refuse(f"origin view {claim.view} needs the skips of {expected} views")
    for skip in skips:
        if skip.kind is not VoteKind.NULLIFY or skip.height != claim.height:
            raise _refuse("a skip is not a nullification of this height")
        if not verify_certificate(skip, validators, claim.genesis_hash, verify):
            raise _refuse(f"the skip of view {skip.view} does not verify")


def _countable(view: View, vote: Vote, height: int) -> bool:
    """Rule E7: a finalize vote for the final block of h-4 .. h-2 that was not counted yet."""
    if vote.kind is not VoteKind.FINALIZE:
        return False
    if not max(1, height - LATE_VOTE_DEPTH) <= vote.height <= height - 2:
        return False
    turn = read_turn(view, vote.height)
    if turn is None or turn.block != vote.payload.hex():
        return False
    return vote.signer not in turn.counted and vote.signer < validator_set(view, vote.height).n


def _check_late_vote(view: View, vote: Vote, claim: Claim, verify: Verify) -> None:
    if not _countable(view, vote, claim.height):
        raise _refuse(f"late vote of {vote.height} by {vote.signer} does not count")
    validators = validator_set(view, vote.height)
    if not verify_vote(vote, validators, claim.genesis_hash, verify):
        raise _refuse(f"late vote of {vote.height} by {vote.signer} does not verify")


def select_late_votes(view: View, height: int, votes: Iterable[Vote]) -> tuple[Vote, ...]:
    """Which of `votes` block `height` may include: countable, one per height and signer, in order.

    The signatures have been verified by whoever collected the votes.
    """
    chosen: dict[tuple[int, int], Vote] = {}
    for vote in votes:
        place = (vote.height, vote.signer)
        if place not in chosen and _countable(view, vote, height):
            chosen[place] = vote
    return tuple(chosen[place] for place in sorted(chosen)[:MAX_LATE_VOTES])


def select_evidence(
    view: View, items: Iterable[bytes], claim: Claim, verify: Verify
) -> tuple[bytes, ...]:
    """Which evidence the block may include: it convicts, one item per offender, in order."""
    chosen: dict[str, bytes] = {}
    for item in items:
        try:
            evidence = decode_evidence(item)
            accused = check_evidence(view, evidence, claim.height, claim.genesis_hash, verify)
        except Rejected:
            continue
        chosen.setdefault(accused, item)
    return tuple(chosen[accused] for accused in sorted(chosen)[:MAX_EVIDENCE])


def assemble(
    view: View,
    claim: Claim,
    last_commit: Certificate | None,
    skips: Iterable[Certificate] = (),
    late_votes: Iterable[Vote] = (),
) -> Commits:
    """The commits of a block to be built at `claim`, without evidence (see select_evidence).

    `last_commit` and `skips` (of views 1 .. view-1) come verified from the finality core; the
    skips are left out when view > n, where nobody is charged.
    """
    size = validator_set(view, claim.height).n
    proofs = sorted(skips, key=lambda skip: skip.view) if claim.view <= size else []
    late = select_late_votes(view, claim.height, late_votes)
    return Commits(last_commit, late, tuple(proofs))
