"""`twinchain verify`: prove a chain, its beacon, a transaction, a trade, an entry of the state."""

import time
from typing import TYPE_CHECKING, Annotated

import typer

from node.cli.exits import ExitCode, fail
from node.cli.output import fields, money, short, table
from node.cli.proving import (
    Document,
    GenesisFile,
    GenesisHash,
    Known,
    Nodes,
    TrustFile,
    digest_of,
    nodes_of,
    plain_of,
    prove,
    require_whole,
)
from node.cli.remote import Json

if TYPE_CHECKING:
    from node.client.comparison import Comparison
    from node.client.light import LightClient

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Prove what nodes say, trusting the genesis and no node.  Exit code 3: it is not proven; "
    "7: proven in part (`not_proven` says what is left open).",
    epilog="What is proven and what is not: docs/light-client.md",
)

BEACON_HEIGHTS_MAX = 100_000
_TITLE = "proven"


@app.command()
def chain(
    every: Annotated[
        bool, typer.Option("--all", help="Check every header, not only those that are needed.")
    ] = False,
    node: Nodes = None,
    genesis: GenesisFile = None,
    genesis_hash: GenesisHash = None,
    trust_file: TrustFile = None,
    as_json: Json = False,
) -> None:
    """From the genesis to the newest block, by headers, signatures and changes of the voting set.

    \b
    Examples:
      twinchain verify chain --genesis testnet/genesis.json
      twinchain verify chain --genesis testnet/genesis.json --trust-file seen.json \\
          --node http://127.0.0.1:8080 --node http://127.0.0.1:8081
      twinchain verify chain --genesis-hash HASH --all --json
    """

    async def work(light: "LightClient", agreed: "Comparison") -> Document:
        tip = await light.header(agreed.height)
        header = tip.sighting.header
        checked = 0
        if every:
            async for _ in light.walk(1, agreed.height):
                checked += 1
        return {
            "chain": light.chain.name,
            "genesis_hash": light.chain.genesis_hash.hex(),
            "height": agreed.height,
            "hash": agreed.hash.hex(),
            "time_ms": header.time_ms,
            "age_ms": max(0, time.time_ns() // 1_000_000 - header.time_ms),
            "state_root": header.state_root,
            "validators": tip.validators.n,
            "quorum": tip.validators.quorum,
            "signers": len(tip.sighting.certificate.signatures),
            "set_changes": list(light.changes),
            "headers_checked": checked,
            "nodes": [{"url": url, "height": height} for url, height in agreed.tips],
        }

    known = Known(nodes_of(node), genesis, genesis_hash, trust_file, as_json)
    found = prove(known, work)
    if not as_json:
        changes, tips = found.pop("set_changes"), found.pop("nodes")
        fields(_TITLE, {**found, "set changed at": _listed(changes)})
        table("", ("node", "height"), [tuple(tip.values()) for tip in _rows(tips)])


@app.command()
def beacon(
    first: Annotated[int | None, typer.Option("--from", min=1, help="First height.")] = None,
    last: Annotated[int | None, typer.Option("--to", min=1, help="Last height.")] = None,
    newest: Annotated[
        int, typer.Option("--last", min=1, max=BEACON_HEIGHTS_MAX, help="So many newest heights.")
    ] = 20,
    node: Nodes = None,
    genesis: GenesisFile = None,
    genesis_hash: GenesisHash = None,
    trust_file: TrustFile = None,
    as_json: Json = False,
) -> None:
    """The seeds, the order of leaders drawn from them, and that each block had the right builder.

    Without --to the range ends at the tip, and its last seed is proven from the state as well.

    \b
    Examples:
      twinchain verify beacon --genesis testnet/genesis.json
      twinchain verify beacon --genesis testnet/genesis.json --from 1 --to 500 --json
    """

    from ledger.errors import ProofFailed

    async def work(light: "LightClient", agreed: "Comparison") -> Document:
        stated: bytes | None = None
        end = min(last or 0, agreed.height)
        if last is None:
            end, stated = await light.tip_seed()
        start = first or max(1, end - newest + 1)
        if start > end or end - start >= BEACON_HEIGHTS_MAX:
            fail(ExitCode.USAGE, f"no range of at most {BEACON_HEIGHTS_MAX} heights: {start}-{end}")
        rows: list[Document] = []
        seed = b""
        async for turn in light.turns(start, end):
            seed = turn.seed
            rows.append({"height": turn.height, "view": turn.view, "builder": turn.builder})
            rows[-1] |= {"leader": turn.order[0], "seed": turn.seed.hex()}
        if stated not in (None, seed):
            raise ProofFailed("seed", f"the state after {end} holds another seed")
        in_state = stated is not None
        return {"from": start, "to": end, "seed": seed.hex(), "in_state": in_state, "turns": rows}

    known = Known(nodes_of(node), genesis, genesis_hash, trust_file, as_json)
    found = prove(known, work)
    if not as_json:
        rows = _rows(found.pop("turns"))
        columns = ("height", "view", "builder", "V*", "seed after it")
        cells = [
            (r["height"], r["view"], short(r["builder"]), short(r["leader"]), short(r["seed"], 20))
            for r in rows
        ]
        table(_TITLE, columns, cells)
        fields("", found)


@app.command()
def tx(
    identifier: Annotated[str, typer.Argument(metavar="HASH", help="Transaction hash.")],
    node: Nodes = None,
    genesis: GenesisFile = None,
    genesis_hash: GenesisHash = None,
    trust_file: TrustFile = None,
    as_json: Json = False,
) -> None:
    """That a transaction is final, at which place, and with which receipt.

    \b
    Example:
      twinchain verify tx HASH --genesis testnet/genesis.json
    """
    identity = digest_of(identifier)

    async def work(light: "LightClient", _: "Comparison") -> Document:
        proven = await light.transaction(identity)
        return {
            "hash": identifier,
            "height": proven.height,
            "index": proven.index,
            "code": proven.code,
            "fee_micro": proven.fee_micro,
            "from": proven.transaction.envelope.from_,
            "nonce": proven.transaction.envelope.nonce,
            "transaction": plain_of(proven.transaction.raw),
        }

    known = Known(nodes_of(node), genesis, genesis_hash, trust_file, as_json)
    found = prove(known, work)
    if not as_json:
        whole = found.pop("transaction")
        actions = _rows(whole.get("actions")) if isinstance(whole, dict) else []
        fields(_TITLE, {**found, "actions": ", ".join(str(each.get("type")) for each in actions)})


@app.command()
def trade(
    agreement: Annotated[str, typer.Argument(metavar="AGREEMENT", help="Id of the agreement.")],
    height: Annotated[
        int | None,
        typer.Option("--height", min=1, help="Height of the trade, once the state forgot it."),
    ] = None,
    node: Nodes = None,
    genesis: GenesisFile = None,
    genesis_hash: GenesisHash = None,
    trust_file: TrustFile = None,
    as_json: Json = False,
) -> None:
    """That a trade was made, that its figures are right, and that no kept pair offered more.

    In a class of equal services (mcafee) its auction is worked out again from all its orders; a
    book too large for that leaves it open.  Then the rest is proven and the exit code is 7.

    \b
    Examples:
      twinchain verify trade AGREEMENT --genesis testnet/genesis.json
      twinchain verify trade AGREEMENT --height 1200 --genesis-hash HASH --json
    """
    identity = digest_of(agreement)

    async def work(light: "LightClient", _: "Comparison") -> Document:
        proven = await light.trade(identity, height)
        return {
            **proven.figures,
            "pricing": proven.pricing,
            "gain_micro": proven.gain_micro,
            "next_best_micro": proven.next_best_micro,
            "pairs": proven.pairs,
            "withdrawn": list(proven.withdrawn),
            "uncalled": list(proven.uncalled),
            "service_class": proven.service_class,
            "class_orders": proven.class_orders,
            "not_proven": list(proven.not_proven),
        }

    known = Known(nodes_of(node), genesis, genesis_hash, trust_file, as_json)
    found = prove(known, work)
    if not as_json:
        _show_trade(found)
    require_whole(found)


@app.command()
def state(
    kind: Annotated[
        str,
        typer.Argument(help="account, order, agreement, member, broker, beacon or key."),
    ],
    name: Annotated[str, typer.Argument(help="Address or id; `tip` of a beacon; a key in hex.")],
    node: Nodes = None,
    genesis: GenesisFile = None,
    genesis_hash: GenesisHash = None,
    trust_file: TrustFile = None,
    as_json: Json = False,
) -> None:
    """What the state after the newest block says of one thing, or that it says nothing.

    \b
    Examples:
      twinchain verify state account ADDRESS --genesis testnet/genesis.json
      twinchain verify state order ORDER --genesis testnet/genesis.json --json
    """
    from node.proofs.checks import STATE_KINDS, state_key

    if kind not in STATE_KINDS:
        fail(ExitCode.USAGE, f"{kind!r} is none of {', '.join(STATE_KINDS)}")
    try:
        state_key(kind, name)
    except ValueError as problem:
        fail(ExitCode.USAGE, f"{name!r}: {problem}")

    async def work(light: "LightClient", _: "Comparison") -> Document:
        proven = await light.state(kind, name)
        return {
            "kind": kind,
            "name": name,
            "height": proven.at.height,
            "state_root": proven.at.header.state_root,
            "present": proven.value is not None,
            "value": plain_of(proven.value),
        }

    known = Known(nodes_of(node), genesis, genesis_hash, trust_file, as_json)
    found = prove(known, work)
    if not as_json:
        value = found.pop("value")
        fields(_TITLE, found)
        if isinstance(value, dict):
            fields("  value", value)
        elif value is not None:
            print(f"  value  {value}")


# ------------------------------------------------------------------ showing
def _rows(value: object) -> list[Document]:
    return value if isinstance(value, list) else []


def _listed(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) and value else "-"


def _show_trade(found: Document) -> None:
    paid, received = money(found["paid_micro"]), money(found["received_micro"])
    fields(
        "proven in part" if found["not_proven"] else _TITLE,
        {
            "agreement": found["agreement"],
            "height": found["height"],
            "buyer": f"{found['buyer']}  paid {paid}",
            "seller": f"{found['seller']}  receives {received}",
            "broker": f"{found['broker']}  keeps {money(found['broker_micro'])}",
            "price": f"{money(found['price_micro'])}  ({found['pricing']})",
            "tariff": f"version {found['tariff']}",
            **(_class_lines(found) if found["service_class"] else _pair_lines(found)),
            "withdrawn": _listed(found["withdrawn"]),
            "not called": _listed(found["uncalled"]),
        },
    )


def _pair_lines(found: Document) -> Document:
    return {
        "weight": f"{money(found['weight_micro'])}: {money(found['buyer_label_micro'])} to the"
        f" buyer, {money(found['seller_label_micro'])} to the seller",
        "best of": f"{found['pairs']} pairs: gains {money(found['gain_micro'])},"
        f" the next would have been {money(found['next_best_micro'])}",
    }


def _class_lines(found: Document) -> Document:
    whole = f"the auction of its {found['class_orders']} orders comes to this trade and price"
    return {
        "class": f"{found['service_class']}: "
        + ("NOT PROVEN, its book is too large to be shown" if found["not_proven"] else whole),
        "buyer gains": money(found["gain_micro"]),
    }
