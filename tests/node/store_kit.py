"""Blocks and votes that look real to the database and were never executed."""

from __future__ import annotations

from hashlib import sha256

from consensus.simplex.journal import OwnVote
from consensus.simplex.types import Certificate, Vote, VoteKind
from ledger.blocks import (
    Header,
    clearings_root,
    commits_root,
    encode_block,
    make_block,
    transactions_root,
)
from ledger.crypto import SigningKey
from ledger.execution import OK, Receipt
from ledger.native import ACTIONS, Transfer
from ledger.state import Event
from ledger.transactions import Transaction, TransactionCodec, build_transaction
from node.storage.batch import CommittedBlock

GENESIS = sha256(b"genesis of the store tests").digest()
CHAIN = "test-chain"
KEY = SigningKey.from_seed(bytes(31) + b"\x07")
OTHER = SigningKey.from_seed(bytes(31) + b"\x08")
CODEC = TransactionCodec(ACTIONS, CHAIN, GENESIS, 65_536)


def transfer(nonce: int, amount: int = 5, key: SigningKey = KEY, expires: int = 0) -> Transaction:
    to = OTHER.address if key is KEY else KEY.address
    actions = [Transfer(to, amount)]
    return CODEC.decode(build_transaction(key, GENESIS, CHAIN, nonce, actions, expires))


def vote(kind: VoteKind, height: int, view: int, payload: bytes = bytes(32)) -> OwnVote:
    content = b"" if kind is VoteKind.NULLIFY else payload
    return OwnVote(Vote(kind, height, view, 0, content, 1, bytes(64)))


def certificate(height: int, payload: bytes) -> Certificate:
    return Certificate(VoteKind.FINALIZE, height, 1, 0, payload, b"\x07", (bytes(64),) * 3)


def committed(
    height: int,
    parent: bytes,
    transactions: tuple[Transaction, ...] = (),
    changes: dict[bytes, bytes | None] | None = None,
    events: tuple[Event, ...] = (),
) -> CommittedBlock:
    raws = [transaction.raw for transaction in transactions]
    header = Header(
        chain=CHAIN,
        height=height,
        parent=parent.hex(),
        view=1,
        builder=KEY.address,
        time_ms=height * 1_000,
        vrf="0" * 160,
        transactions_root=transactions_root(raws).hex(),
        receipts_root="0" * 64,
        clearings_root=clearings_root(b"c").hex(),
        commits_root=commits_root(b"d").hex(),
        state_root="0" * 64,
        validators_hash="0" * 64,
    )
    block = make_block(header, raws, b"c", b"d", GENESIS)
    return CommittedBlock(
        block=block,
        data=encode_block(block),
        certificate=certificate(height, block.hash),
        transactions=transactions,
        receipts=tuple(Receipt(OK, 100) for _ in transactions),
        events=events,
        changes=changes or {},
        election=b'{"height":%d}' % (height + 1),
    )


def run_of_blocks(count: int, per_block: int = 2) -> list[CommittedBlock]:
    """Blocks 1..count, linked; each changes one key that all share and one of its own."""
    blocks, parent, nonce = [], GENESIS, 0
    for height in range(1, count + 1):
        transactions = tuple(transfer(nonce + each) for each in range(per_block))
        nonce += per_block
        changes: dict[bytes, bytes | None] = {
            b"account/" + bytes.fromhex(KEY.address): b"%d" % height,
            b"pot/%d" % height: b"x",
            b"pot/%d" % (height - 1): None,
        }
        event = Event("trade.made", (KEY.address,), {"height": height})
        block = committed(height, parent, transactions, changes, (event,))
        parent = block.block.hash
        blocks.append(block)
    return blocks
