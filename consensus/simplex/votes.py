"""The tally of one view: one slot per kind of vote and signer.

Rule R2: the first vote of a signer in a slot counts.  The same again is nothing.  Another
proposal in the same slot, or NULLIFY against FINALIZE, convicts the signer; such a vote is not
counted.  Memory is bounded by 3 n votes.
"""

from dataclasses import dataclass, field

from consensus.simplex.evidence import conflicts
from consensus.simplex.types import Vote, VoteKind


@dataclass(slots=True)
class Tally:
    """Votes of one view."""

    _slots: dict[tuple[VoteKind, int], Vote] = field(default_factory=dict)
    _counts: dict[tuple[VoteKind, int, bytes], int] = field(default_factory=dict)

    def vote(self, kind: VoteKind, signer: int) -> Vote | None:
        """The vote in this slot."""
        return self._slots.get((kind, signer))

    def add(self, vote: Vote) -> None:
        """Count a vote whose slot is empty and which `conflict` passed."""
        self._slots[vote.kind, vote.signer] = vote
        subject = (vote.kind, *vote.proposal)
        self._counts[subject] = self._counts.get(subject, 0) + 1

    def conflict(self, vote: Vote) -> Vote | None:
        """A counted vote that convicts the signer together with this one."""
        for kind in VoteKind:
            held = self._slots.get((kind, vote.signer))
            if held is not None and conflicts(held, vote):
                return held
        return None

    def count(self, vote: Vote) -> int:
        """How many votes say the same as this one."""
        return self._counts.get((vote.kind, *vote.proposal), 0)

    def equal_votes(self, kind: VoteKind, proposal: tuple[int, bytes]) -> tuple[Vote, ...]:
        """The votes of this kind for this proposal, in order of arrival."""
        return tuple(
            vote
            for (slot_kind, _), vote in self._slots.items()
            if slot_kind is kind and vote.proposal == proposal
        )

    def clear(self) -> None:
        """Forget the votes of a view that lies far behind."""
        self._slots.clear()
        self._counts.clear()
