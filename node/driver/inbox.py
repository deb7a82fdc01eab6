"""What waits for the driver: one bounded queue per peer, served in turn, and the driver's deadline.

A peer that floods fills its own queue and loses its own oldest messages; the others are served as
before.  Whoever must know that an input has been dealt with awaits `put_and_wait`: the driver asks
for the next input only when it has performed everything that followed from the last one.
"""

import asyncio
import time
from collections import OrderedDict, deque
from dataclasses import dataclass

from consensus.simplex.events import Tick
from node.driver.host import BlockArrived, DriverInput

PER_PEER_MAX = 2048
"""Votes and certificates of some dozens of views of the largest set, well under a megabyte."""
SLICE_S = 0.002
"""How long the driver may run without letting the event loop breathe."""
SELF = b""


@dataclass(slots=True)
class _Entry:
    item: DriverInput
    done: asyncio.Future[None] | None = None

    def finish(self) -> None:
        if self.done is not None and not self.done.done():
            self.done.set_result(None)


class Inbox:
    """Inputs in arrival order per peer, fair between peers, ticks first."""

    def __init__(self) -> None:
        self._queues: OrderedDict[bytes, deque[_Entry]] = OrderedDict()
        self._wake = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None
        self._tick = False
        self._current: _Entry | None = None
        self._breathed_s = time.monotonic()
        self.dropped = 0

    def __len__(self) -> int:
        return sum(map(len, self._queues.values()))

    def put(self, peer: bytes, item: DriverInput) -> None:
        """Queue an input of this peer; beyond its bound the peer's oldest is dropped."""
        self._put(peer, _Entry(item))

    def blocks_of(self, peer: bytes) -> int:
        """How many blocks of this peer wait; each may take megabytes."""
        waiting = self._queues.get(peer, ())
        return sum(isinstance(entry.item, BlockArrived) for entry in waiting)

    async def put_and_wait(self, peer: bytes, item: DriverInput) -> None:
        """Queue an input and return when the driver is through with it, or it was dropped."""
        entry = _Entry(item, asyncio.get_running_loop().create_future())
        self._put(peer, entry)
        if entry.done is not None:
            await entry.done

    def set_deadline(self, in_ms: int | None) -> None:
        """Give a Tick after this time; replaces an earlier deadline."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if in_ms is not None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(max(0, in_ms) / 1000, self._ring)

    async def get(self) -> DriverInput:
        """The next input."""
        if self._current is not None:
            self._current.finish()
            self._current = None
        if time.monotonic() - self._breathed_s > SLICE_S:
            await asyncio.sleep(0)
            self._breathed_s = time.monotonic()
        while not self._tick and not self._queues:
            self._wake.clear()
            await self._wake.wait()
            self._breathed_s = time.monotonic()
        if self._tick:
            self._tick = False
            return Tick()
        peer, queue = self._queues.popitem(last=False)
        entry = queue.popleft()
        if queue:
            self._queues[peer] = queue
        self._current = entry
        return entry.item

    def _put(self, peer: bytes, entry: _Entry) -> None:
        queue = self._queues.setdefault(peer, deque())
        queue.append(entry)
        if len(queue) > PER_PEER_MAX:
            queue.popleft().finish()
            self.dropped += 1
        self._wake.set()

    def _ring(self) -> None:
        self._timer = None
        self._tick = True
        self._wake.set()
