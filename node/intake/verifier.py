"""Signature checks of transactions: each once per node, off the event loop when there are many.

A verdict is kept by the hash of the whole transaction, signature included (by its id alone, a block
holding the same content under a spoilt signature would pass on nodes that saw the good one).  Small
lots are checked at once, 32 taking about 1.5 ms; larger ones go in packed chunks to a process of
its own, started when first needed.  (A thread would have to win the interpreter lock back from a
busy event loop after each signature: 240 checks a second instead of 15,000.)  If the process dies
the node goes on by small slices and starts another one later.
"""

import asyncio
import os
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections import OrderedDict, deque
from collections.abc import Sequence
from pathlib import Path

import ledger
from ledger.errors import Reason, Rejected
from ledger.transactions import Transaction
from node.intake.verify_worker import COUNT_BYTES, check_packed

INLINE_MAX = 32
CHUNK = 256
RESTART_AFTER_S = 5.0
ANSWER_TIMEOUT_S = 30.0


class WorkerGone(Exception):
    """The worker process ended or does not answer."""


class Worker:
    """The process, and the requests it has not answered yet, oldest first."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._pending: deque[tuple[int, asyncio.Future[bytes]]] = deque()
        self._reader = asyncio.create_task(self._read())

    @classmethod
    async def start(cls) -> "Worker":
        """Start the process with this interpreter; it finds the packages where we found them."""
        root = str(Path(ledger.__path__[0]).parent)
        paths = [root, *filter(None, [os.environ.get("PYTHONPATH")])]
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "node.intake.verify_worker",
            stdin=PIPE,
            stdout=PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        )
        return cls(process)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def alive(self) -> bool:
        return not self._reader.done()

    async def check(self, items: Sequence[bytes]) -> bytes:
        """One verdict byte per packed item.  Raises WorkerGone."""
        stdin = self._process.stdin
        if stdin is None or not self.alive:
            raise WorkerGone
        answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._pending.append((len(items), answer))
        stdin.write(len(items).to_bytes(COUNT_BYTES, "big") + b"".join(items))
        try:
            await stdin.drain()
            return await asyncio.wait_for(asyncio.shield(answer), ANSWER_TIMEOUT_S)
        except (OSError, TimeoutError):
            await self.stop()
            raise WorkerGone from None

    async def stop(self) -> None:
        """End the process; requests under way fail with WorkerGone."""
        self._reader.cancel()
        if self._process.stdin is not None:
            self._process.stdin.close()
        if self._process.returncode is None:
            self._process.kill()
            await self._process.wait()
        self._fail_pending()

    async def _read(self) -> None:
        stdout = self._process.stdout
        try:
            while stdout is not None:
                verdicts = await stdout.readexactly(1)
                count, answer = self._pending.popleft()
                if count > 1:
                    verdicts += await stdout.readexactly(count - 1)
                if not answer.done():
                    answer.set_result(verdicts)
        except (asyncio.IncompleteReadError, OSError, IndexError):
            self._fail_pending()

    def _fail_pending(self) -> None:
        while self._pending:
            _, answer = self._pending.popleft()
            if not answer.done():
                answer.set_exception(WorkerGone())


class Verifier:
    """Verdicts on transactions, with a bounded memory."""

    def __init__(self, cache_max: int, *, use_worker: bool = True) -> None:
        self._cache_max = cache_max
        self._cache: OrderedDict[bytes, bool] = OrderedDict()
        self._checking: dict[bytes, asyncio.Future[None]] = {}
        self._use_worker = use_worker
        self._worker: Worker | None = None
        self._starting = asyncio.Lock()
        self._started_s = -RESTART_AFTER_S
        self.checked = 0
        self.worker_failures = 0

    @property
    def worker_pid(self) -> int | None:
        """The process that checks, if one runs."""
        return self._worker.pid if self._worker is not None and self._worker.alive else None

    def known_good(self, transaction: Transaction) -> bool:
        """Whether this very transaction was checked here and its signature holds."""
        return self._cache.get(transaction.cache_key, False)

    def check_now(self, transactions: Sequence[Transaction]) -> None:
        """Check what is not known yet, here and now.  Raises Rejected(INVALID_SIGNATURE)."""
        for transaction in transactions:
            verdict = self._cache.get(transaction.cache_key)
            if verdict is None:
                verdict = check_packed(_packed(transaction)) == b"\x01"
                self._remember(transaction.cache_key, verdict)
            if not verdict:
                raise Rejected(Reason.INVALID_SIGNATURE, f"transaction {transaction.id.hex()}")

    async def verify(self, transactions: Sequence[Transaction]) -> list[bool]:
        """One verdict each, in order.  What another call is checking right now is waited for."""
        while busy := self._busy(transactions):
            await asyncio.wait(busy)
        verdicts: dict[bytes, bool] = {}
        unknown: dict[bytes, Transaction] = {}
        for transaction in transactions:
            key = transaction.cache_key
            if key in self._cache:
                self._cache.move_to_end(key)
                verdicts[key] = self._cache[key]
            else:
                unknown[key] = transaction
        if unknown:
            verdicts |= await self._check_unknown(unknown)
        return [verdicts[transaction.cache_key] for transaction in transactions]

    async def _check_unknown(self, unknown: dict[bytes, Transaction]) -> dict[bytes, bool]:
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._checking.update(dict.fromkeys(unknown, done))
        try:
            checked = await self._check([_packed(each) for each in unknown.values()])
        finally:
            for key in unknown:
                del self._checking[key]
            done.set_result(None)
        verdicts = {key: each == 1 for key, each in zip(unknown, checked, strict=True)}
        for key, verdict in verdicts.items():
            self._remember(key, verdict)
        return verdicts

    async def close(self) -> None:
        """End the worker process."""
        self._use_worker = False
        if self._worker is not None:
            await self._worker.stop()

    def _busy(self, transactions: Sequence[Transaction]) -> set[asyncio.Future[None]]:
        if not self._checking:
            return set()
        found = (self._checking.get(each.cache_key) for each in transactions)
        return {future for future in found if future is not None}

    async def _check(self, items: list[bytes]) -> bytes:
        self.checked += len(items)
        if len(items) > INLINE_MAX and self._use_worker:
            try:
                worker = await self._live_worker()
                chunks = [items[start : start + CHUNK] for start in range(0, len(items), CHUNK)]
                return b"".join(await asyncio.gather(*map(worker.check, chunks)))
            except WorkerGone:
                self.worker_failures += 1
        verdicts = b""
        for start in range(0, len(items), INLINE_MAX):
            verdicts += check_packed(b"".join(items[start : start + INLINE_MAX]))
            await asyncio.sleep(0)
        return verdicts

    async def _live_worker(self) -> Worker:
        async with self._starting:
            if self._worker is not None and self._worker.alive:
                return self._worker
            if time.monotonic() < self._started_s + RESTART_AFTER_S:
                raise WorkerGone
            self._started_s = time.monotonic()
            try:
                self._worker = await Worker.start()
            except OSError:
                raise WorkerGone from None
            return self._worker

    def _remember(self, key: bytes, verdict: bool) -> None:
        self._cache[key] = verdict
        if len(self._cache) > self._cache_max:
            self._cache.popitem(last=False)


def _packed(transaction: Transaction) -> bytes:
    envelope = transaction.envelope
    return bytes.fromhex(envelope.from_) + transaction.id + bytes.fromhex(envelope.sig)
