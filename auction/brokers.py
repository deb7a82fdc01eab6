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
                kappa: the broker keeps `kappa_ppm` of the margin bid - ask, the pair the rest
                mcafee: one price for each side of a class of equal services, by trade reduction

The core rules need `surplus`: only there do labels divide exactly what the pair gains.  `mcafee`
needs it too, and a list of the classes of service its book holds, fixed before any bid.

Tariffs have versions.  An order keeps the version it was admitted under until it closes, and pairs
only with orders of the same version: a book is a broker and a version, and each round of a book has
one graph, one labelled side and one rule.  So a change of tariff touches no open order.
"""

from collections.abc import Iterator
from itertools import pairwise
from typing import Annotated, Literal

from msgspec import Meta

from auction.actions import Price, ServiceBlocks, ThetaMilli
from ledger.codec import Codec, Record, encode
from ledger.errors import Corrupt, Reason, Rejected
from ledger.state import Overlay, View
from ledger.types import (
    PPM,
    Address,
    Height,
    Name,
    PositiveCount,
    ResourceUnits,
    ShareOfMillion,
)

BROKER_PREFIX = b"broker/"

FeeBasis = Literal["deal", "round"]
Weights = Literal["spread", "surplus"]
Pricing = Literal["paper", "midpoint", "core_buyer", "core_seller", "kappa", "mcafee"]

MAX_CLASSES = 8
"""Classes of service one tariff may list."""

MAX_LIVE_TARIFFS = 4
"""Versions of one broker's tariff that may hold open orders at a time: bounds its books a round."""


class ServiceClass(Record, kw_only=True):
    """Services that are the same for everybody who trades them; units as in a bid."""

    service_blocks: ServiceBlocks
    interval_blocks: ServiceBlocks
    theta_milli: ThetaMilli
    least_resource: ResourceUnits


class Tariff(Record, kw_only=True):
    """Terms of one broker, the same for all its orders."""

    lambda_micro: Price
    sigma_ppm: ShareOfMillion
    fee_basis: FeeBasis
    weights: Weights
    pricing: Pricing
    kappa_ppm: ShareOfMillion = 0
    """The broker's part of a margin under `kappa`; 0 under every other rule."""
    classes: Annotated[tuple[ServiceClass, ...], Meta(max_length=MAX_CLASSES)] = ()
    """The classes of a `mcafee` book, ascending by service time, then least resource; else none."""


class FormerTariff(Record):
    """A tariff that new orders no longer get, while orders under it are open."""

    version: PositiveCount
    tariff: Tariff


class PendingTariff(Record):
    """A tariff announced: orders sent from height `effective` on get it."""

    effective: Height
    tariff: Tariff


class Broker(Record, kw_only=True):
    """One admitted broker."""

    name: Name
    tariff: Tariff
    version: PositiveCount = 1
    """Counts the tariffs the broker has had; that of the tariff in force."""
    former: Annotated[tuple[FormerTariff, ...], Meta(max_length=MAX_LIVE_TARIFFS)] = ()
    """Ascending by version."""
    pending: Annotated[tuple[PendingTariff, ...], Meta(max_length=1)] = ()
    """At most one change is under way."""
    status: Literal["active", "suspended"] = "active"

    def remembers(self, version: int) -> bool:
        """Say whether the tariff of a version is still known."""
        return version == self.version or any(entry.version == version for entry in self.former)

    def tariff_of(self, version: int) -> Tariff:
        """Return the terms of orders under a version.  Raises Corrupt for one that is forgotten."""
        if version == self.version:
            return self.tariff
        for entry in self.former:
            if entry.version == version:
                return entry.tariff
        raise Corrupt(f"broker {self.name} has no tariff of version {version}")


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
    """Raise Rejected(INVALID_TARIFF) for terms that contradict each other."""
    rule = tariff.pricing
    if rule in ("core_buyer", "core_seller", "mcafee") and tariff.weights != "surplus":
        raise Rejected(Reason.INVALID_TARIFF, f"{rule} prices need surplus weights")
    if tariff.kappa_ppm and rule != "kappa":
        raise Rejected(Reason.INVALID_TARIFF, f"kappa_ppm is 0 under {rule}")
    if rule == "mcafee" and tariff.fee_basis != "deal":
        raise Rejected(Reason.INVALID_TARIFF, "mcafee takes its fee once a deal")
    if bool(tariff.classes) != (rule == "mcafee"):
        raise Rejected(Reason.INVALID_TARIFF, "mcafee lists its classes, other rules have none")
    kinds = [(one.service_blocks, one.least_resource) for one in tariff.classes]
    if any(first >= second for first, second in pairwise(kinds)):
        raise Rejected(
            Reason.INVALID_TARIFF, "classes ascend by service_blocks, then least_resource"
        )


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
