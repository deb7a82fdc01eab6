"""`twinchain db`, the part about snapshots: write one, and make a new database from one."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from node.cli.exits import ExitCode, fail
from node.cli.output import note, print_json
from node.cli.places import ConfigFile, Json, places

if TYPE_CHECKING:
    from node.application.snapshots import Trusted
    from node.storage.errors import StorageError

_TRUST = re.compile(r"([1-9][0-9]{0,15}):([0-9a-f]{64})")


def export(
    config: ConfigFile,
    out: Annotated[Path, typer.Option("--out", help="New file for the snapshot.")],
    as_json: Json = False,
) -> None:
    """Write the chain's state to one file, from which a new node can start.

    A node that runs is not disturbed; what it wrote last lags its tip by at most 64 blocks, what a
    stopped node holds is its tip.  Old blocks are not in the file.

    \b
    Example:
      twinchain db export --config testnet/node-0/config.toml --out state.snapshot
    """
    from node.application.chain import chain_of
    from node.application.genesis import GenesisError, load
    from node.application.snapshots import export_snapshot
    from node.storage.errors import StorageError
    from node.storage.reader import reading
    from node.storage.snapshot_file import whole_file

    database, genesis_file = places(config)
    if out.exists():
        fail(ExitCode.USAGE, f"{out} exists already and is never overwritten")
    if not out.parent.is_dir():
        fail(ExitCode.USAGE, f"there is no directory {out.parent} for the snapshot")
    try:
        chain = chain_of(load(genesis_file))
        with reading(database) as reader, whole_file(out) as stream:
            manifest = export_snapshot(reader, chain, stream)
    except GenesisError as problem:
        fail(ExitCode.BAD_CONFIG, str(problem))
    except StorageError as problem:
        give_up(problem, as_json=as_json)
    size = out.stat().st_size
    if as_json:
        print_json(
            {
                "file": str(out),
                "bytes": size,
                "height": manifest.height,
                "hash": manifest.block,
                "state_root": manifest.state_root,
                "entries": manifest.entries,
            }
        )
    else:
        print(f"{out}: {manifest.entries} entries, {size} bytes")
        print(f"  height      {manifest.height}\n  hash        {manifest.block}")
        print(f"  state root  {manifest.state_root}")
        note("ask another node for the hash of this height before you import:")
        note(f"  twinchain query block {manifest.height} --node URL_OF_ANOTHER_NODE")


def import_(
    config: ConfigFile,
    source: Annotated[Path, typer.Option("--from", help="The snapshot file.")],
    trust: Annotated[
        str, typer.Option("--trust", help="HEIGHT:BLOCKHASH, from a node or person you trust.")
    ],
    as_json: Json = False,
) -> None:
    """Make the database of a new node from a snapshot.

    Everything in the file must follow from the block you trust: take its hash from another place
    than the file.  The data directory must be empty; on any refusal it stays so.  The node started
    on it observes until the chain has moved on, then it may vote.  Exit codes: 2 wrong call, or
    not the trusted block; 6 the file is damaged or forged; 78 another genesis.

    \b
    Example:
      twinchain db import --config node/config.toml --from state.snapshot --trust 1200:9f3c...e1
    """
    from node.application.chain import chain_of
    from node.application.genesis import GenesisError, load
    from node.application.snapshots import import_snapshot
    from node.storage.errors import StorageError

    database, genesis_file = places(config)
    trusted = parse_trust(trust)
    try:
        chain = chain_of(load(genesis_file))
        with source.open("rb") as stream:
            manifest = import_snapshot(stream, database.parent, chain, trusted)
    except GenesisError as problem:
        fail(ExitCode.BAD_CONFIG, str(problem))
    except StorageError as problem:
        give_up(problem, as_json=as_json)
    except OSError as problem:
        fail(ExitCode.USAGE, f"cannot read {source}: {problem.strerror}")
    if as_json:
        print_json({"imported": True, "height": manifest.height, "hash": manifest.block})
    else:
        print(f"{database}: {manifest.entries} entries, as of height {manifest.height}")
        note("start the node now: it fetches the blocks since, and observes before it votes")


def parse_trust(text: str) -> "Trusted":
    """HEIGHT:BLOCKHASH; anything else ends the command."""
    from node.application.snapshots import Trusted

    found = _TRUST.fullmatch(text)
    if found is None:
        fail(
            ExitCode.USAGE,
            f"--trust takes HEIGHT:BLOCKHASH, not {text[:80]!r}",
            "the hash has 64 lower-case hex digits, as `twinchain query block HEIGHT` shows it",
        )
    return Trusted(int(found[1]), bytes.fromhex(found[2]))


def give_up(problem: "StorageError", *, as_json: bool) -> NoReturn:
    """End the command with the exit code of a failure of storage or of a refused snapshot."""
    from node.storage import errors

    if isinstance(problem, errors.SnapshotRefused):
        if as_json:
            print_json({"refused": problem.code.value, "detail": problem.detail})
        code = {
            errors.Refusal.WRONG_GENESIS: ExitCode.BAD_CONFIG,
            errors.Refusal.UNTRUSTED_BLOCK: ExitCode.USAGE,
        }.get(problem.code, ExitCode.CORRUPT)
        fail(code, f"snapshot refused: {problem}")
    match problem:
        case errors.StoreCorrupt():
            code = ExitCode.CORRUPT
        case errors.NotEmpty():
            code = ExitCode.USAGE
        case errors.StoreLocked() | errors.StoreMissing() | errors.WrongGenesis():
            code = ExitCode.BAD_CONFIG
        case _:
            code = ExitCode.FAILED
    fail(code, str(problem))
