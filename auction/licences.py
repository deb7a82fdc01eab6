"""A broker's way in and out: it applies with a tariff, the members admit or suspend it (rule M7).

`apply_broker` is open to anyone who is neither a member nor registered otherwise.  The tariff in an
application cannot change while it stands or is voted on, so the members know what they admit.  A
suspended broker's book is frozen at once: no round, no new order; its orders close some a block
(`auction.departures`).  When the last has gone it may be admitted again, under its old tariff or
under a new one it has applied with since.  How an active broker changes its tariff:
`auction.tariffs`.
"""

from collections.abc import Mapping

from msgspec.structs import replace

from auction.brokers import Broker, Tariff, brokers, check_tariff, read_broker, write_broker
from auction.departures import freeze, thaw
from auction.sealed import MAX_BROKERS, least_bytes
from auction.tariffs import with_tariff, withdraw_change
from ledger.codec import Codec, Record, encode
from ledger.errors import Reason, Rejected
from ledger.execution import ActionContext, Handler, require_first
from ledger.members import Registration, read_member, read_registration, write_registration
from ledger.proposals import AdmitBroker, Change, Executor, SuspendBroker, is_open
from ledger.state import Event, Overlay, View
from ledger.transactions import Action
from ledger.types import Address, Height, Name

APPLICATION_PREFIX = b"broker-application/"


class ApplyBroker(Action, tag="apply_broker"):
    """Ask to run a book under this tariff."""

    name: Name
    tariff: Tariff


class BrokerApplication(Record):
    """What a broker asked for; void after height `expires`."""

    name: Name
    tariff: Tariff
    expires: Height


_APPLICATIONS = Codec(BrokerApplication)


def read_broker_application(view: View, address: Address, height: int) -> BrokerApplication | None:
    """Return the application that is good at `height`, None when there is none."""
    stored = view.get(APPLICATION_PREFIX + bytes.fromhex(address))
    application = None if stored is None else _APPLICATIONS.decode_trusted(stored)
    return None if application is None or application.expires < height else application


def apply_broker(context: ActionContext, overlay: Overlay, action: ApplyBroker) -> None:
    """Lodge an application.  Raises LIMIT_EXCEEDED, ALREADY_REGISTERED, INVALID_TARIFF."""
    require_first(context)
    sender, height = context.sender, context.block.height
    broker, registration = read_broker(overlay, sender), read_registration(overlay, sender)
    if read_member(overlay, sender) is not None or (broker is not None and _is_open(broker)):
        raise Rejected(Reason.ALREADY_REGISTERED, "the account is a member's or a broker's")
    if registration is not None and registration.role != "broker":
        raise Rejected(Reason.ALREADY_REGISTERED, f"the account is registered: {registration.role}")
    standing = read_broker_application(overlay, sender, height)
    if standing is not None or is_open(overlay, AdmitBroker(sender), height):
        raise Rejected(Reason.ALREADY_REGISTERED, "an application stands or is being voted on")
    check_tariff(action.tariff)
    expires = height + context.block.parameters.proposal_blocks
    application = BrokerApplication(action.name, action.tariff, expires)
    overlay.put(APPLICATION_PREFIX + bytes.fromhex(sender), encode(application))
    overlay.emit(Event("broker.applied", (sender,), {"broker": sender, "name": action.name}))


def admit_broker(context: ActionContext, overlay: Overlay, change: AdmitBroker) -> None:
    """Open a broker's book.

    Raises NO_APPLICATION, ALREADY_REGISTERED, BOOK_CLOSING while orders from before its suspension
    are open (none of them may meet a new one), and LIMIT_EXCEEDED where a block could not hold the
    rounds of one more broker: nobody could seal it.
    """
    account, height = change.account, context.block.height
    former = read_broker(overlay, account)
    if former is not None and _is_open(former):
        raise Rejected(Reason.ALREADY_REGISTERED, "the broker's book is open")
    thaw(overlay, account)
    application = read_broker_application(overlay, account, height)
    if application is not None:
        broker = Broker(name=application.name, tariff=application.tariff)
        if former is not None:
            # Numbers go on: a version that meant one tariff never means another.
            again = with_tariff(overlay, account, former, application.tariff)
            broker = replace(again, name=application.name, status="active")
        overlay.delete(APPLICATION_PREFIX + bytes.fromhex(account))
    elif former is not None:
        broker = replace(former, status="active")
    else:
        raise Rejected(Reason.NO_APPLICATION, "the account has not applied, or its time is over")
    registration = read_registration(overlay, account)
    if read_member(overlay, account) is not None or (
        registration is not None and registration.role != "broker"
    ):
        raise Rejected(Reason.ALREADY_REGISTERED, "the account has another role by now")
    _require_room(context, overlay)
    write_broker(overlay, account, broker)
    if registration is None:
        record = Registration(broker.name, "broker", context.sender, height)
        write_registration(overlay, account, record)
    overlay.emit(Event("broker.admitted", (account,), {"broker": account, "name": broker.name}))


def _require_room(context: ActionContext, overlay: Overlay) -> None:
    active = sum(_is_open(one) for _, one in brokers(overlay))
    room = context.block.parameters.max_sealed_bytes
    if active >= MAX_BROKERS or least_bytes(active + 1) > room:
        raise Rejected(Reason.LIMIT_EXCEEDED, f"{active} brokers are all a block has room for")


def suspend_broker(_context: ActionContext, overlay: Overlay, change: SuspendBroker) -> None:
    """Freeze a broker's book; every order closes and gets back what it set aside, some a block.

    Raises UNKNOWN_BROKER.
    """
    broker = read_broker(overlay, change.account)
    if broker is None or not _is_open(broker):
        raise Rejected(Reason.UNKNOWN_BROKER, "no broker with an open book")
    freeze(overlay, change.account)
    broker = withdraw_change(overlay, change.account, broker)
    write_broker(overlay, change.account, replace(broker, status="suspended"))
    facts = {"broker": change.account, "name": broker.name}
    overlay.emit(Event("broker.suspended", (change.account,), {**facts}))


def _is_open(broker: Broker) -> bool:
    return broker.status == "active"


ACTIONS: tuple[type[Action], ...] = (ApplyBroker,)

HANDLERS: Mapping[type[Action], Handler] = {ApplyBroker: apply_broker}

EXECUTORS: Mapping[type[Change], Executor] = {
    AdmitBroker: admit_broker,
    SuspendBroker: suspend_broker,
}
