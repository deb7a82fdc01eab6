"""Trades in classes of equal services, proven by a client from what the real API sends."""

from __future__ import annotations

from typing import Any

from node.api.app import create_app
from node.proofs.checks import check_trade, genesis_anchor, open_header, require_certified
from node.proofs.documents import TradeDocument, read_document
from tests.node.light_kit import EQUAL, Liar, Living, is_refused, light_client, mutations


async def test_a_trade_of_a_class_is_proven_and_every_altered_part_of_its_proof_is_refused() -> (
    None
):
    node = Living(EQUAL)
    agreement = node.class_trade()
    app = create_app(node, now_ms=lambda: node.now)
    light = light_client(node, Liar(app))
    proven = await light.trade(bytes.fromhex(agreement))
    made = [event for event in node.queries.events(2) if event.kind == "trade.made"]
    assert [event.data for event in made] == [proven.figures]
    assert (proven.pricing, proven.service_class, proven.class_orders) == ("mcafee", 1, 4)
    assert (len(proven.withdrawn), proven.not_proven) == (1, ())
    data = (await light.client.get(f"/v1/agreements/{agreement}/proof"))["data"]

    def check(changed: Any) -> None:
        document = read_document(changed, TradeDocument)
        sighting = open_header(document.block, light.chain)
        require_certified(sighting, genesis_anchor(light.chain).validators, light.chain)
        check_trade(document, sighting.header, bytes.fromhex(agreement), light.chain)

    check(data)
    for place, mutant in mutations(data):
        assert is_refused(check, mutant), f"{place} was altered unseen"
    app.state.api.close()
