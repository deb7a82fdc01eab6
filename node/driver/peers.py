"""What the driver remembers about peers and near heights, all of it bounded.

`EarlyMessages` keeps votes and certificates of the next height, so that a node that is slightly
late loses nothing.  `RecentHeights` keeps how the last heights ended, to help a node that is late
itself.  `PeerBudget` bounds how often any one peer is helped.
"""

from dataclasses import dataclass, field
from typing import TypeVar

from consensus.simplex.types import Certificate, PeerKey, ValidatorSet, Vote

T = TypeVar("T")

EARLY_PEERS = 64
EARLY_VOTES_PER_PEER = 24
EARLY_CERTIFICATES_PER_PEER = 8
EARLY_MESSAGES = EARLY_PEERS * (EARLY_VOTES_PER_PEER + EARLY_CERTIFICATES_PER_PEER)
RECENT_HEIGHTS = 8


@dataclass(slots=True)
class EarlyMessages:
    """Unverified votes and certificates of the next height, in order of arrival."""

    _votes: dict[PeerKey, list[Vote]] = field(default_factory=dict)
    _certificates: dict[PeerKey, list[Certificate]] = field(default_factory=dict)

    def add(self, peer: PeerKey, message: Vote | Certificate) -> None:
        """Keep it, unless this peer has filled its share; a repetition is not kept."""
        if isinstance(message, Vote):
            _keep(self._votes, peer, message, EARLY_VOTES_PER_PEER)
        else:
            _keep(self._certificates, peer, message, EARLY_CERTIFICATES_PER_PEER)

    def count(self) -> int:
        """How many are kept, at most EARLY_MESSAGES."""
        return sum(map(len, self._votes.values())) + sum(map(len, self._certificates.values()))

    def drain(self) -> list[tuple[PeerKey, Vote | Certificate]]:
        """All that was kept, certificates first; empty afterwards."""
        kept: list[tuple[PeerKey, Vote | Certificate]] = []
        for peer, certificates in self._certificates.items():
            kept.extend((peer, certificate) for certificate in certificates)
        for peer, votes in self._votes.items():
            kept.extend((peer, vote) for vote in votes)
        self._votes, self._certificates = {}, {}
        return kept


def _keep(shares: dict[PeerKey, list[T]], peer: PeerKey, item: T, most: int) -> None:
    share = shares.get(peer)
    if share is None:
        if len(shares) < EARLY_PEERS:
            shares[peer] = [item]
    elif len(share) < most and item not in share:
        share.append(item)


@dataclass(frozen=True, slots=True)
class Finished:
    """How a height ended."""

    certificate: Certificate
    validators: ValidatorSet
    at_ms: int


@dataclass(slots=True)
class RecentHeights:
    """The last RECENT_HEIGHTS heights."""

    _by_height: dict[int, Finished] = field(default_factory=dict)

    def add(self, finished: Finished) -> None:
        self._by_height[finished.certificate.height] = finished
        self._by_height.pop(finished.certificate.height - RECENT_HEIGHTS, None)

    def get(self, height: int) -> Finished | None:
        return self._by_height.get(height)


@dataclass(slots=True)
class PeerBudget:
    """At most `most` grants per peer in every `period_ms`; remembers 256 peers."""

    most: int
    period_ms: int
    _spent: dict[PeerKey, tuple[int, int]] = field(default_factory=dict)

    def allow(self, peer: PeerKey, now_ms: int) -> bool:
        """Whether this peer gets one more."""
        began, count = self._spent.get(peer, (now_ms, 0))
        if now_ms - began >= self.period_ms:
            began, count = now_ms, 0
        if count >= self.most:
            return False
        self._spent.pop(peer, None)
        if len(self._spent) >= 256:
            del self._spent[next(iter(self._spent))]
        self._spent[peer] = (began, count + 1)
        return True
