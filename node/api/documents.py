"""Blocks, transactions and events as plain documents.

Everything here is a function of stored bytes and a view of the state; the state gives names only.
Database reads happen in a worker thread (`read_*`), the state is read on the event loop
(`*_document`), because the state changes there and only there.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec

from auction.orders import order_id
from consensus.commits import Commits
from consensus.documents import role_name
from consensus.simplex.types import Certificate
from consensus.simplex.wire import decode_certificate
from ledger.blocks import Block, Header, decode_block, decode_header
from ledger.codec import unpack
from ledger.errors import Rejected
from ledger.execution import Receipt
from ledger.parameters import BlockLimits
from ledger.state import Event, View
from ledger.transactions import Transaction, TransactionCodec
from node.api.backend import BlockRow, Queries, StoredTransaction
from node.api.context import name_of, party

LEADERS_SHOWN = 4
"""Turns shown with a block in a list, beyond those that were used."""

ROUND_ONLY = frozenset({"curves", "considered", "outbid", "uncalled_orders"})
"""Parts of a round's document that make a block's answer large."""

_PASSED_OVER = frozenset({"jailed", "ejected"})


class ElectionEntry(msgspec.Struct, frozen=True):
    """What a stored election says of one validator, as far as blocks show it."""

    index: int
    address: str
    name: str
    status: str
    position: int


class StoredElection(msgspec.Struct, frozen=True):
    """The part of a stored election that blocks show."""

    entries: tuple[ElectionEntry, ...]

    def by_position(self) -> list[ElectionEntry]:
        """The order of turns."""
        return sorted(self.entries, key=lambda entry: entry.position)


@dataclass(frozen=True, slots=True)
class BlockFacts:
    """A summary row with what belongs to it, read in a worker thread."""

    row: BlockRow
    header: Header
    certificate: Certificate | None
    election: StoredElection | None


@dataclass(frozen=True, slots=True)
class FullBlock:
    """A block with everything its page shows, read in a worker thread."""

    facts: BlockFacts
    block: Block
    transactions: tuple[Transaction, ...]
    receipts: Sequence[Receipt]
    commits: Commits
    events: Sequence[Event]
    round: Mapping[str, object]


def read_facts(queries: Queries, row: BlockRow) -> BlockFacts:
    """Decode what a summary needs beside its row."""
    stored = queries.election(row.height)
    return BlockFacts(
        row=row,
        header=decode_header(row.header),
        certificate=decode_certificate(row.certificate) if row.certificate else None,
        election=msgspec.json.decode(stored, type=StoredElection) if stored else None,
    )


def read_page(queries: Queries, before: int | None, limit: int) -> list[BlockFacts]:
    """Summaries below height `before`, newest first."""
    return [read_facts(queries, row) for row in queries.blocks(before, limit)]


def read_full(
    queries: Queries, row: BlockRow, genesis_hash: bytes, codec: TransactionCodec
) -> FullBlock | None:
    """The whole block, or None when its body is no longer kept."""
    body = queries.body(row.height)
    if body is None:
        return None
    block = decode_block(body, genesis_hash, WITHOUT_LIMITS)
    stored_round = queries.round_document(row.height)
    return FullBlock(
        facts=read_facts(queries, row),
        block=block,
        transactions=tuple(codec.decode(raw) for raw in block.transactions),
        receipts=queries.receipts(row.height),
        commits=Commits.decode(block.commits),
        events=queries.events(row.height),
        round=short_round(stored_round),
    )


def short_round(stored: bytes | None) -> Mapping[str, object]:
    """The rounds of a block without what only `/v1/rounds/{height}` shows."""
    whole = msgspec.json.decode(stored) if stored else {"books": [], "classes": []}
    return {
        where: [
            {name: value for name, value in one.items() if name not in ROUND_ONLY}
            for one in whole[where]
        ]
        for where in ("books", "classes")
    }


def transactions_in(body: bytes) -> list[bytes]:
    """The raw transactions of a stored block body."""
    return unpack(unpack(body, 4, 2**31)[3], 2**31, 2**31)


WITHOUT_LIMITS = BlockLimits(
    max_bytes=2**31, max_transactions=2**31, max_transaction_bytes=2**31, max_sealed_bytes=2**31
)
"""A stored block was judged when it came; parameters may have changed since."""


def leaders_of(view: View, facts: BlockFacts) -> list[dict[str, object]]:
    """The order of turns of a block's height and what became of each."""
    if facts.election is None:
        return []
    order = facts.election.by_position()
    origin = facts.row.view
    listed: list[dict[str, object]] = []
    for place, entry in enumerate(order, start=1):
        if place == (origin - 1) % len(order) + 1:
            outcome = "built"
        elif place >= origin:
            outcome = "not_needed"
        elif entry.status in _PASSED_OVER or origin > len(order):
            outcome = "missed"
        else:
            outcome = "skipped"
        listed.append(
            {
                "address": entry.address,
                "name": entry.name or name_of(view, entry.address),
                "role": role_name(entry.position),
                "outcome": outcome,
            }
        )
    return listed


def summary_document(view: View, facts: BlockFacts) -> dict[str, object]:
    """A block in a list."""
    row, header = facts.row, facts.header
    signed = facts.certificate.signer_indices() if facts.certificate else ()
    return {
        "height": row.height,
        "hash": row.hash.hex(),
        "parent": header.parent,
        "time_ms": row.time_ms,
        "view": row.view,
        "builder": party(view, row.builder),
        "leaders": leaders_of(view, facts)[: max(LEADERS_SHOWN, row.view)],
        "transactions": row.transactions,
        "trades": row.trades,
        "bytes": row.size,
        "signers": len(signed),
        "signed": signed,
    }


def block_document(view: View, full: FullBlock) -> dict[str, object]:
    """A whole block."""
    facts = full.facts
    header: dict[str, object] = msgspec.to_builtins(facts.header)
    events = [
        event_document(facts.row.height, index, event)
        for index, event in enumerate(full.events, start=1)
    ]
    document = {
        **header,
        **summary_document(view, facts),
        "leaders": leaders_of(view, facts),
        "transactions": [
            transaction_line(view, transaction, receipt)
            for transaction, receipt in zip(full.transactions, full.receipts, strict=True)
        ],
        "certificate": certificate_document(view, facts, facts.certificate),
        "clearings": full.round,
        "skips": [
            {
                "view": skip.view,
                **_leader_at(view, facts, skip.view),
                "signed": skip.signer_indices(),
            }
            for skip in full.commits.skips
        ],
        "late_votes": [
            {"height": vote.height, "view": vote.view, "signer": vote.signer}
            for vote in full.commits.late_votes
        ],
        "evidence": len(full.commits.evidence),
        "rewards": [event for event in events if event["kind"] == "reward.paid"],
        "events": events,
    }
    last = full.commits.last_commit
    document["last_commit"] = (
        None
        if last is None
        else {"height": last.height, "view": last.view, "signed": last.signer_indices()}
    )
    return document


def certificate_document(
    view: View, facts: BlockFacts, certificate: Certificate | None
) -> dict[str, object] | None:
    """Who signed the block final."""
    if certificate is None:
        return None
    entries = {entry.index: entry for entry in facts.election.entries} if facts.election else {}
    signers: list[dict[str, object]] = []
    for index, signature in zip(certificate.signer_indices(), certificate.signatures, strict=True):
        signer: dict[str, object] = {"index": index, "signature": signature.hex()}
        if index in entries:
            signer.update(party(view, entries[index].address))
        signers.append(signer)
    return {
        "kind": certificate.kind.name.lower(),
        "view": certificate.view,
        "parent_view": certificate.parent_view,
        "signers": signers,
    }


def _leader_at(view: View, facts: BlockFacts, at: int) -> dict[str, object]:
    order = facts.election.by_position() if facts.election else []
    return {"leader": party(view, order[(at - 1) % len(order)].address)} if order else {}


def types_of(transaction: Transaction) -> list[str]:
    """The kinds of the actions, in order."""
    return [str(action.__struct_config__.tag) for action in transaction.envelope.actions]


def transaction_line(
    view: View, transaction: Transaction, receipt: Receipt | None
) -> dict[str, object]:
    """A transaction in a list."""
    line: dict[str, object] = {
        "hash": transaction.id.hex(),
        "from": party(view, transaction.envelope.from_),
        "nonce": transaction.envelope.nonce,
        "types": types_of(transaction),
    }
    if receipt is not None:
        line["code"] = receipt.code
        line["fee_micro"] = receipt.fee_micro
    return line


def transaction_document(
    view: View,
    transaction: Transaction,
    place: StoredTransaction | None = None,
    row: BlockRow | None = None,
) -> dict[str, object]:
    """A transaction with its bytes as a document; its place and receipt once it is final."""
    document: dict[str, object] = {
        **transaction_line(view, transaction, place.receipt if place else None),
        "status": "pending" if place is None else "final",
        "envelope": msgspec.json.decode(transaction.raw),
        "bytes": len(transaction.raw),
    }
    if place is not None and row is not None:
        document["height"] = place.height
        document["index"] = place.position
        document["block"] = row.hash.hex()
        document["time_ms"] = row.time_ms
        document["order_ids"] = order_ids(transaction)
    return document


def order_ids(transaction: Transaction) -> list[str | None]:
    """Per action the id of the order it opens, null for actions that open none."""
    kinds = types_of(transaction)
    return [
        order_id(transaction.id, index).hex() if kind in ("bid", "ask") else None
        for index, kind in enumerate(kinds)
    ]


def event_document(height: int, index: int, event: Event) -> dict[str, object]:
    """One thing a block did; `id` is its place in the live stream."""
    return {
        "id": f"{height}.{index}",
        "height": height,
        "index": index,
        "kind": event.kind,
        "accounts": event.accounts,
        "data": event.data,
    }


def decode_or_none(codec: TransactionCodec, raw: bytes) -> Transaction | None:
    """The transaction of bytes that came from anywhere, None when they are none."""
    try:
        return codec.decode(raw)
    except Rejected:
        return None
