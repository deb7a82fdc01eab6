"""Turns the events of a block into lines a person can read."""

from collections.abc import Mapping
from dataclasses import dataclass, field

MICRO = 1_000_000

Event = Mapping[str, object]


def tokens(micro: object) -> str:
    """`56200000` -> `56.20`; micro-tokens to tokens, two digits, rounded down."""
    if not isinstance(micro, int):
        return "?"
    return f"{micro // MICRO:,}.{micro % MICRO // 10_000:02d}"


def percent(basis_points: object) -> str:
    """`8750` -> `87.5 %`."""
    if not isinstance(basis_points, int):
        return "?"
    return f"{basis_points // 100}.{basis_points % 100 // 10} %"


@dataclass(slots=True)
class Story:
    """Names the accounts, tells events, and counts what it told."""

    names: dict[str, str] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)

    def name(self, address: object) -> str:
        """The account's name, or a short form of its address."""
        return self.names.get(str(address)) or f"{str(address)[:8]}…"

    def tell(self, height: int, event: Event) -> str | None:
        """Return the line for one event; None for what is not worth one."""
        kind, data = str(event.get("kind", "")), event.get("data")
        if not isinstance(data, Mapping):
            return None
        text = self._sentence(kind, data)
        if text is None:
            return None
        self.counts[kind] = self.counts.get(kind, 0) + 1
        return f"[{height}] {text}"

    def _sentence(self, kind: str, data: Mapping[str, object]) -> str | None:
        match kind:
            case "trade.made":
                broker = self.name(data.get("broker"))
                return (
                    f"{self.name(data.get('buyer'))} buys from {self.name(data.get('seller'))} "
                    f"through {broker}: pays {tokens(data.get('paid_micro'))}, "
                    f"server gets {tokens(data.get('received_micro'))}, "
                    f"broker {tokens(data.get('broker_micro'))}"
                )
            case "agreement.ended":
                why = "" if data.get("reason") == "served" else " (the server left)"
                return (
                    f"service of {self.name(data.get('seller'))} for "
                    f"{self.name(data.get('buyer'))} ended{why}, "
                    f"{tokens(data.get('paid_micro'))} paid"
                )
            case "satisfaction.changed":
                return (
                    f"{self.name(data.get('buyer'))} rates {self.name(data.get('seller'))} "
                    f"{percent(data.get('rating_bp'))}: satisfaction "
                    f"{percent(data.get('before_bp'))} -> {percent(data.get('after_bp'))}"
                )
            case "order.closed" if data.get("reason") == "expired":
                return f"{data.get('side')} of {self.name(data.get('owner'))} found no partner"
            case "turn.skipped":
                who = data.get("address") or data.get("builder") or data.get("leader")
                return f"{self.name(who)} missed its turn, the next backup wrote"
            case "member.ejected":
                return f"{self.name(data.get('address'))} was ejected"
            case _:
                return None

    def summary(self) -> dict[str, int]:
        """How often each kind of line was told."""
        return dict(sorted(self.counts.items()))
