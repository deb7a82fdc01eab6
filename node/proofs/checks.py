"""Checking what a node says against hashes and signatures: pure, and trusting nobody.

Which header proves which voting set.  A header at height h names, in `validators_hash`, the set of
h + 1, and is certified by set(h).  The digest of the set is among what its members sign.  So

- set(1) follows from the genesis;
- a certificate of height h that verifies with a set S shows that set(h) is S, however many heights
  lie between this header and the one that named S: fewer than a third of S are faulty, so an honest
  member signed, and an honest member signs under the digest of the set of that height only;
- the last header that S certifies names its successor, and nothing else can.

A client therefore needs one header for each change of the set, and none of those between.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from auction import keys
from auction.actions import Cancel
from auction.brokers import broker_key
from auction.proof_parts import ProvenEntries, ProvenTrade
from auction.trade_proof import verify_trade
from consensus.history import TIP_KEY, decode_tip
from consensus.sets import validator_set
from consensus.simplex.certificates import verify_certificate
from consensus.simplex.types import Certificate, ValidatorSet, VoteKind
from consensus.simplex.wire import decode_certificate
from ledger.accounts import account_key
from ledger.blocks import Header, block_hash, clearings_root, decode_header
from ledger.codec import encode
from ledger.crypto import verify
from ledger.errors import ProofFailed, Rejected
from ledger.execution import OK, RECEIPT_LIST
from ledger.members import member_key
from ledger.merkle import verify_list_proof
from ledger.transactions import TRANSACTION_LIST, Transaction
from ledger.tree import verify_state_proof
from ledger.types import Digest, Height
from node.application.chain import Chain
from node.application.genesis import genesis_state
from node.proofs.documents import (
    EntryDocument,
    HeaderDocument,
    InclusionDocument,
    SetDocument,
    StateDocument,
    TradeDocument,
    TransactionDocument,
)

STATE_KINDS = ("account", "order", "agreement", "member", "broker", "beacon", "key")
"""What a state proof can be asked for by name; `key` takes any key of the state in hex."""


@dataclass(frozen=True, slots=True)
class Anchor:
    """A final block and the set that votes on the next one: all a client has to remember."""

    height: Height
    hash: Digest
    validators: ValidatorSet


@dataclass(frozen=True, slots=True)
class Sighting:
    """A header as some node presents it: it hashes to its hash and its certificate names it.

    Nothing more is known before the certificate is verified with the right set.
    """

    header: Header
    data: bytes
    hash: Digest
    certificate: Certificate

    @property
    def height(self) -> Height:
        """The height it claims."""
        return self.header.height


@dataclass(frozen=True, slots=True)
class ProvenTransaction:
    """A transaction that is final, and what became of it."""

    transaction: Transaction
    height: Height
    index: int
    code: str
    fee_micro: int


def genesis_anchor(chain: Chain) -> Anchor:
    """The one thing that is trusted: the genesis, with the set that votes on block 1."""
    state = genesis_state(chain.genesis)
    return Anchor(0, chain.genesis_hash, validator_set(state, 1))


def open_header(document: HeaderDocument, chain: Chain, height: Height | None = None) -> Sighting:
    """Take a header apart.  Raises ProofFailed unless it is what it says, at `height` if given."""
    data = bytes.fromhex(document.header)
    header = _header(data, chain)
    digest = block_hash(data, chain.genesis_hash)
    if digest.hex() != document.hash or header.height != document.height:
        raise ProofFailed("header", f"the header is of {header.height}, {digest.hex()}")
    if height is not None and header.height != height:
        raise ProofFailed("height", f"asked for block {height}, got {header.height}")
    try:
        certificate = decode_certificate(bytes.fromhex(document.certificate))
    except Rejected as error:
        raise ProofFailed("certificate", str(error)) from None
    named = (certificate.kind, certificate.height, certificate.payload)
    if named != (VoteKind.FINALIZE, header.height, digest):
        raise ProofFailed("certificate", f"it does not finalize block {header.height}")
    if header.view > certificate.view:
        raise ProofFailed("certificate", "its view is before the block's origin view")
    return Sighting(header, data, digest, certificate)


def _header(data: bytes, chain: Chain) -> Header:
    try:
        header = decode_header(data)
    except Rejected as error:
        raise ProofFailed("header", str(error)) from None
    if header.chain != chain.name:
        raise ProofFailed("chain", f"a block of {header.chain}, this is {chain.name}")
    return header


def is_certified(sighting: Sighting, validators: ValidatorSet, chain: Chain) -> bool:
    """Whether this set made the header final; true for set(h) alone."""
    return verify_certificate(sighting.certificate, validators, chain.genesis_hash, verify)


def require_certified(sighting: Sighting, validators: ValidatorSet, chain: Chain) -> None:
    """Raises ProofFailed unless this set made the header final."""
    if not is_certified(sighting, validators, chain):
        raise ProofFailed(
            "certificate", f"block {sighting.height} is not signed by a quorum of its voting set"
        )


def open_set(document: SetDocument, digest: Digest) -> ValidatorSet:
    """The voting set with this digest.  Raises ProofFailed for any other."""
    try:
        validators = ValidatorSet(
            tuple(bytes.fromhex(seat.address) for seat in document.seats),
            tuple(bytes.fromhex(seat.vrf_key) for seat in document.seats),
        )
    except ValueError as error:
        raise ProofFailed("voting_set", str(error)) from None
    if validators.digest != digest or document.digest != digest.hex():
        raise ProofFailed("voting_set", f"it is not the set {digest.hex()} the header names")
    return validators


def require_links(headers: Sequence[Header], hashes: Sequence[Digest], parent: Digest) -> None:
    """Raises ProofFailed unless these headers follow one another, the first upon `parent`."""
    below = parent
    for header, digest in zip(headers, hashes, strict=True):
        if header.parent != below.hex():
            raise ProofFailed("gap", f"block {header.height} does not follow {below.hex()}")
        below = digest


def proven_entries(entries: Sequence[EntryDocument], state_root: str) -> dict[bytes, bytes | None]:
    """Values by key under a state root, each proven.  Raises ProofFailed."""
    root = bytes.fromhex(state_root)
    shown: dict[bytes, bytes | None] = {}
    for entry in entries:
        key = bytes.fromhex(entry.key)
        value = None if entry.value is None else bytes.fromhex(entry.value)
        if not verify_state_proof(root, key, value, entry.proof):
            raise ProofFailed("state", f"entry {entry.key} is not proven under {state_root}")
        shown[key] = value
    return shown


def state_key(kind: str, name: str) -> bytes:
    """The key of a named thing.  Raises ValueError for a name that cannot be one."""
    if kind == "beacon":
        return TIP_KEY
    raw = bytes.fromhex(name)
    if raw.hex() != name:
        raise ValueError("must be lower-case hex")
    if kind == "key":
        return raw
    if len(raw) != 32:
        raise ValueError("must be 64 lower-case hex digits")
    match kind:
        case "account":
            return account_key(name)
        case "member":
            return member_key(name)
        case "broker":
            return broker_key(name)
        case "agreement":
            return keys.AGREEMENT + raw
        case "order":
            return keys.ORDER + raw
    raise ValueError(f"{kind} is none of {', '.join(STATE_KINDS)}")


def check_state(document: StateDocument, header: Header, kind: str, name: str) -> bytes | None:
    """The value of a named thing under a proven header, None if it is absent.

    An open order takes two entries: where it is, and its record there.  Raises ProofFailed.
    """
    shown = proven_entries(document.entries, header.state_root)
    key = state_key(kind, name)
    wanted = [key]
    if kind == "order" and (place := shown.get(key)) is not None:
        wanted.append(keys.BOOK + place + bytes.fromhex(name))
    if list(shown) != wanted:
        raise ProofFailed("state", f"the proof is not about {kind} {name}")
    return shown[wanted[-1]]


def check_transaction(
    document: TransactionDocument, header: Header, identity: Digest, chain: Chain
) -> ProvenTransaction:
    """The transaction of this id in the block of a proven header.  Raises ProofFailed."""
    found = check_inclusion(document.inclusion, header, chain)
    if found.transaction.id != identity:
        raise ProofFailed("transaction", f"the proof is of {found.transaction.id.hex()}")
    return found


def check_inclusion(document: InclusionDocument, header: Header, chain: Chain) -> ProvenTransaction:
    """A transaction and its receipt, both at one place of a block.  Raises ProofFailed."""
    raw, place = bytes.fromhex(document.raw), document.proof
    root = bytes.fromhex(header.transactions_root)
    if not verify_list_proof(root, TRANSACTION_LIST, raw, place):
        raise ProofFailed("transaction", "it is not under the header's transactions root")
    receipt, other = document.receipt, document.receipt_proof
    leaf = encode([receipt.code, receipt.fee_micro])
    if not verify_list_proof(bytes.fromhex(header.receipts_root), RECEIPT_LIST, leaf, other):
        raise ProofFailed("receipt", "it is not under the header's receipts root")
    if (place.index, place.count) != (other.index, other.count):
        raise ProofFailed("receipt", "the receipt is that of another transaction")
    try:
        transaction = chain.codec.decode(raw)
    except Rejected as error:
        raise ProofFailed("transaction", str(error)) from None
    return ProvenTransaction(
        transaction, header.height, place.index, receipt.code, receipt.fee_micro
    )


def check_trade(
    document: TradeDocument, header: Header, agreement: Digest, chain: Chain
) -> ProvenTrade:
    """A trade of the block of a proven header, with all its figures.  Raises ProofFailed."""
    parent_data = bytes.fromhex(document.parent)
    parent = _header(parent_data, chain)
    if block_hash(parent_data, chain.genesis_hash).hex() != header.parent:
        raise ProofFailed("parent", f"it is not the block below {header.height}")
    sealed = bytes.fromhex(document.clearings)
    if clearings_root(sealed).hex() != header.clearings_root:
        raise ProofFailed("clearings", "they are not those the header commits to")
    before = proven_entries(document.before, parent.state_root)
    after = proven_entries(document.after, header.state_root)
    cancelled = _cancelled(document.cancels, header, chain)
    entries = ProvenEntries(header.height, before, after, cancelled)
    proven = verify_trade(agreement, sealed, entries, _seed(after, header.height))
    require_figures(document.trade, proven.figures)
    return proven


def _seed(after: Mapping[bytes, bytes | None], height: Height) -> bytes:
    """The seed of a block as the state after it has it; empty where it is not shown."""
    stored = after.get(TIP_KEY)
    if stored is None:
        return b""
    tip = decode_tip(stored)
    if tip.height != height:
        raise ProofFailed("seed", f"the state of block {height} holds no seed of it")
    return bytes.fromhex(tip.seed)


def _cancelled(
    cancels: Sequence[InclusionDocument], header: Header, chain: Chain
) -> frozenset[Digest]:
    """The orders these transactions cancelled, all of them with success."""
    found = []
    for cancel in cancels:
        proven = check_inclusion(cancel, header, chain)
        if proven.code != OK:
            raise ProofFailed("receipt", f"transaction {proven.index} cancelled nothing")
        actions = proven.transaction.envelope.actions
        found += [bytes.fromhex(each.order) for each in actions if isinstance(each, Cancel)]
    return frozenset(found)


def require_figures(stated: Mapping[str, object], proven: Mapping[str, object]) -> None:
    """Raises ProofFailed unless what is stated of a trade is all that is proven, to the unit."""
    for name in sorted({*stated, *proven}):
        if stated.get(name) != proven.get(name) or type(stated.get(name)) is not type(
            proven.get(name)
        ):
            raise ProofFailed(
                "figures", f"{name} is stated as {stated.get(name)}, it is {proven.get(name)}"
            )
