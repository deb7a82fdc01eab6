"""Published signature vectors, every case, against the strict rule.

The vectors are data of others and not part of this repository.  Point TWINCHAIN_VECTORS at a folder
with wycheproof_ed25519_test.json, cctv_ed25519vectors.json, speccheck_cases.json, zip215_196.json,
rfc8032_ed25519.json, rfc9381_ecvrf_ed25519.json and verdicts.json (rows of set, id, verdict of
three libraries, strict verdict) to run them.
"""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from ledger import vrf
from ledger.crypto import SigningKey, verify
from tests.ledger.test_crypto import strict_oracle

FOLDER = os.environ.get("TWINCHAIN_VECTORS", "")

pytestmark = pytest.mark.skipif(
    not FOLDER, reason="set TWINCHAIN_VECTORS to a folder of published signature vectors"
)

Case = tuple[bytes, bytes, bytes]


def load(name: str) -> Any:
    return json.loads((Path(FOLDER) / name).read_text())


def case(key: str, message: bytes, signature: str) -> Case:
    return bytes.fromhex(key), message, bytes.fromhex(signature)


def published_cases() -> dict[tuple[str, int], Case]:
    """Return every case under the set and id that verdicts.json uses."""
    cases = {}
    for group in load("wycheproof_ed25519_test.json")["testGroups"]:
        for test in group["tests"]:
            message = bytes.fromhex(test["msg"])
            cases["wycheproof", test["tcId"]] = case(group["publicKey"]["pk"], message, test["sig"])
    for test in load("cctv_ed25519vectors.json"):
        cases["cctv", test["number"]] = case(test["key"], test["msg"].encode(), test["sig"])
    for number, test in enumerate(load("speccheck_cases.json")):
        message = bytes.fromhex(test["message"])
        cases["speccheck", number] = case(test["pub_key"], message, test["signature"])
    zip215 = load("zip215_196.json")
    for test in zip215["cases"]:
        message = zip215["msg"].encode()
        cases["zip215", test["id"]] = case(test["key"], message, test["sig"])
    return cases


def test_every_published_case_has_its_strict_verdict_and_both_libraries_agree() -> None:
    cases = published_cases()
    rows = load("verdicts.json")["rows"]
    assert len(rows) == len(cases) == 1273
    for name, number, *_, strict in rows:
        found = cases[name, number]
        assert verify(*found) is (strict == "V"), (name, number)
        assert strict_oracle(*found) is (strict == "V"), (name, number)


def test_all_rfc_8032_examples_sign_byte_for_byte() -> None:
    document = load("rfc8032_ed25519.json")
    tests = document["cases"] if isinstance(document, dict) else document
    assert len(tests) == 5
    for test in tests:
        key = SigningKey.from_seed(bytes.fromhex(test["sk"])[:32])
        message = bytes.fromhex(test["msg"])
        assert key.address == test["pk"]
        assert key.sign(message).hex() == test["sig"]
        assert verify(key.public_key, message, bytes.fromhex(test["sig"]))


def test_rfc_9381_tai_examples_hold_and_ell2_examples_do_not() -> None:
    for test in load("rfc9381_ecvrf_ed25519.json")["cases"]:
        alpha, proof = bytes.fromhex(test["alpha"]), bytes.fromhex(test["pi"])
        beta = vrf.verify(bytes.fromhex(test["pk"]), alpha, proof)
        assert beta == (bytes.fromhex(test["beta"]) if test["suite"].endswith("TAI") else None)
