"""`twinchain db`: check, re-execute and back up the stored chain of a node."""

from pathlib import Path
from typing import Annotated

import typer

from node.cli.exits import ExitCode, fail
from node.cli.output import note, print_json

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Check, re-execute and back up the stored chain of a node.",
)

PROGRESS_EVERY = 1_000

ConfigFile = Annotated[Path, typer.Option("--config", help="The node's config.toml.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command()
def check(config: ConfigFile, as_json: Json = False) -> None:
    """Execute the stored chain again and compare every hash and state root.

    Trusts the stored signatures; `replay` trusts nothing.  Exit codes: 0 sound, 6 corrupt,
    78 bad configuration.  A running node is not disturbed.

    \b
    Example:
      twinchain db check --config testnet/node-0/config.toml
    """
    _replay(config, signatures=False, as_json=as_json)


@app.command()
def replay(config: ConfigFile, as_json: Json = False) -> None:
    """Like `check`, and verify every signature, vote and certificate as a stranger would.

    \b
    Example:
      twinchain db replay --config testnet/node-0/config.toml
    """
    _replay(config, signatures=True, as_json=as_json)


@app.command()
def backup(
    config: ConfigFile,
    out: Annotated[Path, typer.Option("--out", help="New file for the copy.")],
) -> None:
    """Copy the database of a node, which may be running, into one file.

    A node started on the copy observes first and signs nothing until the chain has moved on.

    \b
    Example:
      twinchain db backup --config testnet/node-0/config.toml --out chain-copy.db
    """
    from node.storage.backup import backup as copy_database
    from node.storage.errors import StorageError

    database, _ = _places(config)
    if out.exists():
        fail(ExitCode.USAGE, f"{out} exists already and is never overwritten")
    if not out.parent.is_dir():
        fail(ExitCode.USAGE, f"there is no directory {out.parent} for the copy")
    try:
        copy_database(database, out)
    except StorageError as problem:
        fail(ExitCode.FAILED, str(problem))
    note(f"{out}: {out.stat().st_size} bytes")


def _places(config: Path) -> tuple[Path, Path]:
    """Return the paths of the database and of the genesis file."""
    from node.service.config import ConfigError, load
    from node.storage.store import DATABASE_FILE

    try:
        settings = load(config)
    except ConfigError as problem:
        fail(ExitCode.BAD_CONFIG, f"bad configuration: {problem}")
    return settings.node.data_dir / DATABASE_FILE, settings.node.genesis_file


def _replay(config: Path, *, signatures: bool, as_json: bool) -> None:
    from node.application.chain import chain_of
    from node.application.genesis import GenesisError, load
    from node.application.replay import replay as execute_again
    from node.storage.errors import StorageError, StoreCorrupt
    from node.storage.queries import Queries

    database, genesis_file = _places(config)
    if not database.is_file():
        fail(ExitCode.BAD_CONFIG, f"there is no database {database}")
    height, digest, root = 0, "", ""
    try:
        chain = chain_of(load(genesis_file))
        queries = Queries(database, chain.transaction_id)

        def read(height: int) -> tuple[bytes, bytes] | None:
            return next(iter(queries.chain_range(height, height, 1)), None)

        try:
            for step in execute_again(chain, read, signatures=signatures):
                height, digest, root = step.height, step.hash.hex(), step.state_root.hex()
                if height % PROGRESS_EVERY == 0:
                    note(f"height {height} ...")
            tip = queries.tip()
            if tip is not None and tip.height != height:
                raise StoreCorrupt(f"no body of height {height + 1}; the tip is {tip.height}")
        finally:
            queries.close()
    except StoreCorrupt as problem:
        if as_json:
            print_json({"sound": False, "height": height, "problem": str(problem)})
        fail(ExitCode.CORRUPT, f"corrupt after height {height}: {problem}")
    except StorageError as problem:
        fail(ExitCode.FAILED, str(problem))
    except GenesisError as problem:
        fail(ExitCode.BAD_CONFIG, str(problem))
    if as_json:
        print_json({"sound": True, "height": height, "hash": digest, "state_root": root})
    else:
        print(f"sound up to height {height}\n  hash        {digest}\n  state root  {root}")
