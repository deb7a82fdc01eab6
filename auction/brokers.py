"""Brokers: who runs a book, under which published tariff.

A tariff says what a deal costs and how its price is made:

    lambda_micro, sigma_ppm   the fee of a deal, and the buyer's part of it
    fee_basis   deal: once per trade (Alg 2 lines 9 and 13)
                round: for every round until the pair crossed (Table I)
    weights     spread: the broker's margin, bid - ask + fee (Eq 14, Alg 4)
                surplus: the pair's gain, value - cost - fee; no price ladder
    pricing     paper: the buyer pays its bid, the seller gets its ask (Eqs 6, 8, 12)
                midpoint: both trade at the middle (Alg 2 line 7)
                core_buyer, core_seller: the competitive prices best for that side

The core rules need `surplus`: only there do labels divide exactly what the pair gains.
"""

from collections.abc import Iterator
from typing import Literal

from auction.actions import Price
from ledger.codec import Codec, Record, encode
from ledger.errors import Reason, Rejected
from ledger.state import Overlay, View
from ledger.types import PPM, Address, Name, ShareOfMillion

BROKER_PREFIX = b"broker/"

FeeBasis = Literal["deal", "round"]
Weights = Literal["spread", "surplus"]
Pricing = Literal["paper", "midpoint", "core_buyer", "core_seller"]


class Tariff(Record, kw_only=True):
    """Terms of one broker, the same for all its orders."""

    lambda_micro: Price
    sigma_ppm: ShareOfMillion
    fee_basis: FeeBasis
    weights: Weights
    pricing: Pricing


class Broker(Record, kw_only=True):
    """One admitted broker."""

    name: Name
    tariff: Tariff
    status: Literal["active", "suspended"] = "active"


_BROKERS = Codec(Broker)


def buyer_fee(tariff: Tariff, rounds: int) -> int:
    """Return the buyer's own fee for a deal struck after `rounds`, micro-tokens, rounded down."""
    return total_fee(tariff, rounds) * tariff.sigma_ppm // PPM


def seller_fee(tariff: Tariff, rounds: int) -> int:
    """Return the seller's own fee; with the buyer's it makes up the whole, to the unit."""
    return total_fee(tariff, rounds) - buyer_fee(tariff, rounds)


def total_fee(tariff: Tariff, rounds: int) -> int:
    """Return N * lambda: N is 1 under `deal` and the rounds of the pair under `round`."""
    return tariff.lambda_micro * (rounds if tariff.fee_basis == "round" else 1)


def check_tariff(tariff: Tariff) -> None:
    """Raise Rejected(INVALID_TARIFF) for a rule that its weights cannot carry."""
    if tariff.pricing in ("core_buyer", "core_seller") and tariff.weights != "surplus":
        raise Rejected(Reason.INVALID_TARIFF, f"{tariff.pricing} prices need surplus weights")


def broker_key(address: Address) -> bytes:
    """Return the state key of a broker."""
    return BROKER_PREFIX + bytes.fromhex(address)


def decode_broker(stored: bytes) -> Broker:
    """Return the broker of stored bytes."""
    return _BROKERS.decode_trusted(stored)


def read_broker(view: View, address: Address) -> Broker | None:
    """Return the broker, None for an account that is none."""
    stored = view.get(broker_key(address))
    return None if stored is None else _BROKERS.decode_trusted(stored)


def write_broker(overlay: Overlay, address: Address, broker: Broker) -> None:
    """Store a broker after checking its tariff."""
    check_tariff(broker.tariff)
    overlay.put(broker_key(address), encode(broker))


def brokers(view: View) -> Iterator[tuple[Address, Broker]]:
    """Yield every broker in ascending order of address."""
    for key, stored in view.scan(BROKER_PREFIX):
        yield key[len(BROKER_PREFIX) :].hex(), _BROKERS.decode_trusted(stored)


def require_broker(view: View, address: Address) -> Broker:
    """Return an active broker.  Raises UNKNOWN_BROKER or BROKER_SUSPENDED."""
    broker = read_broker(view, address)
    if broker is None:
        raise Rejected(Reason.UNKNOWN_BROKER, address)
    if broker.status != "active":
        raise Rejected(Reason.BROKER_SUSPENDED, broker.name)
    return broker
