"""`twinchain db`: check, re-execute and back up the stored chain of a node, or start anew."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from node.cli import snapshots
from node.cli.exits import ExitCode, fail
from node.cli.output import note, print_json
from node.cli.places import ConfigFile, Json, places

if TYPE_CHECKING:
    from node.application.chain import Chain
    from node.application.head import Head
    from node.application.replay import Replayed

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Check, re-execute and back up the stored chain of a node; start one from a snapshot.",
)
app.command("export")(snapshots.export)
app.command("import")(snapshots.import_)

PROGRESS_EVERY = 1_000

Snapshot = Annotated[
    Path | None,
    typer.Option("--from", help="Begin above this snapshot instead of at the genesis."),
]


@app.command()
def check(config: ConfigFile, source: Snapshot = None, as_json: Json = False) -> None:
    """Execute the stored chain again and compare every hash and state root.

    Trusts the stored signatures; `replay` trusts nothing.  A database that was made from a snapshot
    has no blocks from the genesis on: without --from SNAPSHOT its blocks are checked against each
    other and its state against its block, and only what came last is executed.  Exit codes: 0
    sound, 6 corrupt, 78 bad configuration.  A running node is not disturbed.

    \b
    Example:
      twinchain db check --config testnet/node-0/config.toml
    """
    database, genesis_file = places(config)
    with _verdict(as_json=as_json) as verdict:
        chain = _chain(genesis_file)
        anchor = _anchor_height(database)
        if anchor and source is None:
            verdict.compare(database, chain, anchor)
        else:
            verdict.execute(database, chain, source, signatures=False)


@app.command()
def replay(config: ConfigFile, source: Snapshot = None, as_json: Json = False) -> None:
    """Like `check`, and verify every signature, vote and certificate as a stranger would.

    \b
    Example:
      twinchain db replay --config testnet/node-0/config.toml
    """
    database, genesis_file = places(config)
    with _verdict(as_json=as_json) as verdict:
        chain = _chain(genesis_file)
        anchor = _anchor_height(database)
        if anchor and source is None:
            fail(
                ExitCode.USAGE,
                f"this database began with a snapshot of block {anchor}",
                "give that snapshot, or one of a later block, with --from FILE",
            )
        verdict.execute(database, chain, source, signatures=True)


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

    database, _ = places(config)
    if out.exists():
        fail(ExitCode.USAGE, f"{out} exists already and is never overwritten")
    if not out.parent.is_dir():
        fail(ExitCode.USAGE, f"there is no directory {out.parent} for the copy")
    try:
        copy_database(database, out)
    except StorageError as problem:
        fail(ExitCode.FAILED, str(problem))
    note(f"{out}: {out.stat().st_size} bytes")


def _chain(genesis_file: Path) -> "Chain":
    from node.application.chain import chain_of
    from node.application.genesis import load

    return chain_of(load(genesis_file))


def _anchor_height(database: Path) -> int:
    """Height of the snapshot the database began with, 0 for one that began at the genesis."""
    from node.storage.reader import reading

    with reading(database) as reader:
        anchor = reader.anchor()
    return 0 if anchor is None else anchor.height


class _Verdict:
    """How far the stored chain was found sound."""

    def __init__(self) -> None:
        self.first = 1
        self.height = 0
        self.hash = self.root = ""
        self.executed = True

    def execute(
        self, database: Path, chain: "Chain", source: Path | None, *, signatures: bool
    ) -> None:
        """Execute all blocks again, from the genesis or from a snapshot of this chain on."""
        from node.application.replay import replay as execute_again
        from node.storage.errors import StoreCorrupt
        from node.storage.queries import Queries

        queries = Queries(database, chain.transaction_id)

        def read(height: int) -> tuple[bytes, bytes] | None:
            return next(iter(queries.chain_range(height, height, 1)), None)

        try:
            start = None if source is None else _start(database, chain, source)
            if start is not None:
                self._reached(start)
                self.first = start.height + 1
            for step in execute_again(chain, read, signatures=signatures, start=start):
                self._reached(step)
                if step.height % PROGRESS_EVERY == 0:
                    note(f"height {step.height} ...")
            tip = queries.tip()
            if tip is not None and tip.height > self.height:
                raise StoreCorrupt(f"no body of height {self.height + 1}; the tip is {tip.height}")
        finally:
            queries.close()

    def compare(self, database: Path, chain: "Chain", anchor: int) -> None:
        """Hash every block, compare the state with its block, execute what is above it."""
        from node.application.startup import load_head
        from node.storage.reader import reading

        with reading(database) as reader:
            head = load_head(reader, chain, bodies=2**53)
        self._reached(head)
        self.first, self.executed = anchor + 1, False

    def _reached(self, at: "Head | Replayed") -> None:
        root = at.state_root
        self.height, self.hash, self.root = at.height, at.hash.hex(), root.hex()


def _start(database: Path, chain: "Chain", source: Path) -> "Head":
    """The head of a snapshot whose block is one of the database's.  Raises SnapshotRefused."""
    from node.application.snapshots import load_snapshot, open_snapshot
    from node.storage.errors import Refusal, SnapshotRefused
    from node.storage.reader import reading

    try:
        with source.open("rb") as stream:
            snapshot = open_snapshot(stream, chain, None)
            manifest = snapshot.manifest
            with reading(database) as reader:
                row = reader.header(manifest.height)
            if row is None or row.hash.hex() != manifest.block:
                detail = f"the database holds no block {manifest.height} with its hash"
                raise SnapshotRefused(Refusal.UNTRUSTED_BLOCK, detail)
            return load_snapshot(snapshot, chain, lambda _: None)
    except OSError as problem:
        fail(ExitCode.USAGE, f"cannot read {source}: {problem.strerror}")


@contextmanager
def _verdict(*, as_json: bool) -> Iterator[_Verdict]:
    """Print what was found; anything that went wrong becomes an exit code."""
    from node.application.genesis import GenesisError
    from node.storage.errors import SnapshotRefused, StorageError, StoreCorrupt

    verdict = _Verdict()
    try:
        yield verdict
    except StoreCorrupt as problem:
        if as_json:
            print_json({"sound": False, "height": verdict.height, "problem": str(problem)})
        fail(ExitCode.CORRUPT, f"corrupt after height {verdict.height}: {problem}")
    except SnapshotRefused as problem:
        snapshots.give_up(problem, as_json=as_json)
    except StorageError as problem:
        snapshots.give_up(problem, as_json=False)
    except GenesisError as problem:
        fail(ExitCode.BAD_CONFIG, str(problem))
    found = {"height": verdict.height, "hash": verdict.hash, "state_root": verdict.root}
    if as_json:
        above = {"from": verdict.first, "executed": verdict.executed}
        print_json({"sound": True, **found, **above})
        return
    print(f"sound up to height {verdict.height}")
    print(f"  hash        {verdict.hash}\n  state root  {verdict.root}")
    if verdict.first > 1:
        how = "executed" if verdict.executed else "compared, not executed again"
        print(f"  from        {verdict.first} on, {how}")
