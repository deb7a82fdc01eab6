"""The file that remembers the highest vote survives a power cut from its first moment on."""

import os
from pathlib import Path

import pytest

from consensus.simplex.types import VoteKind
from node.storage.guard import GuardReason
from node.storage.store import GUARD_FILE, Store
from tests.node.store_kit import GENESIS, vote


def test_the_guard_file_and_its_name_are_synced_before_the_first_vote_and_never_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A young network whose power failed came back without these files, and observed for ever.

    e2e/test_power.py cuts the power of a whole network.
    """
    synced: list[int] = []
    fsync = os.fsync

    def noted(descriptor: int) -> None:
        synced.append(os.fstat(descriptor).st_ino)
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", noted)
    store = Store.open(tmp_path, GENESIS)
    assert store.guard.reason is GuardReason.FRESH
    both = [(tmp_path / GUARD_FILE).stat().st_ino, tmp_path.stat().st_ino]
    assert synced == both
    store.save_journal([vote(VoteKind.NOTARIZE, 1, 1)])
    store.close()
    again = Store.open(tmp_path, GENESIS)
    assert (again.guard.reason, again.guard.floor) == (GuardReason.COMPLETE, 1)
    again.close()
    assert synced == both


def test_a_guard_file_that_a_cut_left_empty_is_not_taken_for_a_record(tmp_path: Path) -> None:
    store = Store.open(tmp_path, GENESIS)
    store.save_journal([vote(VoteKind.NOTARIZE, 1, 1)])
    store.close()
    (tmp_path / GUARD_FILE).write_bytes(b"")
    again = Store.open(tmp_path, GENESIS)
    assert again.guard.reason is GuardReason.MISSING
    again.close()
