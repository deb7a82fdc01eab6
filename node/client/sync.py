"""The same client for programs without an event loop: each call runs to its end."""

import asyncio
from collections.abc import Coroutine, Sequence
from types import TracebackType
from typing import Any, TypeVar

import httpx

from node.client.client import Client, Document, Submitted

T = TypeVar("T")


class SyncClient:
    """`Client`, blocking.  Use as a context manager, or call `close`."""

    def __init__(
        self,
        url: str = "http://127.0.0.1:8080",
        *,
        timeout_s: float = 10.0,
        tries: int = 4,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._runner = asyncio.Runner()
        self.client = Client(url, timeout_s=timeout_s, tries=tries, transport=transport)

    def __enter__(self) -> "SyncClient":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections and the loop behind them."""
        self._runner.run(self.client.close())
        self._runner.close()

    def run(self, call: Coroutine[Any, Any, T]) -> T:
        """Run any call of `self.client`: `sync.run(sync.client.params())`."""
        return self._runner.run(call)

    def status(self) -> Document:
        """The node and its chain at one glance."""
        return self.run(self.client.status())

    def account(self, address: str) -> Document:
        """Balances, nonces, roles."""
        return self.run(self.client.account(address))

    def next_nonce(self, address: str) -> int:
        """The nonce for the next transaction."""
        return self.run(self.client.next_nonce(address))

    def submit(self, raw: bytes) -> Submitted:
        """Submit one signed transaction."""
        return self.run(self.client.submit(raw))

    def submit_all(self, raws: Sequence[bytes]) -> list[Submitted]:
        """Submit many at once."""
        return self.run(self.client.submit_all(raws))

    def wait_final(self, transaction_hash: str, timeout_s: float = 30.0) -> Document:
        """The transaction once it is final."""
        return self.run(self.client.wait_final(transaction_hash, timeout_s))

    def get(self, path: str, **query: object) -> Document:
        """Any other route: the whole answer."""
        return self.run(self.client.get(path, **query))
