"""What the HTTP API may see and do of a running node: one narrow object, no driver, no writer.

It satisfies `node.api.backend.Backend`.  Reads of the committed state go to the application, reads
of history to `queries`, which has a read-only engine of its own; the only way in is `submit`.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from consensus.election import Election
from ledger.errors import Rejected
from ledger.state import StateProof, View
from ledger.transactions import TransactionCodec
from node.api.backend import NodeFacts, PeerFacts, Tip
from node.application.application import Application
from node.application.mempool import Mempool
from node.intake.intake import Intake, SubmitResult
from node.service.config import Settings
from node.service.hub import Hub, Listener
from node.storage.queries import Queries


@dataclass(frozen=True, slots=True)
class Probes:
    """Measurements of the service, taken when called."""

    facts: Callable[[], NodeFacts]
    peers: Callable[[], Sequence[PeerFacts]]
    consensus: Callable[[], dict[str, object]]
    checks: Callable[[], Sequence[tuple[str, bool, str]]]


class NodeHandle:
    """Everything a route may use; built once by the service."""

    def __init__(
        self,
        settings: Settings,
        application: Application,
        queries: Queries,
        intake: Intake,
        hub: Hub,
        probes: Probes,
        version: str,
    ) -> None:
        self.settings = settings
        self.application = application
        self.version = version
        self._queries = queries
        self._intake = intake
        self._hub = hub
        self._probes = probes

    @property
    def chain(self) -> str:
        return self.application.chain.name

    @property
    def genesis_hash(self) -> bytes:
        return self.application.genesis.hash

    @property
    def genesis_bytes(self) -> bytes:
        return self.application.genesis.data

    @property
    def block_time_ms(self) -> int:
        return self.application.parameters.block_time_ms

    @property
    def mempool(self) -> Mempool:
        return self.application.mempool

    @property
    def codec(self) -> TransactionCodec:
        return self.application.codec

    @property
    def queries(self) -> Queries:
        return self._queries

    def tip(self) -> Tip:
        """The newest final block."""
        head = self.application.tip
        return Tip(head.height, head.hash, head.time_ms, head.view)

    def state(self) -> View:
        """The committed state at the tip; never hold it across an await."""
        return self.application.state

    def prove(self, key: bytes) -> StateProof:
        """The proof of an entry of the committed state at the tip, or of its absence."""
        return self.application.state.prove(key)

    def election(self) -> Election:
        """The election of the next height."""
        return self.application.election

    def node_facts(self) -> NodeFacts:
        """Who this node is and what it does."""
        return self._probes.facts()

    def consensus_snapshot(self) -> dict[str, object]:
        """Where consensus stands and who has voted, as JSON-able values."""
        return self._probes.consensus()

    def peers(self) -> Sequence[PeerFacts]:
        """Every known peer, by address."""
        return self._probes.peers()

    def checks(self) -> Sequence[tuple[str, bool, str]]:
        """(name, holds, detail) of what must hold for the process to be left running."""
        return self._probes.checks()

    def no_room(self) -> Rejected | None:
        """Why no transaction would be taken right now; None while there is room."""
        return self._intake.no_room()

    async def submit(self, items: Sequence[bytes]) -> Sequence[SubmitResult]:
        """Admit transactions of a client, one result each, in order.  Never raises Rejected."""
        return await self._intake.submit(items)

    async def check(self, items: Sequence[bytes]) -> Sequence[SubmitResult]:
        """What `submit` would say of form and signature; nothing is kept."""
        return await self._intake.submit(items, keep=False)

    async def wait_final(self, transaction_id: bytes, timeout_s: float) -> bool:
        """Wait until the transaction is final and readable here; False on time-out or shutdown."""
        future = self._hub.waiter(transaction_id)
        try:
            if await asyncio.to_thread(self._queries.transaction, transaction_id) is not None:
                return True
            await asyncio.wait((future,), timeout=timeout_s)
            return future.done() and future.result()
        finally:
            self._hub.drop(transaction_id, future)

    def subscribe(self) -> Listener:
        """Heights of final blocks from now on.  Raises TooManyListeners."""
        return self._hub.subscribe()
