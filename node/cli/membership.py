"""`twinchain tx`, the part about membership: apply, leave, update, unjail, propose, approve."""

from typing import TYPE_CHECKING, Annotated

import typer

from node.cli.amounts import three
from node.cli.exits import ExitCode, fail
from node.cli.remote import DEFAULT_NODE, Node, address_of
from node.cli.sending import Json, Key, PasswordFile, Sending, Timeout, Wait, send
from node.cli.transactions import TIMEOUT_S, app

__all__ = ["app"]

if TYPE_CHECKING:
    from ledger.members import Resources
    from ledger.proposals import Changes

VrfKey = Annotated[str, typer.Option("--vrf-key", help="Public VRF key, 64 hex characters.")]
Endpoint = Annotated[str, typer.Option("--endpoint", help="Where the node answers.")]
Declared = Annotated[
    str, typer.Option("--resources", help="MHz, kbit/s, model units: all it has (Eq 4).")
]


@app.command()
def apply(
    key: Key,
    name: Annotated[str, typer.Option("--name", help="Name shown for it.")],
    vrf_key: VrfKey,
    resources: Declared,
    endpoint: Endpoint = "",
    node: Node = DEFAULT_NODE,
    password_file: PasswordFile = None,
    wait: Wait = False,
    timeout: Timeout = TIMEOUT_S,
    as_json: Json = False,
) -> None:
    """Ask to become a member; the members decide, then stake within the window.

    \b
    Example:
      twinchain tx apply --key signing.json --name "Server 5" --vrf-key KEY \\
        --resources 100000,200000,100000 --endpoint https://five.example:9000 --wait
    """
    from ledger.membership import Apply

    action = Apply(name, vrf_key, endpoint, _resources(resources))
    send(Sending(key, node, password_file, wait, timeout, as_json), [action])


@app.command()
def update(
    key: Key,
    vrf_key: VrfKey,
    resources: Declared,
    endpoint: Endpoint = "",
    node: Node = DEFAULT_NODE,
    password_file: PasswordFile = None,
    wait: Wait = False,
    timeout: Timeout = TIMEOUT_S,
    as_json: Json = False,
) -> None:
    """State resources, endpoint and VRF key anew; repeat what stays (members).

    \b
    Example:
      twinchain tx update --key testnet/node-0/signing.json --vrf-key KEY \\
        --resources 200000,400000,200000 --endpoint https://one.example:9000 --wait
    """
    from ledger.membership import Update

    action = Update(vrf_key, endpoint, _resources(resources))
    send(Sending(key, node, password_file, wait, timeout, as_json), [action])


@app.command()
def leave(
    key: Key,
    node: Node = DEFAULT_NODE,
    password_file: PasswordFile = None,
    wait: Wait = False,
    timeout: Timeout = TIMEOUT_S,
    as_json: Json = False,
) -> None:
    """Stop being a member; keep the node running until the seat is gone.

    \b
    Example:
      twinchain tx leave --key testnet/node-0/signing.json --wait
    """
    from ledger.membership import Leave

    send(Sending(key, node, password_file, wait, timeout, as_json), [Leave()])


@app.command()
def unjail(
    key: Key,
    node: Node = DEFAULT_NODE,
    password_file: PasswordFile = None,
    wait: Wait = False,
    timeout: Timeout = TIMEOUT_S,
    as_json: Json = False,
) -> None:
    """Come back after the time in jail (members).

    \b
    Example:
      twinchain tx unjail --key testnet/node-0/signing.json --wait
    """
    from ledger.membership import Unjail

    send(Sending(key, node, password_file, wait, timeout, as_json), [Unjail()])


@app.command()
def propose(
    key: Key,
    change: Annotated[
        str,
        typer.Argument(
            help="admit-member, eject-member, admit-broker, suspend-broker or set-parameter."
        ),
    ],
    subject: Annotated[str, typer.Argument(help="Address or key file; or scope.name=value.")],
    node: Node = DEFAULT_NODE,
    password_file: PasswordFile = None,
    wait: Wait = False,
    timeout: Timeout = TIMEOUT_S,
    as_json: Json = False,
) -> None:
    """Propose a change and approve it (members).

    \b
    Examples:
      twinchain tx propose --key testnet/node-0/signing.json admit-member ADDRESS --wait
      twinchain tx propose --key testnet/node-0/signing.json set-parameter \\
        consensus.block_reward_micro=900000
    """
    from ledger.proposals import Propose

    action = Propose(_change(change, subject))
    send(Sending(key, node, password_file, wait, timeout, as_json), [action])


@app.command()
def approve(
    key: Key,
    proposal: Annotated[str, typer.Option("--proposal", help="Id from `query proposals`.")],
    node: Node = DEFAULT_NODE,
    password_file: PasswordFile = None,
    wait: Wait = False,
    timeout: Timeout = TIMEOUT_S,
    as_json: Json = False,
) -> None:
    """Approve an open proposal (members).

    \b
    Example:
      twinchain tx approve --key testnet/node-1/signing.json --proposal ID --wait
    """
    from ledger.proposals import Approve

    send(Sending(key, node, password_file, wait, timeout, as_json), [Approve(proposal)])


def _resources(text: str) -> "Resources":
    from ledger.members import Resources

    computation, communication, modelling = three(text, "--resources")
    return Resources(computation, communication, modelling)


def _change(change: str, subject: str) -> "Changes":
    from ledger.proposals import AdmitBroker, AdmitMember, EjectMember, SuspendBroker

    if change == "set-parameter":
        return _setting(subject)
    kinds: dict[str, type[AdmitMember | EjectMember | AdmitBroker | SuspendBroker]] = {
        "admit-member": AdmitMember,
        "eject-member": EjectMember,
        "admit-broker": AdmitBroker,
        "suspend-broker": SuspendBroker,
    }
    if change not in kinds:
        fail(ExitCode.USAGE, f"no such change: {change!r}")
    return kinds[change](address_of(subject))


def _setting(text: str) -> "Changes":
    from ledger.codec import Codec, encode
    from ledger.errors import Rejected
    from ledger.proposals import SetParameter

    place, _, value = text.partition("=")
    scope, _, name = place.partition(".")
    try:
        fields: dict[str, object] = {"kind": "set_parameter", "scope": scope, "name": name}
        return Codec(SetParameter).decode(encode({**fields, "value": int(value)}))
    except (ValueError, Rejected):
        fail(ExitCode.USAGE, f"ledger, consensus or market, as scope.name=value; not {text!r}")
