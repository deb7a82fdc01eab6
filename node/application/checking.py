"""Is this block valid on this head?  Every rule, in the order cheap before dear.

The answer depends on the block and on final history only, so every correct node gives the same.
What may be left to the caller is told apart: signatures of transactions go through a hook, because
most were checked when they entered the mempool, and vote signatures through another, because a
node need not doubt the blocks in its own database.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from consensus.beacon import open_seed
from consensus.checks import Claim, check_commits
from consensus.commits import Commits
from consensus.sets import next_validator_set
from consensus.simplex.types import Verify
from consensus.turns import check_turn
from ledger.blocks import Block, Header, decode_block
from ledger.crypto import verify as verify_signature
from ledger.errors import Reason, Rejected
from ledger.execution import BlockContext, Execution, execute
from ledger.transactions import Transaction, check_signature
from node.application.chain import Chain, rules_of
from node.application.head import Head
from node.application.proposals import Proposal

VerifyTransactions = Callable[[Sequence[Transaction]], None]
"""Raises Rejected(INVALID_SIGNATURE) unless every one of them is signed by its sender."""


def check_signatures(transactions: Sequence[Transaction]) -> None:
    """The plain hook: check each here and now, 45 us a signature."""
    for transaction in transactions:
        if not check_signature(transaction):
            name = transaction.id.hex()
            raise Rejected(
                Reason.INVALID_SIGNATURE, f"transaction {name} is not signed by its sender"
            )


@dataclass(frozen=True, slots=True)
class Trust:
    """Who answers for signatures.  `find` gives transactions whose signature is known good."""

    find: Callable[[bytes], Transaction | None]
    verify_transactions: VerifyTransactions
    verify_vote: Verify


def _find_nothing(_: bytes) -> None:
    return None


def _believe_transactions(_: Sequence[Transaction]) -> None:
    return None


def _believe_vote(_: bytes, __: bytes, ___: bytes) -> bool:
    return True


DOUBT = Trust(_find_nothing, check_signatures, verify_signature)
"""Check every signature: for a chain from elsewhere."""

OWN_DATABASE = Trust(_find_nothing, _believe_transactions, _believe_vote)
"""Check no signature: for blocks this node decided itself."""


def check_block(chain: Chain, head: Head, data: bytes, trust: Trust) -> Proposal:
    """Decode and check a block of the next height.  Raises Rejected."""
    block = decode_block(data, chain.genesis_hash, head.limits)
    return check_decoded(chain, head, block, data, trust)


def check_decoded(chain: Chain, head: Head, block: Block, data: bytes, trust: Trust) -> Proposal:
    """Check a block whose body was found to be the one its header names.  Raises Rejected."""
    header = block.header
    check_place(chain, head, header)
    check_turn(head.election, header.view, header.builder)
    seed = open_seed(
        head.election.leader(header.view).vrf_key,
        chain.genesis_hash,
        header.height,
        head.election.seed,
        bytes.fromhex(header.vrf),
    )
    commits = Commits.decode(block.commits)
    claim = Claim(chain.genesis_hash, header.height, header.view, head.hash)
    check_commits(head.state, commits, claim, trust.verify_vote)
    transactions, unknown = sort_transactions(chain, block.transactions, trust.find)
    if unknown:
        trust.verify_transactions(unknown)
    execution = execute(
        head.state,
        block_context(chain, head, header.view, header.time_ms, seed),
        transactions,
        rules_of(head.election, commits, chain.timing),
        block.clearings,
        building=False,
        limits=head.limits,
    )
    check_outcome(header, execution)
    return Proposal(block, data, execution)


def check_place(chain: Chain, head: Head, header: Header) -> None:
    """Rejected(BLOCK_INVALID) unless the header says this chain, this height, this parent."""
    if header.chain != chain.name:
        raise Rejected(Reason.WRONG_CHAIN, f"a block of {header.chain}, this is {chain.name}")
    if header.height != head.height + 1:
        raise Rejected(Reason.BLOCK_INVALID, f"height {header.height} on top of {head.height}")
    if header.parent != head.hash.hex():
        raise Rejected(Reason.BLOCK_INVALID, f"parent {header.parent} is not {head.hash.hex()}")
    if header.time_ms <= head.time_ms:
        raise Rejected(
            Reason.BLOCK_INVALID, f"time {header.time_ms} is not after the parent's {head.time_ms}"
        )


def sort_transactions(
    chain: Chain, raws: Iterable[bytes], find: Callable[[bytes], Transaction | None]
) -> tuple[list[Transaction], list[Transaction]]:
    """All transactions in order, and those among them whose signature nobody vouches for yet."""
    transactions, unknown = [], []
    for raw in raws:
        transaction = find(raw)
        if transaction is None:
            transaction = chain.codec.decode(raw)
            unknown.append(transaction)
        transactions.append(transaction)
    return transactions, unknown


def block_context(chain: Chain, head: Head, view: int, time_ms: int, seed: bytes) -> BlockContext:
    """What execution may know of the block on top of `head` that was built in `view`."""
    return BlockContext(
        genesis_hash=chain.genesis_hash,
        parameters=head.parameters,
        height=head.height + 1,
        time_ms=time_ms,
        view=view,
        builder=head.election.leader(view).address,
        seed=seed,
    )


def check_outcome(header: Header, execution: Execution) -> None:
    """Rejected(BAD_ROOT) unless execution led where the header says."""
    outcome = (
        ("receipts_root", execution.receipts_root),
        ("state_root", execution.state_root),
        ("validators_hash", next_validator_set(execution.overlay).digest),
    )
    for name, found in outcome:
        stated = getattr(header, name)
        if stated != found.hex():
            raise Rejected(Reason.BAD_ROOT, f"{name} is {stated} in the header, {found.hex()} here")
