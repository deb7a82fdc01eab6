"""The fault menu, swarm style: each class of fault is on with probability one half per seed."""

from __future__ import annotations

import errno
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.simulator.disk import Disk
from tests.simulator.network import Network, Weather
from tests.simulator.node import SimulatedNode
from tests.simulator.world import World

WEATHER = ("loss", "repeat", "tail", "overtake")
STRIKES = (
    "partition",
    "clog",
    "swallow",
    "crash",
    "crash all",
    "freeze",
    "disk",
    "torn",
    "restore",
    "set clock",
)
CLASSES = (*WEATHER, *STRIKES, "slow", "skew")

HOUR_MS = 3_600_000
BAD_CLOCKS = ((HOUR_MS, 0), (-HOUR_MS, 0), (0, 1_000_000), (0, -500_000))
"""(skew in ms, drift in ppm): an hour off, twice as fast, half as fast."""


@dataclass
class Faults:
    """Injects faults until `stop_ms`; `budget` nodes may be hurt for good."""

    world: World
    network: Network
    nodes: list[SimulatedNode]
    round_trip_ms: int
    stop_ms: int
    budget: int
    on: tuple[str, ...] = ()
    hurt: dict[int, None] = field(default_factory=dict)
    dead: dict[int, None] = field(default_factory=dict)
    backups: dict[int, Disk] = field(default_factory=dict)

    def begin(self) -> None:
        """Draw the weather and the first faults."""
        chance = self.world.chance
        if not self.on:
            self.on = tuple(name for name in CLASSES if chance.randrange(2))
        self.network.weather = Weather(
            loss=chance.randrange(31) if "loss" in self.on else 0,
            repeat=chance.randrange(51) if "repeat" in self.on else 0,
            tail=chance.randrange(15) if "tail" in self.on else 0,
            tail_ms=20 * self.round_trip_ms,
            overtake=chance.randrange(31) if "overtake" in self.on else 0,
            overtake_ms=2 * self.round_trip_ms,
            base_ms=(1, chance.choice((3, 8, 20))),
        )
        if "slow" in self.on:
            self._pick().service_ms = chance.randrange(5, 30)
            self.world.fault("node slow")
        if "torn" in self.on:
            for node in self._processes():
                node.tears = True
        if "skew" in self.on:
            self._skew()
        for name in STRIKES:
            if name in self.on:
                self._again(name)

    def heal(self) -> None:
        """Fair weather; everybody is up but those who stay dead, within the budget."""
        self.network.heal()
        chance = self.world.chance
        for node in chance.sample(self.nodes, len(self.nodes)):
            spare = len(self.hurt) < self.budget and node.is_honest
            if spare and node.index not in self.hurt and chance.randrange(3) == 0:
                self.hurt[node.index] = None
                self.dead[node.index] = None
                self.world.fault("node dead for good")
                if node.is_up:
                    node.crash()
        for node in self._processes():
            node.fuse = node.write_fuse = None
            if node.index in self.dead:
                continue
            node.disk.fail_after = None
            node.service_ms = 0
            node.frozen_until_ms = 0
            if not node.is_up:
                node.start()

    def sane_clock_ms(self) -> int:
        """The latest time that the clock of a node which is not hurt shows now."""
        clocks = [node.wall_ms() for node in self._processes() if node.index not in self.hurt]
        return max(clocks)

    def _again(self, name: str) -> None:
        delay = self.world.chance.randrange(10, 40) * self.round_trip_ms
        self.world.after(delay, lambda: self._strike(name))

    def _strike(self, name: str) -> None:
        if self.world.now_ms >= self.stop_ms:
            return
        strikes: dict[str, Callable[[], None]] = {
            "partition": self._partition,
            "clog": self._clog,
            "swallow": self._swallow,
            "crash": lambda: self._crash(self._pick()),
            "crash all": self._crash_all,
            "freeze": self._freeze,
            "disk": self._break_disk,
            "torn": self._tear,
            "restore": self._restore,
            "set clock": self._set_clock,
        }
        strikes[name]()
        self._again(name)

    def _processes(self) -> list[SimulatedNode]:
        return [process for node in self.nodes for process in node.processes]

    def _pick(self) -> SimulatedNode:
        processes = self._processes()
        return processes[self.world.chance.randrange(len(processes))]

    def _partition(self) -> None:
        chance = self.world.chance
        everyone = list(range(len(self.nodes)))
        chance.shuffle(everyone)
        at = chance.choice((1, len(everyone) // 2, chance.randrange(1, len(everyone))))
        groups = [everyone[:at], everyone[at:]]
        one_way = chance.randrange(3) == 0
        self.world.fault("partition one-way" if one_way else "partition two-way")
        self.network.partition(groups, one_way=one_way)
        heal_after = chance.randrange(2, 30) * self.round_trip_ms
        self.world.after(heal_after, self.network.cut.clear)

    def _clog(self) -> None:
        """Swizzle: some links stop one after the other and come back in another order."""
        chance = self.world.chance
        for _ in range(chance.randrange(1, 2 * len(self.nodes))):
            sender, receiver = self._link()
            until = self.world.now_ms + chance.randrange(60) * self.round_trip_ms
            self.world.fault("link clogged")
            self.network.clog(sender, receiver, until)

    def _swallow(self) -> None:
        """A link takes what it is given and delivers nothing, for a long time."""
        link = self._link()
        self.world.fault("link swallowing")
        self.network.swallowing[link] = None
        until = self.world.chance.randrange(10, 60) * self.round_trip_ms
        self.world.after(until, lambda: self.network.swallowing.pop(link, None))

    def _link(self) -> tuple[int, int]:
        chance, count = self.world.chance, len(self.nodes)
        return chance.randrange(count), chance.randrange(count)

    def _crash_all(self) -> None:
        for node in self._processes():
            self._crash(node)

    def _crash(self, node: SimulatedNode) -> None:
        """Between two effects, some effects from now; and up again later."""
        chance = self.world.chance
        if not node.is_up:
            return
        node.fuse = chance.choice((0, 1, 2, 3, chance.randrange(40)))
        delay = chance.randrange(100) * self.round_trip_ms
        self.world.after(delay, lambda: self._revive(node))

    def _revive(self, node: SimulatedNode) -> None:
        if not node.is_up and node.index not in self.dead:
            node.disk.fail_after = None
            node.start()

    def _freeze(self) -> None:
        """A node stands still for a while and then goes on with its old timers."""
        frozen = self.world.chance.randrange(100) * self.round_trip_ms
        self.world.fault("node frozen")
        self._pick().frozen_until_ms = min(self.world.now_ms + frozen, self.stop_ms)

    def _break_disk(self) -> None:
        """Some call from now on fails; an operator starts the node again later."""
        chance, node = self.world.chance, self._pick()
        node.disk.fail_after = chance.randrange(12)
        node.disk.error_number = chance.choice((errno.EIO, errno.ENOSPC))
        delay = chance.randrange(20, 120) * self.round_trip_ms
        self.world.after(delay, lambda: self._revive(node))

    def _tear(self) -> None:
        """Power fails in the middle of a write of a node; some of it may be there afterwards."""
        chance, node = self.world.chance, self._pick()
        node.write_fuse = chance.randrange(4)
        self.world.after(chance.randrange(20, 100) * self.round_trip_ms, lambda: self._revive(node))

    def _skew(self) -> None:
        """Small errors everywhere; one clock may be badly wrong, which hurts its node for good."""
        chance = self.world.chance
        for node in self._processes():
            node.skew_ms = chance.randrange(-self.round_trip_ms, self.round_trip_ms + 1)
            node.drift_ppm = chance.randrange(0, 200)
        if len(self.hurt) < self.budget and chance.randrange(2) == 0:
            node = self._pick()
            if node.is_honest:
                self.hurt[node.index] = None
                node.skew_ms, node.drift_ppm = chance.choice(BAD_CLOCKS)
                self.world.fault("clock drifting" if node.drift_ppm else "clock an hour off")

    def _set_clock(self) -> None:
        """Somebody sets the wall clock of a node, wrong or right; its timers must not notice."""
        node = self._pick()
        if node.is_honest and (node.index in self.hurt or len(self.hurt) < self.budget):
            self.hurt[node.index] = None
            node.skew_ms = self.world.chance.choice((-HOUR_MS, -2_000, 0, 60_000, HOUR_MS))
            self.world.fault("clock set")

    def _restore(self) -> None:
        """Take a backup of a disk, or put an old one back; the node then knows that it is old."""
        node = self._pick()
        if node.index not in self.backups:
            self.backups[node.index] = node.disk.copy()
        elif node.is_honest and len(self.hurt) < self.budget and node.index not in self.hurt:
            self.hurt[node.index] = None
            if node.is_up:
                node.crash()
            self.world.fault("old disk restored")
            node.disk = self.backups.pop(node.index).copy()
            node.is_restored = True
            node.start()
