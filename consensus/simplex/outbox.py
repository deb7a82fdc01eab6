"""What the core has gathered while it handles one input: records first, effects after them."""

from consensus.simplex.events import Deadline, Effect, Persist
from consensus.simplex.journal import HeldCertificate, OwnVote, Verdict


class Outbox:
    """Effects in the making.  `flush` is the only way out, and puts the one Persist in front."""

    def __init__(self) -> None:
        self._records: list[OwnVote | HeldCertificate | Verdict] = []
        self._effects: list[Effect] = []

    def record(self, record: OwnVote | HeldCertificate | Verdict) -> None:
        """To be durable before anything of this batch leaves."""
        self._records.append(record)

    def add(self, *effects: Effect) -> None:
        """To be done after the records are durable, in this order."""
        self._effects.extend(effects)

    def flush(self, deadline_ms: int | None) -> tuple[Effect, ...]:
        """Everything gathered, and empty again."""
        effects: list[Effect] = []
        if self._records:
            effects.append(Persist(tuple(self._records)))
        effects.extend(self._effects)
        if deadline_ms is not None:
            effects.append(Deadline(deadline_ms))
        self._records, self._effects = [], []
        return tuple(effects)
