"""The machine's raw limit of signature verification, measured in the run it is compared with.

`processes` verify-only processes run side by side for `seconds`, over the run's own signed
transactions with the node's own verify function, and nothing else. Every node checks every
transaction once, so `processes` nodes on this machine cannot commit more than

    aggregate verifications per second / processes

transactions per second. That is the limit L which a benchmark's throughput is divided by.
"""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Sequence
from multiprocessing.synchronize import Barrier

from ledger.crypto import verify

SignedItem = tuple[bytes, bytes, bytes]  # public key, message, signature


def _verify_for(
    items: Sequence[SignedItem], seconds: float, ready: Barrier, results: multiprocessing.Queue[int]
) -> None:
    ready.wait()
    deadline = time.perf_counter() + seconds
    count = 0
    while time.perf_counter() < deadline:
        for public_key, message, signature in items:
            if not verify(public_key, message, signature):
                raise SystemExit("a benchmark transaction does not verify")
        count += len(items)
    results.put(count)


def raw_limit(items: Sequence[SignedItem], processes: int, seconds: float = 2.5) -> float:
    """Return L, in transactions per second, for `processes` nodes on this machine.

    `items` is cut to 256: the loop must look at its clock often, and the keys are distinct anyway.
    """
    context = multiprocessing.get_context("fork")
    ready = context.Barrier(processes + 1)
    results: multiprocessing.Queue[int] = context.Queue()
    workers = [
        context.Process(target=_verify_for, args=(items[:256], seconds, ready, results))
        for _ in range(processes)
    ]
    for worker in workers:
        worker.start()
    ready.wait()
    started = time.perf_counter()
    total = sum(results.get() for _ in workers)
    elapsed = time.perf_counter() - started
    for worker in workers:
        worker.join()
    return total / elapsed / processes
