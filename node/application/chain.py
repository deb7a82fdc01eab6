"""What does not change while a chain lives: its genesis, its transaction format, its rules.

Here the floors meet.  The ledger executes; the auction brings actions and the round; consensus
brings the steps that open and close a block.  The order of the steps is a rule of the chain:

    open: votes counted, rewards, skips        consensus
    transactions                               ledger and auction actions
    the round over the orders open before      auction (sealer)
    close: expiries and agreements             auction
           withdrawals, bonds and proposals
           whose time has come                 ledger
           the builder's turn, accrual, seats  consensus, last: it snapshots for later elections
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from auction.clearing import deferred_height, seal
from auction.closing import close as close_books
from auction.handlers import ACTIONS as MARKET_ACTIONS
from auction.handlers import HANDLERS as MARKET_HANDLERS
from auction.licences import ACTIONS as LICENCE_ACTIONS
from auction.licences import EXECUTORS as LICENCE_EXECUTORS
from auction.licences import HANDLERS as LICENCE_HANDLERS
from auction.orders import committed_resources
from auction.parameters import set_parameter as set_market_parameter
from auction.tariffs import ACTIONS as TARIFF_ACTIONS
from auction.tariffs import HANDLERS as TARIFF_HANDLERS
from consensus.actions import ACTIONS as CONSENSUS_ACTIONS
from consensus.actions import HANDLERS as CONSENSUS_HANDLERS
from consensus.commits import Commits
from consensus.election import Election
from consensus.parameters import set_parameter as set_consensus_parameter
from consensus.turns import close_block, open_block
from ledger import membership
from ledger.execution import BlockContext, Rules
from ledger.native import ACTIONS as NATIVE_ACTIONS
from ledger.native import HANDLERS as NATIVE_HANDLERS
from ledger.native import unlock_unbonding
from ledger.parameters import set_parameter as set_ledger_parameter
from ledger.proposals import ACTIONS as PROPOSAL_ACTIONS
from ledger.proposals import (
    AdmitMember,
    Change,
    EjectMember,
    Executor,
    SetParameter,
    expire_proposals,
    governance,
    parameter_executor,
)
from ledger.state import Overlay
from ledger.transactions import TransactionCodec
from ledger.types import Digest
from node.application.genesis import LoadedGenesis
from node.application.timing import BlockTiming

ACTIONS = (
    *NATIVE_ACTIONS,
    *membership.ACTIONS,
    *PROPOSAL_ACTIONS,
    *CONSENSUS_ACTIONS,
    *MARKET_ACTIONS,
    *LICENCE_ACTIONS,
    *TARIFF_ACTIONS,
)

EXECUTORS: Mapping[type[Change], Executor] = {
    AdmitMember: membership.admit_with(committed_resources),
    EjectMember: membership.eject,
    **LICENCE_EXECUTORS,
    SetParameter: parameter_executor(
        {
            "ledger": set_ledger_parameter,
            "consensus": set_consensus_parameter,
            "market": set_market_parameter,
        }
    ),
}
"""What the members can decide, each carried out by the floor it belongs to."""

HANDLERS = {
    **NATIVE_HANDLERS,
    **membership.handlers(committed_resources),
    **governance(EXECUTORS),
    **CONSENSUS_HANDLERS,
    **MARKET_HANDLERS,
    **LICENCE_HANDLERS,
    **TARIFF_HANDLERS,
}


@dataclass(frozen=True, slots=True)
class Chain:
    """One chain's constants.  Make it with `chain_of`."""

    genesis: LoadedGenesis
    codec: TransactionCodec
    timing: BlockTiming = field(default_factory=BlockTiming, compare=False)
    """What executing its blocks costs this process; no rule reads it."""

    @property
    def name(self) -> str:
        """The chain's name, as every transaction and header repeats it."""
        return self.genesis.genesis.chain

    @property
    def genesis_hash(self) -> Digest:
        """The chain's identity."""
        return self.genesis.hash

    def transaction_id(self, raw: bytes) -> Digest:
        """The id of canonical transaction bytes of this chain.  Raises Rejected for others."""
        return self.codec.decode(raw).id


def chain_of(genesis: LoadedGenesis) -> Chain:
    """The constants of the chain that starts with `genesis`."""
    parameters = genesis.genesis.ledger.parameters
    codec = TransactionCodec(
        ACTIONS, genesis.genesis.chain, genesis.hash, parameters.max_transaction_bytes
    )
    return Chain(genesis, codec)


def rules_of(election: Election, commits: Commits, timing: BlockTiming) -> Rules:
    """How the block with these commits is executed, at the height of this election."""

    def clear_round(context: BlockContext, overlay: Overlay, sealed: bytes | None) -> bytes:
        with timing.step("clear"):
            return seal(context, overlay, sealed)

    def close_market(context: BlockContext, overlay: Overlay) -> None:
        with timing.step("admit"):
            close_books(context, overlay)

    def open_turn(context: BlockContext, overlay: Overlay) -> None:
        open_block(context, overlay, commits, election)

    def close_turn(context: BlockContext, overlay: Overlay) -> None:
        deferred = deferred_height(overlay) == context.height
        close_block(context, overlay, election, forgo_reward=deferred)

    return Rules(
        handlers=HANDLERS,
        opening=(open_turn,),
        sealer=clear_round,
        closing=(
            close_market,
            unlock_unbonding,
            membership.expire_bonds,
            expire_proposals,
            close_turn,
        ),
    )
