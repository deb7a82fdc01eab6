"""Malformed input on every route: the answer is a problem with a fixed code, and nothing moves."""

from __future__ import annotations

import json
import time

import httpx
import pytest

from ledger.native import Transfer
from tests.node.api.small_node import ALICE, BOB, SmallNode

HASH = "ab" * 32
JSON = {"content-type": "application/json"}
OTHER = b'"chain":"small-city","expires":0,"from":"' + b"ab" * 32 + b'","nonce":0,"sig":"'
SIG = b"00" * 64 + b'"}'


def envelope(action: bytes) -> bytes:
    return b'{"actions":[' + action + b"]," + OTHER + SIG


PAY = b'{"amount_micro":%s,"memo":"","to":"' + b"cd" * 32 + b'","type":"transfer"}'


def paying(amount: bytes) -> bytes:
    return envelope(PAY % amount)


# (path, status, code)
BAD_PATHS = [
    ("/v1/blocks/1_0", 400, "validation_error"),
    ("/v1/blocks/-1", 400, "validation_error"),
    ("/v1/blocks/+1", 400, "validation_error"),
    ("/v1/blocks/01", 400, "validation_error"),
    ("/v1/blocks/1.0", 400, "validation_error"),
    ("/v1/blocks/1e3", 400, "validation_error"),
    ("/v1/blocks/0x10", 400, "validation_error"),
    ("/v1/blocks/%201", 400, "validation_error"),
    ("/v1/blocks/1%0a", 400, "validation_error"),
    ("/v1/blocks/" + "1" + "0" * 30, 400, "validation_error"),
    ("/v1/blocks/9007199254740992", 400, "validation_error"),
    ("/v1/blocks/%D9%A1", 400, "validation_error"),
    ("/v1/blocks/NaN", 400, "validation_error"),
    ("/v1/blocks/LATEST", 400, "validation_error"),
    ("/v1/blocks/" + "AB" * 32, 400, "validation_error"),
    ("/v1/blocks/" + "ab" * 31, 400, "validation_error"),
    ("/v1/blocks/" + HASH, 404, "not_found"),
    ("/v1/blocks/0", 404, "not_found"),
    ("/v1/blocks/99", 404, "not_found"),
    ("/v1/blocks/9007199254740991", 404, "not_found"),
    ("/v1/blocks/", 404, "not_found"),
    ("/v1/blocks/1/2", 404, "not_found"),
    ("/v1/blocks/..%2f..%2fetc", 404, "not_found"),
    ("/v1/blocks?limit=0", 400, "validation_error"),
    ("/v1/blocks?limit=201", 400, "validation_error"),
    ("/v1/blocks?limit=-1", 400, "validation_error"),
    ("/v1/blocks?limit=1_0", 400, "validation_error"),
    ("/v1/blocks?limit=5.0", 400, "validation_error"),
    ("/v1/blocks?limit=", 400, "validation_error"),
    ("/v1/blocks?limit=true", 400, "validation_error"),
    ("/v1/blocks?limit=" + "9" * 5000, 400, "validation_error"),
    ("/v1/blocks?limit=5&limit=6", 400, "validation_error"),
    ("/v1/blocks?limits=5", 400, "validation_error"),
    ("/v1/blocks?cursor=zz", 400, "validation_error"),
    ("/v1/blocks?cursor=-5", 400, "validation_error"),
    ("/v1/blocks?cursor=1.2", 400, "validation_error"),
    ("/v1/blocks?cursor=9007199254740992", 400, "validation_error"),
    ("/v1/blocks?cursor=" + "1" * 401, 400, "validation_error"),
    ("/v1/blocks?cursor=", 400, "validation_error"),
    ("/v1/status?x=" + "y" * 9000, 414, "uri_too_long"),
    ("/v1/status?verbose=1", 400, "validation_error"),
    ("/v1/headers?from=0", 400, "validation_error"),
    ("/v1/headers?step=0", 400, "validation_error"),
    ("/v1/headers?from=9007199254740992", 400, "validation_error"),
    ("/v1/headers?cursor=ab", 400, "validation_error"),
    ("/v1/headers?first=1", 400, "validation_error"),
    ("/v1/headers/0", 404, "not_found"),
    ("/v1/sets/99", 404, "not_found"),
    ("/v1/sets/0", 404, "not_found"),
    ("/v1/sets/" + HASH, 404, "not_found"),
    ("/v1/sets/-1", 400, "validation_error"),
    ("/v1/proofs/money/" + HASH, 400, "validation_error"),
    ("/v1/proofs/account/" + "zz" * 32, 400, "validation_error"),
    ("/v1/proofs/account/" + "ab" * 31, 400, "validation_error"),
    ("/v1/proofs/account/" + "AB" * 32, 400, "validation_error"),
    ("/v1/proofs/key/abc", 400, "validation_error"),
    ("/v1/proofs/key/" + "ab" * 300, 400, "validation_error"),
    ("/v1/txs/" + HASH + "/proof", 404, "not_found"),
    ("/v1/txs/" + "zz" * 32 + "/proof", 400, "validation_error"),
    ("/v1/agreements/" + HASH + "/proof", 404, "not_found"),
    ("/v1/agreements/" + HASH + "/proof?height=1", 404, "not_found"),
    ("/v1/agreements/" + HASH + "/proof?height=0", 400, "validation_error"),
    ("/v1/agreements/" + HASH + "/proof?height=01", 400, "validation_error"),
    ("/v1/txs/" + "zz" * 32, 400, "validation_error"),
    ("/v1/txs/" + HASH + "0", 400, "validation_error"),
    ("/v1/txs/" + HASH, 404, "not_found"),
    ("/v1/txs/" + HASH + "?wait=yes", 400, "validation_error"),
    ("/v1/txs/" + HASH + "?wait=final&timeout=-1", 400, "validation_error"),
    ("/v1/txs/" + HASH + "?wait=final&timeout=1e9", 400, "validation_error"),
    ("/v1/txs/" + HASH + "?wait=final&timeout=inf", 400, "validation_error"),
    ("/v1/txs/" + HASH + "?wait=final&timeout=61", 400, "validation_error"),
    ("/v1/accounts/alice", 400, "validation_error"),
    ("/v1/accounts/" + HASH[:-1] + "%0a", 400, "validation_error"),
    ("/v1/accounts/" + HASH + "/activity?cursor=x", 400, "validation_error"),
    ("/v1/accounts/" + HASH + "/txs?cursor=1", 400, "validation_error"),
    ("/v1/orders?side=sideways", 400, "validation_error"),
    ("/v1/orders?broker=north", 400, "validation_error"),
    ("/v1/orders?owner=" + "AB" * 32, 400, "validation_error"),
    ("/v1/orders?status=burnt", 400, "validation_error"),
    ("/v1/orders?cursor=" + HASH, 400, "validation_error"),
    ("/v1/orders/" + HASH, 404, "not_found"),
    ("/v1/orders/1", 400, "validation_error"),
    ("/v1/agreements?status=%27;drop", 400, "validation_error"),
    ("/v1/agreements/" + HASH, 404, "not_found"),
    ("/v1/brokers/" + HASH, 404, "not_found"),
    ("/v1/brokers/" + HASH + "/depth", 404, "not_found"),
    ("/v1/brokers/" + HASH + "/coming", 404, "not_found"),
    ("/v1/brokers/" + HASH + "/depth?format=xls", 400, "validation_error"),
    ("/v1/orders?format=", 400, "validation_error"),
    ("/v1/orders/" + HASH + "?at=-1", 400, "validation_error"),
    ("/v1/orders/" + HASH + "?at=9007199254740992", 400, "validation_error"),
    ("/v1/orders/" + HASH + "?at=99", 404, "not_found"),
    ("/v1/accounts/" + HASH + "/market?blocks=0", 400, "validation_error"),
    ("/v1/accounts/" + HASH + "/market?blocks=10001", 400, "validation_error"),
    ("/v1/trades?broker=north", 400, "validation_error"),
    ("/v1/rounds?account=" + HASH[:-1], 400, "validation_error"),
    ("/v1/rounds/next?format=csv", 400, "validation_error"),
    ("/v1/rounds/-3", 400, "validation_error"),
    ("/v1/rounds/99", 404, "not_found"),
    ("/v1/rounds/1_0", 400, "validation_error"),
    ("/v1/elections/0x1", 400, "validation_error"),
    ("/v1/elections/99", 404, "not_found"),
    ("/v1/elections/0", 404, "not_found"),
    ("/v1/elections/previous", 400, "validation_error"),
    ("/v1/validators/" + HASH, 404, "not_found"),
    ("/v1/mempool?limit=1e1", 400, "validation_error"),
    ("/v1/events?topics=" + "a," * 40 + "a", 400, "validation_error"),
    ("/v1/events?topics=BLOCK", 400, "validation_error"),
    ("/v1/events?account=x", 400, "validation_error"),
    ("/v1/events?after=1", 400, "validation_error"),
    ("/v1/events?after=-1.0", 400, "validation_error"),
    ("/v1/events?after=99999999999999999999.1", 400, "validation_error"),
    ("/v1/search", 400, "validation_error"),
    ("/v1/search?q=", 400, "validation_error"),
    ("/v1/search?q=" + "a" * 81, 400, "validation_error"),
    ("/v1/trades?cursor=1", 400, "validation_error"),
    ("/v1/rounds?limit=x", 400, "validation_error"),
    ("/v2/status", 404, "not_found"),
    ("/v1/Status", 404, "not_found"),
    ("/v1/status/", 404, "not_found"),
    ("//v1/status", 404, "not_found"),
    ("/v1/%00", 404, "not_found"),
    ("/%1b[31m%0d%0aSet-Cookie:x=1", 404, "not_found"),
    ("/v1/%ff%fe", 404, "not_found"),
]

# (name, body, status, code)
BAD_BODIES = [
    ("empty", b"", 400, "not_canonical"),
    ("white space", b" \n\t ", 400, "not_canonical"),
    ("null", b"null", 400, "validation_error"),
    ("true", b"true", 400, "validation_error"),
    ("a number", b"5", 400, "validation_error"),
    ("a string", b'"pay"', 400, "validation_error"),
    ("no JSON", b"pay alice 5", 400, "not_canonical"),
    ("an empty object", b"{}", 400, "validation_error"),
    ("an empty array", b"[]", 400, "validation_error"),
    ("half an object", b'{"actions":[', 400, "not_canonical"),
    ("half an array", b"[{}", 400, "not_canonical"),
    ("two objects", b"{}{}", 400, None),
    ("a comma at the end", b"[{},]", 400, "not_canonical"),
    ("a byte order mark", b"\xef\xbb\xbf" + paying(b"5"), 400, "not_canonical"),
    ("UTF-16", paying(b"5").decode().encode("utf-16"), 400, "not_canonical"),
    ("no UTF-8", paying(b"5").replace(b'"memo":""', b'"memo":"\xff"'), 400, "not_canonical"),
    ("overlong UTF-8", paying(b"5").replace(b'"memo":""', b'"memo":"\xc0\xaf"'), 400, None),
    ("a lone surrogate", paying(b"5").replace(b'"memo":""', b'"memo":"\\ud800"'), 400, None),
    ("a needless escape", paying(b"5").replace(b'"memo":""', b'"memo":"\\u0061"'), 400, None),
    ("a control character", paying(b"5").replace(b'"memo":""', b'"memo":"\\u001b"'), 400, None),
    ("not NFC", paying(b"5").replace(b'"memo":""', '"memo":"e\u0301"'.encode()), 400, None),
    ("NaN", paying(b"NaN"), 400, None),
    ("Infinity", paying(b"Infinity"), 400, None),
    ("minus Infinity", paying(b"-Infinity"), 400, None),
    ("1e400", paying(b"1e400"), 400, None),
    ("1e3", paying(b"1e3"), 400, None),
    ("5.0", paying(b"5.0"), 400, None),
    ("5e0", paying(b"5e0"), 400, None),
    ("minus zero", paying(b"-0"), 400, None),
    ("minus one", paying(b"-1"), 400, "validation_error"),
    ("a leading zero", paying(b"05"), 400, None),
    ("a plus", paying(b"+5"), 400, None),
    ("an underscore", paying(b"1_000"), 400, None),
    ("hexadecimal", paying(b"0x10"), 400, None),
    ("a number as text", paying(b'"5"'), 400, "validation_error"),
    ("a boolean amount", paying(b"true"), 400, "validation_error"),
    ("a null amount", paying(b"null"), 400, "validation_error"),
    ("2^53", paying(b"9007199254740992"), 400, "validation_error"),
    ("2^64", paying(b"18446744073709551616"), 400, None),
    ("4000 digits", paying(b"9" * 4000), 400, None),
    (
        "a key twice",
        envelope(
            b'{"amount_micro":5,"amount_micro":5,"memo":"","to":"'
            + b"cd" * 32
            + b'","type":"transfer"}'
        ),
        400,
        "not_canonical",
    ),
    ("an unknown key", paying(b"5").replace(b'"expires":0', b'"expires":0,"extra":1'), 400, None),
    ("an unknown action", paying(b"5").replace(b'"transfer"', b'"mint"'), 400, None),
    (
        "keys out of order",
        b'{"chain":"small-city",' + paying(b"5")[1:].replace(b'"chain":"small-city",', b""),
        400,
        "not_canonical",
    ),
    ("spaces", paying(b"5").replace(b":", b": "), 400, "not_canonical"),
    ("a comment", b"/* */" + paying(b"5"), 400, "not_canonical"),
    ("no actions", b'{"actions":[],' + OTHER + SIG, 400, "validation_error"),
    ("65 actions", envelope(b",".join([PAY % b"5"] * 65)), 400, "validation_error"),
    ("an upper-case key", paying(b"5").replace(b"cd" * 32, b"CD" * 32), 400, "validation_error"),
    ("a short signature", paying(b"5").replace(b"00" * 64, b"00" * 63), 400, "validation_error"),
    ("a negative nonce", paying(b"5").replace(b'"nonce":0', b'"nonce":-1'), 400, None),
    ("another chain", paying(b"5").replace(b"small-city", b"big-city"), 400, "wrong_chain"),
    ("a forged signature", paying(b"5"), 400, "invalid_signature"),
    ("brackets 10^2", b"[" * 100 + b"]" * 100, 400, None),
    ("brackets 10^3", b"[" * 1000 + b"]" * 1000, 400, "not_canonical"),
    ("brackets 10^5", b"[" * 100_000, 400, "not_canonical"),
    ("braces 10^5", b'{"a":' * 50_000, 400, "not_canonical"),
    (
        "brackets in an action",
        envelope(b'{"a":' + b"[" * 900 + b"]" * 900 + b',"type":"transfer"}'),
        400,
        "not_canonical",
    ),
    ("brackets where an action is", envelope(b"[" * 90_000 + b"]" * 90_000), 400, "not_canonical"),
    ("batches in a batch", b"[[[[]]]]", 400, None),
    ("numbers by the million", b"[" + b"1," * 500_000 + b"1]", 413, "body_too_large"),
    ("a transaction of 300 kB", b'{"actions":"' + b"a" * 300_000 + b'"}', 413, "body_too_large"),
    ("an array item of 300 kB", b'[{"a":"' + b"a" * 300_000 + b'"}]', 413, "body_too_large"),
]

# (name, headers, status, code)
BAD_HEADERS = [
    ("no type", {}, 415),
    ("text", {"content-type": "text/plain"}, 415),
    ("a form", {"content-type": "application/x-www-form-urlencoded"}, 415),
    ("multipart", {"content-type": "multipart/form-data; boundary=x"}, 415),
    ("almost JSON", {"content-type": "application/jsonp"}, 415),
    ("JSON in UTF-16", {"content-type": "application/json; charset=utf-16"}, 415),
    ("two parameters", {"content-type": "application/json; charset=utf-8; q=1"}, 415),
    ("gzip", {**JSON, "content-encoding": "gzip"}, 415),
    ("deflate", {**JSON, "content-encoding": "deflate"}, 415),
    ("br", {**JSON, "content-encoding": "br"}, 415),
    ("zstd", {**JSON, "content-encoding": "zstd"}, 415),
    ("gzip twice", {**JSON, "content-encoding": "identity, gzip"}, 415),
    ("a length that is no number", {**JSON, "content-length": "1e3"}, 400),
    ("a negative length", {**JSON, "content-length": "-1"}, 400),
    ("a length above all bounds", {**JSON, "content-length": "200000000"}, 413),
    ("a length of many digits", {**JSON, "content-length": "9" * 40}, 400),
]


def assert_problem(answer: httpx.Response, status: int, code: str | None) -> None:
    assert answer.status_code == status, answer.text[:300]
    assert answer.headers["content-type"] == "application/problem+json"
    problem = json.loads(answer.content)
    assert problem["status"] == status
    assert problem["code"] == code or code is None
    assert problem["code"] != "internal_error"
    for field in ("type", "title", "detail", "hint"):
        assert isinstance(problem[field], str)
    assert problem["title"]
    assert all(character.isprintable() for character in problem["detail"])
    assert len(answer.content) < 4096


@pytest.fixture(scope="module")
def node() -> SmallNode:
    """One chain for the whole file: that nothing here changes it is what the tests say."""
    node = SmallNode()
    node.advance()
    return node


@pytest.mark.parametrize(("path", "status", "code"), BAD_PATHS)
async def test_a_malformed_address_is_a_problem(
    node: SmallNode, http: httpx.AsyncClient, path: str, status: int, code: str
) -> None:
    root = node.state().root
    assert_problem(await http.get(path), status, code)
    assert node.state().root == root


@pytest.mark.parametrize(
    ("body", "status", "code"), [case[1:] for case in BAD_BODIES], ids=[c[0] for c in BAD_BODIES]
)
async def test_a_malformed_body_is_a_problem_and_nothing_waits(
    node: SmallNode, http: httpx.AsyncClient, body: bytes, status: int, code: str | None
) -> None:
    root = node.state().root
    began = time.process_time()
    answer = await http.post("/v1/txs", content=body, headers=JSON)
    assert time.process_time() - began < 2.0
    assert_problem(answer, status, code)
    assert len(node.mempool) == 0
    assert node.state().root == root


@pytest.mark.parametrize(
    ("headers", "status"), [case[1:] for case in BAD_HEADERS], ids=[c[0] for c in BAD_HEADERS]
)
async def test_a_body_that_is_no_plain_json_is_not_read(
    node: SmallNode, http: httpx.AsyncClient, headers: dict[str, str], status: int
) -> None:
    request = http.build_request("POST", "/v1/txs", content=b"{}")
    for name in ("content-type", "content-length"):
        request.headers.pop(name, None)
    request.headers.update(headers)
    before = node.submissions
    answer = await http.send(request)
    assert_problem(answer, status, None)
    assert answer.headers["connection"] == "close"
    assert node.submissions == before


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "POST", "BREW"])
@pytest.mark.parametrize("path", ["/v1/status", "/v1/blocks/1", "/v1/events", "/livez", "/"])
async def test_a_method_that_a_route_does_not_have_is_405(
    http: httpx.AsyncClient, method: str, path: str
) -> None:
    answer = await http.request(method, path, content=b"{}", headers=JSON)
    assert_problem(answer, 405, "method_not_allowed")
    assert "GET" in answer.headers["allow"]


async def test_reading_the_submit_route_is_405(http: httpx.AsyncClient) -> None:
    answer = await http.get("/v1/txs")
    assert_problem(answer, 405, "method_not_allowed")
    assert answer.headers["allow"] == "POST"


async def test_a_get_with_a_body_is_refused(http: httpx.AsyncClient) -> None:
    answer = await http.request("GET", "/v1/status", content=b"{}", headers=JSON)
    assert_problem(answer, 400, "validation_error")


async def test_parameters_on_the_submit_route_are_refused(
    node: SmallNode, http: httpx.AsyncClient
) -> None:
    raw = node.sign(ALICE, 0, Transfer(BOB.address, 5))
    answer = await http.post("/v1/txs?dry_run=1", content=raw, headers=JSON)
    assert_problem(answer, 400, "validation_error")
    assert len(node.mempool) == 0


@pytest.mark.parametrize("value", ["1", "x.y", "1.2.3", "-1.0", "1.99999999999", "٣.1"])
async def test_a_malformed_event_id_is_a_problem(http: httpx.AsyncClient, value: str) -> None:
    answer = await http.get("/v1/events", headers={b"last-event-id": value.encode()})
    assert_problem(answer, 400, "validation_error")


async def test_ten_thousand_ranges_do_not_matter(http: httpx.AsyncClient) -> None:
    ranges = "bytes=" + ",".join("0-1" for _ in range(1000))
    assert (await http.get("/docs", headers={"range": ranges})).status_code == 200
