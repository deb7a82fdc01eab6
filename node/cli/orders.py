"""`twinchain tx`, the part about orders: bid, ask, reprice, cancel, and rate what came of them."""

from typing import TYPE_CHECKING, Annotated

import typer

from node.cli.amounts import micro, milli, named_micro, three
from node.cli.exits import ExitCode, fail
from node.cli.remote import (
    DEFAULT_NODE,
    Document,
    Node,
    address_of,
    fetch,
    fetch_all,
    height_of,
)
from node.cli.sending import Json, Key, PasswordFile, Sending, Timeout, Wait, send
from node.cli.transactions import TIMEOUT_S, app

__all__ = ["app"]

if TYPE_CHECKING:
    from auction.actions import (
        AskPrice,
        BidPrice,
        CostModel,
        FlatFloor,
        FlatLimit,
        UtilityModel,
    )

COST_NAMES = ("r", "d", "eta", "epsilon", "a", "b", "c")

Broker = Annotated[
    str, typer.Option("--broker", help="Broker's address; default: one that trades by the paper.")
]
Expires = Annotated[int, typer.Option("--expires-in", help="Blocks until the order lapses.", min=1)]
Omega = Annotated[str, typer.Option("--omega", help="Price step of Eq 18.")]


@app.command()
def bid(
    key: Key,
    limit: Annotated[
        str, typer.Option("--limit", help="Highest total price in tokens; or give --value.")
    ] = "",
    value: Annotated[str, typer.Option("--value", help="v of the value function (Eq 5).")] = "",
    gamma_nano: Annotated[
        int, typer.Option("--gamma-nano", help="gamma of Eq 5, 1e-9 per MHz.")
    ] = 100_000,
    theta: Annotated[str, typer.Option("--theta", help="Scale of the model.")] = "1.5",
    service_blocks: Annotated[int, typer.Option("--service-blocks", help="T, in heights.")] = 10,
    interval_blocks: Annotated[int, typer.Option("--interval-blocks", help="f, in heights.")] = 1,
    least_resource: Annotated[int, typer.Option("--least-resource", help="MHz.")] = 0,
    opening: Annotated[
        str, typer.Option("--open", help="Share of the value it opens at, 0 to 1.")
    ] = "0.5",
    omega: Omega = "0.1",
    expires_in: Expires = 100,
    broker: Broker = "",
    node: Node = DEFAULT_NODE,
    password_file: PasswordFile = None,
    wait: Wait = False,
    timeout: Timeout = TIMEOUT_S,
    as_json: Json = False,
) -> None:
    """Bid for a digital-twin service (ITS subsystems).

    \b
    Examples:
      twinchain tx bid --key testnet/accounts/bus-fleet.json --limit 60 --wait
      twinchain tx bid --key testnet/accounts/metro-line.json --value 8 --gamma-nano 150000
    """
    from auction.actions import Bid

    worth = _valuation(limit, value, gamma_nano)
    book, height = _book(node, broker)
    action = Bid(
        broker=book,
        expires=height + expires_in,
        open_ppm=micro(opening, "--open"),
        omega_micro=micro(omega, "--omega"),
        mu=1,
        service_blocks=service_blocks,
        interval_blocks=interval_blocks,
        theta_milli=milli(theta, "--theta"),
        least_resource=least_resource,
        valuation=worth,
    )
    send(Sending(key, node, password_file, wait, timeout, as_json), [action])


@app.command()
def ask(
    key: Key,
    floor: Annotated[
        str, typer.Option("--floor", help="Lowest total price in tokens; or give --cost.")
    ] = "",
    cost: Annotated[
        str, typer.Option("--cost", help="Cost model r=,d=,eta=,epsilon=,a=,b=,c= (Eq 9, 10).")
    ] = "",
    resources: Annotated[
        str, typer.Option("--resources", help="MHz, kbit/s, model units of the slot.")
    ] = "20000,40000,10000",
    longest_blocks: Annotated[int, typer.Option("--longest-blocks", help="Longest service.")] = 200,
    opening: Annotated[
        str, typer.Option("--open", help="Multiple of the cost it opens at, 1 or more.")
    ] = "1.8",
    omega: Omega = "0.1",
    expires_in: Expires = 100,
    broker: Broker = "",
    node: Node = DEFAULT_NODE,
    password_file: PasswordFile = None,
    wait: Wait = False,
    timeout: Timeout = TIMEOUT_S,
    as_json: Json = False,
) -> None:
    """Offer one slot of service (DT servers).

    \b
    Examples:
      twinchain tx ask --key testnet/node-0/signing.json --floor 20 --wait
      twinchain tx ask --key testnet/node-0/signing.json \\
        --cost r=0.3,d=0.2,eta=1.1,epsilon=1,a=1.5,b=1,c=1
    """
    from auction.actions import Ask
    from ledger.members import Resources

    price = _cost(floor, cost)
    book, height = _book(node, broker)
    computation, communication, modelling = three(resources, "--resources")
    action = Ask(
        broker=book,
        expires=height + expires_in,
        open_ppm=micro(opening, "--open"),
        omega_micro=micro(omega, "--omega"),
        mu=1,
        longest_blocks=longest_blocks,
        resources=Resources(
            computation=computation, communication=communication, modelling=modelling
        ),
        cost=price,
    )
    send(Sending(key, node, password_file, wait, timeout, as_json), [action])


@app.command()
def reprice(
    key: Key,
    order: Annotated[str, typer.Option("--order", help="Order id, 64 hex characters.")],
    limit: Annotated[str, typer.Option("--limit", help="New flat limit of a bid, tokens.")] = "",
    value: Annotated[str, typer.Option("--value", help="v of a value function (Eq 5).")] = "",
    gamma_nano: Annotated[int, typer.Option("--gamma-nano", help="gamma of Eq 5.")] = 100_000,
    floor: Annotated[str, typer.Option("--floor", help="New flat floor of an ask, tokens.")] = "",
    cost: Annotated[str, typer.Option("--cost", help="Cost model r=,d=,... of an ask.")] = "",
    opening: Annotated[str, typer.Option("--open", help="Where the price starts anew.")] = "",
    omega: Annotated[str, typer.Option("--omega", help="Price step of Eq 18.")] = "",
    expires_in: Annotated[
        int, typer.Option("--expires-in", help="Blocks until it lapses; 0: as it was.", min=0)
    ] = 0,
    node: Node = DEFAULT_NODE,
    password_file: PasswordFile = None,
    wait: Wait = False,
    timeout: Timeout = TIMEOUT_S,
    as_json: Json = False,
) -> None:
    """Give an open order another price: what you do not state stays; it joins its book anew.

    \b
    Examples:
      twinchain tx reprice --key testnet/accounts/bus-fleet.json --order ORDER --limit 70 --wait
      twinchain tx reprice --key testnet/node-0/signing.json --order ORDER --floor 15 --open 1.5
    """
    import msgspec

    from auction.actions import Reprice

    order = _identifier(order, "--order", "twinchain query orders")
    answer = fetch(node, f"/v1/orders/{order}")
    meta, document = answer.get("meta"), answer.get("data")
    if not isinstance(meta, dict) or not isinstance(document, dict):
        fail(ExitCode.UNREACHABLE, f"{node}: this is not the API of a TwinChain node")
    terms = document.get("terms")
    if not isinstance(terms, dict) or document.get("status") == "closed":
        fail(ExitCode.REJECTED, f"order {order} is not open", "see twinchain query orders")
    names = ("expires", "open_ppm", "omega_micro", "mu")
    fields: dict[str, object] = {name: terms[name] for name in names}
    if opening:
        fields["open_ppm"] = micro(opening, "--open")
    if omega:
        fields["omega_micro"] = micro(omega, "--omega")
    if expires_in:
        fields["expires"] = int(meta["height"]) + expires_in
    try:
        price = _new_price(terms, fields, (limit, value, floor, cost), gamma_nano)
    except msgspec.ValidationError as error:
        fail(ExitCode.USAGE, f"the new price does not hold: {error}", "see docs/market.md")
    send(Sending(key, node, password_file, wait, timeout, as_json), [Reprice(order, price)])


@app.command()
def cancel(
    key: Key,
    order: Annotated[str, typer.Option("--order", help="Order id, 64 hex characters.")],
    node: Node = DEFAULT_NODE,
    password_file: PasswordFile = None,
    wait: Wait = False,
    timeout: Timeout = TIMEOUT_S,
    as_json: Json = False,
) -> None:
    """Take an open order back.

    \b
    Example:
      twinchain tx cancel --key testnet/accounts/bus-fleet.json --order ORDER --wait
    """
    from auction.actions import Cancel

    order = _identifier(order, "--order", "twinchain query orders")
    send(Sending(key, node, password_file, wait, timeout, as_json), [Cancel(order=order)])


@app.command()
def rate(
    key: Key,
    agreement: Annotated[str, typer.Option("--agreement", help="Agreement id.")],
    rating_bp: Annotated[
        int, typer.Option("--rating-bp", help="0 to 10000 basis points.", min=0, max=10_000)
    ],
    node: Node = DEFAULT_NODE,
    password_file: PasswordFile = None,
    wait: Wait = False,
    timeout: Timeout = TIMEOUT_S,
    as_json: Json = False,
) -> None:
    """Say how good an ended service was, once (its buyer, within the window).

    \b
    Example:
      twinchain tx rate --key testnet/accounts/bus-fleet.json --agreement ID --rating-bp 9200
    """
    from auction.actions import Rate

    agreement = _identifier(agreement, "--agreement", "twinchain query agreements")
    action = Rate(agreement=agreement, rating_bp=rating_bp)
    send(Sending(key, node, password_file, wait, timeout, as_json), [action])


def _identifier(text: str, option: str, listing: str) -> str:
    if len(text) != 64 or any(digit not in "0123456789abcdef" for digit in text):
        fail(ExitCode.USAGE, f"{option}: {text!r} is not an id of 64 hex digits", f"see {listing}")
    return text


def _book(node: str, broker: str) -> tuple[str, int]:
    """Return the broker's address and the current height."""
    if broker:
        book = address_of(broker)
        return book, height_of(node, fetch(node, "/v1/brokers", {"limit": 1}))
    rows, height = fetch_all(node, "/v1/brokers")
    active = [row for row in rows if row.get("status") == "active"]
    if not active:
        fail(ExitCode.USAGE, "the chain has no active broker")
    return str(min(active, key=_paper_first)["address"]), height


def _paper_first(broker: Document) -> tuple[bool, bool, str]:
    """Brokers by the paper's own rule come first, then others whose prices move, then by name."""
    tariff = broker.get("tariff")
    terms = tariff if isinstance(tariff, dict) else {}
    moves = terms.get("weights") == "spread"
    return not (moves and terms.get("pricing") == "paper"), not moves, str(broker.get("name"))


def _valuation(limit: str, value: str, gamma_nano: int) -> "FlatLimit | UtilityModel":
    from auction.actions import FlatLimit, UtilityModel

    if bool(limit) == bool(value):
        fail(ExitCode.USAGE, "give --limit (a flat limit) or --value (a value function)")
    if limit:
        return FlatLimit(limit_micro=micro(limit, "--limit"))
    return UtilityModel(value_micro=micro(value, "--value"), gamma_nano=gamma_nano)


def _cost(floor: str, cost: str) -> "FlatFloor | CostModel":
    from auction.actions import CostModel, FlatFloor

    if bool(floor) == bool(cost):
        fail(ExitCode.USAGE, "give --floor (a flat floor) or --cost (a cost model)")
    if floor:
        return FlatFloor(floor_micro=micro(floor, "--floor"))
    model = named_micro(cost, COST_NAMES, "--cost")
    return CostModel(
        r_micro=model["r"],
        d_micro=model["d"],
        eta_ppm=model["eta"],
        epsilon_micro=model["epsilon"],
        a_micro=model["a"],
        b_micro=model["b"],
        c_micro=model["c"],
    )


def _new_price(
    terms: Document, fields: dict[str, object], stated: tuple[str, str, str, str], gamma_nano: int
) -> "BidPrice | AskPrice":
    """Return the price of a reprice: the terms of the order with what was stated in place."""
    import msgspec

    from auction.actions import AskPrice, BidPrice

    limit, value, floor, cost = stated
    if "valuation" in terms:
        if floor or cost:
            fail(ExitCode.USAGE, "the order is a bid: --limit or --value, not --floor or --cost")
        worth = _valuation(limit, value, gamma_nano) if limit or value else terms["valuation"]
        return msgspec.convert({"side": "bid", "valuation": _plain(worth), **fields}, BidPrice)
    if limit or value:
        fail(ExitCode.USAGE, "the order is an ask: --floor or --cost, not --limit or --value")
    least = _cost(floor, cost) if floor or cost else terms["cost"]
    return msgspec.convert({"side": "ask", "cost": _plain(least), **fields}, AskPrice)


def _plain(part: object) -> object:
    import msgspec

    return msgspec.to_builtins(part)
