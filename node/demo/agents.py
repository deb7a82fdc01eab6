"""What the agents of the demo want: pure decisions from what they see to the actions they take.

Buyers (ITS subsystems) keep a few bids open and rate every service that ended.  Sellers (DT
servers) keep a few slots on offer.  With a broker of classes of equal services everybody holds one
order besides, as its rule wants; all come for the same class at the same height, wave after wave,
so that its auctions have several on each side.  Nobody remembers anything the chain does not know,
so an agent that is started again, or sent to another node, goes on where the chain stands.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from random import Random

from auction.actions import Rate
from auction.brokers import ServiceClass
from ledger.members import Resources
from ledger.transactions import Action
from node.demo.draws import (
    draw_ask,
    draw_bid,
    draw_class_ask,
    draw_class_bid,
    draw_rating,
)

BUYER_OPEN_BIDS = 4
SELLER_OPEN_ASKS = 6
SLOTS = 16
# Blocks an agent leaves its last transaction before it looks at its own orders again.
SETTLE_BLOCKS = 3
WAVE_BLOCKS = 10
# Of three waves two are for the first class, the third for the next.
LATER_CLASS_EVERY = 3


@dataclass(frozen=True, slots=True)
class ClassBook:
    """A broker of classes of equal services."""

    broker: str
    classes: tuple[ServiceClass, ...]
    owners: frozenset[str]
    """Who has an order open there."""

    def wave(self, height: int) -> ServiceClass:
        """The class everybody comes for at a height."""
        number = height // WAVE_BLOCKS
        turn, rest = divmod(number, LATER_CLASS_EVERY)
        later = self.classes[1:]
        return later[turn % len(later)] if later and rest == 2 else self.classes[0]


@dataclass(frozen=True, slots=True)
class Scene:
    """What every agent sees at one height."""

    height: int
    brokers: tuple[str, ...]
    """Those whose books hold any order."""
    open_orders: Mapping[str, int]
    """Owner -> number of its open orders with them."""
    ratable: Mapping[str, Sequence[tuple[str, str]]]
    """Buyer -> (agreement, seller) of ended services it has not rated."""
    servers: Mapping[str, int]
    """Seller -> its number, which decides the quality buyers find."""
    class_books: tuple[ClassBook, ...] = ()

    def wanted(self, address: str, wave: int) -> list[ClassBook]:
        """Books of classes that an account should join: not twice, once a wave."""
        if self.height // WAVE_BLOCKS == wave:
            return []
        return [book for book in self.class_books if address not in book.owners]


@dataclass(slots=True)
class Buyer:
    """One ITS subsystem."""

    random: Random
    acted_at: int = 0
    wave: int = 0
    """The last wave it came with."""
    rated: set[str] = field(default_factory=set)

    def decide(self, address: str, scene: Scene) -> list[Action]:
        """Rate what ended; with some chance post one more bid."""
        actions: list[Action] = []
        for agreement, seller in scene.ratable.get(address, ()):
            if agreement not in self.rated:
                rating = draw_rating(self.random, scene.servers.get(seller, 0))
                actions.append(Rate(agreement=agreement, rating_bp=rating))
        waited = scene.height >= self.acted_at + SETTLE_BLOCKS
        for book in scene.wanted(address, self.wave):
            kind = book.wave(scene.height)
            actions.append(draw_class_bid(self.random, book.broker, scene.height, kind))
        self.wave = scene.height // WAVE_BLOCKS
        wants = self.random.randrange(2) == 0
        full = scene.open_orders.get(address, 0) >= BUYER_OPEN_BIDS
        if wants and waited and scene.brokers and not full:
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
    wave: int = 0
    """The last wave it came with."""

    def decide(self, address: str, scene: Scene) -> list[Action]:
        """Keep the wanted number of slots on offer, a few at a time."""
        actions: list[Action] = []
        for book in scene.wanted(address, self.wave):
            kind = book.wave(scene.height)
            actions.append(draw_class_ask(self.random, book.broker, scene.height, kind, self.slot))
        self.wave = scene.height // WAVE_BLOCKS
        if scene.brokers and scene.height >= self.acted_at + SETTLE_BLOCKS:
            missing = SELLER_OPEN_ASKS - scene.open_orders.get(address, 0)
            for _ in range(min(2, missing)):
                broker = choose_broker(self.random, scene.brokers)
                actions.append(draw_ask(self.random, broker, scene.height, self.slot))
        return actions

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
