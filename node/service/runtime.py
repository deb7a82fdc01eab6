"""All parts of one node, built by hand and wired; started, run and stopped in order.

clients -> API -> intake -> mempool            peers <-> network <-> host <-> driver <-> core
                    |  \\-> verifier                         |           |
                    \\-> gossip -> network                 syncer    application -> writer -> store
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

import structlog

from consensus.simplex.admission import CachedVerify
from consensus.simplex.evidence import Evidence
from consensus.simplex.journal import JournalRecord
from consensus.simplex.types import PeerKey, Vote
from consensus.simplex.wire import encode_evidence
from ledger.crypto import SigningKey, verify
from ledger.types import Digest
from node.application.application import Application, Options
from node.application.building import Builder
from node.application.chain import chain_of
from node.application.checking import Trust
from node.application.genesis import LoadedGenesis
from node.application.mempool import MempoolLimits
from node.application.startup import open_application
from node.driver.driver import Driver
from node.driver.host import FinalBlockArrived
from node.driver.start import Waiting, chain_has_begun, driver_settings
from node.intake.gossip import Gossip
from node.intake.intake import Intake
from node.intake.verifier import Verifier
from node.peers.auth import RequestVerifier
from node.peers.directory import peers_of
from node.peers.exchange import BlockExchange, ExchangeLimits
from node.peers.network import Network, monotonic_ms
from node.peers.server import BlockSource, PeerServer
from node.peers.sync import Syncer
from node.service.clock import Clock
from node.service.config import Settings
from node.service.handle import NodeHandle, Probes
from node.service.host import HostHooks, NodeHost
from node.service.hub import Hub
from node.service.monitor import Monitor
from node.service.watch import Watch
from node.storage.batch import CommittedBlock
from node.storage.errors import StorageError
from node.storage.guard import GuardReason
from node.storage.queries import Queries
from node.storage.store import Store
from node.storage.writer import Writer

CHAIN_ANSWER_BYTES = 8 * 1024 * 1024
MEMBER_TABLE = b"member/"


@dataclass(frozen=True, slots=True)
class NodeKeys:
    """The keys of one node; an observer has no VRF seed."""

    signing: SigningKey
    vrf_seed: bytes | None


def software_version() -> str:
    """The version of the installed distribution."""
    try:
        return version("twinchain")
    except PackageNotFoundError:
        return "0"


class Runtime:
    """One node.  `start`, then `run` until cancelled, then `close`."""

    def __init__(
        self, settings: Settings, genesis: LoadedGenesis, keys: NodeKeys, store: Store
    ) -> None:
        """Opens the application: verifies what is stored and executes what was written behind."""
        self.settings = settings
        self.keys = keys
        self.store = store
        self.log = structlog.get_logger("node")
        self._journal = store.journal()
        self._cached_verify = CachedVerify(verify)
        self.verifier = Verifier(
            settings.mempool.verdict_cache, use_worker=settings.mempool.verify_worker
        )
        self.writer = Writer(store)
        self.hub = Hub()
        self.application = self._open_application(genesis)
        self.queries = Queries(store.path, chain_of(genesis).transaction_id, store.pending)
        self._build_network()
        self._build_intake()
        self._build_driver_side()
        self.application.on_commit.append(self._on_commit)
        self.writer.on_durable.append(self._on_durable)

    # ------------------------------------------------------------------ building
    def _open_application(self, genesis: LoadedGenesis) -> Application:
        mempool = self.settings.mempool
        seed = self.keys.vrf_seed if self.settings.consensus.vote else None
        trust = Trust(lambda _: None, self.verifier.check_now, self._cached_verify)
        options = Options(
            builder=Builder(self.keys.signing.address, seed) if seed is not None else None,
            mempool=MempoolLimits(
                max_transactions=mempool.max_transactions,
                max_bytes=mempool.max_bytes,
                max_ahead=mempool.max_ahead,
                max_idle_blocks=mempool.max_idle_blocks,
            ),
            trust=trust,
            trade_proofs=self.settings.storage.trade_proofs,
        )
        return open_application(self.store, genesis, options, self.writer.submit_commit)

    def _build_network(self) -> None:
        limits = self.application.tip.limits
        self.max_block_bytes = limits.max_bytes + 2 * limits.max_sealed_bytes + 8192
        self.exchange = BlockExchange(
            self.keys.signing,
            ExchangeLimits(
                max_block_bytes=self.max_block_bytes,
                max_chain_bytes=max(2 * CHAIN_ANSWER_BYTES, self.max_block_bytes + 65_536),
            ),
        )
        hooks = HostHooks(
            persist=self._persist,
            check_signatures=self._check_signatures,
            behind=self._behind,
            decided=self._decided,
            evidence=self._evidence,
            heard=self._heard,
        )
        self.host = NodeHost(
            self.keys.signing.public_key, Clock(), self.exchange, hooks, self.log.info
        )
        self.network = Network(
            self.keys.signing,
            self.application.genesis.hash,
            self.settings.p2p,
            self.host,
            self.log.info,
        )
        self._set_peers()
        verifier = RequestVerifier(
            self.keys.signing.address,
            lambda address: self.network.is_known(bytes.fromhex(address)),
            lambda: monotonic_ms() / 1000,
        )
        source = BlockSource(
            self._block, self._chain_range, self.host.on_block, lambda: self.queries.first_height
        )
        scheme = "https" if self.settings.node.endpoint.startswith("https") else "http"
        self.peer_server = PeerServer(self.network, verifier, source, self.max_block_bytes, scheme)

    def _build_intake(self) -> None:
        self.gossip = Gossip(self.network, self.settings.p2p)
        self.intake = Intake(
            self.application.codec,
            self.verifier,
            self.application.mempool,
            self._final_among,
            self.gossip,
            self.host.blame,
            self.settings.mempool.intake_queue,
        )

    def _build_driver_side(self) -> None:
        head = self.application.tip
        self.driver: Driver | Waiting = Waiting(head.height + 1)
        self.host.connect(self.network, self.driver, self.intake)
        self.watch = Watch(
            monotonic_ms,
            self.settings.consensus.stall_blocks,
            self.application.parameters.block_time_ms,
            height=head.height + 1,
        )
        self.syncer = Syncer(
            self.network,
            self.exchange,
            lambda: self.application.tip.height,
            self._check_signatures,
            self._feed_final,
            self.log.info,
        )
        self.monitor = Monitor(
            self.settings.node.name,
            self.keys.signing.public_key,
            self.application,
            self.network,
            self.syncer,
            self.writer,
            self.watch,
            lambda: self.driver,
        )
        probes = Probes(
            self.monitor.facts, self.monitor.peers, self.monitor.consensus, self.monitor.checks
        )
        self.handle = NodeHandle(
            self.settings,
            self.application,
            self.queries,
            self.intake,
            self.hub,
            probes,
            software_version(),
        )

    # ------------------------------------------------------------------ running
    async def run_driver(self) -> None:
        """Find out whether this node may vote, restore the driver, and drive it for ever."""
        guard, own_key = self.store.guard, self.keys.signing.public_key
        may_sign = self.settings.consensus.vote and self.keys.vrf_seed is not None
        restored = guard.observing
        if guard.reason is GuardReason.FRESH and may_sign:
            validators = self.application.validators
            restored = await chain_has_begun(validators, own_key, self.network, self.log.warning)
        driver = Driver(
            self.application,
            self.host,
            driver_settings(
                self.application,
                self._cached_verify,
                restored=restored,
                vote_floor=guard.floor,
            ),
            self.keys.signing if may_sign else None,
        )
        await driver.restore(self.application.height_start(), self._journal)
        self.driver = driver
        self.host.connect(self.network, driver, self.intake)
        for peer in self.network.peers():
            if peer.connected:
                self.host.on_link(peer)
        if restored:
            self.log.warning("observing until a new height is final", why=guard.reason.value)
        await driver.drive()

    async def close(self) -> None:
        """Stop what holds resources; the disk last."""
        await self.host.close()
        await self.exchange.close()
        await self.verifier.close()
        await self.writer.close()
        self.queries.close()
        if self.writer.failure is None:
            try:
                if self.store.guard.observing and self.driver.may_vote:
                    self.store.end_observation()
                self.store.flush()
            except StorageError as error:
                self.log.error("the last write failed", why=str(error))

    # ------------------------------------------------------------------ hooks
    async def _persist(self, records: Sequence[JournalRecord]) -> None:
        await self.writer.persist(records)

    async def _check_signatures(self, data: bytes) -> bool:
        return all(await self.verifier.verify(self.application.unknown_transactions(data)))

    async def _feed_final(self, item: FinalBlockArrived) -> None:
        await self.host.inbox.put_and_wait(item.peer, item)

    async def _block(self, digest: bytes) -> bytes | None:
        held = self.driver.block(digest)
        if held is not None:
            return held
        row = await asyncio.to_thread(self.queries.block_by_hash, digest)
        return None if row is None else await asyncio.to_thread(self.queries.body, row.height)

    async def _chain_range(self, first: int, count: int) -> list[tuple[bytes, bytes]]:
        last = first + count - 1
        return await asyncio.to_thread(self.queries.chain_range, first, last, CHAIN_ANSWER_BYTES)

    def _final_among(self, ids: Sequence[Digest]) -> Sequence[Digest]:
        return [each for each in ids if self.queries.transaction(each) is not None]

    def _behind(self, peer: PeerKey, height: int) -> None:
        self.syncer.note(peer, height)

    def _heard(self, vote: Vote, signer: PeerKey) -> None:
        self.watch.heard(vote, signer)

    def _decided(self, height: int) -> None:
        self.watch.decided(height)

    def _evidence(self, evidence: Evidence) -> None:
        self.application.note_evidence(encode_evidence(evidence))
        self.log.warning("a validator signed two conflicting votes", height=evidence.first.height)

    def _on_commit(self, committed: CommittedBlock) -> None:
        header = committed.block.header
        self.log.info(
            "final block",
            height=header.height,
            view=header.view,
            leader=self.monitor.name_of(bytes.fromhex(header.builder)),
            transactions=len(committed.transactions),
            trades=committed.trades,
            hash=committed.block.hash.hex()[:16],
        )
        if any(key.startswith(MEMBER_TABLE) for key in committed.changes):
            self._set_peers()

    def _on_durable(self, committed: CommittedBlock) -> None:
        ids = [transaction.id for transaction in committed.transactions]
        self.hub.publish(committed.height, ids)

    def _set_peers(self) -> None:
        voting = self.application.validators.keys
        peers = peers_of(self.application.state, voting, self.settings.p2p.peers)
        self.network.set_peers(peers)
