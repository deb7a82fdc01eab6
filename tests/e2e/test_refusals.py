"""What hostile clients send over real sockets is refused with a stable code and changes nothing."""

import json
import time
from collections.abc import Iterator

import httpx
import pytest

from node.client.client import Document
from tests.e2e.hostile import (
    ALL_BODIES,
    BROKEN_HTTP,
    JSON_TYPE,
    MEDIA,
    Forger,
    encoded,
    mutations,
    pour,
    say,
)
from tests.e2e.kit import Net, resident_bytes, until

pytestmark = pytest.mark.slow

POURED_BYTES = 200 * 2**20
MAY_GROW_BYTES = 50 * 2**20
BODY_BYTES_MAX = 8 * 2**20


class Attack:
    """One account with money, the tools to misuse it, and what it had before."""

    def __init__(self, net: Net) -> None:
        self.net = net
        self.http = httpx.Client(timeout=20.0, trust_env=False)
        self.key, self.receiver = net.key("alice"), net.account("bob")
        status = net.data(0, "/v1/status")
        self.chain, self.genesis_hash = status["chain"], bytes.fromhex(status["genesis_hash"])
        self.pids = [net.pid(index) for index in range(net.size)]
        start = self.look(0)
        self.paid = self.forger(start[0]["nonce"]).honest()
        sent = self.post(self.paid)
        assert sent.status_code == 202, sent.text
        self.path = f"/v1/txs/{sent.json()['data']['hash']}"
        for index in range(net.size):
            assert net.data(index, f"{self.path}?wait=final")["status"] == "final"
        self.before = self.look(0)
        assert self.before[1]["free_micro"] == start[1]["free_micro"] + 1
        self.nonce = self.before[0]["nonce"]

    def forger(self, nonce: int | None = None) -> Forger:
        nonce = self.nonce if nonce is None else nonce
        return Forger(self.key, self.chain, self.genesis_hash, self.receiver, nonce)

    def post(self, raw: bytes, index: int = 0) -> httpx.Response:
        return self.http.post(self.net.url(index) + "/v1/txs", content=raw, headers=JSON_TYPE)

    def look(self, index: int) -> list[Document]:
        """Money and nonce of sender and receiver as one node sees them."""
        found = [
            self.net.data(index, f"/v1/accounts/{address}")
            for address in (self.key.address, self.receiver)
        ]
        return [{name: one[name] for name in ("free_micro", "nonce")} for one in found]

    def require_no_effect(self) -> None:
        """All nodes are the same processes, go on, agree, and have the accounts as they were."""
        height = max(self.net.heights())
        until(lambda: min(self.net.heights()) >= height + 2, "two more blocks")
        self.net.require_one_chain()
        for index in range(self.net.size):
            assert self.look(index) == self.before
        assert [self.net.pid(index) for index in range(self.net.size)] == self.pids
        self.net.require_clean_logs()


@pytest.fixture(scope="module")
def attack(net: Net) -> Iterator[Attack]:
    attacker = Attack(net)
    yield attacker
    attacker.http.close()


def require_problem(answer: httpx.Response, *codes: str) -> None:
    """A refusal as docs/api.md promises it, with one of these codes."""
    assert 400 <= answer.status_code < 500, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert {"type", "title", "status", "code", "detail", "hint"} <= set(problem)
    assert problem["status"] == answer.status_code
    assert problem["code"] in codes
    assert len(answer.content) < 16_384


FORM = ("not_canonical", "validation_error")
SIGNATURE = ("invalid_signature", "unacceptable_key", "validation_error", "not_canonical")
EXACT = {
    "signatures: another chain's name": ("wrong_chain",),
    "signatures: another chain's genesis": ("invalid_signature",),
    "signatures: the other form of S": ("invalid_signature",),
    "signatures: one bit flipped": ("invalid_signature",),
    "signatures: another account's signature": ("invalid_signature",),
    "bytes: a memo of 300 kB": ("body_too_large",),
}


@pytest.mark.parametrize("name", ALL_BODIES)
def test_a_malformed_transaction_is_refused_with_a_stable_code(attack: Attack, name: str) -> None:
    usual = SIGNATURE if name.startswith("signatures") else FORM
    raw = ALL_BODIES[name](attack.forger())
    answers = [attack.post(raw, index) for index in range(2)]
    for answer in answers:
        require_problem(answer, *EXACT.get(name, usual))
    assert len({answer.json()["code"] for answer in answers}) == 1


@pytest.mark.parametrize("name", BROKEN_HTTP)
def test_a_request_that_is_not_quite_http_is_refused_in_the_same_form(
    attack: Attack, name: str
) -> None:
    refusal = say(attack.net.url(0), BROKEN_HTTP[name])
    assert 400 <= refusal.status < 500
    assert refusal.content_type == "application/problem+json"
    problem = json.loads(refusal.body)
    assert problem["status"] == refusal.status
    assert problem["code"] in {*FORM, "unsupported_media_type"}


@pytest.mark.parametrize("name", MEDIA)
def test_only_plain_json_is_read(attack: Attack, name: str) -> None:
    body = encoded(MEDIA[name], attack.forger().honest())
    answer = attack.http.post(attack.net.url(0) + "/v1/txs", content=body, headers=MEDIA[name])
    require_problem(answer, "unsupported_media_type")
    assert answer.status_code == 415


def test_no_mutation_of_a_good_transaction_passes(attack: Attack) -> None:
    good = attack.forger().honest()
    for step, raw in enumerate(mutations(good, seed=7, number=240)):
        require_problem(attack.post(raw, step % attack.net.size), *FORM, *SIGNATURE, "wrong_chain")


def test_a_final_transaction_sent_again_moves_nothing(attack: Attack) -> None:
    for index in range(attack.net.size):
        again = attack.post(attack.paid, index)
        require_problem(again, "already_final")
        assert again.status_code == 409
    attack.require_no_effect()


def test_a_used_nonce_a_far_nonce_and_an_expired_transaction_are_refused(attack: Attack) -> None:
    by = attack.forger()
    used = by.signed(by.transfer(amount_micro=5, nonce=None) | {"nonce": by.nonce - 1})
    far = by.signed(by.envelope(nonce=by.nonce + 1_000_000))
    expired = by.signed(by.envelope(expires=1))
    for raw, status, code in (
        (used, 409, "nonce_used"),
        (far, 422, "nonce_gap"),
        (expired, 422, "expired"),
    ):
        answer = attack.post(raw)
        require_problem(answer, code)
        assert answer.status_code == status


def test_of_two_transactions_with_one_nonce_the_second_is_refused(attack: Attack) -> None:
    by = attack.forger(attack.nonce + 2)
    first, second = by.honest(), by.signed(by.transfer(amount_micro=2))
    assert attack.post(first).status_code == 202
    answer = attack.post(second)
    require_problem(answer, "nonce_conflict")
    assert answer.status_code == 409


def test_each_item_of_an_array_gets_its_own_refusal(attack: Attack) -> None:
    raws = [make(attack.forger()) for name, make in ALL_BODIES.items() if "signatures" in name]
    answer = attack.post(b"[" + b",".join(raws) + b"]")
    require_problem(answer, *SIGNATURE)
    rows = answer.json()["data"]
    assert len(rows) == len(raws)
    assert {row["status"] for row in rows} == {"rejected"}
    assert all(400 <= row["error"]["status"] < 500 for row in rows)
    require_problem(attack.post(b"[" + b",".join([b"{}"] * 10_001) + b"]"), "body_too_large")


@pytest.mark.parametrize("declare", [True, False], ids=["declared", "chunked"])
def test_a_body_of_200_mb_is_refused_early_and_takes_no_memory(
    attack: Attack, declare: bool
) -> None:
    net, pid = attack.net, attack.net.pid(1)
    before = most = resident_bytes(pid)

    def look() -> None:
        nonlocal most
        most = max(most, resident_bytes(pid))

    started = time.monotonic()
    refusal = pour(net.url(1), POURED_BYTES, declare=declare, between=look)
    assert refusal.status == 413
    assert refusal.content_type == "application/problem+json"
    assert json.loads(refusal.body)["code"] == "body_too_large"
    assert refusal.sent < 4 * BODY_BYTES_MAX
    assert time.monotonic() - started < 10
    look()
    assert most - before < MAY_GROW_BYTES


def test_after_all_this_the_accounts_the_chain_and_the_processes_are_as_before(
    attack: Attack,
) -> None:
    attack.require_no_effect()
    for index in range(attack.net.size):
        shown = attack.http.get(attack.net.url(index) + "/metrics").text
        served = [line for line in shown.splitlines() if 'status="5' in line]
        assert [line for line in served if not line.endswith(" 0.0")] == []
