"""The Typer application: every command group, nothing that is heavy to import."""

from typing import Annotated

import typer

from node.cli import (
    brokerage,
    database,
    demo,
    keys,
    membership,
    orders,
    query,
    start,
    status,
    testnet,
    transactions,
)

app = typer.Typer(
    name="twinchain",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["--help", "-h"], "max_content_width": 100},
    help="TwinChain: a permissioned blockchain node for a city's digital-twin service market.",
    epilog="First steps:  twinchain testnet start   then open the explorer it names.",
)
app.add_typer(keys.app, name="keys")
app.add_typer(testnet.app, name="testnet")
TX_PARTS = (orders, brokerage, membership)
"""Modules that put their commands into the group `tx` when they are imported."""
app.add_typer(transactions.app, name="tx")
app.add_typer(query.app, name="query")
app.add_typer(database.app, name="db")
app.command("start")(start.start)
app.command("status")(status.status)
app.command("demo")(demo.demo)


@app.callback(invoke_without_command=True)
def root(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", is_eager=True)
    ] = False,
) -> None:
    """Options that stand before any command."""
    if version:
        from importlib.metadata import version as installed_version

        print(f"twinchain {installed_version('twinchain')}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        print(context.get_help())
        raise typer.Exit(2)


@app.command(
    "health",
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
    add_help_option=False,
)
def health_command(context: typer.Context) -> None:
    """Exit 0 when a node is ready, 1 when it is not, 5 when nobody answers (for probes)."""
    from node.cli import health

    raise typer.Exit(health.run(context.args))
