"""What a server has to show: one small record for each seller, of all it ever served.

Counts of agreements served to their end and cut short, what it was paid, and how it was rated.  A
rating weighs by the money paid for that service, as it does in the satisfaction rule; but here it
counts for ever and without inertia.  Sums are exact: they pass 2^53 in a long life, so the record
is raw bytes and documents state them as decimal strings.  It never grows, and there are as many as
sellers that ever traded.
"""

from dataclasses import dataclass, replace

from auction import keys
from ledger.state import Overlay, View
from ledger.types import Address

_COUNT_BYTES = 8
_SUM_BYTES = 16
_WIDTHS = (_COUNT_BYTES, _COUNT_BYTES, _SUM_BYTES, _COUNT_BYTES, _SUM_BYTES, _SUM_BYTES)


@dataclass(frozen=True, slots=True)
class ServiceRecord:
    """The life of one server in the market."""

    served: int = 0
    """Agreements that ran to their end."""
    cut_short: int = 0
    """Agreements that ended because the server left or was ejected."""
    paid_micro: int = 0
    """All it was paid, micro-tokens."""
    ratings: int = 0
    rated_micro: int = 0
    """What was paid for the services that were rated."""
    weighted: int = 0
    """Sum of rating times payment, basis points times micro-tokens."""

    @property
    def mean_rating_bp(self) -> int:
        """The mean rating weighted by payment, rounded down; 0 before any paid rating."""
        return self.weighted // self.rated_micro if self.rated_micro else 0


def service_record(view: View, seller: Address) -> ServiceRecord:
    """Return a server's record, all zeros for one that never served."""
    stored = view.get(keys.SERVICE + bytes.fromhex(seller))
    if stored is None:
        return ServiceRecord()
    values, start = [], 0
    for width in _WIDTHS:
        values.append(int.from_bytes(stored[start : start + width], "big"))
        start += width
    return ServiceRecord(*values)


def note_end(overlay: Overlay, seller: Address, paid: int, *, served: bool) -> None:
    """Count an agreement that ended."""
    before = service_record(overlay, seller)
    _write(
        overlay,
        seller,
        replace(
            before,
            served=before.served + served,
            cut_short=before.cut_short + (not served),
            paid_micro=before.paid_micro + paid,
        ),
    )


def note_rating(overlay: Overlay, seller: Address, rating_bp: int, paid: int) -> None:
    """Count a rating of a service that was paid so much."""
    before = service_record(overlay, seller)
    _write(
        overlay,
        seller,
        replace(
            before,
            ratings=before.ratings + 1,
            rated_micro=before.rated_micro + paid,
            weighted=before.weighted + rating_bp * paid,
        ),
    )


def _write(overlay: Overlay, seller: Address, record: ServiceRecord) -> None:
    values = (
        record.served,
        record.cut_short,
        record.paid_micro,
        record.ratings,
        record.rated_micro,
        record.weighted,
    )
    stored = b"".join(
        value.to_bytes(width, "big") for value, width in zip(values, _WIDTHS, strict=True)
    )
    overlay.put(keys.SERVICE + bytes.fromhex(seller), stored)
