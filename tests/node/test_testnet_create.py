"""Making a test network: what is written, that it is made once, and what is refused."""

import stat
from pathlib import Path

import pytest

from auction.brokers import brokers
from consensus.election import elect
from ledger.members import comprehensive_resource, members
from ledger.members import read_registration as registration_of
from node.application.genesis import genesis_state, load
from node.keyfiles import KeyKind, load_seed, read_password_file, read_public
from node.service.config import load as load_config
from node.testnet import plan
from node.testnet.create import Wanted, ensure_testnet
from node.testnet.layout import (
    Description,
    Layout,
    TestnetError,
    parse_duration_ms,
    read_description,
)


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> tuple[Layout, Description]:
    layout = Layout(tmp_path_factory.mktemp("network"))
    description, created = ensure_testnet(
        layout, Wanted(validators=3, base_port=9100, block_time_ms=250)
    )
    assert created
    return layout, description


def snapshot(root: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


def test_the_genesis_seeds_a_state_with_every_validator_eligible(
    network: tuple[Layout, Description],
) -> None:
    layout, description = network
    loaded = load(layout.genesis)
    state = genesis_state(loaded)
    found = dict(members(state))
    assert set(found) == {node.address for node in description.nodes}
    parameters = loaded.genesis.ledger.parameters
    assert parameters.block_time_ms == 250
    for member in found.values():
        assert comprehensive_resource(member.resources, parameters) >= parameters.resource_threshold
    assert sorted(elect(state, 1).order) == [0, 1, 2]


def test_accounts_have_their_roles_in_the_first_state(network: tuple[Layout, Description]) -> None:
    layout, description = network
    state = genesis_state(load(layout.genesis))
    for account in description.accounts:
        registration = registration_of(state, account.address)
        assert registration is not None
        assert (registration.name, registration.role) == (account.name, account.role)
    assert {account.role for account in description.accounts} == {"its", "broker", "account"}


def test_every_node_directory_is_complete_and_private(network: tuple[Layout, Description]) -> None:
    layout, description = network
    for node in description.nodes:
        home = layout.node(node.index)
        settings = load_config(layout.config(node.index))
        assert settings.api.port == 9100 + node.index
        assert load(settings.node.genesis_file).hash.hex() == description.genesis_hash
        password = read_password_file(settings.node.password_file)
        load_seed(settings.node.signing_key_file, password, KeyKind.SIGNING)
        load_seed(settings.node.vrf_key_file, password, KeyKind.VRF)
        for secret in ("signing.json", "vrf.json", "password"):
            assert stat.S_IMODE((home / secret).stat().st_mode) == 0o600


def test_no_two_keys_and_no_two_passwords_are_the_same(
    network: tuple[Layout, Description],
) -> None:
    layout, _ = network
    files = [*layout.accounts.glob("*.json"), *layout.root.glob("node-*/signing.json")]
    files += layout.root.glob("node-*/vrf.json")
    keys = [read_public(path).public_key for path in files]
    assert len(set(keys)) == len(keys)
    passwords = [path.read_bytes() for path in layout.root.rglob("password")]
    assert len(set(passwords)) == len(passwords) == 4


def test_making_it_again_changes_not_one_byte(network: tuple[Layout, Description]) -> None:
    layout, description = network
    before = snapshot(layout.root)
    again, created = ensure_testnet(layout, Wanted(validators=3, block_time_ms=250))
    assert not created
    assert again == description
    assert snapshot(layout.root) == before


@pytest.mark.parametrize(
    ("wanted", "option"),
    [
        (Wanted(validators=4), "--validators"),
        (Wanted(block_time_ms=500), "--block-time"),
        (Wanted(chain="other"), "--chain"),
    ],
)
def test_another_genesis_is_refused_and_nothing_is_touched(
    network: tuple[Layout, Description], wanted: Wanted, option: str
) -> None:
    layout, _ = network
    before = snapshot(layout.root)
    with pytest.raises(TestnetError, match=option):
        ensure_testnet(layout, wanted)
    assert snapshot(layout.root) == before


def test_an_edited_genesis_is_refused_with_both_hashes(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    description, _ = ensure_testnet(layout, Wanted(validators=1))
    layout.genesis.write_bytes(layout.genesis.read_bytes().replace(b"500", b"501", 1))
    with pytest.raises(TestnetError, match=description.genesis_hash):
        ensure_testnet(layout, Wanted())


def test_a_run_cut_short_is_finished_with_the_keys_it_made(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    first, _ = ensure_testnet(layout, Wanted(validators=1))
    layout.description.unlink()
    layout.genesis.unlink()
    second, created = ensure_testnet(layout, Wanted(validators=1))
    assert created
    assert second.nodes[0].address == first.nodes[0].address


def test_chain_data_without_a_description_are_not_given_a_new_genesis(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    ensure_testnet(layout, Wanted(validators=1))
    layout.description.unlink()
    (layout.node(0) / "data").mkdir()
    with pytest.raises(TestnetError, match="holds a chain"):
        ensure_testnet(layout, Wanted(validators=1))


def test_other_ports_are_taken_by_moving_the_nodes_not_the_genesis(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    before, _ = ensure_testnet(layout, Wanted(validators=2, base_port=9200))
    after, created = ensure_testnet(layout, Wanted(base_port=9300))
    assert not created
    assert after.genesis_hash == before.genesis_hash
    assert [node.url for node in after.nodes] == ["http://127.0.0.1:9300", "http://127.0.0.1:9301"]
    settings = load_config(layout.config(0))
    assert settings.api.port == 9300
    assert settings.p2p.peers == (f"{after.nodes[1].address}@http://127.0.0.1:9301",)
    assert read_description(layout) == after


def test_a_network_for_containers_names_them(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    description, _ = ensure_testnet(layout, Wanted(validators=2, compose=True))
    assert description.compose
    assert description.nodes[1].url == "http://validator-1:8080"
    settings = load_config(layout.config(1))
    assert (settings.api.host, settings.api.port) == ("0.0.0.0", 8080)
    endpoints = {member.endpoint for member in load(layout.genesis).genesis.ledger.members}
    assert endpoints == {"http://validator-0:8080", "http://validator-1:8080"}


@pytest.mark.parametrize(
    ("text", "milliseconds"), [("500ms", 500), ("2s", 2000), ("1.5s", 1500), ("250", 250)]
)
def test_durations_are_read(text: str, milliseconds: int) -> None:
    assert parse_duration_ms(text) == milliseconds


@pytest.mark.parametrize("text", ["", "fast", "0ms", "-1s", "10ms", "2h", "1.s5"])
def test_nonsense_durations_are_refused(text: str) -> None:
    with pytest.raises(TestnetError):
        parse_duration_ms(text)


@pytest.mark.parametrize(
    "wanted", [Wanted(validators=0), Wanted(validators=101), Wanted(base_port=65_535)]
)
def test_impossible_sizes_are_refused_before_anything_is_written(
    tmp_path: Path, wanted: Wanted
) -> None:
    with pytest.raises(TestnetError):
        ensure_testnet(Layout(tmp_path / "new"), wanted)
    assert not (tmp_path / "new").exists()


def test_five_brokers_with_different_tariffs_stand_in_the_first_state(
    network: tuple[Layout, Description],
) -> None:
    layout, description = network
    state = genesis_state(load(layout.genesis))
    names = {one.address: one.name for one in description.accounts}
    found = [
        (names[address], record.tariff.weights, record.tariff.pricing, record.tariff.fee_basis)
        for address, record in brokers(state)
    ]
    assert sorted(found) == [
        ("campus-broker", "surplus", "core_buyer", "deal"),
        ("city-broker", "spread", "paper", "deal"),
        ("harbour-broker", "spread", "midpoint", "round"),
        ("river-broker", "spread", "kappa", "deal"),
        ("station-broker", "surplus", "mcafee", "deal"),
    ]


def test_servers_can_be_given_more_slots_than_the_plan_has(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "wide")
    ensure_testnet(layout, Wanted(validators=1, base_port=9300, slots=100))
    ((_, member),) = members(genesis_state(load(layout.genesis)))
    assert member.resources.computation == 100 * plan.PROFILES[0].computation_mhz
    with pytest.raises(TestnetError, match="--slots"):
        ensure_testnet(Layout(tmp_path / "none"), Wanted(validators=1, base_port=9300, slots=0))
