"""Who sent this HTTP request: RFC 9421 signatures with the nodes' account keys.

A request names its sender (`keyid`, the account) and its receiver (a signed header), the method,
the whole target and the digest of the body, carries the time it was made and a nonce.  A receiver
refuses unknown senders, other receivers, times more than 30 s off and nonces seen before, all
before it reads one byte of the body; the body must then match the signed digest.
"""

import base64
import hashlib
import os
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, MutableMapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from http_message_signatures import (
    HTTPMessageSignaturesException,
    HTTPMessageSigner,
    HTTPMessageVerifier,
    HTTPSignatureAlgorithm,
    HTTPSignatureKeyResolver,
    InvalidSignature,
)

from ledger.crypto import SigningKey, verify

RECIPIENT_HEADER = "twinchain-recipient"
TAG = "twinchain-peer"
COVERED = ("@method", "@target-uri", "content-digest", RECIPIENT_HEADER)
CLOCK_SKEW_S = 30
NONCE_BYTES = 16
NONCES_MAX = 65_536
"""More than any peer group sends within the 60 s in which a signature is fresh."""


class Unauthenticated(Exception):
    """The request is not signed by a known peer for this node, now, for the first time."""


@dataclass(slots=True)
class SignedRequest:
    """The view of a request that is signed: method, absolute URL and header fields."""

    method: str
    url: str
    headers: MutableMapping[str, str] = field(default_factory=dict)


class _Ed25519(HTTPSignatureAlgorithm):
    """The chain's one signature rule under the name that the standard gives to it."""

    algorithm_id = "ed25519"

    def __init__(
        self, public_key: bytes | None = None, private_key: SigningKey | None = None
    ) -> None:
        self._public_key = public_key
        self._private_key = private_key

    def sign(self, message: bytes) -> bytes:
        if self._private_key is None:
            raise InvalidSignature("no key to sign with")
        return self._private_key.sign(message)

    def verify(self, signature: bytes, message: bytes) -> None:
        if self._public_key is None or not verify(self._public_key, message, signature):
            raise InvalidSignature("wrong signature")


class _OwnKey(HTTPSignatureKeyResolver):
    def __init__(self, key: SigningKey) -> None:
        self._key = key

    def resolve_private_key(self, key_id: str) -> SigningKey:  # noqa: ARG002 (one key only)
        return self._key


class _PeerKeys(HTTPSignatureKeyResolver):
    def __init__(self, is_known: Callable[[str], bool]) -> None:
        self._is_known = is_known

    def resolve_public_key(self, key_id: str) -> bytes | None:
        return bytes.fromhex(key_id) if self._is_known(key_id) else None


class _StrictVerifier(HTTPMessageVerifier):
    max_clock_skew = timedelta(seconds=CLOCK_SKEW_S)
    require_created = True


def _utc_now() -> datetime:
    return datetime.now(UTC)


class RequestSigner:
    """Signs the requests of this node."""

    def __init__(self, key: SigningKey, now: Callable[[], datetime] = _utc_now) -> None:
        self._now = now
        self._address = key.address
        self._signer = HTTPMessageSigner(signature_algorithm=_Ed25519, key_resolver=_OwnKey(key))

    def headers(self, method: str, url: str, recipient: str, body: bytes) -> Mapping[str, str]:
        """The header fields that authenticate this request to `recipient` (an account)."""
        request = SignedRequest(method, url, {RECIPIENT_HEADER: recipient})
        self._signer.sign(
            request,
            key_id=self._address,
            created=self._now(),
            nonce=os.urandom(NONCE_BYTES).hex(),
            label="peer",
            tag=TAG,
            covered_component_ids=COVERED,
            body=body,
        )
        return dict(request.headers)


class RequestVerifier:
    """Checks requests to this node; remembers nonces as long as a signature stays fresh."""

    def __init__(
        self, address: str, is_known: Callable[[str], bool], now_s: Callable[[], float]
    ) -> None:
        self._address = address
        self._now_s = now_s
        self._nonces: OrderedDict[tuple[str, str], float] = OrderedDict()
        self._verifier = _StrictVerifier(
            signature_algorithm=_Ed25519, key_resolver=_PeerKeys(is_known)
        )

    def sender(self, method: str, url: str, headers: Iterable[tuple[str, str]]) -> str:
        """The account that signed these headers for this node.  Raises Unauthenticated."""
        fields: dict[str, str] = {}
        for name, value in headers:
            fields[name] = f"{fields[name]}, {value}" if name in fields else value
        if fields.get(RECIPIENT_HEADER) != self._address:
            raise Unauthenticated("meant for another node")
        try:
            results = self._verifier.verify(
                SignedRequest(method, url, fields),
                max_age=timedelta(0),
                expect_tag=TAG,
                require_components=COVERED,
            )
        except HTTPMessageSignaturesException as error:
            raise Unauthenticated(str(error)) from None
        if len(results) != 1:
            raise Unauthenticated("more than one signature")
        sender = str(results[0].parameters["keyid"])
        self._remember(sender, results[0].nonce)
        return sender

    def _remember(self, sender: str, nonce: str | None) -> None:
        if nonce is None or len(nonce) != 2 * NONCE_BYTES:
            raise Unauthenticated("no nonce")
        now = self._now_s()
        while self._nonces and (
            len(self._nonces) >= NONCES_MAX or next(iter(self._nonces.values())) <= now
        ):
            self._nonces.popitem(last=False)
        if (sender, nonce) in self._nonces:
            raise Unauthenticated("nonce used before")
        self._nonces[sender, nonce] = now + 2 * CLOCK_SKEW_S + 1


def matches_digest(content_digest: str, body: bytes) -> bool:
    """Whether the signed Content-Digest field (sha-256 or sha-512 only) is that of `body`."""
    name, _, value = content_digest.partition("=")
    if name not in {"sha-256", "sha-512"}:
        return False
    digest = hashlib.new(name.replace("-", ""), body).digest()
    return value == f":{base64.b64encode(digest).decode()}:"
