"""The live stream: each final block becomes server-sent events once, and fans out to all clients.

One pump listens to the node, one bounded queue belongs to each client.  A chain event's id is
`<height>.<index>`, the same on every node: index 0 is the block, 1.. are its events in order.  A
client that comes back with its last id gets what it missed from the database and then the live
events; where that is too much, or its queue ran over, it gets a `gap` event with the range to fetch
by the other routes: never a silent hole.  Streams end at once when the node stops.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass

import msgspec

QUEUE_MAX = 256
REPLAY_BLOCKS_MAX = 1000
REPLAY_PAGE_BLOCKS = 20
PING_SECONDS = 15.0
RETRY = b"retry: 2000\n\n"
PING = b": ping\n\n"
END_OF_BLOCK = 2**32
"""An index behind every event of a block."""

Position = tuple[int, int]
"""(height, index) of a chain event."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One event, encoded once for all clients.  `position` is None for what is never replayed."""

    position: Position | None
    topic: str
    accounts: frozenset[str]
    text: bytes


@dataclass(frozen=True, slots=True)
class Lost:
    """Heights `first`..`last` were not delivered."""

    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a client asked for; empty means everything."""

    topics: frozenset[str] = frozenset()
    account: str = ""

    def takes(self, frame: Frame) -> bool:
        """Whether this client wants the frame."""
        if self.topics and frame.topic not in self.topics:
            return False
        return not self.account or self.account in frame.accounts


def frame_of(position: Position | None, topic: str, accounts: Iterable[str], data: object) -> Frame:
    """Encode one event.  `data` is JSON-able; JSON never holds a raw line break."""
    head = f"id: {position[0]}.{position[1]}\n" if position else ""
    text = f"{head}event: {topic}\ndata: ".encode() + msgspec.json.encode(data) + b"\n\n"
    return Frame(position, topic, frozenset(accounts), text)


def gap_text(lost: Lost) -> bytes:
    """The event that names what must be fetched; its id lets a later return start after it."""
    data = msgspec.json.encode({"from": lost.first, "to": lost.last})
    return f"id: {lost.last}.{END_OF_BLOCK}\nevent: gap\ndata: ".encode() + data + b"\n\n"


class Client:
    """One open stream: its wishes and its bounded queue."""

    def __init__(self, wanted: Wanted, address: str) -> None:
        self.wanted = wanted
        self.address = address
        self.closed = False
        self._frames: deque[Frame] = deque()
        self._lost: Lost | None = None
        self._wake = asyncio.Event()

    def offer(self, frames: Sequence[Frame]) -> None:
        """Queue what the client wants; beyond the bound the oldest gives way and is remembered."""
        for frame in frames:
            if self.wanted.takes(frame):
                self._frames.append(frame)
        while len(self._frames) > QUEUE_MAX:
            position = self._frames.popleft().position
            if position is not None:
                self.miss(Lost(position[0], position[0]))
        if self._frames:
            self._wake.set()

    def miss(self, lost: Lost) -> None:
        """Remember heights that this client will not get."""
        first = lost.first if self._lost is None else self._lost.first
        self._lost = Lost(first, lost.last)
        self._wake.set()

    def close(self) -> None:
        """End the stream."""
        self.closed = True
        self._wake.set()

    async def take(self) -> Sequence[Frame] | Lost | None:
        """What came, a gap before the frames after it; nothing after PING_SECONDS; None: ended."""
        if not self._frames and self._lost is None and not self.closed:
            self._wake.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), PING_SECONDS)
        if self.closed:
            return None
        if self._lost is not None:
            lost, self._lost = self._lost, None
            return lost
        frames = tuple(self._frames)
        self._frames.clear()
        return frames


Source = Callable[[], AsyncIterator[Sequence[Frame] | Lost]]
Replay = Callable[[int, int], Awaitable[Sequence[Frame]]]
"""All frames of the final blocks first..last, in order."""


class StreamHub:
    """All open streams and the pump that feeds them."""

    def __init__(
        self,
        source: Source,
        replay: Replay,
        height: Callable[[], int],
        lowest: Callable[[], int] = lambda: 1,
    ) -> None:
        """`lowest` is the first height whose block the node has, `height` the last."""
        self._lowest = lowest
        self._source = source
        self._replay = replay
        self._height = height
        self._clients: set[Client] = set()
        self._pump: asyncio.Task[None] | None = None
        self.closed = False

    @property
    def client_count(self) -> int:
        return len(self._clients)

    def clients_at(self, address: str) -> int:
        """Open streams of one network address."""
        return sum(client.address == address for client in self._clients)

    def start(self) -> None:
        """Begin to listen to the node; needs a running loop.  Calling it twice changes nothing."""
        if self._pump is None and not self.closed:
            self._pump = asyncio.get_running_loop().create_task(self._run())

    def close(self) -> None:
        """End every stream at once; the server can then shut down."""
        self.closed = True
        for client in tuple(self._clients):
            client.close()
        if self._pump is not None:
            self._pump.cancel()

    async def _run(self) -> None:
        """Hand each item of the node to every client until the node ends its subscription."""
        try:
            async for item in self._source():
                for client in tuple(self._clients):
                    if isinstance(item, Lost):
                        client.miss(item)
                    else:
                        client.offer(item)
        finally:
            self.closed = True
            for client in tuple(self._clients):
                client.close()

    async def stream(
        self, wanted: Wanted, after: Position | None, address: str
    ) -> AsyncIterator[bytes]:
        """The bytes of one stream, from `after` on, or live from now when it is None."""
        client = Client(wanted, address)
        if self.closed:
            return
        self._clients.add(client)
        sent: Position = (0, 0) if after is None else after
        try:
            yield RETRY
            if after is not None:
                async for text, position in self._missed(client, after):
                    sent = position if sent[0] > self._height() else max(sent, position)
                    yield text
            while (item := await client.take()) is not None:
                if isinstance(item, Lost):
                    yield gap_text(item)
                    continue
                fresh = [frame for frame in item if _is_after(frame, sent)]
                yield b"".join(frame.text for frame in fresh) or PING
        finally:
            self._clients.discard(client)

    async def _missed(
        self, client: Client, after: Position
    ) -> AsyncIterator[tuple[bytes, Position]]:
        """Events after `after` from the database, a gap first where they are too many.

        Each piece comes with the position up to which nothing is missing any more.  A block that
        is final but not readable yet ends the replay: it will come live.
        """
        first, last = after[0], self._height()
        if first > last:  # the id comes from another life of this chain
            yield gap_text(Lost(1, last)), (last, END_OF_BLOCK)
            return
        lowest = self._lowest()
        if first < lowest - 1:
            yield gap_text(Lost(first + 1, lowest - 1)), (lowest - 1, END_OF_BLOCK)
            first = lowest
        if last - first > REPLAY_BLOCKS_MAX:
            lost = Lost(first + 1, last - REPLAY_BLOCKS_MAX)
            first = lost.last + 1
            yield gap_text(lost), (lost.last, END_OF_BLOCK)
        while first <= last and not client.closed:
            until = min(last, first + REPLAY_PAGE_BLOCKS - 1)
            found = await self._replay(max(first, 1), until)
            positions = [frame.position for frame in found if frame.position is not None]
            reached = max((position[0] for position in positions), default=0)
            wanted = [f for f in found if client.wanted.takes(f) and _is_after(f, after)]
            yield b"".join(frame.text for frame in wanted) or PING, (reached, END_OF_BLOCK)
            if reached < until:
                return
            first = until + 1
            last = self._height()


def _is_after(frame: Frame, position: Position) -> bool:
    return frame.position is None or frame.position > position
