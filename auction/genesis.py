"""The market's part of the genesis file and the state it seeds."""

from typing import Annotated

from msgspec import Meta

from auction.brokers import Broker, Tariff, read_broker, write_broker
from auction.parameters import MarketParameters, write_parameters
from auction.sealed import MAX_BROKERS
from ledger.codec import Record
from ledger.errors import Reason, Rejected
from ledger.members import read_registration
from ledger.state import Overlay
from ledger.types import Address, Name


class GenesisBroker(Record):
    """A broker admitted from the start; there is no default tariff, each states its own."""

    address: Address
    name: Name
    tariff: Tariff


class MarketGenesis(Record):
    """Parameters and brokers of a new chain."""

    parameters: MarketParameters
    brokers: Annotated[tuple[GenesisBroker, ...], Meta(max_length=MAX_BROKERS)]


def seed_state(overlay: Overlay, genesis: MarketGenesis) -> None:
    """Write the market's state of height 0; the ledger's accounts are there already.

    Raises Rejected: VALIDATION_ERROR for a broker listed twice or registered in another role,
    INVALID_TARIFF.
    """
    write_parameters(overlay, genesis.parameters)
    for entry in genesis.brokers:
        if read_broker(overlay, entry.address) is not None:
            raise Rejected(Reason.VALIDATION_ERROR, f"broker {entry.name} is listed twice")
        registration = read_registration(overlay, entry.address)
        if registration is not None and registration.role != "broker":
            raise Rejected(Reason.VALIDATION_ERROR, f"{entry.name} is registered in another role")
        write_broker(overlay, entry.address, Broker(name=entry.name, tariff=entry.tariff))
