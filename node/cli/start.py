"""`twinchain start`: run one node in the foreground, with documented exit codes."""

import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from node.cli.exits import ExitCode
from node.cli.output import note

ConfigFile = Annotated[
    Path, typer.Option("--config", help="The node's config.toml.", envvar="TWINCHAIN_CONFIG")
]


def start(
    config: ConfigFile,
    port: Annotated[int | None, typer.Option("--port", help="Overrides [api] port.")] = None,
    log_level: Annotated[
        str | None, typer.Option("--log-level", help="debug, info, warning or error.")
    ] = None,
    wait_on_bad_config: Annotated[
        bool,
        typer.Option(
            "--wait-on-bad-config",
            help="Stay idle after exit code 78 instead of ending: for containers that restart.",
        ),
    ] = False,
    parent_pid: Annotated[int | None, typer.Option("--parent-pid", hidden=True)] = None,
) -> None:
    """Run one node in the foreground until SIGINT or SIGTERM.

    \b
    Exit codes: 0 stopped in order, 1 unexpected failure, 6 stored data corrupt or disk failed,
    78 bad configuration (wrong password, other genesis, missing key): a restart will not help.

    \b
    Example:
      twinchain start --config testnet/node-0/config.toml
    """
    from node.testnet.processes import die_with, own_pid

    if parent_pid is not None:
        die_with(parent_pid)
    with own_pid(config.parent / "pid"):
        code = _run(config, port, log_level, parent_pid)
    if code == ExitCode.BAD_CONFIG and wait_on_bad_config:
        _idle()
    raise typer.Exit(code)


def _run(config: Path, port: int | None, log_level: str | None, parent_pid: int | None) -> int:
    """Load the settings and run the node; one clear line when they are unusable."""
    from node.service.config import ConfigError, load_settings

    try:
        loaded = load_settings(config, {"api.port": port, "log.level": log_level})
    except ConfigError as problem:
        note(f"twinchain: bad configuration: {problem}")
        return ExitCode.BAD_CONFIG
    from node.service.service import run

    folder = os.environ.get("TWINCHAIN_PROFILE")
    if folder is None:
        return run(loaded.settings, parent_pid=parent_pid)
    return _profiled(lambda: run(loaded.settings, parent_pid=parent_pid), Path(folder), config)


def _profiled(body: Callable[[], int], folder: Path, config: Path) -> int:
    """Run under cProfile and leave `<node directory>.prof` in `folder`: what the benchmark asks."""
    import cProfile

    profile = cProfile.Profile()
    try:
        return profile.runcall(body)
    finally:
        folder.mkdir(parents=True, exist_ok=True)
        profile.dump_stats(folder / f"{config.parent.name}.prof")


def _idle() -> None:
    """Sleep until told to stop, so that a restart policy does not repeat the message for ever."""
    note("twinchain: waiting for a corrected configuration; restart this container then")

    def leave(_number: int, _frame: object) -> None:
        sys.exit(int(ExitCode.BAD_CONFIG))

    signal.signal(signal.SIGTERM, leave)
    signal.signal(signal.SIGINT, leave)
    while True:
        time.sleep(3600)
