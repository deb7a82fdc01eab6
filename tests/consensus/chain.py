"""A small chain of blocks without transactions, to put the election's steps to the test.

Blocks are made of the two steps of consensus/turns.py only.  Votes carry signatures that are made
for real when `signed` is asked for, and are zero otherwise (no step looks at them).
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256, sha512

from msgspec.structs import replace

from consensus.checks import Claim
from consensus.commits import Commits
from consensus.election import Election, elect
from consensus.genesis import ConsensusGenesis, seed_state
from consensus.parameters import ConsensusParameters
from consensus.sets import validator_set
from consensus.simplex.certificates import assemble
from consensus.simplex.types import Certificate, Vote, VoteKind, vote_message
from consensus.tokens import read_standing
from consensus.turns import close_block, open_block
from ledger.accounts import POOL, check_conservation, credit, pot_credit, total_money
from ledger.crypto import SigningKey
from ledger.execution import BlockContext
from ledger.members import Member, Resources, read_member, write_member
from ledger.parameters import LedgerParameters, write_parameters
from ledger.state import Event, Overlay, State

GENESIS_HASH = sha256(b"a test chain").digest()
RICH = 1_000_000_000
PLENTY = 10**14


def key_of(number: int) -> SigningKey:
    """The signing key of member `number`."""
    return SigningKey.from_seed(sha256(b"member %d" % number).digest())


def address_of(number: int) -> str:
    return key_of(number).address


def member(number: int, stake: int = 4_000_000, satisfaction: int = 5_000) -> Member:
    return Member(
        name=f"server-{number}",
        vrf_key=sha256(b"vrf %d" % number).hexdigest(),
        endpoint="",
        resources=Resources(1_000, 1_000, 1_000),
        stake_micro=stake,
        satisfaction_bp=satisfaction,
    )


def block_hash(height: int) -> bytes:
    """What stands for the hash of block `height`."""
    return sha256(b"block %d" % height).digest()


@dataclass
class Chain:
    """A chain of `size` members; `stakes` and `free` name those who differ from the rest."""

    size: int = 4
    parameters: ConsensusParameters = field(default_factory=ConsensusParameters)
    ledger: LedgerParameters = field(default_factory=lambda: LedgerParameters(chain="test"))
    stakes: Mapping[int, int] = field(default_factory=dict)
    free: Mapping[int, int] = field(default_factory=dict)
    pool: int = PLENTY
    signed: bool = False

    def __post_init__(self) -> None:
        self.state = State()
        self.height = 0
        self.events: tuple[Event, ...] = ()
        self.keys = {address_of(number): key_of(number) for number in range(self.size)}
        overlay = Overlay(self.state)
        write_parameters(overlay, self.ledger)
        for number in range(self.size):
            stake = self.stakes.get(number, 4_000_000)
            write_member(overlay, address_of(number), member(number, stake))
            credit(overlay, address_of(number), self.free.get(number, RICH))
        pot_credit(overlay, POOL, self.pool)
        seed_state(overlay, ConsensusGenesis(self.parameters), GENESIS_HASH)
        self.state.merge(overlay)
        self.money = total_money(self.state)

    # -- votes -----------------------------------------------------------------------------

    def vote(self, kind: VoteKind, height: int, view: int, signer: int, payload: bytes) -> Vote:
        """A vote of `signer` (an index in set(height)) without parent view."""
        validators = validator_set(self.state, height)
        signature = bytes(64)
        if self.signed:
            subject = (kind, height, view, 0, payload)
            message = vote_message(GENESIS_HASH, validators.digest, *subject)
            signature = self.keys[validators.keys[signer].hex()].sign(message)
        return Vote(kind, height, view, 0, payload, signer, signature)

    def certificate(
        self, kind: VoteKind, height: int, view: int, signers: Iterable[int], payload: bytes
    ) -> Certificate:
        votes = [self.vote(kind, height, view, signer, payload) for signer in sorted(signers)]
        return assemble(votes, validator_set(self.state, height).n)

    def finalization(self, height: int, absent: Collection[int] = ()) -> Certificate:
        """F(height) by everybody but `absent` (indices)."""
        present = [i for i in range(validator_set(self.state, height).n) if i not in absent]
        return self.certificate(VoteKind.FINALIZE, height, 1, present, block_hash(height))

    def late_vote(self, height: int, signer: int) -> Vote:
        return self.vote(VoteKind.FINALIZE, height, 1, signer, block_hash(height))

    def skips(self, view: int) -> tuple[Certificate, ...]:
        """X(1..view-1) of the next height, as a block of that origin view embeds them."""
        height = self.height + 1
        n = validator_set(self.state, height).n
        if view > n:
            return ()
        everyone = range(n)
        return tuple(
            self.certificate(VoteKind.NULLIFY, height, earlier, everyone, b"")
            for earlier in range(1, view)
        )

    def commits(
        self,
        view: int = 1,
        absent: Collection[int] = (),
        late: tuple[Vote, ...] = (),
        evidence: tuple[bytes, ...] = (),
    ) -> Commits:
        """Commits of the next block."""
        last = self.finalization(self.height, absent) if self.height else None
        return Commits(last, late, self.skips(view), evidence)

    def claim(self, view: int = 1) -> Claim:
        """Where the next block stands."""
        return Claim(GENESIS_HASH, self.height + 1, view, block_hash(self.height))

    # -- blocks ----------------------------------------------------------------------------

    def election(self) -> Election:
        return elect(self.state, self.height + 1)

    def context(self, election: Election, view: int) -> BlockContext:
        builder = election.leader(view).address
        return BlockContext(
            genesis_hash=GENESIS_HASH,
            parameters=self.ledger,
            height=self.height + 1,
            time_ms=1_000 * (self.height + 1),
            view=view,
            builder=builder,
            seed=sha512(b"seed" + election.seed + builder.encode()).digest(),
        )

    def advance(
        self, view: int = 1, commits: Commits | None = None, *, forgo_reward: bool = False
    ) -> Election:
        """Make one block of origin `view`; every block must conserve money."""
        election = self.election()
        context = self.context(election, view)
        overlay = Overlay(self.state)
        open_block(context, overlay, commits or self.commits(view), election)
        close_block(context, overlay, election, forgo_reward=forgo_reward)
        check_conservation(overlay)
        self.events = overlay.events
        self.state.merge(overlay)
        self.height += 1
        return election

    def change(self, number: int, **fields: object) -> None:
        """Rewrite fields of a member's record between blocks, as transactions would."""
        overlay = Overlay(self.state)
        record = read_member(self.state, address_of(number))
        assert record is not None
        write_member(overlay, address_of(number), replace(record, **fields))
        self.state.merge(overlay)
        self.money = total_money(self.state)

    # -- reading ---------------------------------------------------------------------------

    def member(self, address: str) -> Member:
        record = read_member(self.state, address)
        assert record is not None
        return record

    def tokens(self, address: str) -> int:
        return read_standing(self.state, address).amount

    def number_of(self, address: str) -> int:
        return next(number for number in range(self.size) if address_of(number) == address)
