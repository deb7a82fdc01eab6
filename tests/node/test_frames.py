"""Bytes between peers: frames, the opening challenge, and the outbox policy."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.crypto import SigningKey
from node.peers.frames import (
    TRANSACTIONS_MAX,
    AnnounceFrame,
    BadFrame,
    ConsensusFrame,
    Frame,
    PingFrame,
    PongFrame,
    TransactionsFrame,
    announce_frame,
    consensus_frame,
    decode_frame,
    ping_frame,
    pong_frame,
    transactions_frame,
)
from node.peers.handshake import (
    HandshakeError,
    Hello,
    check_answer,
    check_proof,
    decode_hello,
    encode_answer,
    encode_hello,
    encode_proof,
)
from node.peers.outbox import Outbox

MAX = 1 << 20
GENESIS = b"g" * 32
ALICE, BOB, EVE = (SigningKey.from_seed(bytes([number]) * 32) for number in (1, 2, 3))
DIALER = Hello(ALICE.public_key, b"a" * 32)
ACCEPTOR = Hello(BOB.public_key, b"b" * 32)


# ---------------------------------------------------------------- frames
@pytest.mark.parametrize(
    ("data", "frame"),
    [
        (consensus_frame(b"vote"), ConsensusFrame(b"vote")),
        (transactions_frame([b"one", b"two"]), TransactionsFrame((b"one", b"two"))),
        (announce_frame(7, b"h" * 32), AnnounceFrame(7, b"h" * 32)),
        (ping_frame(b"12345678"), PingFrame(b"12345678")),
        (pong_frame(b"12345678"), PongFrame(b"12345678")),
    ],
)
def test_a_frame_comes_back_from_its_bytes(data: bytes, frame: Frame) -> None:
    assert decode_frame(data, MAX) == frame


@given(st.binary(max_size=200))
def test_any_bytes_are_a_frame_or_a_bad_frame(data: bytes) -> None:
    with contextlib.suppress(BadFrame):
        decode_frame(data, MAX)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x00",
        b"\x63rest",
        announce_frame(7, b"h" * 32) + b"x",
        announce_frame(7, b"h" * 32)[:-1],
        b"\x03" + b"\xff" * 40,
        ping_frame(b"short"),
        transactions_frame([]),
        transactions_frame([b"one", b""]),
        transactions_frame([b"one"]) + b"x",
        b"\x02" + (10**6).to_bytes(4, "big"),
        b"\x02" + (TRANSACTIONS_MAX + 1).to_bytes(4, "big") + bytes(4 * (TRANSACTIONS_MAX + 1)),
    ],
)
def test_malformed_frames_are_refused(data: bytes) -> None:
    with pytest.raises(BadFrame):
        decode_frame(data, MAX)


def test_a_frame_above_the_bound_is_refused_before_it_is_looked_at() -> None:
    with pytest.raises(BadFrame, match="too long"):
        decode_frame(consensus_frame(bytes(100)), 100)


# ---------------------------------------------------------------- challenge
def test_both_sides_prove_themselves() -> None:
    assert decode_hello(encode_hello(GENESIS, DIALER), GENESIS) == DIALER
    answer = encode_answer(GENESIS, BOB, DIALER, ACCEPTOR)
    assert check_answer(answer, GENESIS, DIALER, BOB.public_key) == ACCEPTOR
    check_proof(encode_proof(GENESIS, ALICE, DIALER, ACCEPTOR), GENESIS, DIALER, ACCEPTOR)


def test_an_acceptor_that_is_somebody_else_is_refused() -> None:
    eve = Hello(EVE.public_key, b"e" * 32)
    answer = encode_answer(GENESIS, EVE, DIALER, eve)
    with pytest.raises(HandshakeError, match="not the peer of this address"):
        check_answer(answer, GENESIS, DIALER, BOB.public_key)


def test_an_acceptor_that_cannot_prove_its_account_is_refused() -> None:
    answer = encode_answer(GENESIS, EVE, DIALER, ACCEPTOR)
    with pytest.raises(HandshakeError, match="acceptor's signature"):
        check_answer(answer, GENESIS, DIALER, BOB.public_key)


@pytest.mark.parametrize(
    "proof",
    [
        encode_proof(GENESIS, EVE, DIALER, ACCEPTOR),
        encode_proof(b"x" * 32, ALICE, DIALER, ACCEPTOR),
        encode_proof(GENESIS, ALICE, Hello(ALICE.public_key, b"o" * 32), ACCEPTOR),
        encode_answer(GENESIS, ALICE, DIALER, ACCEPTOR)[-64:],
        b"",
    ],
    ids=["other key", "other chain", "other link", "other role", "nothing"],
)
def test_a_proof_for_something_else_is_refused(proof: bytes) -> None:
    with pytest.raises(HandshakeError, match="dialer's signature"):
        check_proof(proof, GENESIS, DIALER, ACCEPTOR)


@given(st.binary(max_size=300))
def test_any_bytes_as_greeting_answer_or_proof_are_refused_in_order(data: bytes) -> None:
    for attempt in (
        lambda: decode_hello(data, GENESIS),
        lambda: check_answer(data, GENESIS, DIALER, BOB.public_key),
        lambda: check_proof(data, GENESIS, DIALER, ACCEPTOR),
    ):
        with pytest.raises(HandshakeError):
            attempt()


def test_a_greeting_of_another_genesis_names_both() -> None:
    with pytest.raises(HandshakeError, match=r"67676767.*ours 78787878"):
        decode_hello(encode_hello(GENESIS, DIALER), b"x" * 32)


# ---------------------------------------------------------------- outbox
async def drain(outbox: Outbox) -> list[bytes]:
    return [await outbox.get() for _ in range(len(outbox))]


async def test_urgent_frames_leave_before_transactions_queued_earlier() -> None:
    outbox = Outbox(10, 1000)
    outbox.put(b"tx", urgent=False)
    outbox.put(b"vote 1", urgent=True)
    outbox.put(b"vote 2", urgent=True)
    assert await drain(outbox) == [b"vote 1", b"vote 2", b"tx"]


async def test_a_full_outbox_drops_the_oldest_transactions_before_any_vote() -> None:
    outbox = Outbox(3, 1000)
    for name in (b"tx 1", b"tx 2"):
        outbox.put(name, urgent=False)
    for name in (b"vote 1", b"vote 2", b"vote 3"):
        outbox.put(name, urgent=True)
    assert outbox.dropped == 2
    outbox.put(b"vote 4", urgent=True)
    assert outbox.dropped == 3
    assert await drain(outbox) == [b"vote 2", b"vote 3", b"vote 4"]


async def test_the_byte_bound_holds_whatever_is_put() -> None:
    outbox = Outbox(1000, 100)
    for size in (40, 40, 40, 99, 3, 200):
        outbox.put(bytes(size), urgent=False)
        assert outbox.size_bytes <= 100
    assert await drain(outbox) == []


async def test_stale_urgent_frames_are_forgotten_and_transactions_kept() -> None:
    outbox = Outbox(10, 1000)
    outbox.put(b"vote", urgent=True)
    outbox.put(b"tx", urgent=False)
    outbox.clear_urgent()
    assert outbox.size_bytes == 2
    assert await drain(outbox) == [b"tx"]
