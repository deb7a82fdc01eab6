"""From final blocks to frames of the live stream, live and replayed alike.

A block gives the frame `block` at index 0 and one frame for each of its events, whose topic is the
word before the dot of its kind: `order.opened` and `order.closed` are both `order`.
"""

from collections.abc import AsyncIterator, Sequence

from ledger.state import Event
from node.api.context import ApiContext, names_in
from node.api.documents import BlockFacts, event_document, read_facts, summary_document
from node.api.events import Frame, Lost, frame_of

CATCH_UP_BLOCKS = 50
"""Blocks read one by one when the node reports several at once; beyond it, a gap."""

WARM_BLOCKS = 200
"""Blocks looked through at start for orders that closed lately."""

BlockWithEvents = tuple[BlockFacts, Sequence[Event]]


class Feed:
    """Reads blocks for the hub; one per application."""

    def __init__(self, context: ApiContext) -> None:
        self._context = context

    async def live(self) -> AsyncIterator[Sequence[Frame] | Lost]:
        """Frames of each block as it becomes final, without holes."""
        done = await self._warm_up()
        async for height in self._context.backend.subscribe():
            if height - done > CATCH_UP_BLOCKS:
                yield Lost(done + 1, height - CATCH_UP_BLOCKS)
                done = self._context.noted_height = height - CATCH_UP_BLOCKS
            for number in range(done + 1, height + 1):
                found = await self._read(number)
                if found is None:
                    self._context.noted_height = number
                    yield Lost(number, number)
                    continue
                row = found[0].row
                self._context.metrics.saw_block(row.time_ms, row.view, row.transactions)
                for event in found[1]:
                    self._context.note(number, event)
                self._context.noted_height = number
                yield self._frames(found)
            done = max(done, height)

    async def replay(self, first: int, last: int) -> Sequence[Frame]:
        """Frames of the final blocks `first`..`last`, up to the first that is not readable."""
        frames: list[Frame] = []
        for height in range(first, last + 1):
            found = await self._read(height)
            if found is None:
                break
            frames += self._frames(found)
        return frames

    async def _warm_up(self) -> int:
        """Take note of how orders of the last blocks ended; the newest readable height."""
        queries = self._context.backend.queries

        def read() -> tuple[int, list[tuple[int, Sequence[Event]]]]:
            newest = queries.blocks(None, 1)
            height = newest[0].height if newest else queries.first_height - 1
            lowest = max(queries.first_height, height - WARM_BLOCKS + 1)
            heights = range(lowest, height + 1)
            return height, [(at, queries.events(at)) for at in heights]

        height, told = await self._context.read(read)
        for at, events in told:
            for event in events:
                self._context.note(at, event)
        self._context.noted_height = height
        return height

    async def _read(self, height: int) -> BlockWithEvents | None:
        queries = self._context.backend.queries

        def read() -> BlockWithEvents | None:
            row = queries.block(height)
            return (read_facts(queries, row), queries.events(height)) if row else None

        return await self._context.read(read)

    def _frames(self, found: BlockWithEvents) -> list[Frame]:
        facts, events = found
        state = self._context.backend.state()
        height = facts.row.height
        summary = summary_document(state, facts)
        frames = [frame_of((height, 0), "block", (facts.row.builder,), summary)]
        for index, event in enumerate(events, start=1):
            document = event_document(height, index, event)
            document["names"] = names_in(state, document)
            topic = event.kind.partition(".")[0]
            frames.append(frame_of((height, index), topic, event.accounts, document))
        return frames
