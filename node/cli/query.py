"""`twinchain query`: read the chain; the names are those of the HTTP API."""

from collections.abc import Sequence
from typing import Annotated

import typer

from node.cli.listing import Column, Row, show_list, show_one
from node.cli.output import money, percent, print_json, short, table
from node.cli.remote import DEFAULT_NODE, Json, Node, address_of, fetch

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Read the chain; names as in the HTTP API, --json prints its answer.",
)

Limit = Annotated[int, typer.Option("--limit", help="Rows to show.", min=1, max=200)]


@app.command()
def blocks(limit: Limit = 20, node: Node = DEFAULT_NODE, as_json: Json = False) -> None:
    """The newest blocks.

    \b
    Example:
      twinchain query blocks --limit 5
    """
    columns: Sequence[Column] = (
        ("height", lambda row, _: row.get("height")),
        ("view", lambda row, _: row.get("view")),
        ("builder", lambda row, names: names(row.get("builder"))),
        ("txs", lambda row, _: row.get("transactions")),
        ("trades", lambda row, _: row.get("trades")),
        ("signers", lambda row, _: row.get("signers")),
        ("bytes", lambda row, _: row.get("bytes")),
        ("hash", lambda row, _: short(row.get("hash"), 16)),
    )
    show_list(fetch(node, "/v1/blocks", {"limit": limit}), as_json, columns)


@app.command()
def block(
    which: Annotated[str, typer.Argument(help="Height, hash or latest.")] = "latest",
    node: Node = DEFAULT_NODE,
    as_json: Json = False,
) -> None:
    """One block.

    \b
    Examples:
      twinchain query block
      twinchain query block 17 --json
    """
    show_one(fetch(node, f"/v1/blocks/{which}"), as_json)


@app.command()
def tx(
    identifier: Annotated[str, typer.Argument(metavar="HASH", help="Transaction hash.")],
    node: Node = DEFAULT_NODE,
    as_json: Json = False,
) -> None:
    """One transaction: where it is and what became of it.

    \b
    Example:
      twinchain query tx HASH
    """
    show_one(fetch(node, f"/v1/txs/{identifier}"), as_json)


@app.command()
def account(
    who: Annotated[str, typer.Argument(metavar="ADDRESS", help="Address, or a key file.")],
    node: Node = DEFAULT_NODE,
    as_json: Json = False,
) -> None:
    """One account: money, nonce, roles.

    \b
    Example:
      twinchain query account testnet/accounts/bus-fleet.json
    """
    show_one(fetch(node, f"/v1/accounts/{address_of(who)}"), as_json)


@app.command()
def orders(
    side: Annotated[str | None, typer.Option("--side", help="bid or ask.")] = None,
    broker: Annotated[str | None, typer.Option("--broker", help="Broker's address.")] = None,
    owner: Annotated[str | None, typer.Option("--owner", help="Address, or a key file.")] = None,
    limit: Limit = 50,
    node: Node = DEFAULT_NODE,
    as_json: Json = False,
) -> None:
    """Open orders in the books.

    \b
    Example:
      twinchain query orders --side bid --owner testnet/accounts/bus-fleet.json
    """
    query = {
        "side": side,
        "broker": broker and address_of(broker),
        "owner": owner and address_of(owner),
        "limit": limit,
    }
    columns: Sequence[Column] = (
        ("order", lambda row, _: row.get("id")),
        ("side", lambda row, _: row.get("side", "-")),
        ("owner", lambda row, names: names(row.get("owner"))),
        ("broker", lambda row, names: names(row.get("broker"))),
        ("expires", lambda row, _: row.get("expires")),
        ("status", lambda row, _: row.get("status", "open")),
    )
    show_list(fetch(node, "/v1/orders", query), as_json, columns)


@app.command()
def order(
    identifier: Annotated[str, typer.Argument(metavar="ID", help="Order id.")],
    node: Node = DEFAULT_NODE,
    as_json: Json = False,
) -> None:
    """One order with its price path and why it is not matched.

    \b
    Example:
      twinchain query order ORDER
    """
    show_one(fetch(node, f"/v1/orders/{identifier}"), as_json)


@app.command("round")
def round_command(
    height: Annotated[str, typer.Argument(help="Height or latest.")] = "latest",
    node: Node = DEFAULT_NODE,
    as_json: Json = False,
) -> None:
    """The auction round of one block, per broker: pairs, prices, labels.

    \b
    Example:
      twinchain query round latest --json
    """
    show_one(fetch(node, f"/v1/rounds/{height}"), as_json)


@app.command()
def agreements(limit: Limit = 50, node: Node = DEFAULT_NODE, as_json: Json = False) -> None:
    """Service agreements that run or can still be rated; `held` is what the seller will get.

    \b
    Example:
      twinchain query agreements --limit 5
    """
    columns: Sequence[Column] = (
        ("agreement", lambda row, _: row.get("id")),
        ("buyer", lambda row, names: names(row.get("buyer"))),
        ("seller", lambda row, names: names(row.get("seller"))),
        ("broker", lambda row, names: names(row.get("broker"))),
        ("held", lambda row, _: money(row.get("held_micro"))),
        ("start", lambda row, _: row.get("start")),
        ("end", lambda row, _: row.get("end")),
        ("status", lambda row, _: row.get("status", "-")),
        ("rating", lambda row, _: percent(row.get("rating_bp")) if row.get("rated") else "-"),
    )
    show_list(fetch(node, "/v1/agreements", {"limit": limit}), as_json, columns)


@app.command()
def agreement(
    identifier: Annotated[str, typer.Argument(metavar="ID", help="Agreement id.")],
    node: Node = DEFAULT_NODE,
    as_json: Json = False,
) -> None:
    """One agreement: parties, terms, payment, rating.

    \b
    Example:
      twinchain query agreement AGREEMENT
    """
    show_one(fetch(node, f"/v1/agreements/{identifier}"), as_json)


@app.command()
def brokers(node: Node = DEFAULT_NODE, as_json: Json = False) -> None:
    """Brokers and their tariffs."""
    columns: Sequence[Column] = (
        ("broker", lambda row, _: row.get("name")),
        ("address", lambda row, _: row.get("address")),
        ("status", lambda row, _: row.get("status")),
        ("fee", lambda row, _: money(_tariff(row).get("lambda_micro"))),
        ("weights", lambda row, _: _tariff(row).get("weights", "-")),
        ("pricing", lambda row, _: _tariff(row).get("pricing", "-")),
        ("changes at", lambda row, _: _tariff_change(row)),
    )
    show_list(fetch(node, "/v1/brokers"), as_json, columns)


@app.command()
def validators(node: Node = DEFAULT_NODE, as_json: Json = False) -> None:
    """The voting set: stake, satisfaction, tokens, chance of the next turn."""
    columns: Sequence[Column] = (
        ("#", lambda row, _: row.get("index")),
        ("name", lambda row, _: row.get("name")),
        ("stake", lambda row, _: money(row.get("stake_micro"))),
        ("satisfaction", lambda row, _: percent(row.get("satisfaction_bp"))),
        ("chance", lambda row, _: _chance(row.get("chance_ppm"))),
        ("blocks", lambda row, _: row.get("blocks_built", "-")),
        ("skipped", lambda row, _: row.get("turns_skipped", "-")),
        ("status", lambda row, _: row.get("status", "-")),
        ("address", lambda row, _: short(row.get("address"), 16)),
    )
    show_list(fetch(node, "/v1/validators"), as_json, columns)


@app.command()
def election(
    height: Annotated[str, typer.Argument(help="Height, latest or next.")] = "next",
    node: Node = DEFAULT_NODE,
    as_json: Json = False,
) -> None:
    """The draw of one height: who writes, who backs up, with which chance.

    \b
    Example:
      twinchain query election next
    """
    document = fetch(node, f"/v1/elections/{height}")
    data = document.get("data")
    if as_json or not isinstance(data, dict):
        show_one(document, as_json)
        return
    order_rows = data.get("order")
    entries = data.get("entries")
    chances = (
        {entry.get("address"): entry for entry in entries if isinstance(entry, dict)}
        if isinstance(entries, list)
        else {}
    )
    rows = [
        (
            place.get("role", place.get("position")),
            place.get("name"),
            _chance(chances.get(place.get("address"), {}).get("chance_ppm")),
            _weight(chances.get(place.get("address"), {}).get("weight")),
        )
        for place in (order_rows if isinstance(order_rows, list) else [])
        if isinstance(place, dict)
    ]
    table(f"height {data.get('height')}", ("role", "name", "chance", "weight"), rows)


@app.command()
def mempool(limit: Limit = 50, node: Node = DEFAULT_NODE, as_json: Json = False) -> None:
    """Transactions that wait for a block."""
    document = fetch(node, "/v1/mempool", {"limit": limit})
    if as_json or not isinstance(document.get("data"), list):
        show_one(document, as_json)
        return
    columns: Sequence[Column] = (
        ("hash", lambda row, _: short(row.get("hash"), 16)),
        ("from", lambda row, names: names(row.get("from"))),
        ("nonce", lambda row, _: row.get("nonce")),
        ("types", lambda row, _: row.get("types", "-")),
    )
    show_list(document, as_json, columns)


@app.command()
def params(node: Node = DEFAULT_NODE, as_json: Json = False) -> None:
    """The chain's parameters in force."""
    show_one(fetch(node, "/v1/params"), as_json)


@app.command()
def genesis(node: Node = DEFAULT_NODE) -> None:
    """The genesis file, as JSON."""
    print_json(fetch(node, "/v1/genesis"))


def _tariff_change(row: Row) -> object:
    """The height from which another tariff holds for new orders, if one is announced."""
    pending = row.get("pending")
    first = pending[0] if isinstance(pending, list) and pending else None
    return first.get("effective", "-") if isinstance(first, dict) else "-"


def _tariff(row: Row) -> Row:
    tariff = row.get("tariff")
    return tariff if isinstance(tariff, dict) else row


def _weight(micro_basis_points: object) -> str:
    """Tokens that counted in a draw, in token-blocks with one place, as the explorer shows them."""
    if not isinstance(micro_basis_points, str | int) or not str(micro_basis_points).isdecimal():
        return "-"
    whole, rest = divmod(int(micro_basis_points), 10_000 * 1_000_000)
    return f"{whole:,}.{rest // 1_000_000_000}"


def _chance(ppm: object) -> str:
    return percent(ppm // 100) if isinstance(ppm, int) else "-"
