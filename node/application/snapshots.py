"""From a database to a snapshot file, and from such a file to a database a node can start on.

A snapshot cannot prove itself: whoever holds old keys can write one that hangs together.  So the
importer is told one block hash by its operator, and everything else has to follow from that: the
header has this hash, the state has the root in that header, the voting set in the state signed the
certificate, and there is exactly as much money as the genesis made.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from consensus.history import read_tip
from consensus.sets import next_validator_set, validator_set
from consensus.simplex.certificates import verify_certificate
from consensus.simplex.types import Certificate, VoteKind
from consensus.simplex.wire import decode_certificate
from ledger.accounts import total_money
from ledger.blocks import Header, block_hash, decode_header
from ledger.crypto import verify
from ledger.errors import Corrupt, Rejected
from ledger.genesis import genesis_money
from ledger.state import Overlay, State
from ledger.tree import Tree
from ledger.types import Digest, Height
from node.application.application import election_bytes
from node.application.chain import Chain
from node.application.head import Head, head_at
from node.application.startup import read_header, stored_certificate
from node.storage.batch import StoredTip
from node.storage.errors import Refusal, SnapshotRefused, StorageFailed, StoreCorrupt, WrongGenesis
from node.storage.reader import Reader
from node.storage.seeding import seeding
from node.storage.snapshot_file import VERSION, Entry, Manifest, SnapshotFile, SnapshotWriter

CHECK_ENTRIES = 10_000
"""Entries whose digests are put into the tree at a time while a snapshot is written."""

Keep = Callable[[Sequence[Entry]], None]


@dataclass(frozen=True, slots=True)
class Trusted:
    """A block the operator takes as final, from a source that is not the snapshot's."""

    height: Height
    hash: Digest


def export_snapshot(reader: Reader, chain: Chain, stream: BinaryIO) -> Manifest:
    """Write the state the database holds, with its block; what it wrote is known to be sound.

    Raises WrongGenesis, StoreCorrupt, StorageFailed; the stream is then worthless.
    """
    if reader.genesis_hash != chain.genesis_hash:
        raise WrongGenesis("the database belongs to a chain with another genesis file")
    height = reader.flushed_height or 0
    row = reader.header(height) if height else None
    if row is None:
        raise StorageFailed("the database holds no state of a block yet; stop the node, or wait")
    header = read_header(row, chain)
    stored_certificate(row)
    entries, size = reader.state_size()
    manifest = Manifest(
        version=VERSION,
        chain=chain.name,
        genesis=chain.genesis_hash.hex(),
        height=height,
        block=row.hash.hex(),
        state_root=header.state_root,
        entries=entries,
        size=size,
    )
    writer = SnapshotWriter(stream, manifest, row.header, row.certificate)
    tree = Tree()
    batch: dict[bytes, bytes | None] = {}
    for key, value in reader.state_rows():
        writer.add(key, value)
        batch[key] = value
        if len(batch) >= CHECK_ENTRIES:
            tree.apply(tree.change(batch))
            batch = {}
    tree.apply(tree.change(batch))
    if tree.root.hex() != header.state_root:
        raise StoreCorrupt(f"the stored state does not have the root of block {height}")
    writer.finish()
    return manifest


def import_snapshot(stream: BinaryIO, directory: Path, chain: Chain, trusted: Trusted) -> Manifest:
    """Make a database in an empty `directory`; nothing is there unless all of the file holds.

    Raises SnapshotRefused, NotEmpty, StoreLocked, StorageFailed.
    """
    with seeding(directory) as seed:
        snapshot = open_snapshot(stream, chain, trusted)
        head = load_snapshot(snapshot, chain, seed.add)
        anchor = StoredTip(head.height, head.hash, snapshot.header, snapshot.certificate)
        seed.finish(chain.genesis_hash, anchor, election_bytes(head.election))
    return snapshot.manifest


def open_snapshot(stream: BinaryIO, chain: Chain, trusted: Trusted | None) -> SnapshotFile:
    """The file, once it is known to be of this chain and of the trusted block.

    Without `trusted` the caller judges the block itself.  Raises SnapshotRefused.
    """
    snapshot = SnapshotFile(stream)
    manifest = snapshot.manifest
    if manifest.genesis != chain.genesis_hash.hex() or manifest.chain != chain.name:
        raise SnapshotRefused(
            Refusal.WRONG_GENESIS,
            f"made for genesis {manifest.genesis}, the genesis file is {chain.genesis_hash.hex()}",
        )
    stated = (manifest.height, manifest.block)
    if trusted is not None and stated != (trusted.height, trusted.hash.hex()):
        raise SnapshotRefused(
            Refusal.UNTRUSTED_BLOCK, f"it is of block {manifest.height}, hash {manifest.block}"
        )
    return snapshot


def load_snapshot(snapshot: SnapshotFile, chain: Chain, keep: Keep) -> Head:
    """Read all of the state and judge it; `keep` is handed each chunk before the verdict.

    Raises SnapshotRefused.
    """
    header, certificate = _block(snapshot, chain)
    state = State()
    for chunk in snapshot.chunks():
        overlay = Overlay(state)
        for key, value in chunk:
            overlay.put(key, value)
        state.merge(overlay)
        keep(chunk)
    if state.root.hex() != header.state_root:
        raise SnapshotRefused(Refusal.WRONG_ROOT, f"the state has the root {state.root.hex()}")
    try:
        _require_sound(state, header, certificate, chain)
        return head_at(state, header, bytes.fromhex(snapshot.manifest.block), certificate)
    except (Corrupt, Rejected) as error:
        raise SnapshotRefused(Refusal.BAD_STATE, str(error)) from None


def _block(snapshot: SnapshotFile, chain: Chain) -> tuple[Header, Certificate]:
    """Header and certificate, the one hashing to the stated block and the other naming it."""
    manifest = snapshot.manifest
    digest = block_hash(snapshot.header, chain.genesis_hash)
    if digest.hex() != manifest.block:
        raise SnapshotRefused(Refusal.WRONG_HEADER, f"its header has the hash {digest.hex()}")
    try:
        header = decode_header(snapshot.header)
    except Rejected as error:
        raise SnapshotRefused(Refusal.WRONG_HEADER, str(error)) from None
    stated = (manifest.chain, manifest.height, manifest.state_root)
    if stated != (header.chain, header.height, header.state_root):
        raise SnapshotRefused(Refusal.WRONG_HEADER, "the manifest says otherwise than the header")
    try:
        certificate = decode_certificate(snapshot.certificate)
    except Rejected as error:
        raise SnapshotRefused(Refusal.BAD_CERTIFICATE, str(error)) from None
    subject = (certificate.kind, certificate.height, certificate.payload)
    if subject != (VoteKind.FINALIZE, header.height, digest):
        raise SnapshotRefused(Refusal.BAD_CERTIFICATE, "it finalizes another block")
    return header, certificate


def _require_sound(state: State, header: Header, certificate: Certificate, chain: Chain) -> None:
    """All that must hold between a state, its block and the genesis."""
    height = read_tip(state).height
    if height != header.height:
        raise SnapshotRefused(Refusal.BAD_STATE, f"the state is of height {height}")
    if next_validator_set(state).digest.hex() != header.validators_hash:
        raise SnapshotRefused(Refusal.BAD_STATE, "the next voting set is not the header's")
    voters = validator_set(state, header.height)
    if not verify_certificate(certificate, voters, chain.genesis_hash, verify):
        raise SnapshotRefused(
            Refusal.BAD_CERTIFICATE, f"not signed by a quorum of the {voters.n} that vote"
        )
    made, found = genesis_money(chain.genesis.genesis.ledger), total_money(state)
    if found != made:
        raise SnapshotRefused(
            Refusal.WRONG_MONEY, f"{found} micro-tokens in all, the genesis made {made}"
        )
