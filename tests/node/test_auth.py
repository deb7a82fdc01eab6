"""HTTP requests between nodes: who is believed, and what is refused before a body is read."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from ledger.crypto import SigningKey
from node.peers.auth import (
    NONCES_MAX,
    RECIPIENT_HEADER,
    RequestSigner,
    RequestVerifier,
    Unauthenticated,
    matches_digest,
)

ALICE, BOB, EVE = (SigningKey.from_seed(bytes([number]) * 32) for number in (1, 2, 3))
URL = "http://bob.example:8080/p2p/v1/chain?from=1&count=5"


class World:
    """Bob's verifier, who knows Alice, under a clock of ours."""

    def __init__(self) -> None:
        self.now_s = 1000.0
        self.bob = RequestVerifier(
            BOB.address, lambda address: address == ALICE.address, lambda: self.now_s
        )

    def sign(
        self, key: SigningKey = ALICE, to: SigningKey = BOB, body: bytes = b""
    ) -> dict[str, str]:
        return dict(RequestSigner(key).headers("GET", URL, to.address, body))

    def sender(self, headers: dict[str, str], method: str = "GET", url: str = URL) -> str:
        return self.bob.sender(method, url, list(headers.items()))


@pytest.fixture
def world() -> World:
    return World()


def test_a_signed_request_names_its_sender(world: World) -> None:
    assert world.sender(world.sign()) == ALICE.address


def test_header_names_may_come_in_lower_case_as_servers_give_them(world: World) -> None:
    headers = {name.lower(): value for name, value in world.sign().items()}
    assert world.sender(headers) == ALICE.address


def test_an_unknown_sender_is_refused(world: World) -> None:
    with pytest.raises(Unauthenticated):
        world.sender(world.sign(EVE))


def test_a_request_for_another_node_is_refused(world: World) -> None:
    with pytest.raises(Unauthenticated, match="another node"):
        world.sender(world.sign(to=EVE))


def test_a_redirected_request_is_refused_even_if_the_header_is_changed(world: World) -> None:
    headers = world.sign(to=EVE)
    headers[RECIPIENT_HEADER] = BOB.address
    with pytest.raises(Unauthenticated, match="wrong signature"):
        world.sender(headers)


def test_a_request_counts_once(world: World) -> None:
    headers = world.sign()
    world.sender(headers)
    with pytest.raises(Unauthenticated, match="nonce used before"):
        world.sender(headers)


def test_a_nonce_is_forgotten_only_after_its_signature_is_stale(world: World) -> None:
    headers = world.sign()
    world.sender(headers)
    world.now_s += 60
    with pytest.raises(Unauthenticated, match="nonce used before"):
        world.sender(headers)


def test_the_memory_of_nonces_is_bounded(world: World) -> None:
    world.bob._nonces.update({("x", str(number)): 1e9 for number in range(NONCES_MAX)})
    world.sender(world.sign())
    assert len(world.bob._nonces) <= NONCES_MAX


@pytest.mark.parametrize(
    ("offset_s", "accepted"), [(-40, False), (-20, True), (20, True), (40, False)]
)
def test_a_clock_more_than_30_s_off_is_refused(world: World, offset_s: int, accepted: bool) -> None:
    signer = RequestSigner(ALICE, lambda: datetime.now(UTC) + timedelta(seconds=offset_s))
    headers = dict(signer.headers("GET", URL, BOB.address, b""))
    if accepted:
        assert world.sender(headers) == ALICE.address
    else:
        with pytest.raises(Unauthenticated):
            world.sender(headers)


@pytest.mark.parametrize(
    "change",
    [
        lambda h: h.pop("Signature"),
        lambda h: h.pop("Signature-Input"),
        lambda h: h.pop(RECIPIENT_HEADER),
        lambda h: h.update({"Content-Digest": "sha-256=:AAAA:"}),
        lambda h: h.update({"Signature-Input": h["Signature-Input"].replace("keyid", "keyix")}),
        lambda h: h.update({"Signature-Input": h["Signature-Input"].replace('"@method" ', "")}),
        lambda h: h.update({"Signature-Input": h["Signature-Input"].replace("nonce", "nonse")}),
        lambda h: h.update({"Signature-Input": "peer=()"}),
        lambda h: h.update({"Signature-Input": "\x00\xff"}),
        lambda h: h.update({"Signature": "peer=:" + "A" * 86 + "==:"}),
        lambda h: h.clear(),
    ],
)
def test_any_change_to_the_signed_headers_is_refused(
    world: World, change: Callable[[dict[str, str]], object]
) -> None:
    headers = world.sign()
    change(headers)
    with pytest.raises(Unauthenticated):
        world.sender(headers)


@pytest.mark.parametrize(
    ("method", "url"), [("POST", URL), ("GET", URL + "0"), ("GET", URL.replace("8080", "8081"))]
)
def test_another_method_or_target_is_refused(world: World, method: str, url: str) -> None:
    with pytest.raises(Unauthenticated):
        world.sender(world.sign(), method, url)


def test_a_body_must_be_the_one_that_was_signed(world: World) -> None:
    field = world.sign(body=b"block")["Content-Digest"]
    assert matches_digest(field, b"block")
    assert not matches_digest(field, b"blocks")
    assert not matches_digest("md5=:AAAA:", b"block")
    assert not matches_digest("", b"")
