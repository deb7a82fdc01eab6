"""The election's genesis, its parameters, and the documents made of it."""

import json

import pytest

from consensus.documents import (
    election_document,
    leaders_document,
    role_name,
    validator_documents,
)
from consensus.genesis import ConsensusGenesis, seed_state
from consensus.history import read_tip
from consensus.parameters import ConsensusParameters, consensus_parameters
from consensus.sets import next_validator_set
from ledger.codec import Codec, encode
from ledger.errors import Corrupt, Reason, Rejected
from ledger.parameters import LedgerParameters, write_parameters
from ledger.state import Overlay, State
from tests.consensus.chain import Chain


def test_the_genesis_seats_all_members_and_credits_one_accrual() -> None:
    chain = Chain(4)
    assert read_tip(chain.state).height == 0
    assert next_validator_set(chain.state).keys == tuple(
        sorted(bytes.fromhex(who) for who in chain.keys)
    )
    election = chain.election()
    assert [entry.chance_ppm for entry in election.entries] == [250_000] * 4
    assert consensus_parameters(chain.state) == ConsensusParameters()


@pytest.mark.parametrize(
    "parameters",
    [
        ConsensusParameters(block_reward_micro=4_000_001, skip_fee_micro=1_000_000),
        ConsensusParameters(deposit_micro=499_999),
        ConsensusParameters(boundary_blocks=0),
        ConsensusParameters(lookback_override=65),
        ConsensusParameters(block_reward_micro=-1),
    ],
)
def test_unsafe_parameters_are_refused(parameters: ConsensusParameters) -> None:
    overlay = Overlay(State())
    with pytest.raises(Rejected) as refusal:
        seed_state(overlay, ConsensusGenesis(parameters), bytes(32))
    assert refusal.value.reason is Reason.VALIDATION_ERROR
    assert not overlay.changes


def test_a_genesis_without_members_is_refused() -> None:
    overlay = Overlay(State())
    write_parameters(overlay, LedgerParameters(chain="test"))
    with pytest.raises(Rejected):
        seed_state(overlay, ConsensusGenesis(), bytes(32))


def test_a_state_without_genesis_is_corrupt() -> None:
    with pytest.raises(Corrupt):
        consensus_parameters(State())
    with pytest.raises(Corrupt):
        read_tip(State())


def test_the_genesis_has_one_byte_form() -> None:
    codec = Codec(ConsensusGenesis)
    raw = encode(ConsensusGenesis())
    assert codec.decode(raw) == ConsensusGenesis()
    assert json.loads(raw)["parameters"]["lookback_override"] == -1


def test_the_election_document_is_plain_json_with_big_numbers_as_strings() -> None:
    chain = Chain(4, stakes={0: 10**15})
    for view in (1, 2, 1):
        chain.advance(view)
    election = chain.election()
    document = election_document(election)
    assert json.loads(json.dumps(document)) == document
    order = document["order"]
    assert isinstance(order, list)
    assert [entry["role"] for entry in order] == ["V*", "V^b_1", "V^b_2", "V^b_3"]
    assert [entry["address"] for entry in order] == [
        election.leader(view).address for view in range(1, 5)
    ]
    entries = document["entries"]
    assert isinstance(entries, list)
    assert sum(int(entry["chance_ppm"]) for entry in entries) == 1_000_000
    for entry in entries:
        assert all(abs(value) < 2**53 for value in entry.values() if isinstance(value, int))
        assert isinstance(entry["tokens"], str)


def test_the_leaders_document_says_what_became_of_every_leader() -> None:
    election = Chain(4).election()
    outcomes = [entry["outcome"] for entry in leaders_document(election, 3)]
    assert outcomes == ["skipped", "skipped", "built", "not_needed"]
    outage = [entry["outcome"] for entry in leaders_document(election, 6)]
    assert outage == ["missed", "built", "missed", "missed"]
    assert role_name(0) == "V*"


def test_the_validator_documents_count_blocks_and_skips() -> None:
    chain = Chain(4)
    for view in (1, 2, 1, 3, 1):
        chain.advance(view)
    documents = validator_documents(chain.state, chain.election())
    assert sum(int(document["blocks_built"]) for document in documents) == 5
    assert sum(int(document["turns_skipped"]) for document in documents) == 3
    assert json.loads(json.dumps(documents)) == documents
