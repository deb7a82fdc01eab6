"""What each market action does to the state, or why it is refused.

Who may: a bid is sent by a registered ITS subsystem, an ask by an active, compliant member whose
open asks and running agreements stay within what it declared; a cancel by the order's owner; a
reprice by the owner that could send the order anew; a rating by the buyer of an ended agreement.
A bid sets aside the most it can come to cost, an ask only its deposit; either is returned in full
when the order closes without a partner.
"""

from collections.abc import Mapping

from msgspec.structs import replace

from auction.actions import (
    ACTIONS,
    MAX_PRICE,
    Ask,
    AskPrice,
    Bid,
    BidPrice,
    Cancel,
    Rate,
    Reprice,
    price_fields,
)
from auction.agreements import rate
from auction.brokers import require_broker
from auction.classes import require_class
from auction.departures import close_unmatched, withdraw
from auction.expiry import require_room
from auction.orders import (
    OpenOrder,
    commit,
    committed_resources,
    exchange,
    insert,
    open_count,
    order_id,
    read_order,
    side_counts,
)
from auction.pairing import ladder_rounds, path_of
from auction.parameters import market_parameters
from auction.pricing import least_rounds
from auction.valuation import cost_of_service, value_of_service
from ledger.accounts import release, reserve
from ledger.errors import Reason, Rejected
from ledger.execution import ActionContext, Handler
from ledger.members import (
    Member,
    Resources,
    comprehensive_resource,
    is_compliant,
    read_registration,
    require_member,
)
from ledger.state import Overlay
from ledger.transactions import Action
from ledger.types import Address, Digest

_LEAST_THETA_MILLI = 1

_COMMITTED_ALREADY = Resources(0, 0, 0)
"""What a reprice adds to what its server has committed: it keeps its slot."""


def place_bid(context: ActionContext, overlay: Overlay, bid: Bid) -> None:
    """Open a bid and set aside the most it can come to cost, plus the deposit.

    Raises Rejected: ROLE_NOT_ALLOWED, the refusals of `_open`, PRICE_OUT_OF_BOUNDS for a value that
    is zero or above MAX_PRICE at the chain's largest resource, INSUFFICIENT_FUNDS.
    """
    _require_buyer(overlay, context.sender)
    _open(context, overlay, bid, *_worst_case(overlay, bid))


def place_ask(context: ActionContext, overlay: Overlay, ask: Ask) -> None:
    """Open an ask and commit its resources.

    Raises Rejected: ROLE_NOT_ALLOWED, NOT_COMPLIANT, ZERO_AMOUNT for a slot of nothing,
    RESOURCES_EXCEEDED, PRICE_OUT_OF_BOUNDS for a cost out of bounds even for the smallest service,
    the refusals of `_open`, INSUFFICIENT_FUNDS.
    """
    member = _require_seller(context, overlay)
    if ask.resources == Resources(0, 0, 0):
        # It would count in nothing that is committed, so it would outlive a server that left.
        raise Rejected(Reason.ZERO_AMOUNT, "an ask offers something")
    _require_cost(ask)
    _require_resources(overlay, context.sender, member, ask.resources)
    level = comprehensive_resource(ask.resources, context.block.parameters)
    _open(context, overlay, ask, 0, level)
    commit(overlay, context.sender, ask.resources)


def reprice_order(context: ActionContext, overlay: Overlay, action: Reprice) -> None:
    """Give an open order of the sender another price; it takes no part in this block's round.

    It keeps its id and its slot, and is admitted anew at the end of the block as if it were sent
    now: frozen pairs go, the broker's tariff in force holds for it, and what it sets aside is
    changed by exactly the difference.  Raises Rejected: UNKNOWN_ORDER, NOT_OWNER, WRONG_SIDE, and
    what a new order of its kind would raise.
    """
    order = bytes.fromhex(action.order)
    record = _own_order(overlay, order, context.sender)
    price, terms = action.price, record.terms
    level, worst = record.resource, 0
    if isinstance(terms, Bid) and isinstance(price, BidPrice):
        _require_buyer(overlay, context.sender)
        terms = replace(terms, **price_fields(price))
        worst, level = _worst_case(overlay, terms)
    elif isinstance(terms, Ask) and isinstance(price, AskPrice):
        member = _require_seller(context, overlay)
        terms = replace(terms, **price_fields(price))
        _require_cost(terms)
        _require_resources(overlay, context.sender, member, _COMMITTED_ALREADY)
        level = comprehensive_resource(terms.resources, context.block.parameters)
    else:
        raise Rejected(Reason.WRONG_SIDE, f"the order is a {record.side}")
    again = _admissible(context, overlay, terms, (worst, level), record)
    withdraw(overlay, order, record, context.block.height)
    release(overlay, record.owner, record.reserved_micro)
    reserve(overlay, record.owner, again.reserved_micro)
    exchange(overlay, order, record, again)


def cancel_order(context: ActionContext, overlay: Overlay, cancel: Cancel) -> None:
    """Close an open order of the sender; it takes no part in this block's round.

    Raises Rejected: UNKNOWN_ORDER, NOT_OWNER.
    """
    order = bytes.fromhex(cancel.order)
    record = _own_order(overlay, order, context.sender)
    close_unmatched(overlay, order, record, "cancelled", context.block.height)


def rate_service(context: ActionContext, overlay: Overlay, action: Rate) -> None:
    """Rate an ended agreement.  Raises UNKNOWN_AGREEMENT, NOT_OWNER, RATING_CLOSED."""
    agreement = bytes.fromhex(action.agreement)
    rate(overlay, agreement, context.sender, action.rating_bp, context.block.height)


def _own_order(overlay: Overlay, order: Digest, sender: Address) -> OpenOrder:
    record = read_order(overlay, order)
    if record is None:
        raise Rejected(Reason.UNKNOWN_ORDER, "no open order of this id")
    if record.owner != sender:
        raise Rejected(Reason.NOT_OWNER, "only the owner touches an order")
    return record


def _require_buyer(overlay: Overlay, sender: Address) -> None:
    registration = read_registration(overlay, sender)
    if registration is None or registration.role != "its":
        raise Rejected(Reason.ROLE_NOT_ALLOWED, "only a registered ITS subsystem bids")


def _require_seller(context: ActionContext, overlay: Overlay) -> Member:
    member = require_member(overlay, context.sender, "active")
    if not is_compliant(member, context.block.parameters):
        raise Rejected(Reason.NOT_COMPLIANT, "declared resources are below the threshold")
    return member


def _worst_case(overlay: Overlay, bid: Bid) -> tuple[int, int]:
    """Return the most a bid can come to cost, and the resource level at which it does."""
    largest = market_parameters(overlay).largest_resource
    worst = value_of_service(bid, largest, largest)
    if not 1 <= worst <= MAX_PRICE:
        raise Rejected(Reason.PRICE_OUT_OF_BOUNDS, f"value at the largest resource: {worst} micro")
    return worst, largest


def _require_cost(ask: Ask) -> None:
    if cost_of_service(ask.cost, _LEAST_THETA_MILLI, 1, 1) is None:
        raise Rejected(Reason.PRICE_OUT_OF_BOUNDS, "no service is small enough for this cost")


def _require_resources(overlay: Overlay, seller: str, member: Member, asked: Resources) -> None:
    used, declared = committed_resources(overlay, seller), member.resources
    for name in ("computation", "communication", "modelling"):
        wanted = getattr(used, name) + getattr(asked, name)
        if wanted > getattr(declared, name):
            raise Rejected(
                Reason.RESOURCES_EXCEEDED,
                f"{name}: {wanted} with what is committed, {getattr(declared, name)} declared",
            )


def _open(
    context: ActionContext,
    overlay: Overlay,
    terms: Bid | Ask,
    reserve_micro: int,
    resource: int,
) -> None:
    """Open an order of either side.

    Raises Rejected: LIMIT_EXCEEDED for the caps on open orders, the refusals of `_admissible`,
    INSUFFICIENT_FUNDS.
    """
    require_broker(overlay, terms.broker)
    market = market_parameters(overlay)
    broker, owner = bytes.fromhex(terms.broker), bytes.fromhex(context.sender)
    if open_count(overlay, broker, owner) >= market.orders_per_account:
        raise Rejected(Reason.LIMIT_EXCEEDED, f"{market.orders_per_account} orders in this book")
    bids, asks = side_counts(overlay, broker)
    if (bids if isinstance(terms, Bid) else asks) >= market.orders_per_side:
        raise Rejected(Reason.LIMIT_EXCEEDED, "this side of the book is full")
    record = _admissible(context, overlay, terms, (reserve_micro, resource), None)
    reserve(overlay, context.sender, record.reserved_micro)
    insert(overlay, order_id(context.transaction_id, context.action_index), record)


def _admissible(
    context: ActionContext,
    overlay: Overlay,
    terms: Bid | Ask,
    worth: tuple[int, int],
    before: OpenOrder | None,
) -> OpenOrder:
    """Return the record of an order sent now, or repriced now that was `before`.

    `worth` is what it may come to cost and its resource level.  Raises Rejected: UNKNOWN_BROKER,
    BROKER_SUSPENDED, ORDER_EXPIRED, ORDER_TOO_LONG, EXPIRY_FULL, UNFIT_FOR_CLASS, STEP_TOO_SMALL.
    """
    broker = require_broker(overlay, terms.broker)
    market = market_parameters(overlay)
    height = context.block.height
    if terms.expires <= height:
        raise Rejected(Reason.ORDER_EXPIRED, f"last round {terms.expires}, this is block {height}")
    if terms.expires > height + market.order_blocks:
        raise Rejected(Reason.ORDER_TOO_LONG, f"at most {market.order_blocks} blocks")
    if before is None or before.terms.expires != terms.expires:
        require_room(overlay, height, terms.expires, market)
    address, owner = bytes.fromhex(terms.broker), bytes.fromhex(context.sender)
    others = open_count(overlay, address, owner) - (before is not None)
    require_class(broker.tariff, terms, worth[1], others)
    record = OpenOrder(
        owner=context.sender,
        submitted=height,
        admitted=0,
        reserved_micro=worth[0] + market.order_deposit_micro,
        tariff=broker.version,
        resource=worth[1],
        terms=terms,
    )
    rounds = ladder_rounds(broker.tariff, market)
    if (
        least_rounds(terms.open_ppm, terms.omega_micro, terms.mu) > rounds
        or len(path_of(record).ladder) - 1 > rounds
    ):
        raise Rejected(Reason.STEP_TOO_SMALL, "the price takes too many rounds to its reservation")
    return record


HANDLERS: Mapping[type[Action], Handler] = {
    Bid: place_bid,
    Ask: place_ask,
    Reprice: reprice_order,
    Cancel: cancel_order,
    Rate: rate_service,
}

__all__ = ["ACTIONS", "HANDLERS"]
