"""Stall watch, gossip buffer, peer directory and the first vote of a fresh node."""

import asyncio

import pytest

from consensus.simplex.types import ValidatorSet, Vote, VoteKind
from ledger.members import Member, Resources, write_member
from ledger.state import Overlay, State
from node.driver.start import chain_has_begun
from node.intake.gossip import Gossip
from node.peers.directory import peers_of, url_of
from node.peers.frames import TransactionsFrame, decode_frame
from node.peers.network import Network
from node.peers.outbox import Outbox
from node.peers.peer import Peer, PeerInfo, Role
from node.service.config import P2pSection
from node.service.watch import STALL_FLOOR_MS, Watch
from tests.node.mesh_kit import key_of, log_nothing

KEYS = tuple(sorted(key_of(number).public_key for number in range(1, 5)))
SET = ValidatorSet(KEYS, KEYS)


# ---------------------------------------------------------------- watch
class Clockwork:
    def __init__(self) -> None:
        self.ms = 0
        self.watch = Watch(lambda: self.ms, stall_blocks=5, block_time_ms=2_000)


def vote(index: int, height: int = 1, view: int = 1) -> Vote:
    return Vote(VoteKind.NOTARIZE, height, view, 0, bytes(32), index, bytes(64))


def test_a_chain_without_a_block_for_five_block_times_is_stalled_until_the_next() -> None:
    clock = Clockwork()
    clock.ms = 9_999
    assert not clock.watch.check()
    clock.ms = 10_000
    assert clock.watch.check()
    assert clock.watch.stalled
    clock.ms = 12_000
    assert not clock.watch.check(), "the warning is not repeated at once"
    clock.watch.decided(1)
    assert not clock.watch.stalled
    assert clock.watch.height == 2


def test_a_fast_chain_gets_some_seconds_all_the_same() -> None:
    assert Watch(lambda: 0, stall_blocks=5, block_time_ms=100).limit_ms == STALL_FLOOR_MS


def test_the_silent_are_those_of_whom_no_vote_arrived_lately() -> None:
    clock = Clockwork()
    clock.watch.heard(vote(1), KEYS[1])
    clock.ms = 9_000
    clock.watch.heard(vote(2), KEYS[2])
    clock.ms = 11_000
    assert clock.watch.silent(SET, KEYS[0]) == (KEYS[1], KEYS[3])


def test_votes_are_shown_by_view_and_forgotten_with_their_height() -> None:
    clock = Clockwork()
    clock.watch.heard(vote(1), KEYS[1])
    clock.watch.heard(vote(2, view=2), KEYS[2])
    clock.watch.heard(vote(3, height=9), KEYS[3])
    kind = frozenset({VoteKind.NOTARIZE})
    nothing: frozenset[VoteKind] = frozenset()
    assert clock.watch.votes(1, 4) == [nothing, kind, nothing, nothing]
    clock.watch.decided(1)
    assert clock.watch.votes(1, 4) == [nothing] * 4


# ---------------------------------------------------------------- gossip
class Mesh:
    def __init__(self, *roles: Role) -> None:
        self.all = tuple(
            Peer(PeerInfo(key, "", role, ""), Outbox(100, 10**6), lambda: 0)
            for key, role in zip(KEYS, roles, strict=False)
        )

    def peers(self) -> tuple[Peer, ...]:
        return self.all

    async def received(self) -> list[list[bytes]]:
        found = []
        for peer in self.all:
            raws: list[bytes] = []
            for _ in range(len(peer.outbox)):
                frame = decode_frame(await peer.outbox.get(), 10**6)
                assert isinstance(frame, TransactionsFrame)
                raws.extend(frame.raws)
            found.append(raws)
        return found


async def test_gossip_reaches_all_members_but_the_origin_and_no_observer() -> None:
    mesh = Mesh(Role.MEMBER, Role.MEMBER, Role.OBSERVER)
    gossip = Gossip(mesh, P2pSection())  # type: ignore[arg-type]
    gossip([b"from a client"], b"")
    gossip([b"from the observer"], KEYS[2])
    gossip([b"from a member"], KEYS[0])
    gossip.flush()
    assert await mesh.received() == [
        [b"from a client", b"from the observer"],
        [b"from a client", b"from the observer", b"from a member"],
        [],
    ]


async def test_what_arrives_within_the_interval_leaves_together() -> None:
    mesh = Mesh(Role.MEMBER)
    gossip = Gossip(mesh, P2pSection(gossip_interval_ms=1))  # type: ignore[arg-type]
    gossip([b"one"], b"")
    gossip([b"two"], b"")
    while not len(mesh.all[0].outbox):
        await asyncio.sleep(0)
    assert len(mesh.all[0].outbox) == 1
    assert await mesh.received() == [[b"one", b"two"]]


async def test_a_full_batch_leaves_at_once_in_bounded_frames() -> None:
    mesh = Mesh(Role.MEMBER)
    gossip = Gossip(mesh, P2pSection(gossip_batch=4))  # type: ignore[arg-type]
    gossip([bytes([number]) for number in range(1, 11)], b"")
    assert len(mesh.all[0].outbox) == 3
    assert await mesh.received() == [[bytes([number]) for number in range(1, 11)]]


# ---------------------------------------------------------------- directory
def member(name: str, endpoint: str, status: str = "active") -> Member:
    return Member(
        name=name,
        vrf_key="00" * 32,
        endpoint=endpoint,
        resources=Resources(computation=1, communication=1, modelling=1),
        stake_micro=1,
        satisfaction_bp=1,
        status=status,  # type: ignore[arg-type]
    )


def test_peers_are_the_members_and_whom_the_settings_add() -> None:
    state = State()
    overlay = Overlay(state)
    entries = [("a", "host-a:1", "active"), ("b", "", "jailed"), ("c", "c:3", "left")]
    for key, (name, endpoint, status) in zip(KEYS, entries, strict=False):
        write_member(overlay, key.hex(), member(name, endpoint, status))
    configured = [f"{KEYS[1].hex()}@here:9", f"{KEYS[3].hex()}@https://watcher:10"]

    peers = {info.key: info for info in peers_of(overlay, (), configured)}
    still_voting = {info.key for info in peers_of(overlay, {KEYS[2]}, configured)}

    assert {key: info.url for key, info in peers.items()} == {
        KEYS[0]: "http://host-a:1",
        KEYS[1]: "http://here:9",
        KEYS[3]: "https://watcher:10",
    }
    assert peers[KEYS[3]].role is Role.OBSERVER
    assert peers[KEYS[1]].role is Role.MEMBER
    assert KEYS[2] in still_voting


@pytest.mark.parametrize(
    ("endpoint", "url"),
    [
        ("host:1", "http://host:1"),
        ("https://host:1/path", "https://host:1"),
        ("", ""),
        ("ftp://host:1", ""),
        ("http://", ""),
    ],
)
def test_an_endpoint_becomes_an_address_or_nothing(endpoint: str, url: str) -> None:
    assert url_of(endpoint) == url


# ---------------------------------------------------------------- first vote
def network_of_four() -> Network:
    network = Network(key_of(1), b"g" * 32, P2pSection(), Mesh(), log_nothing)  # type: ignore[arg-type]
    network.set_peers(PeerInfo(key, key.hex()[:4], Role.MEMBER, "") for key in KEYS)
    return network


async def test_a_fresh_node_votes_at_once_where_a_quorum_is_fresh_too() -> None:
    network = network_of_four()
    asked = asyncio.create_task(chain_has_begun(SET, key_of(1).public_key, network, log_nothing))
    first, second, _ = network.peers()
    first.greeted = True
    await asyncio.sleep(0)
    assert not asked.done(), "one more is needed for a quorum of three"
    second.greeted = True
    assert not await asked


async def test_a_fresh_node_observes_where_one_validator_is_above_height_one() -> None:
    network = network_of_four()
    for peer in network.peers():
        peer.greeted = True
    network.peers()[2].height = 40
    assert await chain_has_begun(SET, key_of(1).public_key, network, log_nothing)


async def test_an_outsider_has_nothing_to_wait_for() -> None:
    assert not await chain_has_begun(SET, b"x" * 32, network_of_four(), log_nothing)
