"""The faults a nemesis has, each of which begins, lasts a while, and is undone.

What cannot be undone by `Stage.recover` (a paused process, a full disk) is undone here.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import time
from collections.abc import Callable

from scripts.chaos.stage import Stage

Fault = Callable[[Stage, random.Random], str]
CHUNK = bytes(65_536)


def kill(stage: Stage, chance: random.Random) -> str:
    """`kill -9` of one node, and its start again; three times in a row, at once or later."""
    victim = chance.randrange(stage.net.size)
    for _ in range(3):
        stage.net.kill(victim)
        stage.town.keep_journals()
        time.sleep(chance.choice((0.0, 0.3, 1.5)))
        stage.net.revive(victim)
        time.sleep(chance.uniform(0.5, 2.5))
        if not stage.net.is_running(victim):
            raise AssertionError(f"node {victim} did not come back: see its log")
        wait_for_pid(stage, victim)
    return f"killed node {victim} three times"


def kill_all(stage: Stage, _: random.Random) -> str:
    """`kill -9` of all nodes within a moment."""
    for index in range(stage.net.size):
        stage.net.kill(index)
    stage.town.keep_journals()
    for index in range(stage.net.size):
        stage.net.revive(index)
    return "killed all"


def pause(stage: Stage, chance: random.Random) -> str:
    """SIGSTOP of up to two nodes, long enough to be voted out; SIGCONT."""
    victims = chance.sample(range(stage.net.size), chance.choice((1, 1, 2)))
    pids = [stage.net.pid(victim) for victim in victims]
    try:
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        time.sleep(chance.uniform(1.0, 5.0))
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)
    return f"paused {sorted(victims)}"


def partition(stage: Stage, chance: random.Random) -> str:
    """Two groups that cannot reach each other."""
    size = chance.choice((1, stage.net.size // 2))
    group = set(chance.sample(range(stage.net.size), size))
    stage.proxies.cut(stage.links_between(group))
    time.sleep(chance.uniform(2.0, 5.0))
    return f"cut off {sorted(group)}"


def stall(stage: Stage, chance: random.Random) -> str:
    """Some links carry nothing in the direction they were dialed, and stay open."""
    links = [(a, b) for a in range(stage.net.size) for b in range(stage.net.size) if a != b]
    chosen = chance.sample(links, len(links) // 3)
    stage.proxies.stall(chosen)
    time.sleep(chance.uniform(2.0, 5.0))
    return f"stalled {len(chosen)} of {len(links)} links"


def full_disk(stage: Stage, _: random.Random) -> str:
    """Fill the small disk, wait until its node has stopped or gone on for a while, make room."""
    victim = stage.small_disk
    if victim is None:
        raise RuntimeError("no node has a small disk")
    ballast = stage.data(victim) / "ballast"
    try:
        with contextlib.suppress(OSError), ballast.open("wb", buffering=0) as file:
            while True:
                file.write(CHUNK)
        deadline = time.monotonic() + 8.0
        while time.monotonic() < deadline and not stage.is_gone(victim):
            time.sleep(0.1)
        ended = stage.is_gone(victim)
    finally:
        ballast.unlink(missing_ok=True)
    return f"disk of node {victim} full, node {'stopped' if ended else 'went on'}"


def clock_jump(stage: Stage, chance: random.Random) -> str:
    """Set the wall clocks of up to f nodes forward and back by up to an hour, then right again."""
    size = stage.net.size
    victims = chance.sample(range(size), chance.randrange((size - 1) // 3) + 1)
    steps_ms = [chance.choice((-1, 1)) * chance.choice((2_000, 60_000, 3_600_000))]
    steps_ms.append(-steps_ms[0])
    try:
        for step_ms in steps_ms:
            for victim in victims:
                stage.set_clock(victim, step_ms)
            time.sleep(chance.uniform(1.5, 4.0))
    finally:
        for victim in victims:
            stage.set_clock(victim, 0)
    return f"clocks of {sorted(victims)} set by {steps_ms[0] // 1000} s, back, and right"


def wait_for_pid(stage: Stage, index: int) -> None:
    """The pid file names the process that was started last."""
    process = stage.net.revived[index]
    deadline = time.monotonic() + 30.0
    while stage.net.pid(index) != process.pid and time.monotonic() < deadline:
        time.sleep(0.05)


FAULTS: dict[str, Fault] = {
    "kill": kill,
    "kill all": kill_all,
    "pause": pause,
    "partition": partition,
    "stall": stall,
    "clock": clock_jump,
    "full disk": full_disk,
}
