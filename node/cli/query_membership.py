"""`twinchain query`, the part about membership: members, proposals, voting sets; and waiting."""

from collections.abc import Mapping, Sequence
from typing import Annotated

import typer

from node.cli.listing import Column, Names, show_list, show_one
from node.cli.output import money, note, print_json
from node.cli.query import Limit, app
from node.cli.remote import DEFAULT_NODE, Json, Node, address_of, data_of, fetch
from node.cli.waiting import GOALS, wait_for

__all__ = ["app"]

WAIT_S = 300.0


@app.command()
def members(node: Node = DEFAULT_NODE, as_json: Json = False) -> None:
    """Members: status, seat, stake, votes since the last boundary.

    \b
    Example:
      twinchain query members
    """
    columns: Sequence[Column] = (
        ("name", lambda row, _: row.get("name")),
        ("status", lambda row, _: row.get("status")),
        ("seat", lambda row, _: _seat(row)),
        ("stake", lambda row, _: money(row.get("stake_micro"))),
        ("votes", lambda row, _: f"{row.get('votes_seen')}/{row.get('votes_due')}"),
        ("missed", lambda row, _: row.get("turns_missed")),
        ("address", lambda row, _: row.get("address")),
    )
    show_list(fetch(node, "/v1/members", {"limit": 200}), as_json, columns)


@app.command()
def member(
    who: Annotated[str, typer.Argument(metavar="ADDRESS", help="Address, or a key file.")],
    until: Annotated[
        str | None, typer.Option("--until", help=f"Wait for: {', '.join(GOALS)}.")
    ] = None,
    timeout: Annotated[float, typer.Option("--timeout", help="Seconds to wait.")] = WAIT_S,
    node: Node = DEFAULT_NODE,
    as_json: Json = False,
) -> None:
    """One member or applicant; with --until, wait and say how far it is (exit 4: not in time).

    \b
    Examples:
      twinchain query member testnet/node-4/signing.json
      twinchain query member ADDRESS --until seated
    """
    address = address_of(who)
    if until is None:
        show_one(fetch(node, f"/v1/members/{address}"), as_json)
        return
    found = wait_for(node, address, until, timeout, note)
    if as_json:
        print_json({"data": found})
    else:
        print(f"{found.get('name')}: {found.get('status')}, seat: {_seat(found)}")


@app.command()
def applications(node: Node = DEFAULT_NODE, as_json: Json = False) -> None:
    """Who has applied to become a member.

    \b
    Example:
      twinchain query applications
    """
    columns: Sequence[Column] = (
        ("name", lambda row, _: row.get("name")),
        ("endpoint", lambda row, _: row.get("endpoint")),
        ("resource", lambda row, _: row.get("comprehensive_resource")),
        ("expires", lambda row, _: row.get("expires")),
        ("proposed", lambda row, _: "yes" if row.get("proposal") else "-"),
        ("address", lambda row, _: row.get("address")),
    )
    show_list(fetch(node, "/v1/applications", {"limit": 200}), as_json, columns)


@app.command()
def proposals(
    decided: Annotated[bool, typer.Option("--decided", help="Those that are over.")] = False,
    node: Node = DEFAULT_NODE,
    as_json: Json = False,
) -> None:
    """What the members are deciding, with approvals.

    \b
    Examples:
      twinchain query proposals
      twinchain query proposals --decided
    """
    open_columns: Sequence[Column] = (
        ("proposal", lambda row, _: row.get("proposal")),
        ("change", lambda row, names: _change(row.get("change"), names)),
        ("approvals", lambda row, _: f"{row.get('counted')} of {row.get('needed')}"),
        ("proposer", lambda row, names: names(row.get("proposer"))),
        ("expires", lambda row, _: row.get("expires")),
    )
    decided_columns: Sequence[Column] = (
        ("block", lambda row, _: row.get("decided")),
        ("status", lambda row, _: row.get("status")),
        ("change", lambda row, names: _change(row.get("change"), names)),
        ("approved by", lambda row, names: _listed(row.get("approvals"), names)),
    )
    status = "decided" if decided else "open"
    document = fetch(node, "/v1/proposals", {"status": status, "limit": 200})
    show_list(document, as_json, decided_columns if decided else open_columns)


@app.command()
def sets(limit: Limit = 20, node: Node = DEFAULT_NODE, as_json: Json = False) -> None:
    """Who voted from which block on, and what the next boundary changes.

    \b
    Example:
      twinchain query sets
    """
    columns: Sequence[Column] = (
        ("from block", lambda row, _: row.get("first")),
        ("seats", lambda row, _: row.get("size")),
        ("joined", lambda row, names: _listed(row.get("joined"), names)),
        ("left", lambda row, names: _listed(row.get("left"), names)),
    )
    show_list(fetch(node, "/v1/validator-sets", {"limit": limit}), as_json, columns)
    if not as_json:
        document = fetch(node, "/v1/validator-sets/next")
        coming, names = data_of(document), Names(document)
        print(
            f"next boundary: block {coming.get('boundary')}, in {coming.get('blocks_left')} blocks"
        )
        for group in ("joining", "leaving", "staying", "announced"):
            if coming.get(group):
                print(f"  {group:<9}  {_listed(coming[group], names)}")


def _seat(row: Mapping[str, object]) -> str:
    """`yes`, `until 400`, `from 400` or `-`."""
    if row.get("seated"):
        return f"until {row['seat_until']}" if row.get("seat_until") else "yes"
    return f"from {row['seat_from']}" if row.get("seat_from") else "-"


def _listed(addresses: object, names: Names) -> str:
    found = [str(names(each)) for each in addresses] if isinstance(addresses, list) else []
    return ", ".join(found) or "-"


def _change(change: object, names: Names) -> str:
    if not isinstance(change, dict):
        return "-"
    if "account" in change:
        return f"{change.get('kind')} {names(change['account'])}"
    return f"{change.get('scope')}.{change.get('name')} = {change.get('value')}"
