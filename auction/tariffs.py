"""A broker changes its tariff: announced in the open, in force after a notice, for new orders only.

`change_tariff` announces.  `tariff_notice_blocks` later the tariff is in force: an order sent or
repriced at that height or later is under it, and every order that was open before stays under the
version it was admitted under until it closes.  One change is under way at a time.  Another one
takes its place and starts a notice of its own; stating the tariff in force withdraws it.
Suspension withdraws it as well.

How many versions may have open orders at a time is bounded, so that a broker cannot split its book
into any number of rounds a block.
"""

from collections.abc import Mapping

from msgspec.structs import replace

from auction import keys
from auction.brokers import (
    MAX_LIVE_TARIFFS,
    Broker,
    FormerTariff,
    PendingTariff,
    Tariff,
    check_tariff,
    read_broker,
    require_broker,
    write_broker,
)
from auction.orders import live_versions
from auction.parameters import market_parameters
from ledger.errors import Corrupt, Reason, Rejected
from ledger.execution import ActionContext, Handler
from ledger.state import Event, Overlay, View
from ledger.transactions import Action
from ledger.types import Address


class ChangeTariff(Action, tag="change_tariff"):
    """A broker announces the tariff its orders shall have after the notice."""

    tariff: Tariff


def change_tariff(context: ActionContext, overlay: Overlay, action: ChangeTariff) -> None:
    """Announce a tariff, or withdraw the one announced.

    Raises Rejected: UNKNOWN_BROKER, BROKER_SUSPENDED, INVALID_TARIFF (also for the tariff in force
    when there is nothing to withdraw), LIMIT_EXCEEDED while too many versions have open orders.
    """
    sender, height = context.sender, context.block.height
    broker = require_broker(overlay, sender)
    check_tariff(action.tariff)
    withdrawn = withdraw_change(overlay, sender, broker)
    if action.tariff == broker.tariff:
        if not broker.pending:
            raise Rejected(Reason.INVALID_TARIFF, "this tariff is in force already")
        _report(overlay, "broker.tariff_withdrawn", sender, withdrawn, height)
        return
    live = live_versions(overlay, bytes.fromhex(sender))
    if len([version for version in live if version != broker.version]) >= MAX_LIVE_TARIFFS - 1:
        raise Rejected(Reason.LIMIT_EXCEEDED, "orders under too many former tariffs are still open")
    effective = height + market_parameters(overlay).tariff_notice_blocks
    pending = (PendingTariff(effective, action.tariff),)
    write_broker(overlay, sender, replace(withdrawn, pending=pending))
    overlay.put(_due_key(effective, sender), keys.PRESENT)
    _report(overlay, "broker.tariff_announced", sender, withdrawn, effective)


def withdraw_change(overlay: Overlay, address: Address, broker: Broker) -> Broker:
    """Drop the change that is under way, if there is one; return the broker as it then is."""
    for pending in broker.pending:
        overlay.delete(_due_key(pending.effective, address))
    withdrawn = replace(broker, pending=())
    write_broker(overlay, address, withdrawn)
    return withdrawn


def with_tariff(view: View, address: Address, broker: Broker, tariff: Tariff) -> Broker:
    """Return a broker with its next tariff in force; the one before stays while orders have it."""
    live = live_versions(view, bytes.fromhex(address))
    known = (*broker.former, FormerTariff(broker.version, broker.tariff))
    former = tuple(entry for entry in known if entry.version in live)
    return replace(broker, tariff=tariff, version=broker.version + 1, former=former, pending=())


def put_in_force(overlay: Overlay, height: int) -> None:
    """Closing step: put in force what was announced for the next height."""
    prefix = keys.at_height(keys.TARIFF_DUE, height + 1)
    for key, _ in overlay.scan(prefix):
        address = key[len(prefix) :].hex()
        broker = read_broker(overlay, address)
        if broker is None or not broker.pending:
            raise Corrupt(f"a tariff of {address} is due but not announced")
        overlay.delete(key)
        changed = with_tariff(overlay, address, broker, broker.pending[0].tariff)
        write_broker(overlay, address, changed)
        _report(overlay, "broker.tariff_changed", address, changed, height + 1)


def _due_key(effective: int, address: Address) -> bytes:
    return keys.at_height(keys.TARIFF_DUE, effective) + bytes.fromhex(address)


def _report(overlay: Overlay, kind: str, address: Address, broker: Broker, effective: int) -> None:
    facts: dict[str, str | int | list[str] | list[int]] = {
        "broker": address,
        "name": broker.name,
        "version": broker.version,
        "effective": effective,
    }
    overlay.emit(Event(kind, (address,), facts))


ACTIONS: tuple[type[Action], ...] = (ChangeTariff,)

HANDLERS: Mapping[type[Action], Handler] = {ChangeTariff: change_tariff}
