"""Signs a transaction here, prints its hash, sends it, and waits for finality when asked.

The key never leaves this process.  The hash is printed before the first byte is sent, so that it
is known whatever happens afterwards; sending the same bytes again is harmless.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from node.cli.exits import ExitCode, fail
from node.cli.output import note, print_json
from node.cli.passwords import password_for
from node.cli.remote import Document, connection

if TYPE_CHECKING:
    from ledger.crypto import SigningKey
    from ledger.transactions import Action

# The largest transaction any chain's parameters allow.
MAX_BYTES = 2**20

Key = Annotated[Path, typer.Option("--key", help="Key file that signs.", show_default=False)]
PasswordFile = Annotated[
    Path | None,
    typer.Option(
        "--password-file",
        help="File with the password; else TWINCHAIN_PASSWORD_FILE, else `password` beside it.",
    ),
]
Wait = Annotated[bool, typer.Option("--wait", help="Wait until a block with it is final.")]
Timeout = Annotated[float, typer.Option("--timeout", help="Seconds to wait for finality.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@dataclass(frozen=True, slots=True)
class Sending:
    """How one transaction is to be signed and sent."""

    key: Path
    node: str
    password_file: Path | None
    wait: bool
    timeout_s: float
    as_json: bool


def signing_key(path: Path, password_file: Path | None) -> "SigningKey":
    """Open a key file; ends the command with exit 2 when it does not open."""
    from ledger.crypto import SigningKey
    from node.keyfiles import KeyFileError, KeyKind, load_seed, read_public

    try:
        read_public(path)
        seed = load_seed(path, password_for(path, password_file), KeyKind.SIGNING)
    except KeyFileError as problem:
        fail(ExitCode.USAGE, str(problem))
    return SigningKey.from_seed(seed)


def send(how: Sending, actions: "Sequence[Action]") -> None:
    """Sign and send `actions` as one transaction; never returns with a failure unreported."""
    from ledger.transactions import build_transaction

    key = signing_key(how.key, how.password_file)
    with connection(how.node) as client:
        status, nonce = client.status(), client.next_nonce(key.address)
    chain, genesis_hash = str(status["chain"]), bytes.fromhex(status["genesis_hash"])
    raw = build_transaction(key, genesis_hash, chain, nonce, actions)
    identifier = _identifier(raw, actions, chain, genesis_hash)
    if not how.as_json:
        print(identifier, flush=True)
    _submit(how, identifier, raw)
    if how.wait:
        _await_final(how, identifier)
    elif how.as_json:
        print_json({"hash": identifier, "status": "pending"})
    else:
        note("accepted, not final yet (--wait waits)")


def _identifier(raw: bytes, actions: "Sequence[Action]", chain: str, genesis_hash: bytes) -> str:
    """Decode what was built, as every node will: bad values fail here, not over there."""
    from ledger.errors import Rejected
    from ledger.transactions import TransactionCodec

    kinds = tuple(dict.fromkeys(type(action) for action in actions))
    codec = TransactionCodec(kinds, chain, genesis_hash, MAX_BYTES)
    try:
        return codec.decode(raw).id.hex()
    except Rejected as rejected:
        fail(ExitCode.USAGE, f"{rejected.reason}: {rejected.detail}")


def _submit(how: Sending, identifier: str, raw: bytes) -> None:
    from node.client.client import ApiError

    with connection(how.node, refused=ExitCode.REJECTED) as client:
        try:
            client.submit(raw)
        except ApiError as problem:
            if how.as_json:
                refusal = {"code": problem.code, "detail": problem.detail}
                print_json({"hash": identifier, "status": "rejected", **refusal})
            raise


def _await_final(how: Sending, identifier: str) -> None:
    """Wait until the transaction is final; exit 3 when it failed, 4 when time is up.

    A node that restarts meanwhile costs a pause, not the answer.
    """
    from node.client.client import ApiError, Unreachable, WaitTimeout
    from node.client.sync import SyncClient

    deadline = time.monotonic() + how.timeout_s
    status = "pending"
    while (left := deadline - time.monotonic()) > 0:
        try:
            with SyncClient(how.node) as client:
                _finished(how, identifier, client.wait_final(identifier, left))
            return
        except WaitTimeout as problem:
            status = problem.status
        except (Unreachable, ApiError):
            time.sleep(min(0.5, left))
    if how.as_json:
        print_json({"hash": identifier, "status": status})
    fail(
        ExitCode.TIMED_OUT,
        f"{identifier} is not final after {how.timeout_s:g} s (status {status})",
        f"it may still become final: twinchain query tx {identifier}",
    )


def _finished(how: Sending, identifier: str, data: Document) -> None:
    code, height, ids = data.get("code"), data.get("height"), data.get("order_ids")
    orders = [one for one in ids if one] if isinstance(ids, list) else []
    if how.as_json:
        final = {"hash": identifier, "status": "final", "height": height, "code": code}
        print_json({**final, "order_ids": orders} if orders else final)
    if code != "ok":
        # The same words as in the API's problems; the table imports nothing heavy.
        from node.api.codes import KINDS, REFUSED

        kind = KINDS.get(str(code), REFUSED)
        reason = f"{code} ({kind.title.lower()})"
        fail(ExitCode.REJECTED, f"final in block {height}, but it failed: {reason}", kind.hint)
    if not how.as_json:
        note(f"final in block {height}")
        for order in orders:
            print(f"order {order}")
