"""Timers as integers: growth and its cap, grace, pace, the spread of retries, silent leaders."""

import pytest

from consensus.simplex.events import AskBuild
from consensus.simplex.pace import Timing
from consensus.simplex.types import Vote
from tests.consensus.simplex.bench import BLOCK, A, B, Bench, C, D, N, X, broadcasts, of

TIMING = Timing(round_trip_ms=400, growth_cap=8)


def test_the_bound_grows_by_half_per_view_up_to_the_cap() -> None:
    assert [TIMING.grown_ms(view) for view in range(1, 8)] == [
        400,
        600,
        900,
        1350,
        2025,
        3037,
        3200,
    ]
    assert TIMING.grown_ms(10**9) == 3200


def test_a_leader_waits_for_the_pace_and_nobody_gives_it_up_before() -> None:
    leader, follower = (Bench(node, pace_until_ms=1000) for node in (A, B))
    leader.pass_time(999)
    assert not of(leader.effects, AskBuild)
    leader.pass_time(1000)
    assert of(leader.effects, AskBuild)
    follower.pass_time(1000 + 2 * 400 - 1)
    assert follower.own_votes() == []
    follower.pass_time(1000 + 2 * 400)
    assert follower.own_votes() == [(X, 1, b"")]


def test_a_pace_far_in_the_future_holds_no_longer_than_one_block_time() -> None:
    leader = Bench(A, pace_until_ms=3_600_000)
    leader.pass_time(999)
    assert not of(leader.effects, AskBuild)
    leader.pass_time(1000)
    assert of(leader.effects, AskBuild)


def test_a_proposal_cancels_the_first_timer_and_keeps_the_second() -> None:
    bench = Bench(B)
    bench.hear(bench.vote(N, 1, A))
    bench.pass_time(3 * 400 + 400 - 1)
    assert bench.own_votes() == []
    bench.pass_time(3 * 400 + 400)
    assert bench.own_votes() == [(X, 1, b"")]


def test_retries_are_spread_by_a_fixed_rule() -> None:
    times = {TIMING.retry_ms(index, 1, 0) for index in range(4)}
    assert len(times) == 4
    assert all(
        640 <= TIMING.retry_ms(i, v, a) <= 960
        for i in range(21)
        for v in (1, 2, 9)
        for a in range(50)
    )
    assert TIMING.retry_ms(3, 2, 1) == TIMING.retry_ms(3, 2, 1)


@pytest.mark.parametrize("proposed", [False, True])
def test_a_silent_leader_is_skipped_at_once_unless_its_proposal_is_here(proposed: bool) -> None:
    bench = Bench(B)
    bench.now = 20_000
    for peer in (C, D):
        bench.activity.heard(bench.validators.keys[peer], bench.now)
    # View 5 is A's again; A was not heard for 20 s while B, C and D were.
    bench.receive(bench.certificate(X, 4, signers=(B, C, D)))
    assert bench.core.view == 5
    assert bench.own_votes() == [(X, 5, b"")]
    again = Bench(B)
    again.now = 20_000
    for peer in (C, D):
        again.activity.heard(again.validators.keys[peer], again.now)
    again.receive(again.certificate(X, 3, signers=(B, C, D)))
    if proposed:
        again.hear(again.vote(N, 5, A))
        again.receive(again.certificate(X, 4, signers=(B, C, D)))
        assert again.own_votes() == []


def test_who_hears_nobody_calls_nobody_silent() -> None:
    bench = Bench(B)
    bench.now = 20_000
    bench.receive(bench.certificate(X, 4, signers=(A, C, D)))
    assert bench.own_votes() == []


def test_a_vote_lost_by_the_network_is_said_again() -> None:
    bench = Bench(B)
    bench.hear(bench.vote(N, 1, A))
    bench.verdict(BLOCK)
    said = broadcasts(bench.pass_time(5000), Vote)
    assert said.count(bench.vote(N, 1, B)) >= 4
