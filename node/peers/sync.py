"""Catching up: final blocks fetched in order from whoever has them, trusted by nobody's word.

A peer that works on a greater height *claims* to have the blocks below it.  The syncer fetches the
next blocks with their FINALIZE certificates and feeds them to the driver, which checks each
certificate with the validator set of its own height before it commits.  A claim is worth nothing
beyond the attempt.  Who gives no block, a wrong one or a forged one loses points and his claim.

Slowness is the harder case, since it proves nothing.  So nobody is waited for longer than his
peers need: when an answer is not there after a few times the time the fastest peer takes, the
same range is asked of the next peer beside him, the first answer with blocks wins, and who was
overtaken is asked later from then on.  The range after the one being executed is fetched
meanwhile.  What is held is bounded: at most ASKED_AT_ONCE answers under way, one kept.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from consensus.simplex.types import PeerKey
from consensus.simplex.wire import decode_certificate
from ledger.errors import Rejected
from node.driver.host import FinalBlockArrived
from node.peers.claims import Claims, KnownPeers
from node.peers.exchange import ExchangeFailed
from node.peers.peer import Peer, PeerInfo

BLOCKS_PER_REQUEST = 64
ASKED_AT_ONCE = 3
"""Peers asked for one range at a time: what a range may cost in traffic when peers are slow."""

BAD_BLOCK_POINTS = 50
EMPTY_POINTS = 20
SLOW_POINTS = 20
SHORT_POINTS = 10
GOOD_POINTS = 5
SHORT_ANSWER_BYTES = 1024 * 1024
"""An answer shorter than asked and smaller than this was cut for no good reason."""

SYNCING_LAG = 2
"""Heights behind from which on the node calls itself syncing."""

Pair = tuple[bytes, bytes]


class ChainSource(Protocol):
    """The asking side of the network; `node.peers.exchange.BlockExchange` is one."""

    async def chain(self, peer: PeerInfo, first: int, count: int) -> list[Pair]:
        """Up to `count` blocks with certificates from `first` on.  Raises ExchangeFailed."""
        ...


Asked = dict[asyncio.Task[list[Pair]], tuple[Peer, float]]
"""Requests under way: whom, and since when."""


@dataclass(frozen=True, slots=True)
class _Answer:
    """Blocks from `first` on, unchecked, and who gave them."""

    peer: Peer
    first: int
    pairs: list[Pair]


class Syncer:
    """Follows the claims of peers until the tip has caught up."""

    def __init__(
        self,
        network: KnownPeers,
        exchange: ChainSource,
        tip_height: Callable[[], int],
        check_signatures: Callable[[bytes], Awaitable[object]],
        feed: Callable[[FinalBlockArrived], Awaitable[None]],
        log: Callable[..., None],
    ) -> None:
        self._exchange = exchange
        self._tip_height = tip_height
        self._check_signatures = check_signatures
        self._feed = feed
        self._log = log
        self._network = network
        self._claims = Claims(network, tip_height)
        self._complaints: dict[PeerKey, str] = {}
        """What was logged last of a peer that has given nothing good since."""
        self._wake = asyncio.Event()
        self.applied = 0
        self.hedged = 0
        """Times that one more peer was asked beside one that had not answered yet."""

    def note(self, key: PeerKey, height: int) -> None:
        """This peer works on `height`, so it should have those below; its newest word counts."""
        if self._claims.note(key, height):
            self._wake.set()

    @property
    def lag(self) -> int:
        """Blocks behind what more peers claim than may be lying."""
        return self._claims.lag

    @property
    def syncing(self) -> bool:
        return self.lag >= SYNCING_LAG

    async def run(self) -> None:
        """Catch up whenever somebody claims to be ahead, for ever."""
        while True:
            self._wake.clear()
            answer = await self._fetch(self._tip_height() + 1)
            while answer is not None:
                answer = await self._use(answer)
            await self._claims.rest(self._wake)

    async def _use(self, answer: _Answer) -> _Answer | None:
        """Apply an answer and fetch the range behind it meanwhile; the answer to go on with."""
        following = answer.first + len(answer.pairs)
        ahead = asyncio.create_task(self._fetch(following))
        try:
            await self._apply_all(answer)
            if self._tip_height() + 1 == following:
                return await ahead
        finally:
            if not ahead.done():
                ahead.cancel()
                await asyncio.gather(ahead, return_exceptions=True)
        return await self._fetch(self._tip_height() + 1)

    # ------------------------------------------------------------------ asking
    async def _fetch(self, first: int) -> _Answer | None:
        """Blocks from `first` on, from the first peer that gives some; None if nobody does."""
        claims, now = self._claims, asyncio.get_running_loop().time
        asked: Asked = {}
        tried: set[PeerKey] = set()
        try:
            while True:
                peer = claims.best(first, tried)
                if peer is not None:
                    self.hedged += bool(asked)
                    if len(asked) >= ASKED_AT_ONCE:
                        self._give_up(asked, next(iter(asked)))
                    tried.add(peer.key)
                    asked[asyncio.create_task(self._ask(peer, first))] = (peer, now())
                elif not asked:
                    return None
                done, _ = await asyncio.wait(
                    asked, timeout=claims.patience_s, return_when=asyncio.FIRST_COMPLETED
                )
                for task in sorted(done, key=lambda task: asked[task][1]):
                    giver, _ = asked.pop(task)
                    if pairs := task.result():
                        self._overtaken(asked, now())
                        return _Answer(giver, first, pairs)
        finally:
            for task in asked:
                task.cancel()
            await asyncio.gather(*asked, return_exceptions=True)

    def _give_up(self, asked: Asked, task: asyncio.Task[list[Pair]]) -> None:
        """Make room: the peer that has had the longest time is not waited for any more."""
        peer, _ = asked.pop(task)
        task.cancel()
        self._too_slow(peer)

    def _overtaken(self, asked: Asked, now: float) -> None:
        """Somebody was faster than those still asked; note who had had his time."""
        for peer, since in asked.values():
            if now - since >= self._claims.patience_s:
                self._too_slow(peer)

    def _too_slow(self, peer: Peer) -> None:
        peer.demote(SLOW_POINTS)
        self._disappointed(peer, "slower than its peers")

    async def _ask(self, peer: Peer, first: int) -> list[Pair]:
        """What the peer gives, nothing if it fails; its speed and its failures are noted."""
        loop = asyncio.get_running_loop()
        started = loop.time()
        try:
            pairs = await self._exchange.chain(peer.info, first, BLOCKS_PER_REQUEST)
        except ExchangeFailed as error:
            peer.demote(SLOW_POINTS if error.blame else 1)
            self._claims.leave_alone(peer.key, blame=error.blame)
            self._disappointed(peer, str(error))
            return []
        if not pairs:
            self._found_empty(peer, first)
            return []
        self._claims.note_speed(peer.key, loop.time() - started)
        if self._is_short(peer, first, pairs):
            peer.demote(SHORT_POINTS)
        return pairs

    def _found_empty(self, peer: Peer, first: int) -> None:
        """The peer has not what it claims; the highest block it claims may just not be durable."""
        if self._tip_height() >= first:
            return
        blame = first < self._claims.height_of(peer.key)
        self._claims.leave_alone(peer.key, blame=blame)
        peer.demote(EMPTY_POINTS if blame else 1)
        if blame:
            self._claims.withdraw(peer.key)
            self._disappointed(peer, "claims blocks it does not have")

    def _is_short(self, peer: Peer, first: int, pairs: list[Pair]) -> bool:
        """Whether the answer ends early although the peer claims more and it would have fitted."""
        promised = min(BLOCKS_PER_REQUEST, self._claims.height_of(peer.key) - first + 1)
        size = sum(len(data) + len(certificate) for data, certificate in pairs)
        # The last claimed block may not be durable there yet.
        return len(pairs) < promised - 1 and size < SHORT_ANSWER_BYTES

    # ------------------------------------------------------------------ applying
    async def _apply_all(self, answer: _Answer) -> None:
        """Feed the blocks of an answer until one does not hold."""
        for height, pair in enumerate(answer.pairs, start=answer.first):
            if self._tip_height() >= height:
                continue  # consensus itself brought this height meanwhile
            if not await self._apply(answer.peer, pair):
                return
        answer.peer.reward(GOOD_POINTS)
        self._complaints.pop(answer.peer.key, None)
        self._claims.forgive(answer.peer.key)

    async def _apply(self, peer: Peer, pair: Pair) -> bool:
        """Feed one block; whether the tip moved."""
        before = self._tip_height()
        data, packed = pair
        try:
            certificate = decode_certificate(packed)
            await self._check_signatures(data)
        except Rejected as error:
            self._caught(peer, str(error))
            return False
        await self._feed(FinalBlockArrived(peer.key, data, certificate))
        if self._tip_height() <= before:
            self._caught(peer, "block or certificate does not hold")
            return False
        self.applied += 1
        return True

    def _caught(self, peer: Peer, why: str) -> None:
        self._claims.withdraw(peer.key)
        self._claims.leave_alone(peer.key, blame=True)
        peer.penalise(BAD_BLOCK_POINTS)
        self._disappointed(peer, why)

    def _disappointed(self, peer: Peer, why: str) -> None:
        """Log it, once: a peer that has pruned its blocks is asked every second, for ever."""
        if self._complaints.get(peer.key) == why:
            return
        known = {each.key for each in self._network.peers()}
        self._complaints = {key: told for key, told in self._complaints.items() if key in known}
        self._complaints[peer.key] = why
        self._log("sync from peer failed", peer=peer.info.name, why=why)
