"""The driver: the one task that owns the finality core and performs its effects in order.

It stands between the pure `Core` and the world.  An input is admitted (right height, right sender,
good signature), fed to the core, and the effects that come out are performed one by one; `await
host.persist` completes before anything after it begins.  Building and checking blocks is asked of
the application once the effects of the batch are out, so that a message never waits for a block.

Votes are for the height worked on.  Those of the next height are kept until it begins; a peer
further ahead makes us catch up; one that is behind is told how its height ended.

A block that is not here yet, or whose header time lies ahead of our clock, is pending: it is
fetched or held back, and the core simply gets no verdict until then.

Two clocks: timers count time that passed, header times are the wall clock's.  The wall clock may
be set while the node runs; that changes what it writes and holds back, and no timer.

`drive` runs in production; the simulator calls `step` and resumes it by hand.  Errors of the host
and of the application (disk, memory) pass through: nothing is signed after the first of them.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import replace

from consensus.simplex.application import Application
from consensus.simplex.core import Core
from consensus.simplex.events import (
    AskBuild,
    AskCheck,
    BlockPeer,
    Broadcast,
    Deadline,
    Decide,
    Effect,
    Input,
    Persist,
    PublishBlock,
    ReportEvidence,
    Send,
    Status,
    Tick,
)
from consensus.simplex.journal import HeldBlock, JournalRecord, OwnVote, Verdict
from consensus.simplex.types import Certificate, HeightStart, PeerKey, Signer, VoteKind
from ledger.errors import Corrupt
from ledger.types import Digest
from node.driver.blocks import BlockShelf
from node.driver.checks import BlockChecks
from node.driver.checks import Diverged as Diverged
from node.driver.desk import PeerDesk
from node.driver.host import (
    BlockArrived,
    DriverInput,
    DriverSettings,
    FinalBlockArrived,
    Host,
    MessageArrived,
)
from node.driver.peers import EARLY_MESSAGES


class Driver:
    """Owns the Core of the current height.  `restore` first, then `step` or `drive`."""

    def __init__(
        self,
        application: Application,
        host: Host,
        settings: DriverSettings,
        signer: Signer | None,
    ) -> None:
        """signer: the key of this node, None for an observer that can never vote."""
        self._application = application
        self._host = host
        self._settings = settings
        self._signer = signer
        own_key = signer.public_key if signer is not None else None
        self._desk = PeerDesk(application, host, settings, own_key)
        self._shelf = BlockShelf(settings.timing.round_trip_ms, own_key)
        self._checks = BlockChecks(application, host, settings, self._shelf)
        self._todo: deque[Input | AskBuild | AskCheck | MessageArrived] = deque()
        self._core: Core | None = None
        self._start: HeightStart | None = None
        self._may_vote = False
        self._is_broken = False
        self._concluding: Certificate | None = None
        self._core_at_ms: int | None = None
        self._ask_at_ms: int | None = None

    # ------------------------------------------------------------ what others may ask

    @property
    def start(self) -> HeightStart:
        """How the height worked on began: its validators, order of leaders and parent."""
        if self._start is None:
            raise RuntimeError("the driver has not been started")
        return self._start

    @property
    def height(self) -> int:
        """The height worked on: one above the last committed."""
        return self.start.height

    @property
    def view(self) -> int:
        """The view of that height."""
        return self._running().view

    @property
    def may_vote(self) -> bool:
        """Whether this node signs votes at this height."""
        return self._may_vote

    def status(self, *, asks: bool = False) -> Status:
        """What to tell a peer that has just connected."""
        return Status(self.height, self.view, asks)

    def block(self, digest: Digest) -> bytes | None:
        """The bytes of a block of the current height, to serve to a peer."""
        shelved = self._shelf.blocks.get(digest)
        return shelved.data if shelved is not None else None

    def final_certificate(self, height: int) -> Certificate | None:
        """The FINALIZE certificate of one of the last few heights."""
        return self._desk.final_certificate(height)

    def occupancy(self) -> tuple[tuple[str, int, int], ...]:
        """(name, held, bound) of everything that peers can make grow."""
        return (
            ("blocks", len(self._shelf.blocks), 2 * len(self._shelf.validators) + self.view + 2),
            ("fetches", len(self._shelf.fetches), 2 * self.view + 2),
            ("early messages", self._desk.early.count(), EARLY_MESSAGES),
        )

    # ------------------------------------------------------------ life

    async def restore(self, start: HeightStart, records: Sequence[JournalRecord]) -> None:
        """Begin at `start` with what the journal holds (nothing for a new node); once, first.

        Blocks of the journal are executed again, since a verdict does not bring back the state
        they lead to.  Raises Corrupt when a block does not read back or a vote is not of this key,
        Diverged when a block that had passed its check now fails.
        """
        self._is_broken = True
        self._desk.guard.begin(self._host.wall_ms())
        self._shelf.begin_height(start.height, start.validators.keys)
        mine = [record for record in records if record.height == start.height]
        self._refuse_votes_of_another(start, mine)
        for record in mine:
            if isinstance(record, HeldBlock):
                self._checks.recheck(start, record)
        blocks = self._shelf.blocks
        usable = [
            record
            for record in mine
            if not isinstance(record, Verdict) or not record.valid or record.digest in blocks
        ]
        await self._begin(start, usable)
        self._host.broadcast(self.status(asks=True), ())
        await self._work()
        self._arm()
        self._is_broken = False

    def _refuse_votes_of_another(
        self, start: HeightStart, records: Sequence[JournalRecord]
    ) -> None:
        """A journal written under another key says nothing about what this key has signed."""
        own_key = self._signer.public_key if self._signer is not None else b""
        own_index = start.validators.index(own_key)
        for record in records:
            if isinstance(record, OwnVote) and record.vote.signer != own_index:
                raise Corrupt(
                    f"the vote journal of height {start.height} holds votes of validator "
                    f"{record.vote.signer}; this node's key is not that one"
                )

    async def step(self, item: DriverInput) -> None:
        """Take one input and perform everything that follows from it.

        Raises RuntimeError once an earlier step has failed: what it left undone is unknown.
        """
        if self._is_broken:
            raise RuntimeError("the driver failed before and must not go on")
        self._is_broken = True
        now_ms = self._host.now_ms()
        match item:
            case MessageArrived():
                self._todo.append(item)
            case BlockArrived(peer, data):
                self._on_block(peer, data)
            case FinalBlockArrived(peer, data, certificate):
                self._on_final_block(peer, data, certificate)
            case Tick():
                self._on_tick(now_ms)
        await self._work()
        self._arm()
        self._is_broken = False

    async def drive(self) -> None:
        """Take inputs from the host for ever."""
        while True:
            await self.step(await self._host.next_input())

    async def _begin(self, start: HeightStart, records: Sequence[JournalRecord]) -> None:
        """Set up the core of a height and let it speak; early messages follow."""
        now_ms = self._host.now_ms()
        own_key = self._signer.public_key if self._signer is not None else b""
        own_index = start.validators.index(own_key)
        allowed = self._desk.guard.may_vote(start.height, start.validators)
        self._may_vote = own_index is not None and allowed
        sign = self._signer.sign if self._signer is not None and self._may_vote else None
        core = Core(
            replace(start, pace_until_ms=self._pace_until_ms(start, now_ms)),
            own_index,
            sign,
            self._settings.genesis_hash,
            self._settings.timing,
            self._desk.activity,
            now_ms + self._settings.timing.block_time_ms,
        )
        self._start, self._core = start, core
        self._desk.begin_height(now_ms, start, core)
        self._core_at_ms = None
        self._todo.clear()
        for effect in core.restore(now_ms, records):
            await self._perform(effect)
        early = self._desk.early.drain()
        self._todo.extend(MessageArrived(peer, message) for peer, message in early)

    def _pace_until_ms(self, start: HeightStart, now_ms: int) -> int:
        """The time of the wall clock before which no fresh block leaves, on the other clock.

        At most one block time ahead: a wall clock that lags cannot hold a turn back for longer.
        """
        wait_ms = start.pace_until_ms - self._host.wall_ms()
        return now_ms + min(max(0, wait_ms), self._settings.timing.block_time_ms)

    # ------------------------------------------------------------ inputs

    def _on_block(self, peer: PeerKey | None, data: bytes) -> None:
        """A block arrived: keep it if it has a place, check it if the core waits for it."""
        facts = self._checks.inspect(peer, data)
        if facts is None:
            return
        if facts.height == self.height + 1 and peer is not None:
            self._shelf.offer_early(peer, facts, data)
        if facts.height != self.height:
            return
        wanted = facts.digest in self._shelf.fetches
        if self._shelf.offer(peer, facts, data) and wanted:
            self._todo.append(AskCheck(facts.digest, (), expected=False))

    def _on_final_block(self, peer: PeerKey, data: bytes, certificate: Certificate) -> None:
        """Catch-up: a certificate for this height and its block end the height at once."""
        if certificate.height != self.height or certificate.kind is not VoteKind.FINALIZE:
            return
        facts = self._checks.inspect(peer, data)
        if facts is None or not self._desk.holds(peer, certificate):
            return
        if facts.digest != certificate.payload:
            self._host.block_peer(peer, "block and certificate differ")
            return
        self._shelf.offer(None, facts, data)
        self._concluding = certificate

    def _on_tick(self, now_ms: int) -> None:
        """The earliest of several deadlines has passed: find out which."""
        if self._core_at_ms is not None and now_ms >= self._core_at_ms:
            self._core_at_ms = None
            self._todo.append(Tick())
        for digest, peer in self._shelf.due(now_ms):
            self._host.request_block(self.height, digest, peer)
        for digest in self._shelf.released(now_ms):
            self._todo.append(AskCheck(digest, (), expected=False))
        if self._ask_at_ms is not None and now_ms >= self._ask_at_ms:
            self._ask_at_ms = None
            self._host.broadcast(self.status(asks=True), ())

    # ------------------------------------------------------------ effects

    async def _work(self) -> None:
        """Feed the core and perform its effects until nothing is left to do."""
        while True:
            if self._concluding is not None:
                await self._conclude(self._concluding)
            if not self._todo:
                return
            match self._todo.popleft():
                case AskBuild() as ask:
                    self._todo.append(self._checks.build(self.start, ask))
                case AskCheck(payload):
                    verdict = self._checks.check(self.start, payload)
                    if verdict is not None:
                        self._todo.append(verdict)
                case MessageArrived(peer, message):
                    admitted = self._desk.admit(peer, message, self._host.now_ms())
                    if admitted is not None:
                        self._todo.appendleft(admitted)
                case item:
                    for effect in self._running().handle(self._host.now_ms(), item):
                        await self._perform(effect)

    async def _perform(self, effect: Effect) -> None:
        """One effect; whatever takes long is put off until the batch is out."""
        host = self._host
        match effect:
            case Persist(records):
                await host.persist(self._with_blocks(records))
            case Broadcast(message, skip):
                host.broadcast(message, skip)
            case Send(peer, message):
                host.send(peer, message)
            case PublishBlock(payload):
                host.publish_block(payload, self._shelf.blocks[payload].data)
            case AskBuild():
                self._todo.append(effect)
            case AskCheck(payload, sources, expected):
                self._shelf.want(payload, sources, host.now_ms(), expected=expected)
                self._todo.append(effect)
            case Deadline(at_ms):
                self._core_at_ms = at_ms
            case Decide(certificate):
                self._concluding = certificate
            case ReportEvidence(evidence):
                host.evidence(evidence)
            case BlockPeer(peer, why):
                host.block_peer(peer, why)

    def _with_blocks(self, records: Sequence[JournalRecord]) -> tuple[JournalRecord, ...]:
        """A valid verdict means that the block is durable: its bytes go into the same write."""
        complete: list[JournalRecord] = []
        for record in records:
            if isinstance(record, Verdict) and record.valid:
                data = self._shelf.blocks[record.digest].data
                complete.append(HeldBlock(record.height, record.digest, data))
            complete.append(record)
        return tuple(complete)

    async def _conclude(self, certificate: Certificate) -> None:
        """R11: commit the block, then begin the next height; wait while the block is missing."""
        shelved = self._shelf.blocks.get(certificate.payload)
        now_ms = self._host.now_ms()
        if shelved is None:
            keys = self.start.validators.keys
            sources = tuple(keys[signer] for signer in certificate.signer_indices())
            if certificate.payload not in self._shelf.fetches:
                self._shelf.want(certificate.payload, sources, now_ms, expected=False)
            return
        if not self._checks.is_valid(self.start, certificate.payload):
            raise Diverged(
                f"height {certificate.height}: a quorum finalized {certificate.payload.hex()}, "
                "which fails the check of this node"
            )
        self._concluding = None
        counted = self._running().finalize_votes()
        data = shelved.data
        start = self._application.commit(certificate.payload, certificate)
        self._host.decided(certificate.payload, data, certificate)
        self._desk.finish_height(now_ms, certificate)
        self._desk.guard.note_final(shelved.facts.time_ms)
        signers = certificate.signer_indices()
        late = tuple(vote for vote in counted if vote.signer not in signers)
        if late:
            self._application.note_finalize_votes(late)
        self._shelf.begin_height(start.height, start.validators.keys)
        await self._begin(start, ())

    def _arm(self) -> None:
        """R14: one deadline for the core, the fetches, the held blocks and the guard."""
        now_ms = self._host.now_ms()
        if self._desk.guard.is_asking and self._ask_at_ms is None:
            self._ask_at_ms = now_ms + 2 * self._settings.timing.round_trip_ms
        times = (self._core_at_ms, self._shelf.deadline_ms(), self._ask_at_ms)
        self._host.set_deadline(min((at for at in times if at is not None), default=None))

    def _running(self) -> Core:
        if self._core is None:
            raise RuntimeError("the driver has not been started")
        return self._core
