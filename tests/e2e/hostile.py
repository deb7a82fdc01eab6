"""Transactions that no node may take: each wrong in one way, and signed correctly where it can be.

The signature covers whatever bytes stand before it, so a body can be spoilt first and signed
afterwards.  Then nothing but the fault itself can be the reason of the refusal.
"""

import gzip
import hashlib
import json
import socket
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import count

import httpx

from ledger.crypto import SigningKey

JSON_TYPE = {"Content-Type": "application/json"}
GROUP_ORDER = 2**252 + 27742317777372353535851937790883648493
Value = object


@dataclass(frozen=True, slots=True)
class Forger:
    """Writes envelopes of one account by hand, as a client in any language would."""

    key: SigningKey
    chain: str
    genesis_hash: bytes
    receiver: str
    nonce: int

    def envelope(self, **changes: Value) -> dict[str, Value]:
        """The fields of a correct transfer, with some of them replaced."""
        action = {"type": "transfer", "to": self.receiver, "amount_micro": 1, "memo": ""}
        return {
            "actions": [action],
            "chain": self.chain,
            "expires": 0,
            "from": self.key.address,
            "nonce": self.nonce,
            **changes,
        }

    def transfer(self, **changes: Value) -> dict[str, Value]:
        """The same with fields of its one action replaced; None takes a field out."""
        action = {"type": "transfer", "to": self.receiver, "amount_micro": 1, "memo": "", **changes}
        return self.envelope(actions=[{k: v for k, v in action.items() if v is not None}])

    def honest(self) -> bytes:
        """A transaction without fault."""
        return self.signed(self.envelope())

    def sign(self, body: bytes, genesis_hash: bytes | None = None) -> bytes:
        """`body` (an object without "sig") with a signature over exactly these bytes."""
        tag = b"twinchain/tx/v1\0" + (genesis_hash or self.genesis_hash)
        signature = self.key.sign(hashlib.sha256(tag + body).digest())
        return with_signature(body, signature.hex())

    def signed(self, envelope: Mapping[str, Value]) -> bytes:
        """Canonical bytes of an envelope, whatever is in it, correctly signed."""
        return self.sign(canonical(envelope))

    def replaced(self, old: str, new: str) -> bytes:
        """A correct body with a piece of its text replaced, then signed."""
        body = canonical(self.envelope()).decode()
        assert body.count(old) == 1, old
        return self.sign(body.replace(old, new).encode("utf-8", "surrogatepass"))


def canonical(value: Value) -> bytes:
    """JSON with sorted keys and no blanks; NaN and infinities as Python spells them."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def with_signature(body: bytes, signature: str) -> bytes:
    return body[:-1] + b',"sig":"' + signature.encode() + b'"}'


def signature_of(raw: bytes) -> bytes:
    return bytes.fromhex(raw[-130:-2].decode())


Bodies = Mapping[str, Callable[[Forger], bytes]]

WRONG_TYPES: Bodies = {
    "a nonce in quotes": lambda by: by.signed(by.envelope(nonce=str(by.nonce))),
    "a nonce that is null": lambda by: by.signed(by.envelope(nonce=None)),
    "a nonce that is true": lambda by: by.signed(by.envelope(nonce=True)),
    "a negative nonce": lambda by: by.signed(by.envelope(nonce=-1)),
    "actions as an object": lambda by: by.signed(by.envelope(actions={})),
    "no actions": lambda by: by.signed(by.envelope(actions=[])),
    "65 actions": lambda by: by.signed(by.envelope(actions=by.envelope()["actions"] * 65)),  # type: ignore[operator]
    "an action that is a number": lambda by: by.signed(by.envelope(actions=[7])),
    "an amount in quotes": lambda by: by.signed(by.transfer(amount_micro="1")),
    "a negative amount": lambda by: by.signed(by.transfer(amount_micro=-1)),
    "an amount of 2^53": lambda by: by.signed(by.transfer(amount_micro=2**53)),
    "an amount of 4000 digits": lambda by: by.replaced('micro":1', 'micro":1' + "0" * 4000),
    "an amount with a point": lambda by: by.replaced('micro":1', 'micro":1.0'),
    "an amount with an exponent": lambda by: by.replaced('micro":1', 'micro":1e3'),
    "an amount that is half": lambda by: by.signed(by.transfer(amount_micro=0.5)),
    "an amount NaN": lambda by: by.signed(by.transfer(amount_micro=float("nan"))),
    "an amount Infinity": lambda by: by.signed(by.transfer(amount_micro=float("inf"))),
    "an amount -Infinity": lambda by: by.signed(by.transfer(amount_micro=float("-inf"))),
    "an amount -0": lambda by: by.replaced('micro":1', 'micro":-0'),
    "an amount with a leading zero": lambda by: by.replaced('micro":1', 'micro":01'),
    "a receiver of 63 characters": lambda by: by.signed(by.transfer(to="a" * 63)),
    "a receiver in capitals": lambda by: by.signed(by.transfer(to="AB" * 32)),
    "a receiver that is no hex": lambda by: by.signed(by.transfer(to="zz" * 32)),
    "a memo of 129 characters": lambda by: by.signed(by.transfer(memo="m" * 129)),
    "a memo with a control character": lambda by: by.signed(by.transfer(memo="\x07")),
    "a memo that is not NFC": lambda by: by.signed(by.transfer(memo="e\u0301")),
    "a memo with a bidirectional override": lambda by: by.signed(by.transfer(memo="\u202e")),
    "a sender that is a number": lambda by: by.signed(by.envelope(**{"from": 7})),
    "a sender in capitals": lambda by: by.signed(
        by.envelope(**{"from": by.key.address.upper().replace("0", "A")})
    ),
    "a list": lambda by: b"[" + by.signed(by.envelope(nonce="0")) + b"]",
}

WRONG_FIELDS: Bodies = {
    "an unknown field": lambda by: by.signed(by.envelope(gas=1)),
    "an unknown field in the action": lambda by: by.signed(by.transfer(gas=1)),
    "a missing nonce": lambda by: by.replaced(f',"nonce":{by.nonce}', ""),
    "a missing amount": lambda by: by.signed(by.transfer(amount_micro=None)),
    "a missing signature": lambda by: canonical(by.envelope()),
    "an action without type": lambda by: by.signed(by.transfer(type=None)),
    "an action of unknown type": lambda by: by.signed(by.transfer(type="mint")),
    "an action whose type is a number": lambda by: by.signed(by.transfer(type=1)),
    "a key given twice": lambda by: by.replaced(
        f'"nonce":{by.nonce}', f'"nonce":{by.nonce},"nonce":{by.nonce}'
    ),
    "a key given twice in the action": lambda by: by.replaced(
        '"amount_micro":1', '"amount_micro":1,"amount_micro":2'
    ),
}

WRONG_BYTES: Bodies = {
    "nothing": lambda by: b"",
    "null": lambda by: b"null",
    "a number": lambda by: b"7",
    "a string": lambda by: b'"transfer"',
    "an empty object": lambda by: b"{}",
    "an empty list": lambda by: b"[]",
    "a list of lists": lambda by: b"[[],[]]",
    "an open brace": lambda by: b"{",
    "half a transaction": lambda by: by.signed(by.envelope())[:150],
    "all but the last byte": lambda by: by.signed(by.envelope())[:-1],
    "two transactions in a row": lambda by: 2 * by.signed(by.envelope()),
    "a blank inside": lambda by: by.replaced('"nonce":', '"nonce": '),
    "keys out of order": lambda by: by.replaced(
        f'"expires":0,"from":"{by.key.address}"', f'"from":"{by.key.address}","expires":0'
    ),
    "an escape where none is needed": lambda by: by.replaced("transfer", "tr\\u0061nsfer"),
    "half of a surrogate pair, escaped": lambda by: by.replaced('memo":"', 'memo":"\\ud800'),
    "half of a surrogate pair, raw": lambda by: by.replaced('memo":"', 'memo":"\ud800'),
    "a byte order mark": lambda by: b"\xef\xbb\xbf" + by.signed(by.envelope()),
    "UTF-16": lambda by: by.signed(by.envelope()).decode().encode("utf-16"),
    "no UTF-8": lambda by: by.signed(by.envelope()).replace(b'memo":"', b'memo":"\xff'),
    "a zero byte": lambda by: by.signed(by.envelope()).replace(b'memo":"', b'memo":"\0'),
    "100,000 open lists": lambda by: b"[" * 100_000,
    "100,000 lists in a memo's place": lambda by: by.signed(by.envelope()).replace(
        b'"memo":""', b'"memo":' + b"[" * 50_000 + b"]" * 50_000
    ),
    "20,000 objects in each other": lambda by: b'{"actions":' * 20_000,
    "binary noise": lambda by: hashlib.shake_128(b"noise").digest(2000),
    "a comment": lambda by: by.signed(by.envelope()) + b"//",
    "a memo of 300 kB": lambda by: by.signed(by.transfer(memo="m" * 300_000)),
}

WRONG_SIGNATURES: Bodies = {
    "no signature bits": lambda by: with_signature(canonical(by.envelope()), "00" * 64),
    "one bit flipped": lambda by: _resigned(
        by, lambda raw: raw[:5] + bytes([raw[5] ^ 1]) + raw[6:]
    ),
    "the other form of S": lambda by: _resigned(by, _with_larger_s),
    "the identity as R": lambda by: _resigned(by, lambda raw: b"\1" + bytes(31) + raw[32:]),
    "another account's signature": lambda by: _by_stranger(by),
    "capitals": lambda by: with_signature(canonical(by.envelope()), "AB" * 64),
    "126 digits": lambda by: with_signature(canonical(by.envelope()), "ab" * 63),
    "no hex": lambda by: with_signature(canonical(by.envelope()), "zz" * 64),
    "a number": lambda by: canonical(by.envelope())[:-1] + b',"sig":1}',
    "a signature for another amount": lambda by: by.signed(by.envelope()).replace(
        b'micro":1', b'micro":9'
    ),
    "the neutral key as sender": lambda by: with_signature(
        canonical(by.envelope(**{"from": "01" + "00" * 31})), ("01" + "00" * 31) + "00" * 32
    ),
    "another chain's genesis": lambda by: by.sign(canonical(by.envelope()), bytes(32)),
    "another chain's name": lambda by: by.signed(by.envelope(chain="another-chain")),
    "a chain's name of 10 kB": lambda by: by.signed(by.envelope(chain="c" * 10_000)),
}

ALL_BODIES: Bodies = {
    f"{group}: {name}": make
    for group, bodies in (
        ("types", WRONG_TYPES),
        ("fields", WRONG_FIELDS),
        ("bytes", WRONG_BYTES),
        ("signatures", WRONG_SIGNATURES),
    )
    for name, make in bodies.items()
}

MEDIA: Mapping[str, Mapping[str, str]] = {
    "gzip": {**JSON_TYPE, "Content-Encoding": "gzip"},
    "deflate": {**JSON_TYPE, "Content-Encoding": "deflate"},
    "text": {"Content-Type": "text/plain"},
    "a form": {"Content-Type": "application/x-www-form-urlencoded"},
    "parts": {"Content-Type": "multipart/form-data; boundary=x"},
    "no type": {},
    "Latin-1": {"Content-Type": "application/json; charset=latin-1"},
}
"""Headers under which a transaction without fault is not read."""


_HEAD = b"POST /v1/txs HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"

BROKEN_HTTP: Mapping[str, bytes] = {
    "a negative length": _HEAD + b"Content-Length: -1\r\n\r\n",
    "a length that is a word": _HEAD + b"Content-Length: two\r\n\r\n{}",
    "two lengths": _HEAD + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
    "a length and chunks": _HEAD
    + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    "a chunk of wrong size": _HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n",
    "chunks of an unknown coding": _HEAD + b"Transfer-Encoding: gzip\r\n\r\n{}",
    "two content types": _HEAD + b"Content-Type: text/plain\r\nContent-Length: 2\r\n\r\n{}",
    "no length at all": _HEAD + b"\r\n",
    "a handshake of TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\r\n\r\n",
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "a zero byte in the path": b"GET /v1/\x00 HTTP/1.1\r\nHost: x\r\n\r\n",
}
"""Requests whose frame is broken: the bytes as they go over the socket."""


def encoded(headers: Mapping[str, str], raw: bytes) -> bytes:
    return gzip.compress(raw) if headers.get("Content-Encoding") == "gzip" else raw


def _resigned(by: Forger, change: Callable[[bytes], bytes]) -> bytes:
    body = canonical(by.envelope())
    return with_signature(body, change(signature_of(by.sign(body))).hex())


def _with_larger_s(signature: bytes) -> bytes:
    """S plus the order of the group verifies too, where nobody looks at its range."""
    larger = int.from_bytes(signature[32:], "little") + GROUP_ORDER
    return signature[:32] + larger.to_bytes(32, "little")


def _by_stranger(by: Forger) -> bytes:
    stranger = Forger(SigningKey.from_seed(b"s" * 32), by.chain, by.genesis_hash, by.receiver, 0)
    return stranger.signed(by.envelope())


def mutations(raw: bytes, seed: int, number: int) -> Iterator[bytes]:
    """`raw` with one byte changed, cut out, or doubled; the places come from `seed`."""
    for step in count():
        if step == number:
            return
        noise = hashlib.sha256(f"{seed}/{step}".encode()).digest()
        at = int.from_bytes(noise[:4], "big") % len(raw)
        byte = bytes([raw[at] ^ (noise[4] or 1)])
        yield raw[:at] + (byte, b"", 2 * raw[at : at + 1])[noise[5] % 3] + raw[at + 1 :]


@dataclass(frozen=True, slots=True)
class Refusal:
    """What a node answered on a bare socket, and how many bytes it had taken by then."""

    status: int
    content_type: str
    body: bytes
    sent: int


def pour(
    url: str, total: int, *, declare: bool, between: Callable[[], None], piece: int = 256 * 1024
) -> Refusal:
    """Send a body of `total` bytes until the node answers; `between` is called between pieces."""
    target = httpx.URL(url)
    length = f"Content-Length: {total}" if declare else "Transfer-Encoding: chunked"
    head = f"POST /v1/txs HTTP/1.1\r\nHost: {target.netloc.decode()}\r\n{length}\r\n"
    filler = b" " * piece if declare else b"%x\r\n" % piece + b" " * piece + b"\r\n"
    sent, answer = 0, b""
    with socket.create_connection((target.host, target.port or 80), timeout=30) as link:
        link.sendall(head.encode() + b"Content-Type: application/json\r\n\r\n")
        link.setblocking(False)
        waiting = memoryview(filler)
        while sent < total:
            between()
            try:
                answer = link.recv(65_536)
                break
            except BlockingIOError:
                pass
            try:
                written = link.send(waiting)
            except BlockingIOError:
                continue
            except (BrokenPipeError, ConnectionResetError):
                break
            sent += written
            waiting = waiting[written:] if written < len(waiting) else memoryview(filler)
        link.setblocking(True)
        try:
            while more := link.recv(65_536):
                answer += more
        except ConnectionResetError:
            pass
    return _parse(answer, sent)


def say(url: str, request: bytes) -> Refusal:
    """Send these bytes as they are; the answer, up to the end of its body."""
    target, answer = httpx.URL(url), b""
    with socket.create_connection((target.host, target.port or 80), timeout=20) as link:
        link.sendall(request)
        try:
            while not answer.endswith(b"}") and (more := link.recv(65_536)):
                answer += more
        except ConnectionResetError:
            pass
    return _parse(answer, len(request))


def _parse(answer: bytes, sent: int) -> Refusal:
    head, _, body = answer.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    fields = {name.lower(): value.strip() for name, _, value in (x.partition(":") for x in lines)}
    status = int(first.split()[1]) if first else 0
    return Refusal(status, fields.get("content-type", ""), body, sent)
