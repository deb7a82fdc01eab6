"""Rule R13: what is said again while nothing moves.

Links lose messages, and a FINALIZE that is lost is otherwise never repeated.  At every retry a
node sends the certificate by which it entered its view, a few of its other certificates in turn,
and its own votes: all of the current view, of older ones those no certificate stands for yet (a
FINALIZE always, a NOTARIZE or NULLIFY when neither N nor X of its view is held).  So the effort
per retry is bounded however many views a height has taken, and in time everything is said.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from consensus.simplex.events import Message, Status
from consensus.simplex.state import HeightState
from consensus.simplex.types import Certificate, Vote, VoteKind

RECENT_VIEWS = 16
"""Own votes of this many views are repeated."""

CERTIFICATES_PER_RETRY = 4

_KINDS = (VoteKind.NOTARIZE, VoteKind.NULLIFY, VoteKind.FINALIZE)


@dataclass(slots=True)
class Standstill:
    """Remembers which certificates come next."""

    cursor: int = 0

    def messages(self, state: HeightState) -> list[Message]:
        """What to broadcast now, at most 3 RECENT_VIEWS + CERTIFICATES_PER_RETRY + 2 messages."""
        said: list[Message] = []
        entering = state.entering_certificate()
        if entering is not None:
            said.append(entering)
        said.extend(self._next_certificates(state, entering))
        for view in range(max(1, state.view - RECENT_VIEWS + 1), state.view + 1):
            said.extend(_open_votes(state, view))
        said.append(Status(state.start.height, state.view, asks=False))
        return said

    def _next_certificates(
        self, state: HeightState, entering: Certificate | None
    ) -> Sequence[Certificate]:
        others = [held for held in state.certificates() if held is not entering]
        if not others:
            return ()
        count = min(CERTIFICATES_PER_RETRY, len(others))
        chosen = [others[(self.cursor + step) % len(others)] for step in range(count)]
        self.cursor += count
        return chosen


def _open_votes(state: HeightState, view: int) -> list[Vote]:
    record = state.record(view)
    is_over = view < state.view and (record.notarization or record.nullification)
    kinds = (VoteKind.FINALIZE,) if is_over else _KINDS
    return [record.sent[kind] for kind in kinds if kind in record.sent]
