"""What the agents of the demo want: pure decisions from what they see to the actions they take.

Buyers (ITS subsystems) keep a few bids open and rate every service that ended.  Sellers (DT
servers) keep a few slots on offer.  Neither remembers anything the chain does not know, so an
agent that is started again, or sent to another node, goes on where the chain stands.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from random import Random

from auction.actions import Rate
from ledger.members import Resources
from ledger.transactions import Action
from node.demo.draws import draw_ask, draw_bid, draw_rating

BUYER_OPEN_BIDS = 4
SELLER_OPEN_ASKS = 6
SLOTS = 16
# Blocks an agent leaves its last transaction before it looks at its own orders again.
SETTLE_BLOCKS = 3


@dataclass(frozen=True, slots=True)
class Scene:
    """What every agent sees at one height."""

    height: int
    brokers: tuple[str, ...]
    open_orders: Mapping[str, int]
    """Owner -> number of its open orders."""
    ratable: Mapping[str, Sequence[tuple[str, str]]]
    """Buyer -> (agreement, seller) of ended services it has not rated."""
    servers: Mapping[str, int]
    """Seller -> its number, which decides the quality buyers find."""


@dataclass(slots=True)
class Buyer:
    """One ITS subsystem."""

    random: Random
    acted_at: int = 0
    rated: set[str] = field(default_factory=set)

    def decide(self, address: str, scene: Scene) -> list[Action]:
        """Rate what ended; with some chance post one more bid."""
        actions: list[Action] = []
        for agreement, seller in scene.ratable.get(address, ()):
            if agreement not in self.rated:
                rating = draw_rating(self.random, scene.servers.get(seller, 0))
                actions.append(Rate(agreement=agreement, rating_bp=rating))
        waited = scene.height >= self.acted_at + SETTLE_BLOCKS
        wants = self.random.randrange(2) == 0
        if wants and waited and scene.open_orders.get(address, 0) < BUYER_OPEN_BIDS:
            broker = choose_broker(self.random, scene.brokers)
            actions.append(draw_bid(self.random, broker, scene.height))
        return actions

    def done(self, actions: Sequence[Action], height: int) -> None:
        """Remember what was accepted, until the chain shows it."""
        self.rated |= {action.agreement for action in actions if isinstance(action, Rate)}
        if any(not isinstance(action, Rate) for action in actions):
            self.acted_at = height


@dataclass(slots=True)
class Seller:
    """One DT server; `slot` is what one of its asks offers."""

    random: Random
    slot: Resources
    acted_at: int = 0

    def decide(self, address: str, scene: Scene) -> list[Action]:
        """Keep the wanted number of slots on offer, a few at a time."""
        if scene.height < self.acted_at + SETTLE_BLOCKS:
            return []
        missing = SELLER_OPEN_ASKS - scene.open_orders.get(address, 0)
        return [
            draw_ask(
                self.random, choose_broker(self.random, scene.brokers), scene.height, self.slot
            )
            for _ in range(min(2, missing))
        ]

    def done(self, _actions: Sequence[Action], height: int) -> None:
        """Remember when it acted, until the chain shows it."""
        self.acted_at = height


def choose_broker(random: Random, brokers: Sequence[str]) -> str:
    """Half of all orders to the first broker, so that its book is deep; the rest to the others."""
    if len(brokers) == 1 or random.randrange(2) == 0:
        return brokers[0]
    return brokers[random.randrange(1, len(brokers))]


def slot_of(resources: Resources) -> Resources:
    """The part of a server one ask offers; all slots together never exceed the server."""
    return Resources(
        computation=resources.computation // SLOTS,
        communication=resources.communication // SLOTS,
        modelling=resources.modelling // SLOTS,
    )
