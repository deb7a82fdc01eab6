"""The genesis file: one byte form, one hash, no contradictions, and no editing afterwards."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from msgspec.structs import replace

from ledger.accounts import total_money
from ledger.crypto import digest
from ledger.genesis import genesis_money
from ledger.types import MAX_INTEGER
from node.application.genesis import (
    Genesis,
    GenesisError,
    encode_genesis,
    from_bytes,
    from_genesis,
    genesis_hash,
    genesis_state,
    load,
)
from node.storage.errors import WrongGenesis
from node.storage.store import Store
from tests.node.small_chain import PEOPLE, make_genesis

LOADED = make_genesis()


def changed(**fields: object) -> Genesis:
    return replace(LOADED.genesis, **fields)


def test_a_file_comes_back_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "genesis.json"
    for ending in (b"", b"\n"):
        path.write_bytes(LOADED.data + ending)
        assert load(path) == LOADED
    assert LOADED.hash == genesis_hash(LOADED.data) == digest("genesis", LOADED.data)
    assert encode_genesis(LOADED.genesis) == LOADED.data


def test_the_state_of_a_genesis_is_the_same_each_time_and_holds_all_its_money() -> None:
    state = genesis_state(LOADED)
    assert state.root == genesis_state(LOADED).root
    assert total_money(state) <= MAX_INTEGER


def test_another_genesis_has_another_hash_and_another_state() -> None:
    other = from_genesis(changed(time_ms=LOADED.genesis.time_ms + 1))
    assert other.hash != LOADED.hash
    assert genesis_state(other).root != genesis_state(LOADED).root, "the seed depends on the hash"


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "not_canonical"),
        (b"{}", "validation_error"),
        (LOADED.data + b" ", "not_canonical"),
        (LOADED.data.replace(b'"chain":', b'"chain": ', 1), "not_canonical"),
        (LOADED.data.replace(b'{"chain"', b'{"zzz":1,"chain"', 1), "validation_error"),
        (json.dumps(json.loads(LOADED.data), indent=2).encode(), "not_canonical"),
    ],
)
def test_a_file_that_is_not_the_one_byte_form_is_refused_with_the_reason(
    tmp_path: Path, data: bytes, says: str
) -> None:
    path = tmp_path / "genesis.json"
    path.write_bytes(data)
    with pytest.raises(GenesisError) as caught:
        load(path)
    assert says in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_missing_file_is_said_to_be_missing(tmp_path: Path) -> None:
    with pytest.raises(GenesisError, match="No such file"):
        load(tmp_path / "genesis.json")


def test_two_names_for_one_chain_are_refused() -> None:
    with pytest.raises(GenesisError, match="named"):
        from_bytes(encode_genesis(changed(chain="another")))


def test_a_genesis_that_contradicts_itself_is_refused() -> None:
    ledger = LOADED.genesis.ledger
    twice = replace(ledger, accounts=(*ledger.accounts, ledger.accounts[0]))
    with pytest.raises(GenesisError, match="contradicts"):
        genesis_state(from_genesis(changed(ledger=twice)))


def test_more_money_than_can_be_counted_is_refused() -> None:
    ledger = LOADED.genesis.ledger
    rich = tuple(replace(account, free_micro=MAX_INTEGER // 2) for account in ledger.accounts[:3])
    with pytest.raises(GenesisError):
        genesis_state(from_genesis(changed(ledger=replace(ledger, accounts=rich))))


def test_room_too_small_for_the_votes_or_rounds_of_a_block_is_refused() -> None:
    ledger, market = LOADED.genesis.ledger, LOADED.genesis.market
    tight = replace(ledger, parameters=replace(ledger.parameters, max_sealed_bytes=1_024))
    with pytest.raises(GenesisError, match="max_sealed_bytes"):
        from_genesis(changed(ledger=tight))
    snug = replace(ledger, parameters=replace(ledger.parameters, max_sealed_bytes=16_384))
    from_genesis(changed(ledger=snug))
    with pytest.raises(GenesisError, match="max_sealed_bytes"):
        from_genesis(changed(ledger=snug, market=replace(market, brokers=market.brokers * 200)))


def test_a_genesis_edited_after_the_start_is_refused_with_both_hashes(tmp_path: Path) -> None:
    Store.open(tmp_path, LOADED.hash).close()
    ledger = LOADED.genesis.ledger
    richer = tuple(
        replace(account, free_micro=account.free_micro + 1)
        if account.address == PEOPLE[0].address
        else account
        for account in ledger.accounts
    )
    edited = from_genesis(changed(ledger=replace(ledger, accounts=richer)))
    with pytest.raises(WrongGenesis) as caught:
        Store.open(tmp_path, edited.hash)
    assert LOADED.hash.hex() in str(caught.value)
    assert edited.hash.hex() in str(caught.value)


def test_the_money_of_a_genesis_is_what_its_state_holds() -> None:
    loaded = make_genesis()
    assert genesis_money(loaded.genesis.ledger) == total_money(genesis_state(loaded))
