"""Values to canonical bytes and back; bytes that do not re-encode to themselves are refused.

Everything that is hashed or signed, votes apart, has one byte form: JSON by RFC 8785 in a narrow
profile.  Keys are ASCII and sorted, there is no white space, no float and no null, integers stay
within 2^53 - 1, byte strings are lower-case hex, and every field of a record is present: an absent
thing has an explicit zero value.  (Fields left out at their default would be smaller by a little;
but the library decides "at its default" by the identity of objects, so equal values could get two
byte forms.)

A decoder that accepts more than the encoder emits gives one value many hashes.  So `decode` does
not list the traps (white space, duplicate keys, `-0`, `1e3`, needless escapes, key order): it
decodes, encodes again, and compares.

Text is Unicode in normal form C, without control, format, private or surrogate characters and
line separators.  All of that is judged by the frozen Unicode 3.2 tables, because the tables of the
running Python differ between its versions and two nodes must never differ; a character younger
than Unicode 3.2 is refused.

`Codec` inspects its type once and refuses a type that could leave the profile, so that a field
without bounds is found when the program starts and not when somebody sends 2^60.
"""

import unicodedata
from collections.abc import Sequence
from typing import Generic, TypeVar, dataclass_transform, get_origin

import msgspec
from msgspec import inspect

from ledger.errors import Corrupt, Reason, Rejected
from ledger.types import MAX_INTEGER

T = TypeVar("T")

_ENCODER = msgspec.json.Encoder(order="sorted")

_REFUSED_CATEGORIES = frozenset({"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"})

_INVISIBLE = frozenset("\u00ad\u06dd\u180e\u200b\u115f\u1160\u3164\uffa0")
"""Soft hyphen, zero-width space and their like: Unicode 3.2 did not yet call them format characters
(or never did, for the Hangul fillers), but a name must not hide anything."""

_LENGTH_BYTES = 4


@dataclass_transform(frozen_default=True, field_specifiers=(msgspec.field,))
class Record(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """Base of all structs on the wire and in state: immutable, nothing unknown accepted."""


def encode(value: msgspec.Struct | list[object] | dict[str, object] | int | str) -> bytes:
    """Return the canonical bytes of `value`; its bounds are the types', they are not checked."""
    return _ENCODER.encode(value)


class Codec(Generic[T]):
    """Decoder of one type, strict about bytes.  Raises TypeError for a type outside the profile."""

    def __init__(self, kind: type[T], *, max_bytes: int | None = None) -> None:
        _require_profile(inspect.type_info(kind), str(kind), set())
        self._decoder = msgspec.json.Decoder(kind)
        self._max_bytes = max_bytes

    def decode(self, data: bytes) -> T:
        """Return the value whose canonical form is exactly `data`.

        Raises Rejected: BODY_TOO_LARGE above the bound, VALIDATION_ERROR for a missing, unknown or
        unbounded field, NOT_CANONICAL for anything else that is not the one byte form.
        """
        if self._max_bytes is not None and len(data) > self._max_bytes:
            raise Rejected(Reason.BODY_TOO_LARGE, f"{len(data)} bytes, at most {self._max_bytes}")
        try:
            value = self._decoder.decode(data)
        except msgspec.ValidationError as error:
            raise Rejected(Reason.VALIDATION_ERROR, str(error)) from None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise Rejected(Reason.NOT_CANONICAL, str(error)) from None
        if _ENCODER.encode(value) != data:
            raise Rejected(Reason.NOT_CANONICAL, "the bytes are not the canonical form")
        if b"\\" in data or not data.isascii() or b"\x7f" in data:
            _require_plain_text(data)
        return value

    def decode_trusted(self, data: bytes) -> T:
        """Return the value of bytes this node encoded itself.  Raises Corrupt if they are not."""
        try:
            return self._decoder.decode(data)
        except msgspec.DecodeError as error:
            raise Corrupt(f"stored value does not decode: {error}") from error


def is_plain_text(text: str) -> bool:
    """Say whether `text` is allowed in a string on the wire (module docstring)."""
    category = unicodedata.ucd_3_2_0.category
    if any(category(symbol) in _REFUSED_CATEGORIES or symbol in _INVISIBLE for symbol in text):
        return False
    return unicodedata.ucd_3_2_0.is_normalized("NFC", text)


def _require_plain_text(data: bytes) -> None:
    """Refuse canonical JSON holding text outside the profile.

    Canonical JSON escapes only quotes, backslashes and control characters, so with the first two
    taken out any backslash left is a control character.
    """
    if b"\\" in data.replace(b"\\\\", b"").replace(b'\\"', b""):
        raise Rejected(Reason.VALIDATION_ERROR, "text holds a control character")
    if not is_plain_text(data.decode()):
        raise Rejected(Reason.VALIDATION_ERROR, "text is not plain Unicode 3.2 in normal form C")


def pack(items: Sequence[bytes]) -> bytes:
    """Join items into one body: u32 count, then u32 length and bytes of each, big-endian."""
    parts = [len(items).to_bytes(_LENGTH_BYTES, "big")]
    for item in items:
        parts.append(len(item).to_bytes(_LENGTH_BYTES, "big"))
        parts.append(item)
    return b"".join(parts)


def unpack(data: bytes, max_items: int, max_bytes: int) -> list[bytes]:
    """Split what `pack` joined.

    `max_bytes` bounds the whole body.  Raises Rejected: BODY_TOO_LARGE, LIMIT_EXCEEDED for too many
    items (before any is cut), NOT_CANONICAL for a body that is short or has bytes left over.
    """
    if len(data) > max_bytes:
        raise Rejected(Reason.BODY_TOO_LARGE, f"{len(data)} bytes, at most {max_bytes}")
    if len(data) < _LENGTH_BYTES:
        raise Rejected(Reason.NOT_CANONICAL, "no item count")
    count = int.from_bytes(data[:_LENGTH_BYTES], "big")
    if count > max_items:
        raise Rejected(Reason.LIMIT_EXCEEDED, f"{count} items, at most {max_items}")
    items = []
    position = _LENGTH_BYTES
    for _ in range(count):
        start = position + _LENGTH_BYTES
        position = start + int.from_bytes(data[start - _LENGTH_BYTES : start], "big")
        if start > len(data) or position > len(data):
            raise Rejected(Reason.NOT_CANONICAL, "an item is cut short")
        items.append(data[start:position])
    if position != len(data):
        raise Rejected(Reason.NOT_CANONICAL, "bytes left over after the last item")
    return items


def _require_profile(kind: inspect.Type, where: str, seen: set[type]) -> None:
    """Raise TypeError unless every value of `kind` stays within the canonical profile."""
    match kind:
        case inspect.StructType(cls=cls, fields=fields) if cls not in seen:
            config = (get_origin(cls) or cls).__struct_config__
            if not config.forbid_unknown_fields or config.omit_defaults:
                raise TypeError(f"{where} must be a Record without omit_defaults")
            for field in fields:
                _require_profile(field.type, f"{where}.{field.name}", seen | {cls})
        case inspect.IntType(ge=ge, le=le):
            if ge is None or le is None or ge < -MAX_INTEGER or le > MAX_INTEGER:
                raise TypeError(f"{where}: an integer needs bounds within 2^53 - 1")
        case inspect.StrType(max_length=None):
            raise TypeError(f"{where}: a string needs a greatest length")
        case inspect.Metadata(type=inner):
            _require_profile(inner, where, seen)
        case _ if not isinstance(kind, _LEAVES):
            parts = _parts(kind)
            if not parts:
                raise TypeError(f"{where}: {type(kind).__name__} has no canonical form")
            for part in parts:
                _require_profile(part, f"{where}[]", seen)


_LEAVES = (
    inspect.StructType,
    inspect.StrType,
    inspect.LiteralType,
    inspect.EnumType,
    inspect.BoolType,
    inspect.RawType,
)


def _parts(kind: inspect.Type) -> tuple[inspect.Type, ...]:
    """Return the types a container holds, nothing for a type that is no container."""
    match kind:
        case inspect.ListType(item_type=item) | inspect.VarTupleType(item_type=item):
            return (item,)
        case inspect.TupleType(item_types=items) | inspect.UnionType(types=items):
            return tuple(items)
        case inspect.DictType(key_type=key, value_type=value):
            return (key, value)
        case _:
            return ()
