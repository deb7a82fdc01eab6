"""Talks to whichever node answers: the demo lives on while single nodes stop and start."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from node.client.client import ApiError, Client, Unreachable

T = TypeVar("T")

TIMEOUT_S = 5.0
PAUSE_S = 0.5


class Network:
    """Several equal nodes behind one `call`; use it as an async context manager."""

    def __init__(self, urls: Sequence[str], patience_s: float = 60.0) -> None:
        self._clients = [Client(url, timeout_s=TIMEOUT_S, tries=1) for url in urls]
        self._patience_s = patience_s

    async def __aenter__(self) -> "Network":
        return self

    async def __aexit__(self, *_: object) -> None:
        for client in self._clients:
            await client.close()

    @property
    def url(self) -> str:
        """The node in use."""
        return self._clients[0].url

    async def call(self, request: Callable[[Client], Awaitable[T]]) -> T:
        """Make a request of the first node that answers it.

        A node that is out of reach or in trouble goes to the end of the line.  Raises Unreachable
        when none answered for `patience_s`, ApiError when one refused.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._patience_s
        while True:
            for _ in range(len(self._clients)):
                try:
                    return await request(self._clients[0])
                except Unreachable:
                    pass
                except ApiError as problem:
                    if problem.status < 500 and problem.code != "unknown":
                        raise
                self._clients.append(self._clients.pop(0))
            if loop.time() > deadline:
                urls = ", ".join(sorted(client.url for client in self._clients))
                raise Unreachable(f"none of {urls} answers")
            await asyncio.sleep(PAUSE_S)
