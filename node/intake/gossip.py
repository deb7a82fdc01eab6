"""Spreads fresh transactions to the members, gathered for a few milliseconds into few frames."""

import asyncio
from collections.abc import Sequence

from node.peers.frames import transactions_frame
from node.peers.network import Network
from node.peers.peer import Role
from node.service.config import P2pSection

FRAME_BYTES = 512 * 1024
"""A frame is closed above this: a vote behind it waits a millisecond, not ten."""


class Gossip:
    """A buffer of raw transactions with their origin, flushed by time or size."""

    def __init__(self, network: Network, settings: P2pSection) -> None:
        self._network = network
        self._interval_s = settings.gossip_interval_ms / 1000
        self._batch = settings.gossip_batch
        self._waiting: list[tuple[bytes, bytes]] = []
        self._timer: asyncio.TimerHandle | None = None

    def __call__(self, raws: Sequence[bytes], origin: bytes) -> None:
        """Send these to all members but `origin` soon."""
        self._waiting.extend((raw, origin) for raw in raws)
        if len(self._waiting) >= self._batch:
            self.flush()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._interval_s, self.flush)

    def flush(self) -> None:
        """Send what waits now."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        waiting, self._waiting = self._waiting, []
        members = [peer for peer in self._network.peers() if peer.info.role is Role.MEMBER]
        origins = {origin for _, origin in waiting}
        frames: dict[bytes | None, list[bytes]] = {}
        for peer in members:
            # Whoever sent none of these gets the same frames as the others, built once.
            # Not b"" for them: that is the origin of what clients sent.
            key = peer.key if peer.key in origins else None
            if key not in frames:
                frames[key] = self._frames([raw for raw, origin in waiting if origin != key])
            for frame in frames[key]:
                peer.outbox.put(frame, urgent=False)

    def _frames(self, raws: Sequence[bytes]) -> list[bytes]:
        frames: list[bytes] = []
        chunk: list[bytes] = []
        size = 0
        for raw in raws:
            if chunk and (size + len(raw) > FRAME_BYTES or len(chunk) >= self._batch):
                frames.append(transactions_frame(chunk))
                chunk, size = [], 0
            chunk.append(raw)
            size += len(raw)
        if chunk:
            frames.append(transactions_frame(chunk))
        return frames
