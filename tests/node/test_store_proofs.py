"""What the database keeps for light clients: with its block or not at all, and in old databases."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from alembic import command

from consensus.simplex.types import ValidatorSet
from node.api.app import create_app
from node.application.application import Options
from node.application.chain import chain_of
from node.application.startup import open_application
from node.storage.blocks import decode_set, encode_set
from node.storage.database import _config, writing_engine
from node.storage.queries import Queries
from node.storage.store import DATABASE_FILE, Store
from tests.node.api.small_node import SmallNode
from tests.node.light_kit import Liar, Living, light_client
from tests.node.store_kit import GENESIS, run_of_blocks

SET = ValidatorSet((b"a" * 32, b"b" * 32), (b"c" * 32, b"d" * 32))


def test_a_set_has_one_stored_form() -> None:
    assert decode_set(encode_set(SET)) == SET
    assert len(encode_set(SET)) == 64 * SET.n


def test_proofs_and_sets_are_stored_with_their_block(tmp_path: Path) -> None:
    first, second, third = run_of_blocks(3)
    store = Store.open(tmp_path, GENESIS)
    for block in (first, replace(second, trade_proofs=b"proof", next_set=SET), third):
        store.commit_block(block)
    store.save_sets([SET])
    store.close()
    queries = Queries(tmp_path / DATABASE_FILE, lambda _: b"")
    assert [queries.trade_proofs(height) for height in (1, 2, 3, 4)] == [None, b"proof", None, None]
    assert queries.voting_set(SET.digest) == encode_set(SET)
    assert queries.voting_set(bytes(32)) is None
    assert [row.height for row in queries.blocks_at([3, 1, 9])] == [1, 3]
    assert queries.blocks_at([]) == []
    queries.close()


def test_a_database_of_the_first_schema_is_brought_up_and_knows_its_present_sets(
    tmp_path: Path,
) -> None:
    engine = writing_engine(tmp_path / DATABASE_FILE)
    with engine.begin() as connection:
        command.upgrade(_config(connection), "0001")
    engine.dispose()
    node = SmallNode()
    store = Store.open(tmp_path, node.genesis_hash)
    application = open_application(store, node.loaded, Options(), lambda _: None)
    assert application.chain.genesis_hash == chain_of(node.loaded).genesis_hash
    store.close()
    queries = Queries(tmp_path / DATABASE_FILE, lambda _: b"")
    assert queries.voting_set(application.validators.digest) == encode_set(application.validators)
    queries.close()


@pytest.mark.parametrize("of", ["its own round", "a later one"])
async def test_an_order_cancelled_in_its_last_round_is_proven_gone_by_its_cancel(of: str) -> None:
    """It would have expired with that round anyway: the state alone could not tell."""
    node = Living()
    agreement = node.trade(best_expires=2 if of == "its own round" else 500)
    app = create_app(node, now_ms=lambda: node.now)
    liar = Liar(app)
    light = light_client(node, liar)
    document = (await light.client.get(f"/v1/agreements/{agreement}/proof"))["data"]
    assert len(document["cancels"]) == (1 if of == "its own round" else 0)
    proven = await light.trade(bytes.fromhex(agreement))
    assert len(proven.withdrawn) == 1
    app.state.api.close()
