"""Who trades in the live market: keeps both sides of every book at the wanted depth.

Orders are drawn from the ranges of the paper's evaluation (`node/demo/draws.py`); only the step of
their price and their life are drawn wider, so that a book holds orders of all ages: some cross in a
few rounds, some in fifty, some expire.  Half of them stand back, as in any open book: bids that
offer less, asks that want more, moving slowly and living long; of a side that is short, most of
those that come.  In every block a few are cancelled and each book is filled up again, by as many
accounts as the limit on open orders of one asks for.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from random import Random

from msgspec.structs import replace

from auction.actions import Ask, Bid, Cancel, CostModel, UtilityModel
from ledger.crypto import SigningKey
from ledger.members import Resources
from ledger.transactions import Action
from node.demo.draws import draw_ask, draw_bid

STEPS_MICRO = {"deal": (5_000, 10_000, 20_000), "round": (10_000, 20_000, 50_000)}
"""omega of Eq 18 at mu = 1, by fee basis: prices that move by 0.5 to 5 % a round.  Where the fee
counts rounds a price must reach its reservation sooner."""
LIFE_BLOCKS = (25, 90)
STANDING_SHARE = 0.5
SHORT_STANDING_SHARE = 0.9
"""Of a side that lacks more than two blocks bring: what trades at once would never fill it."""
STANDING_LIFE_BLOCKS = (100, 300)
STANDING_VALUE_PERCENT = (50, 90)
STANDING_COST_PERCENT = (110, 180)
"""Of the drawn value or cost, for orders that stand back from the market."""
CANCELLED_PER_BLOCK = 2
ACTIONS_PER_TRANSACTION = 16
ORDERS_PER_ACCOUNT = 60
"""Of one account in one book; the chain allows 64."""


@dataclass(frozen=True, slots=True)
class OpenRow:
    """An open order as its route tells it."""

    id: str
    side: str
    owner: str
    broker: str


@dataclass(slots=True)
class Traders:
    """All buyers and sellers; deterministic for one seed and one course of the chain."""

    random: Random
    brokers: Mapping[str, str]
    """Broker -> its fee basis."""
    buyers: Sequence[SigningKey]
    sellers: Sequence[SigningKey]
    slot: Resources
    depth: int
    sent: Counter[str] = field(default_factory=Counter)

    def decide(
        self, rows: Sequence[OpenRow], under_way: Sequence[OpenRow], height: int, arrivals: int
    ) -> dict[str, list[Action]]:
        """Return what each account sends now, by address.

        `under_way` are orders sent and not in a block yet: without them they would be sent twice.
        `arrivals`: most new orders of a side and book.
        """
        wanted: dict[str, list[Action]] = {}
        for row in self.random.sample(rows, min(CANCELLED_PER_BLOCK, len(rows))):
            wanted.setdefault(row.owner, []).append(Cancel(row.id))
            self.sent["cancel"] += 1
        known = (*rows, *under_way)
        counts = Counter((row.broker, row.side) for row in known)
        held = Counter((row.broker, row.owner) for row in known)
        for broker in self.brokers:
            for side, keys in (("bid", self.buyers), ("ask", self.sellers)):
                missing = self.depth - counts[(broker, side)]
                share = SHORT_STANDING_SHARE if missing > 2 * arrivals else STANDING_SHARE
                for owner in self._owners(keys, broker, held, min(arrivals, missing)):
                    order = self._order(side, broker, height, share)
                    wanted.setdefault(owner, []).append(order)
                    self.sent[side] += 1
        return wanted

    def _owners(
        self, keys: Sequence[SigningKey], broker: str, held: Counter[tuple[str, str]], missing: int
    ) -> list[str]:
        """Who opens the missing orders of a side: those with the fewest in this book first."""
        owners = []
        for _ in range(missing):
            owner = min((key.address for key in keys), key=lambda each: held[(broker, each)])
            if held[(broker, owner)] >= ORDERS_PER_ACCOUNT:
                break
            held[(broker, owner)] += 1
            owners.append(owner)
        return owners

    def _order(self, side: str, broker: str, height: int, standing_share: float) -> Bid | Ask:
        standing = self.random.random() < standing_share
        life = STANDING_LIFE_BLOCKS if standing else LIFE_BLOCKS
        expires = height + self.random.randint(*life)
        omega = self.random.choice(STEPS_MICRO[self.brokers[broker]])
        if side == "bid":
            bid = draw_bid(self.random, broker, height)
            if standing:
                bid = bid_less(bid, self.random.randint(*STANDING_VALUE_PERCENT))
            return replace(bid, expires=expires, omega_micro=omega)
        ask = draw_ask(self.random, broker, height, self.slot)
        if standing:
            ask = ask_more(ask, self.random.randint(*STANDING_COST_PERCENT))
        return replace(ask, expires=expires, omega_micro=omega)


def bid_less(bid: Bid, percent: int) -> Bid:
    """Return a bid whose service is worth this part of what was drawn (v of Eq 7)."""
    model = bid.valuation
    if not isinstance(model, UtilityModel):
        raise TypeError("bids are drawn with a utility model")
    return replace(bid, valuation=replace(model, value_micro=model.value_micro * percent // 100))


def ask_more(ask: Ask, percent: int) -> Ask:
    """Return an ask whose computing costs so many hundredths of what was drawn (Eq 9c)."""
    model = ask.cost
    if not isinstance(model, CostModel):
        raise TypeError("asks are drawn with a cost model")
    a, b, c = (each * percent // 100 for each in (model.a_micro, model.b_micro, model.c_micro))
    return replace(ask, cost=replace(model, a_micro=a, b_micro=b, c_micro=c))


def in_transactions(wanted: Mapping[str, Sequence[Action]]) -> list[tuple[str, list[Action]]]:
    """Return the actions of each account in transactions of a bounded size."""
    step = ACTIONS_PER_TRANSACTION
    found: list[tuple[str, list[Action]]] = []
    for owner, actions in wanted.items():
        # A transaction is all or nothing, and an order may be gone before its cancellation.
        found += [(owner, [action]) for action in actions if isinstance(action, Cancel)]
        others = [action for action in actions if not isinstance(action, Cancel)]
        found += [(owner, others[at : at + step]) for at in range(0, len(others), step)]
    return found
