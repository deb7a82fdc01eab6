"""The protocol's bytes are the ones on file, and readers of the files find them consistent."""

import json
from hashlib import sha256
from typing import Any

import pytest
import rfc8785

from ledger.blocks import decode_block
from ledger.codec import Codec, unpack
from ledger.crypto import verify
from ledger.parameters import LedgerParameters, block_limits
from ledger.state import StateProof, verify_state_proof
from ledger.transactions import TransactionCodec, check_signature
from tests.ledger.golden import ACTIONS, CHAIN, FOLDER, GENESIS_HASH, documents, render

LIMITS = block_limits(LedgerParameters(chain=CHAIN))


def cases(name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((FOLDER / name).read_text())["cases"]
    assert found
    return found


@pytest.mark.parametrize("name", sorted(documents()))
def test_generating_the_vectors_again_gives_the_files(name: str) -> None:
    assert (FOLDER / name).read_text() == render(documents()[name])


@pytest.mark.parametrize("name", ["ledger_values.json", "ledger_transactions.json"])
def test_values_are_rfc_8785_by_the_oracle(name: str) -> None:
    for case in cases(name):
        assert rfc8785.dumps(case["value"]).hex() == case["hex"]


def test_transactions_on_file_decode_and_verify() -> None:
    codec = TransactionCodec(ACTIONS, CHAIN, GENESIS_HASH, 65_536)
    for case in cases("ledger_transactions.json"):
        raw = bytes.fromhex(case["hex"])
        transaction = codec.decode(raw)
        signed = {key: value for key, value in case["value"].items() if key != "sig"}
        preimage = b"twinchain/tx/v1\0" + GENESIS_HASH + rfc8785.dumps(signed)
        assert transaction.id.hex() == case["id"] == sha256(preimage).hexdigest()
        assert sha256(raw).hexdigest() == case["cache_key"]
        assert check_signature(transaction)


def test_blocks_on_file_decode_and_have_their_hash() -> None:
    for case in cases("ledger_blocks.json"):
        block = decode_block(bytes.fromhex(case["hex"]), GENESIS_HASH, LIMITS)
        header = rfc8785.dumps(case["header"])
        assert block.header_bytes == header == bytes.fromhex(case["header_hex"])
        preimage = b"twinchain/block/v1\0" + GENESIS_HASH + header
        assert block.hash.hex() == case["hash"] == sha256(preimage).hexdigest()


def test_proofs_on_file_hold() -> None:
    for case in cases("ledger_states.json"):
        proof = Codec(StateProof).decode(rfc8785.dumps(case["proof"]))
        key = bytes.fromhex(case["proof_of"])
        value = case["entries"].get(key.hex())
        told = None if value is None else bytes.fromhex(value)
        assert verify_state_proof(bytes.fromhex(case["root"]), key, told, proof)


def test_lists_on_file_unpack_to_their_items() -> None:
    for case in cases("ledger_lists.json"):
        items = unpack(bytes.fromhex(case["packed"]), 10, 1_000)
        assert [item.hex() for item in items] == case["items"]


def test_signatures_on_file_are_those_of_the_keys() -> None:
    for case in cases("ledger_keys.json"):
        key, message = bytes.fromhex(case["public_key"]), bytes.fromhex(case["digest_of_vote_body"])
        assert verify(key, message, bytes.fromhex(case["signature"]))
