"""What the command line says to somebody who has just made a mistake, and with which exit code."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from node.cli.app import app

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def runner(monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    monkeypatch.delenv("TWINCHAIN_PASSWORD_FILE", raising=False)
    return CliRunner()


def test_help_names_the_command_as_people_type_it() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "node.cli.main", "status", "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith("Usage: twinchain status ")


def test_a_list_of_a_directory_that_is_not_there_is_a_mistake(
    runner: CliRunner, tmp_path: Path
) -> None:
    done = runner.invoke(app, ["keys", "list", "--dir", str(tmp_path / "nowhere")])
    assert done.exit_code == 2
    assert "no such directory" in done.stderr


@pytest.mark.parametrize(
    ("words", "listing"),
    [
        (("cancel", "--order", "ID"), "twinchain query orders"),
        (("rate", "--agreement", "ID", "--rating-bp", "1"), "twinchain query agreements"),
    ],
)
def test_what_is_no_id_is_refused_before_a_key_is_opened(
    runner: CliRunner, words: tuple[str, ...], listing: str
) -> None:
    done = runner.invoke(app, ["tx", *words, "--key", "nowhere.json"])
    assert done.exit_code == 2
    assert "is not an id of 64 hex digits" in done.stderr
    assert listing in done.stderr


def test_a_chain_name_of_another_form_leaves_nothing_behind(
    runner: CliRunner, tmp_path: Path
) -> None:
    target = tmp_path / "net"
    done = runner.invoke(app, ["testnet", "init", "--dir", str(target), "--chain", "My Chain"])
    assert done.exit_code == 2
    assert "--chain 'My Chain'" in done.stderr
    assert not list(target.glob("**/*.json"))


def test_a_missing_new_password_is_asked_for_by_its_own_option(
    runner: CliRunner, tmp_path: Path
) -> None:
    secret = tmp_path / "secret"
    secret.write_text("secret\n")
    word = ("--password-file", str(secret))
    runner.invoke(app, ["keys", "new", "key", "--dir", str(tmp_path), "--light", *word])
    done = runner.invoke(app, ["keys", "change-password", str(tmp_path / "key.json"), *word])
    assert done.exit_code == 2
    assert "--new-password-file" in done.stderr


def test_a_back_up_never_overwrites_and_says_so_with_2(runner: CliRunner, tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text("")
    copy = tmp_path / "copy.db"
    copy.write_text("mine")
    for out, words in ((copy, "exists already"), (tmp_path / "no" / "copy.db", "no directory")):
        done = runner.invoke(app, ["db", "backup", "--config", str(config), "--out", str(out)])
        assert done.exit_code == 2
        assert words in done.stderr
    assert copy.read_text() == "mine"


@pytest.mark.parametrize("name", ["shares", "simulate", "figures"])
def test_a_script_finds_the_projects_environment_by_itself(name: str, tmp_path: Path) -> None:
    bare = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, "-S", str(ROOT / "scripts" / f"{name}.py"), "--help"],
        cwd=tmp_path,
        env=bare,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "usage:" in done.stdout


def test_a_final_order_is_printed_with_its_id(
    capsys: pytest.CaptureFixture[str],
) -> None:
    from node.cli.sending import Sending, _finished

    final = {"code": "ok", "height": 7, "order_ids": [None, "ab" * 32]}
    for as_json in (False, True):
        how = Sending(Path("key"), "http://node", None, wait=True, timeout_s=1, as_json=as_json)
        _finished(how, "cd" * 32, final)
    plain, document = capsys.readouterr().out.splitlines()
    assert plain == f"order {'ab' * 32}"
    assert json.loads(document)["order_ids"] == ["ab" * 32]


@pytest.mark.parametrize(
    "words",
    [
        ("shares.py", "--stakes", "a"),
        ("simulate.py", "--seeds", "5..5"),
        ("simulate.py", "--set", "a=1"),
        ("figures.py", "--only", "9z"),
        ("figures.py", "--seeds", "0"),
    ],
)
def test_a_script_refuses_a_wrong_word_in_one_line(words: tuple[str, ...]) -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / words[0]), *words[1:]],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
