"""The command line: exit codes, what goes to which stream, no questions without a terminal."""

import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import typer
from click.testing import Result
from typer.testing import CliRunner

from ledger.crypto import SigningKey
from ledger.native import Transfer
from ledger.transactions import TransactionCodec, check_signature
from node.cli.amounts import micro, milli, named_micro, three
from node.cli.app import app
from node.cli.output import money, percent
from node.keyfiles import KeyKind, write_key_file

ROOT = Path(__file__).resolve().parents[2]
SEED = bytes(range(32))
GENESIS = bytes(32)
OTHER = "22" * 32

Answer = tuple[int, object]


@pytest.fixture
def runner(monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    monkeypatch.delenv("TWINCHAIN_PASSWORD_FILE", raising=False)
    monkeypatch.delenv("TWINCHAIN_NODE", raising=False)
    return CliRunner()


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    path = tmp_path / "keys" / "alice.json"
    write_key_file(path, SEED, b"secret", kind=KeyKind.SIGNING, name="alice", light=True)
    return path


@pytest.fixture
def password_file(tmp_path: Path) -> Path:
    path = tmp_path / "secret.txt"
    path.write_text("secret\n")
    return path


class StandIn:
    """An HTTP server that answers what a test told it, and remembers what it was sent."""

    def __init__(self) -> None:
        self.answers: dict[str, Answer | Callable[[], Answer]] = {
            "/v1/status": (200, {"data": {"chain": "test", "genesis_hash": GENESIS.hex()}}),
            f"/v1/accounts/{address()}": (200, {"data": {"next_nonce": 7}}),
        }
        self.sent: list[bytes] = []
        self.url = ""


def address() -> str:
    return SigningKey.from_seed(SEED).address


@pytest.fixture
def node() -> Iterator[StandIn]:
    stand_in = StandIn()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            found = stand_in.answers.get(urlsplit(self.path).path, (404, {"code": "not_found"}))
            status, document = found() if callable(found) else found
            if status >= 400 and isinstance(document, dict):
                document = {"status": status, **document}
            body = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_GET(self) -> None:
            self._answer()

        def do_POST(self) -> None:
            stand_in.sent.append(self.rfile.read(int(self.headers["Content-Length"])))
            self._answer()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  as above
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    stand_in.url = f"http://127.0.0.1:{server.server_address[1]}"
    yield stand_in
    server.shutdown()
    server.server_close()
    thread.join()


def run(runner: CliRunner, *arguments: object) -> Result:
    return runner.invoke(app, [str(argument) for argument in arguments])


def transfer(runner: CliRunner, node: str, key: Path, password: Path, *more: str) -> Result:
    where = ("--node", node, "--key", key, "--password-file", password)
    return run(runner, "tx", "transfer", *where, "--to", OTHER, "--amount", "2.5", *more)


# ------------------------------------------------------------ help and cost


@pytest.mark.parametrize(
    "command",
    [(), ("keys",), ("testnet",), ("tx",), ("query",), ("db",), ("start",), ("demo",), ("status",)],
)
def test_every_group_explains_itself(runner: CliRunner, command: tuple[str, ...]) -> None:
    result = run(runner, *command, "--help")
    assert result.exit_code == 0
    assert "Usage" in result.stdout


@pytest.mark.parametrize(
    "command",
    ["bid", "ask", "cancel", "rate", "transfer", "stake", "unstake", "register"],
)
def test_every_transaction_command_shows_an_example(runner: CliRunner, command: str) -> None:
    result = run(runner, "tx", command, "--help")
    assert f"twinchain tx {command} --key" in result.stdout


def test_help_and_health_import_nothing_heavy() -> None:
    probe = (
        "import sys; sys.argv = ['twinchain', {argument!r}]\n"
        "from node.cli.main import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "heavy = {{'pydantic', 'fastapi', 'sqlalchemy', 'httpx', 'numpy', 'cryptography'}}\n"
        "print(sorted(heavy & set(sys.modules)), 'typer' in sys.modules)\n"
    )
    for argument, typer_needed in (("--help", True), ("health", False)):
        done = subprocess.run(
            [sys.executable, "-c", probe.format(argument=argument)],
            capture_output=True,
            text=True,
            cwd=ROOT,
            check=True,
            env={"TWINCHAIN_NODE": "http://127.0.0.1:9", "PATH": ""},
        )
        assert done.stdout.splitlines()[-1] == f"[] {typer_needed}"


def test_an_unknown_command_is_a_usage_error(runner: CliRunner) -> None:
    assert run(runner, "fly").exit_code == 2


# ------------------------------------------------------------ keys


def test_a_new_key_is_made_listed_and_never_overwritten(
    runner: CliRunner, tmp_path: Path, password_file: Path
) -> None:
    where = ("--dir", tmp_path / "k", "--password-file", password_file, "--light")
    made = run(runner, "keys", "new", "tram", *where, "--kind", "both", "--json")
    assert made.exit_code == 0
    kinds = {row["kind"]: row for row in json.loads(made.stdout)}
    assert set(kinds) == {"signing", "vrf"}
    listed = run(runner, "keys", "list", "--dir", tmp_path / "k", "--json")
    assert {row["public_key"] for row in json.loads(listed.stdout)} == {
        row["public_key"] for row in kinds.values()
    }
    again = run(runner, "keys", "new", "tram", *where)
    assert again.exit_code == 2
    assert "never overwritten" in again.stderr


def test_without_a_terminal_nothing_is_asked(runner: CliRunner, tmp_path: Path) -> None:
    result = run(runner, "keys", "new", "tram", "--dir", tmp_path)
    assert result.exit_code == 2
    assert "no terminal" in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_the_password_may_come_from_the_environment(
    runner: CliRunner, tmp_path: Path, password_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TWINCHAIN_PASSWORD_FILE", str(password_file))
    assert run(runner, "keys", "new", "tram", "--dir", tmp_path, "--light").exit_code == 0


def test_a_key_survives_export_import_and_a_new_password(
    runner: CliRunner, tmp_path: Path, key_file: Path, password_file: Path
) -> None:
    bare = tmp_path / "seed.hex"
    secret = ("--password-file", password_file)
    assert run(runner, "keys", "export", key_file, "--out", bare, *secret).exit_code == 0
    assert bare.read_text() == SEED.hex() + "\n"
    imported = run(
        runner, "keys", "import", "again", "--seed-file", bare, "--dir", tmp_path, *secret,
        "--light", "--json",
    )  # fmt: skip
    assert json.loads(imported.stdout)["public_key"] == address()
    fresh = tmp_path / "fresh.txt"
    fresh.write_text("other")
    changed = run(
        runner, "keys", "change-password", key_file, *secret, "--new-password-file", fresh
    )
    assert changed.exit_code == 0
    refused = run(runner, "keys", "export", key_file, "--out", tmp_path / "x", *secret)
    assert refused.exit_code == 2
    assert "wrong password" in refused.stderr


def test_show_needs_no_password_and_prints_no_secret(runner: CliRunner, key_file: Path) -> None:
    result = run(runner, "keys", "show", key_file)
    assert address() in result.stdout
    assert SEED.hex() not in result.stdout


# ------------------------------------------------------------ transactions


def test_the_hash_is_printed_and_the_signed_bytes_are_what_the_node_gets(
    runner: CliRunner, node: StandIn, key_file: Path, password_file: Path
) -> None:
    node.answers["/v1/txs"] = (202, {"data": {"hash": "00" * 32, "status": "pending"}})
    result = transfer(runner, node.url, key_file, password_file)
    assert result.exit_code == 0
    codec = TransactionCodec((Transfer,), "test", GENESIS, 65_536)
    sent = codec.decode(node.sent[0])
    assert check_signature(sent)
    assert result.stdout.strip() == sent.id.hex()
    assert sent.envelope.nonce == 7
    assert sent.envelope.actions == (Transfer(to=OTHER, amount_micro=2_500_000),)


def test_a_refused_transaction_exits_with_3_after_its_hash(
    runner: CliRunner, node: StandIn, key_file: Path, password_file: Path
) -> None:
    node.answers["/v1/txs"] = (422, {"code": "insufficient_funds", "detail": "needs 2.5"})
    result = transfer(runner, node.url, key_file, password_file)
    assert result.exit_code == 3
    assert len(result.stdout.strip()) == 64
    assert "insufficient_funds" in result.stderr


def test_a_transaction_that_failed_in_its_block_exits_with_3(
    runner: CliRunner, node: StandIn, key_file: Path, password_file: Path
) -> None:
    node.answers["/v1/txs"] = (202, {"data": {"hash": "00" * 32, "status": "pending"}})
    finals = {"status": "final", "height": 9, "code": "insufficient_funds"}

    def any_transaction() -> Answer:
        return 200, {"data": finals}

    class Everything(dict[str, Answer | Callable[[], Answer]]):
        def get(self, key: object, default: object = None) -> object:  # type: ignore[override]
            return any_transaction if str(key).startswith("/v1/txs/") else super().get(str(key))

    node.answers = Everything(node.answers)
    result = transfer(runner, node.url, key_file, password_file, "--wait", "--json")
    assert result.exit_code == 3
    assert json.loads(result.stdout)["code"] == "insufficient_funds"


def test_running_out_of_time_exits_with_4_and_the_hash_is_known(
    runner: CliRunner, node: StandIn, key_file: Path, password_file: Path
) -> None:
    node.answers["/v1/txs"] = (202, {"data": {"hash": "00" * 32, "status": "pending"}})
    result = transfer(runner, node.url, key_file, password_file, "--wait", "--timeout", "0.2")
    assert result.exit_code == 4
    assert len(result.stdout.strip()) == 64


def test_a_node_that_does_not_answer_exits_with_5(
    runner: CliRunner, key_file: Path, password_file: Path
) -> None:
    assert transfer(runner, "http://127.0.0.1:9", key_file, password_file).exit_code == 5
    assert run(runner, "status", "--node", "http://127.0.0.1:9").exit_code == 5
    assert run(runner, "query", "blocks", "--node", "http://127.0.0.1:9").exit_code == 5


def test_a_wrong_password_exits_with_2_before_anything_is_asked(
    runner: CliRunner, node: StandIn, key_file: Path, tmp_path: Path
) -> None:
    wrong = tmp_path / "wrong.txt"
    wrong.write_text("guess")
    assert transfer(runner, node.url, key_file, wrong).exit_code == 2
    assert node.sent == []


@pytest.mark.parametrize(
    "amount", ["-1", "1e3", "0.1234567", "", ".", "1,5", "Ⅷ", "²", "0.²", "9" * 5_000]
)
def test_amounts_are_exact_or_refused(runner: CliRunner, amount: str, key_file: Path) -> None:
    result = run(runner, "tx", "stake", "--key", key_file, f"--amount={amount}")
    assert result.exit_code == 2
    with pytest.raises(typer.Exit):
        micro(amount, "amount")


@pytest.mark.parametrize("text", ["²,1,1", "1,1", "1,-1,1", "1,1,1.5"])
def test_three_integers_are_whole_or_refused(text: str) -> None:
    with pytest.raises(typer.Exit):
        three(text, "resources")


def test_numbers_are_read_without_rounding() -> None:
    assert micro("0.1", "x") == 100_000
    assert micro("9007199254.740991", "x") == 2**53 - 1
    assert micro(".5", "x") == 500_000
    assert milli("1.5", "x") == 1_500
    assert named_micro("a=1, b=0.5", ("a", "b"), "x") == {"a": 1_000_000, "b": 500_000}
    assert money(1_234_500_000) == "1,234.50"
    assert money(-1) == "-0.000001"
    assert percent(8_750) == "87.5 %"


def test_a_bid_needs_exactly_one_kind_of_valuation(
    runner: CliRunner, node: StandIn, key_file: Path
) -> None:
    brokers = {"data": [{"address": OTHER, "status": "active"}], "next_cursor": None}
    node.answers["/v1/brokers"] = (200, {**brokers, "meta": {"height": 5}})
    base = ("tx", "bid", "--key", key_file, "--node", node.url)
    assert run(runner, *base).exit_code == 2
    assert run(runner, *base, "--limit", "5", "--value", "8").exit_code == 2


# ------------------------------------------------------------ reading


def test_json_output_is_the_answer_and_tables_show_names(runner: CliRunner, node: StandIn) -> None:
    page = {
        "data": [{"height": 3, "builder": {"address": OTHER, "name": "dt-server-1"}, "view": 1}],
        "next_cursor": None,
        "meta": {"height": 3},
    }
    node.answers["/v1/blocks"] = (200, page)
    as_json = run(runner, "query", "blocks", "--node", node.url, "--json")
    assert json.loads(as_json.stdout) == page
    assert "dt-server-1" in run(runner, "query", "blocks", "--node", node.url).stdout


def test_markup_in_a_name_from_the_chain_is_only_text(runner: CliRunner, node: StandIn) -> None:
    rows = [{"height": 1, "builder": {"address": OTHER, "name": "[red]x[/red]"}}]
    node.answers["/v1/blocks"] = (200, {"data": rows, "next_cursor": None, "meta": {}})
    assert "[red]x[/red]" in run(runner, "query", "blocks", "--node", node.url).stdout


def test_what_is_not_found_exits_with_2_and_says_so(runner: CliRunner, node: StandIn) -> None:
    result = run(runner, "query", "block", "999", "--node", node.url)
    assert result.exit_code == 2
    assert "not_found" in result.stderr


def test_status_says_whom_a_stalled_chain_waits_for(runner: CliRunner, node: StandIn) -> None:
    status = {"state": "stalled", "height": 12, "stalled_on": ["dt-server-3 is silent"]}
    node.answers["/v1/status"] = (200, {"data": status})
    assert "dt-server-3 is silent" in run(runner, "status", "--node", node.url).stdout


@pytest.mark.parametrize(
    ("ready", "height", "least", "code"), [(200, 3, 0, 0), (503, 3, 0, 1), (200, 1, 2, 1)]
)
def test_health_tells_ready_from_not_ready(
    runner: CliRunner, node: StandIn, ready: int, height: int, least: int, code: int
) -> None:
    node.answers["/readyz"] = (ready, {})
    node.answers["/v1/status"] = (200, {"data": {"height": height}})
    result = run(runner, "health", "--url", node.url, "--min-height", least)
    assert result.exit_code == code


def test_health_of_nobody_is_5(runner: CliRunner) -> None:
    assert run(runner, "health", "--url", "http://127.0.0.1:9").exit_code == 5


# ------------------------------------------------------------ running


def test_a_bad_configuration_exits_with_78_and_one_line(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text("[api]\nport = 99999999\n")
    done = subprocess.run(
        [sys.executable, "-m", "node.cli.main", "start", "--config", str(config)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )
    assert done.returncode == 78
    assert "api.port" in done.stderr
    assert "Traceback" not in done.stderr


def test_another_block_time_for_an_existing_network_exits_with_2(
    runner: CliRunner, tmp_path: Path
) -> None:
    made = run(runner, "testnet", "init", "--validators", 1, "--dir", tmp_path / "net", "--json")
    assert made.exit_code == 0
    assert json.loads(made.stdout)["block_time_ms"] == 500
    refused = run(runner, "testnet", "start", "--dir", tmp_path / "net", "--block-time", "1s")
    assert refused.exit_code == 2
    assert "choose another --dir" in refused.stderr
