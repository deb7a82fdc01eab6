"""Executing a block: from the parent's state and a list of transactions to a new root.

    opening steps -> transactions -> the round (sealer) -> closing steps -> conservation -> root

The ledger knows neither auction nor election: they come in as `Rules`, handlers by type of action
and steps in order.  Everything happens on an overlay; the state below is never touched, so a
refused block is forgotten by dropping the result.

Two questions are asked of a transaction, and they differ.  *May it stand in a block?* It must be
this chain's, carry the sender's next nonce, not be expired, and its fee must be covered.  A block
holding one that may not is invalid, as a whole.  *Does it succeed?* If one of its actions is
refused, none has happened; the nonce is used and the fee is paid all the same, and the receipt
holds the reason.  Nothing else stays, events included.

Fees join the reward pool once, after the last transaction of the block.
Signatures are checked by the caller, once per node; here they are taken as valid.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ledger.accounts import (
    POOL,
    Account,
    account_at,
    account_key,
    check_conservation,
    pot_credit,
)
from ledger.codec import Record, encode
from ledger.errors import Reason, Rejected
from ledger.merkle import list_root
from ledger.parameters import BlockLimits, LedgerParameters, block_limits, fee_of
from ledger.state import Event, Overlay, View
from ledger.transactions import Action, Transaction
from ledger.types import Address, Digest

RECEIPT_LIST = "receipt"
"""Tag of the Merkle list of a block's receipts."""

OK = "ok"

_PACKED_LENGTH_BYTES = 4


class BlockContext(Record):
    """What every step of one block may know besides the state."""

    genesis_hash: bytes
    parameters: LedgerParameters
    """In force at the parent's state."""
    height: int
    time_ms: int
    view: int
    """Origin view."""
    builder: Address
    seed: bytes
    """Randomness of this block: unknown until its builder's VRF proof is."""


class ActionContext(Record):
    """What the handler of one action may know besides the state."""

    block: BlockContext
    sender: Address
    transaction_id: Digest
    action_index: int


class Receipt(Record):
    """Outcome of a transaction: `ok` or the reason of the refusal, and the fee it paid."""

    code: str
    fee_micro: int
    detail: str = ""
    """For people; not under the root, because its wording may change."""


def require_first(context: ActionContext) -> None:
    """Refuse an action that is dear to check anywhere but first in its transaction.

    So a block holds no more of them than it holds signatures.  Raises LIMIT_EXCEEDED.
    """
    if context.action_index:
        raise Rejected(Reason.LIMIT_EXCEEDED, "this action stands first in its transaction")


Handler = Callable[[ActionContext, Overlay, Any], None]
"""Carries out one action, or raises Rejected and the whole transaction fails."""

Step = Callable[[BlockContext, Overlay], None]

Sealer = Callable[[BlockContext, Overlay, bytes | None], bytes]
"""Given None, solves the round and applies it; given sealed bytes, checks and applies them, or
raises Rejected(BAD_CLEARING).  Returns the sealed bytes."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What the floors above the ledger bring in."""

    handlers: Mapping[type[Action], Handler]
    opening: tuple[Step, ...]
    sealer: Sealer
    closing: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Execution:
    """Outcome of a block, not yet committed: merge the overlay to make it so."""

    overlay: Overlay
    receipts: tuple[Receipt, ...]
    receipts_root: Digest
    clearings: bytes
    state_root: Digest
    events: tuple[Event, ...]
    included: tuple[Transaction, ...]


def execute(
    state: View,
    context: BlockContext,
    transactions: Iterable[Transaction],
    rules: Rules,
    sealed: bytes | None,
    *,
    building: bool,
    limits: BlockLimits | None = None,
) -> Execution:
    """Execute a block on its parent's state and return what it leads to.

    While `building`, transactions that may not stand in the block are left out and the block is
    full at its limits.  Otherwise they make the block invalid: Rejected(BLOCK_INVALID).  `sealed`
    is the round to check, None to solve it.  Raises AssertionError when money is not conserved.
    """
    overlay = Overlay(state)
    for step in rules.opening:
        step(context, overlay)
    run = _Run(context, overlay, rules.handlers, limits or block_limits(context.parameters))
    run.transactions(transactions, building=building)
    clearings = rules.sealer(context, overlay, sealed)
    for step in rules.closing:
        step(context, overlay)
    check_conservation(overlay)
    receipts = tuple(run.receipts)
    return Execution(
        overlay=overlay,
        receipts=receipts,
        receipts_root=receipts_root(receipts),
        clearings=clearings,
        state_root=overlay.root(),
        events=overlay.events,
        included=tuple(run.included),
    )


def refusal(account: Account, transaction: Transaction, height: int, fee: int) -> Reason | None:
    """Return why a transaction may not stand in the block of this height, None if it may.

    `account` is the sender's at that point.  The bytes, the chain and the signature were checked
    before.  The mempool asks the same question of the committed state.
    """
    envelope = transaction.envelope
    if envelope.nonce != account.nonce:
        return Reason.NONCE_USED if envelope.nonce < account.nonce else Reason.NONCE_GAP
    if envelope.expires and envelope.expires < height:
        return Reason.EXPIRED
    if account.free < fee:
        return Reason.FEE_NOT_COVERED
    return None


def receipts_root(receipts: Iterable[Receipt]) -> Digest:
    """Return the root of codes and fees; the details are left out."""
    known: dict[tuple[str, int], bytes] = {}
    leaves = []
    for receipt in receipts:
        key = (receipt.code, receipt.fee_micro)
        leaf = known.get(key)
        if leaf is None:
            leaf = known[key] = encode([receipt.code, receipt.fee_micro])
        leaves.append(leaf)
    return list_root(RECEIPT_LIST, leaves)


class _Run:
    """The transactions of one block, one after the other, on its overlay."""

    __slots__ = ("_context", "_handlers", "_limits", "_overlay", "included", "receipts")

    def __init__(
        self,
        context: BlockContext,
        overlay: Overlay,
        handlers: Mapping[type[Action], Handler],
        limits: BlockLimits,
    ) -> None:
        self._context = context
        self._overlay = overlay
        self._handlers = handlers
        self._limits = limits
        self.included: list[Transaction] = []
        self.receipts: list[Receipt] = []

    def transactions(self, transactions: Iterable[Transaction], *, building: bool) -> None:
        """Run all, or as many as fit while building, then pay their fees into the pool."""
        limits, size, fees = self._limits, _PACKED_LENGTH_BYTES, 0
        for transaction in transactions:
            grown = size + _PACKED_LENGTH_BYTES + len(transaction.raw)
            if grown > limits.max_bytes or len(self.included) == limits.max_transactions:
                if building:
                    break
                raise Rejected(Reason.BLOCK_INVALID, "more transactions than a block may hold")
            outcome = self._run(transaction)
            if isinstance(outcome, Receipt):
                size = grown
                fees += outcome.fee_micro
                self.included.append(transaction)
                self.receipts.append(outcome)
            elif not building:
                name = transaction.id.hex()
                raise Rejected(Reason.BLOCK_INVALID, f"transaction {name}: {outcome.value}")
        if fees:
            pot_credit(self._overlay, POOL, fees)

    def _run(self, transaction: Transaction) -> Receipt | Reason:
        """Run one transaction; return its receipt, or why it may not stand in this block."""
        context, overlay, envelope = self._context, self._overlay, transaction.envelope
        sender = envelope.from_
        key = account_key(sender)
        account = account_at(overlay, key)
        fee = fee_of(context.parameters, len(envelope.actions))
        refused = refusal(account, transaction, context.height, fee)
        if refused is not None:
            return refused
        paid = Account(account.free - fee, account.reserved, account.nonce + 1)
        overlay.put(key, encode(paid))
        mark = overlay.checkpoint()
        try:
            for index, action in enumerate(envelope.actions):
                where = ActionContext(context, sender, transaction.id, index)
                self._handlers[type(action)](where, overlay, action)
        except Rejected as rejected:
            overlay.rollback(mark)
            return Receipt(rejected.reason.value, fee, f"action {index}: {rejected.detail}")
        return Receipt(OK, fee)
