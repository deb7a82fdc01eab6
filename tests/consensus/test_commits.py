"""The bytes of commits: one form each, every other refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consensus.commits import MAX_EVIDENCE, Commits
from consensus.simplex.types import VoteKind
from ledger.codec import pack
from ledger.errors import Reason, Rejected
from tests.consensus.chain import Chain


@pytest.fixture(scope="module")
def full() -> Commits:
    chain = Chain(4)
    for _ in range(4):
        chain.advance(1, chain.commits(absent=[1]) if chain.height else None)
    late = (chain.late_vote(1, 1), chain.late_vote(2, 1))
    return chain.commits(3, late=late, evidence=(b"one", b"two"))


def test_commits_come_back_from_their_bytes(full: Commits) -> None:
    for commits in (Commits(), full):
        assert Commits.decode(commits.encode()) == commits


def test_the_commits_of_block_1_have_known_bytes() -> None:
    """Golden: a change here is a change of the protocol."""
    empty_part = "0000000400000000"
    assert Commits().encode().hex() == "00000004" + 4 * empty_part


def test_any_bytes_cut_or_added_are_refused(full: Commits) -> None:
    data = full.encode()
    for cut in range(0, len(data), 7):
        with pytest.raises(Rejected):
            Commits.decode(data[:cut])
    with pytest.raises(Rejected):
        Commits.decode(data + b"\0")


@given(st.binary(max_size=300))
def test_bytes_that_decode_are_the_bytes_their_value_encodes_to(data: bytes) -> None:
    try:
        commits = Commits.decode(data)
    except Rejected:
        return
    assert commits.encode() == data


@given(st.data())
def test_a_flipped_byte_is_refused_or_gives_other_commits(data: st.DataObject) -> None:
    chain = Chain(4)
    chain.advance()
    commits = chain.commits(2)
    raw = bytearray(commits.encode())
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        spoilt = Commits.decode(bytes(raw))
    except Rejected:
        return
    assert spoilt != commits
    assert spoilt.encode() == bytes(raw)


@pytest.mark.parametrize("parts", [0, 1, 3])
def test_a_wrong_number_of_parts_is_refused(parts: int) -> None:
    with pytest.raises(Rejected) as refusal:
        Commits.decode(pack([pack([])] * parts))
    assert refusal.value.reason is Reason.NOT_CANONICAL


def test_too_many_of_anything_are_refused() -> None:
    nothing = pack([])
    for parts in (
        [pack([b"", b""]), nothing, nothing, nothing],
        [nothing, nothing, nothing, pack([b""] * (MAX_EVIDENCE + 1))],
        [nothing] * 5,
    ):
        with pytest.raises(Rejected) as refusal:
            Commits.decode(pack(parts))
        assert refusal.value.reason is Reason.LIMIT_EXCEEDED


def test_lists_out_of_order_or_with_repetitions_are_refused(full: Commits) -> None:
    first, second = full.late_votes
    for late in ((second, first), (first, first)):
        with pytest.raises(Rejected) as refusal:
            Commits.decode(Commits(full.last_commit, late, full.skips).encode())
        assert refusal.value.reason is Reason.NOT_CANONICAL
    for skips in (full.skips[::-1], (full.skips[0], full.skips[0])):
        with pytest.raises(Rejected) as refusal:
            Commits.decode(Commits(full.last_commit, (), skips).encode())
        assert refusal.value.reason is Reason.NOT_CANONICAL


def test_a_vote_of_a_kind_that_does_not_exist_is_refused(full: Commits) -> None:
    data = full.encode()
    assert full.last_commit is not None
    assert full.last_commit.kind is VoteKind.FINALIZE
    place = data.index(b"\x03", 12)
    with pytest.raises(Rejected):
        Commits.decode(data[:place] + b"\x07" + data[place + 1 :])
