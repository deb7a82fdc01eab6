"""What every adversary has: the host of an honest driver, bent, and the right to sign anything."""

from hashlib import sha256

from consensus.simplex.types import Signer, Vote, VoteKind, vote_message
from node.driver.host import DriverSettings
from tests.simulator.checkers import Monitor
from tests.simulator.host import SimulatedHost
from tests.simulator.network import Network
from tests.simulator.node import Plug, SimulatedNode
from tests.simulator.world import World


class CorruptHost(SimulatedHost):
    """An honest driver works behind it; subclasses change what leaves the node."""

    def sign(self, kind: VoteKind, vote: Vote, view: int, proposal: tuple[int, bytes]) -> Vote:
        """A vote of our own at the height of `vote`, whatever it says."""
        validators = self.node.plug.validators(vote.height)
        message = vote_message(
            self.node.settings.genesis_hash,
            validators.digest,
            kind,
            vote.height,
            view,
            *proposal,
        )
        signature = self.node.signer.sign(message)
        return Vote(kind, vote.height, view, *proposal, vote.signer, signature)

    def random_payload(self) -> bytes:
        return sha256(self.node.world.chance.randbytes(8)).digest()


class CorruptNode(SimulatedNode):
    """A node whose hosts are of the given kind."""

    def __init__(
        self,
        world: World,
        network: Network,
        monitor: Monitor,
        plug: Plug,
        settings: DriverSettings,
        keys: tuple[bytes, ...],
        signer: Signer,
        host_type: type[CorruptHost] = CorruptHost,
    ) -> None:
        super().__init__(world, network, monitor, plug, settings, keys, signer)
        self.is_honest = False
        self.host_type = host_type

    def make_host(self) -> SimulatedHost:
        return self.host_type(self)
