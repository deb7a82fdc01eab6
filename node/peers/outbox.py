"""What waits to be sent to one peer: bounded, urgent frames first, transactions give way first.

Policy, in words: votes, certificates and announcements are urgent and leave before any transaction.
When the box is full, the oldest transactions go; only when none are left, the oldest urgent frame
goes.  Every loss is counted.  A lost vote or certificate is repeated by the protocol's own retry; a
lost transaction is in its sender's mempool and enters a block when one of the nodes that hold it
leads.
"""

import asyncio
from collections import deque


class Outbox:
    """Frames for one peer.  Bounds: `max_frames` frames and `max_bytes` bytes together."""

    def __init__(self, max_frames: int, max_bytes: int) -> None:
        self._max_frames = max_frames
        self._max_bytes = max_bytes
        self._urgent: deque[bytes] = deque()
        self._bulk: deque[bytes] = deque()
        self._bytes = 0
        self._wake = asyncio.Event()
        self.dropped = 0

    def __len__(self) -> int:
        return len(self._urgent) + len(self._bulk)

    @property
    def size_bytes(self) -> int:
        return self._bytes

    def put(self, frame: bytes, *, urgent: bool) -> None:
        """Queue a frame; never blocks, never fails: beyond the bounds older frames are dropped."""
        (self._urgent if urgent else self._bulk).append(frame)
        self._bytes += len(frame)
        while len(self) > self._max_frames or self._bytes > self._max_bytes:
            oldest = self._bulk.popleft() if self._bulk else self._urgent.popleft()
            self._bytes -= len(oldest)
            self.dropped += 1
        self._wake.set()

    async def get(self) -> bytes:
        """The next frame to send, urgent ones first; waits for one."""
        while not len(self):
            self._wake.clear()
            await self._wake.wait()
        frame = self._urgent.popleft() if self._urgent else self._bulk.popleft()
        self._bytes -= len(frame)
        return frame

    def clear_urgent(self) -> None:
        """Forget urgent frames: what waited for a link that is gone is stale when a new one opens.

        The protocol repeats what still matters as soon as the peers have greeted each other.
        """
        self._bytes -= sum(map(len, self._urgent))
        self._urgent.clear()
