"""The checkers are tested with bugs planted in the production code: each must be found."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from msgspec.structs import replace as replace_field

from consensus import checks, election, history, offences, rewards, turns
from consensus.simplex import core, outbox, state, types
from consensus.simplex.events import Deadline, Persist
from consensus.simplex.journal import OwnVote
from consensus.simplex.types import Vote, VoteKind
from ledger import execution
from ledger.state import View
from node.driver import checks as driver_checks
from node.driver import desk as driver_desk
from node.driver import guard as driver_guard
from tests.simulator.disk import Disk, StoredBlock
from tests.simulator.simulation import Scenario, run_seed

Plant = Callable[[pytest.MonkeyPatch], None]

STORM = ("loss", "tail", "partition", "crash", "crash all")


def quorum_of_two_thirds(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(types, "quorum_size", lambda n: 2 * ((n - 1) // 3) + 1)


def finalize_beside_nullify(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(
        core,
        "may_finalize",
        lambda held, view: (
            held.certified(view) is not None and VoteKind.FINALIZE not in held.record(view).sent
        ),
    )


def send_before_persist(patch: pytest.MonkeyPatch) -> None:
    flush = outbox.Outbox.flush

    def late(self: outbox.Outbox, deadline_ms: int | None) -> tuple[object, ...]:
        effects = flush(self, deadline_ms)
        return tuple(sorted(effects, key=lambda effect: isinstance(effect, Persist | Deadline)))

    patch.setattr(outbox.Outbox, "flush", late)


def own_votes_forgotten_at_restart(patch: pytest.MonkeyPatch) -> None:
    replay = core.Core._replay
    patch.setattr(
        core.Core,
        "_replay",
        lambda self, record: 1 if isinstance(record, OwnVote) else replay(self, record),
    )


def own_votes_not_counted_at_restart(patch: pytest.MonkeyPatch) -> None:
    replay = core.Core._replay

    def forgetful(self: core.Core, record: object) -> int:
        if isinstance(record, OwnVote):
            self._state.record(record.vote.view).sent[record.vote.kind] = record.vote
            return record.vote.view
        return replay(self, record)

    patch.setattr(core.Core, "_replay", forgetful)


def nothing_said_again(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(core.Core, "_repeat", lambda self: None)


def signatures_not_checked(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(driver_desk, "refuse_vote", lambda *_: None)


def certificates_not_checked(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(driver_desk, "refuse_certificate", lambda *_: None)


def restored_node_votes_at_once(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(driver_guard.VoteGuard, "may_vote", lambda self, height, validators: True)


def restarted_node_does_not_tell_how_heights_ended(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(driver_desk.PeerDesk, "final_certificate", lambda self, height: None)
    patch.setattr(driver_desk.PeerDesk, "_from_above", lambda self, peer, message, now_ms: None)


def skips_not_needed_to_go_back_to_the_root(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(state.HeightState, "missing_skips", lambda self, parent, view: ())
    patch.setattr(state.HeightState, "best_parent", lambda self, view: 0)


def blocks_not_checked(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(driver_checks.BlockChecks, "_passes", lambda self, data: True)


def nothing_keeps_a_notarize_after_a_nullify(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(
        core,
        "may_notarize",
        lambda record: VoteKind.NOTARIZE not in record.sent and not record.equivocated,
    )


def blocks_from_the_future_are_voted_for(patch: pytest.MonkeyPatch) -> None:
    begin = driver_checks.BlockChecks.__init__

    def careless(self: driver_checks.BlockChecks, *arguments: object) -> None:
        begin(self, *arguments)  # type: ignore[arg-type]
        self._drift_bound_ms = 1 << 40

    patch.setattr(driver_checks.BlockChecks, "__init__", careless)


def late_votes_for_any_block_are_taken(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(
        driver_desk.PeerDesk,
        "_note_late_vote",
        lambda self, peer, vote, finished: (
            vote.kind is VoteKind.FINALIZE and self._application.note_finalize_votes((vote,))
        ),
    )


def final_blocks_are_not_stored(patch: pytest.MonkeyPatch) -> None:
    keep = Disk._keep
    patch.setattr(
        Disk,
        "_keep",
        lambda self, records: keep(
            self, [record for record in records if not isinstance(record, StoredBlock)]
        ),
    )


def the_disk_says_done_too_early(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Disk, "sync", lambda self: self._call())


def winners_keep_their_tokens(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(turns, "clear", lambda overlay, address: 0)


def used_turns_still_weigh(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(
        election,
        "drawn_weights",
        lambda addresses, base, consumed: tuple(base.get(who, 0) for who in addresses),
    )


def rewards_are_paid_twice(patch: pytest.MonkeyPatch) -> None:
    pay = rewards.pay
    patch.setattr(rewards, "pay", lambda overlay, dues: (pay(overlay, dues), pay(overlay, dues))[0])


def rewards_come_from_nowhere(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(rewards, "pot_debit", lambda overlay, name, micro: None)
    patch.setattr(execution, "check_conservation", lambda overlay: None)


def accusations_are_believed(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(offences, "verify_evidence", lambda *_: True)


def late_votes_are_paid_again(patch: pytest.MonkeyPatch) -> None:
    countable = checks._countable

    def countable_again(view: View, vote: Vote, height: int) -> bool:
        forgetful = replace_field(history.read_turn(view, vote.height) or NO_TURN, counted=())
        with pytest.MonkeyPatch.context() as inner:
            inner.setattr(checks, "read_turn", lambda *_: forgetful)
            return countable(view, vote, height)

    patch.setattr(checks, "_countable", countable_again)


def blocks_earn_nothing(patch: pytest.MonkeyPatch) -> None:
    pay = rewards.pay
    patch.setattr(
        rewards,
        "pay",
        lambda overlay, dues: pay(overlay, [due for due in dues if due.reason != "block"]),
    )


NO_TURN = history.Turn("00" * 32, 1, ())


NODE = Scenario(application="node", adversaries=(), faults=(), bad_ms=1500)

BUGS: list[tuple[Plant, Scenario]] = [
    (quorum_of_two_thirds, Scenario(n=5, faults=())),
    (finalize_beside_nullify, Scenario(n=4, adversaries=(), faults=STORM)),
    (send_before_persist, Scenario(n=4, faults=())),
    (own_votes_forgotten_at_restart, Scenario(n=4, adversaries=(), faults=STORM)),
    (
        own_votes_not_counted_at_restart,
        Scenario(n=4, adversaries=("silent",), faults=("crash all",)),
    ),
    (nothing_said_again, Scenario(n=4, adversaries=(), faults=STORM)),
    (signatures_not_checked, Scenario(n=4, adversaries=("forger",), faults=())),
    (certificates_not_checked, Scenario(n=4, adversaries=("certifier",), faults=())),
    (restored_node_votes_at_once, Scenario(n=4, adversaries=(), faults=("restore", "tail"))),
    (restarted_node_does_not_tell_how_heights_ended, Scenario(n=4, faults=STORM)),
    (skips_not_needed_to_go_back_to_the_root, Scenario(n=4, adversaries=(), faults=STORM)),
    (blocks_not_checked, Scenario(n=4, adversaries=("spoiler",), faults=())),
    (
        nothing_keeps_a_notarize_after_a_nullify,
        Scenario(n=4, adversaries=("withholder",), faults=("tail", "clog", "loss")),
    ),
    (blocks_from_the_future_are_voted_for, Scenario(n=4, adversaries=("spoiler",), faults=())),
    (late_votes_for_any_block_are_taken, Scenario(n=4, adversaries=("conflicter",), faults=())),
    (final_blocks_are_not_stored, Scenario(n=4, adversaries=(), faults=("crash",))),
    (the_disk_says_done_too_early, Scenario(n=4, adversaries=(), faults=())),
    (winners_keep_their_tokens, NODE),
    (used_turns_still_weigh, NODE),
    (rewards_are_paid_twice, NODE),
    (rewards_come_from_nowhere, NODE),
    (late_votes_are_paid_again, NODE),
    (blocks_earn_nothing, NODE),
    (accusations_are_believed, replace(NODE, adversaries=("spammer",))),
]


@pytest.mark.parametrize(("plant", "scenario"), BUGS, ids=[bug.__name__ for bug, _ in BUGS])
def test_a_planted_bug_is_found(
    plant: Plant, scenario: Scenario, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(monkeypatch)
    reports = (run_seed(seed, scenario) for seed in range(12))
    assert any(report.failure is not None for report in reports)
