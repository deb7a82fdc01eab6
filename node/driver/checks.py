"""Where the driver asks the application about blocks: build one, inspect one, check one once.

A verdict is about the block alone and stays.  A block whose header time lies further ahead of our
wall clock than the drift bound gets none yet: the shelf holds it back until the clock gets there.
The clock may be set meanwhile, so it is looked at again after LONGEST_HOLD_MS at the latest.
"""

from consensus.simplex.application import Application, BlockFacts, BuildRequest
from consensus.simplex.events import AskBuild, Built, Checked
from consensus.simplex.journal import HeldBlock
from consensus.simplex.types import HeightStart, PeerKey
from ledger.errors import Corrupt, Rejected
from ledger.types import Digest
from node.driver.blocks import BlockShelf
from node.driver.host import DriverSettings, Host

LONGEST_HOLD_MS = 1000


class Diverged(Exception):
    """A quorum finalized a block that this node's own check refuses: stop voting, stop."""


class BlockChecks:
    """Verdicts about the blocks on the shelf."""

    def __init__(
        self, application: Application, host: Host, settings: DriverSettings, shelf: BlockShelf
    ) -> None:
        self._application = application
        self._host = host
        self._drift_bound_ms = settings.drift_bound_ms
        self._shelf = shelf

    def inspect(self, peer: PeerKey | None, data: bytes) -> BlockFacts | None:
        """The place of a block that arrived; None if its bytes are no block."""
        try:
            return self._application.inspect(data)
        except Rejected as refusal:
            if peer is not None:
                self._host.block_peer(peer, f"malformed block: {refusal}")
            return None

    def build(self, start: HeightStart, ask: AskBuild) -> Built:
        """R5: have a fresh block built, and checked like anybody else's."""
        wall_ms = self._host.wall_ms()
        data = self._application.build(
            BuildRequest(start.height, ask.view, start.parent, wall_ms, ask.skips)
        )
        if data is None:
            return Built(ask.view, None)
        try:
            facts = self._application.inspect(data)
            self._application.check(data)
        except Rejected as refusal:
            self._host.own_block_refused(start.height, ask.view, str(refusal))
            return Built(ask.view, None)
        self._shelf.offer(None, facts, data)
        self._shelf.blocks[facts.digest].valid = True
        return Built(ask.view, facts.digest)

    def check(self, start: HeightStart, digest: Digest) -> Checked | None:
        """R7, R9: the verdict; none while the block is missing or its time lies ahead."""
        shelved = self._shelf.blocks.get(digest)
        if shelved is None:
            return None
        if shelved.valid is None:
            wait_ms = shelved.facts.time_ms - self._drift_bound_ms - self._host.wall_ms()
            if wait_ms > 0:
                shelved.held_until_ms = self._host.now_ms() + min(wait_ms, LONGEST_HOLD_MS)
                return None
            if self.is_valid(start, digest):
                self._host.block_accepted(start.height, digest, shelved.data)
        return Checked(digest, shelved.valid is True, shelved.facts.origin_view)

    def is_valid(self, start: HeightStart, digest: Digest) -> bool:
        """The verdict about a block that is here, whatever its header time."""
        shelved = self._shelf.blocks[digest]
        if shelved.valid is None:
            shelved.valid = shelved.facts.parent == start.parent and self._passes(shelved.data)
        return shelved.valid

    def recheck(self, start: HeightStart, record: HeldBlock) -> None:
        """Execute a block of the journal again; it was valid before.

        Raises Corrupt when it does not read back, Diverged when it now fails its check.
        """
        facts = self.inspect(None, record.data)
        if facts is None or facts.parent != start.parent:
            raise Corrupt(f"block {record.digest.hex()} of the vote journal does not read back")
        self._shelf.offer(None, facts, record.data)
        if not self.is_valid(start, facts.digest):
            raise Diverged(f"block {record.digest.hex()} of the vote journal fails its check")

    def _passes(self, data: bytes) -> bool:
        try:
            self._application.check(data)
        except Rejected:
            return False
        return True
