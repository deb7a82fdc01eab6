"""Who was heard lately: the local hint by which a dead leader is not waited for.

A leader is called silent when nothing was heard of it for `silent_after_ms` while a quorum was.
It changes timers only, never what may be signed, and fails open: a node that hears nobody calls
nobody silent, and after a start everybody counts as heard.
"""

from consensus.simplex.types import PeerKey, ValidatorSet


class Activity:
    """Last time each validator was heard, in ms of the local clock; outlives the heights."""

    def __init__(self, silent_after_ms: int) -> None:
        self._silent_after_ms = silent_after_ms
        self._heard_at: dict[PeerKey, int] = {}

    def begin_height(self, now_ms: int, validators: ValidatorSet) -> None:
        """Keep the members of this set only; a new one counts as heard now."""
        self._heard_at = {key: self._heard_at.get(key, now_ms) for key in validators.keys}

    def heard(self, peer: PeerKey, now_ms: int) -> None:
        """An authenticated message of this peer arrived."""
        if peer in self._heard_at:
            self._heard_at[peer] = now_ms

    def is_silent(self, leader: int, own_index: int | None, now_ms: int, v: ValidatorSet) -> bool:
        """Whether the leader may be skipped at once; never true of ourselves."""
        if leader == own_index or not self._is_quiet(v.keys[leader], now_ms):
            return False
        return self._hears_quorum(own_index, now_ms, v)

    def _is_quiet(self, key: PeerKey, now_ms: int) -> bool:
        return now_ms - self._heard_at.get(key, now_ms) >= self._silent_after_ms

    def _hears_quorum(self, own_index: int | None, now_ms: int, v: ValidatorSet) -> bool:
        lively = sum(
            index == own_index or not self._is_quiet(key, now_ms)
            for index, key in enumerate(v.keys)
        )
        return lively >= v.quorum
