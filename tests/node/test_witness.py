"""What a node keeps for the proofs of trades: bounded in bytes, and nothing where it may not."""

from __future__ import annotations

import pytest

from auction.proof_keys import PROVEN_TRADES
from ledger.witness import decode_witnesses
from node.api.app import create_app
from node.application import witness
from node.application.witness import KEPT_BYTES, proven_trades
from node.client.client import ApiError
from tests.node.api.small_node import BUS, MEMBERS, key_of
from tests.node.api.test_market_routes import ask, bid
from tests.node.light_kit import EQUAL, Liar, Living, light_client


@pytest.mark.parametrize("entries", [0, 20_000, 1_000_000, 50_000_000])
def test_the_trades_kept_fit_the_bytes_a_block_may_add(entries: int) -> None:
    kept = proven_trades(entries)
    assert 1 <= kept <= PROVEN_TRADES
    assert kept * (2_500 + 3 * 64 * (entries // 4_096)) <= KEPT_BYTES


async def test_of_more_trades_than_that_the_first_are_proven_and_the_rest_is_pruned(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(witness, "proven_trades", lambda _: 1)
    node = Living()
    server = key_of(MEMBERS[0])
    for limit in (60_000_000, 70_000_000):
        node.send(BUS, bid(limit))
        node.send(server, ask())
    node.advance(2)
    made = [event for event in node.queries.events(2) if event.kind == "trade.made"]
    app = create_app(node, now_ms=lambda: node.now)
    light = light_client(node, Liar(app))
    outcomes = []
    for event in made:
        try:
            proven = await light.trade(bytes.fromhex(str(event.data["agreement"])))
            outcomes.append(proven.figures == event.data)
        except ApiError as error:
            outcomes.append(error.code)
    assert outcomes == [True, "pruned"]
    app.state.api.close()


@pytest.mark.parametrize(("most", "outcome"), [(3, "proven"), (2, "pruned")])
async def test_a_class_counts_as_many_trades_as_its_orders_take_room(
    monkeypatch: pytest.MonkeyPatch, most: int, outcome: str
) -> None:
    monkeypatch.setattr(witness, "proven_trades", lambda _: most)
    node = Living(EQUAL)
    agreement = node.class_trade()
    app = create_app(node, now_ms=lambda: node.now)
    try:
        proven = await light_client(node, Liar(app)).trade(bytes.fromhex(agreement))
        found = "proven" if not proven.not_proven else "in part"
    except ApiError as error:
        found = error.code
    assert found == outcome
    app.state.api.close()


async def test_a_node_told_to_keep_nothing_says_that_it_has_pruned() -> None:
    node = Living()
    node.application._keeps_proofs = False
    agreement = node.trade()
    app = create_app(node, now_ms=lambda: node.now)
    with pytest.raises(ApiError, match="pruned"):
        await light_client(node, Liar(app)).trade(bytes.fromhex(agreement))
    app.state.api.close()


def test_a_block_without_trades_keeps_nothing_and_one_with_trades_one_tariff_a_book() -> None:
    node = Living()
    node.trade()
    first, second = node.queries.committed
    assert first.trade_proofs == b""
    before, after = decode_witnesses(second.trade_proofs)
    assert sorted(key.partition(b"/")[0] for key in before.values) == [
        b"book",  # the bid, the matched ask, the withdrawn ask
        b"book",
        b"book",
        b"broker",
        b"edge",
    ]
    assert [key.partition(b"/")[0] for key in after.values] == [b"book"]
