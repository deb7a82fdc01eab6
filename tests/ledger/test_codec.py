"""The canonical byte form: one per value, and nothing else is read."""

import json
import unicodedata
from collections.abc import Callable
from typing import Annotated

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Meta, Struct

from ledger.codec import Codec, Record, encode, is_plain_text, pack, unpack
from ledger.errors import Corrupt, Reason, Rejected
from ledger.types import MAX_INTEGER, Count, Decimal, Hex32, Name, SignedInteger

keys = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=8)
integers = st.integers(-MAX_INTEGER, MAX_INTEGER)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
values = st.recursive(
    integers | texts | st.booleans(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=12,
)


class Inner(Record):
    zebra: Count
    alpha: Hex32


class Outer(Record):
    text: Annotated[str, Meta(max_length=40)]
    number: SignedInteger
    inners: Annotated[tuple[Inner, ...], Meta(max_length=3)]


CODEC = Codec(Outer, max_bytes=1_000)
GOOD = Outer('say "hi" \\ é', -5, (Inner(7, "ab" * 32),))

plain_texts = st.text(st.characters(codec="utf-8"), max_size=20).filter(is_plain_text)
outers = st.builds(
    Outer,
    text=plain_texts,
    number=integers,
    inners=st.lists(
        st.builds(
            Inner,
            zebra=st.integers(0, MAX_INTEGER),
            alpha=st.binary(min_size=32, max_size=32).map(bytes.hex),
        ),
        max_size=3,
    ).map(tuple),
)


def refusal(codec: Codec[Outer], data: bytes) -> Reason:
    with pytest.raises(Rejected) as caught:
        codec.decode(data)
    return caught.value.reason


@given(values)
def test_encoding_is_rfc_8785_byte_for_byte(value: object) -> None:
    assert encode([value]) == rfc8785.dumps([value])


@given(outers)
def test_a_record_encodes_as_the_oracle_does_and_comes_back_equal(value: Outer) -> None:
    data = encode(value)
    assert data == rfc8785.dumps(json.loads(data))
    assert Codec(Outer).decode(data) == value


@pytest.mark.parametrize(
    ("spoilt", "why"),
    [
        (lambda data: b" " + data, "white space before"),
        (lambda data: data + b"\n", "white space after"),
        (lambda data: data.replace(b":-5", b": -5"), "white space inside"),
        (lambda data: data.replace(b":-5", b":-5.0"), "a fraction of zero"),
        (lambda data: data.replace(b":-5", b":-5e0"), "an exponent"),
        (lambda data: data.replace(b":-5", b":-05"), "a leading zero"),
        (lambda data: data.replace(b":-5", b":-0"), "minus zero"),
        (lambda data: data.replace(b":-5", b':"-5"'), "a number as text"),
        (lambda data: data.replace(b":-5", b":true"), "a truth value as number"),
        (lambda data: data.replace(b":-5", b":null"), "null"),
        (lambda data: data.replace(b":-5", b":NaN"), "not a number"),
        (lambda data: data.replace(b":-5", b":Infinity"), "infinity"),
        (lambda data: data.replace("é".encode(), b"\\u00e9"), "an escape nobody needs"),
        (lambda data: data.replace("é".encode(), "e\u0301".encode()), "normal form D"),
        (lambda data: data.replace("é".encode(), b"\\ud800"), "a lone surrogate"),
        (lambda data: data.replace("é".encode(), b"\xff"), "no UTF-8"),
        (lambda data: data.replace("é".encode(), b"\xc1\xa1"), "overlong UTF-8"),
        (lambda data: data.replace(b"say", b"s\\/y"), "an escaped slash"),
        (lambda data: data.replace(b"say", b"s\\ny"), "a control character"),
        (lambda data: data.replace(b"say", b"s\\u0000y"), "a zero character"),
        (lambda data: data.replace(b"say", b"s\x7fy"), "delete"),
        (lambda data: data.replace(b"say", "s\u202ey".encode()), "a text direction override"),
        (lambda data: data.replace(b"ab" * 32, b"AB" * 32), "upper-case hex"),
        (lambda data: data.replace(b"ab" * 32, b"ab" * 31), "short hex"),
        (lambda data: data.replace(b'"ab', b'"\\n'), "a newline among hex"),
        (lambda data: data[:-1] + b',"number":-5}', "a duplicate key"),
        (lambda data: data[:-1] + b',"zz":1}', "an unknown key"),
        (lambda data: data.replace(b'"number":-5,', b""), "a missing key"),
        (lambda data: data.replace(b":-5", b":9007199254740992"), "2^53"),
        (lambda data: data.replace(b":-5", b":" + b"9" * 400), "400 digits"),
        (lambda data: b"\xef\xbb\xbf" + data, "a byte order mark"),
        (lambda data: data.decode().encode("utf-16"), "UTF-16"),
        (lambda data: data[:-1], "a missing brace"),
        (lambda data: b"", "nothing"),
        (lambda data: b"[" * 100_000, "100,000 brackets"),
        (lambda data: b'{"text":' + b'{"a":' * 200, "depth"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_bytes_the_encoder_does_not_emit_are_refused(
    spoilt: Callable[[bytes], bytes], why: str
) -> None:
    good = encode(GOOD)
    assert CODEC.decode(good) == GOOD
    bad = spoilt(good)
    assert bad != good
    expected = {Reason.NOT_CANONICAL, Reason.VALIDATION_ERROR, Reason.BODY_TOO_LARGE}
    assert refusal(CODEC, bad) in expected
    assert refusal(Codec(Outer), bad) in expected


@given(st.data(), outers)
def test_any_change_of_one_byte_is_refused_or_gives_another_value(
    data: st.DataObject, value: Outer
) -> None:
    good = encode(value)
    place = data.draw(st.integers(0, len(good) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda other: other != good[place]))
    bad = good[:place] + bytes([byte]) + good[place + 1 :]
    try:
        decoded = Codec(Outer).decode(bad)
    except Rejected:
        return
    assert decoded != value
    assert encode(decoded) == bad


@pytest.mark.parametrize(
    "text", ["a\x7f", "a\n", "a\0", "\x1b[31m", "a\u00ad", "\ufeff", "\u2028", "a\u200b", "\u3164"]
)
def test_control_and_format_characters_are_refused_in_any_text(text: str) -> None:
    assert not is_plain_text(text)
    assert refusal(CODEC, encode(Outer(text, 0, ()))) is Reason.VALIDATION_ERROR


def test_more_bytes_than_the_bound_are_refused_before_they_are_read() -> None:
    assert refusal(CODEC, b"x" * 1_001) is Reason.BODY_TOO_LARGE


def test_stored_bytes_that_do_not_decode_are_corruption_and_no_verdict() -> None:
    with pytest.raises(Corrupt):
        CODEC.decode_trusted(b"{}")


@given(plain_texts)
def test_text_on_the_wire_is_in_normal_form_c_of_this_python_too(text: str) -> None:
    assert unicodedata.is_normalized("NFC", text)


def test_characters_younger_than_unicode_3_2_are_refused_everywhere() -> None:
    assert is_plain_text("Zürich 東京 ёлка")
    assert not is_plain_text("\U0001f600")  # assigned in Unicode 6.1
    assert not is_plain_text("\u0378")  # not assigned at all


def test_types_that_could_leave_the_profile_make_no_codec() -> None:
    class Unbounded(Record):
        number: int

    class Endless(Record):
        text: str

    class Nullable(Record):
        number: Count | None

    class Floating(Record):
        number: float

    class Omitting(Record, omit_defaults=True):
        number: Count = 300

    class Lax(Struct, frozen=True):
        number: Count

    class Loose(Record):
        anything: dict[Name, object]

    for kind in (Unbounded, Endless, Nullable, Floating, Omitting, Lax, Loose):
        with pytest.raises(TypeError):
            Codec(kind)


def test_a_number_beyond_the_bound_travels_as_decimal_text() -> None:
    class Tokens(Record):
        tokens: Decimal

    codec = Codec(Tokens)
    assert codec.decode(b'{"tokens":"90071992547409920"}').tokens == "90071992547409920"
    for bad in (b"", b"007", b"-1", b"1.0", b"1\\n"):
        with pytest.raises(Rejected):
            codec.decode(b'{"tokens":"' + bad + b'"}')


@given(st.lists(st.binary(max_size=20), max_size=8))
def test_packing_comes_back_and_no_cut_of_it_does(items: list[bytes]) -> None:
    body = pack(items)
    assert unpack(body, 8, 1_000) == items
    for end in range(len(body)):
        with pytest.raises(Rejected):
            unpack(body[:end], 8, 1_000)
    with pytest.raises(Rejected) as caught:
        unpack(body + b"\0", 8, 1_000)
    assert caught.value.reason is Reason.NOT_CANONICAL


def test_unpacking_is_bounded_in_items_and_bytes_before_it_starts() -> None:
    with pytest.raises(Rejected) as caught:
        unpack((2**32 - 1).to_bytes(4, "big"), 10, 1_000)
    assert caught.value.reason is Reason.LIMIT_EXCEEDED
    with pytest.raises(Rejected) as caught:
        unpack(pack([b"x" * 100]), 10, 50)
    assert caught.value.reason is Reason.BODY_TOO_LARGE
    with pytest.raises(Rejected) as caught:
        unpack(b"\0\0\0\1\xff\xff\xff\xff", 10, 50)
    assert caught.value.reason is Reason.NOT_CANONICAL


@given(st.binary(max_size=64))
def test_unpacking_anything_gives_a_list_that_packs_back_or_a_refusal(data: bytes) -> None:
    try:
        items = unpack(data, 16, 64)
    except Rejected:
        return
    assert pack(items) == data
