"""Adding a node to a test network: what is written, that it is safe to repeat, what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from node.keyfiles import read_public
from node.service.config import load as load_config
from node.service.config_file import NodeAddresses
from node.service.directory import DirectoryError, NewNode, make_node
from node.testnet.create import Wanted, ensure_testnet
from node.testnet.joining import add_node
from node.testnet.layout import Description, Layout, TestnetError, read_description

Network = tuple[Layout, Description]


@pytest.fixture
def network(tmp_path: Path) -> Network:
    layout = Layout(tmp_path / "net")
    wanted = Wanted(validators=2, base_port=9100, block_time_ms=250, boundary_blocks=12)
    return layout, ensure_testnet(layout, wanted)[0]


def test_a_node_is_added_once_and_finds_the_others_by_the_genesis(network: Network) -> None:
    layout, description = network
    grown, entry, new = add_node(layout, description)
    assert (entry.index, entry.name, entry.joined, new) == (2, "dt-server-3", True, True)
    assert [node.index for node in grown.founders] == [0, 1]
    assert read_description(layout) == grown
    settings = load_config(layout.config(2))
    assert settings.node.endpoint == settings.api.public_url == "http://127.0.0.1:9102"
    assert (settings.api.port, settings.p2p.peers) == (9102, ())
    assert read_public(layout.node(2) / "signing.json").public_key == entry.address
    before = (layout.node(2) / "signing.json").read_bytes()
    assert add_node(layout, grown, 2) == (grown, entry, False)
    assert (layout.node(2) / "signing.json").read_bytes() == before


def test_a_run_that_was_cut_short_is_finished_with_the_keys_it_had(network: Network) -> None:
    layout, description = network
    _, entry, _ = add_node(layout, description)
    assert add_node(layout, description)[1] == entry


def test_only_the_next_number_can_be_added(network: Network) -> None:
    layout, description = network
    with pytest.raises(TestnetError, match="the next node is node 2"):
        add_node(layout, description, 3)


def test_a_network_that_has_grown_is_still_the_one_that_was_made(network: Network) -> None:
    layout, description = network
    grown, _, _ = add_node(layout, description)
    assert ensure_testnet(layout, Wanted(validators=2, boundary_blocks=12)) == (grown, False)
    with pytest.raises(TestnetError, match="--validators 2, not 3"):
        ensure_testnet(layout, Wanted(validators=3))
    with pytest.raises(TestnetError, match="--boundary-blocks 12"):
        ensure_testnet(layout, Wanted(boundary_blocks=13))


def test_a_newcomer_to_a_network_that_moved_is_told_where_the_others_are(network: Network) -> None:
    layout, _ = network
    moved, _ = ensure_testnet(layout, Wanted(base_port=9200))
    add_node(layout, moved)
    peers = load_config(layout.config(2)).p2p.peers
    assert [peer.split("@")[1] for peer in peers] == [
        "http://127.0.0.1:9200",
        "http://127.0.0.1:9201",
    ]


def test_the_directory_of_another_chain_is_refused_and_left_alone(
    network: Network, tmp_path: Path
) -> None:
    layout, _ = network
    other = Layout(tmp_path / "other")
    ensure_testnet(other, Wanted(validators=1, base_port=9300, block_time_ms=250))
    wanted = NewNode(
        directory=layout.node(0),
        name="x",
        genesis=other.genesis.read_bytes(),
        where=NodeAddresses("127.0.0.1", 9400, "http://127.0.0.1:9400"),
    )
    config = layout.config(0).read_bytes()
    with pytest.raises(DirectoryError, match="another chain's"):
        make_node(wanted)
    assert layout.config(0).read_bytes() == config
