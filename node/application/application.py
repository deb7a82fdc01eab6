"""The replicated state machine behind the finality core: ledger, auction and election in one.

It holds the committed head, executes proposals of the next height on overlays of it, and merges
the one that is decided.  No IO of its own: a decided block goes to a callable that queues it for
the database (`node/storage/writer.py`), and whoever wants to follow the chain adds a callback.

Nothing here may depend on anything but the bytes and final history, the mempool and the clock of a
request apart, which only shape blocks of our own.  Contract: consensus/simplex/application.py.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from auction.round_views import round_document
from consensus.checks import Claim, select_evidence
from consensus.documents import election_document
from consensus.election import Election
from consensus.history import read_tip
from consensus.parameters import LATE_VOTE_DEPTH, consensus_parameters
from consensus.simplex.application import BlockFacts, BuildRequest
from consensus.simplex.types import Certificate, HeightStart, ValidatorSet, Vote
from ledger import vrf
from ledger.blocks import Block, decode_block
from ledger.codec import encode
from ledger.parameters import LedgerParameters
from ledger.state import State
from ledger.transactions import Transaction, TransactionCodec
from ledger.types import Digest
from node.application.building import Builder, Material, build_block, in_time
from node.application.chain import Chain
from node.application.checking import DOUBT, Trust, check_decoded, sort_transactions
from node.application.genesis import LoadedGenesis
from node.application.head import Head, head_after
from node.application.mempool import Mempool, MempoolLimits
from node.application.proposals import Proposal, Proposals
from node.application.witness import TradeWitness
from node.storage.batch import CommittedBlock

CommitSink = Callable[[CommittedBlock], None]
"""Takes a decided block for the database; returns at once, keeps the order of the calls."""

MAX_EVIDENCE_HELD = 64
# Transactions may take this many execution budgets of a builder: a view leaves time for both.
BUILD_BUDGETS = 2
NO_ROUND = b'{"books":[],"classes":[]}'


@dataclass(frozen=True, slots=True)
class Options:
    """What differs between the nodes of a chain.

    `trust` answers for signatures of transactions the mempool does not hold, and of votes; its
    `find` is set to the mempool's.  `builder` is None where this node never builds.
    `trade_proofs`: keep what proves trades later.
    """

    builder: Builder | None = None
    mempool: MempoolLimits = field(default_factory=MempoolLimits)
    trust: Trust = DOUBT
    trade_proofs: bool = True


class Application:
    """One node's copy of the state machine.  Not thread-safe: it lives in the event loop."""

    def __init__(self, chain: Chain, head: Head, options: Options, sink: CommitSink) -> None:
        self.chain = chain
        self.head = head
        self.observing = False
        self.on_commit: list[Callable[[CommittedBlock], None]] = []
        fee = head.parameters.fee_per_action_micro
        self.mempool = Mempool(options.mempool, head.state, head.height, fee)
        self._builder = builder = options.builder
        self._vrf_key = b"" if builder is None else vrf.public_key(builder.vrf_seed)
        trust = options.trust
        self._trust = Trust(self.mempool.find, trust.verify_transactions, trust.verify_vote)
        self._sink = sink
        self._keeps_proofs = options.trade_proofs
        self._proposals = Proposals()
        self._decoded: tuple[bytes, Block] | None = None
        self._late_votes: dict[tuple[int, int], Vote] = {}
        self._evidence: dict[bytes, None] = {}

    # ------------------------------------------------------------ reading
    @property
    def genesis(self) -> LoadedGenesis:
        """The chain's genesis."""
        return self.chain.genesis

    @property
    def codec(self) -> TransactionCodec:
        """The decoder of this chain's transactions."""
        return self.chain.codec

    @property
    def tip(self) -> Head:
        """The committed end of the chain: height, hash, time_ms, view, header, certificate."""
        return self.head

    @property
    def state(self) -> State:
        """The committed state; it changes at every commit, so never hold it across an await."""
        return self.head.state

    @property
    def election(self) -> Election:
        """The election of the next height."""
        return self.head.election

    @property
    def validators(self) -> ValidatorSet:
        """The voting set of the next height."""
        return self.head.validators

    @property
    def parameters(self) -> LedgerParameters:
        """The ledger's parameters in force."""
        return self.head.parameters

    @property
    def wrong_vrf_key(self) -> bool:
        """True if this builder votes under a VRF key it does not hold, and so cannot build."""
        if self._builder is None:
            return False
        own = bytes.fromhex(self._builder.address)
        index = self.head.validators.index(own)
        return index is not None and self.head.validators.vrf_keys[index] != self._vrf_key

    def height_start(self) -> HeightStart:
        """How the next height begins."""
        return self.head.height_start()

    def unknown_transactions(self, data: bytes) -> list[Transaction]:
        """The transactions of a block whose signature is not known to be good yet.

        A host verifies them off the loop before it hands the block in.  Raises Rejected.  None of a
        block that is of no use now: neither of the next height nor of the one after it.
        """
        block = self._decode(data)
        if not 0 < block.header.height - self.head.height <= 2:
            return []
        return sort_transactions(self.chain, block.transactions, self.mempool.find)[1]

    # ------------------------------------------------------------ the finality core's side
    def build(self, request: BuildRequest) -> bytes | None:
        """A fresh block, or None: observing, no builder here, or not this builder's turn.

        Also None while the voting set knows the builder under another VRF key (`wrong_vrf_key`).
        """
        builder, head = self._builder, self.head
        if builder is None or self.observing:
            return None
        if request.height != head.height + 1 or request.parent != head.hash:
            return None
        leader = head.election.leader(request.view)
        if leader.address != builder.address or leader.vrf_key != self._vrf_key:
            return None
        budget_ms = BUILD_BUDGETS * consensus_parameters(head.state).execution_budget_ms
        candidates = in_time(self.mempool.candidates(), budget_ms)
        material = Material(candidates, tuple(self._late_votes.values()), tuple(self._evidence))
        verify = self._trust.verify_vote
        with self.chain.timing.step("build"):
            proposal = build_block(self.chain, head, builder, request, material, verify)
        self._proposals.keep(proposal)
        self._decoded = (proposal.data, proposal.block)
        return proposal.data

    def inspect(self, data: bytes) -> BlockFacts:
        """The place a block claims; its body is the one its header names.  Raises Rejected."""
        block = self._decode(data)
        header = block.header
        parent = bytes.fromhex(header.parent)
        return BlockFacts(block.hash, header.height, parent, header.view, header.time_ms)

    def check(self, data: bytes) -> None:
        """Every rule of a block of the next height.  Raises Rejected."""
        block = self._decode(data)
        held = self._proposals.executed(block.hash)
        if held is None or held.data != data:
            with self.chain.timing.step("check"):
                proposal = check_decoded(self.chain, self.head, block, data, self._trust)
            self._proposals.keep(proposal)

    def commit(self, digest: Digest, certificate: Certificate) -> HeightStart:
        """Make a checked block final; its FINALIZE certificate was verified.

        Raises LookupError for a block that never passed `check` at this height.
        """
        proposal = self._proposals.executed(digest) or self._execute_again(digest)
        execution, block = proposal.execution, proposal.block
        changes = execution.overlay.changes
        state, voting = self.head.state, self.head.validators
        witness = TradeWitness(state, proposal, keep=self._keeps_proofs)
        told = round_bytes(proposal, state)
        state.merge(execution.overlay)
        self.head = head_after(state, block, certificate)
        changed = self.head.validators.digest != voting.digest
        committed = CommittedBlock(
            block=block,
            data=proposal.data,
            certificate=certificate,
            transactions=execution.included,
            receipts=execution.receipts,
            events=execution.events,
            changes=changes,
            election=election_bytes(self.head.election),
            round=told,
            trade_proofs=witness.seal(state),
            next_set=self.head.validators if changed else None,
        )
        self._sink(committed)
        self._move_on(committed)
        return self.head.height_start()

    def note_finalize_votes(self, votes: Sequence[Vote]) -> None:
        """Keep late votes for the next blocks of ours that may count them."""
        oldest = self.head.height + 1 - LATE_VOTE_DEPTH
        for vote in votes:
            if oldest <= vote.height <= self.head.height + 1:
                self._late_votes.setdefault((vote.height, vote.signer), vote)

    def note_evidence(self, item: bytes) -> None:
        """Keep the encoded proof of an offence for the next block of ours."""
        if len(self._evidence) < MAX_EVIDENCE_HELD:
            self._evidence[item] = None

    # ------------------------------------------------------------ steps
    def _decode(self, data: bytes) -> Block:
        """Decode once what `inspect`, `unknown_transactions` and `check` are asked in turn."""
        if self._decoded is not None and self._decoded[0] == data:
            return self._decoded[1]
        block = decode_block(data, self.chain.genesis_hash, self.head.limits)
        self._decoded = (data, block)
        return block

    def _execute_again(self, digest: Digest) -> Proposal:
        data = self._proposals.data(digest)
        if data is None:
            raise LookupError(f"block {digest.hex()} was not checked at this height")
        return check_decoded(self.chain, self.head, self._decode(data), data, self._trust)

    def _move_on(self, committed: CommittedBlock) -> None:
        """Let everything that hangs on the head follow it."""
        self._proposals.clear()
        self._decoded = None
        fee = self.head.parameters.fee_per_action_micro
        self.mempool.advance(committed.height, committed.transactions, committed.changes, fee)
        oldest = committed.height + 1 - LATE_VOTE_DEPTH
        for place in [place for place in self._late_votes if place[0] < oldest]:
            del self._late_votes[place]
        if self._evidence:
            claim = Claim(self.chain.genesis_hash, committed.height + 1, 1, self.head.hash)
            usable = select_evidence(self.state, self._evidence, claim, self._trust.verify_vote)
            self._evidence = dict.fromkeys(usable)
        for callback in self.on_commit:
            callback(committed)


def election_bytes(election: Election) -> bytes:
    """The election document as it is stored."""
    return encode({**election_document(election)})


def round_bytes(proposal: Proposal, before: State) -> bytes:
    """The document of the rounds sealed in a block on top of `before`, empty without any."""
    block = proposal.block
    if block.clearings == NO_ROUND:
        return b""
    height = block.header.height
    seed = bytes.fromhex(read_tip(proposal.execution.overlay).seed)
    events = proposal.execution.events
    return encode(round_document(block.clearings, events, before, height, seed))
