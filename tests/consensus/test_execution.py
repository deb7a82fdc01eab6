"""The whole path of a block: ledger and election genesis, VRF, commits, execution, next set."""

from dataclasses import dataclass
from hashlib import sha256

import pytest

from consensus import beacon
from consensus.checks import Claim, assemble, check_commits
from consensus.commits import Commits
from consensus.election import elect
from consensus.genesis import ConsensusGenesis
from consensus.genesis import seed_state as seed_consensus
from consensus.sets import next_validator_set, validator_set
from consensus.simplex.certificates import assemble as assemble_certificate
from consensus.simplex.types import Certificate, Vote, VoteKind, vote_message
from consensus.turns import check_turn, close_block, open_block
from ledger import vrf
from ledger.crypto import verify
from ledger.errors import Reason, Rejected
from ledger.execution import BlockContext, Execution, Rules, execute
from ledger.genesis import GenesisAccount, GenesisMember, LedgerGenesis, seed_state
from ledger.members import Resources
from ledger.native import unlock_unbonding
from ledger.parameters import LedgerParameters
from ledger.state import Overlay, State
from tests.consensus.chain import GENESIS_HASH, key_of

SIZE = 4
PARAMETERS = LedgerParameters(chain="test")


def vrf_seed(number: int) -> bytes:
    return sha256(b"vrf seed %d" % number).digest()


KEYS = {key_of(number).address: key_of(number) for number in range(SIZE)}
VRF_SEEDS = {key_of(number).address: vrf_seed(number) for number in range(SIZE)}


@dataclass
class Sealed:
    """What travels of a block here."""

    height: int
    view: int
    builder: str
    proof: bytes
    commits: bytes
    state_root: bytes
    validators_hash: bytes

    @property
    def hash(self) -> bytes:
        return sha256(repr(self).encode()).digest()


def genesis_state() -> State:
    state = State()
    overlay = Overlay(state)
    addresses = [key_of(number).address for number in range(SIZE)]
    accounts = tuple(GenesisAccount(who, f"s{i}", "", 10**9) for i, who in enumerate(addresses))
    founders = tuple(
        GenesisMember(
            address=who,
            name=f"s{i}",
            vrf_key=vrf.public_key(vrf_seed(i)).hex(),
            endpoint="",
            resources=Resources(1_000, 1_000, 1_000),
            stake_micro=4_000_000,
            satisfaction_bp=5_000,
        )
        for i, who in enumerate(addresses)
    )
    seed_state(overlay, LedgerGenesis(PARAMETERS, accounts, founders, 10**12))
    seed_consensus(overlay, ConsensusGenesis(), GENESIS_HASH)
    state.merge(overlay)
    return state


def certificate(
    state: State, kind: VoteKind, height: int, view: int, payload: bytes
) -> Certificate:
    validators = validator_set(state, height)
    message = vote_message(GENESIS_HASH, validators.digest, kind, height, view, 0, payload)
    votes = [
        Vote(kind, height, view, 0, payload, index, KEYS[key.hex()].sign(message))
        for index, key in enumerate(validators.keys)
    ]
    return assemble_certificate(votes[: validators.quorum], validators.n)


def run(state: State, block: Sealed, commits: Commits, seed: bytes) -> Execution:
    election = elect(state, block.height)
    context = BlockContext(
        genesis_hash=GENESIS_HASH,
        parameters=PARAMETERS,
        height=block.height,
        time_ms=block.height,
        view=block.view,
        builder=block.builder,
        seed=seed,
    )
    rules = Rules(
        handlers={},
        opening=(lambda c, o: open_block(c, o, commits, election),),
        sealer=lambda c, o, sealed: b"",
        closing=(unlock_unbonding, lambda c, o: close_block(c, o, election)),
    )
    return execute(state, context, (), rules, b"", building=False)


def build(state: State, height: int, view: int, parent: bytes) -> Sealed:
    election = elect(state, height)
    leader = election.leader(view)
    proof = vrf.prove(VRF_SEEDS[leader.address], beacon.alpha(GENESIS_HASH, height, election.seed))
    seed = beacon.open_seed(leader.vrf_key, GENESIS_HASH, height, election.seed, proof)
    last = certificate(state, VoteKind.FINALIZE, height - 1, 1, parent) if height > 1 else None
    skips = [certificate(state, VoteKind.NULLIFY, height, v, b"") for v in range(1, view)]
    commits = assemble(state, Claim(GENESIS_HASH, height, view, parent), last, skips)
    block = Sealed(height, view, leader.address, proof, commits.encode(), b"", b"")
    execution = run(state, block, commits, seed)
    block.state_root = execution.state_root
    block.validators_hash = next_validator_set(execution.overlay).digest
    return block


def check(state: State, block: Sealed, parent: bytes) -> Execution:
    election = elect(state, block.height)
    check_turn(election, block.view, block.builder)
    commits = Commits.decode(block.commits)
    claim = Claim(GENESIS_HASH, block.height, block.view, parent)
    check_commits(state, commits, claim, verify)
    vrf_key = election.leader(block.view).vrf_key
    seed = beacon.open_seed(vrf_key, GENESIS_HASH, block.height, election.seed, block.proof)
    execution = run(state, block, commits, seed)
    assert execution.state_root == block.state_root
    assert next_validator_set(execution.overlay).digest == block.validators_hash
    return execution


def test_two_nodes_build_and_check_each_others_blocks_and_stay_equal() -> None:
    builder_state, checker_state = genesis_state(), genesis_state()
    assert builder_state.root == checker_state.root
    parent = GENESIS_HASH
    for height, view in enumerate([1, 2, 1, 5, 4, 1, 1, 3], start=1):
        block = build(builder_state, height, view, parent)
        for state in (builder_state, checker_state):
            state.merge(check(state, block, parent).overlay)
        assert builder_state.root == checker_state.root == block.state_root
        parent = block.hash


def test_a_block_of_another_builder_or_with_its_proof_is_refused() -> None:
    state = genesis_state()
    block = build(state, 1, 1, GENESIS_HASH)
    election = elect(state, 1)
    other = election.leader(2)
    block.builder = other.address
    with pytest.raises(Rejected) as refusal:
        check(state, block, GENESIS_HASH)
    assert refusal.value.reason is Reason.WRONG_BUILDER
    block.builder = election.leader(1).address
    message = beacon.alpha(GENESIS_HASH, 1, election.seed)
    block.proof = vrf.prove(VRF_SEEDS[other.address], message)
    with pytest.raises(Rejected) as refusal:
        check(state, block, GENESIS_HASH)
    assert refusal.value.reason is Reason.BAD_VRF
