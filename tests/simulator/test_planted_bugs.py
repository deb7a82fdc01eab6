"""The checkers are tested with bugs planted in the production code: each must be found."""

from collections.abc import Callable

import pytest

from consensus.simplex import core, outbox, state, types
from consensus.simplex.events import Deadline, Persist
from consensus.simplex.journal import OwnVote
from consensus.simplex.types import VoteKind
from node.driver import checks as driver_checks
from node.driver import desk as driver_desk
from node.driver import guard as driver_guard
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


BUGS: list[tuple[Plant, Scenario]] = [
    (quorum_of_two_thirds, Scenario(n=5, faults=())),
    (finalize_beside_nullify, Scenario(n=4, adversaries=(), faults=STORM)),
    (send_before_persist, Scenario(n=4, faults=())),
    (own_votes_forgotten_at_restart, Scenario(n=4, adversaries=(), faults=STORM)),
    (
        own_votes_not_counted_at_restart,
        Scenario(n=4, adversaries=("silent",), faults=("crash all", "partition")),
    ),
    (nothing_said_again, Scenario(n=4, adversaries=(), faults=STORM)),
    (signatures_not_checked, Scenario(n=4, adversaries=("forger",), faults=())),
    (certificates_not_checked, Scenario(n=4, adversaries=("forger",), faults=())),
    (restored_node_votes_at_once, Scenario(n=4, adversaries=(), faults=("restore", "tail"))),
    (restarted_node_does_not_tell_how_heights_ended, Scenario(n=4, faults=STORM)),
    (skips_not_needed_to_go_back_to_the_root, Scenario(n=4, adversaries=(), faults=STORM)),
    (blocks_not_checked, Scenario(n=4, adversaries=("spoiler",), faults=())),
]


@pytest.mark.parametrize(("plant", "scenario"), BUGS, ids=[bug.__name__ for bug, _ in BUGS])
def test_a_planted_bug_is_found(
    plant: Plant, scenario: Scenario, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(monkeypatch)
    reports = (run_seed(seed, scenario) for seed in range(12))
    assert any(report.failure is not None for report in reports)
