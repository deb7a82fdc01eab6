"""From stored votes to a running driver: when a node may sign its first vote.

A directory without any past (the first start, or a lost disk) must not be taken as proof that the
key never voted.  Such a node first hears where its peers are.  If any validator is above height 1
the chain has begun, and the driver starts in the mode that observes until no forgotten vote can
matter; if a quorum stands at height 1 with it, this is the beginning of the chain.
"""

import asyncio
from collections.abc import Callable

from consensus.parameters import consensus_parameters
from consensus.simplex.events import Status
from consensus.simplex.pace import Timing
from consensus.simplex.types import ValidatorSet, Verify
from ledger.types import Digest
from node.application.application import Application
from node.driver.host import DriverSettings
from node.peers.network import Network

LOOK_EVERY_S = 0.1
COMPLAIN_EVERY_S = 5.0


class Waiting:
    """Stands in for the driver until there is one: knows its height, holds nothing, votes not."""

    def __init__(self, height: int) -> None:
        self.height = height
        self.view = 1
        self.may_vote = False

    def status(self, *, asks: bool = False) -> Status:
        """What to tell a peer that has just connected."""
        return Status(self.height, self.view, asks)

    def block(self, digest: Digest) -> bytes | None:  # noqa: ARG002 (it holds none)
        """No block is held yet."""
        return None


async def chain_has_begun(
    validators: ValidatorSet, own_key: bytes, network: Network, warn: Callable[..., None]
) -> bool:
    """Whether validators are above height 1, once one says so or enough have spoken.

    Waits as long as it takes: without a quorum connected this node could not finish a height
    anyway.  An outsider has nothing to wait for.
    """
    if validators.index(own_key) is None:
        return False
    waited_s = 0.0
    while True:
        voters = [peer for key in validators.keys if (peer := network.peer(key)) is not None]
        if any(peer.height > 0 for peer in voters):
            return True
        if sum(peer.greeted for peer in voters) >= validators.quorum - 1:
            return False
        if waited_s >= COMPLAIN_EVERY_S:
            missing = [peer.info.name for peer in voters if not peer.greeted]
            warn("waiting for validators before the first vote", missing=missing)
            waited_s = 0.0
        await asyncio.sleep(LOOK_EVERY_S)
        waited_s += LOOK_EVERY_S


def driver_settings(
    application: Application, verify: Verify, *, restored: bool, vote_floor: int
) -> DriverSettings:
    """The driver's constants from the chain's parameters."""
    parameters = consensus_parameters(application.state)
    return DriverSettings(
        genesis_hash=application.genesis.hash,
        verify=verify,
        timing=Timing(
            block_time_ms=application.parameters.block_time_ms,
            round_trip_ms=parameters.round_trip_ms,
            execution_budget_ms=parameters.execution_budget_ms,
            growth_cap=parameters.timeout_cap,
        ),
        drift_bound_ms=parameters.drift_bound_ms,
        restored=restored,
        vote_floor=vote_floor,
    )
