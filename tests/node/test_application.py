"""The state machine behind the finality core: what one builds all accept, or they say why not."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

import pytest
from msgspec.structs import replace

from consensus.simplex.application import BuildRequest
from consensus.simplex.types import VoteKind
from consensus.simplex.wire import decode_certificate, encode_certificate
from ledger.accounts import read_account, total_money
from ledger.blocks import Block, Header, decode_block, encode_block, make_block
from ledger.errors import Reason, Rejected
from ledger.members import read_member
from ledger.transactions import Transaction
from node.application import proposals
from node.application.application import Application, Options
from node.application.building import Builder
from node.application.checking import check_signatures
from node.storage.batch import CommittedBlock
from tests.node.small_chain import (
    BROKER,
    FLEETS,
    MEMBERS,
    PEOPLE,
    START_MS,
    TOKEN,
    Wallet,
    ask,
    bid,
    build,
    certify,
    decide,
    fresh_application,
    leader,
    make_genesis,
    signed_vote,
    skips,
)

GENESIS = make_genesis()


class Network:
    """Four applications of one chain, with nothing between them."""

    def __init__(self) -> None:
        self.committed: list[list[CommittedBlock]] = [[], [], [], []]
        self.nodes = [
            fresh_application(GENESIS, index, self.committed[index].append) for index in range(4)
        ]
        self.wallet = Wallet(self.nodes[0].chain)

    def submit(self, *transactions: Transaction) -> None:
        for node in self.nodes:
            for transaction in transactions:
                node.mempool.add(transaction)

    def height(self, view: int = 1) -> CommittedBlock:
        decide(self.nodes, build(self.nodes, view), view)
        return self.committed[0][-1]

    def codes(self) -> list[str]:
        return [receipt.code for receipt in self.committed[0][-1].receipts]


def wealth(network: Network, address: str) -> int:
    """Free money and deposit: a leader's turn moves one into the other."""
    state = network.nodes[0].state
    record = read_member(state, address)
    assert record is not None
    return read_account(state, address).free + record.deposit_micro


@pytest.fixture
def network() -> Network:
    return Network()


def rejected(reason: Reason, action: Callable[[], object]) -> str:
    with pytest.raises(Rejected) as caught:
        action()
    assert caught.value.reason is reason, caught.value
    return caught.value.detail


# ---------------------------------------------------------------- the whole way
def test_four_nodes_agree_through_heights_of_transfers_bids_and_asks(network: Network) -> None:
    money = total_money(network.nodes[0].state)
    wallet = network.wallet
    network.submit(
        wallet.pay(PEOPLE[0], PEOPLE[1]),
        wallet.sign(FLEETS[0], bid(60 * TOKEN), bid(50 * TOKEN)),
        wallet.sign(FLEETS[1], bid(45 * TOKEN)),
        wallet.sign(MEMBERS[0], ask(20 * TOKEN)),
        wallet.sign(MEMBERS[1], ask(25 * TOKEN)),
    )
    network.height()
    assert network.codes() == ["ok"] * 5
    network.submit(wallet.pay(PEOPLE[1], PEOPLE[2]), wallet.pay(PEOPLE[1], PEOPLE[2]))
    network.height()
    network.submit(wallet.pay(PEOPLE[2], PEOPLE[0], 10**14))
    network.height()
    assert network.codes() == ["insufficient_funds"]
    for _ in range(9):
        network.height()
    blocks = network.committed[0]
    assert sum(block.trades for block in blocks) == 2
    kinds = {event.kind for block in blocks for event in block.events}
    assert {"order.opened", "trade.made", "agreement.ended", "turn.taken"} <= kinds
    assert read_account(network.nodes[0].state, BROKER.address).free > 10 * TOKEN
    assert total_money(network.nodes[0].state) == money
    rounds = [json.loads(block.round) for block in blocks if block.round]
    assert sum(len(book["pairs"]) for each in rounds for book in each["books"]) == 2
    for mine, theirs in zip(*network.committed[:2], strict=True):
        assert mine == theirs
    assert all(len(node.mempool) == 0 for node in network.nodes)


def test_a_block_carries_the_proof_of_who_was_skipped(network: Network) -> None:
    order = [network.nodes[0].election.leader(view).address for view in (1, 2, 3)]
    block = network.height(view=3)
    missed = [event.data["address"] for event in block.events if event.kind == "turn.skipped"]
    assert missed == order[:2]
    assert block.block.header.builder == order[2]
    assert json.loads(block.election)["height"] == 2


def test_a_view_above_n_embeds_no_skip(network: Network) -> None:
    head = network.nodes[0].head
    builder = leader(network.nodes, 6)
    data = builder.build(BuildRequest(1, 6, head.hash, START_MS + 9, ()))
    assert data is not None
    decide(network.nodes, data, 6)
    events = network.committed[0][0].events
    assert not [event for event in events if event.kind == "turn.skipped"]


def test_the_start_of_the_next_height_follows_from_the_block(network: Network) -> None:
    node = network.nodes[0]
    first = node.height_start()
    assert (first.height, first.parent, first.parent_certificate) == (1, GENESIS.hash, None)
    assert first.pace_until_ms == START_MS + 1_000
    data = build(network.nodes, now_ms=START_MS + 1_234)
    certificate = decide(network.nodes, data)
    start = node.height_start()
    assert (start.height, start.parent) == (2, certificate.payload)
    assert start.parent_certificate == certificate
    assert start.pace_until_ms == START_MS + 2_234
    assert start.order == node.election.order


def test_time_never_stands_still_whatever_the_clock_says(network: Network) -> None:
    decide(network.nodes, build(network.nodes, now_ms=START_MS + 5_000))
    decide(network.nodes, build(network.nodes, now_ms=0))
    assert network.nodes[0].head.time_ms == START_MS + 5_001


# ---------------------------------------------------------------- building
def test_an_observing_node_or_one_whose_turn_it_is_not_declines(network: Network) -> None:
    builder = leader(network.nodes, 1)
    head = builder.head
    request = BuildRequest(1, 1, head.hash, START_MS, ())
    others = [node for node in network.nodes if node is not builder]
    assert all(node.build(request) is None for node in others)
    assert fresh_application(GENESIS, None).build(request) is None
    assert builder.build(BuildRequest(2, 1, head.hash, START_MS, ())) is None
    assert builder.build(BuildRequest(1, 1, bytes(32), START_MS, ())) is None
    builder.observing = True
    assert builder.build(request) is None
    builder.observing = False
    assert builder.build(request) is not None


def test_a_node_with_another_vrf_key_says_so_and_does_not_build(network: Network) -> None:
    builder = leader(network.nodes, 1)
    request = BuildRequest(1, 1, builder.head.hash, START_MS, ())
    assert not builder.wrong_vrf_key
    wrong = Options(Builder(str(builder._builder and builder._builder.address), bytes(32)))
    other = Application(builder.chain, builder.head, wrong, lambda _: None)
    assert other.wrong_vrf_key
    assert other.build(request) is None


def test_a_block_of_our_own_is_not_executed_a_second_time(
    network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    builder = leader(network.nodes, 1)
    data = build(network.nodes)
    monkeypatch.setattr("node.application.application.check_decoded", None)
    builder.check(data)
    digest = builder.inspect(data).digest
    builder.commit(digest, certify(builder, VoteKind.FINALIZE, 1, digest))
    assert builder.head.height == 1


def test_a_full_block_leaves_the_rest_for_the_next(network: Network) -> None:
    wallet = network.wallet
    waiting = [wallet.pay(key, FLEETS[0], 1) for key in PEOPLE for _ in range(3)]
    network.submit(*waiting)
    for node in network.nodes:
        limits = replace(node.head.limits, max_transactions=25)
        object.__setattr__(node.head, "limits", limits)
    block = network.height()
    assert len(block.transactions) == 25
    assert {each.envelope.from_ for each in block.transactions[:20]} == {
        key.address for key in PEOPLE
    }
    assert all(len(node.mempool) == 35 for node in network.nodes)
    assert len(network.height().transactions) == 35


def test_late_votes_are_paid_in_a_later_block(network: Network) -> None:
    first = build(network.nodes)
    digest = network.nodes[0].inspect(first).digest
    late = signed_vote(network.nodes[0], 3, VoteKind.FINALIZE, 1, digest)
    decide(network.nodes, first)
    for node in network.nodes:
        node.note_finalize_votes([late, late])
    network.height()
    before = wealth(network, MEMBERS[3].address)
    third = network.height()
    assert late.signature in third.block.commits
    assert wealth(network, MEMBERS[3].address) > before
    assert late.signature not in network.height().block.commits


# ---------------------------------------------------------------- checking
def tampered(node: Application, data: bytes, **fields: object) -> bytes:
    """The block with other header fields, all roots of the body as they were."""
    block = decode_block(data, node.chain.genesis_hash, node.head.limits)
    return rebuilt(node, block, replace(block.header, **fields))


def rebuilt(node: Application, block: Block, header: Header) -> bytes:
    return encode_block(
        make_block(
            header, block.transactions, block.clearings, block.commits, node.chain.genesis_hash
        )
    )


ZERO = "0" * 64


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"chain": "other"}, Reason.WRONG_CHAIN),
        ({"height": 2}, Reason.BLOCK_INVALID),
        ({"parent": ZERO}, Reason.BLOCK_INVALID),
        ({"time_ms": START_MS}, Reason.BLOCK_INVALID),
        ({"view": 2}, Reason.WRONG_BUILDER),
        ({"builder": PEOPLE[0].address}, Reason.WRONG_BUILDER),
        ({"vrf": "0" * 160}, Reason.BAD_VRF),
        ({"transactions_root": ZERO}, Reason.BAD_ROOT),
        ({"receipts_root": ZERO}, Reason.BAD_ROOT),
        ({"clearings_root": ZERO}, Reason.BAD_ROOT),
        ({"commits_root": ZERO}, Reason.BAD_ROOT),
        ({"state_root": ZERO}, Reason.BAD_ROOT),
        ({"validators_hash": ZERO}, Reason.BAD_ROOT),
    ],
)
def test_every_header_field_is_checked(
    network: Network, fields: dict[str, object], reason: Reason
) -> None:
    network.submit(network.wallet.pay(PEOPLE[0], PEOPLE[1]))
    data = build(network.nodes)
    for node in network.nodes:
        root = node.state.root
        rejected(reason, lambda node=node: node.check(tampered(node, data, **fields)))
        assert node.state.root == root
    decide(network.nodes, data)


def test_another_time_is_another_valid_block(network: Network) -> None:
    """No rule of the market reads the time, so only its order is checked here."""
    data = build(network.nodes)
    for node in network.nodes:
        node.check(tampered(node, data, time_ms=START_MS + 77))


def with_transactions(node: Application, data: bytes, raws: Sequence[bytes]) -> bytes:
    from ledger.blocks import transactions_root

    block = decode_block(data, node.chain.genesis_hash, node.head.limits)
    header = replace(block.header, transactions_root=transactions_root(raws).hex())
    return encode_block(
        make_block(header, raws, block.clearings, block.commits, node.chain.genesis_hash)
    )


def test_a_spoilt_signature_is_refused_by_nodes_that_saw_the_good_one_too(
    network: Network,
) -> None:
    good = network.wallet.pay(PEOPLE[0], PEOPLE[1])
    network.submit(good)
    data = build(network.nodes)
    spoilt = good.raw[:-4] + (b'00"}' if good.raw[-4:-2] != b"00" else b'01"}')
    stranger = fresh_application(GENESIS, None)
    for node in (*network.nodes, stranger):
        forged = with_transactions(node, data, [spoilt])
        rejected(Reason.INVALID_SIGNATURE, lambda node=node, forged=forged: node.check(forged))


def test_a_transaction_that_may_not_stand_in_the_block_spoils_it(network: Network) -> None:
    wallet = network.wallet
    first, second = wallet.pay(PEOPLE[0], PEOPLE[1]), wallet.pay(PEOPLE[0], PEOPLE[1])
    data = build(network.nodes)
    node = network.nodes[0]
    for raws in ([second.raw], [first.raw, first.raw], [second.raw, first.raw]):
        forged = with_transactions(node, data, raws)
        detail = rejected(Reason.BLOCK_INVALID, lambda forged=forged: node.check(forged))
        assert "nonce" in detail


def test_transactions_that_never_came_by_are_asked_for_once(network: Network) -> None:
    wallet = network.wallet
    seen, unseen = wallet.pay(PEOPLE[0], PEOPLE[1]), wallet.pay(PEOPLE[1], PEOPLE[0])
    builder = leader(network.nodes, 1)
    builder.mempool.add(seen)
    builder.mempool.add(unseen)
    other = next(node for node in network.nodes if node is not builder)
    other.mempool.add(seen)
    asked: list[list[Transaction]] = []

    def verify(transactions: Sequence[Transaction]) -> None:
        asked.append(list(transactions))
        check_signatures(transactions)

    object.__setattr__(other._trust, "verify_transactions", verify)
    data = build(network.nodes)
    assert other.unknown_transactions(data) == [unseen]
    other.check(data)
    other.check(data)
    assert asked == [[unseen]]


def test_garbage_is_rejected_and_never_an_exception_of_another_kind(network: Network) -> None:
    data = build(network.nodes)
    node = network.nodes[0]
    for junk in (b"", b"\0" * 9, data[:-1], data + b"\0", data[:40] + b"\xff" + data[41:]):
        with pytest.raises(Rejected):
            node.inspect(junk)
        with pytest.raises(Rejected):
            node.check(junk)


def test_a_block_that_was_not_checked_cannot_be_committed(network: Network) -> None:
    data = build(network.nodes)
    builder = leader(network.nodes, 1)
    other = next(node for node in network.nodes if node is not builder)
    digest = other.inspect(data).digest
    with pytest.raises(LookupError):
        other.commit(digest, certify(other, VoteKind.FINALIZE, 1, digest))
    assert other.head.height == 0


def test_a_block_crowded_out_of_the_cache_is_still_committed(
    network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proposals, "MAX_EXECUTIONS", 1)
    network.submit(network.wallet.pay(PEOPLE[0], PEOPLE[1]))
    first, second = build(network.nodes), build(network.nodes, view=2)
    for node in network.nodes:
        node.check(first)
        node.check(second)
    decide(network.nodes, first)


def test_a_skip_certificate_must_be_of_this_height_and_complete(network: Network) -> None:
    network.height()
    old = skips(network.nodes[0], 2)
    network.height()
    builder = leader(network.nodes, 2)
    other = next(node for node in network.nodes if node is not builder)
    for wrong in ((), old):
        request = BuildRequest(3, 2, builder.head.hash, START_MS + 9_000, wrong)
        data = builder.build(request)
        assert data is not None
        rejected(Reason.BAD_COMMITS, lambda data=data: other.check(data))


def test_followers_hear_of_every_block_in_order(network: Network) -> None:
    heard: list[int] = []
    network.nodes[0].on_commit.append(lambda committed: heard.append(committed.height))
    for _ in range(3):
        network.height()
    assert heard == [1, 2, 3]
    last = network.committed[0][-1]
    assert decode_certificate(encode_certificate(last.certificate)) == last.certificate
