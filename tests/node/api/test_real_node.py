"""The API over a real node: one validator, its own database, driver and intake; no network."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from msgspec.structs import replace

from ledger.native import Transfer
from ledger.parameters import LedgerParameters
from node.api.app import create_app
from node.api.backend import Backend
from node.application.genesis import from_genesis
from node.client.client import Client
from node.client.wallet import Wallet
from node.service.config import MempoolSection, NodeSection, Settings
from node.service.runtime import NodeKeys, Runtime
from node.storage.store import Store
from tests.node.api.small_node import ALICE, BOB, CHAIN, MEMBERS, key_of, small_genesis, vrf_seed
from tests.node.api.test_hostile_input import BAD_BODIES, BAD_PATHS, JSON, assert_problem
from tests.node.api.test_schemas import ANSWERS


@asynccontextmanager
async def running(folder: Path) -> AsyncIterator[httpx.ASGITransport]:
    """A node that makes blocks by itself, ten a second, and its API."""
    genesis = small_genesis()
    ledger = replace(
        genesis.ledger,
        members=genesis.ledger.members[:1],
        parameters=LedgerParameters(chain=CHAIN, block_time_ms=100),
    )
    loaded = from_genesis(replace(genesis, ledger=ledger))
    settings = Settings(
        node=NodeSection(name=MEMBERS[0], data_dir=folder),
        mempool=MempoolSection(verify_worker=False),
    )
    store = Store.open(folder, loaded.hash)
    keys = NodeKeys(key_of(MEMBERS[0]), vrf_seed(MEMBERS[0]))
    runtime = Runtime(settings, loaded, keys, store)
    handle: Backend = runtime.handle
    app = create_app(handle)
    runtime.writer.start()
    works = (runtime.intake.run(), runtime.run_driver())
    tasks = [asyncio.create_task(work) for work in works]
    try:
        async with app.router.lifespan_context(app):
            yield httpx.ASGITransport(app=app)
    finally:
        runtime.hub.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await runtime.close()
        store.close()


@pytest.fixture
async def transport(tmp_path: Path) -> AsyncIterator[httpx.ASGITransport]:
    async with running(tmp_path) as transport:
        yield transport


async def test_a_payment_is_final_and_every_page_shows_it(
    transport: httpx.ASGITransport,
) -> None:
    async with Client("http://node", transport=transport) as client:
        wallet = Wallet(client, ALICE)
        final = await wallet.send_final(Transfer(BOB.address, 5))
        assert final["code"] == "ok"
        assert (await client.account(BOB.address))["free_micro"] == 5
        block = await client.block(final["height"])
        assert [line["hash"] for line in block["transactions"]] == [final["hash"]]
        again = await client.submit(await wallet.sign([Transfer(BOB.address, 6)]))
        assert again.status == "pending"
        await client.wait_final(again.hash)
        listed = (await client.get(f"/v1/accounts/{BOB.address}/txs"))["data"]
        assert {line["hash"] for line in listed} <= {final["hash"], again.hash}


async def test_real_answers_have_the_described_shape(transport: httpx.ASGITransport) -> None:
    async with (
        Client("http://node", transport=transport) as client,
        httpx.AsyncClient(transport=transport, base_url="http://node") as http,
    ):
        await Wallet(client, ALICE).send_final(Transfer(BOB.address, 5))
        for path, model in ANSWERS:
            answer = await http.get(path)
            assert answer.status_code == 200, (path, answer.text)
            model.model_validate_json(answer.content)


async def test_hostile_input_moves_nothing_on_a_real_node(
    transport: httpx.ASGITransport,
) -> None:
    async with httpx.AsyncClient(transport=transport, base_url="http://node") as http:
        for path, status, code in BAD_PATHS:
            if not path.startswith(
                ("/v1/blocks/99", "/v1/rounds/99", "/v1/elections/99", "/v1/sets/99")
            ):
                assert_problem(await http.get(path), status, code)
        for _, body, status, code in BAD_BODIES:
            assert_problem(await http.post("/v1/txs", content=body, headers=JSON), status, code)
        state = (await http.get("/v1/status")).json()["data"]
        assert state["mempool"]["transactions"] == 0
