"""What each route answers over a small real chain."""

from __future__ import annotations

import asyncio
import json

import httpx
import pytest
from fastapi import FastAPI

from ledger.native import Transfer
from tests.node.api.small_node import ALICE, BOB, BROKER, BUS, CHAIN, MEMBERS, SmallNode, key_of


def transfer(node: SmallNode, nonce: int = 0, amount: int = 5, memo: str = "") -> bytes:
    return node.sign(ALICE, nonce, Transfer(BOB.address, amount, memo))


async def post(http: httpx.AsyncClient, body: bytes, path: str = "/v1/txs") -> httpx.Response:
    return await http.post(path, content=body, headers={"content-type": "application/json"})


async def test_status_says_who_where_and_how_to_sign(
    node: SmallNode, http: httpx.AsyncClient
) -> None:
    node.advance(3)
    answer = await http.get("/v1/status")
    data = answer.json()["data"]
    assert answer.headers["x-chain-height"] == "3"
    assert data["chain"] == CHAIN
    assert data["height"] == 3
    assert data["genesis_hash"] == node.genesis_hash.hex()
    assert data["signing"]["genesis_hash"] == data["genesis_hash"]
    assert data["node"]["validator"] is True
    assert data["peers"] == {"connected": 3, "known": 3}
    assert data["next_leader"]["name"] in MEMBERS
    assert answer.json()["meta"]["hash"] == data["hash"]


async def test_a_transfer_goes_from_pending_to_final(
    node: SmallNode, http: httpx.AsyncClient
) -> None:
    answer = await post(http, transfer(node))
    assert answer.status_code == 202
    identity = answer.json()["data"]["hash"]
    assert answer.headers["location"] == f"/v1/txs/{identity}"
    pending = (await http.get(f"/v1/txs/{identity}")).json()["data"]
    assert pending["status"] == "pending"
    assert pending["from"] == {"address": ALICE.address, "name": "alice"}
    node.advance()
    final = await http.get(f"/v1/txs/{identity}")
    data = final.json()["data"]
    assert (data["status"], data["height"], data["index"], data["code"]) == ("final", 1, 0, "ok")
    assert final.headers["cache-control"].endswith("immutable")
    assert final.json()["meta"]["names"][ALICE.address] == "alice"
    account = (await http.get(f"/v1/accounts/{BOB.address}")).json()["data"]
    assert account["free_micro"] == 5


async def test_a_body_may_end_in_a_line_break(node: SmallNode, http: httpx.AsyncClient) -> None:
    assert (await post(http, transfer(node) + b"\n")).status_code == 202


async def test_sending_the_same_bytes_again_tells_the_status(
    node: SmallNode, http: httpx.AsyncClient
) -> None:
    raw = transfer(node)
    await post(http, raw)
    again = await post(http, raw)
    assert (again.status_code, again.json()["data"]["status"]) == (200, "pending")
    node.advance()
    again = await post(http, raw)
    assert (again.status_code, again.json()["code"]) == (409, "already_final")
    assert again.headers["location"] == f"/v1/txs/{again.json()['hash']}"


async def test_an_array_gets_one_result_each_in_order(
    node: SmallNode, http: httpx.AsyncClient
) -> None:
    good, other = transfer(node, 0), transfer(node, 1)
    spoilt = other.replace(b'"nonce":1', b'"nonce":2')
    answer = await post(http, b"[ " + good + b" ,\n" + spoilt + b"," + other + b" ]")
    assert answer.status_code == 202
    rows = answer.json()["data"]
    assert [row["status"] for row in rows] == ["pending", "rejected", "pending"]
    assert rows[1]["error"]["code"] == "invalid_signature"
    assert len(node.mempool) == 2


async def test_an_array_of_refusals_is_a_problem_with_all_results(
    node: SmallNode, http: httpx.AsyncClient
) -> None:
    answer = await post(http, b'[{"a":1},[],7]')
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    assert [row["status"] for row in answer.json()["data"]] == ["rejected"] * 3
    assert len(node.mempool) == 0


async def test_the_bytes_of_an_item_reach_the_node_untouched(
    node: SmallNode, http: httpx.AsyncClient
) -> None:
    raw = transfer(node, memo='ein Käfer [[[ \\ " }')
    answer = await post(http, b"[" + raw + b"]")
    waiting = node.mempool.get(bytes.fromhex(answer.json()["data"][0]["hash"]))
    assert waiting is not None
    assert waiting.raw == raw


async def test_a_check_keeps_nothing(node: SmallNode, http: httpx.AsyncClient) -> None:
    answer = await post(http, transfer(node), "/v1/txs:check")
    assert answer.status_code == 202
    assert len(node.mempool) == 0


async def test_a_used_nonce_is_a_conflict_with_a_hint(
    node: SmallNode, http: httpx.AsyncClient
) -> None:
    await post(http, transfer(node))
    node.advance()
    answer = await post(http, transfer(node, 0, amount=6))
    assert answer.status_code == 409
    assert answer.json()["code"] == "nonce_used"
    assert "next_nonce" in answer.json()["hint"]


async def test_waiting_ends_when_the_transaction_is_final(
    node: SmallNode, http: httpx.AsyncClient
) -> None:
    identity = (await post(http, transfer(node))).json()["data"]["hash"]
    waiting = asyncio.create_task(http.get(f"/v1/txs/{identity}?wait=final&timeout=20s"))
    await asyncio.sleep(0)
    node.advance()
    assert (await waiting).json()["data"]["status"] == "final"


async def test_waiting_never_ends_in_an_error(node: SmallNode, http: httpx.AsyncClient) -> None:
    unknown = await http.get(f"/v1/txs/{'ab' * 32}?wait=final&timeout=0")
    assert (unknown.status_code, unknown.json()["data"]["status"]) == (200, "unknown")
    identity = (await post(http, transfer(node))).json()["data"]["hash"]
    pending = await http.get(f"/v1/txs/{identity}?wait=final&timeout=0")
    assert (pending.status_code, pending.json()["data"]["status"]) == (200, "pending")
    assert (await http.get(f"/v1/txs/{'ab' * 32}")).json()["code"] == "not_found"


async def test_blocks_page_from_the_tip_to_the_first(
    node: SmallNode, http: httpx.AsyncClient
) -> None:
    node.advance(7)
    heights: list[int] = []
    path: str | None = "/v1/blocks?limit=3"
    while path:
        answer = await http.get(path)
        heights += [block["height"] for block in answer.json()["data"]]
        cursor = answer.json()["next_cursor"]
        path = f"/v1/blocks?limit=3&cursor={cursor}" if cursor else None
        assert (answer.links.get("next") is not None) == (path is not None)
    assert heights == [7, 6, 5, 4, 3, 2, 1]


async def test_a_block_tells_who_led_who_signed_and_what_it_held(
    node: SmallNode, http: httpx.AsyncClient
) -> None:
    await post(http, transfer(node))
    node.advance(view=2)
    by_height = await http.get("/v1/blocks/1")
    block = by_height.json()["data"]
    assert block["view"] == 2
    assert [leader["outcome"] for leader in block["leaders"]] == [
        "skipped",
        "built",
        "not_needed",
        "not_needed",
    ]
    assert block["leaders"][0]["role"] == "V*"
    assert block["builder"]["name"] == block["leaders"][1]["name"]
    assert block["skips"][0]["leader"]["address"] == block["leaders"][0]["address"]
    by_index = sorted(MEMBERS, key=lambda name: key_of(name).address)
    assert [signer["name"] for signer in block["certificate"]["signers"]] == by_index
    assert block["transactions"][0]["types"] == ["transfer"]
    assert block["transactions"][0]["code"] == "ok"
    assert "turn.skipped" in [event["kind"] for event in block["events"]]
    by_hash = await http.get(f"/v1/blocks/{block['hash']}")
    assert by_hash.content == by_height.content
    assert by_height.json()["meta"]["height"] == 1


async def test_a_final_block_is_cached_for_ever_and_revalidates(
    node: SmallNode, http: httpx.AsyncClient
) -> None:
    node.advance(2)
    first = await http.get("/v1/blocks/1")
    assert first.headers["cache-control"] == "public, max-age=31536000, immutable"
    node.advance()
    again = await http.get("/v1/blocks/1", headers={"if-none-match": first.headers["etag"]})
    assert again.status_code == 304
    assert again.content == b""
    latest = await http.get("/v1/blocks/latest")
    assert latest.headers["cache-control"] == "no-cache"
    assert latest.json()["data"]["height"] == 3


async def test_a_pruned_block_is_gone_not_missing(node: SmallNode, http: httpx.AsyncClient) -> None:
    node.advance()
    node.queries.pruned.add(1)
    answer = await http.get("/v1/blocks/1")
    assert (answer.status_code, answer.json()["code"]) == (410, "pruned")


@pytest.mark.parametrize("route", ["blocks", "elections", "rounds"])
async def test_what_lies_below_the_snapshot_of_a_node_is_gone_not_missing(
    node: SmallNode, http: httpx.AsyncClient, route: str
) -> None:
    for _ in range(4):
        node.advance()
    node.queries.first_height = 3
    for height in (1, 2):
        answer = await http.get(f"/v1/{route}/{height}")
        assert (answer.status_code, answer.json()["code"]) == (410, "pruned")
        assert "snapshot of block 2" in answer.json()["detail"]
    assert (await http.get(f"/v1/{route}/3")).status_code == 200
    assert (await http.get(f"/v1/{route}/9")).status_code == 404
    page = (await http.get("/v1/blocks?limit=2")).json()
    assert [block["height"] for block in page["data"]] == [4, 3]
    assert page["next_cursor"] is None


async def test_a_node_at_its_snapshot_answers_although_it_has_no_block(
    node: SmallNode, http: httpx.AsyncClient
) -> None:
    node.advance()
    node.queries.first_height = 2
    node.queries.committed.clear()
    assert (await http.get("/v1/status")).json()["data"]["height"] == 1
    assert (await http.get("/v1/blocks")).json()["data"] == []
    assert (await http.get("/v1/blocks/latest")).json()["code"] == "pruned"
    assert (await http.get(f"/v1/txs/{'0' * 64}")).json()["code"] == "not_found"


async def test_accounts_show_balances_roles_and_the_next_nonce(
    node: SmallNode, http: httpx.AsyncClient
) -> None:
    await post(http, transfer(node, 0))
    await post(http, transfer(node, 1))
    data = (await http.get(f"/v1/accounts/{ALICE.address}")).json()["data"]
    assert (data["nonce"], data["next_nonce"]) == (0, 2)
    assert data["roles"] == ["account"]
    server = (await http.get(f"/v1/accounts/{key_of(MEMBERS[0]).address}")).json()["data"]
    assert server["member"]["stake_micro"] == 100_000_000
    assert server["roles"] == ["member"]
    nobody = (await http.get(f"/v1/accounts/{'07' * 32}")).json()["data"]
    assert (nobody["known"], nobody["free_micro"], nobody["next_nonce"]) == (False, 0, 0)
    bus = (await http.get(f"/v1/accounts/{BUS.address}")).json()["data"]
    assert bus["registration"]["role"] == "its"


async def test_an_account_lists_its_transactions_and_activity(
    node: SmallNode, http: httpx.AsyncClient
) -> None:
    for nonce in range(3):
        await post(http, transfer(node, nonce))
        node.advance()
    page = (await http.get(f"/v1/accounts/{BOB.address}/txs?limit=2")).json()
    assert [row["height"] for row in page["data"]] == [3, 2]
    rest = await http.get(f"/v1/accounts/{BOB.address}/txs?limit=2&cursor={page['next_cursor']}")
    assert [row["height"] for row in rest.json()["data"]] == [1]
    active = (await http.get(f"/v1/accounts/{ALICE.address}/activity")).json()
    assert [row["height"] for row in active["data"]] == [3, 2, 1]


async def test_validators_and_elections_agree(node: SmallNode, http: httpx.AsyncClient) -> None:
    node.advance(2)
    validators = (await http.get("/v1/validators")).json()["data"]
    assert sorted(row["name"] for row in validators) == sorted(MEMBERS)
    assert sum(row["chance_ppm"] for row in validators) <= 1_000_000
    assert all(isinstance(row["tokens"], str) for row in validators)
    coming = (await http.get("/v1/elections/next")).json()["data"]
    assert coming["height"] == 3
    assert (await http.get("/v1/elections/3")).json()["data"] == coming
    node.advance()
    past = await http.get("/v1/elections/3")
    assert past.json()["data"] == coming
    block = (await http.get("/v1/blocks/3")).json()["data"]
    assert coming["order"][0]["address"] == block["builder"]["address"]
    latest = (await http.get("/v1/elections/latest")).json()["data"]
    assert latest == coming
    one = await http.get(f"/v1/validators/{validators[0]['address']}")
    assert one.json()["data"]["address"] == validators[0]["address"]


async def test_params_genesis_mempool_and_brokers_answer(
    node: SmallNode, http: httpx.AsyncClient
) -> None:
    await post(http, transfer(node))
    params = (await http.get("/v1/params")).json()["data"]
    assert params["ledger"]["block_time_ms"] == 1000
    assert params["consensus"]["block_reward_micro"] > 0
    genesis = await http.get("/v1/genesis")
    data = genesis.content.removeprefix(b'{"data":').partition(b',"meta":')[0]
    assert data == node.genesis_bytes
    mempool = (await http.get("/v1/mempool")).json()["data"]
    assert mempool["transactions"] == 1
    assert mempool["newest"][0]["from"]["name"] == "alice"
    brokers = (await http.get("/v1/brokers")).json()["data"]
    assert [broker["address"] for broker in brokers] == [BROKER.address]


async def test_the_root_lists_links_that_all_answer(
    node: SmallNode, http: httpx.AsyncClient
) -> None:
    node.advance()
    links = (await http.get("/")).json()["data"]["links"]
    for name, path in links.items():
        if name not in ("events", "explorer"):
            assert (await http.get(path)).status_code == 200, path


async def test_search_finds_heights_hashes_addresses_and_names(
    node: SmallNode, http: httpx.AsyncClient
) -> None:
    raw = transfer(node)
    identity = (await post(http, raw)).json()["data"]["hash"]
    node.advance()
    block = node.tip().hash.hex()
    found = {
        "1": ["block"],
        "99": [],
        block: ["block"],
        identity: ["transaction"],
        BROKER.address: ["broker", "account"],
        "BUS": ["account"],
        "server-": ["account"] * 4,
        "%00": [],
        "nobody": [],
    }
    for text, kinds in found.items():
        hits = (await http.get("/v1/search", params={"q": text})).json()["data"]
        assert [hit["kind"] for hit in hits] == kinds, text
        for hit in hits:
            assert (await http.get(hit["route"])).status_code == 200


async def test_a_block_that_is_final_but_not_stored_yet_is_waited_for(
    node: SmallNode, http: httpx.AsyncClient
) -> None:
    node.advance(2)
    late = node.queries.committed.pop()
    asking = asyncio.create_task(http.get("/v1/blocks/2"))
    await asyncio.sleep(0.002)
    node.queries.committed.append(late)
    assert (await asking).json()["data"]["height"] == 2


async def test_a_transaction_whose_block_is_not_stored_yet_is_never_unknown(
    node: SmallNode, http: httpx.AsyncClient
) -> None:
    raw = transfer(node)
    name = (await post(http, raw)).json()["data"]["hash"]
    node.advance()
    late = node.queries.committed.pop()
    asking = asyncio.create_task(http.get(f"/v1/txs/{name}"))
    await asyncio.sleep(0.002)
    node.queries.committed.append(late)
    assert (await asking).json()["data"]["status"] == "final"


async def test_probes_tell_live_from_ready(node: SmallNode, http: httpx.AsyncClient) -> None:
    node.advance()
    assert (await http.get("/readyz")).status_code == 200
    node.now += 60_000
    late = await http.get("/readyz")
    assert (late.status_code, late.json()["code"]) == (503, "not_ready")
    assert [error["where"] for error in late.json()["errors"]] == ["tip_age"]
    assert (await http.get("/livez")).status_code == 200
    node.check_list = [("writer", False, "disk full")]
    assert (await http.get("/livez")).status_code == 503
    health = (await http.get("/healthz")).json()["data"]
    assert health["status"] == "failing"


async def test_metrics_count_by_template_and_show_the_node(
    node: SmallNode, http: httpx.AsyncClient
) -> None:
    node.advance(2)
    await http.get("/v1/blocks/1")
    await http.get("/v1/blocks/zzz")
    await http.get("/v1/nowhere")
    await post(http, transfer(node))
    text = (await http.get("/metrics")).text
    assert "twinchain_consensus_height 2.0" in text
    assert 'route="/v1/blocks/{block}"' in text
    assert "nowhere" not in text
    assert "zzz" not in text
    assert 'route="/v1/txs"' in text
    assert 'twinchain_submitted_total{code="pending"} 1.0' in text


async def test_head_answers_like_get_without_the_body(
    node: SmallNode, http: httpx.AsyncClient
) -> None:
    node.advance()
    answer = await http.head("/v1/blocks/1")
    assert answer.status_code == 200
    assert answer.content == b""
    assert answer.headers["etag"] == (await http.get("/v1/blocks/1")).headers["etag"]


async def test_the_description_lists_every_route_with_a_stable_name(app: FastAPI) -> None:
    document = app.openapi()
    names = [
        operation["operationId"]
        for methods in document["paths"].values()
        for operation in methods.values()
    ]
    assert len(names) == len(set(names))
    assert {"submit_transactions", "get_transaction", "list_blocks", "stream_events"} <= set(names)
    assert {"/v1/txs", "/v1/txs:check", "/v1/events", "/readyz"} <= set(document["paths"])
    text = json.dumps(document)
    assert '"422"' not in text
    for reference in {piece.split('"')[0] for piece in text.split('"#/components/schemas/')[1:]}:
        assert reference in document["components"]["schemas"], reference


@pytest.mark.parametrize("path", ["/explorer/..%2f..%2fpyproject.toml", "/explorer/%2e%2e/app.py"])
async def test_the_explorer_serves_only_its_own_files(http: httpx.AsyncClient, path: str) -> None:
    answer = await http.get(path)
    assert answer.status_code == 404
    assert answer.json()["code"] == "not_found"


async def test_the_docs_page_loads_nothing_from_elsewhere(http: httpx.AsyncClient) -> None:
    page = await http.get("/docs")
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert "<script" not in page.text
    assert 'id="problem-nonce_used"' in page.text
