"""What a builder leaves out although it would be valid."""

from __future__ import annotations

from itertools import count

import pytest

from consensus.parameters import ConsensusParameters
from node.application.application import BUILD_BUDGETS
from tests.node.small_chain import (
    MEMBERS,
    PEOPLE,
    Wallet,
    build,
    decide,
    fresh_application,
    make_genesis,
)


def test_a_builder_stops_taking_transactions_when_their_time_is_up_and_goes_on_in_the_next_block(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    budget_ms = 3
    genesis = make_genesis(consensus=ConsensusParameters(execution_budget_ms=budget_ms))
    nodes = [fresh_application(genesis, index) for index in range(len(MEMBERS))]
    wallet = Wallet(nodes[0].chain)
    for _ in range(10):
        transaction = wallet.pay(PEOPLE[0], PEOPLE[1])
        for node in nodes:
            node.mempool.add(transaction)
    clock = count()
    monkeypatch.setattr("node.application.building.thread_time", lambda: next(clock) / 1000)
    in_block = BUILD_BUDGETS * budget_ms + 1
    for left in (10 - in_block, 0):
        decide(nodes, build(nodes))
        assert [len(node.mempool) for node in nodes] == [left] * len(nodes)


def test_signatures_of_a_block_that_is_of_no_use_any_more_are_not_asked_for() -> None:
    genesis = make_genesis()
    nodes = [fresh_application(genesis, index) for index in range(len(MEMBERS))]
    stranger = fresh_application(genesis, None)
    unseen = Wallet(nodes[0].chain).pay(PEOPLE[0], PEOPLE[1])
    for node in nodes:
        node.mempool.add(unseen)
    data = build(nodes)
    assert stranger.unknown_transactions(data) == [unseen]
    decide([*nodes, stranger], data)
    assert stranger.unknown_transactions(data) == []
