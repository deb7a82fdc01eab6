"""Listens to all votes of a network as one more peer, and keeps them to be judged afterwards.

A node sends its votes and certificates to every peer it knows, observers included.  The tap is
such an observer: it is named to the nodes by the environment, dials each of them, and comes back
when one was down.  What it heard is joined with what lies in blocks and in the nodes' journals,
so a second vote is found wherever it left a trace.
"""

import asyncio
import contextlib
import os
import sqlite3
import threading
from collections import defaultdict
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from socket import socket

from consensus.commits import Commits
from consensus.simplex.certificates import verify_vote, votes_of
from consensus.simplex.evidence import conflicts
from consensus.simplex.types import Certificate, ValidatorSet, Vote
from consensus.simplex.wire import decode_certificate, decode_message, decode_vote
from ledger.blocks import decode_block
from ledger.crypto import SigningKey, verify
from ledger.parameters import BlockLimits
from node.application.genesis import LoadedGenesis, genesis_state
from node.application.head import genesis_head
from node.peers.frames import ConsensusFrame, PingFrame, decode_frame, pong_frame
from node.peers.handshake import HandshakeError
from node.peers.links import dial
from node.peers.peer import LinkClosed
from node.storage.journal import KIND_VOTE
from node.storage.store import DATABASE_FILE

FRAME_BYTES_MAX = 4 * 2**20
ANY_SIZE = BlockLimits(
    max_bytes=2**31, max_transactions=2**31, max_transaction_bytes=2**31, max_sealed_bytes=2**31
)


class VoteLedger:
    """Every vote seen, by who may have signed it only once.  Fed by a thread, asked by another."""

    def __init__(self) -> None:
        self._votes: dict[tuple[int, int, int], set[Vote]] = defaultdict(set)
        self._lock = threading.Lock()

    def add(self, votes: Iterable[Vote]) -> None:
        with self._lock:
            for vote in votes:
                self._votes[vote.height, vote.view, vote.signer].add(vote)

    def _seen(self) -> list[list[Vote]]:
        with self._lock:
            return [list(votes) for votes in self._votes.values()]

    def per_height(self) -> float:
        """How many votes were seen for a height, on average."""
        seen = [vote for votes in self._seen() for vote in votes]
        return len(seen) / max(1, len({vote.height for vote in seen}))

    def signed_twice(self) -> list[tuple[Vote, Vote]]:
        """Pairs of votes that convict their signer."""
        return [
            (left, right)
            for votes in self._seen()
            for left in votes
            for right in votes
            if conflicts(left, right)
        ]

    def forged(self, validators: ValidatorSet, genesis_hash: bytes) -> list[Vote]:
        """Votes whose signature does not hold: they would prove nothing."""
        return [
            vote
            for votes in self._seen()
            for vote in votes
            if not verify_vote(vote, validators, genesis_hash, verify)
        ]


class VoteTap:
    """The listening peer.  `environment` makes the nodes know it; `follow` starts to listen."""

    def __init__(self) -> None:
        self.ledger = VoteLedger()
        self._key = SigningKey.from_seed(os.urandom(32))
        # Nodes dial it too: a port that is taken and never listened on refuses them at once.
        self._door = socket()
        self._door.bind(("127.0.0.1", 0))
        peer = f"{self._key.address}@127.0.0.1:{self._door.getsockname()[1]}"
        self.environment = {"TWINCHAIN_P2P__PEERS": peer}
        self._closing = False
        self._thread: threading.Thread | None = None

    def follow(self, nodes: Iterable[tuple[str, str]], genesis_hash: bytes) -> None:
        """Listen to these nodes (URL, account) until closed."""
        places = list(nodes)

        async def listen_to_all() -> None:
            tasks = [self._listen(url, address, genesis_hash) for url, address in places]
            await asyncio.gather(*tasks)

        self._thread = threading.Thread(target=asyncio.run, args=(listen_to_all(),), daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End; the nodes are down by now, so no link is left to wait for."""
        self._closing = True
        if self._thread is not None:
            self._thread.join(20.0)
        self._door.close()

    async def _listen(self, url: str, address: str, genesis_hash: bytes) -> None:
        expected = bytes.fromhex(address)
        while not self._closing:
            with contextlib.suppress(LinkClosed, HandshakeError):
                link = await dial(url, self._key, genesis_hash, expected, FRAME_BYTES_MAX)
                try:
                    while True:
                        frame = decode_frame(await link.receive(), FRAME_BYTES_MAX)
                        if isinstance(frame, PingFrame):
                            await link.send(pong_frame(frame.token))
                        elif isinstance(frame, ConsensusFrame):
                            self._hear(frame.message)
                finally:
                    await link.close()
            await asyncio.sleep(0.05)

    def _hear(self, message: bytes) -> None:
        heard = decode_message(message)
        if isinstance(heard, Vote):
            self.ledger.add([heard])
        elif isinstance(heard, Certificate):
            self.ledger.add(votes_of(heard))


def own_votes(data_directory: Path) -> list[Vote]:
    """The votes in a node's journal: what it signed in the height it was working on."""
    with closing(_read_only(data_directory)) as connection:
        rows = connection.execute(
            "SELECT data FROM journal WHERE kind = ?", (KIND_VOTE,)
        ).fetchall()
    return [decode_vote(data) for (data,) in rows]


def votes_on_chain(data_directory: Path, genesis_hash: bytes) -> list[Vote]:
    """All votes in a node's blocks: certificates, late votes, skipped views."""
    with closing(_read_only(data_directory)) as connection:
        rows = connection.execute(
            "SELECT block.certificate, body.data FROM block JOIN body USING (height)"
        ).fetchall()
    found: list[Vote] = []
    for certificate, body in rows:
        commits = Commits.decode(decode_block(body, genesis_hash, ANY_SIZE).commits)
        last = [commits.last_commit] if commits.last_commit else []
        for each in (decode_certificate(certificate), *last, *commits.skips):
            found += votes_of(each)
        found += commits.late_votes
    return found


def genesis_validators(genesis: LoadedGenesis) -> ValidatorSet:
    """The voting set of a network whose members never change."""
    return genesis_head(genesis_state(genesis), genesis).validators


def _read_only(data_directory: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{data_directory / DATABASE_FILE}?mode=ro", uri=True)
