"""Settings: where each comes from, and what is refused with which words."""

from pathlib import Path

import pytest

from node.service.config import ConfigError, load_settings

ACCOUNT = "ab" * 32


def write(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "config.toml"
    file.write_text(text, encoding="utf-8")
    return file


def test_a_flag_beats_the_environment_which_beats_the_file_which_beats_the_default(
    tmp_path: Path,
) -> None:
    file = write(tmp_path, '[api]\nport = 1\nhost = "0.0.0.0"\n[log]\nlevel = "debug"\n')
    environment = {"TWINCHAIN_API__PORT": "2", "TWINCHAIN_LOG__LEVEL": "error"}

    loaded = load_settings(file, {"api.port": 3, "api.docs": None}, environment)

    settings, origins = loaded.settings, loaded.origins
    assert (settings.api.port, settings.log.level, settings.api.host) == (3, "error", "0.0.0.0")
    assert origins["api.port"] == "flag"
    assert origins["log.level"] == "env TWINCHAIN_LOG__LEVEL"
    assert origins["api.host"] == f"file {file}"
    assert origins["api.docs"] == "default"


def test_relative_paths_of_the_file_and_the_defaults_hang_on_the_files_directory(
    tmp_path: Path,
) -> None:
    file = write(tmp_path, '[node]\ndata_dir = "here"\n')

    node = load_settings(file, {"node.vrf_key_file": "elsewhere"}, {}).settings.node

    assert node.data_dir == tmp_path / "here"
    assert node.genesis_file == tmp_path / "genesis.json"
    assert node.vrf_key_file == Path("elsewhere")


def test_a_list_in_the_environment_is_comma_separated(tmp_path: Path) -> None:
    other = "cd" * 32
    environment = {"TWINCHAIN_P2P__PEERS": f"{ACCOUNT}@one:1, {other}@http://two:2"}

    peers = load_settings(None, {}, environment).settings.p2p.peers

    assert peers == (f"{ACCOUNT}@one:1", f"{other}@http://two:2")


@pytest.mark.parametrize(
    ("text", "flags", "environment", "complaint"),
    [
        ("[api]\nprt = 1", {}, {}, "api.prt (file {file}): unknown setting"),
        ("[apii]\nport = 1", {}, {}, "apii (file {file}): unknown setting"),
        ("port = 1", {}, {}, "port: belongs into a section"),
        ("[api", {}, {}, "{file} is not TOML"),
        ("", {"api.port": 70_000}, {}, "api.port (flag): Input should be less than"),
        ("", {}, {"TWINCHAIN_API__PORT": "x"}, "api.port (env TWINCHAIN_API__PORT): Input"),
        ("", {}, {"TWINCHAIN_API__PRT": "1"}, "api.prt (env TWINCHAIN_API__PRT): unknown"),
        ("", {}, {"TWINCHAIN_APII__PORT": "1"}, "apii (env TWINCHAIN_APII__PORT): unknown"),
        ('[p2p]\npeers = ["nobody"]', {}, {}, "p2p.peers (file {file}): String should match"),
        (
            f'[p2p]\npeers = ["{ACCOUNT}@a:1", "{ACCOUNT}@b:1"]',
            {},
            {},
            "names one account twice",
        ),
    ],
)
def test_what_is_refused_is_named_with_its_origin(
    tmp_path: Path,
    text: str,
    flags: dict[str, object],
    environment: dict[str, str],
    complaint: str,
) -> None:
    file = write(tmp_path, text)

    with pytest.raises(ConfigError) as refusal:
        load_settings(file, flags, environment)

    assert complaint.format(file=file) in str(refusal.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no configuration file at"):
        load_settings(tmp_path / "none.toml", {}, {})


def test_variables_that_name_no_section_are_left_to_others() -> None:
    assert load_settings(None, {}, {"TWINCHAIN_PORT": "9"}).settings.api.port == 8080


def test_the_variable_of_the_commands_that_ask_a_node_is_no_setting(tmp_path: Path) -> None:
    file = write(tmp_path, '[node]\nname = "a"\n')
    loaded = load_settings(file, environment={"TWINCHAIN_NODE": "http://127.0.0.1:8080"})
    assert loaded.settings.node.name == "a"
    with pytest.raises(ConfigError, match="TWINCHAIN_API: names a section"):
        load_settings(file, environment={"TWINCHAIN_API": "8080"})
