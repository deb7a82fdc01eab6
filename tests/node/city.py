"""A chain whose members come and go: whole blocks with real proofs, signatures and certificates."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace
from hashlib import sha256

from consensus.election import elect
from consensus.parameters import ConsensusParameters
from consensus.sets import validator_set
from consensus.simplex.application import BuildRequest
from consensus.simplex.certificates import assemble, verify_certificate
from consensus.simplex.types import Certificate, Vote, VoteKind, vote_message
from ledger import vrf
from ledger.accounts import total_money
from ledger.crypto import SigningKey, verify
from ledger.members import Member, Resources, read_member
from ledger.membership import Apply
from ledger.state import Event
from ledger.transactions import Action, build_transaction
from node.application.building import Builder, Material, build_block
from node.application.chain import chain_of
from node.application.checking import DOUBT, check_block
from node.application.genesis import genesis_state
from node.application.head import genesis_head, head_after
from tests.node.small_chain import CHAIN, MEMBERS, PEOPLE, START_MS, VRF_SEEDS, make_genesis

PARAMETERS = ConsensusParameters(boundary_blocks=4, jail_blocks=6, jail_skips=1, deposit_blocks=30)
RESOURCES = Resources(50_000, 50_000, 50_000)
NEWCOMER = PEOPLE[0]


def vrf_seed_of(key: SigningKey) -> bytes:
    return sha256(b"vrf of " + key.public_key).digest()


def application_of(key: SigningKey) -> Apply:
    public = vrf.public_key(vrf_seed_of(key)).hex()
    return Apply("newcomer", public, "http://127.0.0.1:9", RESOURCES)


class City:
    """One committed state; `advance` makes, checks, certifies and commits a block."""

    def __init__(self, parameters: ConsensusParameters = PARAMETERS) -> None:
        genesis = make_genesis(consensus=parameters)
        self.chain = chain_of(genesis)
        self.state = genesis_state(genesis)
        self.head = genesis_head(self.state, genesis)
        self.money = total_money(self.state)
        self.keys = {key.address: key for key in (*MEMBERS, *PEOPLE)}
        seeds = [*VRF_SEEDS, *(vrf_seed_of(key) for key in self.keys.values())]
        self.vrf_seeds = {vrf.public_key(seed): seed for seed in seeds}
        self.nonces: dict[str, int] = {}
        self.events: tuple[Event, ...] = ()
        self.waiting: list[bytes] = []
        self.evidence: list[bytes] = []

    def restart(self) -> None:
        """Derive the head anew after a test has written into the state between blocks."""
        head = self.head
        assert head.header is not None
        assert head.certificate is not None
        election, validators = elect(self.state, head.height + 1), head.validators
        self.head = replace(head, election=election, validators=validators)

    @property
    def height(self) -> int:
        return self.head.height

    def send(self, key: SigningKey, *actions: Action) -> None:
        """Sign a transaction for the next block."""
        nonce = self.nonces.get(key.address, 0)
        self.nonces[key.address] = nonce + 1
        self.waiting.append(build_transaction(key, self.chain.genesis_hash, CHAIN, nonce, actions))

    def vote(self, kind: VoteKind, height: int, view: int, key: SigningKey, of: bytes) -> Vote:
        validators = validator_set(self.state, height)
        signer = validators.index(key.public_key)
        assert signer is not None
        subject = (kind, height, view, 0, of)
        message = vote_message(self.chain.genesis_hash, validators.digest, *subject)
        return Vote(*subject, signer, key.sign(message))

    def certificate(
        self, kind: VoteKind, view: int, of: bytes, absent: Collection[str] = ()
    ) -> Certificate:
        """By everybody in set(next height) but the absent, checked against exactly that set."""
        height = self.height + 1
        validators = validator_set(self.state, height)
        keys = [self.keys[key.hex()] for key in validators.keys if key.hex() not in absent]
        votes = [self.vote(kind, height, view, key, of) for key in keys]
        made = assemble(votes, validators.n)
        assert verify_certificate(made, validators, self.chain.genesis_hash, verify)
        return made

    def advance(self, view: int = 1, absent: Collection[str] = ()) -> list[str]:
        """Make the next block and return the receipts' codes."""
        head, chain = self.head, self.chain
        leader = head.election.leader(view)
        assert leader.address not in absent
        builder = Builder(leader.address, self.vrf_seeds[leader.vrf_key])
        skips = tuple(self.certificate(VoteKind.NULLIFY, each, b"") for each in range(1, view))
        request = BuildRequest(
            head.height + 1, view, head.hash, START_MS + 1_000 * (head.height + 1), skips
        )
        transactions = [chain.codec.decode(raw) for raw in self.waiting]
        material = Material(transactions, (), self.evidence)
        built = build_block(chain, head, builder, request, material, verify)
        checked = check_block(chain, head, built.data, DOUBT)
        final = self.certificate(VoteKind.FINALIZE, view, built.block.hash, absent)
        self.state.merge(checked.execution.overlay)
        self.head = head_after(self.state, checked.block, final)
        assert len(checked.execution.included) == len(self.waiting)
        self.waiting, self.evidence = [], []
        self.events = checked.execution.events
        assert total_money(self.state) == self.money
        assert len(self.seated()) >= 4
        return [receipt.code for receipt in checked.execution.receipts]

    def view_without(self, absent: Iterable[str]) -> int:
        """The first view that somebody leads who is there."""
        gone = set(absent)
        views = range(1, len(self.head.election.order) + 1)
        return next(v for v in views if self.head.election.leader(v).address not in gone)

    def outcome(self, key: SigningKey, *actions: Action) -> str:
        """Send one transaction, make its block and return its code."""
        self.send(key, *actions)
        return self.advance()[-1]

    def run_to(self, height: int) -> None:
        while self.height < height:
            self.advance()

    def next_boundary(self) -> int:
        """The first height of the interval after the next block's."""
        every = PARAMETERS.boundary_blocks
        return (self.height // every + 1) * every

    def seated(self) -> list[str]:
        """Addresses of set(next height)."""
        return [key.hex() for key in validator_set(self.state, self.height + 1).keys]

    def member(self, key: SigningKey) -> Member:
        record = read_member(self.state, key.address)
        assert record is not None
        return record

    def kinds(self) -> list[str]:
        return [event.kind for event in self.events]
