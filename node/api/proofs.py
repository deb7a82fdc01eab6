"""Makes the proofs the API serves, from stored blocks and from what was kept of old states."""

from collections.abc import Mapping, Sequence

from auction.actions import Cancel
from auction.proof_keys import find_pair, last_round_orders, needed_keys
from auction.proof_parts import ORDER_BYTES, EntriesView, NeededKeys
from ledger.blocks import Block, decode_block
from ledger.codec import encode
from ledger.errors import ProofFailed
from ledger.execution import OK, Receipt
from ledger.merkle import list_proof
from ledger.parameters import BlockLimits
from ledger.transactions import TransactionCodec
from ledger.tree import StateProof
from ledger.types import Digest
from ledger.witness import Witness, decode_witnesses
from node.api.backend import BlockRow, Queries
from node.api.problems import Problem, not_found
from node.application.witness import with_seed
from node.proofs.documents import (
    EntryDocument,
    HeaderDocument,
    InclusionDocument,
    ReceiptDocument,
    SeatDocument,
    SetDocument,
    TradeDocument,
    TransactionDocument,
)
from node.storage.blocks import decode_set

_OWN_LIMITS = BlockLimits(2**31, 2**31, 2**31, 2**31)
"""Stored blocks were checked against the chain's bounds when they were decided."""


def header_document(row: BlockRow) -> HeaderDocument:
    """A header with its certificate."""
    return HeaderDocument(row.height, row.hash.hex(), row.header.hex(), row.certificate.hex())


def set_document(digest: Digest, stored: bytes) -> SetDocument:
    """A voting set from its stored form."""
    validators = decode_set(stored)
    seats = zip(validators.keys, validators.vrf_keys, strict=True)
    return SetDocument(
        digest.hex(), tuple(SeatDocument(key.hex(), vrf_key.hex()) for key, vrf_key in seats)
    )


def entry_document(key: bytes, value: bytes | None, proof: StateProof) -> EntryDocument:
    """One entry of a state with its proof."""
    return EntryDocument(key.hex(), None if value is None else value.hex(), proof)


def stored_block(queries: Queries, row: BlockRow, genesis_hash: Digest) -> Block:
    """The whole block of a row.  Raises Problem(pruned)."""
    data = queries.body(row.height)
    if data is None:
        raise Problem("pruned", f"The body of block {row.height} is not kept here.")
    return decode_block(data, genesis_hash, _OWN_LIMITS)


def transaction_proof(
    queries: Queries, row: BlockRow, position: int, genesis_hash: Digest
) -> TransactionDocument:
    """The proof of the transaction at a place.  Raises Problem(pruned)."""
    block = stored_block(queries, row, genesis_hash)
    inclusion = _inclusion(block, queries.receipts(row.height), position)
    return TransactionDocument(header_document(row), inclusion)


def _inclusion(block: Block, receipts: Sequence[Receipt], position: int) -> InclusionDocument:
    leaves = [encode([receipt.code, receipt.fee_micro]) for receipt in receipts]
    receipt = receipts[position]
    return InclusionDocument(
        raw=block.transactions[position].hex(),
        proof=list_proof(block.transactions, position),
        receipt=ReceiptDocument(receipt.code, receipt.fee_micro),
        receipt_proof=list_proof(leaves, position),
    )


def trade_proof(
    queries: Queries,
    row: BlockRow,
    agreement: Digest,
    genesis_hash: Digest,
    codec: TransactionCodec,
) -> TradeDocument:
    """The proof of a trade of a block.  Raises Problem: not_found, pruned."""
    block = stored_block(queries, row, genesis_hash)
    try:
        sealed = find_pair(block.clearings, agreement)
    except ProofFailed:
        raise not_found(f"trade of agreement {agreement.hex()} in block {row.height}") from None
    stored, parent = queries.trade_proofs(row.height), queries.block(row.height - 1)
    if stored is None or parent is None:
        raise Problem("pruned", f"No proof of the trades of block {row.height} is kept here.")
    before, after = decode_witnesses(stored)
    withdrawn = {key[-ORDER_BYTES:] for key in after.values}
    try:
        view = EntriesView(before.values)
        needed = with_seed(needed_keys(view, sealed, withdrawn, row.height))
    except ProofFailed:  # nothing was kept of this book
        needed = NeededKeys((b"",), ())
    if any(key not in before.values for key in needed.before):
        raise Problem("pruned", f"Block {row.height} had more trades than proofs are kept of.")
    cancels = _cancels(queries, block, needed, before, codec)
    name = agreement.hex()
    made = [event.data for event in queries.events(row.height) if event.kind == "trade.made"]
    return TradeDocument(
        block=header_document(row),
        parent=parent.header.hex(),
        clearings=block.clearings.hex(),
        trade=_plain(next(data for data in made if data["agreement"] == name)),
        before=_entries(before, needed.before),
        after=_entries(after, needed.after),
        cancels=cancels,
    )


def _plain(data: Mapping[str, str | int | list[str] | list[int]]) -> dict[str, str | int]:
    return {name: value for name, value in data.items() if isinstance(value, str | int)}


def _entries(witness: Witness, wanted: Sequence[bytes]) -> tuple[EntryDocument, ...]:
    return tuple(entry_document(key, witness.values[key], witness.prove(key)) for key in wanted)


def _cancels(
    queries: Queries, block: Block, needed: NeededKeys, before: Witness, codec: TransactionCodec
) -> tuple[InclusionDocument, ...]:
    """The transactions that cancelled orders of the proof which would have expired anyway."""
    kept = EntriesView(before.values)
    wanted = {order.hex() for order in last_round_orders(needed, kept, block.header.height)}
    if not wanted:
        return ()
    receipts = queries.receipts(block.header.height)
    found = []
    for position, raw in enumerate(block.transactions):
        actions = codec.decode(raw).envelope.actions
        named = {each.order for each in actions if isinstance(each, Cancel)}
        if named & wanted and receipts[position].code == OK:
            found.append(_inclusion(block, receipts, position))
    return tuple(found)
