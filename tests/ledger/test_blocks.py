"""Blocks: the hash covers everything, and a body that is not the header's is refused."""

import pytest
from msgspec.structs import fields, replace

from ledger.blocks import (
    Block,
    Header,
    block_hash,
    clearings_root,
    commits_root,
    decode_block,
    encode_block,
    make_block,
    transactions_root,
)
from ledger.codec import encode, pack
from ledger.errors import Reason, Rejected
from ledger.parameters import BlockLimits
from tests.ledger.chain import CHAIN, GENESIS_HASH, MEMBERS

LIMITS = BlockLimits(
    max_bytes=1_000, max_transactions=4, max_transaction_bytes=100, max_sealed_bytes=200
)
TRANSACTIONS = (b"first", b"second", b"third")
HEADER = Header(
    chain=CHAIN,
    height=7,
    parent="11" * 32,
    view=1,
    builder=MEMBERS[0].address,
    time_ms=1_000,
    vrf="22" * 80,
    transactions_root=transactions_root(TRANSACTIONS).hex(),
    receipts_root="33" * 32,
    clearings_root=clearings_root(b"round").hex(),
    commits_root=commits_root(b"commits").hex(),
    state_root="44" * 32,
    validators_hash="55" * 32,
)
BLOCK = make_block(HEADER, TRANSACTIONS, b"round", b"commits", GENESIS_HASH)


def refusal(data: bytes) -> Reason:
    with pytest.raises(Rejected) as caught:
        decode_block(data, GENESIS_HASH, LIMITS)
    return caught.value.reason


def with_body(
    transactions: tuple[bytes, ...] = TRANSACTIONS,
    clearings: bytes = b"round",
    commits: bytes = b"commits",
) -> bytes:
    """Return the good header with another body."""
    return pack([BLOCK.header_bytes, clearings, commits, pack(transactions)])


def test_a_block_comes_back_equal_from_its_bytes() -> None:
    assert decode_block(encode_block(BLOCK), GENESIS_HASH, LIMITS) == BLOCK


def test_an_empty_block_comes_back_too() -> None:
    header = replace(
        HEADER,
        transactions_root=transactions_root(()).hex(),
        clearings_root=clearings_root(b"").hex(),
        commits_root=commits_root(b"").hex(),
    )
    block = make_block(header, (), b"", b"", GENESIS_HASH)
    assert decode_block(encode_block(block), GENESIS_HASH, LIMITS) == block


def other_value(value: object) -> object:
    """Return a value of the same type that differs."""
    if isinstance(value, int):
        return value + 1
    assert isinstance(value, str)
    return ("0" if value[0] != "0" else "1") + value[1:] if len(value) > 8 else value + "x"


def test_v4_every_field_of_the_header_changes_the_hash() -> None:
    hashes = {BLOCK.hash}
    for field in fields(Header):
        changed = replace(HEADER, **{field.name: other_value(getattr(HEADER, field.name))})
        hashes.add(block_hash(encode(changed), GENESIS_HASH))
    assert len(hashes) == len(fields(Header)) + 1


def test_the_hash_is_bound_to_the_genesis() -> None:
    assert block_hash(BLOCK.header_bytes, bytes(32)) != BLOCK.hash


@pytest.mark.parametrize(
    "transactions",
    [
        (),
        (b"first", b"second"),
        (b"first", b"second", b"third", b"third"),
        (b"second", b"first", b"third"),
        (b"firs", b"tsecond", b"third"),
        (b"firstsecond", b"third"),
        (b"first", b"second", b"thirx"),
        (b"first", b"", b"second", b"third"),
    ],
)
def test_v1_a_body_with_other_transactions_is_refused(transactions: tuple[bytes, ...]) -> None:
    assert refusal(with_body(transactions)) is Reason.BAD_ROOT


def test_other_clearings_or_commits_are_refused_and_cannot_be_swapped() -> None:
    assert refusal(with_body(clearings=b"rounds")) is Reason.BAD_ROOT
    assert refusal(with_body(commits=b"")) is Reason.BAD_ROOT
    assert refusal(with_body(clearings=b"commits", commits=b"round")) is Reason.BAD_ROOT
    assert clearings_root(b"same") != commits_root(b"same")


def test_v3_after_a_wrong_body_the_right_one_is_still_accepted() -> None:
    assert refusal(with_body(commits=b"wrong")) is Reason.BAD_ROOT
    assert decode_block(encode_block(BLOCK), GENESIS_HASH, LIMITS).hash == BLOCK.hash


def test_limits_hold_before_anything_is_hashed() -> None:
    assert refusal(with_body((b"x",) * 5)) is Reason.LIMIT_EXCEEDED
    assert refusal(with_body((b"x" * 101,))) is Reason.BODY_TOO_LARGE
    assert refusal(with_body(clearings=b"x" * 201)) is Reason.BODY_TOO_LARGE
    assert refusal(with_body(commits=b"x" * 201)) is Reason.BODY_TOO_LARGE
    assert refusal(b"x" * 10_000) is Reason.BODY_TOO_LARGE
    assert refusal(pack([b" " * 5_000, b"", b"", pack(())])) is Reason.BODY_TOO_LARGE


def test_bytes_of_another_shape_are_refused() -> None:
    data = encode_block(BLOCK)
    assert refusal(b"") is Reason.NOT_CANONICAL
    assert refusal(data[:-1]) is Reason.NOT_CANONICAL
    assert refusal(data + b"\0") is Reason.NOT_CANONICAL
    assert refusal(pack([BLOCK.header_bytes, b"", b""])) is Reason.NOT_CANONICAL
    assert refusal(pack([b"", b"", b"", b"", b""])) is Reason.LIMIT_EXCEEDED
    assert refusal(with_body()[:-1] + b"\xff") is Reason.BAD_ROOT
    spaced = BLOCK.header_bytes.replace(b":7", b": 7")
    assert refusal(pack([spaced, b"round", b"commits", pack(TRANSACTIONS)])) is Reason.NOT_CANONICAL


def test_every_cut_of_a_block_is_refused() -> None:
    data = encode_block(BLOCK)
    for end in range(0, len(data), 7):
        assert refusal(data[:end]) is Reason.NOT_CANONICAL


@pytest.mark.parametrize("field", ["parent", "state_root", "vrf", "builder"])
def test_hex_fields_are_lower_case_and_whole(field: str) -> None:
    value = getattr(HEADER, field)
    for bad in ("", value[:-1], value[:-1] + "g", "A" + value[1:], value + "0"):
        header = replace(HEADER, **{field: bad})
        block = Block(header, encode(header), TRANSACTIONS, b"round", b"commits", b"")
        assert refusal(encode_block(block)) is Reason.VALIDATION_ERROR


@pytest.mark.parametrize(("field", "bad"), [("height", 0), ("height", 2**53), ("view", 0)])
def test_numbers_of_the_header_are_bounded(field: str, bad: int) -> None:
    header = replace(HEADER, **{field: bad})
    block = Block(header, encode(header), TRANSACTIONS, b"round", b"commits", b"")
    assert refusal(encode_block(block)) is Reason.VALIDATION_ERROR
