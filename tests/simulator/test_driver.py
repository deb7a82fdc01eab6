"""The driver by itself: order of effects, pending blocks, early and late peers, failures."""

from dataclasses import replace

import pytest

from consensus.simplex.events import GetCertificate, Status, Tick
from consensus.simplex.journal import HeldBlock, OwnVote, Verdict
from consensus.simplex.types import Certificate, Vote, VoteKind, Want
from ledger.crypto import digest
from ledger.errors import Corrupt
from node.driver.driver import Diverged
from node.driver.host import BlockArrived, FinalBlockArrived, MessageArrived
from tests.simulator.scripted import (
    BEGIN_MS,
    GENESIS,
    KEYS,
    OBSERVER,
    TIMING,
    Script,
    names,
    status,
)
from tests.simulator.toy import decode_toy

N, X, F = VoteKind.NOTARIZE, VoteKind.NULLIFY, VoteKind.FINALIZE


def leading() -> Script:
    """A driver that leads view 1 of height 1."""
    return Script(Script().leader())


def following() -> Script:
    """A driver that does not."""
    return Script(Script(None).follower())


def finish_height(script: Script) -> bytes:
    """Let the height end by a certificate from the others; the block that won."""
    data = script.block()
    certificate = script.certificate(F, 1, data)
    script.step(FinalBlockArrived(KEYS[0], data, certificate))
    return data


def test_the_block_is_on_disk_before_the_vote_leaves_and_before_it_is_published() -> None:
    script = leading()
    log = [entry for entry in script.host.log if not isinstance(entry[1], Status)]
    assert names(log)[:3] == ["persist", "publish", "broadcast"]
    assert [type(record) for record in log[0][1]] == [HeldBlock, Verdict, OwnVote]
    assert [vote.kind for vote in script.own_votes()] == [N]


def test_a_height_ends_and_the_next_begins_in_one_step() -> None:
    script = following()
    data = script.block()
    script.step(BlockArrived(KEYS[script.leader()], data))
    others = [index for index in range(4) if index != script.index]
    for signer in sorted(others, key=lambda index: index != script.leader()):
        script.hear(script.vote(N, 1, signer, data, 1))
    for signer in others[:2]:
        script.hear(script.vote(F, 1, signer, data, 1))
    assert script.driver.height == 2
    assert script.application.height == 1
    assert "decided" in names(script.host.log)
    assert [vote.kind for vote in script.own_votes()] == [N, F]


def test_a_missing_block_is_asked_of_its_leader_first_and_then_of_everybody_else() -> None:
    script = following()
    data = script.block()
    script.hear(script.vote(N, 1, script.leader(), data))
    asked = []
    for _ in range(8):
        script.host.now = script.host.deadline
        asked += [entry[2] for entry in script.step(Tick()) if entry[0] == "request"]
    assert asked[0] == KEYS[script.leader()]
    assert set(asked) == set(KEYS) - {KEYS[script.index]}
    assert not [vote for vote in script.own_votes() if vote.kind is N]


def test_a_block_that_arrives_late_is_voted_for_in_time() -> None:
    script = following()
    data = script.block()
    script.hear(script.vote(N, 1, script.leader(), data))
    effects = script.step(BlockArrived(KEYS[script.leader()], data))
    assert "accepted" in names(effects)
    assert [vote.kind for vote in script.own_votes()] == [N]


def test_a_block_whose_time_lies_ahead_is_held_back_and_not_refused() -> None:
    script = following()
    data = script.block(later_ms=700)
    script.step(BlockArrived(KEYS[script.leader()], data))
    script.hear(script.vote(N, 1, script.leader(), data))
    assert script.own_votes() == []
    script.host.now = BEGIN_MS + 199
    script.step(Tick())
    assert script.own_votes() == []
    assert script.host.deadline == BEGIN_MS + 200
    script.host.now = BEGIN_MS + 200
    script.step(Tick())
    assert [vote.kind for vote in script.own_votes()] == [N]


def gives_up_after_ms(script: Script) -> int:
    """How long until the driver votes to skip a leader that says nothing."""
    began = script.host.now
    while not [vote for vote in script.own_votes() if vote.kind is X]:
        script.host.now = script.host.deadline
        script.step(Tick())
    return script.host.now - began


@pytest.mark.parametrize("step_ms", [-3_600_000, 3_600_000])
def test_setting_the_wall_clock_ends_no_view_earlier_or_later(step_ms: int) -> None:
    """Timers followed the wall clock; after a step back they ran at half speed for hours."""
    script, undisturbed = following(), following()
    script.host.step_ms = step_ms
    for each in (script, undisturbed):
        finish_height(each)
    assert gives_up_after_ms(script) == gives_up_after_ms(undisturbed)


def test_a_wall_clock_that_is_set_right_counts_for_the_next_header() -> None:
    scout = Script(None)
    finish_height(scout)
    leader = Script(scout.leader())
    leader.host.step_ms = 3_600_000
    leader.step(Tick())
    leader.host.step_ms = 0
    finish_height(leader)
    leader.host.now += 1000
    leader.step(Tick())
    published = [entry[1] for entry in leader.host.log if entry[0] == "publish"]
    block = leader.driver.block(published[-1])
    assert block is not None
    assert decode_toy(block).time_ms == leader.host.now


def test_a_held_block_is_looked_at_again_when_the_wall_clock_may_have_been_set() -> None:
    script = following()
    data = script.block(later_ms=3_600_000)
    script.step(BlockArrived(KEYS[script.leader()], data))
    script.hear(script.vote(N, 1, script.leader(), data))
    script.host.step_ms = 3_600_000
    script.host.now += 1000
    script.step(Tick())
    assert [vote.kind for vote in script.own_votes()] == [N]


def test_a_final_block_is_taken_whatever_its_time() -> None:
    script = following()
    data = script.block(later_ms=3_600_000)
    script.step(FinalBlockArrived(KEYS[0], data, script.certificate(F, 1, data)))
    assert script.application.height == 1


def test_a_certificate_without_its_block_waits_and_fetches_from_the_signers() -> None:
    script = following()
    data = script.block()
    certificate = script.certificate(F, 1, data)
    script.hear(certificate, peer=0)
    assert script.driver.height == 1
    script.host.now = script.host.deadline
    requests = [entry for entry in script.step(Tick()) if entry[0] == "request"]
    assert [entry[1] for entry in requests] == [certificate.payload]
    script.step(BlockArrived(requests[0][2], data))
    assert script.driver.height == 2


def test_a_finalized_block_that_fails_our_check_stops_the_node() -> None:
    script = following()
    bad = replace(decode_toy(script.block()), count=99).encode()
    with pytest.raises(Diverged):
        script.step(FinalBlockArrived(KEYS[0], bad, script.certificate(F, 1, bad)))
    with pytest.raises(RuntimeError, match="must not go on"):
        script.step(Tick())


def test_the_first_disk_error_goes_through_and_nothing_is_signed_after_it() -> None:
    script = following()
    data = script.block()
    script.step(BlockArrived(KEYS[script.leader()], data))
    script.host.disk_error = OSError("disk full")
    with pytest.raises(OSError, match="disk full"):
        script.hear(script.vote(N, 1, script.leader(), data))
    assert script.own_votes() == []
    script.host.disk_error = None
    with pytest.raises(RuntimeError, match="must not go on"):
        script.step(Tick())


def test_votes_of_the_next_height_are_kept_until_it_begins() -> None:
    script = following()
    data = script.block()
    others = [index for index in range(4) if index != script.index]
    ahead = Script(script.index)
    ahead.step(FinalBlockArrived(KEYS[0], data, ahead.certificate(F, 1, data)))
    leader = ahead.leader()
    if leader == script.index:
        pytest.skip("the next leader is the driver itself")
    ahead.host.now += 1000
    following_data = ahead.block()
    for signer in sorted(others, key=lambda index: index != leader):
        script.hear(ahead.vote(N, 1, signer, following_data, 2))
    script.step(BlockArrived(KEYS[leader], following_data))
    script.host.now += 1000
    script.step(FinalBlockArrived(KEYS[0], data, script.certificate(F, 1, data, 1)))
    assert script.driver.height == 2
    assert [(vote.height, vote.kind) for vote in script.own_votes()] == [(2, F)]


def test_early_messages_are_bounded_per_peer() -> None:
    script = following()
    data = script.block()
    for view in range(1, 200):
        script.hear(script.vote(N, view, 0, data, 2))
    kept = script.driver._desk.early.drain()
    assert len(kept) == 24


def test_a_message_from_far_above_means_that_we_are_behind() -> None:
    script = following()
    data = script.block()
    effects = script.hear(script.vote(N, 1, 0, data, 7))
    assert effects == [("behind", KEYS[0], 7)]
    assert script.hear(script.vote(N, 2, 0, data, 7)) == []
    script.host.now += TIMING.round_trip_ms
    assert script.hear(status(9), peer=0) == [("behind", KEYS[0], 9)]


def test_trace_15_blocks_are_taken_in_order_each_with_its_own_set() -> None:
    script = following()
    data = script.block()
    far = script.certificate(F, 1, data, height=2)
    assert script.step(FinalBlockArrived(KEYS[0], data, far)) == []
    forged = script.certificate(F, 1, data, signers=(0, 1))
    effects = script.step(FinalBlockArrived(KEYS[0], data, forged))
    assert names(effects) == ["block peer"]
    other = script.block(salt=5)
    effects = script.step(FinalBlockArrived(KEYS[0], other, script.certificate(F, 1, data)))
    assert names(effects) == ["block peer"]
    assert script.application.height == 0
    finish_height(script)
    assert script.application.height == 1


def test_a_peer_that_is_behind_is_told_once_per_round_trip_how_its_height_ended() -> None:
    script = following()
    data = finish_height(script)
    late = script.vote(X, 1, 1, data, 1)
    assert script.hear(late) == []
    script.host.now += TIMING.round_trip_ms
    [(name, peer, told)] = script.hear(late)
    assert (name, peer) == ("send", KEYS[1])
    assert isinstance(told, Certificate)
    assert (told.kind, told.height) == (F, 1)
    assert script.hear(late) == []


def test_a_restarted_node_still_tells_how_the_last_height_ended() -> None:
    """Found by the simulator (seeds 35, 45, 47, 57): the memory of ended heights was lost."""
    script = following()
    finish_height(script)
    script.disk.sync()
    again = Script(script.index, disk=script.disk, now=script.host.now)
    data = again.block()
    [(name, _, told)] = again.hear(status(1), peer=1)
    assert name == "send"
    assert isinstance(told, Certificate)
    assert told.height == 1
    assert again.hear(again.vote(N, 1, 2, data, 1)) != []


def test_a_status_one_height_above_makes_us_fetch_that_height() -> None:
    script = following()
    assert script.hear(status(2), peer=1) == [("behind", KEYS[1], 2)]


def test_late_finalize_votes_reach_the_application() -> None:
    script = following()
    data = finish_height(script)
    spare = script.vote(F, 1, 3, data, 1)
    script.hear(spare)
    assert script.application.late_votes == [spare]
    script.hear(script.vote(F, 2, 3, data, 1))
    assert script.application.late_votes == [spare]


def test_trace_12_a_restored_node_votes_only_where_no_forgotten_vote_can_be() -> None:
    script = Script(Script(None).follower(), restored=True)
    assert not script.driver.may_vote
    others = [index for index in range(4) if index != script.index]
    for peer in others[:2]:
        script.hear(status(2), peer=peer)
    finish_height(script)
    assert not script.driver.may_vote  # at height 2 a vote may be forgotten
    script.host.now += 2000
    finish_height(script)
    assert script.driver.height == 3
    assert script.driver.may_vote


def test_a_certificate_does_not_show_where_its_bearer_is() -> None:
    """Found by the simulator (seeds 186, 335, 339, 355)."""
    script = Script(Script(None).follower(), restored=True)
    data = script.block()
    others = [index for index in range(4) if index != script.index]
    for peer in others:
        script.hear(script.certificate(X, 1, data), peer=peer)
        script.hear(script.vote(X, 1, peer, data))
    script.host.now += 2000
    finish_height(script)
    assert not script.driver.may_vote


def test_trace_12_blocks_from_before_the_start_do_not_release_a_restored_node() -> None:
    script = Script(Script(None).follower(), restored=True)
    for peer in [index for index in range(4) if index != script.index][:2]:
        script.hear(status(1), peer=peer)
    for _ in range(3):
        finish_height(script)  # all with header times up to our start
        assert not script.driver.may_vote


def test_trace_12_a_liar_cannot_keep_a_restored_node_silent_for_ever() -> None:
    script = Script(Script(None).follower(), restored=True)
    others = [index for index in range(4) if index != script.index]
    script.hear(status(1 << 40), peer=others[0])
    script.hear(status(1), peer=others[1])
    for _ in range(20):
        script.host.now += 2000
        finish_height(script)
    assert script.driver.may_vote


def test_trace_13_messages_that_cannot_be_are_dropped_and_their_sender_blocked() -> None:
    script = following()
    data = script.block()
    leader, other = script.leader(), script.follower()
    relayed = script.vote(N, 1, leader, data)
    assert names(script.hear(relayed, peer=other)) == ["block peer"]
    assert names(script.hear(relayed, peer=OBSERVER)) == ["block peer"]
    unsigned = Vote(N, 1, 1, 0, relayed.payload, leader, bytes(64))
    assert names(script.hear(unsigned)) == ["block peer"]
    small = script.certificate(N, 1, data, signers=(0, 1))
    assert names(script.hear(small, peer=other)) == ["block peer"]
    assert names(script.step(BlockArrived(KEYS[other], b"junk"))) == ["block peer"]
    assert script.driver.view == 1
    assert script.own_votes() == []


def test_an_observer_follows_answers_and_never_votes() -> None:
    script = Script(None)
    data = script.block()
    script.step(BlockArrived(KEYS[script.leader()], data))
    for signer in (0, 1, 2):
        script.hear(script.vote(N, 1, signer, data))
    assert script.driver.view == 2
    [(_, peer, answer)] = script.hear(GetCertificate(1, 1, Want.ANY), peer=3)
    assert (peer, answer.kind) == (KEYS[3], N)
    for signer in (0, 1, 2):
        script.hear(script.vote(F, 1, signer, data, 1))
    assert script.driver.height == 2
    assert script.own_votes() == []


def test_requests_of_one_peer_are_answered_within_a_budget() -> None:
    script = Script(None)
    data = script.block()
    script.hear(script.certificate(X, 1, data), peer=0)
    answers = [script.hear(GetCertificate(1, 1, Want.ANY), peer=3) for _ in range(50)]
    assert sum(bool(answer) for answer in answers) == 16
    asked = [script.hear(status(1, 2, asks=True), peer=2) for _ in range(50)]
    assert sum(bool(answer) for answer in asked) <= 3


def test_who_asks_for_a_status_gets_one() -> None:
    script = following()
    assert ("send", KEYS[0], Status(1, 1, asks=False)) in script.hear(status(1, asks=True), peer=0)


def test_unasked_blocks_are_kept_from_validators_only_and_few() -> None:
    script = following()
    for salt in range(10):
        script.step(BlockArrived(KEYS[3], script.block(salt=salt)))
        script.step(BlockArrived(OBSERVER, script.block(salt=salt + 100)))
    assert len(script.driver._shelf.blocks) == 2


def test_an_own_block_that_fails_our_check_declines_the_turn() -> None:
    script = Script(leading().index, now=BEGIN_MS - 500)
    script.application.build = lambda request: script.block(height=9)
    script.host.now = BEGIN_MS
    log = script.step(Tick())
    assert "refused" in names(log)
    assert [vote.kind for vote in script.own_votes()] == [X]


def test_restart_repeats_the_vote_and_can_still_commit_the_block() -> None:
    script = following()
    data = script.block()
    script.step(BlockArrived(KEYS[script.leader()], data))
    script.hear(script.vote(N, 1, script.leader(), data))
    [vote] = script.own_votes()
    again = Script(script.index, journal=script.host.journal)
    assert set(again.own_votes()) == {vote}
    assert again.driver.block(digest("toy", data, GENESIS)) == data
    again.hear(again.certificate(F, 1, data), peer=0)
    assert again.driver.height == 2


def test_records_of_another_height_are_not_replayed() -> None:
    script = following()
    data = script.block()
    script.step(BlockArrived(KEYS[script.leader()], data))
    script.hear(script.vote(N, 1, script.leader(), data))
    finish_height(script)
    script.disk.sync()
    again = Script(script.index, disk=script.disk, journal=script.host.journal)
    assert again.driver.height == 2
    assert again.own_votes() == []


def test_a_journal_block_that_does_not_read_back_stops_the_start() -> None:
    record = HeldBlock(1, bytes(32), b"rot")
    with pytest.raises(Corrupt):
        Script(1, journal=[record])


def test_messages_of_an_unknown_peer_change_nothing() -> None:
    script = following()
    before = script.driver.view
    script.step(MessageArrived(OBSERVER, status(1, 5)))
    assert script.driver.view == before
