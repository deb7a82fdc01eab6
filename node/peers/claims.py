"""Who claims to be how far, how fast each was, and who is left alone for a while.

All of it is hearsay or short memory: it decides whom the syncer asks next and for how long it
waits, never what is true.
"""

import asyncio
from collections.abc import Callable, Collection
from typing import Protocol

from consensus.simplex.types import PeerKey
from node.peers.peer import Peer

FIRST_PATIENCE_S = 0.3
"""Until somebody has answered, nobody knows what is slow."""
PATIENCE_MIN_S = 0.15
PATIENCE_MAX_S = 2.0
PATIENCE_FACTOR = 4

REST_S = 1.0
"""How long a peer that could not be reached is left alone; doubled each time it was its fault."""
REST_MAX_S = 32.0
LOOK_AGAIN_S = 0.2
"""Between looks for a peer that is neither resting nor banned any more."""


class KnownPeers(Protocol):
    """Who the peers are; `node.peers.network.Network` is one."""

    def peer(self, key: bytes) -> Peer | None: ...
    def peers(self) -> tuple[Peer, ...]: ...


class Claims:
    """The claims of known peers above the own tip, and the order in which to ask them.

    Everything here is kept for known peers only, so its size is bounded by theirs.
    """

    def __init__(self, network: KnownPeers, tip_height: Callable[[], int]) -> None:
        self._network = network
        self._tip_height = tip_height
        self._heights: dict[PeerKey, int] = {}
        self._speeds: dict[PeerKey, float] = {}
        self._resting: dict[PeerKey, float] = {}
        self._faults: dict[PeerKey, int] = {}

    def note(self, key: PeerKey, height: int) -> bool:
        """Take down that a peer works on `height`; whether that is ahead of us."""
        if height > self._tip_height() + 1 and self._network.peer(key) is not None:
            self._heights[key] = height - 1
            return True
        self._heights.pop(key, None)
        return False

    def height_of(self, key: PeerKey) -> int:
        """The highest block the peer claims to have, 0 without a claim."""
        return self._heights.get(key, 0)

    def withdraw(self, key: PeerKey) -> None:
        """The claim was disproved."""
        self._heights.pop(key, None)

    @property
    def lag(self) -> int:
        """Blocks behind the height that f+1 of the peers reach, f faulty ones being allowed for.

        A single peer cannot make this node look as if it were behind, unless it is the only one.
        """
        tip = self._tip_height()
        reached = sorted(
            (
                max(tip, self._heights.get(peer.key, 0))
                for peer in self._network.peers()
                if not peer.banned and (peer.connected or peer.key in self._heights)
            ),
            reverse=True,
        )
        if not reached:
            return 0
        return reached[min(len(reached) // 3, len(reached) - 1)] - tip

    # ------------------------------------------------------------------ whom to ask
    def best(self, first: int, without: Collection[PeerKey]) -> Peer | None:
        """The best peer that claims to have block `first` and may be asked now.

        The best score first, then the fastest; who was never asked counts as fast.
        """
        self._forget()
        now = _now()
        able = [
            peer
            for key, height in self._heights.items()
            if height >= first
            and key not in without
            and self._resting.get(key, 0.0) <= now
            and (peer := self._network.peer(key)) is not None
            and not peer.banned
        ]
        return min(
            able,
            key=lambda peer: (-peer.score, self._speeds.get(peer.key, 0.0), peer.key),
            default=None,
        )

    def _forget(self) -> None:
        """Drop what is reached, and whoever is no peer any more."""
        tip, known = self._tip_height(), {peer.key for peer in self._network.peers()}
        self._heights = {key: at for key, at in self._heights.items() if at > tip and key in known}
        for held in (self._speeds, self._resting, self._faults):
            for key in [key for key in held if key not in known]:
                del held[key]

    @property
    def patience_s(self) -> float:
        """How long an answer may take before somebody else is asked too.

        Measured by the fastest, so that slow peers cannot make us used to them.
        """
        if not self._speeds:
            return FIRST_PATIENCE_S
        patience = PATIENCE_FACTOR * min(self._speeds.values())
        return min(PATIENCE_MAX_S, max(PATIENCE_MIN_S, patience))

    def note_speed(self, key: PeerKey, seconds: float) -> None:
        """A peer took this long for an answer with blocks."""
        self._speeds[key] = (self._speeds.get(key, seconds) + seconds) / 2

    # ------------------------------------------------------------------ whom not to ask
    def leave_alone(self, key: PeerKey, *, blame: bool) -> None:
        """Do not ask this peer for a while; for longer each time that it is to blame."""
        faults = self._faults.get(key, 0)
        if blame:
            self._faults[key] = faults + 1
        pause = min(REST_MAX_S, REST_S * 2 ** min(faults, 10)) if blame else REST_S
        self._resting[key] = _now() + pause

    def forgive(self, key: PeerKey) -> None:
        """All that the peer gave last holds."""
        self._faults.pop(key, None)

    async def rest(self, wake: asyncio.Event) -> None:
        """Nobody can be asked: wait for a claim, or for somebody to have rested."""
        self._forget()
        ready = [self._resting.get(key, 0.0) for key in self._heights]
        pause = max(LOOK_AGAIN_S, min(ready) - _now()) if ready else None
        try:
            await asyncio.wait_for(wake.wait(), pause)
        except TimeoutError:
            return


def _now() -> float:
    return asyncio.get_running_loop().time()
