"""Where a node keeps its files, for commands that work on them and not on the running node."""

from pathlib import Path
from typing import Annotated

import typer

from node.cli.exits import ExitCode, fail

ConfigFile = Annotated[Path, typer.Option("--config", help="The node's config.toml.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def places(config: Path) -> tuple[Path, Path]:
    """Return the paths of the database and of the genesis file; bad settings end the command."""
    from node.service.config import ConfigError, load
    from node.storage.store import DATABASE_FILE

    try:
        settings = load(config)
    except ConfigError as problem:
        fail(ExitCode.BAD_CONFIG, f"bad configuration: {problem}")
    return settings.node.data_dir / DATABASE_FILE, settings.node.genesis_file
