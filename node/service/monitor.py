"""What a node tells about itself: facts, peers, consensus and checks, gathered when asked."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from consensus.simplex.types import VoteKind
from node.api.backend import NodeFacts, PeerFacts
from node.application.application import Application
from node.peers.network import Network, monotonic_ms
from node.peers.sync import Syncer
from node.service.watch import Watch
from node.storage.writer import Writer

LOOP_LAG_MAX_MS = 5_000
TICK_S = 0.5


class DriverState(Protocol):
    """What the monitor asks the driver."""

    @property
    def view(self) -> int: ...
    @property
    def may_vote(self) -> bool: ...


@dataclass(slots=True)
class Monitor:
    """Reads the parts of one node."""

    name: str
    own_key: bytes
    application: Application
    network: Network
    syncer: Syncer
    writer: Writer
    watch: Watch
    driver: Callable[[], DriverState]
    loop_lag_ms: int = 0
    _ticked_ms: int = 0

    def state(self) -> str:
        """validating, observing, syncing or stalled."""
        if self.syncer.syncing:
            return "syncing"
        if self.watch.stalled:
            return "stalled"
        return "validating" if self.driver().may_vote else "observing"

    def facts(self) -> NodeFacts:
        """Who this node is and what it does."""
        index = self.application.validators.index(self.own_key)
        return NodeFacts(
            name=self.name or self.name_of(self.own_key),
            address=self.own_key.hex(),
            validator_index=-1 if index is None else index,
            state=self.state(),
            stalled_on=self.silent_names() if self.watch.stalled else (),
        )

    def peers(self) -> Sequence[PeerFacts]:
        """Every known peer, by address."""
        return [
            PeerFacts(
                address=peer.info.address,
                name=peer.info.name,
                endpoint=peer.info.url,
                connected=peer.connected,
                height=peer.height,
                rtt_ms=peer.round_trip_ms,
            )
            for peer in self.network.peers()
        ]

    def consensus(self) -> dict[str, object]:
        """Where consensus stands, whose turn it is, who was heard in this view."""
        election, validators = self.application.election, self.application.validators
        view = self.driver().view
        leader = election.leader(view)
        connected = {peer.key for peer in self.network.peers() if peer.connected}
        votes = self.watch.votes(view, validators.n)
        return {
            "height": self.application.tip.height + 1,
            "view": view,
            "leader": leader.address,
            "leader_name": leader.name,
            "order": [election.entries[index].address for index in election.order],
            "quorum": validators.quorum,
            "idle_ms": self.watch.idle_ms,
            "state": self.state(),
            "silent": list(self.silent_names()),
            "validators": [
                {
                    "index": index,
                    "address": key.hex(),
                    "name": self.name_of(key),
                    "connected": key == self.own_key or key in connected,
                    "notarize": VoteKind.NOTARIZE in votes[index],
                    "nullify": VoteKind.NULLIFY in votes[index],
                    "finalize": VoteKind.FINALIZE in votes[index],
                }
                for index, key in enumerate(validators.keys)
            ],
        }

    def checks(self) -> Sequence[tuple[str, bool, str]]:
        """What must hold for the process to be left running."""
        failure = self.writer.failure
        late = max(0, monotonic_ms() - self._ticked_ms - int(TICK_S * 1000))
        lag = max(self.loop_lag_ms, late) if self._ticked_ms else 0
        return (
            ("storage", failure is None, "writable" if failure is None else str(failure)),
            ("event_loop", lag < LOOP_LAG_MAX_MS, f"{lag} ms late"),
        )

    def silent_names(self) -> tuple[str, ...]:
        """Validators that have not been heard for as long as makes a chain stalled."""
        silent = self.watch.silent(self.application.validators, self.own_key)
        return tuple(self.name_of(key) for key in silent)

    def name_of(self, key: bytes) -> str:
        """The display name of a validator or peer."""
        for entry in self.application.election.entries:
            if entry.address == key.hex():
                return entry.name
        peer = self.network.peer(key)
        return peer.info.name if peer is not None else key.hex()[:8]

    async def run(self, warn: Callable[..., None]) -> None:
        """Measure the loop's lag, and warn when no block comes, for ever."""
        while True:
            before = monotonic_ms()
            await asyncio.sleep(TICK_S)
            self._ticked_ms = monotonic_ms()
            self.loop_lag_ms = max(0, self._ticked_ms - before - int(TICK_S * 1000))
            if self.watch.check():
                connected = [peer.info.name for peer in self.network.peers() if peer.connected]
                warn(
                    "no final block",
                    height=self.watch.height,
                    idle_ms=self.watch.idle_ms,
                    silent=list(self.silent_names()),
                    connected=connected,
                )
