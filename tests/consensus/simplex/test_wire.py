"""The binary forms: one per value, bounded, and nothing accepted that would not be emitted."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consensus.simplex.certificates import bitmap
from consensus.simplex.events import GetCertificate, Message, Status
from consensus.simplex.evidence import accuse, conflicts
from consensus.simplex.types import Certificate, Vote, VoteKind, Want, vote_message
from consensus.simplex.wire import (
    MAX_MESSAGE_BYTES,
    decode_certificate,
    decode_evidence,
    decode_message,
    decode_vote,
    encode_certificate,
    encode_evidence,
    encode_message,
    encode_vote,
)
from ledger.errors import Reason, Rejected
from ledger.types import MAX_INTEGER
from tests.consensus.simplex.bench import BLOCK, GENESIS, OTHER, Bench, F, N, X

NUMBER = st.integers(1, MAX_INTEGER)


@st.composite
def subjects(draw: st.DrawFn) -> tuple[VoteKind, int, int, int, bytes]:
    kind = draw(st.sampled_from(VoteKind))
    if kind is VoteKind.NULLIFY:
        return kind, draw(NUMBER), draw(NUMBER), 0, b""
    payload = draw(st.binary(min_size=32, max_size=32))
    return kind, draw(NUMBER), draw(NUMBER), draw(st.integers(0, MAX_INTEGER)), payload


@st.composite
def votes(draw: st.DrawFn) -> Vote:
    signature = draw(st.binary(min_size=64, max_size=64))
    return Vote(*draw(subjects()), draw(st.integers(0, 255)), signature)


@st.composite
def certificates(draw: st.DrawFn) -> Certificate:
    n = draw(st.integers(1, 40))
    signers = draw(st.sets(st.integers(0, n - 1), min_size=1))
    signatures = tuple(bytes((signer,)) * 64 for signer in sorted(signers))
    return Certificate(*draw(subjects()), bitmap(signers, n), signatures)


MESSAGES: st.SearchStrategy[Message] = st.one_of(
    votes(),
    certificates(),
    st.builds(GetCertificate, NUMBER, NUMBER, st.sampled_from(Want)),
    st.builds(Status, NUMBER, NUMBER, st.booleans()),
)


@given(MESSAGES)
def test_a_message_survives_the_wire(message: Message) -> None:
    data = encode_message(message)
    assert len(data) <= MAX_MESSAGE_BYTES
    assert decode_message(data) == message


@given(MESSAGES, st.data())
def test_a_shortened_or_lengthened_message_is_refused(
    message: Message, data: st.DataObject
) -> None:
    encoded = encode_message(message)
    cut = encoded[: data.draw(st.integers(0, len(encoded) - 1))]
    for wrong in (cut, encoded + b"\0"):
        with pytest.raises(Rejected) as refusal:
            decode_message(wrong)
        assert refusal.value.reason is Reason.NOT_CANONICAL


@given(st.binary(max_size=400))
def test_what_decodes_is_what_would_be_encoded(data: bytes) -> None:
    try:
        message = decode_message(data)
    except Rejected:
        return
    assert encode_message(message) == data


@given(MESSAGES, st.data())
def test_a_flipped_byte_changes_the_message_or_is_refused(
    message: Message, data: st.DataObject
) -> None:
    encoded = bytearray(encode_message(message))
    encoded[data.draw(st.integers(0, len(encoded) - 1))] ^= data.draw(st.integers(1, 255))
    with contextlib.suppress(Rejected):
        assert decode_message(bytes(encoded)) != message


def test_bounds_are_checked_before_anything_is_built() -> None:
    vote = Bench(0).vote(N, 1, 0)
    encoded = encode_vote(vote)
    assert len(encoded) == 123
    assert len(encode_vote(Bench(0).vote(X, 1, 0))) == 83
    for position, value in ((0, 0), (0, 4), (1, 0xFF)):
        wrong = bytearray(encoded)
        wrong[position] = value
        with pytest.raises(Rejected):
            decode_vote(bytes(wrong))
    with pytest.raises(Rejected) as refusal:
        decode_message(bytes(MAX_MESSAGE_BYTES + 1))
    assert refusal.value.reason is Reason.BODY_TOO_LARGE


def test_a_certificate_has_as_many_signatures_as_bits() -> None:
    encoded = bytearray(encode_certificate(Bench(0).certificate(F, 1)))
    at = 1 + 8 + 8 + 8 + 32 + 1
    assert encoded[at] == 0b111
    assert decode_certificate(bytes(encoded)).signer_indices() == (0, 1, 2)
    for bits in (0b1111, 0b11, 0):
        encoded[at] = bits
        with pytest.raises(Rejected):
            decode_certificate(bytes(encoded))


def test_evidence_has_one_form_whatever_order_it_was_found_in() -> None:
    bench = Bench(0)
    pairs = [
        (bench.vote(N, 1, 2, BLOCK), bench.vote(N, 1, 2, OTHER)),
        (bench.vote(F, 1, 2, BLOCK), bench.vote(F, 1, 2, OTHER)),
        (bench.vote(X, 1, 2), bench.vote(F, 1, 2)),
    ]
    for left, right in pairs:
        evidence = accuse(left, right)
        assert evidence == accuse(right, left)
        assert decode_evidence(encode_evidence(evidence)) == evidence
        swapped = encode_vote(evidence.second) + encode_vote(evidence.first)
        with pytest.raises(Rejected):
            decode_evidence(swapped)


def test_legal_pairs_are_no_evidence() -> None:
    bench = Bench(0)
    legal = [
        (bench.vote(N, 1, 2), bench.vote(X, 1, 2)),
        (bench.vote(N, 1, 2, BLOCK), bench.vote(F, 1, 2, OTHER)),
        (bench.vote(N, 1, 2), bench.vote(N, 1, 2)),
        (bench.vote(F, 1, 2), bench.vote(X, 2, 2)),
        (bench.vote(N, 1, 2), bench.vote(N, 1, 3, OTHER)),
    ]
    for left, right in legal:
        assert not conflicts(left, right)
        with pytest.raises(Rejected):
            decode_evidence(encode_vote(left) + encode_vote(right))


def test_every_field_of_a_vote_is_signed() -> None:
    base = (GENESIS, bytes(32), N, 5, 3, 2, BLOCK)
    changed = [
        (OTHER, bytes(32), N, 5, 3, 2, BLOCK),
        (GENESIS, OTHER, N, 5, 3, 2, BLOCK),
        (GENESIS, bytes(32), F, 5, 3, 2, BLOCK),
        (GENESIS, bytes(32), X, 5, 3, 2, BLOCK),
        (GENESIS, bytes(32), N, 6, 3, 2, BLOCK),
        (GENESIS, bytes(32), N, 5, 4, 2, BLOCK),
        (GENESIS, bytes(32), N, 5, 3, 1, BLOCK),
        (GENESIS, bytes(32), N, 5, 3, 2, OTHER),
    ]
    digests = {vote_message(*arguments) for arguments in [base, *changed]}
    assert len(digests) == len(changed) + 1
