"""What proofs look like on the wire: made by the API of a node, read by clients that doubt it.

Bytes that are under a hash travel as the hex of exactly those bytes.  Every field is either under
a hash that ends in a certified header, or recomputed by whoever reads it: none has to be believed.
"""

from collections.abc import Mapping
from typing import Annotated, TypeVar

import msgspec
from msgspec import Meta

from ledger.codec import Record
from ledger.errors import ProofFailed
from ledger.merkle import ListProof
from ledger.tree import StateProof
from ledger.types import Address, Height, Hex32, Micro

_HEX = r"^(?:[0-9a-f]{2})*\Z"

Hex = Annotated[str, Meta(pattern=_HEX, max_length=2**26)]
"""Bytes of some length, at most 32 MiB."""

HeaderHex = Annotated[str, Meta(pattern=_HEX, max_length=2**13)]
CertificateHex = Annotated[str, Meta(pattern=_HEX, max_length=2**16)]

T = TypeVar("T")


class HeaderDocument(Record):
    """A final header and the certificate that makes it final."""

    height: Height
    hash: Hex32
    header: HeaderHex
    certificate: CertificateHex


class SeatDocument(Record):
    """A validator of a voting set: the key it votes with, the key it is drawn with."""

    address: Address
    vrf_key: Hex32


class SetDocument(Record):
    """A voting set; its digest stands in the header below the first height it votes at."""

    digest: Hex32
    seats: Annotated[tuple[SeatDocument, ...], Meta(max_length=256)]


class EntryDocument(Record):
    """One entry of a state, or its absence (`value` null), with the proof."""

    key: Hex
    value: Hex | None
    proof: StateProof


class StateDocument(Record):
    """Entries of the state after a block."""

    block: HeaderDocument
    entries: Annotated[tuple[EntryDocument, ...], Meta(max_length=8)]


class ReceiptDocument(Record):
    """What a receipts root says of a transaction."""

    code: Annotated[str, Meta(max_length=64)]
    fee_micro: Micro


class InclusionDocument(Record):
    """A transaction with its receipt, at one place of a block."""

    raw: Hex
    proof: ListProof
    receipt: ReceiptDocument
    receipt_proof: ListProof


class TransactionDocument(Record):
    """A final transaction: the block, and where in it."""

    block: HeaderDocument
    inclusion: InclusionDocument


class TradeDocument(Record):
    """All that a trade rests on; see `auction/trade_proof.py`."""

    block: HeaderDocument
    parent: HeaderHex
    """Bytes of the header below: its state root is that of the entries `before`."""
    clearings: Hex
    """The sealed rounds of the block, whole: the header commits to their bytes."""
    trade: dict[str, str | int]
    """What the node says of the trade; recomputed and compared."""
    before: Annotated[tuple[EntryDocument, ...], Meta(max_length=1024)]
    after: Annotated[tuple[EntryDocument, ...], Meta(max_length=1024)]
    cancels: Annotated[tuple[InclusionDocument, ...], Meta(max_length=1024)]
    """Transactions that cancelled an order in the last round it could have been matched in."""


def read_document(document: Mapping[str, object], kind: type[T]) -> T:
    """Return the `data` of an answer as the document it should be.  Raises ProofFailed."""
    try:
        return msgspec.convert(document, kind)
    except msgspec.ValidationError as error:
        raise ProofFailed("form", f"the answer is no {kind.__name__}: {error}") from None
