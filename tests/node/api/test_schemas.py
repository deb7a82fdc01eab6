"""The models behind the OpenAPI page describe what the routes really answer."""

from __future__ import annotations

import httpx
import pytest
from pydantic import BaseModel

from ledger.native import Transfer
from node.api.schemas import (
    AccountModel,
    ApplicationModel,
    BlockModel,
    BlockSummary,
    Document,
    ElectionModel,
    HealthModel,
    MemberLife,
    MemberModel,
    NextSetModel,
    Page,
    PeerModel,
    ProblemModel,
    ProposalModel,
    Reply,
    SearchHit,
    StatusModel,
    SubmittedModel,
    TransactionLine,
    TransactionModel,
    ValidatorLife,
    ValidatorModel,
    VotingSetModel,
)
from node.api.schemas_market import AccountMarketModel, ComingModel, DepthModel, RoundModel
from node.api.schemas_proofs import HeaderModel, SetModel, StateProofModel
from tests.node.api.small_node import ALICE, BOB, BROKER, MEMBERS, SmallNode, key_of

SERVER = key_of(MEMBERS[0]).address
ANSWERS: list[tuple[str, type[BaseModel]]] = [
    ("/v1/status", Reply[StatusModel]),
    ("/v1/peers", Page[PeerModel]),
    ("/v1/consensus", Reply[Document]),
    ("/v1/blocks", Page[BlockSummary]),
    ("/v1/blocks/latest", Reply[BlockModel]),
    ("/v1/blocks/1", Reply[BlockModel]),
    ("/v1/params", Reply[Document]),
    ("/v1/genesis", Reply[Document]),
    ("/v1/mempool", Reply[Document]),
    (f"/v1/accounts/{ALICE.address}", Reply[AccountModel]),
    (f"/v1/accounts/{SERVER}", Reply[AccountModel]),
    (f"/v1/accounts/{ALICE.address}/txs", Page[TransactionLine]),
    (f"/v1/accounts/{ALICE.address}/activity", Page[Document]),
    ("/v1/validators", Page[ValidatorModel]),
    (f"/v1/validators/{SERVER}", Reply[ValidatorLife]),
    ("/v1/members", Page[MemberModel]),
    (f"/v1/members/{SERVER}", Reply[MemberLife]),
    ("/v1/applications", Page[ApplicationModel]),
    ("/v1/proposals", Page[ProposalModel]),
    ("/v1/proposals?status=decided", Page[ProposalModel]),
    ("/v1/membership", Page[Document]),
    ("/v1/validator-sets", Page[VotingSetModel]),
    ("/v1/validator-sets/next", Reply[NextSetModel]),
    ("/v1/elections/next", Reply[ElectionModel]),
    ("/v1/elections/1", Reply[ElectionModel]),
    ("/v1/orders", Page[Document]),
    ("/v1/agreements", Page[Document]),
    ("/v1/brokers", Page[Document]),
    (f"/v1/brokers/{BROKER.address}", Reply[Document]),
    (f"/v1/brokers/{BROKER.address}/depth", Reply[DepthModel]),
    (f"/v1/brokers/{BROKER.address}/coming", Reply[ComingModel]),
    ("/v1/rounds/latest", Reply[RoundModel]),
    ("/v1/rounds/1", Reply[RoundModel]),
    (f"/v1/accounts/{BROKER.address}/market", Reply[AccountMarketModel]),
    ("/v1/trades", Page[Document]),
    ("/v1/rounds", Page[Document]),
    ("/v1/headers?limit=1", Page[HeaderModel]),
    ("/v1/headers/latest", Reply[HeaderModel]),
    ("/v1/headers/1", Reply[HeaderModel]),
    ("/v1/sets/1", Reply[SetModel]),
    (f"/v1/proofs/account/{ALICE.address}", Reply[StateProofModel]),
    ("/v1/proofs/beacon/tip", Reply[StateProofModel]),
    ("/v1/search?q=1", Reply[list[SearchHit]]),
    ("/v1/search?q=SERVER", Reply[list[SearchHit]]),
    (f"/v1/search?q={BROKER.address}", Reply[list[SearchHit]]),
    ("/livez", Reply[HealthModel]),
    ("/readyz", Reply[HealthModel]),
    ("/healthz", Reply[HealthModel]),
]


@pytest.mark.parametrize(("path", "model"), ANSWERS, ids=[path for path, _ in ANSWERS])
async def test_an_answer_has_the_described_shape(
    node: SmallNode, http: httpx.AsyncClient, path: str, model: type[BaseModel]
) -> None:
    await node.submit([node.sign(ALICE, 0, Transfer(BOB.address, 5))])
    node.advance(view=2)
    answer = await http.get(path)
    assert answer.status_code == 200, answer.text
    model.model_validate_json(answer.content)
    assert b"null" not in answer.content.replace(b'"next_cursor":null', b"").replace(
        b'"last_commit":null', b""
    ).replace(b'"order_ids":[null]', b"")


async def test_transactions_and_problems_have_the_described_shape(
    node: SmallNode, http: httpx.AsyncClient
) -> None:
    raw = node.sign(ALICE, 0, Transfer(BOB.address, 5))
    json = {"content-type": "application/json"}
    one = await http.post("/v1/txs", content=raw, headers=json)
    Reply[SubmittedModel].model_validate_json(one.content)
    pending = await http.get(one.headers["location"])
    Reply[TransactionModel].model_validate_json(pending.content)
    node.advance()
    final = await http.get(one.headers["location"])
    Reply[TransactionModel].model_validate_json(final.content)
    fresh = node.sign(ALICE, 1, Transfer(BOB.address, 5))
    body = b"[" + fresh + b"," + raw + b",{}]"
    many = await http.post("/v1/txs", content=body, headers=json)
    assert [item["status"] for item in many.json()["data"]] == ["pending", "final", "rejected"]
    Reply[list[SubmittedModel]].model_validate_json(many.content)
    ProblemModel.model_validate_json((await http.get("/v1/blocks/99")).content)
