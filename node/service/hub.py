"""What has just become final, told to everyone inside the node who asked to hear.

The service publishes each block once, after it is durable, so whoever then reads the database finds
it.  A listener hears heights and nothing else: one that does not keep up is told only the newest
and reads what lies between, so no queue can grow and no hole is silent.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable

LISTENERS_MAX = 256


class TooManyListeners(Exception):
    """The hub serves LISTENERS_MAX listeners already."""


class Listener:
    """An async iterator over the heights of final blocks; ends when it or the hub closes."""

    def __init__(self, hub: "Hub") -> None:
        self._hub = hub
        self._newest: int | None = None
        self._wake = asyncio.Event()
        self._closed = False

    def tell(self, height: int) -> None:
        """Remember the newest height; an older one not read yet is replaced."""
        self._newest = height
        self._wake.set()

    def close(self) -> None:
        """End the iteration; safe to call twice."""
        self._closed = True
        self._hub.forget(self)
        self._wake.set()

    def __aiter__(self) -> AsyncIterator[int]:
        return self

    async def __anext__(self) -> int:
        """The newest height not heard yet."""
        while not self._closed:
            if self._newest is not None:
                height, self._newest = self._newest, None
                return height
            self._wake.clear()
            await self._wake.wait()
        raise StopAsyncIteration


class Hub:
    """Fan-out of heights, and one-shot waits for a transaction to become final."""

    def __init__(self) -> None:
        self._listeners: dict[Listener, None] = {}
        self._waiters: dict[bytes, set[asyncio.Future[bool]]] = {}
        self._closed = False

    def subscribe(self) -> Listener:
        """Listen from now on.  Raises TooManyListeners."""
        if len(self._listeners) >= LISTENERS_MAX:
            raise TooManyListeners
        listener = Listener(self)
        if self._closed:
            listener.close()
        else:
            self._listeners[listener] = None
        return listener

    def forget(self, listener: Listener) -> None:
        """Called by a listener that closes."""
        self._listeners.pop(listener, None)

    def publish(self, height: int, transaction_ids: Iterable[bytes]) -> None:
        """Tell all listeners the height, and wake those who wait for one of the transactions."""
        for listener in tuple(self._listeners):
            listener.tell(height)
        if self._waiters:
            for transaction_id in transaction_ids:
                self._settle(self._waiters.pop(transaction_id, set()), True)

    def waiter(self, transaction_id: bytes) -> asyncio.Future[bool]:
        """A future that is True once the transaction is in a published block, False at shutdown.

        Give it back to `drop` in any case.
        """
        future: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        if self._closed:
            future.set_result(False)
        else:
            self._waiters.setdefault(transaction_id, set()).add(future)
        return future

    def drop(self, transaction_id: bytes, future: asyncio.Future[bool]) -> None:
        """Forget a waiter that gave up or is done."""
        future.cancel()
        waiters = self._waiters.get(transaction_id)
        if waiters is not None:
            waiters.discard(future)
            if not waiters:
                del self._waiters[transaction_id]

    def close(self) -> None:
        """End every iteration and every wait: streams must not hold up a shutdown."""
        self._closed = True
        for listener in tuple(self._listeners):
            listener.close()
        for waiters in self._waiters.values():
            self._settle(waiters, False)
        self._waiters.clear()

    def _settle(self, waiters: set[asyncio.Future[bool]], outcome: bool) -> None:
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(outcome)
