"""The committed end of the chain and all that follows from it alone: the next election and set."""

from dataclasses import dataclass

from consensus.election import Election, elect
from consensus.sets import validator_set
from consensus.simplex.types import Certificate, HeightStart, ValidatorSet
from ledger.blocks import Block, Header
from ledger.parameters import BlockLimits, LedgerParameters, block_limits, ledger_parameters
from ledger.state import State
from ledger.types import Digest, Height, Milliseconds
from node.application.genesis import LoadedGenesis


@dataclass(frozen=True, slots=True)
class Head:
    """State after block `height`.  At genesis `hash` is the genesis hash and `header` is None.

    `state` is one object that changes at every commit; everything else here is a value.
    `election` and `validators` are those of `height + 1`; `certificate` finalizes this block.
    """

    state: State
    height: Height
    hash: Digest
    time_ms: Milliseconds
    header: Header | None
    certificate: Certificate | None
    parameters: LedgerParameters
    limits: BlockLimits
    election: Election
    validators: ValidatorSet

    @property
    def state_root(self) -> Digest:
        """Root of the state."""
        return self.state.root

    @property
    def view(self) -> int:
        """The origin view of the block, 0 at genesis."""
        return 0 if self.header is None else self.header.view

    def height_start(self) -> HeightStart:
        """How the next height begins.  A fresh block waits until a block time after this one."""
        return HeightStart(
            height=self.height + 1,
            validators=self.validators,
            order=self.election.order,
            parent=self.hash,
            parent_certificate=self.certificate,
            pace_until_ms=self.time_ms + self.parameters.block_time_ms,
        )


def genesis_head(state: State, genesis: LoadedGenesis) -> Head:
    """The end of a chain without blocks; `state` is state_0."""
    return _head(state, 0, genesis.hash, genesis.genesis.time_ms, None, None)


def head_after(state: State, block: Block, certificate: Certificate) -> Head:
    """The end of the chain once `block` has been merged into `state`."""
    return head_at(state, block.header, block.hash, certificate)


def head_at(state: State, header: Header, identity: Digest, certificate: Certificate) -> Head:
    """The same where only the header of the last block is at hand; `identity` is its hash."""
    return _head(state, header.height, identity, header.time_ms, header, certificate)


def _head(
    state: State,
    height: Height,
    identity: Digest,
    time_ms: Milliseconds,
    header: Header | None,
    certificate: Certificate | None,
) -> Head:
    parameters = ledger_parameters(state)
    return Head(
        state=state,
        height=height,
        hash=identity,
        time_ms=time_ms,
        header=header,
        certificate=certificate,
        parameters=parameters,
        limits=block_limits(parameters),
        election=elect(state, height + 1),
        validators=validator_set(state, height + 1),
    )
