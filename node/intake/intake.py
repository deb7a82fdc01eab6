"""The one way in for transactions, from clients and from peers alike.

bytes -> decode -> known already? -> signature -> mempool -> gossip.  What arrives waits in one
bounded queue and is taken out in lots, so that signatures are checked by the hundred and gossip
leaves in few frames.  No source can fill the queue for the others: a peer may hold a quarter of it,
and clients are refused while a quarter of it is filled by anyone.
Every item gets its own answer; nothing here raises for what somebody sent.

Gossip goes once: the node where a transaction enters sends it to all validators.  What came from a
validator is not passed on (the mesh is full), what came from an observer is, and nobody gets back
what he sent.
"""

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from ledger.errors import Reason, Rejected
from ledger.transactions import Transaction, TransactionCodec
from ledger.types import Digest
from node.application.mempool import AddResult
from node.intake.verifier import Verifier

LOT = 1024
"""Transactions taken out of the queue together: four chunks of the checking process."""
DECODE_SLICE = 128
"""Decoded without a break, about 1 ms."""
PEER_SHARE = 4
CLIENTS = b""


@dataclass(frozen=True, slots=True)
class SubmitResult:
    """What became of one item: "pending", "known", "final" or "rejected" with code and detail."""

    tx_id: bytes
    status: str
    code: str = ""
    detail: str = ""


class Pool(Protocol):
    """What the intake needs of the mempool."""

    @property
    def crowded(self) -> bool: ...
    def add(self, transaction: Transaction) -> AddResult: ...
    def find(self, raw: bytes) -> Transaction | None: ...


Gossip = Callable[[Sequence[bytes], bytes], None]
"""gossip(raws, origin): send to all validators but `origin` (CLIENTS: none to leave out)."""

Blame = Callable[[bytes, int], None]
"""blame(peer, count): this peer sent so many transactions whose signature does not hold."""

FinalAmong = Callable[[Sequence[Digest]], Sequence[Digest]]
"""Which of these transactions are in final blocks; reads the database, called in a thread."""


@dataclass(slots=True)
class _Submission:
    """Items of one call or frame that wait for their signature check."""

    source: bytes
    relay: bool
    keep: bool
    transactions: list[Transaction]
    places: list[int]
    results: list[SubmitResult | None]
    done: asyncio.Future[None] | None = None


@dataclass(slots=True)
class IntakeCounters:
    """Totals since start, for the metrics."""

    accepted: int = 0
    known: int = 0
    dropped: int = 0
    rejected: Counter[str] = field(default_factory=Counter)


class Intake:
    """The queue, its one consumer, and the gossip buffer."""

    def __init__(
        self,
        codec: TransactionCodec,
        verifier: Verifier,
        pool: Pool,
        final_among: FinalAmong,
        gossip: Gossip,
        blame: Blame,
        queue_max: int,
    ) -> None:
        self._codec = codec
        self._verifier = verifier
        self._pool = pool
        self._final_among = final_among
        self._gossip = gossip
        self._blame = blame
        self._queue_max = queue_max
        self._queue: deque[_Submission] = deque()
        self._waiting: Counter[bytes] = Counter()
        self._size = 0
        self._wake = asyncio.Event()
        self.counters = IntakeCounters()

    @property
    def queued(self) -> int:
        """Transactions that wait for their signature check."""
        return self._size

    def no_room(self) -> Rejected | None:
        """Why no client's transaction would be taken right now, before any of it is read."""
        return self._no_room(CLIENTS, 0)

    async def submit(self, raws: Sequence[bytes], *, keep: bool = True) -> list[SubmitResult]:
        """Transactions of a client: one result each, in order, after admission.  Never raises.

        keep=False answers on form and signature only and keeps nothing.
        """
        results: list[SubmitResult | None] = [None] * len(raws)
        submission = _Submission(CLIENTS, True, keep, [], [], results)
        for start in range(0, len(raws), DECODE_SLICE):
            if start:
                await asyncio.sleep(0)
            for place in range(start, min(start + DECODE_SLICE, len(raws))):
                self._sort(raws[place], place, submission)
        if submission.transactions:
            submission.done = asyncio.get_running_loop().create_future()
            self._enqueue(submission)
            await submission.done
        await self._mark_final(results)
        return [result for result in results if result is not None]

    def from_peer(self, key: bytes, raws: Sequence[bytes], *, relay: bool) -> int:
        """Transactions of a peer; never waits.  How many were bytes that no honest node sends."""
        results: list[SubmitResult | None] = [None] * len(raws)
        submission = _Submission(key, relay, True, [], [], results)
        for place, raw in enumerate(raws):
            self._sort(raw, place, submission)
        if submission.transactions:
            self._enqueue(submission)
        undecodable = [result for result in results if result is not None and not result.tx_id]
        return len(undecodable)

    async def run(self) -> None:
        """Consume the queue for ever."""
        while True:
            while not self._queue:
                self._wake.clear()
                await self._wake.wait()
            lot = self._take()
            transactions = [each for submission in lot for each in submission.transactions]
            verdicts = iter(await self._verifier.verify(transactions))
            for submission in lot:
                self._waiting[submission.source] -= len(submission.transactions)
                self._size -= len(submission.transactions)
                self._admit(submission, [next(verdicts) for _ in submission.transactions])
                await asyncio.sleep(0)

    # ------------------------------------------------------------------ steps
    async def _mark_final(self, results: list[SubmitResult | None]) -> None:
        """A used nonce may mean that these very transactions are final: then say so."""
        places = {
            result.tx_id: place
            for place, result in enumerate(results)
            if result is not None and result.code == Reason.NONCE_USED.value
        }
        if places:
            for transaction_id in await asyncio.to_thread(self._final_among, list(places)):
                results[places[transaction_id]] = SubmitResult(transaction_id, "final")

    def _sort(self, raw: bytes, place: int, submission: _Submission) -> None:
        """Answer at once what can be answered, line up the rest."""
        known = self._pool.find(raw)
        if known is not None:
            self.counters.known += 1
            submission.results[place] = SubmitResult(known.id, "known")
            return
        try:
            transaction = self._codec.decode(raw)
        except Rejected as error:
            submission.results[place] = self._refused(b"", error)
            return
        busy = self._no_room(submission.source, len(submission.transactions))
        if busy is not None:
            self.counters.dropped += 1
            submission.results[place] = self._refused(transaction.id, busy)
            return
        submission.transactions.append(transaction)
        submission.places.append(place)

    def _no_room(self, source: bytes, lined_up: int) -> Rejected | None:
        """Why one more transaction of this source has no room now, None if it has.

        lined_up: those of the same call that go before it and are not in the queue yet.

        Clients give way first: what a node takes from a client costs a check on every validator, so
        it takes none while its own queue or pool says that the network is behind.
        """
        share = self._queue_max // PEER_SHARE
        if source:
            crowded = self._waiting[source] + lined_up >= share
        else:
            crowded = self._size + lined_up >= share
            if self._pool.crowded:
                return Rejected(Reason.MEMPOOL_FULL, "too many transactions wait for a block")
        if crowded or self._size + lined_up >= self._queue_max:
            return Rejected(Reason.RATE_LIMITED, "too many transactions wait for their check")
        return None

    def _enqueue(self, submission: _Submission) -> None:
        self._queue.append(submission)
        self._waiting[submission.source] += len(submission.transactions)
        self._size += len(submission.transactions)
        self._wake.set()

    def _take(self) -> list[_Submission]:
        lot = [self._queue.popleft()]
        count = len(lot[0].transactions)
        while self._queue and count + len(self._queue[0].transactions) <= LOT:
            lot.append(self._queue.popleft())
            count += len(lot[-1].transactions)
        return lot

    def _admit(self, submission: _Submission, verdicts: Sequence[bool]) -> None:
        fresh = []
        for transaction, place, good in zip(
            submission.transactions, submission.places, verdicts, strict=True
        ):
            result = self._admit_one(transaction, good, keep=submission.keep)
            submission.results[place] = result
            if result.status == "pending" and submission.keep:
                fresh.append(transaction.raw)
        unsigned = len(verdicts) - sum(verdicts)
        if unsigned and submission.source:
            self._blame(submission.source, unsigned)
        if fresh and submission.relay:
            self._gossip(fresh, submission.source)
        if submission.done is not None and not submission.done.done():
            submission.done.set_result(None)

    def _admit_one(self, transaction: Transaction, good: bool, *, keep: bool) -> SubmitResult:
        if not good:
            error = Rejected(Reason.INVALID_SIGNATURE, "the signature does not hold")
            return self._refused(transaction.id, error)
        if not keep:
            return SubmitResult(transaction.id, "pending")
        try:
            added = self._pool.add(transaction)
        except Rejected as error:
            return self._refused(transaction.id, error)
        if added is AddResult.KNOWN:
            self.counters.known += 1
            return SubmitResult(transaction.id, "known")
        self.counters.accepted += 1
        return SubmitResult(transaction.id, "pending")

    def _refused(self, transaction_id: bytes, error: Rejected) -> SubmitResult:
        self.counters.rejected[error.reason.value] += 1
        return SubmitResult(transaction_id, "rejected", error.reason.value, error.detail)
