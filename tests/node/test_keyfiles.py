"""Key files: what they keep, what they refuse, and how quickly the light ones open."""

import json
import stat
import time
from pathlib import Path

import pytest

from ledger.crypto import SigningKey
from node.keyfiles import (
    KeyFileError,
    KeyKind,
    WrongPassword,
    change_password,
    load_seed,
    new_seed,
    public_key_of,
    read_password_file,
    read_public,
    write_key_file,
)

SEED = bytes(range(32))
PASSWORD = b"correct horse"


def make(path: Path, *, kind: KeyKind = KeyKind.SIGNING, name: str = "bus-fleet") -> Path:
    write_key_file(path, SEED, PASSWORD, kind=kind, name=name, light=True)
    return path


def edit(path: Path, change: "dict[str, object]") -> None:
    document = json.loads(path.read_text())
    document.update(change)
    path.write_text(json.dumps(document))


def test_a_seed_comes_back_with_the_right_password(tmp_path: Path) -> None:
    path = make(tmp_path / "key.json")
    assert load_seed(path, PASSWORD, KeyKind.SIGNING) == SEED


def test_a_full_key_file_opens_too_and_says_that_it_is_full(tmp_path: Path) -> None:
    path = tmp_path / "key.json"
    made = write_key_file(path, SEED, PASSWORD, kind=KeyKind.SIGNING, name="guard")
    assert not made.light
    assert json.loads(path.read_text())["crypto"]["kdf"]["params"]["n"] == 2**17
    assert load_seed(path, PASSWORD, KeyKind.SIGNING) == SEED


def test_the_public_key_stands_in_clear_and_the_seed_does_not(tmp_path: Path) -> None:
    path = make(tmp_path / "key.json")
    public = read_public(path)
    assert public.public_key == SigningKey.from_seed(SEED).address
    assert (public.name, public.kind, public.light) == ("bus-fleet", KeyKind.SIGNING, True)
    assert SEED.hex() not in path.read_text()


def test_a_vrf_key_file_holds_another_public_key_than_a_signing_one(tmp_path: Path) -> None:
    signing = read_public(make(tmp_path / "a.json"))
    proving = read_public(make(tmp_path / "b.json", kind=KeyKind.VRF))
    assert proving.public_key == public_key_of(SEED, KeyKind.VRF)
    assert proving.kind is KeyKind.VRF
    assert signing.kind is KeyKind.SIGNING


def test_the_file_is_for_its_owner_only_whatever_the_umask(tmp_path: Path) -> None:
    path = make(tmp_path / "key.json")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_file_that_others_may_read_is_refused(tmp_path: Path) -> None:
    path = make(tmp_path / "key.json")
    path.chmod(0o640)
    with pytest.raises(KeyFileError, match="chmod 600"):
        load_seed(path, PASSWORD, KeyKind.SIGNING)


def test_a_wrong_password_is_refused_at_once(tmp_path: Path) -> None:
    path = make(tmp_path / "key.json")
    with pytest.raises(WrongPassword):
        load_seed(path, b"guess", KeyKind.SIGNING)


def test_a_key_file_is_never_overwritten(tmp_path: Path) -> None:
    path = make(tmp_path / "key.json")
    before = path.read_bytes()
    with pytest.raises(KeyFileError, match="never overwritten"):
        write_key_file(path, new_seed(), PASSWORD, kind=KeyKind.SIGNING, name="x", light=True)
    assert path.read_bytes() == before
    assert [item.name for item in tmp_path.iterdir()] == ["key.json"]


def test_a_key_of_one_kind_is_not_taken_for_the_other(tmp_path: Path) -> None:
    path = make(tmp_path / "key.json", kind=KeyKind.VRF)
    with pytest.raises(KeyFileError, match="signing key is needed"):
        load_seed(path, PASSWORD, KeyKind.SIGNING)


@pytest.mark.parametrize(
    "change", [{"description": "tram"}, {"kind": "vrf"}, {"pubkey": "00" * 32}]
)
def test_swapped_labels_do_not_open(tmp_path: Path, change: "dict[str, object]") -> None:
    path = make(tmp_path / "key.json")
    edit(path, change)
    with pytest.raises(WrongPassword):
        load_seed(path, PASSWORD, read_public(path).kind)


@pytest.mark.parametrize("cost", [1, 2**13, 2**14 + 1, 2**21])
def test_unusual_scrypt_costs_are_refused_before_any_work(tmp_path: Path, cost: int) -> None:
    path = make(tmp_path / "key.json")
    document = json.loads(path.read_text())
    document["crypto"]["kdf"]["params"]["n"] = cost
    path.write_text(json.dumps(document))
    with pytest.raises(KeyFileError, match="scrypt"):
        read_public(path)


@pytest.mark.parametrize("text", ["", "{}", "[]", "not json", '{"version": 4}'])
def test_anything_else_is_not_a_key_file(tmp_path: Path, text: str) -> None:
    path = tmp_path / "key.json"
    path.write_text(text)
    with pytest.raises(KeyFileError, match="not a key file"):
        read_public(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(KeyFileError, match=r"absent\.json"):
        read_public(tmp_path / "absent.json")


def test_a_changed_password_opens_the_same_key_and_the_old_one_nothing(tmp_path: Path) -> None:
    path = make(tmp_path / "key.json")
    change_password(path, PASSWORD, b"new")
    assert load_seed(path, b"new", KeyKind.SIGNING) == SEED
    with pytest.raises(WrongPassword):
        load_seed(path, PASSWORD, KeyKind.SIGNING)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_failed_change_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    path = make(tmp_path / "key.json")
    before = path.read_bytes()
    with pytest.raises(WrongPassword):
        change_password(path, b"guess", b"new")
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("content", "password"),
    [
        (b"secret", b"secret"),
        (b"secret\n", b"secret"),
        (b"secret\r\n", b"secret"),
        (b"secret\n\n", b"secret\n"),
        (b" secret \n", b" secret "),
    ],
)
def test_one_trailing_newline_of_a_password_file_is_stripped(
    tmp_path: Path, content: bytes, password: bytes
) -> None:
    path = tmp_path / "password"
    path.write_bytes(content)
    assert read_password_file(path) == password


@pytest.mark.parametrize("content", [b"", b"\n"])
def test_an_empty_password_file_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "password"
    path.write_bytes(content)
    with pytest.raises(KeyFileError, match="empty"):
        read_password_file(path)


def test_a_light_key_file_opens_fast_enough_for_a_quick_start(tmp_path: Path) -> None:
    path = make(tmp_path / "key.json")
    best = 1.0
    for _ in range(5):
        started = time.perf_counter()
        load_seed(path, PASSWORD, KeyKind.SIGNING)
        best = min(best, time.perf_counter() - started)
    assert best < 0.1
