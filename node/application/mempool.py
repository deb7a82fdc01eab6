"""Transactions that wait for a block: bounded, fair between senders, cheap per transaction.

Only transactions whose signature was checked come in, so a proposal made of the same bytes need
not be checked again: `find` answers by the whole bytes, signature included.

Each sender has a queue by nonce.  Nonces may arrive in any order within `max_ahead` of the
account's next one; only the unbroken run from that nonce on is offered to a block.  Candidates are
drawn in rounds, one transaction of each ready sender a round, and who was served goes to the end of
the line, so a flood by one key costs the others nothing but one place in a round.

After a block only the senders whose account it changed are looked at again: used nonces go, and
so does what the balance no longer pays the fee for.  A sender who neither added nor was served for
`max_idle_blocks` heights is dropped with all that waits.  Nothing here survives a restart.
"""

from collections import OrderedDict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import islice

from ledger.accounts import account_at, account_key
from ledger.errors import Reason, Rejected
from ledger.state import View
from ledger.transactions import Transaction
from ledger.types import Address, Digest, Height


@dataclass(frozen=True, slots=True)
class MempoolLimits:
    """Bounds on what waits.  `max_ahead` bounds one sender: nonces above the account's next."""

    max_transactions: int = 20_000
    max_bytes: int = 64 * 1024 * 1024
    max_ahead: int = 4_096
    max_idle_blocks: int = 600


class AddResult(StrEnum):
    """What became of a transaction that was not refused."""

    NEW = "new"
    KNOWN = "known"  # the same bytes wait already


@dataclass(slots=True)
class _Sender:
    """What waits from one account.  Offered are the nonces `nonce` up to, not including, `run`."""

    key: bytes
    nonce: int
    run: int
    free: int
    touched: Height
    fees: int = 0
    entries: dict[int, Transaction] = field(default_factory=dict)


class Mempool:
    """All waiting transactions of one node, over its committed state."""

    def __init__(
        self, limits: MempoolLimits, state: View, height: Height, fee_per_action_micro: int
    ) -> None:
        """`height` is the tip's; `state` is the committed state and changes under this object."""
        self.limits = limits
        self._state = state
        self._height = height
        self._fee = fee_per_action_micro
        self._by_raw: dict[bytes, Transaction] = {}
        self._by_id: dict[Digest, Transaction] = {}
        self._senders: OrderedDict[bytes, _Sender] = OrderedDict()
        self._ready: dict[bytes, _Sender] = {}
        self._expiring: dict[Height, dict[Digest, Transaction]] = {}
        self._bytes = 0

    # ------------------------------------------------------------ reading
    def __len__(self) -> int:
        return len(self._by_raw)

    @property
    def crowded(self) -> bool:
        """Three quarters full: clients are refused then, what peers already took is not."""
        limits = self.limits
        return 4 * len(self._by_raw) >= 3 * limits.max_transactions or (
            4 * self._bytes >= 3 * limits.max_bytes
        )

    def __contains__(self, transaction_id: object) -> bool:
        return transaction_id in self._by_id

    @property
    def total_bytes(self) -> int:
        """How many bytes wait, as on the wire."""
        return self._bytes

    def find(self, raw: bytes) -> Transaction | None:
        """The waiting transaction with exactly these bytes: its signature is known to be good."""
        return self._by_raw.get(raw)

    def get(self, transaction_id: Digest) -> Transaction | None:
        """The waiting transaction with this id."""
        return self._by_id.get(transaction_id)

    def documents(self, limit: int) -> list[dict[str, object]]:
        """The last arrivals as JSON-able documents, newest first."""
        newest = islice(reversed(self._by_id.values()), limit)
        return [self._document(transaction) for transaction in newest]

    def _document(self, transaction: Transaction) -> dict[str, object]:
        envelope = transaction.envelope
        sender = self._senders[account_key(envelope.from_)]
        return {
            "hash": transaction.id.hex(),
            "from": envelope.from_,
            "nonce": envelope.nonce,
            "expires": envelope.expires,
            "types": [str(type(action).__struct_config__.tag) for action in envelope.actions],
            "fee_micro": self._fee_of(transaction),
            "bytes": len(transaction.raw),
            "ready": envelope.nonce < sender.run,
        }

    def next_nonce(self, address: Address) -> int:
        """The nonce a new transaction of this account should carry, counting what waits."""
        key = account_key(address)
        sender = self._senders.get(key)
        return account_at(self._state, key).nonce if sender is None else sender.run

    def transactions_of(self, address: Address) -> list[Transaction]:
        """What waits from this account, by nonce."""
        sender = self._senders.get(account_key(address))
        return [] if sender is None else [sender.entries[nonce] for nonce in sorted(sender.entries)]

    def candidates(self) -> Iterator[Transaction]:
        """All transactions a block may hold, fairly drawn.  Do not add or advance meanwhile."""
        line = [(sender, sender.nonce) for sender in self._ready.values()]
        while line:
            again = []
            for sender, nonce in line:
                yield sender.entries[nonce]
                if nonce + 1 < sender.run:
                    again.append((sender, nonce + 1))
            line = again

    # ------------------------------------------------------------ admission
    def add(self, transaction: Transaction) -> AddResult:
        """Take in a transaction whose signature holds.  Raises Rejected and changes nothing.

        Reasons: EXPIRED, NONCE_USED, NONCE_CONFLICT, NONCE_GAP (too far ahead),
        MEMPOOL_FULL, FEE_NOT_COVERED.
        """
        raw, envelope = transaction.raw, transaction.envelope
        if raw in self._by_raw:
            return AddResult.KNOWN
        expires = envelope.expires
        if 0 < expires <= self._height:
            raise Rejected(Reason.EXPIRED, f"good until height {expires}, tip {self._height}")
        key = account_key(envelope.from_)
        sender = self._senders.get(key) or self._fresh(key)
        nonce = envelope.nonce
        fee = self._fee * len(envelope.actions)
        self._admit(sender, nonce, fee, len(raw))
        if not sender.entries:
            self._senders[key] = sender
        sender.entries[nonce] = transaction
        sender.fees += fee
        self._by_raw[raw] = transaction
        self._by_id[transaction.id] = transaction
        self._bytes += len(raw)
        if expires:
            self._expiring.setdefault(expires, {})[transaction.id] = transaction
        if nonce == sender.run:
            self._extend(sender)
        self._touch(sender)
        return AddResult.NEW

    def _admit(self, sender: _Sender, nonce: int, fee: int, size: int) -> None:
        """Raise Rejected unless one more transaction of this sender fits."""
        limits = self.limits
        if nonce < sender.nonce:
            raise Rejected(Reason.NONCE_USED, f"nonce {nonce}, next is {sender.nonce}")
        if nonce in sender.entries:
            raise Rejected(Reason.NONCE_CONFLICT, f"nonce {nonce} waits with other content")
        if nonce >= sender.nonce + limits.max_ahead:
            bound = sender.nonce + limits.max_ahead - 1
            raise Rejected(Reason.NONCE_GAP, f"nonce {nonce}, at most {bound} for now")
        if len(self._by_raw) >= limits.max_transactions or self._bytes + size > limits.max_bytes:
            raise Rejected(Reason.MEMPOOL_FULL, f"{len(self._by_raw)} transactions wait")
        if sender.fees + fee > sender.free:
            raise Rejected(
                Reason.FEE_NOT_COVERED, f"fees {sender.fees + fee} micro, free {sender.free} micro"
            )

    def _fresh(self, key: bytes) -> _Sender:
        account = account_at(self._state, key)
        return _Sender(key, account.nonce, account.nonce, account.free, self._height)

    def _extend(self, sender: _Sender) -> None:
        """Let the unbroken run reach as far as it does."""
        entries, run = sender.entries, sender.run
        while run in entries:
            run += 1
        sender.run = run
        self._ready.setdefault(sender.key, sender)

    def _touch(self, sender: _Sender) -> None:
        """Put the sender behind all who were quiet longer, at most once a height."""
        if sender.touched != self._height:
            sender.touched = self._height
            self._senders.move_to_end(sender.key)

    # ------------------------------------------------------------ a block was decided
    def advance(
        self,
        height: Height,
        included: Iterable[Transaction],
        changed_keys: Iterable[bytes],
        fee_per_action_micro: int,
    ) -> None:
        """Follow the committed state to `height`.

        `included` are the block's transactions in order, `changed_keys` the state keys it changed.
        """
        self._height = height
        if fee_per_action_micro != self._fee:
            self._change_fee(fee_per_action_micro)
        self._take_out(included)
        senders = self._senders
        if senders:
            for key in changed_keys:
                sender = senders.get(key)
                if sender is not None:
                    self._refresh(sender)
        for transaction in list(self._expiring.pop(height, {}).values()):
            self.discard(transaction)
        while senders:
            oldest = next(iter(senders.values()))
            if oldest.touched + self.limits.max_idle_blocks >= height:
                break
            self._drop_from(oldest, 0)

    def _take_out(self, included: Iterable[Transaction]) -> None:
        """Drop what waits under the nonces a block used: its transactions, or rivals of them.

        Most senders are then empty and gone, and nobody needs to read their account again.
        """
        senders, ready = self._senders, self._ready
        for transaction in included:
            envelope = transaction.envelope
            sender = senders.get(account_key(envelope.from_))
            if sender is None:
                continue
            if envelope.nonce in sender.entries:
                self._remove(sender, envelope.nonce)
            if not sender.entries:
                del senders[sender.key]
                ready.pop(sender.key, None)

    def discard(self, transaction: Transaction) -> None:
        """Drop a transaction, if it waits; later ones of its sender then wait for that nonce."""
        envelope = transaction.envelope
        sender = self._senders.get(account_key(envelope.from_))
        if sender is not None and sender.entries.get(envelope.nonce) is transaction:
            self._remove(sender, envelope.nonce)
            sender.run = min(sender.run, envelope.nonce)
            self._settle(sender)

    def _refresh(self, sender: _Sender) -> None:
        """Take the account's new nonce and balance; drop what they rule out."""
        account = account_at(self._state, sender.key)
        sender.free = account.free
        if account.nonce != sender.nonce:
            for nonce in range(sender.nonce, account.nonce):
                if nonce in sender.entries:
                    self._remove(sender, nonce)
            sender.nonce = account.nonce
            sender.run = max(sender.run, account.nonce)
            self._ready.pop(sender.key, None)
            self._touch(sender)
        if sender.fees > sender.free:
            self._drop_unpaid(sender)
        self._settle(sender)

    def _drop_unpaid(self, sender: _Sender) -> None:
        """Drop the latest nonces until the balance covers the fees of the rest."""
        for nonce in sorted(sender.entries, reverse=True):
            if sender.fees <= sender.free:
                break
            self._remove(sender, nonce)
            sender.run = min(sender.run, nonce)

    def _drop_from(self, sender: _Sender, first_nonce: int) -> None:
        for nonce in [nonce for nonce in sender.entries if nonce >= first_nonce]:
            self._remove(sender, nonce)
        sender.run = min(sender.run, max(first_nonce, sender.nonce))
        self._settle(sender)

    def _change_fee(self, fee_per_action_micro: int) -> None:
        """The members voted another fee: price everything again, once."""
        self._fee = fee_per_action_micro
        for sender in list(self._senders.values()):
            sender.fees = sum(self._fee_of(each) for each in sender.entries.values())
            self._drop_unpaid(sender)
            self._settle(sender)

    def _fee_of(self, transaction: Transaction) -> int:
        return self._fee * len(transaction.envelope.actions)

    def _remove(self, sender: _Sender, nonce: int) -> None:
        transaction = sender.entries.pop(nonce)
        sender.fees -= self._fee_of(transaction)
        del self._by_raw[transaction.raw]
        del self._by_id[transaction.id]
        self._bytes -= len(transaction.raw)
        expires = transaction.envelope.expires
        if expires and expires in self._expiring:
            self._expiring[expires].pop(transaction.id, None)

    def _settle(self, sender: _Sender) -> None:
        """Make the lists agree with the sender's queue after removals."""
        if not sender.entries:
            self._senders.pop(sender.key, None)
            self._ready.pop(sender.key, None)
            return
        if sender.nonce in sender.entries:
            self._extend(sender)
        else:
            self._ready.pop(sender.key, None)
