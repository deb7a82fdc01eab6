"""What the market does at the end of every block, after its round.

Agreements that end are paid and rating windows close; orders whose last round was this one expire
and get back what they had set aside; then the orders this block brought join their books; last,
tariffs announced for the next height come in force.  Each step reads only what is due.
"""

from auction import keys
from auction.admission import admit_arrivals
from auction.agreements import process_due
from auction.departures import close_unmatched
from auction.orders import read_order
from auction.parameters import market_parameters
from auction.tariffs import put_in_force
from ledger.errors import Corrupt
from ledger.execution import BlockContext
from ledger.state import Overlay


def close(context: BlockContext, overlay: Overlay) -> None:
    """Carry out what is due at this height."""
    market = market_parameters(overlay)
    process_due(overlay, context.height, market)
    prefix = keys.at_height(keys.EXPIRY, context.height)
    for key, _ in overlay.scan(prefix):
        order = key[len(prefix) :]
        record = read_order(overlay, order)
        if record is None:
            raise Corrupt(f"order {order.hex()} expires but is not open")
        close_unmatched(overlay, order, record, "expired", context.height + 1)
    admit_arrivals(context, overlay, market)
    put_in_force(overlay, context.height)
