"""What each market action does to the state, or why it is refused.

Who may: a bid is sent by a registered ITS subsystem, an ask by an active, compliant member whose
open asks and running agreements stay within what it declared; a cancel by the order's owner; a
rating by the buyer of an ended agreement.  A bid sets aside the most it can come to cost, an ask
only its deposit; either is returned in full when the order closes without a partner.
"""

from collections.abc import Mapping

from auction.actions import ACTIONS, MAX_PRICE, Ask, Bid, Cancel, Rate
from auction.agreements import rate
from auction.brokers import require_broker
from auction.departures import close_unmatched
from auction.orders import (
    OpenOrder,
    commit,
    committed_resources,
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
from ledger.accounts import reserve
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

_LEAST_THETA_MILLI = 1


def place_bid(context: ActionContext, overlay: Overlay, bid: Bid) -> None:
    """Open a bid and set aside the most it can come to cost, plus the deposit.

    Raises Rejected: ROLE_NOT_ALLOWED, the refusals of `_open`, PRICE_OUT_OF_BOUNDS for a value that
    is zero or above MAX_PRICE at the chain's largest resource, INSUFFICIENT_FUNDS.
    """
    registration = read_registration(overlay, context.sender)
    if registration is None or registration.role != "its":
        raise Rejected(Reason.ROLE_NOT_ALLOWED, "only a registered ITS subsystem bids")
    market = market_parameters(overlay)
    worst = value_of_service(bid, market.largest_resource, market.largest_resource)
    if not 1 <= worst <= MAX_PRICE:
        raise Rejected(Reason.PRICE_OUT_OF_BOUNDS, f"value at the largest resource: {worst} micro")
    _open(context, overlay, bid, worst, market.largest_resource)


def place_ask(context: ActionContext, overlay: Overlay, ask: Ask) -> None:
    """Open an ask and commit its resources.

    Raises Rejected: ROLE_NOT_ALLOWED, NOT_COMPLIANT, ZERO_AMOUNT for a slot of nothing,
    RESOURCES_EXCEEDED, PRICE_OUT_OF_BOUNDS for a cost out of bounds even for the smallest service,
    the refusals of `_open`, INSUFFICIENT_FUNDS.
    """
    member = require_member(overlay, context.sender, "active")
    parameters = context.block.parameters
    if not is_compliant(member, parameters):
        raise Rejected(Reason.NOT_COMPLIANT, "declared resources are below the threshold")
    if ask.resources == Resources(0, 0, 0):
        # It would count in nothing that is committed, so it would outlive a server that left.
        raise Rejected(Reason.ZERO_AMOUNT, "an ask offers something")
    if cost_of_service(ask.cost, _LEAST_THETA_MILLI, 1, 1) is None:
        raise Rejected(Reason.PRICE_OUT_OF_BOUNDS, "no service is small enough for this cost")
    _require_resources(overlay, context.sender, member, ask.resources)
    level = comprehensive_resource(ask.resources, parameters)
    _open(context, overlay, ask, 0, level)
    commit(overlay, context.sender, ask.resources)


def cancel_order(context: ActionContext, overlay: Overlay, cancel: Cancel) -> None:
    """Close an open order of the sender; it takes no part in this block's round.

    Raises Rejected: UNKNOWN_ORDER, NOT_OWNER.
    """
    order = bytes.fromhex(cancel.order)
    record = read_order(overlay, order)
    if record is None:
        raise Rejected(Reason.UNKNOWN_ORDER, "no open order of this id")
    if record.owner != context.sender:
        raise Rejected(Reason.NOT_OWNER, "only the owner cancels an order")
    close_unmatched(overlay, order, record, "cancelled", context.block.height)


def rate_service(context: ActionContext, overlay: Overlay, action: Rate) -> None:
    """Rate an ended agreement.  Raises UNKNOWN_AGREEMENT, NOT_OWNER, RATING_CLOSED."""
    agreement = bytes.fromhex(action.agreement)
    rate(overlay, agreement, context.sender, action.rating_bp, context.block.height)


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

    Raises Rejected: UNKNOWN_BROKER, BROKER_SUSPENDED, ORDER_EXPIRED, ORDER_TOO_LONG, LIMIT_EXCEEDED
    for the caps on open orders, STEP_TOO_SMALL, INSUFFICIENT_FUNDS.
    """
    tariff = require_broker(overlay, terms.broker).tariff
    market = market_parameters(overlay)
    height = context.block.height
    if terms.expires <= height:
        raise Rejected(Reason.ORDER_EXPIRED, f"last round {terms.expires}, this is block {height}")
    if terms.expires > height + market.order_blocks:
        raise Rejected(Reason.ORDER_TOO_LONG, f"at most {market.order_blocks} blocks")
    broker, owner = bytes.fromhex(terms.broker), bytes.fromhex(context.sender)
    if open_count(overlay, broker, owner) >= market.orders_per_account:
        raise Rejected(Reason.LIMIT_EXCEEDED, f"{market.orders_per_account} orders in this book")
    bids, asks = side_counts(overlay, broker)
    if (bids if isinstance(terms, Bid) else asks) >= market.orders_per_side:
        raise Rejected(Reason.LIMIT_EXCEEDED, "this side of the book is full")
    record = OpenOrder(
        owner=context.sender,
        submitted=height,
        admitted=0,
        reserved_micro=reserve_micro + market.order_deposit_micro,
        resource=resource,
        terms=terms,
    )
    rounds = ladder_rounds(tariff, market)
    if (
        least_rounds(terms.open_ppm, terms.omega_micro, terms.mu) > rounds
        or len(path_of(record).ladder) - 1 > rounds
    ):
        raise Rejected(Reason.STEP_TOO_SMALL, "the price takes too many rounds to its reservation")
    reserve(overlay, context.sender, record.reserved_micro)
    insert(overlay, order_id(context.transaction_id, context.action_index), record)


HANDLERS: Mapping[type[Action], Handler] = {
    Bid: place_bid,
    Ask: place_ask,
    Cancel: cancel_order,
    Rate: rate_service,
}

__all__ = ["ACTIONS", "HANDLERS"]
