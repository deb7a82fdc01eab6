"""A network that loses, delays, repeats and reorders, and splits into parts that hear nothing."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from tests.simulator.world import World

Link = tuple[int, int]
"""(sender, receiver)"""


@dataclass
class Weather:
    """How bad it is.  Probabilities in per cent, times in ms."""

    loss: int = 0
    repeat: int = 0
    tail: int = 0
    tail_ms: int = 0
    overtake: int = 0
    overtake_ms: int = 0
    base_ms: tuple[int, int] = (1, 8)


@dataclass
class Network:
    """Links between nodes named by index; `deliver[node](sender, packet)` takes what arrives."""

    world: World
    weather: Weather = field(default_factory=Weather)
    deliver: dict[int, Callable[[int, object], None]] = field(default_factory=dict)
    lives: dict[int, int] = field(default_factory=dict)
    """How often each node has started: a connection ends with the life of either side."""
    cut: dict[Link, None] = field(default_factory=dict)
    clogged_until: dict[Link, int] = field(default_factory=dict)
    swallowing: dict[Link, None] = field(default_factory=dict)
    """Links that take everything and deliver nothing; unlike a cut, nobody notices."""

    def send(self, sender: int, receiver: int, packet: object, size: int) -> None:
        """Put a packet on its way; a big one takes longer."""
        world, weather = self.world, self.weather
        link = (sender, receiver)
        if link in self.cut:
            world.counts["packet cut off"] += 1
            return
        if link in self.swallowing:
            world.counts["packet swallowed"] += 1
            return
        chance = world.chance
        if weather.loss and chance.randrange(100) < weather.loss:
            world.fault("packet lost")
            return
        copies = 1
        if weather.repeat and chance.randrange(100) < weather.repeat:
            world.fault("packet repeated")
            copies = 2
        for _ in range(copies):
            delay = max(self._delay(size), self.clogged_until.get(link, 0) - world.now_ms)
            lives = self._lives(sender, receiver)
            world.after(delay, partial(self._arrive, sender, receiver, packet, lives))

    def _delay(self, size: int) -> int:
        world, weather, chance = self.world, self.weather, self.world.chance
        delay = chance.randint(*weather.base_ms) + size // 100_000
        if weather.tail and chance.randrange(100) < weather.tail:
            world.fault("packet delayed")
            delay += chance.randrange(weather.tail_ms) * chance.randrange(100) // 100
        if weather.overtake and chance.randrange(100) < weather.overtake:
            world.fault("packet overtaken")
            delay += chance.randrange(1, weather.overtake_ms)
        return delay

    def _lives(self, sender: int, receiver: int) -> tuple[int, int]:
        return self.lives.get(sender, 0), self.lives.get(receiver, 0)

    def _arrive(self, sender: int, receiver: int, packet: object, lives: tuple[int, int]) -> None:
        if (sender, receiver) not in self.cut and lives == self._lives(sender, receiver):
            self.deliver[receiver](sender, packet)

    def partition(self, groups: list[list[int]], *, one_way: bool) -> None:
        """Cut every link between different groups; one way: only towards earlier groups."""
        self.cut.clear()
        for position, group in enumerate(groups):
            for other in groups[position + 1 :]:
                for left in group:
                    for right in other:
                        self.cut[right, left] = None
                        if not one_way:
                            self.cut[left, right] = None

    def clog(self, sender: int, receiver: int, until_ms: int) -> None:
        """Hold everything on this link back until then."""
        self.clogged_until[sender, receiver] = until_ms

    def heal(self) -> None:
        """Fair weather on every link."""
        self.weather = Weather()
        self.cut.clear()
        self.clogged_until.clear()
        self.swallowing.clear()
