"""The genesis file: all that the members of a chain agree on before block 1.

The file is canonical JSON, so it has one byte form and one hash, and that hash stands under every
signature of the chain: a node with another genesis file speaks to nobody.  For the same reason the
file cannot be edited once a chain runs; a database remembers the hash it was made for.
"""

from dataclasses import dataclass
from pathlib import Path

from auction.genesis import MarketGenesis
from auction.genesis import seed_state as seed_market
from auction.sealed import least_bytes
from consensus.commits import most_bytes
from consensus.genesis import ConsensusGenesis
from consensus.genesis import seed_state as seed_consensus
from ledger.accounts import total_money
from ledger.codec import Codec, Record, encode
from ledger.crypto import digest
from ledger.errors import Rejected
from ledger.genesis import LedgerGenesis
from ledger.genesis import seed_state as seed_ledger
from ledger.state import Overlay, State
from ledger.types import MAX_INTEGER, ChainName, Digest, Milliseconds

# A genesis of a thousand members with names and endpoints takes about half a megabyte.
MAX_GENESIS_BYTES = 64 * 2**20


class GenesisError(Exception):
    """The genesis file cannot be used; the message says why and is meant for people."""


class Genesis(Record):
    """The whole genesis.  `time_ms` is the chain's time 0: the first block's must be later."""

    chain: ChainName
    time_ms: Milliseconds
    ledger: LedgerGenesis
    consensus: ConsensusGenesis
    market: MarketGenesis


@dataclass(frozen=True, slots=True)
class LoadedGenesis:
    """A genesis with its canonical bytes and their hash."""

    genesis: Genesis
    data: bytes
    hash: Digest


_CODEC = Codec(Genesis, max_bytes=MAX_GENESIS_BYTES)


def encode_genesis(genesis: Genesis) -> bytes:
    """The canonical bytes, as they belong into the file."""
    return encode(genesis)


def genesis_hash(data: bytes) -> Digest:
    """The chain's identity: the digest of the canonical bytes, tag "genesis"."""
    return digest("genesis", data)


def from_genesis(genesis: Genesis) -> LoadedGenesis:
    """A genesis made in this process, checked like one from a file.  Raises GenesisError."""
    return from_bytes(encode_genesis(genesis))


def from_bytes(data: bytes) -> LoadedGenesis:
    """Decode and check canonical bytes.  Raises GenesisError."""
    try:
        genesis = _CODEC.decode(data)
    except Rejected as error:
        raise GenesisError(f"the genesis is not usable: {error}") from error
    if genesis.chain != genesis.ledger.parameters.chain:
        raise GenesisError(
            f'the chain is named "{genesis.chain}" at the top and'
            f' "{genesis.ledger.parameters.chain}" in the ledger parameters'
        )
    _require_room(genesis)
    return LoadedGenesis(genesis, data, genesis_hash(data))


def _require_room(genesis: Genesis) -> None:
    """A block must hold what its builder cannot leave out, or no block could follow."""
    needed = max(most_bytes(len(genesis.ledger.members)), least_bytes(len(genesis.market.brokers)))
    room = genesis.ledger.parameters.max_sealed_bytes
    if room < needed:
        raise GenesisError(
            f"max_sealed_bytes is {room}, these members and brokers may need {needed}"
        )


def load(path: Path) -> LoadedGenesis:
    """Read a genesis file; one newline at its end is allowed.  Raises GenesisError."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise GenesisError(f"cannot read {path}: {error.strerror}") from error
    try:
        return from_bytes(data.removesuffix(b"\n"))
    except GenesisError as error:
        raise GenesisError(f"{path}: {error}") from error


def genesis_state(loaded: LoadedGenesis) -> State:
    """state_0: ledger, then consensus, then market.  Raises GenesisError."""
    state = State()
    overlay = Overlay(state)
    try:
        seed_ledger(overlay, loaded.genesis.ledger)
        seed_consensus(overlay, loaded.genesis.consensus, loaded.hash)
        seed_market(overlay, loaded.genesis.market)
    except Rejected as error:
        raise GenesisError(f"the genesis contradicts itself: {error}") from error
    state.merge(overlay)
    money = total_money(state)
    if money > MAX_INTEGER:
        raise GenesisError(f"{money} micro-tokens in all, more than the bound {MAX_INTEGER}")
    return state
