"""What a node knows about one height: a record per view, the verdicts about blocks, the view.

Only `Core` changes these; here are the questions asked of them.  View 0 is the root: the final
block of the height below, which needs no certificate here.  A notarization is *certified* once
the check of its block has passed and the block is durable.
"""

from dataclasses import dataclass, field

from consensus.simplex.events import Checked
from consensus.simplex.types import Certificate, HeightStart, Vote, VoteKind
from consensus.simplex.votes import Tally
from ledger.types import Digest

RETENTION_VIEWS = 64
"""Votes are taken and kept for this many views behind the current one."""

SKIPS_PER_REQUEST = 8
"""How many missing certificates are asked for at a time."""


@dataclass(slots=True)
class ViewRecord:
    """One view.

    proposal: (parent view, payload) of the leader's first NOTARIZE, or of the certificate.
    equivocated: the leader signed two proposals; no NOTARIZE and no FINALIZE from us (R6).
    sent: own votes, kept until the height is decided.  give_up: a latched reason of rule R8.
    """

    leader: int
    tally: Tally = field(default_factory=Tally)
    proposal: tuple[int, bytes] | None = None
    equivocated: bool = False
    notarization: Certificate | None = None
    nullification: Certificate | None = None
    sent: dict[VoteKind, Vote] = field(default_factory=dict)
    give_up: bool = False
    build_asked: bool = False

    def held_notarization(self) -> Certificate:
        """N of this view, where the caller knows that it is held."""
        if self.notarization is None:
            raise LookupError("no notarization is held")
        return self.notarization


@dataclass(slots=True)
class HeightState:
    """All views of one height."""

    start: HeightStart
    view: int = 0
    views: dict[int, ViewRecord] = field(default_factory=dict)
    verdicts: dict[Digest, Checked] = field(default_factory=dict)
    notarized_views: list[int] = field(default_factory=list)
    highest_skip: int = 0
    decided: Certificate | None = None

    def record(self, view: int) -> ViewRecord:
        """The record of a view, opened on first use."""
        record = self.views.get(view)
        if record is None:
            record = self.views[view] = ViewRecord(self.start.leader(view))
        return record

    def current(self) -> ViewRecord:
        """The record of the view we are in."""
        return self.record(self.view)

    def notarization(self, view: int) -> Certificate | None:
        """N(view), certified or not."""
        record = self.views.get(view)
        return record.notarization if record is not None else None

    def nullification(self, view: int) -> Certificate | None:
        """X(view)."""
        record = self.views.get(view)
        return record.nullification if record is not None else None

    def certified(self, view: int) -> Certificate | None:
        """N(view), if its block passed the check."""
        certificate = self.notarization(view)
        if certificate is None:
            return None
        verdict = self.verdicts.get(certificate.payload)
        return certificate if verdict is not None and verdict.valid else None

    def skips_for(self, view: int) -> tuple[Certificate, ...]:
        """X(1) .. X(view - 1), all of them held, for a fresh block; () once view > n."""
        if view > self.start.validators.n:
            return ()
        skips = (self.nullification(before) for before in range(1, view))
        return tuple(skip for skip in skips if skip is not None)

    def is_refused(self, payload: bytes) -> bool:
        """Whether the check of this block has failed."""
        verdict = self.verdicts.get(payload)
        return verdict is not None and not verdict.valid

    def missing_skips(self, parent_view: int, view: int) -> tuple[int, ...]:
        """The first views strictly between the two whose NULLIFY certificate is not held."""
        missing: list[int] = []
        for between in range(parent_view + 1, view):
            if self.nullification(between) is None:
                missing.append(between)
                if len(missing) == SKIPS_PER_REQUEST:
                    break
        return tuple(missing)

    def best_parent(self, view: int) -> int:
        """The highest certified view below `view`, else the root (rule R5)."""
        below = (v for v in reversed(self.notarized_views) if v < view)
        return next((v for v in below if self.certified(v) is not None), 0)

    def highest_exit(self) -> int:
        """The highest view that is over by a skip or a certified notarization (rule R1)."""
        exits = reversed(self.notarized_views)
        certified = next((view for view in exits if self.certified(view) is not None), 0)
        return max(certified, self.highest_skip)

    def entering_certificate(self) -> Certificate | None:
        """The best proof that the current view was entered rightly: X(v-1), else N(v-1)."""
        before = self.view - 1
        return self.nullification(before) or self.notarization(before)

    def certificates(self) -> list[Certificate]:
        """All N and X certificates of the height, by view."""
        records = (self.views[view] for view in sorted(self.views))
        pairs = ((record.notarization, record.nullification) for record in records)
        return [certificate for pair in pairs for certificate in pair if certificate is not None]

    def answer(self, view: int, *, skip_first: bool) -> Certificate | None:
        """What is served to a peer that lacks a certificate of `view` (1.7 of the protocol).

        The FINALIZE certificate of the height beats all; then the kind asked for, else the other.
        """
        if self.decided is not None:
            return self.decided
        notarized, skipped = self.certified(view), self.nullification(view)
        return (skipped or notarized) if skip_first else (notarized or skipped)
