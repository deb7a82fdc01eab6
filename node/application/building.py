"""Makes a block: the counterpart of `checking.py` beside it, whose every rule it must meet."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from time import thread_time

from consensus.beacon import alpha, next_seed
from consensus.checks import Claim, assemble, select_evidence
from consensus.sets import next_validator_set
from consensus.simplex.application import BuildRequest
from consensus.simplex.types import Verify, Vote
from ledger import vrf
from ledger.blocks import (
    Header,
    clearings_root,
    commits_root,
    encode_block,
    make_block,
    transactions_root,
)
from ledger.execution import execute
from ledger.transactions import Transaction
from ledger.types import Address
from node.application.chain import Chain, rules_of
from node.application.checking import block_context
from node.application.head import Head
from node.application.proposals import Proposal


@dataclass(frozen=True, slots=True)
class Builder:
    """Who builds: the member's account and the seed of its VRF key."""

    address: Address
    vrf_seed: bytes


@dataclass(frozen=True, slots=True)
class Material:
    """What a block may be made of; the builder picks what is allowed at its height."""

    candidates: Iterable[Transaction]
    late_votes: Iterable[Vote]
    evidence: Iterable[bytes]


def in_time(candidates: Iterable[Transaction], budget_ms: int) -> Iterator[Transaction]:
    """The candidates until executing them has taken `budget_ms` of this thread's time.

    Everybody must execute the block once more, inside the same view, so a leader that goes on for
    as long as there are transactions loses its turn, and so does the next one.
    """
    until_s = thread_time() + budget_ms / 1000
    for transaction in candidates:
        yield transaction
        if thread_time() > until_s:
            return


def build_block(
    chain: Chain,
    head: Head,
    builder: Builder,
    request: BuildRequest,
    material: Material,
    verify: Verify,
) -> Proposal:
    """A block on top of `head` at origin view `request.view`, whose leader is the builder.

    The caller has made sure of that, and that the VRF seed is that of the leader's key.
    """
    height, view = head.height + 1, request.view
    claim = Claim(chain.genesis_hash, height, view, head.hash)
    commits = assemble(head.state, claim, head.certificate, request.skips, material.late_votes)
    evidence = select_evidence(head.state, material.evidence, claim, verify)
    if evidence:
        commits = replace(commits, evidence=evidence)
    seed_before = head.election.seed
    proof = vrf.prove(builder.vrf_seed, alpha(chain.genesis_hash, height, seed_before))
    seed = next_seed(seed_before, height, vrf.output(proof))
    time_ms = max(request.now_ms, head.time_ms + 1)
    execution = execute(
        head.state,
        block_context(chain, head, view, time_ms, seed),
        material.candidates,
        rules_of(head.election, commits, chain.timing),
        None,
        building=True,
        limits=head.limits,
    )
    raws = [transaction.raw for transaction in execution.included]
    commits_bytes = commits.encode()
    header = Header(
        chain=chain.name,
        height=height,
        parent=head.hash.hex(),
        view=view,
        builder=builder.address,
        time_ms=time_ms,
        vrf=proof.hex(),
        transactions_root=transactions_root(raws).hex(),
        receipts_root=execution.receipts_root.hex(),
        clearings_root=clearings_root(execution.clearings).hex(),
        commits_root=commits_root(commits_bytes).hex(),
        state_root=execution.state_root.hex(),
        validators_hash=next_validator_set(execution.overlay).digest.hex(),
    )
    block = make_block(header, raws, execution.clearings, commits_bytes, chain.genesis_hash)
    return Proposal(block, encode_block(block), execution)
