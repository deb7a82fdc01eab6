"""`twinchain tx`: the group, and the part about money, stake and names; signed on this machine."""

from typing import Annotated

import typer

from node.cli.amounts import micro
from node.cli.exits import ExitCode, fail
from node.cli.remote import DEFAULT_NODE, Node, address_of
from node.cli.sending import Json, Key, PasswordFile, Sending, Timeout, Wait, send

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Sign a transaction here and send it.  Exit codes: 0 ok, 2 usage, 3 rejected, "
    "4 not final in time, 5 node unreachable.",
)

TIMEOUT_S = 30.0

Amount = Annotated[str, typer.Option("--amount", help="Tokens, such as 5 or 0.25.")]


@app.command()
def transfer(
    key: Key,
    to: Annotated[str, typer.Option("--to", help="Address, or a key file to read it from.")],
    amount: Amount,
    memo: Annotated[str, typer.Option("--memo", help="Up to 128 characters, public.")] = "",
    node: Node = DEFAULT_NODE,
    password_file: PasswordFile = None,
    wait: Wait = False,
    timeout: Timeout = TIMEOUT_S,
    as_json: Json = False,
) -> None:
    """Pay tokens to an account.

    \b
    Example:
      twinchain tx transfer --key testnet/accounts/alice.json --to ADDRESS --amount 5 --wait
    """
    from ledger.native import Transfer

    action = Transfer(to=address_of(to), amount_micro=micro(amount, "--amount"), memo=memo)
    send(Sending(key, node, password_file, wait, timeout, as_json), [action])


@app.command()
def stake(
    key: Key,
    amount: Amount,
    node: Node = DEFAULT_NODE,
    password_file: PasswordFile = None,
    wait: Wait = False,
    timeout: Timeout = TIMEOUT_S,
    as_json: Json = False,
) -> None:
    """Invest free tokens (members).

    \b
    Example:
      twinchain tx stake --key testnet/node-0/signing.json --amount 100 --wait
    """
    from ledger.native import Stake

    action = Stake(amount_micro=micro(amount, "--amount"))
    send(Sending(key, node, password_file, wait, timeout, as_json), [action])


@app.command()
def unstake(
    key: Key,
    amount: Amount,
    node: Node = DEFAULT_NODE,
    password_file: PasswordFile = None,
    wait: Wait = False,
    timeout: Timeout = TIMEOUT_S,
    as_json: Json = False,
) -> None:
    """Withdraw invested tokens; they are free after the unbonding time (members).

    \b
    Example:
      twinchain tx unstake --key testnet/node-0/signing.json --amount 100 --wait
    """
    from ledger.native import Unstake

    action = Unstake(amount_micro=micro(amount, "--amount"))
    send(Sending(key, node, password_file, wait, timeout, as_json), [action])


@app.command()
def register(
    key: Key,
    account: Annotated[str, typer.Option("--account", help="Address, or a key file.")],
    name: Annotated[str, typer.Option("--name", help="Name shown for it.")],
    role: Annotated[str, typer.Option("--role", help="its or account.")] = "its",
    node: Node = DEFAULT_NODE,
    password_file: PasswordFile = None,
    wait: Wait = False,
    timeout: Timeout = TIMEOUT_S,
    as_json: Json = False,
) -> None:
    """Admit an ITS subsystem, or name an account, as its sponsor (members).

    \b
    Example:
      twinchain tx register --key testnet/node-0/signing.json --account keys/tram.json --name tram
    """
    from ledger.native import Register

    match role:
        case "its" | "account":
            action = Register(account=address_of(account), name=name, role=role)
        case _:
            fail(ExitCode.USAGE, f"--role is its or account, not {role!r}")
    send(Sending(key, node, password_file, wait, timeout, as_json), [action])
