"""What one account did in the market over the last blocks: as buyer, as server, as broker.

Read from the events of the blocks in which the account changed, newest first, at most READ_BLOCKS
of them, in a reader thread: the answer says how far back it reaches.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from ledger.state import Event
from node.api.backend import Queries
from node.api.history import integer

WINDOW_DEFAULT = 1_000
WINDOW_MAX = 10_000
READ_BLOCKS = 400

ROLES = ("buyer", "seller", "broker")
_SUMS = {
    "buyer": ("paid_micro", "value_micro"),
    "seller": ("received_micro", "cost_micro"),
    "broker": ("paid_micro", "received_micro", "broker_micro", "fee_micro"),
}
_GAIN: Mapping[str, Callable[[Mapping[str, int]], int]] = {
    "buyer": lambda sums: sums["value_micro"] - sums["paid_micro"],
    "seller": lambda sums: sums["received_micro"] - sums["cost_micro"],
    "broker": lambda sums: sums["broker_micro"],
}


@dataclass(slots=True)
class _Tally:
    """What was counted so far."""

    trades: dict[str, int] = field(default_factory=lambda: dict.fromkeys(ROLES, 0))
    sums: dict[str, dict[str, int]] = field(
        default_factory=lambda: {role: dict.fromkeys(_SUMS[role], 0) for role in ROLES}
    )
    opened: int = 0
    closed: dict[str, int] = field(default_factory=dict)
    given: list[int] = field(default_factory=list)
    received: list[int] = field(default_factory=list)

    def take(self, account: str, event: Event) -> None:
        """Count one event for the account."""
        data = event.data
        if event.kind == "trade.made":
            for role in ROLES:
                if data.get(role) == account:
                    self.trades[role] += 1
                    for name in _SUMS[role]:
                        self.sums[role][name] += integer(data, name)
        elif event.kind == "order.opened" and data.get("owner") == account:
            self.opened += 1
        elif event.kind == "order.closed" and data.get("owner") == account:
            reason = str(data.get("reason"))
            self.closed[reason] = self.closed.get(reason, 0) + 1
        elif event.kind == "satisfaction.changed":
            if data.get("buyer") == account:
                self.given.append(integer(data, "rating_bp"))
            if data.get("seller") == account:
                self.received.append(integer(data, "rating_bp"))


def read_statistics(queries: Queries, account: str, tip: int, window: int) -> dict[str, object]:
    """The account's figures over the `window` blocks up to the tip, or as many as are read.

    `from` is the first height they cover; `complete` is false where the bound on blocks read ended
    the search before the window did.
    """
    first = max(1, tip - window + 1)
    heights = queries.activity(account, tip + 1, READ_BLOCKS)
    inside = [height for height in heights if height >= first]
    complete = len(inside) < READ_BLOCKS
    tally = _Tally()
    for height in inside:
        for event in queries.events(height):
            if account in event.accounts:
                tally.take(account, event)
    return {
        "account": account,
        "from": first if complete else inside[-1],
        "to": tip,
        "complete": complete,
        **{
            f"as_{role}": {
                "trades": tally.trades[role],
                **tally.sums[role],
                "gain_micro": _GAIN[role](tally.sums[role]),
            }
            for role in ROLES
        },
        "orders": {"opened": tally.opened, "closed": tally.closed},
        "ratings": {"given": _mean(tally.given), "received": _mean(tally.received)},
    }


def _mean(ratings: list[int]) -> dict[str, int]:
    """How many, and their mean in basis points, rounded down; 0 of none."""
    return {"count": len(ratings), "mean_bp": sum(ratings) // max(1, len(ratings))}
