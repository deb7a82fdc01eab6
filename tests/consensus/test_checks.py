"""What check_commits accepts and refuses, with real signatures (rules E6, E7)."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from consensus.checks import Claim, assemble, check_commits, select_evidence, select_late_votes
from consensus.commits import Commits
from consensus.simplex.evidence import accuse
from consensus.simplex.types import VoteKind
from consensus.simplex.wire import encode_evidence
from ledger.crypto import verify
from ledger.errors import Reason, Rejected
from tests.consensus.chain import GENESIS_HASH, Chain, block_hash


@pytest.fixture
def chain() -> Chain:
    """Four blocks; member 1 (by index) signed none of them in time."""
    made = Chain(4, signed=True)
    for _ in range(4):
        made.advance(1, made.commits(absent=[1]) if made.height else None)
    return made


def check(chain: Chain, commits: Commits, view: int = 1, **claim: object) -> None:
    position = replace(chain.claim(view), **claim)
    check_commits(chain.state, commits, position, verify)


def refuse(chain: Chain, commits: Commits, view: int = 1, **claim: object) -> str:
    before = chain.state.root
    with pytest.raises(Rejected) as refusal:
        check(chain, commits, view, **claim)
    assert refusal.value.reason is Reason.BAD_COMMITS
    assert chain.state.root == before
    return refusal.value.detail


def test_honest_commits_pass(chain: Chain) -> None:
    check(chain, chain.commits())
    check(chain, chain.commits(absent=[3], late=(chain.late_vote(2, 1), chain.late_vote(3, 1))))
    for view in range(1, 5):
        check(chain, chain.commits(view), view)
    check(chain, chain.commits(5), 5)


def test_block_1_has_no_last_commit_and_every_other_has_one(chain: Chain) -> None:
    fresh = Chain(4, signed=True)
    check(fresh, Commits())
    assert "block 1" in refuse(fresh, Commits(chain.finalization(1)))
    assert "missing" in refuse(chain, Commits())


def test_the_last_commit_must_finalize_the_parent_with_a_quorum_of_its_set(chain: Chain) -> None:
    n_votes = range(4)
    notarized = chain.certificate(VoteKind.NOTARIZE, 4, 1, n_votes, block_hash(4))
    older = chain.finalization(3)
    stranger = chain.certificate(VoteKind.FINALIZE, 4, 1, n_votes, block_hash(9))
    few = chain.certificate(VoteKind.FINALIZE, 4, 1, [0, 1], block_hash(4))
    for certificate in (notarized, older, stranger, few):
        refuse(chain, Commits(certificate))
    refuse(chain, chain.commits(), parent=block_hash(8))
    refuse(chain, chain.commits(), genesis_hash=bytes(32))


def test_a_certificate_with_one_bad_signature_is_refused_though_a_quorum_is_good(
    chain: Chain,
) -> None:
    good = chain.finalization(4)
    for place in range(4):
        signatures = list(good.signatures)
        signatures[place] = bytes(64)
        refuse(chain, Commits(replace(good, signatures=tuple(signatures))))
    assert "verify" in refuse(chain, Commits(replace(good, signers=b"\x07")))
    assert "verify" in refuse(chain, Commits(replace(good, signers=b"\x1f")))


def test_rule_e6_exactly_the_skips_of_the_earlier_views_are_mandatory(chain: Chain) -> None:
    three = chain.commits(3)
    for skips in ((), three.skips[:1], three.skips[1:], chain.commits(4).skips):
        assert "needs the skips of 2" in refuse(chain, replace(three, skips=skips), 3)
    assert "of 0 views" in refuse(chain, chain.commits(2), 1)
    assert "of 0 views" in refuse(chain, chain.commits(4), 5)


def test_rule_e6_a_skip_is_a_nullification_of_this_height_by_a_quorum(chain: Chain) -> None:
    other_height = chain.certificate(VoteKind.NULLIFY, 4, 1, range(4), b"")
    not_null = chain.certificate(VoteKind.NOTARIZE, 5, 1, range(4), block_hash(5))
    few = chain.certificate(VoteKind.NULLIFY, 5, 1, [0, 2], b"")
    for skip in (other_height, not_null, few):
        refuse(chain, replace(chain.commits(2), skips=(skip,)), 2)


@pytest.mark.parametrize(
    ("case", "why"),
    [
        (lambda chain: chain.late_vote(4, 1), "the parent's votes are in the last commit"),
        (lambda chain: chain.late_vote(2, 2), "already counted"),
        (lambda chain: chain.vote(VoteKind.FINALIZE, 2, 1, 1, block_hash(3)), "another block"),
        (lambda chain: chain.vote(VoteKind.NOTARIZE, 2, 1, 1, block_hash(2)), "another kind"),
        (lambda chain: replace(chain.late_vote(2, 1), signature=bytes(64)), "not signed"),
        (lambda chain: replace(chain.late_vote(2, 1), signer=4), "an outsider"),
        (lambda chain: replace(chain.late_vote(2, 1), view=2), "another view than signed"),
    ],
)
def test_rule_e7_a_late_vote_that_may_not_be_counted_is_refused(
    chain: Chain, case: Callable[[Chain], object], why: str
) -> None:
    vote = case(chain)
    refuse(chain, replace(chain.commits(), late_votes=(vote,)))  # type: ignore[arg-type]


def test_rule_e7_late_votes_are_admitted_two_to_four_heights_after() -> None:
    chain = Chain(4, signed=True)
    chain.advance()
    admitted = []
    for _ in range(6):
        late = chain.commits(absent=[1], late=(chain.late_vote(1, 1),))
        try:
            check(chain, late)
            admitted.append(chain.height + 1)
        except Rejected:
            pass
        chain.advance(1, chain.commits(absent=[1]))
    assert admitted == [3, 4, 5]


def test_rule_e7_a_late_vote_is_counted_once(chain: Chain) -> None:
    late = (chain.late_vote(3, 1),)
    check(chain, chain.commits(late=late))
    chain.advance(1, chain.commits(late=late))
    refuse(chain, chain.commits(late=late))


def test_the_builder_assembles_what_passes_and_leaves_out_what_may_not_stand(chain: Chain) -> None:
    gossip = [chain.late_vote(h, s) for h in (4, 3, 1, 2) for s in (2, 1, 1)]
    position = chain.claim(3)
    skips = chain.skips(3)
    made = assemble(chain.state, position, chain.finalization(4), skips[::-1], gossip)
    assert [(vote.height, vote.signer) for vote in made.late_votes] == [(1, 1), (2, 1), (3, 1)]
    check_commits(chain.state, made, position, verify)
    assert Commits.decode(made.encode()) == made
    outage = Claim(GENESIS_HASH, 5, 6, block_hash(4))
    made = assemble(chain.state, outage, chain.finalization(4), skips)
    assert made.skips == ()
    check_commits(chain.state, made, outage, verify)


def test_selected_late_votes_are_ascending_and_without_repetition(chain: Chain) -> None:
    votes = [chain.late_vote(3, 1), chain.late_vote(2, 1), chain.late_vote(3, 1)]
    assert select_late_votes(chain.state, 5, votes) == (votes[1], votes[0])
    assert select_late_votes(chain.state, 9, votes) == ()


def test_evidence_is_selected_once_per_offender_in_order_and_then_passes(chain: Chain) -> None:
    items = []
    for signer in (3, 0, 3):
        left = chain.vote(VoteKind.NOTARIZE, 3, 1, signer, block_hash(3))
        right = chain.vote(VoteKind.NOTARIZE, 3, 1, signer, block_hash(77))
        items.append(encode_evidence(accuse(left, right)))
    items.append(b"no evidence")
    chosen = select_evidence(chain.state, items, chain.claim(), verify)
    assert chosen == (items[1], items[0])
    check(chain, replace(chain.commits(), evidence=chosen))
    refuse(chain, replace(chain.commits(), evidence=chosen[::-1]))
    refuse(chain, replace(chain.commits(), evidence=(chosen[0], chosen[0])))


def test_malformed_evidence_is_refused_with_the_codecs_reason(chain: Chain) -> None:
    with pytest.raises(Rejected) as refusal:
        check(chain, replace(chain.commits(), evidence=(b"junk",)))
    assert refusal.value.reason is Reason.NOT_CANONICAL
