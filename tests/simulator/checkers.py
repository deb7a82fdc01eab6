"""What must hold, stated from outside: over the union of all that honest nodes send and decide.

The arithmetic is written again here, on purpose, so that it cannot share a mistake with the core.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from consensus.simplex.application import BlockFacts
from consensus.simplex.events import Message
from consensus.simplex.evidence import Evidence
from consensus.simplex.journal import HeldCertificate, OwnVote
from consensus.simplex.types import (
    Certificate,
    ValidatorSet,
    Verify,
    Vote,
    VoteKind,
    vote_message,
)
from tests.simulator.disk import DiskRecord

if TYPE_CHECKING:
    from tests.simulator.node import SimulatedNode


class Violation(Exception):
    """The protocol broke a promise."""


Slot = tuple[bytes, int, int, VoteKind]
"""(key, height, view, kind): what a validator may sign once."""


@dataclass
class Monitor:
    """Sees every message of honest nodes as it leaves and every decision as it is made.

    clocks: the latest time a good clock can show now; final blocks may be `drift_bound_ms` ahead.
    """

    genesis_hash: bytes
    verify: Verify
    validators: Callable[[int], ValidatorSet]
    dishonest: tuple[int, ...] = ()
    latest_clock_ms: Callable[[], int] | None = None
    drift_bound_ms: int = 0
    final: dict[int, tuple[int, bytes]] = field(default_factory=dict)
    """height -> lowest view seen finalized, digest"""
    facts: dict[int, BlockFacts] = field(default_factory=dict)
    """What the headers of the final blocks say."""
    _votes: dict[Slot, tuple[int, bytes]] = field(default_factory=dict)
    _skipped: dict[Slot, None] = field(default_factory=dict)
    _notarized: dict[int, dict[int, tuple[int, bytes]]] = field(default_factory=dict)
    _nullified: dict[int, dict[int, None]] = field(default_factory=dict)
    _certificates: dict[Certificate, None] = field(default_factory=dict)
    _states: dict[int, bytes] = field(default_factory=dict)
    _heights: dict[int, int] = field(default_factory=dict)
    _durable: dict[int, int] = field(default_factory=dict)

    def violation(self, text: str) -> None:
        raise Violation(text)

    # -- votes

    def sent(self, node: SimulatedNode, message: Message) -> None:
        """A message leaves a node."""
        if node.index in self.dishonest:
            return
        if isinstance(message, Vote):
            self._vote_sent(node, message)
        elif isinstance(message, Certificate):
            self._seen(message)

    def synced(self, node: SimulatedNode) -> None:
        """The disk says that all it was given is durable, so every height committed so far is."""
        self._durable[node.index] = self._heights.get(node.index, 0)

    def persisted(self, node: SimulatedNode, records: Sequence[DiskRecord]) -> None:
        """Records became durable on a node: from now on it may act on them."""
        if node.index in self.dishonest:
            return
        for record in records:
            if isinstance(record, HeldCertificate):
                self._seen(record.certificate)
            elif isinstance(record, OwnVote):
                self._vote_signed(node, record.vote)

    def _vote_signed(self, node: SimulatedNode, vote: Vote) -> None:
        """R7: no NOTARIZE is signed after a NULLIFY of that view, in this life or an earlier."""
        slot = (node.signer.public_key, vote.height, vote.view, VoteKind.NULLIFY)
        if vote.kind is VoteKind.NULLIFY:
            self._skipped[slot] = None
        elif slot in self._skipped and (*slot[:3], vote.kind) not in self._votes:
            self.violation(f"node {node.index} signed {vote.kind.name} after NULLIFY: {vote}")

    def _vote_sent(self, node: SimulatedNode, vote: Vote) -> None:
        if vote not in node.disk.own_votes:
            self.violation(f"node {node.index} sent a vote that is not on its disk: {vote}")
        key = self.validators(vote.height).keys[vote.signer]
        if key != node.signer.public_key:
            self.violation(f"node {node.index} signed as another")
        slot = (key, vote.height, vote.view, vote.kind)
        if self._votes.setdefault(slot, vote.proposal) != vote.proposal:
            self.violation(f"node {node.index} signed two {vote.kind.name} in {slot[1:3]}")
        rival = {VoteKind.NULLIFY: VoteKind.FINALIZE, VoteKind.FINALIZE: VoteKind.NULLIFY}
        if vote.kind in rival and (*slot[:3], rival[vote.kind]) in self._votes:
            self.violation(f"node {node.index} signed NULLIFY and FINALIZE in {slot[1:3]}")
        if vote.kind is VoteKind.NOTARIZE:
            self._check_parent(node, vote)
        held = self._notarized.get(vote.height, {}).get(vote.view)
        if vote.kind is VoteKind.FINALIZE and held != vote.proposal:
            self.violation(f"node {node.index} finalizes what nobody showed notarized: {vote}")

    def _check_parent(self, node: SimulatedNode, vote: Vote) -> None:
        """A vote extends a notarized parent (or the root) with every view between skipped."""
        parent = self._notarized.get(vote.height, {}).get(vote.parent_view, (0, b""))
        if vote.parent_view and parent[1] != vote.payload:
            self.violation(f"node {node.index} extends what is not notarized: {vote}")
        for view in range(vote.parent_view + 1, vote.view):
            if view not in self._nullified.get(vote.height, {}):
                self.violation(f"node {node.index} jumps over view {view}, not skipped: {vote}")

    # -- certificates

    def _seen(self, certificate: Certificate) -> None:
        if certificate in self._certificates:
            return
        self._certificates[certificate] = None
        self._check_certificate(certificate)
        height, view = certificate.height, certificate.view
        if certificate.kind is VoteKind.NOTARIZE:
            held = self._notarized.setdefault(height, {}).setdefault(view, certificate.proposal)
            if held != certificate.proposal:
                self.violation(f"two proposals notarized in height {height} view {view}")
        elif certificate.kind is VoteKind.NULLIFY:
            self._nullified.setdefault(height, {})[view] = None
        else:
            self._finalized(certificate)
        self._check_final(certificate.height)

    def _check_certificate(self, certificate: Certificate) -> None:
        validators = self.validators(certificate.height)
        n = len(validators.keys)
        bits = int.from_bytes(certificate.signers, "little")
        signers = [index for index in range(n) if bits >> index & 1]
        quorum = n - (n - 1) // 3
        if bits >> n or len(certificate.signers) != -(-n // 8) or len(signers) < quorum:
            self.violation(f"certificate with bad signers: {certificate}")
        if len(signers) != len(certificate.signatures):
            self.violation(f"certificate with surplus signatures: {certificate}")
        message = vote_message(
            self.genesis_hash,
            validators.digest,
            certificate.kind,
            certificate.height,
            certificate.view,
            certificate.parent_view,
            certificate.payload,
        )
        for index, signature in zip(signers, certificate.signatures, strict=True):
            if not self.verify(validators.keys[index], message, signature):
                self.violation(f"certificate with a bad signature: {certificate}")

    def _finalized(self, certificate: Certificate) -> None:
        height, view = certificate.height, certificate.view
        held = self.final.setdefault(height, (view, certificate.payload))
        if held[1] != certificate.payload:
            self.violation(f"fork: two blocks final at height {height}")
        self.final[height] = (min(view, held[0]), held[1])

    def _check_final(self, height: int) -> None:
        """No skip of the final view; every notarization from there on carries the final block."""
        if height not in self.final:
            return
        view, payload = self.final[height]
        if view in self._nullified.get(height, {}):
            self.violation(f"height {height} view {view} is final and skipped")
        for other_view, (_, other) in self._notarized.get(height, {}).items():
            if other_view >= view and other != payload:
                self.violation(f"height {height}: view {other_view} notarized beside the final one")

    # -- decisions

    def decided(self, node: SimulatedNode, data: bytes, certificate: Certificate) -> None:
        """A node commits a block."""
        if node.index in self.dishonest:
            return
        if certificate.kind is not VoteKind.FINALIZE or certificate.payload != node.plug.digest(
            data
        ):
            self.violation(f"node {node.index} committed on the wrong certificate")
        self._seen(certificate)
        expected = self._heights.get(node.index, 0) + 1
        if certificate.height != expected:
            self.violation(f"node {node.index} committed {certificate.height}, expected {expected}")
        self._heights[node.index] = certificate.height
        if certificate.height not in self.facts and node.application is not None:
            self._check_chain(node.application.inspect(data), certificate)

    def _check_chain(self, facts: BlockFacts, certificate: Certificate) -> None:
        """The first decision of a height: it links to the block below, and its time is right."""
        below = self.facts.get(facts.height - 1)
        if (facts.height, facts.digest) != (certificate.height, certificate.payload):
            self.violation(f"the final block of height {certificate.height} is of {facts.height}")
        if not 1 <= facts.origin_view <= certificate.view:
            self.violation(f"block {facts.height} is of view {facts.origin_view}")
        if below is not None and (facts.parent != below.digest or facts.time_ms <= below.time_ms):
            self.violation(f"block {facts.height} does not follow the one below")
        if self.latest_clock_ms is not None:
            latest_ms = self.latest_clock_ms() + self.drift_bound_ms
            if facts.time_ms > latest_ms:
                ahead = facts.time_ms - latest_ms
                self.violation(f"block {facts.height} is {ahead} ms ahead of every good clock")
        self.facts[facts.height] = facts

    def state(self, node: SimulatedNode, height: int, fingerprint: bytes) -> None:
        """Equal heights mean equal states, before and after a restart too."""
        if node.index in self.dishonest:
            return
        if self._states.setdefault(height, fingerprint) != fingerprint:
            self.violation(f"node {node.index} has another state at height {height}")

    def restarted(self, node: SimulatedNode) -> None:
        """A node starts again from what its disk holds; what was durable still is."""
        self._heights[node.index] = node.disk.tip
        if node.is_restored:  # an old copy of the disk, and the node knows it
            self._durable[node.index] = node.disk.tip
        if node.disk.tip < self._durable.get(node.index, 0) and node.is_honest:
            self.violation(f"node {node.index} lost final height {self._durable[node.index]}")

    # -- judgements about others

    def accused(self, node: SimulatedNode, evidence: Evidence) -> None:
        if node.index in self.dishonest:
            return
        key = self.validators(evidence.height).keys[evidence.signer]
        accused = node.keys.index(key)
        if accused not in self.dishonest:
            self.violation(f"node {node.index} accuses honest node {accused}")

    def blocked(self, node: SimulatedNode, peer: int, why: str) -> None:
        if node.index not in self.dishonest and peer not in self.dishonest:
            self.violation(f"node {node.index} blocks honest node {peer}: {why}")
