"""Catching up: final blocks fetched in order from whoever has them, trusted by nobody's word.

A peer that works on a greater height *claims* to have the blocks below it.  The syncer asks one
claimant at a time for the next blocks with their FINALIZE certificates and feeds them to the
driver, which checks each certificate with the validator set of its own height before it commits.
A claim is worth nothing beyond the attempt: who gives no block, a wrong one, or none in time loses
points and his claim, and the next claimant is asked, so a liar costs one request and not the sync.
Slowness only lowers a peer in the order of asking; for forged blocks it is not listened to at all.
"""

import asyncio
from collections.abc import Awaitable, Callable

from consensus.simplex.types import PeerKey
from consensus.simplex.wire import decode_certificate
from ledger.errors import Rejected
from node.driver.host import FinalBlockArrived
from node.peers.exchange import BlockExchange, ExchangeFailed
from node.peers.network import Network
from node.peers.peer import Peer

BLOCKS_PER_REQUEST = 64
BAD_BLOCK_POINTS = 50
EMPTY_POINTS = 20
SLOW_POINTS = 20
REST_S = 1.0
"""How long a claimant that could not be reached is left alone."""
SYNCING_LAG = 2
"""Heights behind from which on the node calls itself syncing."""

Pair = tuple[bytes, bytes]


class Syncer:
    """Follows the claims of peers until the tip has caught up."""

    def __init__(
        self,
        network: Network,
        exchange: BlockExchange,
        tip_height: Callable[[], int],
        check_signatures: Callable[[bytes], Awaitable[object]],
        feed: Callable[[FinalBlockArrived], Awaitable[None]],
        log: Callable[..., None],
    ) -> None:
        self._network = network
        self._exchange = exchange
        self._tip_height = tip_height
        self._check_signatures = check_signatures
        self._feed = feed
        self._log = log
        self._claims: dict[PeerKey, int] = {}
        self._resting: dict[PeerKey, float] = {}
        self._wake = asyncio.Event()
        self.applied = 0

    def note(self, key: PeerKey, height: int) -> None:
        """This peer works on `height`, so it should have those below; its newest word counts."""
        if height > self._tip_height() + 1:
            self._claims[key] = height - 1
            self._wake.set()
        else:
            self._claims.pop(key, None)

    @property
    def lag(self) -> int:
        """Blocks behind the highest claim that has not been disproved."""
        tip = self._tip_height()
        claims = (height for key, height in self._claims.items() if self._peer(key) is not None)
        return max(0, max(claims, default=tip) - tip)

    @property
    def syncing(self) -> bool:
        return self.lag >= SYNCING_LAG

    async def run(self) -> None:
        """Catch up whenever somebody claims to be ahead, for ever."""
        while True:
            self._wake.clear()
            while (peer := self._claimant()) is not None:
                await self._catch_up_from(peer)
            if self.lag:
                await self._rest()
            else:
                await self._wake.wait()

    async def _rest(self) -> None:
        """Everybody who claims to be ahead is resting."""
        try:
            await asyncio.wait_for(self._wake.wait(), REST_S)
        except TimeoutError:
            return

    def _peer(self, key: PeerKey) -> Peer | None:
        peer = self._network.peer(key)
        return None if peer is None or peer.banned else peer

    def _claimant(self) -> Peer | None:
        """The best peer that claims to have the next block and may be asked now."""
        tip = self._tip_height()
        now = asyncio.get_running_loop().time()
        self._claims = {key: height for key, height in self._claims.items() if height > tip}
        able = [
            peer
            for key in self._claims
            if self._resting.get(key, 0.0) <= now and (peer := self._peer(key)) is not None
        ]
        return max(able, key=lambda peer: (peer.score, peer.key), default=None)

    async def _catch_up_from(self, peer: Peer) -> None:
        first = self._tip_height() + 1
        try:
            pairs = await self._exchange.chain(peer.info, first, BLOCKS_PER_REQUEST)
        except ExchangeFailed as error:
            peer.demote(SLOW_POINTS if error.blame else 1)
            self._disappointed(peer, str(error))
            self._resting[peer.key] = asyncio.get_running_loop().time() + REST_S
            return
        if not pairs and self._tip_height() < first:
            self._claims.pop(peer.key, None)
            peer.demote(EMPTY_POINTS)
            self._disappointed(peer, "claims blocks it does not have")
        for pair in pairs:
            if self._tip_height() >= first:
                # Consensus itself brought this height meanwhile.
                first += 1
                continue
            if not await self._apply(peer, pair):
                return
            first += 1

    async def _apply(self, peer: Peer, pair: Pair) -> bool:
        """Feed one block; whether the tip moved."""
        before = self._tip_height()
        data, packed = pair
        try:
            certificate = decode_certificate(packed)
            await self._check_signatures(data)
        except Rejected as error:
            self._claims.pop(peer.key, None)
            peer.penalise(BAD_BLOCK_POINTS)
            self._disappointed(peer, str(error))
            return False
        await self._feed(FinalBlockArrived(peer.key, data, certificate))
        if self._tip_height() <= before:
            self._claims.pop(peer.key, None)
            peer.penalise(BAD_BLOCK_POINTS)
            self._disappointed(peer, "block or certificate does not hold")
            return False
        peer.reward()
        self.applied += 1
        return True

    def _disappointed(self, peer: Peer, why: str) -> None:
        self._log("sync from peer failed", peer=peer.info.name, why=why)
