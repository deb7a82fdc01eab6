"""A snapshot leads to the same state and chain, and whatever is not exactly it is refused."""

from __future__ import annotations

import io
import json
import os
import random
import resource
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
import pytest
from typer.testing import CliRunner

from consensus.simplex.wire import decode_certificate, encode_certificate
from ledger.accounts import pot_key
from ledger.blocks import block_hash
from ledger.codec import encode
from ledger.state import State
from node.application.application import Application
from node.application.chain import chain_of
from node.application.head import Head
from node.application.snapshots import (
    Trusted,
    export_snapshot,
    import_snapshot,
    load_snapshot,
    open_snapshot,
)
from node.application.startup import open_application
from node.cli.app import app
from node.storage import snapshot_file
from node.storage.errors import (
    NotEmpty,
    Refusal,
    SnapshotRefused,
    StorageFailed,
    StoreCorrupt,
    StoreLocked,
)
from node.storage.guard import GuardReason
from node.storage.queries import Queries
from node.storage.reader import reading
from node.storage.snapshot_file import Entry, Manifest, SnapshotFile, SnapshotWriter
from node.storage.store import DATABASE_FILE, GUARD_FILE, Store
from tests.node.small_chain import fresh_application, make_genesis, options
from tests.node.stored_chain import GENESIS, HEIGHTS, advance, open_node, run_chain
from tests.node.test_replay import alter, same

CHAIN = chain_of(GENESIS)
OTHER_CHAIN = chain_of(make_genesis(block_time_ms=2_000))


@dataclass
class Origin:
    """The node a snapshot was taken of."""

    directory: Path
    node: Application
    data: bytes

    @property
    def trusted(self) -> Trusted:
        return Trusted(self.node.head.height, self.node.head.hash)


def flush(directory: Path) -> None:
    """What an orderly stop does: the state on disk becomes that of the tip."""
    store, _ = open_node(directory)
    store.flush()
    store.close()


def export(directory: Path) -> bytes:
    stream = io.BytesIO()
    with reading(directory / DATABASE_FILE) as reader:
        export_snapshot(reader, CHAIN, stream)
    return stream.getvalue()


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Origin:
    directory = tmp_path_factory.mktemp("origin")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(snapshot_file, "CHUNK_BYTES", 2_000)
        node = run_chain(directory)
        flush(directory)
        return Origin(directory, node, export(directory))


def load(data: bytes, trusted: Trusted | None) -> Head:
    """Everything the importer judges, without a database."""
    return load_snapshot(open_snapshot(io.BytesIO(data), CHAIN, trusted), CHAIN, lambda _: None)


def refused(data: bytes, origin: Origin) -> Refusal:
    with pytest.raises(SnapshotRefused) as caught:
        load(data, origin.trusted)
    return caught.value.code


# ---------------------------------------------------------------- there and back
def test_an_import_gives_the_state_and_the_head_of_the_exporting_node(
    tmp_path: Path, origin: Origin
) -> None:
    import_snapshot(io.BytesIO(origin.data), tmp_path / "new", CHAIN, origin.trusted)
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == [
        DATABASE_FILE,
        GUARD_FILE,
    ]
    store, node = open_node(tmp_path / "new")
    same(node, origin.node)
    assert store.guard.reason is GuardReason.RESTORED
    assert store.guard.observing
    store.close()
    assert load(export(tmp_path / "new"), origin.trusted).state.root == origin.node.state.root


def test_a_node_from_a_snapshot_goes_on_with_the_others_through_restarts(tmp_path: Path) -> None:
    others = [fresh_application(GENESIS, index) for index in (1, 2, 3)]
    store, first = open_node(tmp_path / "first")
    wallet = advance([first, *others], 5)
    store.flush()
    trusted = Trusted(5, first.head.hash)
    data = export(tmp_path / "first")
    store.close()
    import_snapshot(io.BytesIO(data), tmp_path / "new", CHAIN, trusted)
    for last in (6, 9, 12):
        store, node = open_node(tmp_path / "new")
        advance([node, *others], last, wallet)
        if last == 9:
            store.flush()
        store.close()
    store, node = open_node(tmp_path / "new")
    same(node, others[0])
    assert [row.height for row in store.headers()] == list(range(6, 13))
    queries = Queries(store.path, CHAIN.transaction_id, store.pending)
    assert queries.first_height == 6
    assert queries.chain_range(1, 64, 2**30) == []
    assert queries.chain_range(4, 64, 2**30) == []
    assert len(queries.chain_range(6, 64, 2**30)) == 7
    queries.close()
    store.flush()
    store.close()
    again = load(export(tmp_path / "new"), Trusted(12, others[0].head.hash))
    assert again.state.root == others[0].state.root


def test_a_snapshot_taken_while_the_node_writes_is_of_its_last_flush(tmp_path: Path) -> None:
    store, first = open_node(tmp_path)
    others = [fresh_application(GENESIS, index) for index in (1, 2, 3)]
    wallet = advance([first, *others], 3)
    store.flush()
    third = first.head.hash
    advance([first, *others], 6, wallet)
    data = export(tmp_path)
    store.close()
    assert load(data, Trusted(3, third)).height == 3


def test_nothing_is_exported_before_a_block_or_from_an_altered_state(tmp_path: Path) -> None:
    store, _ = open_node(tmp_path / "empty")
    store.close()
    with pytest.raises(StorageFailed, match="no state of a block"):
        export(tmp_path / "empty")
    run_chain(tmp_path / "altered")
    flush(tmp_path / "altered")
    change = "UPDATE state SET value = ? WHERE key = ?"
    alter(tmp_path / "altered", change, b'{"micro":1}', b"pot/pool")
    with pytest.raises(StoreCorrupt, match="root"):
        export(tmp_path / "altered")


# ---------------------------------------------------------------- damage
def test_no_byte_of_a_snapshot_can_be_altered(origin: Origin) -> None:
    chance = random.Random(11)
    places = {*range(0, 1_400, 7), *chance.sample(range(len(origin.data)), 300)}
    places |= set(range(len(origin.data) - 250, len(origin.data)))
    for place in places:
        altered = bytearray(origin.data)
        altered[place] ^= 1 << chance.randrange(8)
        with pytest.raises(SnapshotRefused):
            load(bytes(altered), origin.trusted)
    load(origin.data, origin.trusted)


def test_a_snapshot_that_is_cut_short_or_goes_on_is_refused(origin: Origin) -> None:
    chance = random.Random(12)
    for length in [0, 5, 19, *chance.sample(range(20, len(origin.data)), 60)]:
        found = refused(origin.data[:length], origin)
        expected = Refusal.NOT_A_SNAPSHOT if length < 19 else Refusal.TRUNCATED
        assert found is expected
    assert refused(origin.data + b"\0", origin) is Refusal.LEFT_OVER


# ---------------------------------------------------------------- forgery: all checksums hold
@dataclass
class Parts:
    """A snapshot taken apart, to be written again with something changed."""

    manifest: Manifest
    header: bytes
    certificate: bytes
    entries: list[Entry]

    def write(self) -> bytes:
        stream = io.BytesIO()
        writer = SnapshotWriter(stream, self.manifest, self.header, self.certificate)
        for key, value in self.entries:
            writer.add(key, value)
        writer.finish()
        return stream.getvalue()

    def restate(self, **changes: object) -> None:
        self.manifest = msgspec.structs.replace(self.manifest, **changes)

    def recount(self) -> None:
        size = sum(len(key) + len(value) for key, value in self.entries)
        self.restate(entries=len(self.entries), size=size)


def parts_of(data: bytes) -> Parts:
    snapshot = SnapshotFile(io.BytesIO(data))
    entries = [entry for chunk in snapshot.chunks() for entry in chunk]
    return Parts(snapshot.manifest, snapshot.header, snapshot.certificate, entries)


def at(parts: Parts, key: bytes) -> int:
    return next(index for index, entry in enumerate(parts.entries) if entry[0] == key)


def another_state(parts: Parts) -> None:
    index = at(parts, pot_key("pool"))
    key, value = parts.entries[index]
    parts.entries[index] = (key, value.replace(b'"micro":', b'"micro":1'))
    parts.recount()


def entry_left_out(parts: Parts) -> None:
    del parts.entries[3]
    parts.recount()


def entry_added(parts: Parts) -> None:
    parts.entries.append((b"zzz", b"1"))
    parts.recount()


def entries_swapped(parts: Parts) -> None:
    parts.entries[3], parts.entries[4] = parts.entries[4], parts.entries[3]


def entry_twice(parts: Parts) -> None:
    parts.entries.insert(3, parts.entries[3])
    parts.recount()


def header_altered(parts: Parts) -> None:
    header = msgspec.json.decode(parts.header)
    parts.header = encode({**header, "time_ms": header["time_ms"] + 1})


def other_header_and_root(parts: Parts) -> None:
    """A forger who may write all: another state with a header and a manifest that agree with it."""
    another_state(parts)
    root = State.from_items(parts.entries).root.hex()
    header = msgspec.json.decode(parts.header)
    parts.header = encode({**header, "state_root": root})
    digest = block_hash(parts.header, GENESIS.hash)
    parts.restate(state_root=root, block=digest.hex())


def forged_signature(parts: Parts) -> None:
    parts.certificate = parts.certificate[:-1] + bytes([parts.certificate[-1] ^ 1])


def too_few_signers(parts: Parts) -> None:
    held = decode_certificate(parts.certificate)
    bits = held.signers[0] & (held.signers[0] - 1)
    cut = replace(held, signers=bytes([bits]), signatures=held.signatures[1:])
    parts.certificate = encode_certificate(cut)


def certificate_of_another_view(parts: Parts) -> None:
    held = decode_certificate(parts.certificate)
    parts.certificate = encode_certificate(replace(held, view=held.view + 1))


def certificate_of_another_block(parts: Parts) -> None:
    held = decode_certificate(parts.certificate)
    parts.certificate = encode_certificate(replace(held, payload=bytes(32)))


Change = Callable[[Parts], None]
FORGERIES: dict[str, tuple[Change, Refusal]] = {
    "another value": (another_state, Refusal.WRONG_ROOT),
    "an entry left out": (entry_left_out, Refusal.WRONG_ROOT),
    "an entry added": (entry_added, Refusal.WRONG_ROOT),
    "entries swapped": (entries_swapped, Refusal.ORDER),
    "an entry twice": (entry_twice, Refusal.ORDER),
    "another header": (header_altered, Refusal.WRONG_HEADER),
    "header, state and manifest forged together": (other_header_and_root, Refusal.UNTRUSTED_BLOCK),
    "a forged signature": (forged_signature, Refusal.BAD_CERTIFICATE),
    "too few signers": (too_few_signers, Refusal.BAD_CERTIFICATE),
    "a certificate of another view": (certificate_of_another_view, Refusal.BAD_CERTIFICATE),
    "a certificate of another block": (certificate_of_another_block, Refusal.BAD_CERTIFICATE),
    "no certificate": (
        lambda parts: setattr(parts, "certificate", b"\0"),
        Refusal.BAD_CERTIFICATE,
    ),
    "no header": (lambda parts: setattr(parts, "header", b"{}"), Refusal.WRONG_HEADER),
    "another version": (lambda parts: parts.restate(version=2), Refusal.UNKNOWN_VERSION),
    "another chain": (lambda parts: parts.restate(chain="other"), Refusal.WRONG_GENESIS),
    "another genesis": (lambda parts: parts.restate(genesis="0" * 64), Refusal.WRONG_GENESIS),
    "another height": (lambda parts: parts.restate(height=8), Refusal.UNTRUSTED_BLOCK),
    "another block": (lambda parts: parts.restate(block="0" * 64), Refusal.UNTRUSTED_BLOCK),
    "another root": (lambda parts: parts.restate(state_root="0" * 64), Refusal.WRONG_HEADER),
    "more entries stated": (lambda parts: parts.restate(entries=1), Refusal.COUNTS),
    "more bytes stated": (lambda parts: parts.restate(size=1), Refusal.COUNTS),
    "no state": (lambda parts: parts.entries.clear(), Refusal.COUNTS),
}


@pytest.mark.parametrize("what", list(FORGERIES))
def test_a_forged_snapshot_is_refused_with_its_code(origin: Origin, what: str) -> None:
    change, code = FORGERIES[what]
    parts = parts_of(origin.data)
    assert parts.write()  # as it is, it can be written again
    change(parts)
    assert refused(parts.write(), origin) is code


def test_every_field_of_the_manifest_has_its_forgery() -> None:
    told = {"version", "chain", "genesis", "height", "block", "state_root", "entries", "size"}
    assert set(Manifest.__struct_fields__) == told


def test_a_state_that_hangs_together_is_still_held_against_the_genesis_money(
    origin: Origin, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = parts_of(origin.data)
    other_header_and_root(parts)
    monkeypatch.setattr("node.application.snapshots.verify_certificate", lambda *_: True)
    held = decode_certificate(parts.certificate)
    block = bytes.fromhex(parts.manifest.block)
    parts.certificate = encode_certificate(replace(held, payload=block))
    with pytest.raises(SnapshotRefused) as caught:
        load(parts.write(), Trusted(HEIGHTS, block))
    assert caught.value.code is Refusal.WRONG_MONEY


def test_a_snapshot_of_another_chain_or_of_an_untrusted_block_is_refused(
    tmp_path: Path, origin: Origin
) -> None:
    for chain, trusted, code in (
        (OTHER_CHAIN, origin.trusted, Refusal.WRONG_GENESIS),
        (CHAIN, Trusted(HEIGHTS, bytes(32)), Refusal.UNTRUSTED_BLOCK),
        (CHAIN, Trusted(HEIGHTS - 1, origin.trusted.hash), Refusal.UNTRUSTED_BLOCK),
    ):
        with pytest.raises(SnapshotRefused) as caught:
            import_snapshot(io.BytesIO(origin.data), tmp_path / "new", chain, trusted)
        assert caught.value.code is code
        assert not (tmp_path / "new").exists()


# ---------------------------------------------------------------- the directory
def test_what_is_refused_leaves_the_directory_as_it_was(tmp_path: Path, origin: Origin) -> None:
    (tmp_path / "kept").mkdir()
    for data in (origin.data[:-1], origin.data[: len(origin.data) // 2], b""):
        for directory in ("kept", "new"):
            with pytest.raises(SnapshotRefused):
                import_snapshot(io.BytesIO(data), tmp_path / directory, CHAIN, origin.trusted)
        assert [path.name for path in tmp_path.iterdir()] == ["kept"]
        assert list((tmp_path / "kept").iterdir()) == []


def test_only_an_empty_directory_that_nobody_uses_is_taken(tmp_path: Path, origin: Origin) -> None:
    for name in (DATABASE_FILE, "notes.txt"):
        (tmp_path / name).mkdir()
        (tmp_path / name / name).write_bytes(b"mine")
        with pytest.raises(NotEmpty):
            import_snapshot(io.BytesIO(origin.data), tmp_path / name, CHAIN, origin.trusted)
        assert [path.name for path in (tmp_path / name).iterdir()] == [name]
    store = Store.open(tmp_path / "used", GENESIS.hash)
    for path in (tmp_path / "used").glob("chain.db*"):
        path.unlink()
    with pytest.raises(StoreLocked):
        import_snapshot(io.BytesIO(origin.data), tmp_path / "used", CHAIN, origin.trusted)
    store.close()


def test_what_a_killed_import_left_is_replaced_and_an_old_guard_is_kept(
    tmp_path: Path, origin: Origin
) -> None:
    (tmp_path / "chain.db.importing").write_bytes(b"half of it")
    (tmp_path / "chain.db.importing-wal").write_bytes(b"more")
    (tmp_path / GUARD_FILE).write_text(f"twinchain guard 1 {41:020d}\n")
    import_snapshot(io.BytesIO(origin.data), tmp_path, CHAIN, origin.trusted)
    assert {path.name for path in tmp_path.iterdir()} == {DATABASE_FILE, GUARD_FILE}
    store, node = open_node(tmp_path)
    same(node, origin.node)
    assert store.guard.floor == 41
    assert store.guard.observing
    store.close()


def home(directory: Path) -> Path:
    """The config of a node with the origin's genesis and no data."""
    directory.mkdir()
    (directory / "genesis.json").write_bytes(GENESIS.data)
    (directory / "config.toml").write_text('[node]\nname = "new"\n')
    return directory / "config.toml"


def command(*arguments: object) -> tuple[int, str, str]:
    done = CliRunner().invoke(app, ["db", *map(str, arguments)])
    return done.exit_code, done.stdout, done.stderr


def test_a_full_disk_leaves_nothing(tmp_path: Path, origin: Origin) -> None:
    config = home(tmp_path / "node")
    source = tmp_path / "state.snapshot"
    source.write_bytes(origin.data)
    trust = f"{HEIGHTS}:{origin.trusted.hash.hex()}"
    arguments = ("db", "import", "--config", config, "--from", source, "--trust", trust)
    sizes = []
    for limit in (0, 4_096, 70_000, 150_000):
        done = subprocess.run(
            [sys.executable, "-m", "node.cli.main", *map(str, arguments)],
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),  # noqa: B023
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        )
        data = tmp_path / "node" / "data"
        sizes.append((done.returncode, data.exists()))
        assert "Traceback" not in done.stderr
    assert sizes == [(1, False)] * 4
    assert command(*arguments[1:])[0] == 0


# ---------------------------------------------------------------- commands
def test_the_commands_export_import_check_and_replay(tmp_path: Path, origin: Origin) -> None:
    first = home(tmp_path / "first")
    (tmp_path / "first" / "data").symlink_to(origin.directory)
    out = tmp_path / "state.snapshot"
    code, told, _ = command("export", "--config", first, "--out", out, "--json")
    assert code == 0
    made = json.loads(told)
    assert (made["height"], made["hash"]) == (HEIGHTS, origin.trusted.hash.hex())
    assert made["bytes"] == out.stat().st_size
    assert command("export", "--config", first, "--out", out)[0] == 2

    new = home(tmp_path / "new")
    trust = f"{made['height']}:{made['hash']}"
    assert command("import", "--config", new, "--from", out, "--trust", "7")[0] == 2
    wrong = f"{made['height']}:{'0' * 64}"
    code, told, error = command(
        "import", "--config", new, "--from", out, "--trust", wrong, "--json"
    )
    assert (code, json.loads(told)["refused"]) == (2, "untrusted_block")
    assert "snapshot refused" in error
    assert command("import", "--config", new, "--from", out, "--trust", trust)[0] == 0
    code, _, error = command("import", "--config", new, "--from", out, "--trust", trust)
    assert (code, "not empty" in error) == (2, True)

    others = [fresh_application(GENESIS, index) for index in (1, 2, 3)]
    wallet = advance([fresh_application(GENESIS, 0), *others], HEIGHTS)
    store = Store.open(tmp_path / "new" / "data", GENESIS.hash)
    node = open_application(store, GENESIS, options(0), store.commit_block)
    advance([node, *others], HEIGHTS + 3, wallet)
    store.close()
    for extra, executed in (((), False), (("--from", out), True)):
        code, told, _ = command("check", "--config", new, "--json", *extra)
        assert code == 0
        assert json.loads(told) == {
            "sound": True,
            "height": HEIGHTS + 3,
            "hash": others[0].head.hash.hex(),
            "state_root": others[0].state.root.hex(),
            "from": HEIGHTS + 1,
            "executed": executed,
        }
    code, _, error = command("replay", "--config", new)
    assert (code, "--from" in error) == (2, True)
    assert command("replay", "--config", new, "--from", out)[0] == 0
    assert command("replay", "--config", first, "--from", out)[0] == 0
    assert command("replay", "--config", first)[0] == 0
    place = "UPDATE body SET data = substr(data, 1, length(data) - 1) WHERE height = ?"
    alter(tmp_path / "new" / "data", place, HEIGHTS + 1)
    assert command("check", "--config", new)[0] == 6
    assert command("replay", "--config", new, "--from", out)[0] == 6


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM meta WHERE name = 'snapshot'",
        "UPDATE meta SET value = x'00' WHERE name = 'snapshot'",
        "UPDATE meta SET value = CAST(substr(value, 1, 60) || x'00' || substr(value, 62) AS BLOB)"
        " WHERE name = 'snapshot'",
        "DELETE FROM block WHERE height = 6",
    ],
)
def test_a_node_does_not_start_on_a_database_whose_snapshot_block_is_altered(
    tmp_path: Path, statement: str
) -> None:
    others = [fresh_application(GENESIS, index) for index in (1, 2, 3)]
    store, first = open_node(tmp_path / "first")
    wallet = advance([first, *others], 5)
    store.flush()
    store.close()
    data = export(tmp_path / "first")
    import_snapshot(io.BytesIO(data), tmp_path / "new", CHAIN, Trusted(5, first.head.hash))
    store, node = open_node(tmp_path / "new")
    advance([node, *others], 8, wallet)
    store.close()
    alter(tmp_path / "new", statement)
    with pytest.raises(StoreCorrupt):
        open_node(tmp_path / "new")
