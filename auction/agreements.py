"""After the trade: the agreement, its payment, and what the buyer thought of the service.

A trade of round h opens an agreement from h to h + T.  What the seller is to receive stays reserved
at the buyer until the end and is then paid; if the server has left or was ejected before, it gets
the part of the time it served, rounded down, and the buyer the rest.  For `rating_blocks` after
the end the buyer may rate the service once, 0 to 10000 basis points:

    s_j <- (s_j M + rating paid) / (M + paid)          rounded down, never below the floor

with M the inertia and `paid` the money the seller really received, so that praise and blame weigh
what they cost.  No rating leaves s_j as it is.  The agreement goes when the window closes; events
keep its history, `auction.records` what it adds up to for its server.  s_j is what the election
multiplies stake with (Eq 1).
"""

from collections.abc import Iterator
from itertools import islice
from typing import Literal

from msgspec.structs import replace

from auction import keys
from auction.orders import uncommit
from auction.parameters import MarketParameters, market_parameters
from auction.records import note_end, note_rating
from ledger.accounts import credit, release, spend_reserved
from ledger.codec import Codec, Record, encode
from ledger.crypto import digest
from ledger.errors import Corrupt, Reason, Rejected
from ledger.members import Resources, read_member, set_satisfaction
from ledger.state import Event, Overlay, View
from ledger.types import Address, BasisPoints, Digest, Height, Hex32, Micro


class Agreement(Record, kw_only=True):
    """A service contract, running or ended."""

    bid: Hex32
    ask: Hex32
    buyer: Address
    seller: Address
    broker: Address
    resources: Resources
    """The slot it occupies."""
    start: Height
    end: Height
    held_micro: Micro
    """Reserved at the buyer for the seller while it runs; what was paid afterwards."""
    status: Literal["running", "ended"] = "running"
    rating_until: Height = 0
    """Last height at which it may be rated; 0 while it runs."""
    rated: bool = False
    rating_bp: BasisPoints = 0


_AGREEMENTS = Codec(Agreement)

_SERVING = ("active", "jailed", "admitted")
"""A jailed member does not vote, but its twin still serves."""


def agreement_id(bid: Digest, ask: Digest) -> Digest:
    """Return the id of the agreement between two orders."""
    return digest("agreement", bid + ask)


def read_agreement(view: View, agreement: Digest) -> Agreement | None:
    """Return an agreement, None when there is none or its window has closed."""
    stored = view.get(keys.AGREEMENT + agreement)
    return None if stored is None else _AGREEMENTS.decode_trusted(stored)


def agreements(view: View) -> Iterator[tuple[Digest, Agreement]]:
    """Yield every agreement in ascending order of id."""
    for key, stored in view.scan(keys.AGREEMENT):
        yield key[len(keys.AGREEMENT) :], _AGREEMENTS.decode_trusted(stored)


def open_agreement(overlay: Overlay, record: Agreement) -> Digest:
    """Store a new agreement; its payment is reserved already, its resources are committed."""
    agreement = agreement_id(bytes.fromhex(record.bid), bytes.fromhex(record.ask))
    overlay.put(keys.AGREEMENT + agreement, encode(record))
    overlay.put(keys.at_height(keys.AGREEMENT_DUE, record.end) + agreement, keys.PRESENT)
    seller = bytes.fromhex(record.seller)
    overlay.put(keys.AGREEMENT_SELLER + seller + agreement, keys.PRESENT)
    return agreement


def process_due(overlay: Overlay, height: int, market: MarketParameters) -> None:
    """Pay what ends at this height; drop what falls out of its rating window.

    No more than `settlements_per_block`, oldest first: agreements of many blocks may end at one
    height.  What is late is paid as if it were not; its rating window starts when it is paid.
    """
    late = overlay.get(keys.LATE_KEY)
    first = height if late is None else int.from_bytes(late, "big")
    left = market.settlements_per_block
    for due in range(first, height + 1):
        entries = list(islice(overlay.scan(keys.at_height(keys.AGREEMENT_DUE, due)), left + 1))
        for key, _ in entries[:left]:
            _settle_due(overlay, key, height, market)
        if len(entries) > left:
            overlay.put(keys.LATE_KEY, keys.height_bytes(due))
            return
        left -= len(entries)
    if late is not None:
        overlay.delete(keys.LATE_KEY)


def _settle_due(overlay: Overlay, key: bytes, height: int, market: MarketParameters) -> None:
    agreement = key[len(keys.AGREEMENT_DUE) + keys.HEIGHT_BYTES :]
    record = read_agreement(overlay, agreement)
    if record is None:
        raise Corrupt(f"agreement {agreement.hex()} is due but not stored")
    overlay.delete(key)
    if record.status == "running":
        _end(overlay, agreement, record, height, market)
    else:
        overlay.delete(keys.AGREEMENT + agreement)


def end_of_departed(
    overlay: Overlay, seller: bytes, height: int, market: MarketParameters, most: int
) -> int:
    """End up to `most` running agreements of a server that no longer serves, pro rata.

    Returns how many.
    """
    prefix = keys.AGREEMENT_SELLER + seller
    entries = list(islice(overlay.scan(prefix), most))
    for key, _ in entries:
        agreement = key[len(prefix) :]
        record = read_agreement(overlay, agreement)
        if record is None:
            raise Corrupt(f"agreement {agreement.hex()} is indexed but not stored")
        overlay.delete(keys.at_height(keys.AGREEMENT_DUE, record.end) + agreement)
        _end(overlay, agreement, record, height, market)
    return len(entries)


def has_departed(view: View, seller: Address) -> bool:
    """Say whether a server is no member any more."""
    member = read_member(view, seller)
    return member is None or member.status not in _SERVING


def _end(
    overlay: Overlay, agreement: Digest, record: Agreement, height: int, market: MarketParameters
) -> None:
    served = min(height, record.end) - record.start
    paid = record.held_micro * served // (record.end - record.start)
    spend_reserved(overlay, record.buyer, paid)
    credit(overlay, record.seller, paid)
    release(overlay, record.buyer, record.held_micro - paid)
    uncommit(overlay, record.seller, record.resources)
    overlay.delete(keys.AGREEMENT_SELLER + bytes.fromhex(record.seller) + agreement)
    until = height + market.rating_blocks
    ended = replace(record, status="ended", held_micro=paid, rating_until=until)
    overlay.put(keys.AGREEMENT + agreement, encode(ended))
    overlay.put(keys.at_height(keys.AGREEMENT_DUE, until) + agreement, keys.PRESENT)
    note_end(overlay, record.seller, paid, served=height >= record.end)
    overlay.emit(
        Event(
            kind="agreement.ended",
            accounts=(record.buyer, record.seller, record.broker),
            data={
                "agreement": agreement.hex(),
                "buyer": record.buyer,
                "seller": record.seller,
                "broker": record.broker,
                "paid_micro": paid,
                "refunded_micro": record.held_micro - paid,
                "reason": "served" if height >= record.end else "server_left",
                "rating_until": until,
            },
        )
    )


def blended_satisfaction(
    before_bp: int, rating_bp: int, paid: int, market: MarketParameters
) -> int:
    """Return the satisfaction after a rating, basis points, rounded down."""
    inertia = market.inertia_micro
    after = (before_bp * inertia + rating_bp * paid) // (inertia + paid)
    return max(market.satisfaction_floor_bp, after)


def rate(overlay: Overlay, agreement: Digest, sender: Address, rating_bp: int, height: int) -> None:
    """Let the buyer rate an ended agreement once.

    Raises Rejected: UNKNOWN_AGREEMENT (also past the window), NOT_OWNER for anyone but the buyer,
    RATING_CLOSED while it runs and after a rating.
    """
    record = read_agreement(overlay, agreement)
    if record is None or (record.status == "ended" and height > record.rating_until):
        # One whose window closed may still wait to be dropped.
        raise Rejected(Reason.UNKNOWN_AGREEMENT, "no agreement of this id, or its window closed")
    if record.buyer != sender:
        raise Rejected(Reason.NOT_OWNER, "only the buyer rates a service")
    if record.status != "ended" or record.rated:
        raise Rejected(Reason.RATING_CLOSED, "rated already, or not ended")
    rated = replace(record, rated=True, rating_bp=rating_bp)
    overlay.put(keys.AGREEMENT + agreement, encode(rated))
    member = read_member(overlay, record.seller)
    if member is None:
        raise Corrupt(f"seller {record.seller} has no member record")
    market = market_parameters(overlay)
    before = member.satisfaction_bp
    after = blended_satisfaction(before, rating_bp, record.held_micro, market)
    set_satisfaction(overlay, record.seller, after)
    note_rating(overlay, record.seller, rating_bp, record.held_micro)
    overlay.emit(
        Event(
            kind="satisfaction.changed",
            accounts=(record.seller, record.buyer),
            data={
                "agreement": agreement.hex(),
                "seller": record.seller,
                "buyer": record.buyer,
                "rating_bp": rating_bp,
                "before_bp": before,
                "after_bp": after,
            },
        )
    )
