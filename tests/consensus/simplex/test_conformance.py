"""The conformance traces: four validators A B C D who lead in that order, one trace per test.

Quorum is 3.  The node under test is A unless said otherwise.  Traces 12, 13 and 15 concern what
stands in front of the core and are continued in tests/simulator/test_driver.py.
"""

from dataclasses import replace

from consensus.simplex.admission import Refusal, refuse_certificate, refuse_vote
from consensus.simplex.events import (
    AskBuild,
    AskCheck,
    BlockPeer,
    Decide,
    GetCertificate,
    PublishBlock,
    ReportEvidence,
)
from consensus.simplex.evidence import verify_evidence
from consensus.simplex.types import Certificate, Vote, Want
from tests.consensus.simplex.bench import (
    BLOCK,
    GENESIS,
    OTHER,
    A,
    B,
    Bench,
    C,
    D,
    F,
    N,
    X,
    broadcasts,
    of,
    sends,
    stub_verify,
)


def test_trace_1_a_normal_height_takes_one_proposal_and_two_quorums() -> None:
    bench = Bench(A)
    assert of(bench.effects, AskBuild) == [AskBuild(1, ())]
    proposal = bench.built(1)
    assert [type(effect).__name__ for effect in proposal][:3] == [
        "Persist",
        "PublishBlock",
        "Broadcast",
    ]
    effects = bench.hear(bench.vote(N, 1, B), bench.vote(N, 1, C))
    assert len([c for c in broadcasts(effects, Certificate) if c.kind is N]) == 1
    assert bench.own_votes() == [(N, 1, BLOCK), (F, 1, BLOCK)]
    assert bench.core.view == 2
    decided = of(bench.hear(bench.vote(F, 1, B), bench.vote(F, 1, C)), Decide)
    assert [(d.certificate.view, d.certificate.payload) for d in decided] == [(1, BLOCK)]


def test_trace_1_the_next_leader_waits_the_grace_before_it_proposes_the_block_again() -> None:
    bench = Bench(B)
    bench.hear(bench.vote(N, 1, A))
    bench.verdict()
    bench.hear(bench.vote(N, 1, C))
    assert bench.core.view == 2
    bench.pass_time(2 * bench.timing.round_trip_ms - 1)
    assert (N, 2, BLOCK) not in bench.own_votes()
    bench.pass_time(2 * bench.timing.round_trip_ms)
    assert (N, 2, BLOCK) in bench.own_votes()
    assert not of(bench.effects, AskBuild)


def test_trace_2_a_silent_leader_is_skipped_once_and_the_next_proves_it() -> None:
    bench = Bench(B)
    bench.pass_time(2 * bench.timing.round_trip_ms)
    assert bench.own_votes() == [(X, 1, b"")]
    effects = bench.hear(bench.vote(X, 1, C), bench.vote(X, 1, D))
    skip = next(c for c in broadcasts(effects, Certificate) if c.kind is X)
    assert bench.core.view == 2
    assert of(effects, AskBuild) == [AskBuild(2, (skip,))]
    bench.built(2)
    assert bench.own_votes() == [(X, 1, b""), (N, 2, BLOCK)]


def test_trace_2_a_restart_repeats_the_same_vote_and_signs_no_other() -> None:
    bench = Bench(B)
    bench.pass_time(2 * bench.timing.round_trip_ms)
    [before] = [vote for vote in broadcasts(bench.effects, Vote) if vote.kind is X]
    again = Bench(B, records=bench.journal, now=bench.now)
    again.pass_time(bench.now + 10_000)
    repeated = [vote for vote in broadcasts(again.effects, Vote) if vote.kind is X]
    assert repeated
    assert set(repeated) == {before}
    assert again.own_votes() == []


def test_trace_3_a_block_that_fails_its_check_is_answered_with_a_skip_at_once() -> None:
    bench = Bench(B)
    bench.hear(bench.vote(N, 1, A))
    bench.verdict(valid=False)
    assert bench.now == 0
    assert bench.own_votes() == [(X, 1, b"")]


def test_trace_4_after_a_skip_vote_a_late_notarization_is_certified_but_not_finalized() -> None:
    bench = Bench(C)
    bench.hear(bench.vote(N, 1, A))
    bench.pass_time(3 * bench.timing.round_trip_ms + bench.timing.execution_budget_ms)
    assert bench.own_votes() == [(X, 1, b"")]
    effects = bench.receive(bench.certificate(N, 1, signers=(A, B, D)))
    assert of(effects, AskCheck)
    bench.verdict()
    assert bench.core.view == 2
    bench.hear(bench.vote(N, 2, B, parent=1))
    assert bench.own_votes() == [(X, 1, b""), (N, 2, BLOCK)]


def test_trace_5_a_certified_split_heals_by_fetching_what_the_proposal_builds_on() -> None:
    bench = Bench(B)
    bench.receive(bench.certificate(X, 1, signers=(B, C, D)))
    bench.receive(bench.certificate(X, 2, signers=(B, C, D)))
    assert bench.core.view == 3
    effects = bench.hear(bench.vote(N, 3, C, parent=1))
    requests = sends(effects)
    assert [(s.peer, s.message) for s in requests] == [
        (bench.validators.keys[C], GetCertificate(1, 1, Want.NOTARIZATION))
    ]
    bench.verdict(origin_view=1)
    assert (N, 3, BLOCK) not in bench.own_votes()
    bench.receive(bench.certificate(N, 1, signers=(A, C, D)), peer=C)
    assert (N, 3, BLOCK) in bench.own_votes()
    assert not of(bench.effects, BlockPeer)


def test_trace_6_a_missing_skip_proof_is_fetched_from_the_leader_then_from_the_others() -> None:
    bench = Bench(A)
    bench.receive(bench.certificate(X, 1, signers=(B, C, D)))
    # View 3 is entered by N(2), so X(2) is not held when its leader goes back to the root.
    bench.receive(bench.certificate(N, 2, payload=OTHER, signers=(B, C, D)))
    bench.verdict(OTHER, origin_view=2)
    assert bench.core.view == 3
    bench.hear(bench.vote(N, 3, C, parent=0))
    bench.verdict(BLOCK, origin_view=3)
    asked = [s.peer for s in sends(bench.effects)]
    assert asked == [bench.validators.keys[C]]
    bench.pass_time(bench.now + 3 * bench.timing.round_trip_ms)
    asked = [s.peer for s in sends(bench.effects)]
    assert asked[:3] == [bench.validators.keys[i] for i in (C, D, B)]
    assert (N, 3, BLOCK) not in bench.own_votes()
    assert (X, 3, b"") not in bench.own_votes()
    bench.receive(bench.certificate(X, 2, signers=(B, C, D)))
    assert (N, 3, BLOCK) in bench.own_votes()


def test_trace_7_an_equivocating_leader_gets_evidence_and_no_votes() -> None:
    bench = Bench(B)
    bench.hear(bench.vote(N, 1, A, BLOCK))
    effects = bench.hear(bench.vote(N, 1, A, OTHER))
    [report] = of(effects, ReportEvidence)
    assert verify_evidence(report.evidence, bench.validators, GENESIS, stub_verify)
    assert [e.peer for e in of(effects, BlockPeer)] == [bench.validators.keys[A]]
    bench.verdict(BLOCK)
    bench.hear(bench.vote(N, 1, C), bench.vote(N, 1, D))
    bench.pass_time(3 * bench.timing.round_trip_ms + bench.timing.execution_budget_ms)
    assert all(kind is not F for kind, view, _ in bench.own_votes() if view == 1)
    bench = Bench(B)
    bench.hear(bench.vote(N, 1, A, BLOCK), bench.vote(N, 1, A, OTHER))
    bench.pass_time(3 * bench.timing.round_trip_ms + bench.timing.execution_budget_ms)
    assert bench.own_votes() == [(X, 1, b"")]


def test_trace_8_a_certificate_overrides_the_proposal_but_not_the_own_vote() -> None:
    bench = Bench(B)
    bench.hear(bench.vote(N, 1, A, BLOCK))
    bench.verdict(BLOCK)
    effects = bench.receive(bench.certificate(N, 1, OTHER, signers=(A, C, D)))
    assert [ask.payload for ask in of(effects, AskCheck)] == [OTHER]
    assert of(effects, ReportEvidence)
    bench.verdict(OTHER)
    assert bench.core.view == 2
    assert bench.own_votes() == [(N, 1, BLOCK)]
    bench.pass_time(bench.timing.grace_ms())
    assert bench.own_votes() == [(N, 1, BLOCK), (N, 2, OTHER)]


def test_trace_9_a_leader_who_gives_up_is_followed_at_once() -> None:
    bench = Bench(B)
    bench.hear(bench.vote(X, 1, A))
    assert bench.now == 0
    assert bench.own_votes() == [(X, 1, b"")]


def test_trace_9_a_declined_build_is_such_a_giving_up() -> None:
    bench = Bench(A)
    bench.built(1, None)
    assert bench.own_votes() == [(X, 1, b"")]


def test_trace_10_after_a_crash_between_record_and_message_the_same_bytes_leave() -> None:
    bench = Bench(B)
    bench.hear(bench.vote(N, 1, A))
    bench.verdict()
    [lost] = [vote for vote in broadcasts(bench.effects, Vote) if vote.kind is N]
    again = Bench(B, records=bench.journal)
    assert lost in broadcasts(again.effects, Vote)
    again.hear(again.vote(N, 1, A, OTHER))
    again.verdict(OTHER)
    assert again.own_votes() == []
    assert {v for v in broadcasts(again.effects, Vote) if v.kind is N} == {lost}


def test_trace_11_the_whole_net_restarts_after_recording_its_skip_votes() -> None:
    benches = [Bench(node) for node in (A, B, C, D)]
    for bench in benches[1:]:
        bench.pass_time(2 * bench.timing.round_trip_ms)
        assert bench.own_votes() == [(X, 1, b"")]
    again = [Bench(bench.node, records=bench.journal, now=5000) for bench in benches]
    for bench in again:
        bench.pass_time(5000 + 3 * bench.timing.round_trip_ms)
    said = [vote for bench in again for vote in broadcasts(bench.effects, Vote)]
    for bench in again[1:]:
        bench.hear(*(vote for vote in said if vote.signer != bench.node))
        assert bench.core.view >= 2


def test_trace_12_a_node_that_must_not_vote_follows_without_a_vote() -> None:
    bench = Bench(B, votes=False)
    bench.hear(bench.vote(N, 1, A), bench.vote(N, 1, C), bench.vote(N, 1, D))
    bench.verdict()
    bench.pass_time(20_000)
    effects = bench.hear(*(bench.vote(F, 1, signer) for signer in (A, C, D)))
    assert of(effects, Decide)
    assert bench.own_votes() == []


def test_trace_13_a_vote_of_another_height_set_chain_or_signer_is_refused() -> None:
    bench = Bench(B)
    keys, vote = bench.validators.keys, bench.vote(N, 1, A)

    def refusal(changed: Vote, peer: int = A, genesis: bytes = GENESIS) -> Refusal | None:
        return refuse_vote(changed, keys[peer], bench.validators, genesis, stub_verify)

    assert refusal(vote) is None
    assert refusal(vote, genesis=bytes(32)) is Refusal.BAD_SIGNATURE
    assert refusal(replace(vote, height=2)) is Refusal.BAD_SIGNATURE
    assert refusal(replace(vote, view=2)) is Refusal.BAD_SIGNATURE
    assert refusal(replace(vote, kind=F)) is Refusal.BAD_SIGNATURE
    assert refusal(replace(vote, signer=B)) is Refusal.NOT_THE_SIGNER
    assert refusal(replace(vote, signer=B), peer=B) is Refusal.BAD_SIGNATURE
    assert refusal(replace(vote, signer=99)) is Refusal.NOT_THE_SIGNER
    assert refusal(vote, peer=C) is Refusal.NOT_THE_SIGNER
    wider = Bench(B, n=5)
    assert (
        refuse_vote(vote, keys[A], wider.validators, GENESIS, stub_verify) is Refusal.BAD_SIGNATURE
    )


def test_trace_13_a_certificate_with_a_wrong_bitmap_is_refused() -> None:
    bench = Bench(B)
    good = bench.certificate(N, 1, signers=(A, B, C))

    def refused(certificate: Certificate) -> bool:
        refusal = refuse_certificate(certificate, bench.validators, GENESIS, stub_verify)
        return refusal is Refusal.BAD_CERTIFICATE

    assert not refused(good)
    assert refused(replace(good, signers=b"\x0b"))  # A B D: not who signed
    assert refused(replace(good, signers=b"\x17"))  # bit 4 is no validator
    assert refused(replace(good, signers=b"\x07\x00"))  # too long
    assert refused(replace(good, signers=b""))
    assert refused(replace(good, signers=b"\x0f"))  # four bits, three signatures
    one_twice = (*good.signatures[:2], good.signatures[1])
    assert refused(replace(good, signatures=one_twice))
    assert refused(replace(good, signatures=(*good.signatures, bytes(64)), signers=b"\x0f"))
    assert refused(replace(good, view=2))
    assert refused(replace(good, payload=OTHER))


def test_trace_13_what_the_core_does_not_want_changes_nothing() -> None:
    bench = Bench(B)
    far = bench.vote(N, 3, C)
    assert not bench.core.wants_vote(far)
    assert bench.hear(far) == []
    other_height = replace(bench.vote(N, 1, A), height=2)
    assert not bench.core.wants_vote(other_height)
    assert bench.hear(other_height) == []


def test_trace_14_three_of_five_are_no_quorum() -> None:
    bench = Bench(A, n=5)
    bench.built(1)
    bench.hear(bench.vote(N, 1, B), bench.vote(N, 1, C))
    assert bench.core.view == 1
    assert bench.own_votes() == [(N, 1, BLOCK)]
    bench.hear(bench.vote(N, 1, D))
    assert bench.core.view == 2


def test_trace_15_a_final_certificate_of_another_height_is_not_for_this_core() -> None:
    bench = Bench(B)
    far = replace(bench.certificate(F, 1), height=9)
    assert not bench.core.wants_certificate(far)
    assert bench.receive(far) == []


def test_the_leader_persists_its_block_before_anything_leaves() -> None:
    bench = Bench(A)
    effects = bench.built(1)
    persisted = effects[0]
    assert [type(record).__name__ for record in persisted.records] == ["Verdict", "OwnVote"]
    assert of(effects, PublishBlock) == [PublishBlock(BLOCK)]
