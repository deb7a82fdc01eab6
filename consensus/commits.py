"""What a block says about votes: last commit, late votes, skips and evidence, as bytes.

These move money and turns, so they lie under the header's hash (`commits_root`).  The form is

    pack( pack(last commit: 0 or 1 certificate),
          pack(late votes, ascending by height and signer),
          pack(skips: the nullify certificates of views 1, 2, ..., in that order),
          pack(evidence items, opaque here) )

with `pack` of the ledger's codec and the finality core's binary form of votes and certificates.
The decoder checks structure, order and bounds, so that equal contents have equal bytes; what
the certificates are worth is judged by consensus/checks.py.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from consensus.simplex.types import MAX_VALIDATORS, Certificate, Vote
from consensus.simplex.wire import decode_certificate, decode_vote, encode_certificate, encode_vote
from ledger.codec import pack, unpack
from ledger.errors import Reason, Rejected

MAX_COMMITS_BYTES: Final = 8 * 2**20  # 255 skips by 256 validators take 4.4 MB
MAX_LATE_VOTES: Final = 3 * MAX_VALIDATORS  # three heights, each voter once
MAX_EVIDENCE: Final = 16  # per block; more waits for the next one
_PARTS: Final = 4
_FIXED_BYTES: Final = 64  # a certificate without signers, or half a vote, lengths included


@dataclass(frozen=True, slots=True)
class Commits:
    """The decoded commits of one block.

    `last_commit` finalizes the parent (absent in block 1 only); `late_votes` are finalize votes
    of recent heights; `skips` nullify the views before the block's origin view.
    """

    last_commit: Certificate | None = None
    late_votes: tuple[Vote, ...] = ()
    skips: tuple[Certificate, ...] = ()
    evidence: tuple[bytes, ...] = ()

    def encode(self) -> bytes:
        """The canonical bytes: Block.commits."""
        last = () if self.last_commit is None else (encode_certificate(self.last_commit),)
        late = tuple(encode_vote(vote) for vote in self.late_votes)
        skips = tuple(encode_certificate(certificate) for certificate in self.skips)
        return pack([pack(last), pack(late), pack(skips), pack(self.evidence)])

    @classmethod
    def decode(cls, data: bytes) -> "Commits":
        """The value of canonical bytes.

        Raises Rejected: NOT_CANONICAL (structure, order), LIMIT_EXCEEDED and BODY_TOO_LARGE.
        """
        parts = unpack(data, _PARTS, MAX_COMMITS_BYTES)
        if len(parts) != _PARTS:
            raise Rejected(Reason.NOT_CANONICAL, f"{len(parts)} parts of commits, not {_PARTS}")
        last, late, skips, evidence = (
            unpack(part, bound, MAX_COMMITS_BYTES)
            for part, bound in zip(
                parts, (1, MAX_LATE_VOTES, MAX_VALIDATORS, MAX_EVIDENCE), strict=True
            )
        )
        commits = cls(
            decode_certificate(last[0]) if last else None,
            tuple(decode_vote(item) for item in late),
            tuple(decode_certificate(item) for item in skips),
            tuple(evidence),
        )
        _require_order(commits)
        return commits


def most_bytes(size: int) -> int:
    """An upper bound on the commits of any valid block while `size` validators vote."""
    certificate = _FIXED_BYTES + size // 8 + 64 * size
    late_votes = 3 * size * _FIXED_BYTES * 2
    return _FIXED_BYTES + size * certificate + late_votes + MAX_EVIDENCE * 4 * _FIXED_BYTES


def _require_order(commits: Commits) -> None:
    late = [(vote.height, vote.signer) for vote in commits.late_votes]
    if not _ascends(late):
        raise Rejected(Reason.NOT_CANONICAL, "late votes are not in order of height and signer")
    if not _ascends([(skip.view, 0) for skip in commits.skips]):
        raise Rejected(Reason.NOT_CANONICAL, "skips are not in order of view")


def _ascends(keys: Sequence[tuple[int, int]]) -> bool:
    return all(left < right for left, right in pairwise(keys))
