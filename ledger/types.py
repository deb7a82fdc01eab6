"""The alphabet of the chain: sized integers and strings of fixed form; no behaviour.

Each name below is an ordinary `int`, `str` or `bytes` to Python and to mypy, and carries its bounds
for the decoder, which refuses anything outside them.  Integers never pass 2^53 - 1, so that any
language with IEEE doubles reads the same JSON; a quantity that may grow further (accrued tokens)
travels as a `Decimal` string.  Byte strings travel as lower-case hex of fixed length.

`$` in a pattern would also match before a final newline; the length bound beside it closes that.
"""

from typing import Annotated

from msgspec import Meta

MAX_INTEGER = 2**53 - 1
"""Largest integer on the wire and the bound of all money together (micro-tokens)."""

PPM = 1_000_000
"""Parts per million in one."""

BASIS_POINTS = 10_000
"""Basis points in one; a satisfaction of 10000 is full marks."""

MAX_ACTIONS = 64
"""Actions under one signature."""

Digest = bytes
"""32 bytes out of SHA-256."""

_HEX = "^[0-9a-f]*$"

Hex32 = Annotated[str, Meta(pattern=_HEX, min_length=64, max_length=64)]
Hex64 = Annotated[str, Meta(pattern=_HEX, min_length=128, max_length=128)]
Hex80 = Annotated[str, Meta(pattern=_HEX, min_length=160, max_length=160)]

Address = Hex32
"""An account is its Ed25519 public key, 64 lower-case hex characters."""

Micro = Annotated[int, Meta(ge=0, le=MAX_INTEGER)]
PositiveMicro = Annotated[int, Meta(ge=1, le=MAX_INTEGER)]
"""Money, in micro-tokens."""

Height = Annotated[int, Meta(ge=0, le=MAX_INTEGER)]
"""Block number; genesis is 0."""

ViewNumber = Annotated[int, Meta(ge=1, le=MAX_INTEGER)]
"""Attempt within a height; the first is 1."""

Nonce = Annotated[int, Meta(ge=0, le=MAX_INTEGER)]
Milliseconds = Annotated[int, Meta(ge=0, le=MAX_INTEGER)]
Count = Annotated[int, Meta(ge=0, le=MAX_INTEGER)]
PositiveCount = Annotated[int, Meta(ge=1, le=MAX_INTEGER)]
SignedInteger = Annotated[int, Meta(ge=-MAX_INTEGER, le=MAX_INTEGER)]

BasisPoints = Annotated[int, Meta(ge=0, le=BASIS_POINTS)]
PartsPerMillion = Annotated[int, Meta(ge=0, le=MAX_INTEGER)]
"""A ratio scaled by 10^6; may exceed one."""

ShareOfMillion = Annotated[int, Meta(ge=0, le=PPM)]
"""A ratio scaled by 10^6 that is a part of a whole: at most one."""

ResourceUnits = Annotated[int, Meta(ge=0, le=10**9)]
"""A declared capacity; 10^9 leaves 64-bit room for a product with a parts-per-million factor."""

Decimal = Annotated[str, Meta(pattern="^(0|[1-9][0-9]*)$", min_length=1, max_length=80)]
"""A non-negative integer that may pass 2^53, in decimal without leading zeros."""

ChainName = Annotated[str, Meta(pattern="^[a-z][a-z0-9-]*$", min_length=1, max_length=32)]

Name = Annotated[str, Meta(pattern=r"^\S(.*\S)?$", min_length=1, max_length=64)]
"""A name for display: no blank at either end (the codec already refuses control characters)."""

Endpoint = Annotated[str, Meta(pattern="^[!-~]*$", min_length=0, max_length=200)]
"""Where a member's node answers, printable ASCII; empty when it has none."""

Memo = Annotated[str, Meta(max_length=128)]

Code = Annotated[str, Meta(pattern="^[a-z][a-z0-9_]*$", min_length=1, max_length=64)]
"""A stable machine-readable code."""
