"""`twinchain keys`: make, list, show, import, export key files and change their passwords."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from node.cli.exits import ExitCode, fail
from node.cli.output import fields, note, print_json, table
from node.cli.passwords import new_password, password_for

if TYPE_CHECKING:
    from node.keyfiles import KeyKind, PublicKeyFile

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Make, list, show, import, export key files; change a password.",
)

Directory = Annotated[Path, typer.Option("--dir", help="Directory of key files.")]
KeyFile = Annotated[Path, typer.Argument(help="A key file.", show_default=False)]
PasswordFile = Annotated[
    Path | None,
    typer.Option("--password-file", help="File with the password; else TWINCHAIN_PASSWORD_FILE."),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Kind = Annotated[str, typer.Option("--kind", help="signing, vrf or both (a validator needs both).")]
Light = Annotated[bool, typer.Option("--light", help="Cheap lock (scrypt 2^14): tests and bots.")]


@app.command()
def new(
    name: Annotated[str, typer.Argument(help="Name of the key, also its file name.")],
    directory: Directory = Path("keys"),
    kind: Kind = "signing",
    password_file: PasswordFile = None,
    light: Light = False,
    as_json: Json = False,
) -> None:
    """Make a new key; never overwrites one.

    \b
    Examples:
      twinchain keys new bus-fleet --password-file secret.txt
      twinchain keys new dt-server-5 --kind both --dir keys
    """
    from node.keyfiles import KeyFileError, new_seed, write_key_file

    kinds = _kinds(kind)
    paths = [_path(directory, name, one) for one in kinds]
    for path in paths:
        if path.exists():
            fail(ExitCode.USAGE, f"{path}: exists already and is never overwritten")
    password = new_password(password_file, name)
    try:
        made = [
            write_key_file(path, new_seed(), password, kind=one, name=name, light=light)
            for path, one in zip(paths, kinds, strict=True)
        ]
    except KeyFileError as problem:
        _refuse(problem)
    _show(made, as_json)


@app.command("list")
def list_keys(directory: Directory = Path("keys"), as_json: Json = False) -> None:
    """List the key files of a directory; needs no password.

    \b
    Example:
      twinchain keys list --dir testnet/accounts
    """
    from node.keyfiles import KeyFileError, read_public

    if not directory.is_dir():
        fail(ExitCode.USAGE, f"{directory}: no such directory", "give --dir DIR")
    found = []
    for path in sorted(directory.glob("*.json")):
        try:
            found.append(read_public(path))
        except KeyFileError as problem:
            note(f"skipped: {problem}")
    if as_json:
        print_json([_document(one) for one in found])
        return
    rows = [(one.name, one.kind, one.public_key, one.path) for one in found]
    table("", ("name", "kind", "public key (= address)", "file"), rows)


@app.command()
def show(key_file: KeyFile, as_json: Json = False) -> None:
    """Show what a key file says in clear; needs no password.

    \b
    Example:
      twinchain keys show testnet/accounts/bus-fleet.json
    """
    from node.keyfiles import KeyFileError, read_public

    try:
        _show([read_public(key_file)], as_json)
    except KeyFileError as problem:
        _refuse(problem)


@app.command("import")
def import_key(
    name: Annotated[str, typer.Argument(help="Name of the key, also its file name.")],
    seed_file: Annotated[Path, typer.Option("--seed-file", help="File with 64 hex characters.")],
    directory: Directory = Path("keys"),
    kind: Kind = "signing",
    password_file: PasswordFile = None,
    light: Light = False,
    as_json: Json = False,
) -> None:
    """Lock a seed that exists already into a new key file.

    \b
    Example:
      twinchain keys import treasury --seed-file seed.hex --password-file secret.txt
    """
    from node.keyfiles import SEED_BYTES, KeyFileError, write_key_file

    kinds = _kinds(kind)
    if len(kinds) != 1:
        fail(ExitCode.USAGE, "a seed has one kind: signing or vrf")
    try:
        seed = bytes.fromhex(seed_file.read_text(encoding="ascii").strip())
    except (OSError, ValueError):
        fail(ExitCode.USAGE, f"{seed_file}: needs 64 hex characters")
    if len(seed) != SEED_BYTES:
        fail(ExitCode.USAGE, f"{seed_file}: needs 64 hex characters")
    password = new_password(password_file, name)
    path = _path(directory, name, kinds[0])
    try:
        made = write_key_file(path, seed, password, kind=kinds[0], name=name, light=light)
    except KeyFileError as problem:
        _refuse(problem)
    _show([made], as_json)


@app.command()
def export(
    key_file: KeyFile,
    out: Annotated[Path, typer.Option("--out", help="New file for the bare seed (mode 0600).")],
    password_file: PasswordFile = None,
) -> None:
    """Write the bare seed, unprotected, to a new file; never to the screen.

    \b
    Example:
      twinchain keys export keys/treasury.json --out seed.hex --password-file secret.txt
    """
    from node.keyfiles import KeyFileError, load_seed, read_public, write_secret

    try:
        kind = read_public(key_file).kind
        seed = load_seed(key_file, password_for(key_file, password_file), kind)
        write_secret(out, seed.hex().encode() + b"\n")
    except KeyFileError as problem:
        _refuse(problem)
    note(f"{out}: bare seed written; whoever reads it owns the key")


@app.command("change-password")
def change(
    key_file: KeyFile,
    password_file: PasswordFile = None,
    new_password_file: Annotated[
        Path | None, typer.Option("--new-password-file", help="File with the new password.")
    ] = None,
) -> None:
    """Lock a key file under another password; the key stays the same.

    \b
    Example:
      twinchain keys change-password keys/treasury.json --password-file old --new-password-file new
    """
    from node.keyfiles import KeyFileError, change_password, read_password_file, read_public

    try:
        read_public(key_file)
        old = password_for(key_file, password_file)
        if new_password_file is not None:
            fresh = read_password_file(new_password_file)
        else:
            fresh = new_password(None, str(key_file), "--new-password-file")
        change_password(key_file, old, fresh)
    except KeyFileError as problem:
        _refuse(problem)
    note(f"{key_file}: password changed")


def _kinds(word: str) -> "list[KeyKind]":
    from node.keyfiles import KeyKind

    if word == "both":
        return [KeyKind.SIGNING, KeyKind.VRF]
    try:
        return [KeyKind(word)]
    except ValueError:
        fail(ExitCode.USAGE, f"--kind is signing, vrf or both, not {word!r}")


def _path(directory: Path, name: str, kind: "KeyKind") -> Path:
    if not name or name.startswith(".") or "/" in name:
        fail(ExitCode.USAGE, f"{name!r} cannot be a file name")
    suffix = ".json" if kind == "signing" else f".{kind}.json"
    return directory / f"{name}{suffix}"


def _document(key: "PublicKeyFile") -> dict[str, object]:
    return {
        "name": key.name,
        "kind": str(key.kind),
        "public_key": key.public_key,
        "light": key.light,
        "file": str(key.path),
    }


def _show(keys: "list[PublicKeyFile]", as_json: bool) -> None:
    if as_json:
        print_json([_document(key) for key in keys] if len(keys) > 1 else _document(keys[0]))
        return
    for key in keys:
        label = "address" if key.kind == "signing" else "vrf key"
        lock = "light" if key.light else "full"
        values = {"kind": key.kind, label: key.public_key, "lock": lock, "file": key.path}
        fields(key.name, values)


def _refuse(problem: Exception) -> NoReturn:
    fail(ExitCode.USAGE, str(problem))
