"""TCP proxies between nodes, one for each direction of dialing, that can be cut and healed.

Every node knows every other one by the port of a proxy.  A cut link loses its connections at once
and refuses new ones; a stalled link keeps them and carries nothing, as a dead cable would.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass, field
from typing import TypeVar

CHUNK_BYTES = 65_536
Result = TypeVar("Result")
Link = tuple[int, int]


@dataclass
class Gate:
    """The state of one link."""

    port: int = 0
    is_cut: bool = False
    flows: asyncio.Event = field(default_factory=asyncio.Event)
    writers: set[asyncio.StreamWriter] = field(default_factory=set)


class Proxies:
    """All links of a network; runs in a thread of its own, callable from any other."""

    def __init__(self) -> None:
        self._gates: dict[Link, Gate] = {}
        self._servers: list[asyncio.Server] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def open(self, link: Link, target_port: int) -> int:
        """Listen for the first node of the link, forward to the second; the port to dial."""
        return self._call(self._open(link, target_port))

    def cut(self, links: Iterable[Link]) -> None:
        """Abort these links and refuse new connections on them."""
        self._each(links, self._cut)

    def stall(self, links: Iterable[Link]) -> None:
        """Carry nothing on these links, and say nothing about it."""
        self._each(links, lambda gate: gate.flows.clear())

    def heal(self) -> None:
        """All links carry again."""
        self._each(list(self._gates), self._heal)

    def close(self) -> None:
        """End all links and the thread."""
        self._call(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10.0)
        self._loop.close()

    def _call(self, work: Coroutine[None, None, Result]) -> Result:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10.0)

    def _each(self, links: Iterable[Link], act: Callable[[Gate], None]) -> None:
        chosen = list(links)

        async def all_of_them() -> None:
            for link in chosen:
                act(self._gates[link])

        self._call(all_of_them())

    @staticmethod
    def _cut(gate: Gate) -> None:
        gate.is_cut = True
        for writer in list(gate.writers):
            writer.transport.abort()

    @staticmethod
    def _heal(gate: Gate) -> None:
        gate.is_cut = False
        gate.flows.set()

    async def _open(self, link: Link, target_port: int) -> int:
        gate = self._gates[link] = Gate()
        gate.flows.set()

        async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            if gate.is_cut:
                writer.transport.abort()
                return
            with contextlib.suppress(OSError):
                there = await asyncio.open_connection("127.0.0.1", target_port)
                gate.writers |= {writer, there[1]}
                ways = (self._pump(gate, reader, there[1]), self._pump(gate, there[0], writer))
                await asyncio.gather(*ways)
                gate.writers -= {writer, there[1]}
            writer.transport.abort()

        server = await asyncio.start_server(accept, "127.0.0.1", 0)
        self._servers.append(server)
        gate.port = int(server.sockets[0].getsockname()[1])
        return gate.port

    @staticmethod
    async def _pump(gate: Gate, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await source.read(CHUNK_BYTES):
                await gate.flows.wait()
                sink.write(data)
                await sink.drain()
        sink.close()

    async def _close(self) -> None:
        for server in self._servers:
            server.close()
        for gate in self._gates.values():
            self._heal(gate)
            self._cut(gate)
        ours = asyncio.current_task()
        others = [task for task in asyncio.all_tasks() if task is not ours]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
