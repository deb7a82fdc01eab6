"""The one thread that writes to the database, fed by one ordered, bounded queue.

Votes must be durable before they are sent, blocks may follow: `persist` is awaited, `submit_commit`
is not.  Both go through the same queue, so a vote of height h + 1 is never durable before block h.
The first error ends the writer for good, because after one failed sync SQLite reports success
again: every later call raises `StorageFailed`, and the service stops and exits.

Callbacks run in the event loop, never in the writer's thread.
"""

import asyncio
import contextlib
import queue
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from consensus.simplex.journal import JournalRecord
from node.storage.batch import CommittedBlock
from node.storage.errors import StorageFailed
from node.storage.store import Store

# A node that falls this many jobs behind its disk waits for the disk.
QUEUE_BOUND = 64


@dataclass(frozen=True, slots=True)
class _Job:
    """Records to save, or a block to commit, or neither: then only the order matters."""

    records: Sequence[JournalRecord] = ()
    committed: CommittedBlock | None = None
    done: "asyncio.Future[None] | None" = None
    stop: bool = False


class Writer:
    """Puts journal records and blocks into the store, in the order of the calls."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._queue: queue.Queue[_Job] = queue.Queue(QUEUE_BOUND)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._failure: BaseException | None = None
        self.on_failure: list[Callable[[BaseException], None]] = []
        self.on_durable: list[Callable[[CommittedBlock], None]] = []

    @property
    def failure(self) -> BaseException | None:
        """The first error, once there was one."""
        return self._failure

    def start(self) -> None:
        """Start the thread.  Call inside the event loop that will await `persist`."""
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._run, name="twinchain-writer", daemon=True)
        self._thread.start()

    async def persist(self, records: Sequence[JournalRecord]) -> None:
        """Return once `records` are on the disk.  `StorageFailed` if they are not."""
        if records:
            await self._ordered(_Job(records=records, done=self._future()))

    def submit_commit(self, committed: CommittedBlock) -> None:
        """Queue a decided block.  Blocks the caller while the queue is full."""
        self._raise_failure()
        self._queue.put(_Job(committed=committed))

    async def drain(self) -> None:
        """Return once all that was handed over before is on the disk."""
        await self._ordered(_Job(done=self._future()))

    async def close(self) -> None:
        """Finish what is queued and end the thread.  Does not close the store."""
        thread, self._thread = self._thread, None
        if thread is not None:
            self._queue.put(_Job(stop=True))
            await asyncio.to_thread(thread.join)

    def _future(self) -> "asyncio.Future[None]":
        self._raise_failure()
        if self._loop is None or self._thread is None:
            raise StorageFailed("the writer is not running")
        return self._loop.create_future()

    async def _ordered(self, job: _Job) -> None:
        self._queue.put(job)
        if job.done is not None:
            await job.done

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise StorageFailed(f"storage failed earlier: {self._failure}") from self._failure

    def _run(self) -> None:
        while True:
            job = self._queue.get()
            if job.stop:
                return
            try:
                if self._failure is None:
                    self._perform(job)
            except Exception as error:  # noqa: BLE001 - any error of the disk ends the writer
                self._failure = error
                self._call(self._tell_failure, error)
            self._answer(job)

    def _perform(self, job: _Job) -> None:
        if job.committed is not None:
            self._store.commit_block(job.committed)
            self._call(self._tell_durable, job.committed)
        if job.records:
            self._store.save_journal(job.records)

    def _answer(self, job: _Job) -> None:
        if job.done is not None:
            self._call(self._resolve, job.done)

    def _call(self, function: Callable[..., None], *arguments: object) -> None:
        if self._loop is not None:
            # The loop is closed only when nobody is left to tell.
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(function, *arguments)

    def _resolve(self, done: "asyncio.Future[None]") -> None:
        if done.done():
            return
        if self._failure is None:
            done.set_result(None)
        else:
            error = StorageFailed(f"storage failed: {self._failure}")
            error.__cause__ = self._failure
            done.set_exception(error)

    def _tell_failure(self, error: BaseException) -> None:
        for callback in self.on_failure:
            callback(error)

    def _tell_durable(self, committed: CommittedBlock) -> None:
        for callback in self.on_durable:
            callback(committed)
