"""What the market does at the end of every block, after its round.

Agreements that end are paid and rating windows close; orders whose last round was this one expire
and get back what they had set aside; then the orders this block brought join their books; last,
tariffs announced for the next height come in force, and it is noted where bids wait that no round
has called.  Each step reads only what is due, and does no more than a chain parameter allows:
`settlements_per_block`, `expiries_per_block` (kept when orders are sent), `pairs_per_block`.
"""

from auction.admission import admit_arrivals
from auction.agreements import process_due
from auction.departures import close_expired
from auction.edges import note_due
from auction.parameters import market_parameters
from auction.tariffs import put_in_force
from ledger.execution import BlockContext
from ledger.state import Overlay


def close(context: BlockContext, overlay: Overlay) -> None:
    """Carry out what is due at this height."""
    market = market_parameters(overlay)
    process_due(overlay, context.height, market)
    close_expired(overlay, context.height)
    admit_arrivals(context, overlay, market)
    put_in_force(overlay, context.height)
    note_due(overlay, context.height)
