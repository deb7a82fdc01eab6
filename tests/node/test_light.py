"""The light client against a real chain behind the real API, and against a node that lies."""

from __future__ import annotations

import dataclasses
import json
import random
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from fastapi import FastAPI
from msgspec.structs import replace

from consensus.simplex.wire import decode_certificate, encode_certificate
from ledger.accounts import account_key
from ledger.blocks import block_hash, decode_header
from ledger.codec import encode
from ledger.errors import ProofFailed
from ledger.membership import Leave
from ledger.native import Transfer
from node.api.app import create_app
from node.client.client import ApiError, Client
from node.client.comparison import compare
from node.client.light import LightClient
from node.client.trust import TrustError, load_trust, save_trust
from node.proofs.beacon import check_election, read_election
from node.proofs.checks import (
    Anchor,
    check_state,
    check_trade,
    check_transaction,
    genesis_anchor,
    open_header,
    open_set,
    require_certified,
    require_links,
)
from node.proofs.documents import (
    HeaderDocument,
    SetDocument,
    StateDocument,
    TradeDocument,
    TransactionDocument,
    read_document,
)
from tests.node.api.small_node import ALICE, BOB, BUS, MEMBERS, SmallNode, key_of, small_genesis
from tests.node.api.test_market_routes import ask, bid
from tests.node.light_kit import BOUNDARY, Liar, Living, is_refused, light_client, living, mutations


@pytest.fixture(scope="module")
def node() -> Living:
    return living()


@pytest.fixture
async def app(node: Living) -> AsyncIterator[FastAPI]:
    app = create_app(node, now_ms=lambda: node.now)
    async with app.router.lifespan_context(app):
        yield app


def sets_of(node: SmallNode) -> dict[int, str]:
    """Height -> digest of its voting set, as the headers below have it."""
    committed = node.queries.committed
    return {each.height + 1: each.block.header.validators_hash for each in committed}


def changes_of(node: SmallNode) -> tuple[int, ...]:
    sets = sets_of(node)
    return tuple(h for h in sorted(sets)[1:] if h - 1 in sets and sets[h] != sets[h - 1])


# ---------------------------------------------------------------- the chain
async def test_every_header_is_proven_by_the_set_of_its_height_across_joins_and_leaves(
    node: Living, app: FastAPI
) -> None:
    joined, left = changes_of(node)
    assert joined % BOUNDARY == left % BOUNDARY == 0
    light = light_client(node, Liar(app))
    sets = sets_of(node)
    for height in range(1, node.tip().height + 1):
        proven = await light.header(height)
        if height > 1:
            assert proven.validators.digest.hex() == sets[height]
    assert light.changes == (joined, left)


async def test_a_set_that_came_back_is_skipped_to_at_once_and_the_one_between_still_found(
    node: Living, app: FastAPI
) -> None:
    """The same four vote at both ends: their signature is proof enough, whoever voted between."""
    liar = Liar(app)
    light = light_client(node, liar)
    proven = await light.follow()
    assert proven.sighting.height == node.tip().height
    assert light.changes == ()
    assert len(liar.asked) == 1
    joined, left = changes_of(node)
    assert (await light.header(left - 1)).validators.n == 5
    assert (await light.header(joined - 1)).validators.n == 4
    assert light.changes == (joined,)


async def test_following_takes_few_headers_however_long_the_chain(app: FastAPI) -> None:
    long = Living()
    long.advance(120)
    long.join()
    long.advance(60)
    other = create_app(long, now_ms=lambda: long.now)
    liar = Liar(other)
    light = light_client(long, liar)
    assert (await light.follow()).validators.n == 5
    assert light.changes == changes_of(long)
    assert len(liar.asked) <= 6
    other.state.api.close()


async def test_the_genesis_hash_alone_is_enough_and_another_genesis_is_refused(
    node: Living, app: FastAPI
) -> None:
    async with Client("http://node", transport=Liar(app)) as client:
        light = await LightClient.open(client, genesis_hash=node.genesis_hash)
        assert (await light.follow()).sighting.hash == node.tip().hash
        with pytest.raises(ProofFailed, match="genesis"):
            await LightClient.open(client, genesis_hash=bytes(32))
        with pytest.raises(ValueError, match="needs a genesis"):
            await LightClient.open(client)


async def test_a_chain_of_another_genesis_is_refused(node: Living, app: FastAPI) -> None:
    stranger = SmallNode(small_genesis())
    light = light_client(stranger, Liar(app))
    with pytest.raises(ProofFailed):
        await light.follow()


async def test_a_header_is_refused_in_another_place_or_under_another_certificate(
    node: Living, app: FastAPI
) -> None:
    rows = {
        height: {
            "height": height,
            "hash": row.hash.hex(),
            "header": row.header.hex(),
            "certificate": row.certificate.hex(),
        }
        for height in range(1, node.tip().height + 1)
        if (row := node.queries.block(height))
    }
    for change in (
        lambda height: rows[height - 1],
        lambda height: rows[height] | {"certificate": rows[height - 1]["certificate"]},
        lambda height: rows[height] | {"header": rows[height - 1]["header"]},
        lambda height: rows[height] | {"hash": rows[height - 1]["hash"]},
        lambda height: rows[height] | {"height": height + 1},
        lambda height: None,
        lambda height: [],
    ):

        def alter(path: str, data: Any, change: Any = change) -> Any:
            tail = path.rpartition("/")[2]
            return change(int(tail)) if path.startswith("/v1/headers/") else data

        with pytest.raises(ProofFailed):
            await light_client(node, Liar(app, alter)).header(9)


async def test_a_wrong_set_is_refused_and_so_is_a_list_with_a_hole(
    node: Living, app: FastAPI
) -> None:
    _, left = changes_of(node)

    def one_seat_less(path: str, data: Any) -> Any:
        return {**data, "seats": data["seats"][:-1]} if path.startswith("/v1/sets/") else data

    def a_hole(path: str, data: Any) -> Any:
        return data[:1] + data[2:] if path == "/v1/headers" else data

    with pytest.raises(ProofFailed, match="voting_set"):
        await light_client(node, Liar(app, one_seat_less)).header(left - 1)
    with pytest.raises(ProofFailed, match="gap"):
        await light_client(node, Liar(app, a_hole)).header(left - 1)
    headers = [each.block.header for each in node.queries.committed[:4]]
    hashes = [each.block.hash for each in node.queries.committed[:4]]
    require_links(headers, hashes, node.genesis_hash)
    with pytest.raises(ProofFailed, match="gap"):
        require_links(headers[:1] + headers[2:], hashes[:1] + hashes[2:], node.genesis_hash)


async def test_a_change_of_the_set_that_nobody_signed_leads_nowhere(
    node: Living, app: FastAPI
) -> None:
    """Headers that name an invented set are refused where the search ends, at their signatures."""
    joined, left = changes_of(node)

    def invented(path: str, data: Any) -> Any:
        if not path.startswith("/v1/headers"):
            return data
        for row in data if isinstance(data, list) else [data]:
            if row["height"] in range(3, left):
                row.update(forged(node, row))
        return data

    light = light_client(node, Liar(app, invented))
    with pytest.raises(ProofFailed, match="certificate"):
        await light.header(joined + 1)


def forged(node: SmallNode, row: dict[str, Any]) -> dict[str, Any]:
    """A header that names another next set, with its right hash and its old certificate."""
    header = replace(decode_header(bytes.fromhex(row["header"])), validators_hash="ab" * 32)
    data = encode(header)
    digest = block_hash(data, node.genesis_hash)
    certificate = decode_certificate(bytes.fromhex(row["certificate"]))
    named = dataclasses.replace(certificate, payload=digest)
    return {
        "header": data.hex(),
        "hash": digest.hex(),
        "certificate": encode_certificate(named).hex(),
    }


# ---------------------------------------------------------------- what stands in it
async def test_what_the_state_says_is_proven_and_so_is_what_it_does_not_say(
    node: Living, app: FastAPI
) -> None:
    light = light_client(node, Liar(app))
    account = await light.state("account", ALICE.address)
    assert account.value == node.state().get(account_key(ALICE.address))
    assert account.at.height == node.tip().height
    assert (await light.state("member", key_of(MEMBERS[0]).address)).value is not None
    for kind in ("order", "agreement", "broker", "member"):
        assert (await light.state(kind, "ab" * 32)).value is None
    assert (await light.state("key", b"election/tip".hex())).value == (
        await light.state("beacon", "tip")
    ).value


async def test_a_state_older_than_what_was_proven_is_refused() -> None:
    node = SmallNode()
    node.advance(2)
    app = create_app(node, now_ms=lambda: node.now)
    path = f"/v1/proofs/account/{ALICE.address}"
    old = (await Client("http://node", transport=Liar(app)).get(path))["data"]
    node.advance(2)
    light = light_client(node, Liar(app, lambda asked, data: old if asked == path else data))
    assert (await light.state("account", ALICE.address)).at.height == 2
    await light.follow()
    with pytest.raises(ProofFailed, match="behind"):
        await light.state("account", ALICE.address)
    app.state.api.close()


async def test_an_open_order_is_proven_by_its_place_and_its_record() -> None:
    node = Living()
    node.send(BUS, bid())
    node.advance()
    (event,) = [e for e in node.queries.events(1) if e.kind == "order.opened"]
    app = create_app(node, now_ms=lambda: node.now)
    light = light_client(node, Liar(app))
    proven = await light.state("order", str(event.data["order"]))
    assert proven.value is not None
    assert BUS.address.encode() in proven.value

    def another(path: str, data: Any) -> Any:
        return {**data, "entries": data["entries"][:1]} if "/proofs/" in path else data

    with pytest.raises(ProofFailed, match="not about"):
        await light_client(node, Liar(app, another)).state("order", str(event.data["order"]))
    app.state.api.close()


async def test_every_altered_part_of_every_proof_is_refused() -> None:
    """I22: one leaf at a time, every character class, number and list of what a node can send."""
    node = Living()
    paid = node.send(ALICE, Transfer(BOB.address, 5))
    node.send(ALICE, Transfer(BOB.address, 6))
    node.advance()
    agreement = node.trade()
    app = create_app(node, now_ms=lambda: node.now)
    liar = Liar(app)
    light = light_client(node, liar)
    chain, validators = light.chain, genesis_anchor(light.chain).validators

    def header_of(document: HeaderDocument) -> Any:
        sighting = open_header(document, chain)
        require_certified(sighting, validators, chain)
        return sighting.header

    def state(data: Any) -> None:
        document = read_document(data, StateDocument)
        check_state(document, header_of(document.block), "account", ALICE.address)

    def transaction(data: Any) -> None:
        document = read_document(data, TransactionDocument)
        check_transaction(document, header_of(document.block), bytes.fromhex(paid), chain)

    def trade(data: Any) -> None:
        document = read_document(data, TradeDocument)
        check_trade(document, header_of(document.block), bytes.fromhex(agreement), chain)

    def voting_set(data: Any) -> None:
        open_set(read_document(data, SetDocument), validators.digest)

    counted = 0
    for path, check in (
        (f"/v1/proofs/account/{ALICE.address}", state),
        (f"/v1/txs/{paid}/proof", transaction),
        (f"/v1/agreements/{agreement}/proof", trade),
        ("/v1/sets/1", voting_set),
    ):
        data = (await light.client.get(path))["data"]
        check(data)
        for place, mutant in mutations(data):
            assert is_refused(check, mutant), f"{path}: {place} was altered unseen"
            counted += 1
    assert counted > 500
    app.state.api.close()


async def test_a_trade_is_proven_though_its_best_partner_was_withdrawn_by_the_very_block() -> None:
    node = Living()
    agreement = node.trade()
    node.advance(2)
    app = create_app(node, now_ms=lambda: node.now)
    light = light_client(node, Liar(app))
    proven = await light.trade(bytes.fromhex(agreement))
    assert proven.figures["agreement"] == agreement
    assert proven.figures["height"] == 2
    assert len(proven.withdrawn) == 1
    assert proven.pairs == 2
    node.advance(8)  # the state forgets the agreement, the chain does not forget the trade
    with pytest.raises(ApiError, match="height"):
        await light.trade(bytes.fromhex(agreement))
    assert (await light.trade(bytes.fromhex(agreement), 2)).figures == proven.figures
    app.state.api.close()
    with pytest.raises(ApiError, match="not_found"):
        await light.trade(bytes.fromhex(agreement), 3)
    node.queries.pruned.add(2)
    fresh = create_app(node, now_ms=lambda: node.now)
    with pytest.raises(ApiError, match="pruned"):
        await light_client(node, Liar(fresh)).trade(bytes.fromhex(agreement), 2)
    app.state.api.close()
    fresh.state.api.close()


async def test_a_trade_is_proven_though_its_best_server_left_in_the_last_round_of_its_ask() -> None:
    node = Living()
    leaving, staying = (key_of(name) for name in MEMBERS[:2])
    node.send(BUS, bid())
    node.send(leaving, replace(ask(10_000_000), expires=2))
    node.send(staying, ask(20_000_000))
    node.advance()
    node.send(leaving, Leave())
    node.advance()
    (made,) = [event for event in node.queries.events(2) if event.kind == "trade.made"]
    app = create_app(node, now_ms=lambda: node.now)
    proven = await light_client(node, Liar(app)).trade(bytes.fromhex(str(made.data["agreement"])))
    assert proven.figures == made.data
    assert len(proven.withdrawn) == 1
    app.state.api.close()


# ---------------------------------------------------------------- the beacon
async def test_seeds_orders_and_builders_are_proven_over_any_range(
    node: Living, app: FastAPI
) -> None:
    light = light_client(node, Liar(app))
    tip = node.tip().height
    turns = [turn async for turn in light.turns(1, tip)]
    assert [turn.height for turn in turns] == list(range(1, tip + 1))
    assert turns[-1].seed == node.election().seed
    assert max(turn.view for turn in turns) == 2
    assert {len(turn.order) for turn in turns} == {4, 5}
    middle = [turn async for turn in light.turns(7, 11)]
    assert middle == turns[6:11]


async def test_an_altered_election_is_refused(node: Living, app: FastAPI) -> None:
    light = light_client(node, Liar(app))
    tip = node.tip().height
    turns = [turn async for turn in light.turns(1, tip)]
    stored = node.queries.election(tip)
    assert stored is not None
    data = msgspec.json.decode(stored)
    shown = {name: data[name] for name in ("height", "seed", "entries", "order")}
    fields = ("index", "address", "status", "consumed", "position", "role")
    shown["entries"] = [{name: entry[name] for name in fields} for entry in data["entries"]]
    for entry, old in zip(shown["entries"], data["entries"], strict=True):
        entry["weight"] = old["weight"]
    shown["order"] = [
        {name: place[name] for name in ("position", "role", "address")} for place in data["order"]
    ]
    validators = (await light.header(tip)).validators

    def check(document: Any) -> tuple[str, ...]:
        return check_election(read_election(document), tip, turns[-2].seed, validators)

    right = check(shown)
    for place, mutant in mutations(shown):
        try:
            found = check(mutant)
        except ProofFailed:
            continue
        # A weight that draws the same order, and words that only say why, move nobody.
        assert place.endswith((".weight", ".status", ".consumed")), place
        assert found == right


async def test_a_beacon_with_another_seed_vrf_key_or_builder_is_refused(
    node: Living, app: FastAPI
) -> None:
    def other_seed(path: str, data: Any) -> Any:
        return {**data, "seed": "ab" * 64} if path.startswith("/v1/elections/7") else data

    def other_order(path: str, data: Any) -> Any:
        if not path.startswith("/v1/elections/7"):
            return data
        weights = [entry["weight"] for entry in data["entries"]]
        for entry, weight in zip(data["entries"], weights[1:] + weights[:1], strict=True):
            entry.update(weight=str(int(weight) * 7 + 1), consumed=False)
        return data

    for alter, check in ((other_seed, "vrf"), (other_order, "order|builder")):
        light = light_client(node, Liar(app, alter))
        with pytest.raises(ProofFailed, match=check):
            _ = [turn async for turn in light.turns(7, 8)]


# ---------------------------------------------------------------- what is remembered
async def test_what_was_proven_is_remembered_and_never_given_up(
    node: Living, app: FastAPI, tmp_path: Path
) -> None:
    path = tmp_path / "trust.json"
    assert load_trust(path, node.genesis_hash) is None
    light = light_client(node, Liar(app))
    await light.follow()
    save_trust(path, node.genesis_hash, light.anchor)
    trusted = load_trust(path, node.genesis_hash)
    assert trusted == light.anchor
    liar = Liar(app)
    again = light_client(node, liar, trusted=trusted)
    await again.follow()
    assert again.anchor == light.anchor
    assert (await again.header(2)).sighting.height == 2
    ahead = Anchor(trusted.height + 5, trusted.hash, trusted.validators)
    with pytest.raises(ProofFailed, match="behind"):
        await light_client(node, Liar(app), trusted=ahead, patience_s=0.0).follow()
    forked = Anchor(trusted.height, b"x" * 32, trusted.validators)
    with pytest.raises(ProofFailed, match="fork"):
        await light_client(node, Liar(app), trusted=forked).follow()
    with pytest.raises(TrustError, match="another chain"):
        load_trust(path, bytes(32))
    path.write_text("{}")
    with pytest.raises(TrustError, match="no trust file"):
        load_trust(path, node.genesis_hash)
    stored = {"genesis_hash": node.genesis_hash.hex(), "height": 3, "hash": "ab" * 31 + "c\n"}
    stored["seats"] = [{"address": "11" * 32, "vrf_key": "22" * 32}]
    path.write_text(json.dumps(stored))
    with pytest.raises(TrustError, match="no trust file"):
        load_trust(path, node.genesis_hash)


async def test_two_nodes_that_show_two_final_chains_are_found_out() -> None:
    left, right = SmallNode(), SmallNode()
    left.advance(3)
    right.advance(5)
    apps = [create_app(left, now_ms=lambda: left.now), create_app(right, now_ms=lambda: right.now)]
    lights = [light_client(left, Liar(app)) for app in apps]
    agreed = await compare(lights)
    assert (agreed.height, agreed.hash) == (3, left.tip().hash)
    left.now += 1
    left.advance(2)
    assert left.tip().hash != right.tip().hash
    with pytest.raises(ProofFailed, match="fork: two final blocks 5"):
        await compare([light_client(left, Liar(app)) for app in apps])
    for app in apps:
        app.state.api.close()


async def test_a_node_that_shows_two_final_blocks_of_one_height_is_found_out() -> None:
    left, right = SmallNode(), SmallNode()
    left.advance(3)
    right.now += 1
    right.advance(3)
    assert left.tip().hash != right.tip().hash
    one, other = (create_app(node, now_ms=lambda: left.now) for node in (left, right))
    liar = Liar(one)
    light = light_client(left, liar)
    await light.follow()
    liar.app = other
    with pytest.raises(ProofFailed, match="fork"):
        await light.follow()
    for app in (one, other):
        app.state.api.close()


async def test_a_weight_given_to_who_just_had_its_turn_is_refused(
    node: Living, app: FastAPI
) -> None:
    """Rule E3 from the proven turns alone: the builder of 6 cannot be drawn at 7 by weight."""
    builder = node.queries.committed[5].block.header.builder

    def forgiven(path: str, data: Any) -> Any:
        if path.startswith("/v1/elections/7"):
            for entry in data["entries"]:
                entry["consumed"] = entry["consumed"] and entry["address"] != builder
        return data

    def accused(path: str, data: Any) -> Any:
        if path.startswith("/v1/elections/7"):
            for entry in data["entries"]:
                entry.update(consumed=True, weight="0")
        return data

    for alter in (forgiven, accused):
        light = light_client(node, Liar(app, alter))
        with pytest.raises(ProofFailed, match="turn before 7"):
            _ = [turn async for turn in light.turns(1, 8)]


async def test_any_height_in_any_order_is_proven_on_a_chain_of_many_changes() -> None:
    node = Living()
    node.advance(2)
    node.join()
    node.leave()
    node.advance(4)
    node.join()
    node.advance(6)
    node.leave()
    node.advance(2)
    app = create_app(node, now_ms=lambda: node.now)
    sets = sets_of(node)
    assert len(changes_of(node)) == 4
    chance = random.Random(5)
    heights = list(range(2, node.tip().height + 1))
    for _ in range(2):
        chance.shuffle(heights)
        light = light_client(node, Liar(app))
        for height in heights:
            proven = await light.header(height)
            assert proven.validators.digest.hex() == sets[height]
        assert set(light.changes) <= set(changes_of(node))
    app.state.api.close()


async def test_a_client_that_follows_for_long_remembers_little() -> None:
    node = Living()
    node.advance()
    app = create_app(node, now_ms=lambda: node.now)
    light = light_client(node, Liar(app))
    for _ in range(12):
        node.advance()
        await light.follow()
        assert light.anchor.height == node.tip().height
    assert len(light._anchors) <= 3
    assert (await light.header(5)).sighting.height == 5
    app.state.api.close()
