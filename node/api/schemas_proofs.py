"""Shapes of the proofs, for the OpenAPI page; the bytes in them are hex of what is under a hash."""

from pydantic import Field

from node.api.schemas import Address, Digest, Hex, Model, Number


class HeaderModel(Model):
    """A final header."""

    height: Number
    hash: Digest
    header: Hex = Field(description="Canonical bytes; their digest is `hash`.")
    certificate: Hex = Field(description="The quorum's finalize votes, in wire form.")


class SeatModel(Model):
    """One validator."""

    address: Address
    vrf_key: Digest


class SetModel(Model):
    """A voting set, in ascending order of address."""

    digest: Digest
    seats: list[SeatModel]


class EntryProofModel(Model):
    """The bucket of the key and the digests beside its path, from the bucket up."""

    entries: list[Hex]
    siblings: list[Digest]


class EntryModel(Model):
    """One entry of a state; `value` is null when the key is absent."""

    key: Hex
    value: Hex | None
    proof: EntryProofModel


class StateProofModel(Model):
    """Entries of the state after a block."""

    block: HeaderModel
    entries: list[EntryModel]


class ListProofModel(Model):
    """The place in a Merkle list and the digests beside the path, from the leaf up."""

    index: Number
    count: Number
    siblings: list[Digest]


class ReceiptModel(Model):
    """What the receipts root covers."""

    code: str
    fee_micro: Number


class InclusionModel(Model):
    """A transaction and its receipt at one place of a block."""

    raw: Hex
    proof: ListProofModel
    receipt: ReceiptModel
    receipt_proof: ListProofModel


class TransactionProofModel(Model):
    """A final transaction and its block."""

    block: HeaderModel
    inclusion: InclusionModel


class TradeProofModel(Model):
    """A trade: sealed rounds, figures, and entries of the states before and after its block."""

    block: HeaderModel
    parent: Hex = Field(description="Bytes of the header below, whose state root holds `before`.")
    clearings: Hex
    trade: dict[str, str | int]
    before: list[EntryModel]
    after: list[EntryModel]
    cancels: list[InclusionModel]
