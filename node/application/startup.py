"""From a database to a running application: verify what is stored, rebuild what was written behind.

What is checked, and what each check finds:
- every header links to the one below and hashes to what its row says; every certificate names its
  block (a row lost, swapped or altered);
- the last bodies are those their headers name (bit rot: SQLite does not notice it);
- the stored state has the root in the header of the height it stands for;
- executing the bodies above that height leads to the roots in their headers.
Anything else is `StoreCorrupt`: such a database is refused, never repaired in place.

A database made from a snapshot begins after a block whose header and certificate it holds without
the body; all of the above then holds from that block on.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Protocol

from consensus.history import read_sets
from consensus.sets import as_validators
from consensus.simplex.types import Certificate, VoteKind
from consensus.simplex.wire import decode_certificate
from ledger.blocks import Header, block_hash, decode_block, decode_header
from ledger.errors import Corrupt, Rejected
from ledger.parameters import BlockLimits
from ledger.state import State
from ledger.types import Digest, Height
from node.application.application import Application, CommitSink, Options, election_bytes
from node.application.chain import Chain, chain_of
from node.application.checking import OWN_DATABASE, check_block
from node.application.genesis import LoadedGenesis, genesis_state
from node.application.head import Head, genesis_head, head_after, head_at
from node.storage.batch import StoredTip
from node.storage.errors import StoreCorrupt
from node.storage.store import Store

# Bodies below the flushed height that are hashed again at every start, newest first.
CHECKED_BODIES = 16

# The bounds in force when a block was decided are not known before its state is; it was checked
# against them then.  These are above any that a chain can set.
STORED_LIMITS = BlockLimits(
    max_bytes=2**31, max_transactions=2**31, max_transaction_bytes=2**31, max_sealed_bytes=2**31
)


class Stored(Protocol):
    """What is read at start: of the node's own store, or of a database that is only looked at."""

    @property
    def flushed_height(self) -> Height | None: ...
    def anchor(self) -> StoredTip | None: ...
    def headers(self) -> Iterator[StoredTip]: ...
    def header(self, height: Height) -> StoredTip | None: ...
    def body(self, height: Height) -> bytes | None: ...
    def state_rows(self) -> Iterable[tuple[bytes, bytes]]: ...
    def remember(
        self,
        height: Height,
        changes: Mapping[bytes, bytes | None],
        transaction_ids: Iterable[Digest],
    ) -> None: ...


def open_application(
    store: Store, genesis: LoadedGenesis, options: Options, sink: CommitSink
) -> Application:
    """The application at the database's tip; a new database is given the genesis state first.

    Raises StoreCorrupt, StorageFailed, GenesisError.
    """
    chain = chain_of(genesis)
    if store.pending.flushed_height is None:
        _write_genesis(store, chain)
    head = load_head(store, chain)
    store.save_sets([as_validators(seats) for seats in read_sets(head.state)])
    return Application(chain, head, options, sink)


def _write_genesis(store: Store, chain: Chain) -> None:
    head = genesis_head(genesis_state(chain.genesis), chain.genesis)
    store.save_election(1, election_bytes(head.election))
    store.remember(0, dict(head.state.items()), ())
    store.flush()


def load_head(store: Stored, chain: Chain, bodies: int = CHECKED_BODIES) -> Head:
    """The committed head as the database has it, verified.

    bodies: how many below the flushed height are hashed again.
    """
    tip = check_headers(store, chain)
    flushed = store.flushed_height or 0
    anchor = store.anchor()
    lowest = 1 if anchor is None else anchor.height + 1
    height = 0 if tip is None else tip.height
    if flushed > height:
        raise StoreCorrupt(f"the state is of height {flushed}, the chain ends at {height}")
    _check_bodies(store, chain, max(lowest, flushed - bodies + 1), flushed)
    head = _flushed_head(store, chain)
    for at in range(flushed + 1, height + 1):
        head = _execute_stored(store, chain, head, at)
    if tip is not None and head.hash != tip.hash:
        raise StoreCorrupt("the bodies lead to another tip than the headers")
    return head


def check_headers(store: Stored, chain: Chain) -> StoredTip | None:
    """Walk all headers from block 1, or from the snapshot's block on; returns the last row."""
    last = store.anchor()
    parent = chain.genesis_hash if last is None else last.hash
    if last is not None:
        if read_header(last, chain).height != last.height:
            raise StoreCorrupt("the block of the snapshot is stored under another height")
        stored_certificate(last)
    for row in store.headers():
        header = read_header(row, chain)
        expected = 1 if last is None else last.height + 1
        if row.height != expected or header.height != expected:
            raise StoreCorrupt(f"height {row.height} is stored where {expected} belongs")
        if header.parent != parent.hex():
            raise StoreCorrupt(f"block {row.height} does not link to the block below")
        stored_certificate(row)
        parent, last = row.hash, row
    return last


def read_header(row: StoredTip, chain: Chain) -> Header:
    """The header of a stored block.  StoreCorrupt unless it has the stored hash."""
    if block_hash(row.header, chain.genesis_hash) != row.hash:
        raise StoreCorrupt(f"the header of block {row.height} does not have the stored hash")
    try:
        return decode_header(row.header)
    except Rejected as error:
        raise StoreCorrupt(f"the header of block {row.height} does not decode: {error}") from error


def stored_certificate(row: StoredTip) -> Certificate:
    """The finalization stored with a block.  StoreCorrupt unless it is one of that block."""
    try:
        certificate = decode_certificate(row.certificate)
    except Rejected as error:
        raise StoreCorrupt(f"certificate of {row.height} does not decode: {error}") from error
    if (certificate.kind, certificate.height, certificate.payload) != (
        VoteKind.FINALIZE,
        row.height,
        row.hash,
    ):
        raise StoreCorrupt(f"the certificate stored with block {row.height} is not of that block")
    return certificate


def _row_at(store: Stored, height: int) -> StoredTip:
    row = store.header(height)
    if row is None:
        raise StoreCorrupt(f"block {height} is missing")
    return row


def _body(store: Stored, height: int) -> bytes:
    data = store.body(height)
    if data is None:
        raise StoreCorrupt(f"the body of block {height} is missing")
    return data


def _check_bodies(store: Stored, chain: Chain, first: int, last: int) -> None:
    limits = STORED_LIMITS
    for height in range(last, first - 1, -1):
        try:
            block = decode_block(_body(store, height), chain.genesis_hash, limits)
        except Rejected as error:
            raise StoreCorrupt(f"the body of block {height} is altered: {error}") from error
        _same_hash(height, block.hash, _row_at(store, height).hash)


def _same_hash(height: int, found: Digest, stored: Digest) -> None:
    if found != stored:
        raise StoreCorrupt(f"the body of block {height} belongs to {found.hex()}")


def _flushed_head(store: Stored, chain: Chain) -> Head:
    """The head at the height the state table stands for."""
    height = store.flushed_height or 0
    state = State.from_items(store.state_rows())
    if height == 0:
        if state.root != genesis_state(chain.genesis).root:
            raise StoreCorrupt("the stored state is not that of the genesis")
        return genesis_head(state, chain.genesis)
    row = _row_at(store, height)
    header = read_header(row, chain)
    if state.root.hex() != header.state_root:
        raise StoreCorrupt(f"the stored state does not have the root of block {height}")
    try:
        return head_at(state, header, row.hash, stored_certificate(row))
    except (Corrupt, Rejected) as error:
        raise StoreCorrupt(f"the stored state does not read back: {error}") from error


def _execute_stored(store: Stored, chain: Chain, head: Head, height: int) -> Head:
    """Execute the stored body of `height` on `head` and merge it."""
    row = _row_at(store, height)
    try:
        proposal = check_block(chain, head, _body(store, height), OWN_DATABASE)
    except Rejected as error:
        raise StoreCorrupt(f"block {height} does not execute: {error}") from error
    _same_hash(height, proposal.block.hash, row.hash)
    execution = proposal.execution
    changes = execution.overlay.changes
    head.state.merge(execution.overlay)
    store.remember(height, changes, [transaction.id for transaction in execution.included])
    return head_after(head.state, proposal.block, stored_certificate(row))
