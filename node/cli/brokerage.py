"""`twinchain tx`, the part about brokers: apply with a tariff, and change it."""

from typing import TYPE_CHECKING, Annotated

import typer

from node.cli.amounts import is_whole, micro, milli
from node.cli.exits import ExitCode, fail
from node.cli.remote import DEFAULT_NODE, Node
from node.cli.sending import Json, Key, PasswordFile, Sending, Timeout, Wait, send
from node.cli.transactions import TIMEOUT_S, app

__all__ = ["app"]

if TYPE_CHECKING:
    from auction.brokers import ServiceClass, Tariff

Fee = Annotated[str, typer.Option("--fee", help="lambda, tokens: of a deal, or of each round.")]
BuyerShare = Annotated[
    str, typer.Option("--buyer-share", help="sigma: the buyer's part of the fee, 0 to 1.")
]
Basis = Annotated[str, typer.Option("--basis", help="deal or round (Table I).")]
Weights = Annotated[
    str, typer.Option("--weights", help="spread (the paper's) or surplus (no price ladder).")
]
Pricing = Annotated[
    str,
    typer.Option(
        "--pricing",
        help="paper, midpoint, core_buyer, core_seller, kappa or mcafee (docs/market.md).",
    ),
]
Kappa = Annotated[
    str, typer.Option("--kappa", help="With kappa: the part of a margin you keep, 0 to 1.")
]
Classes = Annotated[
    list[str] | None,
    typer.Option(
        "--class",
        help="With mcafee, once for each class: service blocks, interval blocks, theta, least MHz.",
    ),
]


@app.command("apply-broker")
def apply_broker(
    key: Key,
    name: Annotated[str, typer.Option("--name", help="Name shown for it.")],
    fee: Fee,
    pricing: Pricing,
    weights: Weights,
    buyer_share: BuyerShare = "0.5",
    basis: Basis = "deal",
    kappa: Kappa = "0",
    classes: Classes = None,
    node: Node = DEFAULT_NODE,
    password_file: PasswordFile = None,
    wait: Wait = False,
    timeout: Timeout = TIMEOUT_S,
    as_json: Json = False,
) -> None:
    """Ask to run a book under this tariff; the members decide (`tx propose admit-broker`).

    \b
    Examples:
      twinchain tx apply-broker --key keys/north.json --name "North broker" --fee 0.5 \\
        --pricing paper --weights spread --wait
      twinchain tx apply-broker --key keys/south.json --name "South broker" --fee 0.5 \\
        --pricing mcafee --weights surplus --class 10,1,1.5,10000 --class 20,1,1.5,10000
    """
    from auction.licences import ApplyBroker

    tariff = _tariff(fee, buyer_share, (basis, weights, pricing), kappa, classes)
    action = ApplyBroker(name=name, tariff=tariff)
    send(Sending(key, node, password_file, wait, timeout, as_json), [action])


@app.command("change-tariff")
def change_tariff(
    key: Key,
    fee: Fee,
    pricing: Pricing,
    weights: Weights,
    buyer_share: BuyerShare = "0.5",
    basis: Basis = "deal",
    kappa: Kappa = "0",
    classes: Classes = None,
    node: Node = DEFAULT_NODE,
    password_file: PasswordFile = None,
    wait: Wait = False,
    timeout: Timeout = TIMEOUT_S,
    as_json: Json = False,
) -> None:
    """Announce another tariff, in force after the notice, for new orders (brokers).

    Open orders keep theirs.  Stating the tariff in force withdraws a change under way.

    \b
    Example:
      twinchain tx change-tariff --key keys/north.json --fee 0.4 --pricing kappa --kappa 0.25 \\
        --weights surplus --wait
    """
    from auction.tariffs import ChangeTariff

    tariff = _tariff(fee, buyer_share, (basis, weights, pricing), kappa, classes)
    send(Sending(key, node, password_file, wait, timeout, as_json), [ChangeTariff(tariff)])


def _tariff(
    fee: str,
    buyer_share: str,
    words: tuple[str, str, str],
    kappa: str,
    classes: list[str] | None,
) -> "Tariff":
    """Return the tariff that was stated; ends with exit 2 where it contradicts itself."""
    import msgspec

    from auction.brokers import Tariff, check_tariff
    from ledger.errors import Rejected

    basis, weights, pricing = words
    fields: dict[str, object] = {
        "lambda_micro": micro(fee, "--fee"),
        "sigma_ppm": micro(buyer_share, "--buyer-share"),
        "fee_basis": basis,
        "weights": weights,
        "pricing": pricing,
        "kappa_ppm": micro(kappa, "--kappa"),
        "classes": sorted((_service_class(text) for text in classes or ()), key=_rank),
    }
    try:
        tariff = msgspec.convert(fields, Tariff)
        check_tariff(tariff)
    except (msgspec.ValidationError, Rejected) as error:
        fail(ExitCode.USAGE, f"the tariff does not hold: {error}", "see docs/market.md")
    return tariff


def _service_class(text: str) -> "ServiceClass":
    from auction.brokers import ServiceClass

    parts = [part.strip() for part in text.split(",")]
    if len(parts) != 4 or not all(is_whole(parts[at]) for at in (0, 1, 3)):
        fail(ExitCode.USAGE, f"--class: {text!r} is not such as 10,1,1.5,10000")
    return ServiceClass(
        service_blocks=int(parts[0]),
        interval_blocks=int(parts[1]),
        theta_milli=milli(parts[2], "--class"),
        least_resource=int(parts[3]),
    )


def _rank(kind: "ServiceClass") -> tuple[int, int]:
    return kind.service_blocks, kind.least_resource
